// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The regions that this process has open: what fork and the pressure thread
 * need to find. The library's only global state.
 *
 * LOCK ORDER: registry.lock is a leaf for everybody but fork, which takes it
 * first of all, before that of listen.c; nothing is called with it held but what starts the thread, and
 * open() and close() of a memfd. Those are cancellation points, as is waiting
 * for @idle, so cancellation is off.
 *
 * FORK. A child inherits a copy of the lock descriptor of each memfd client,
 * and with it a reference to the open file description whose lock says that
 * the client is alive: the parent's pins would outlive the parent. So the
 * child closes these descriptors, before fork() returns in it; and they are
 * opened and closed under the registry's lock, which fork takes, while the
 * region is in the list: no child is made that has one and cannot find it. A
 * child that
 * bypasses the handlers (vfork, posix_spawn, _Fork, clone) keeps them until it
 * execs, as they are close-on-exec, or exits: pins are then held too long,
 * which costs memory, and never too short.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include "backend.h"
#include "listen.h"
#include "pressure.h"
#include "reclaim.h"
#include "registry.h"

/**
 * struct registry
 * @lock:     guards all members, and @next, @busy, @linked and @watched of the
 *            regions
 * @reclaim:  one thread of the process reclaims at a time, the others wait:
 *            from a region's purge lock they would be turned away as from a
 *            peer that is stopped. Taken before @lock and all that a region has
 * @idle:     signalled when a region's @busy drops to 0
 * @first:    list of open regions
 * @turn:     where the next reclaim starts: moves on, so that regions take
 *            turns
 * @users:    regions and listeners that want the pressure thread
 * @pressure: the thread, while @users != 0
 */
static struct registry {
	pthread_mutex_t lock;
	pthread_mutex_t reclaim;
	pthread_cond_t idle;
	struct pashm_region *first;
	unsigned int turn;
	unsigned int users;
	struct pressure *pressure;
} registry = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.reclaim = PTHREAD_MUTEX_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
};

static void fork_prepare(void)
{
	pthread_mutex_lock(&registry.lock);
	pashm_listen_fork_prepare();
}

static void fork_parent(void)
{
	pashm_listen_fork_parent();
	pthread_mutex_unlock(&registry.lock);
}

/*
 * Only this thread exists here. The regions stay allocated: the program may
 * still close them, or ask them for their descriptor in order to import it.
 */
static void fork_child(void)
{
	struct pashm_region *region;

	/* Who held it is not here */
	pthread_mutex_init(&registry.reclaim, NULL);
	for (region = registry.first; region; region = region->next) {
		region->forked = true;
		region->busy = 0;
		region->pressure = NULL;
		region->view.pages = 0;
		region->view.limit = 0;
		region->linked = false;
		region->watched = false;
		if (region->ops->drop)
			region->ops->drop(region);
	}
	registry.first = NULL;
	registry.users = 0;
	if (registry.pressure)
		pashm_pressure_forked(registry.pressure);
	registry.pressure = NULL;
	pashm_listen_fork_child();
	/* What waited for it exists no more; so it is as good as new */
	registry.idle = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	pthread_mutex_unlock(&registry.lock);
}

static void fork_watch(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

static void fork_watch_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fork_watch);
}

static bool wants_thread(const struct pashm_region *region)
{
	return region->ops->reclaim &&
	       !(region->view.flags & PASHM_REGION_NO_THREAD);
}

int pashm_registry_link(struct pashm_region *region)
{
	int cancel, ret = 0;

	fork_watch_once();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&registry.lock);
	if (region->ops->hold)
		ret = region->ops->hold(region);
	if (!ret) {
		region->linked = true;
		region->next = registry.first;
		registry.first = region;
	}
	pthread_mutex_unlock(&registry.lock);
	pthread_setcancelstate(cancel, NULL);
	return ret;
}

void pashm_registry_unlink(struct pashm_region *region)
{
	struct pashm_region **link;
	int cancel;

	/* In a child the list is empty, and there is nothing to drop */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&registry.lock);
	if (region->linked) {
		for (link = &registry.first; *link != region;
		     link = &(*link)->next)
			;
		*link = region->next;
		region->linked = false;
		if (region->ops->drop)
			region->ops->drop(region);
	}
	pthread_mutex_unlock(&registry.lock);
	pthread_setcancelstate(cancel, NULL);
}

/* Under the lock */
static int user_add(void)
{
	int ret = 0;

	if (registry.users == 0)
		ret = pashm_pressure_start(&registry.pressure);
	if (!ret)
		registry.users++;
	return ret;
}

/* Under the lock; returns the thread, if it is to be stopped without it */
static struct pressure *user_remove(void)
{
	struct pressure *stop = NULL;

	if (--registry.users == 0) {
		stop = registry.pressure;
		registry.pressure = NULL;
	}
	return stop;
}

int pashm_registry_join(void)
{
	int cancel, ret;

	fork_watch_once();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&registry.lock);
	ret = user_add();
	pthread_mutex_unlock(&registry.lock);
	pthread_setcancelstate(cancel, NULL);
	return ret;
}

void pashm_registry_leave(void)
{
	struct pressure *stop;
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&registry.lock);
	stop = user_remove();
	pthread_mutex_unlock(&registry.lock);
	if (stop)
		pashm_pressure_stop(stop);
	pthread_setcancelstate(cancel, NULL);
}

int pashm_registry_watch(struct pashm_region *region)
{
	int cancel, ret = 0;

	if (!wants_thread(region))
		return 0;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&registry.lock);
	ret = user_add();
	if (!ret) {
		region->watched = true;
		region->pressure = registry.pressure;
	}
	pthread_mutex_unlock(&registry.lock);
	pthread_setcancelstate(cancel, NULL);
	return ret;
}

void pashm_registry_unwatch(struct pashm_region *region)
{
	struct pressure *stop = NULL;
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&registry.lock);
	if (region->watched) {
		region->watched = false;
		while (region->busy)
			pthread_cond_wait(&registry.idle, &registry.lock);
		stop = user_remove();
	}
	pthread_mutex_unlock(&registry.lock);
	if (stop)
		pashm_pressure_stop(stop);
	pthread_setcancelstate(cancel, NULL);
}

/* Take hold of number @index of the regions that the thread may use */
static struct pashm_region *region_get(unsigned int index)
{
	struct pashm_region *region;

	pthread_mutex_lock(&registry.lock);
	for (region = registry.first; region; region = region->next) {
		if (region->watched && index-- == 0)
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

/*
 * Class by class through all regions: what is more valuable in one goes after
 * what is less valuable in another. Each pass finds out which class is next, so
 * there are as many as there are classes in use.
 */
uint64_t pashm_registry_reclaim(uint64_t pages)
{
	uint32_t class = 0, next = RECLAIM_CLASSES;
	struct pashm_region *region;
	unsigned int i, users, turn;
	uint64_t taken = 0;
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&registry.reclaim);
	pthread_mutex_lock(&registry.lock);
	users = registry.users;
	turn = registry.turn++;
	pthread_mutex_unlock(&registry.lock);
	for (; class < RECLAIM_CLASSES && taken < pages; class = next) {
		next = RECLAIM_CLASSES;
		for (i = 0; i < users && taken < pages; i++) {
			region = region_get((turn + i) % users);
			if (!region)
				continue;
			taken += region->ops->reclaim(region, pages - taken,
						      class, &next);
			region_put(region);
		}
	}
	pthread_mutex_unlock(&registry.reclaim);
	pthread_setcancelstate(cancel, NULL);
	return taken;
}
