/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A cache's members, and what its parts need of each other. */
#ifndef LIB_CACHE_ROOM_H
#define LIB_CACHE_ROOM_H

#include <pashm/cache.h>
#include <pashm/pool.h>
#include "backend.h"
#include "cache_table.h"
#include "pool.h"

#define CACHE_SHARDS	32U

/**
 * struct pashm_cache
 * @region:  constant, sole
 * @pool:    constant
 * @seed:    of the hash; constant. Keys may come from an adversary
 * @maximum: bytes of values; constant
 * @born:    ms, of the clock of expiry; constant
 * @retired: extents that were ended with all values in them; atomic
 * @turn:    the shard to evict from next; atomic
 * @bytes:   of values in all tables; atomic
 * @shards:  by the hash's upper bits
 */
struct pashm_cache {
	struct pashm_region *region;
	struct pashm_pool *pool;
	uint64_t seed;
	uint64_t maximum;
	uint64_t born;
	uint64_t retired;
	uint32_t turn;
	uint64_t bytes;
	struct cache_shard shards[CACHE_SHARDS];
};

static inline struct cache_shard *shard_of(struct pashm_cache *cache,
					   uint64_t hash)
{
	return &cache->shards[hash >> 59 & (CACHE_SHARDS - 1)];
}

/* --- cache_find.c --- */

uint64_t pashm_cache_hash(const struct pashm_cache *cache, const void *key,
			  size_t length);

/* ms, of the clock of expiry */
uint64_t pashm_cache_clock(void);

/* What expires has to be for @ms from now; 0 for never */
uint32_t pashm_cache_expiry(const struct pashm_cache *cache, uint64_t ms);

/* The value; pinned, or what is there is anything */
static inline unsigned char *entry_data(const struct pashm_cache *cache,
					const struct cache_entry *entry)
{
	return pashm_pool_address(cache->pool, entry->handle);
}

/* The key; pinned, unless it is on the heap */
static inline const unsigned char *entry_key(const struct pashm_cache *cache,
					     const struct cache_entry *entry)
{
	return entry_is(entry, ENTRY_KEY) ?
		       entry->key->key :
		       entry_data(cache, entry) + entry_length(entry);
}

/*
 * Under the shard's lock: pin an entry's object. Returns 0, -ENOENT: its value is
 * gone, or as pashm_pin()
 */
int pashm_cache_entry_pin(struct pashm_cache *cache,
			  const struct cache_entry *entry);

/*
 * Under the shard's lock: the entry of a key, pinned once more and with a
 * reference more. Those of its kin that are of no use any more go onto @list.
 * Returns 0, -ENOENT, or as pashm_pin()
 */
int pashm_cache_find(struct pashm_cache *cache, struct cache_shard *shard,
		     uint64_t hash, const void *key, size_t key_length,
		     uint32_t *number, uint32_t *list);

/*
 * Under the shard's lock: the entry of a key goes onto @list; so does one of which
 * it cannot be told, as nobody misses an entry of a cache. Returns its number, or
 * 0 if there was none that had a value.
 */
uint32_t pashm_cache_take(struct pashm_cache *cache, struct cache_shard *shard,
			  uint64_t hash, const void *key, size_t key_length,
			  uint32_t *list);

/* What a user gets */
void pashm_cache_value_set(struct pashm_cache *cache,
			   const struct cache_shard *shard, uint32_t number,
			   struct pashm_cache_value *value);

/*
 * After a search with answer @ret: count it, give the shard's lock up, free what was
 * found on the way, and set the value if there is one
 */
void pashm_cache_found(struct pashm_cache *cache, struct cache_shard *shard,
		       int ret, uint32_t number, uint32_t list,
		       struct pashm_cache_value *value);

/* And gives back: the shard, and the number in it; false if there is no value */
bool pashm_cache_value_entry(struct pashm_cache *cache,
			     const struct pashm_cache_value *value,
			     struct cache_shard **shard, uint32_t *number);

/* --- cache_room.c --- */

/* Drop a reference; an entry without any is freed */
void pashm_cache_entry_put(struct pashm_cache *cache, struct cache_shard *shard,
			   uint32_t number);

/* The same for each entry of a list of such that were taken out */
void pashm_cache_entries_put(struct pashm_cache *cache,
			     struct cache_shard *shard, uint32_t list);

/* Put in and take out, with the sum of all shards */
void pashm_cache_insert(struct pashm_cache *cache, struct cache_shard *shard,
			uint32_t number);
void pashm_cache_drop(struct pashm_cache *cache, struct cache_shard *shard,
		      uint32_t number, uint32_t *list);

/*
 * An object for a value and its key, at the expense of other entries if need be.
 * Returns as pashm_pool_alloc().
 */
int pashm_cache_room_alloc(struct pashm_cache *cache, size_t align, size_t size,
			   uint32_t priority, struct pashm_handle *handle);

/* Throw out what is too much */
void pashm_cache_room_limit(struct pashm_cache *cache);

/* Under the shard's lock: remember how the value of an entry was used */
void pashm_cache_room_remember(struct pashm_cache *cache,
			       struct cache_shard *shard,
			       const struct cache_entry *entry);

/* Under the shard's lock: an entry that has lost its value goes onto @list, remembered */
void pashm_cache_room_lost(struct pashm_cache *cache,
			   struct cache_shard *shard, uint32_t number,
			   uint32_t *list);

/*
 * Under the shard's lock: now and then, put the entries that have lost their
 * values onto @list. Keeps their number in bounds.
 */
void pashm_cache_room_keep(struct pashm_cache *cache,
			   struct cache_shard *shard, uint32_t *list);

#endif /* LIB_CACHE_ROOM_H */
