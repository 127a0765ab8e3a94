// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The regions that this process has open: what fork and the pressure thread
 * need to find. The library's only global state.
 *
 * LOCK ORDER: registry.lock is a leaf for everybody but fork, which takes it
 * first of all; nothing is called with it held but pthread_create().
 *
 * FORK. A child inherits a copy of the lock descriptor of each memfd client,
 * and with it a reference to the open file description whose lock says that
 * the client is alive: the parent's pins would outlive the parent. So the
 * child closes these descriptors, before fork() returns in it. A child that
 * bypasses the handlers (vfork, posix_spawn, _Fork, clone) keeps them until it
 * execs, as they are close-on-exec, or exits: pins are then held too long,
 * which costs memory, and never too short.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include "backend.h"
#include "pressure.h"
#include "registry.h"

/**
 * struct registry
 * @lock:     guards all members, and @next and @busy of the regions
 * @idle:     signalled when a region's @busy drops to 0
 * @first:    list of open regions
 * @turn:     where the next reclaim starts: moves on, so that regions take
 *            turns
 * @users:    regions that want the pressure thread
 * @pressure: the thread, while @users != 0
 */
static struct registry {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct pashm_region *first;
	unsigned int turn;
	unsigned int users;
	struct pressure *pressure;
} registry = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
};

static void fork_prepare(void)
{
	pthread_mutex_lock(&registry.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&registry.lock);
}

/*
 * Only this thread exists here. The regions stay allocated: the program may
 * still close them, or ask them for their descriptor in order to import it.
 */
static void fork_child(void)
{
	struct pashm_region *region;

	for (region = registry.first; region; region = region->next) {
		region->forked = true;
		region->busy = 0;
		region->pressure = NULL;
		region->view.pages = 0;
		if (region->ops->forked)
			region->ops->forked(region);
	}
	registry.first = NULL;
	registry.users = 0;
	if (registry.pressure)
		pashm_pressure_forked(registry.pressure);
	registry.pressure = NULL;
	/* What waited for it exists no more; so it is as good as new */
	registry.idle = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	pthread_mutex_unlock(&registry.lock);
}

static void fork_watch(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

static bool wants_thread(const struct pashm_region *region)
{
	return region->ops->reclaim &&
	       !(region->view.flags & PASHM_REGION_NO_THREAD);
}

int pashm_registry_add(struct pashm_region *region)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int ret = 0;

	pthread_once(&once, fork_watch);
	pthread_mutex_lock(&registry.lock);
	if (wants_thread(region)) {
		if (registry.users == 0)
			ret = pashm_pressure_start(&registry.pressure);
		if (!ret) {
			registry.users++;
			region->pressure = registry.pressure;
		}
	}
	if (!ret) {
		region->next = registry.first;
		registry.first = region;
	}
	pthread_mutex_unlock(&registry.lock);
	return ret;
}

void pashm_registry_remove(struct pashm_region *region)
{
	struct pressure *stop = NULL;
	struct pashm_region **link;

	/* The child's handler has emptied the list */
	if (region->forked)
		return;
	pthread_mutex_lock(&registry.lock);
	for (link = &registry.first; *link != region; link = &(*link)->next)
		;
	*link = region->next;
	while (region->busy)
		pthread_cond_wait(&registry.idle, &registry.lock);
	if (wants_thread(region) && --registry.users == 0) {
		stop = registry.pressure;
		registry.pressure = NULL;
	}
	pthread_mutex_unlock(&registry.lock);
	if (stop)
		pashm_pressure_stop(stop);
}

/* Take hold of number @index of the regions that want the thread */
static struct pashm_region *region_get(unsigned int index)
{
	struct pashm_region *region;

	pthread_mutex_lock(&registry.lock);
	for (region = registry.first; region; region = region->next) {
		if (wants_thread(region) && index-- == 0)
			break;
	}
	if (region)
		region->busy++;
	pthread_mutex_unlock(&registry.lock);
	return region;
}

static void region_put(struct pashm_region *region)
{
	pthread_mutex_lock(&registry.lock);
	if (--region->busy == 0)
		pthread_cond_broadcast(&registry.idle);
	pthread_mutex_unlock(&registry.lock);
}

uint64_t pashm_registry_reclaim(uint64_t pages)
{
	struct pashm_region *region;
	unsigned int i, users, turn;
	uint64_t taken = 0;

	pthread_mutex_lock(&registry.lock);
	users = registry.users;
	turn = registry.turn++;
	pthread_mutex_unlock(&registry.lock);
	for (i = 0; i < users && taken < pages; i++) {
		region = region_get((turn + i) % users);
		if (!region)
			continue;
		taken += region->ops->reclaim(region, pages - taken);
		region_put(region);
	}
	return taken;
}
