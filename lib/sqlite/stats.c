// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Figures of all caches of the process: of those that are there, by a list, and of
 * those that were.
 *
 * LOCK ORDER: figures.lock is a leaf. Fork takes it, so that a child finds it
 * free.
 */
#include <pthread.h>
#include <string.h>
#include "../backend.h"
#include "cache.h"

/**
 * @lock:  guards the rest, and the list's links
 * @first: caches
 * @made:  caches created
 * @past:  lasting counters of caches that are gone
 */
static struct {
	pthread_mutex_t lock;
	struct cache *first;
	uint64_t made;
	uint64_t past[COUNT_LASTING];
} figures = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static void figures_lock(void)
{
	pthread_mutex_lock(&figures.lock);
}

static void figures_unlock(void)
{
	pthread_mutex_unlock(&figures.lock);
}

static void fork_watch(void)
{
	pthread_atfork(figures_lock, figures_unlock, figures_unlock);
}

void pashm_sqlite_stats_enter(struct cache *cache)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fork_watch);
	figures_lock();
	figures.made++;
	cache->next = figures.first;
	if (cache->next)
		cache->next->previous = cache;
	figures.first = cache;
	figures_unlock();
}

void pashm_sqlite_stats_leave(struct cache *cache)
{
	unsigned int i;

	figures_lock();
	if (cache->next)
		cache->next->previous = cache->previous;
	*(cache->previous ? &cache->previous->next : &figures.first) =
		cache->next;
	for (i = 0; i < COUNT_LASTING; i++)
		figures.past[i] += cache->counts[i];
	figures_unlock();
}

PASHM_API void pashm_sqlite_stats(struct pashm_sqlite_stats *stats)
{
	uint64_t sum[COUNTS] = { 0 };
	const struct cache *cache;
	unsigned int i;

	memset(stats, 0, sizeof(*stats));
	figures_lock();
	stats->caches = figures.made;
	memcpy(sum, figures.past, sizeof(figures.past));
	for (cache = figures.first; cache; cache = cache->next) {
		for (i = 0; i < COUNTS; i++)
			sum[i] += __atomic_load_n(&cache->counts[i],
						  __ATOMIC_RELAXED);
	}
	figures_unlock();
	stats->hits = sum[COUNT_HITS];
	stats->misses = sum[COUNT_MISSES];
	stats->purged = sum[COUNT_PURGED];
	stats->spills = sum[COUNT_SPILLS];
	stats->evicted = sum[COUNT_EVICTED];
	stats->pages = sum[COUNT_PAGES];
	stats->pinned = sum[COUNT_PINNED];
	stats->heap = sum[COUNT_HEAP];
}
