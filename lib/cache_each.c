// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * All entries of a cache, by their numbers, which do not change: a few at a time
 * are pinned under the shard's lock, and shown without it.
 */
#include "cache_room.h"

#define BATCH	32

/**
 * struct shown - an entry that is pinned
 * @number: in its shard
 * @notes:  of its object's use before, which being shown is not
 */
struct shown {
	uint32_t number;
	uint32_t notes;
};

/* The next entries of the shard from @*number on; how many */
static uint32_t batch_pin(struct pashm_cache *cache, struct cache_shard *shard,
			  uint32_t *number, struct shown *shown)
{
	const uint32_t *pins = cache->region->view.pins;
	struct cache_entry *entry;
	uint32_t notes;
	uint32_t count = 0;

	pthread_mutex_lock(&shard->lock);
	for (; count < BATCH && *number <= shard->made; ++*number) {
		entry = entry_at(shard, *number);
		if (!entry_is(entry, ENTRY_LINKED))
			continue;
		notes = __atomic_load_n(&pins[entry->handle.page],
					__ATOMIC_RELAXED);
		if (pashm_cache_entry_pin(cache, entry))
			continue;
		entry_hold(entry);
		shown[count++] = (struct shown){ *number, notes };
	}
	pthread_mutex_unlock(&shard->lock);
	return count;
}

static int batch_show(struct pashm_cache *cache, struct cache_shard *shard,
		      const struct shown *shown, uint32_t count,
		      pashm_cache_visit *visit, void *context)
{
	uint32_t *pins = cache->region->view.pins, page;
	struct pashm_cache_value value, copy;
	struct cache_entry *entry;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < count; i++) {
		entry = entry_at(shard, shown[i].number);
		page = entry->handle.page;
		pashm_cache_value_set(cache, shard, shown[i].number, &value);
		copy = value;
		if (!ret)
			ret = visit(entry_key(cache, entry),
				    entry_key_length(entry), &copy, context);
		pashm_cache_release(cache, &value);
		pashm_note_set(&pins[page], shown[i].notes);
	}
	return ret;
}

PASHM_API int pashm_cache_each(struct pashm_cache *cache,
			       pashm_cache_visit *visit, void *context)
{
	uint32_t i, number, count;
	struct shown shown[BATCH];
	struct cache_shard *shard;
	int ret;

	if (cache->region->forked)
		return -EINVAL;
	for (i = 0; i < CACHE_SHARDS; i++) {
		shard = &cache->shards[i];
		number = 1;
		do {
			count = batch_pin(cache, shard, &number, shown);
			ret = batch_show(cache, shard, shown, count, visit,
					 context);
			if (ret)
				return ret;
		} while (count == BATCH);
	}
	return 0;
}
