/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A cache's members, and what makes room in it. */
#ifndef LIB_CACHE_ROOM_H
#define LIB_CACHE_ROOM_H

#include <pashm/cache.h>
#include <pashm/pool.h>
#include "backend.h"
#include "cache_table.h"

#define CACHE_SHARDS	32U

/**
 * struct pashm_cache
 * @region: constant, sole
 * @pool:   constant
 * @seed:   of the hash; constant. Keys may come from an adversary
 * @turn:   the shard to evict from next; atomic
 * @lock:   guards @stuck; a leaf
 * @stuck:  entries without references whose extents could not be ended
 * @shards: by the hash's upper bits
 */
struct pashm_cache {
	struct pashm_region *region;
	struct pashm_pool *pool;
	uint64_t seed;
	uint32_t turn;
	pthread_mutex_t lock;
	struct pashm_cache_entry *stuck;
	struct cache_shard shards[CACHE_SHARDS];
};

/* Drop a reference; an entry without any is freed */
void pashm_cache_entry_put(struct pashm_cache *cache,
			   struct pashm_cache_entry *entry);

/* The same for each entry of a list of such that were taken out */
void pashm_cache_entries_put(struct pashm_cache *cache,
			     struct pashm_cache_entry *list);

/*
 * An extent for a value, at the expense of other entries if need be. Returns as
 * pashm_pool_alloc().
 */
int pashm_cache_room_alloc(struct pashm_cache *cache, size_t length,
			   struct pashm_handle *handle);

/* Under the shard's lock: remember how the value of an entry was used */
void pashm_cache_room_remember(struct pashm_cache *cache,
			       struct cache_shard *shard,
			       const struct pashm_cache_entry *entry);

/* Under the shard's lock: an entry that has lost its value goes onto @list, remembered */
void pashm_cache_room_lost(struct pashm_cache *cache,
			   struct cache_shard *shard,
			   struct pashm_cache_entry *entry,
			   struct pashm_cache_entry **list);

/*
 * Under the shard's lock: now and then, put the entries that have lost their
 * values onto @list. Keeps their number in bounds.
 */
void pashm_cache_room_keep(struct pashm_cache *cache,
			   struct cache_shard *shard,
			   struct pashm_cache_entry **list);

#endif /* LIB_CACHE_ROOM_H */
