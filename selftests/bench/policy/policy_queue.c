// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policies with one queue: true LRU, FIFO, CLOCK and SIEVE.
 *
 * They differ in what a use does, and in which object goes. CLOCK and SIEVE
 * give those that were used since the hand has passed a second chance; CLOCK by
 * queueing them anew, SIEVE by leaving them where they are, so that its hand
 * gets to the new ones soon.
 */
#include <stdlib.h>

#include "policy.h"
#include "queue.h"

struct cache {
	const struct policy *policy;
	const struct trace *trace;
	uint32_t capacity;
	struct item *items;
	struct queue queue;
	struct item *hand;
};

static void *queue_create(const struct policy *policy,
			  const struct trace *trace, uint32_t capacity)
{
	struct cache *cache = must_calloc(1, sizeof(*cache));

	cache->policy = policy;
	cache->trace = trace;
	cache->capacity = capacity;
	cache->items = items_new(trace);
	queue_init(&cache->queue);
	return cache;
}

static void queue_destroy(void *memory)
{
	struct cache *cache = memory;

	free(cache->items);
	free(cache);
}

static void clock_evict(struct cache *cache)
{
	struct item *item = queue_oldest(&cache->queue);

	for (; item->count; item = queue_oldest(&cache->queue)) {
		item->count = 0;
		queue_move(&cache->queue, item);
	}
	queue_remove(item);
}

static void sieve_evict(struct cache *cache)
{
	struct item *item = cache->hand;

	for (;;) {
		if (!item)
			item = queue_oldest(&cache->queue);
		if (!item->count)
			break;
		item->count = 0;
		item = TAILQ_NEXT(item, link);
	}
	cache->hand = TAILQ_NEXT(item, link);
	queue_remove(item);
}

static void evict(struct cache *cache)
{
	if (cache->policy == &policy_clock)
		clock_evict(cache);
	else if (cache->policy == &policy_sieve)
		sieve_evict(cache);
	else
		queue_remove(queue_oldest(&cache->queue));
}

static bool queue_use(void *memory, size_t at)
{
	struct cache *cache = memory;
	struct item *item = &cache->items[cache->trace->key[at]];

	if (item->queue) {
		item->count = 1;
		if (cache->policy == &policy_lru)
			queue_move(&cache->queue, item);
		return true;
	}
	if (item->pages > cache->capacity)
		return false;
	while (cache->queue.pages + item->pages > cache->capacity)
		evict(cache);
	item->count = 0;
	queue_add(&cache->queue, item);
	return false;
}

#define QUEUE_POLICY(symbol, heading, text)	\
	const struct policy symbol = {		\
		.name = heading,		\
		.what = text,			\
		.create = queue_create,		\
		.use = queue_use,		\
		.destroy = queue_destroy,	\
	}

QUEUE_POLICY(policy_lru, "lru", "true LRU: least recently used first");
QUEUE_POLICY(policy_fifo, "fifo", "oldest first, used or not");
QUEUE_POLICY(policy_clock, "clock", "FIFO, but who was used queues again");
QUEUE_POLICY(policy_sieve, "sieve", "who was used stays, the hand moves on");
