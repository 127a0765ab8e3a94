// SPDX-License-Identifier: GPL-2.0-only
/*
 * ARC: those used once and those used more often in a queue each, and the
 * ghosts of both. A ghost that comes back says which of the two should have
 * been larger, and moves the target between them.
 */
#include <stdlib.h>

#include "policy.h"
#include "queue.h"

struct cache {
	const struct trace *trace;
	uint64_t capacity;
	uint64_t target;
	struct item *items;
	struct queue once;
	struct queue often;
	struct queue once_ghosts;
	struct queue often_ghosts;
};

static void *arc_create(const struct policy *policy, const struct trace *trace,
			uint32_t capacity)
{
	struct cache *cache = must_calloc(1, sizeof(*cache));

	(void)policy;
	cache->trace = trace;
	cache->capacity = capacity;
	cache->items = items_new(trace);
	queue_init(&cache->once);
	queue_init(&cache->often);
	queue_init(&cache->once_ghosts);
	queue_init(&cache->often_ghosts);
	return cache;
}

static void arc_destroy(void *memory)
{
	struct cache *cache = memory;

	free(cache->items);
	free(cache);
}

/* Of the two queues, the one that is larger than it should be loses one */
static void evict(struct cache *cache, bool favour_often)
{
	if (cache->once.pages &&
	    (cache->once.pages > cache->target || !cache->often.pages ||
	     (favour_often && cache->once.pages == cache->target)))
		queue_move(&cache->once_ghosts, queue_oldest(&cache->once));
	else
		queue_move(&cache->often_ghosts, queue_oldest(&cache->often));
}

static void ghosts_trim(struct cache *cache)
{
	while (cache->once_ghosts.pages &&
	       cache->once.pages + cache->once_ghosts.pages > cache->capacity)
		queue_remove(queue_oldest(&cache->once_ghosts));
	while (cache->often_ghosts.pages &&
	       cache->once.pages + cache->often.pages +
	       cache->once_ghosts.pages + cache->often_ghosts.pages >
	       2 * cache->capacity)
		queue_remove(queue_oldest(&cache->often_ghosts));
}

static uint64_t step(uint64_t pages, uint64_t mine, uint64_t other)
{
	return pages * (mine && other > mine ? other / mine : 1);
}

static void adapt(struct cache *cache, const struct item *ghost)
{
	uint64_t by;

	if (ghost->queue == &cache->once_ghosts) {
		by = step(ghost->pages, cache->once_ghosts.pages,
			  cache->often_ghosts.pages);
		cache->target = cache->target + by < cache->capacity ?
				cache->target + by : cache->capacity;
	} else {
		by = step(ghost->pages, cache->often_ghosts.pages,
			  cache->once_ghosts.pages);
		cache->target -= by < cache->target ? by : cache->target;
	}
}

static bool arc_use(void *memory, size_t at)
{
	struct cache *cache = memory;
	struct item *item = &cache->items[cache->trace->key[at]];
	struct queue *queue = &cache->once;
	bool favour_often = false;

	if (item->queue == &cache->once || item->queue == &cache->often) {
		queue_move(&cache->often, item);
		return true;
	}
	if (item->pages > cache->capacity)
		return false;
	if (item->queue) {
		adapt(cache, item);
		favour_often = item->queue == &cache->often_ghosts;
		queue_remove(item);
		queue = &cache->often;
	}
	while (cache->once.pages + cache->often.pages + item->pages >
	       cache->capacity)
		evict(cache, favour_often);
	queue_add(queue, item);
	ghosts_trim(cache);
	return false;
}

const struct policy policy_arc = {
	.name = "arc",
	.what = "used once or more often, balanced by their ghosts",
	.create = arc_create,
	.use = arc_use,
	.destroy = arc_destroy,
};
