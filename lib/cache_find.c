// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finding entries. The key of most is beside the value: so it takes a pin to know
 * whether an entry is that of a key, and if its value is gone nobody knows any
 * more, nor wants to.
 */
#include <string.h>
#include <time.h>
#include "cache_room.h"

/* Of the clock of expiry */
#define TICK_MS		100

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t pashm_cache_hash(const struct pashm_cache *cache, const void *key,
			  size_t length)
{
	const unsigned char *bytes = key;
	uint64_t hash = cache->seed ^ length, word;

	for (; length >= 8; bytes += 8, length -= 8) {
		memcpy(&word, bytes, 8);
		hash = mix(hash ^ word, 0x9e3779b97f4a7c15) + cache->seed;
	}
	word = 0;
	memcpy(&word, bytes, length);
	hash = mix(hash ^ word, 0xd6e8feb86659fd93) ^ cache->seed;
	return mix(hash, 0xff51afd7ed558ccd);
}

uint64_t pashm_cache_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Tenths of a second since the cache was born */
static uint32_t cache_now(const struct pashm_cache *cache)
{
	return (uint32_t)((pashm_cache_clock() - cache->born) / TICK_MS);
}

/* The tick in which the time is over, which is not the first */
uint32_t pashm_cache_expiry(const struct pashm_cache *cache, uint64_t ms)
{
	uint64_t ticks = (ms + TICK_MS - 1) / TICK_MS;

	return ms ? cache_now(cache) + (uint32_t)ticks : 0;
}

static bool is_expired(const struct pashm_cache *cache,
		       const struct cache_entry *entry)
{
	return entry->expires && cache_now(cache) > entry->expires;
}

int pashm_cache_entry_pin(struct pashm_cache *cache,
			  const struct cache_entry *entry)
{
	enum pashm_verdict verdict;
	int ret;

	/* A pin of what was purged would have the pressure looked at */
	if (pashm_generation(cache->region, entry->handle.page) !=
	    entry->handle.generation)
		return -ENOENT;
	ret = pashm_pin(cache->region, entry->handle, &verdict);
	if (ret || verdict == PASHM_INTACT)
		return ret;
	if (verdict == PASHM_PURGED)
		pashm_unpin(cache->region, entry->handle.page);
	return -ENOENT;
}

static bool is_of_key(const struct pashm_cache *cache,
		      const struct cache_entry *entry, const void *key,
		      size_t key_length)
{
	return entry_key_length(entry) == key_length &&
	       !memcmp(entry_key(cache, entry), key, key_length);
}

/* Too old, or without its value: then it goes onto @list */
static bool is_useless(struct pashm_cache *cache, struct cache_shard *shard,
		       uint32_t number, uint32_t *list)
{
	struct cache_entry *entry = entry_at(shard, number);

	if (is_expired(cache, entry)) {
		shard->expired++;
		pashm_cache_drop(cache, shard, number, list);
		return true;
	}
	if (pashm_generation(cache->region, entry->handle.page) ==
	    entry->handle.generation)
		return false;
	pashm_cache_room_lost(cache, shard, number, list);
	return true;
}

/*
 * Of an entry that has the hash of a key: 0: it is the key's, and pinned; 1: it is
 * another's; -ENOENT: it was of no use any more, and is on @list
 */
static int entry_try(struct pashm_cache *cache, struct cache_shard *shard,
		     uint32_t number, const void *key, size_t key_length,
		     uint32_t *list)
{
	struct cache_entry *entry = entry_at(shard, number);
	int ret;

	if (is_useless(cache, shard, number, list))
		return -ENOENT;
	ret = pashm_cache_entry_pin(cache, entry);
	if (ret == -ENOENT)
		pashm_cache_room_lost(cache, shard, number, list);
	if (ret)
		return ret;
	if (is_of_key(cache, entry, key, key_length))
		return 0;
	pashm_unpin(cache->region, entry->handle.page);
	return 1;
}

/* What is going to be read of an entry is in four places: wait for all at once */
static void entry_fetch(const struct pashm_cache *cache,
			const struct cache_entry *entry)
{
	const struct pashm_view *view = &cache->region->view;
	const unsigned char *data = entry_data(cache, entry);

	__builtin_prefetch(&view->states[entry->handle.page]);
	__builtin_prefetch(&view->pins[entry->handle.page], 1);
	__builtin_prefetch(data);
	if (!entry_is(entry, ENTRY_KEY))
		__builtin_prefetch(data + (entry->sizes >> KEY_BITS));
}

int pashm_cache_find(struct pashm_cache *cache, struct cache_shard *shard,
		     uint64_t hash, const void *key, size_t key_length,
		     uint32_t *number, uint32_t *list)
{
	struct cache_entry *entry;
	uint32_t next;
	int ret;

	for (*number = pashm_cache_bucket(shard, hash); *number;
	     *number = next) {
		entry = entry_at(shard, *number);
		next = entry->chain;
		if (entry->hash != hash)
			continue;
		entry_fetch(cache, entry);
		ret = entry_try(cache, shard, *number, key, key_length, list);
		if (ret == 0) {
			entry_hold(entry);
			entry_mark(entry, ENTRY_VISITED);
		}
		if (ret != 1 && ret != -ENOENT)
			return ret;
	}
	return -ENOENT;
}

/* Is it another key's, for sure? */
static bool is_anothers(struct pashm_cache *cache,
			const struct cache_entry *entry, const void *key,
			size_t key_length)
{
	bool other;

	if (entry_is(entry, ENTRY_KEY))
		return !is_of_key(cache, entry, key, key_length);
	if (pashm_cache_entry_pin(cache, entry))
		return false;
	other = !is_of_key(cache, entry, key, key_length);
	pashm_unpin(cache->region, entry->handle.page);
	return other;
}

uint32_t pashm_cache_take(struct pashm_cache *cache, struct cache_shard *shard,
			  uint64_t hash, const void *key, size_t key_length,
			  uint32_t *list)
{
	uint32_t number, next, taken = 0;
	struct cache_entry *entry;

	for (number = pashm_cache_bucket(shard, hash); number; number = next) {
		entry = entry_at(shard, number);
		next = entry->chain;
		if (entry->hash != hash ||
		    is_useless(cache, shard, number, list) ||
		    is_anothers(cache, entry, key, key_length))
			continue;
		pashm_cache_drop(cache, shard, number, list);
		taken = number;
	}
	return taken;
}

void pashm_cache_value_set(struct pashm_cache *cache,
			   const struct cache_shard *shard, uint32_t number,
			   struct pashm_cache_value *value)
{
	const struct cache_entry *entry = entry_at(shard, number);

	value->data = entry_data(cache, entry);
	value->length = entry_length(entry);
	value->entry = (uint64_t)(shard - cache->shards) << 32 | number;
}

void pashm_cache_found(struct pashm_cache *cache, struct cache_shard *shard,
		       int ret, uint32_t number, uint32_t list,
		       struct pashm_cache_value *value)
{
	if (ret)
		shard->misses++;
	else
		shard->hits++;
	pthread_mutex_unlock(&shard->lock);
	pashm_cache_entries_put(cache, shard, list);
	if (!ret)
		pashm_cache_value_set(cache, shard, number, value);
}

bool pashm_cache_value_entry(struct pashm_cache *cache,
			     const struct pashm_cache_value *value,
			     struct cache_shard **shard, uint32_t *number)
{
	*number = (uint32_t)value->entry;
	*shard = &cache->shards[value->entry >> 32 & (CACHE_SHARDS - 1)];
	return *number;
}
