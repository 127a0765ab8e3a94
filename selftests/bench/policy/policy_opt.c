// SPDX-License-Identifier: GPL-2.0-only
/*
 * Belady's optimum: the object whose next use is the farthest goes first, even
 * the one that is just being used. With objects of several sizes it is only a
 * good bound: for those, no optimum is known that could be computed.
 */
#include <stdlib.h>

#include "policy.h"

/**
 * struct cache
 * @next:  of each use in the trace, the next use of its object
 * @until: of each object, its next use, as long as it is there
 * @heap:  objects that are there, the farthest next use on top; or were there
 *         with another one: what is on top is checked with @until
 */
struct entry {
	size_t next;
	uint32_t key;
};

struct cache {
	const struct trace *trace;
	uint32_t capacity;
	uint64_t pages;
	size_t *next;
	size_t *until;
	struct entry *heap;
	size_t used;
};

#define NEVER	SIZE_MAX

static void *opt_create(const struct policy *policy, const struct trace *trace,
			uint32_t capacity)
{
	struct cache *cache = must_calloc(1, sizeof(*cache));
	size_t *last = must_calloc(trace->keys, sizeof(*last));
	size_t at;
	uint32_t i;

	(void)policy;
	cache->trace = trace;
	cache->capacity = capacity;
	cache->next = must_calloc(trace->length, sizeof(*cache->next));
	cache->until = must_calloc(trace->keys, sizeof(*cache->until));
	/* Each use pushes one */
	cache->heap = must_calloc(trace->length + 1, sizeof(*cache->heap));
	for (i = 0; i < trace->keys; i++)
		last[i] = NEVER;
	for (at = trace->length; at--; last[trace->key[at]] = at)
		cache->next[at] = last[trace->key[at]];
	free(last);
	return cache;
}

static void opt_destroy(void *memory)
{
	struct cache *cache = memory;

	free(cache->next);
	free(cache->until);
	free(cache->heap);
	free(cache);
}

static void heap_push(struct cache *cache, struct entry entry)
{
	size_t at = cache->used++, parent;

	for (; at; at = parent) {
		parent = (at - 1) / 2;
		if (cache->heap[parent].next >= entry.next)
			break;
		cache->heap[at] = cache->heap[parent];
	}
	cache->heap[at] = entry;
}

static struct entry heap_pop(struct cache *cache)
{
	struct entry top = cache->heap[0], last = cache->heap[--cache->used];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < cache->used) {
		if (child + 1 < cache->used &&
		    cache->heap[child + 1].next > cache->heap[child].next)
			child++;
		if (last.next >= cache->heap[child].next)
			break;
		cache->heap[at] = cache->heap[child];
		at = child;
	}
	cache->heap[at] = last;
	return top;
}

static void evict(struct cache *cache)
{
	struct entry entry = heap_pop(cache);

	if (cache->until[entry.key] != entry.next)
		return;
	cache->until[entry.key] = 0;
	cache->pages -= cache->trace->pages[entry.key];
}

static bool opt_use(void *memory, size_t at)
{
	struct cache *cache = memory;
	uint32_t key = cache->trace->key[at];
	bool hit = cache->until[key];

	if (!hit)
		cache->pages += cache->trace->pages[key];
	cache->until[key] = cache->next[at];
	heap_push(cache, (struct entry){ .next = cache->next[at], .key = key });
	while (cache->pages > cache->capacity)
		evict(cache);
	return hit;
}

const struct policy policy_opt = {
	.name = "opt",
	.what = "Belady: who is not used for the longest time to come",
	.create = opt_create,
	.use = opt_use,
	.destroy = opt_destroy,
};
