// SPDX-License-Identifier: GPL-2.0-only
/*
 * S3-FIFO: a small queue in which new objects have to show that they are used
 * more than once, a main queue with second chances, and a queue of ghosts: keys
 * that have left the small queue, and go to the main one if they come back.
 */
#include <stdlib.h>

#include "policy.h"
#include "queue.h"

/* The small queue is a tenth of the cache, the ghosts are worth nine */
#define SMALL_SHARE	10
/* Uses, after the first, that make an object leave the small queue upwards */
#define PROMOTE		2
#define COUNT_MAX	3

struct cache {
	const struct trace *trace;
	uint32_t capacity;
	uint32_t small_max;
	struct item *items;
	struct queue small;
	struct queue main;
	struct queue ghosts;
};

static void *s3_create(const struct policy *policy, const struct trace *trace,
		       uint32_t capacity)
{
	struct cache *cache = must_calloc(1, sizeof(*cache));

	(void)policy;
	cache->trace = trace;
	cache->capacity = capacity;
	cache->small_max = capacity / SMALL_SHARE;
	cache->items = items_new(trace);
	queue_init(&cache->small);
	queue_init(&cache->main);
	queue_init(&cache->ghosts);
	return cache;
}

static void s3_destroy(void *memory)
{
	struct cache *cache = memory;

	free(cache->items);
	free(cache);
}

static void main_evict(struct cache *cache)
{
	struct item *item = queue_oldest(&cache->main);

	for (; item->count; item = queue_oldest(&cache->main)) {
		item->count--;
		queue_move(&cache->main, item);
	}
	queue_remove(item);
}

/* May only promote, and so make no room */
static void small_evict(struct cache *cache)
{
	struct item *item = queue_oldest(&cache->small);

	if (item->count >= PROMOTE) {
		item->count = 0;
		queue_move(&cache->main, item);
		return;
	}
	queue_move(&cache->ghosts, item);
	while (cache->ghosts.pages > cache->capacity - cache->small_max)
		queue_remove(queue_oldest(&cache->ghosts));
}

static void make_room(struct cache *cache, uint32_t pages)
{
	while (cache->small.pages + cache->main.pages + pages >
	       cache->capacity) {
		if (cache->small.pages > cache->small_max ||
		    !cache->main.pages)
			small_evict(cache);
		else
			main_evict(cache);
	}
}

static bool s3_use(void *memory, size_t at)
{
	struct cache *cache = memory;
	struct item *item = &cache->items[cache->trace->key[at]];
	struct queue *queue = &cache->small;

	if (item->queue && item->queue != &cache->ghosts) {
		if (item->count < COUNT_MAX)
			item->count++;
		return true;
	}
	if (item->pages > cache->capacity)
		return false;
	if (item->queue) {
		queue_remove(item);
		queue = &cache->main;
	}
	make_room(cache, item->pages);
	item->count = 0;
	queue_add(queue, item);
	return false;
}

const struct policy policy_s3fifo = {
	.name = "s3-fifo",
	.what = "a small queue on trial, a main one, and ghosts",
	.create = s3_create,
	.use = s3_use,
	.destroy = s3_destroy,
};
