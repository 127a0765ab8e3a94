// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Listeners: see <pashm/pressure.h>.
 *
 * LOCKS: listen.lock is a leaf, but for fork, which takes it after the
 * registry's. Callbacks are called without it, by the pressure thread alone.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <pashm/pressure.h>
#include "backend.h"
#include "listen.h"
#include "registry.h"

/**
 * struct pashm_listener - all but the constants under listen.lock
 * @next:     in the list
 * @callback: constant
 * @context:  constant
 * @linked:   it is in the list
 * @busy:     its callback is being called
 * @forked:   this is the copy in a child
 */
struct pashm_listener {
	struct pashm_listener *next;
	pashm_pressure_callback *callback;
	void *context;
	bool linked;
	bool busy;
	bool forked;
};

/**
 * struct listen
 * @lock:   guards all members
 * @idle:   signalled when a callback has returned
 * @first:  the listeners, by age
 */
static struct listen {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct pashm_listener *first;
} listen = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
};

void pashm_listen_fork_prepare(void)
{
	pthread_mutex_lock(&listen.lock);
}

void pashm_listen_fork_parent(void)
{
	pthread_mutex_unlock(&listen.lock);
}

void pashm_listen_fork_child(void)
{
	struct pashm_listener *listener;

	for (listener = listen.first; listener; listener = listener->next) {
		listener->forked = true;
		listener->linked = false;
		listener->busy = false;
	}
	listen.first = NULL;
	listen.idle = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	pthread_mutex_unlock(&listen.lock);
}

static void link_last(struct pashm_listener *listener)
{
	struct pashm_listener **link = &listen.first;

	while (*link)
		link = &(*link)->next;
	*link = listener;
	listener->linked = true;
}

PASHM_API int pashm_pressure_listen(pashm_pressure_callback *callback,
				    void *context,
				    struct pashm_listener **listener)
{
	struct pashm_listener *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return -ENOMEM;
	l->callback = callback;
	l->context = context;
	ret = pashm_registry_join();
	if (ret) {
		free(l);
		return ret;
	}
	pthread_mutex_lock(&listen.lock);
	link_last(l);
	pthread_mutex_unlock(&listen.lock);
	*listener = l;
	return 0;
}

static void unlink_it(struct pashm_listener *listener)
{
	struct pashm_listener **link = &listen.first;

	if (!listener->linked)
		return;
	while (*link != listener)
		link = &(*link)->next;
	*link = listener->next;
	listener->linked = false;
}

PASHM_API void pashm_pressure_unlisten(struct pashm_listener *listener)
{
	bool forked;
	int cancel;

	if (!listener)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&listen.lock);
	unlink_it(listener);
	while (listener->busy)
		pthread_cond_wait(&listen.idle, &listen.lock);
	forked = listener->forked;
	pthread_mutex_unlock(&listen.lock);
	free(listener);
	if (!forked)
		pashm_registry_leave();
	pthread_setcancelstate(cancel, NULL);
}

/* Number @index of them, to be called */
static struct pashm_listener *listener_get(unsigned int index)
{
	struct pashm_listener *listener;

	pthread_mutex_lock(&listen.lock);
	listener = listen.first;
	while (listener && index--)
		listener = listener->next;
	if (listener)
		listener->busy = true;
	pthread_mutex_unlock(&listen.lock);
	return listener;
}

/* Is it still in the list? If not, who has ended it frees it now */
static bool listener_put(struct pashm_listener *listener)
{
	bool linked;

	pthread_mutex_lock(&listen.lock);
	listener->busy = false;
	linked = listener->linked;
	pthread_cond_broadcast(&listen.idle);
	pthread_mutex_unlock(&listen.lock);
	return linked;
}

uint64_t pashm_listen_ask(uint64_t bytes)
{
	struct pashm_listener *listener;
	uint64_t given = 0;
	unsigned int index = 0;

	while (given < bytes && (listener = listener_get(index))) {
		given += listener->callback(bytes - given, listener->context);
		index += listener_put(listener);
	}
	return given;
}
