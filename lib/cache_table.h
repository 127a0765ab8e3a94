/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A shard of a cache: a hash table of entries, and their order of use. Knows
 * nothing of pins or regions. The caller holds the shard's lock.
 */
#ifndef LIB_CACHE_TABLE_H
#define LIB_CACHE_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pashm/pin.h>
#include "cache_known.h"

/**
 * struct pashm_cache_entry
 * @chain:      next in the bucket; when taken out: next in a list of such;
 *              under the shard's lock, then its owner's
 * @older:      neighbour in the order of use; under the shard's lock
 * @newer:      likewise
 * @hash:       of the key; constant
 * @handle:     of the pool's object; constant, as a value is never refilled
 * @references: one of the table, one of each reader or of the writer; atomic.
 *              Raised under the shard's lock only while the table has its own;
 *              whoever drops the last one frees entry and object
 * @length:     bytes of the value; constant
 * @key_length: constant
 * @key:        constant
 */
struct pashm_cache_entry {
	struct pashm_cache_entry *chain;
	struct pashm_cache_entry *older;
	struct pashm_cache_entry *newer;
	uint64_t hash;
	struct pashm_handle handle;
	uint32_t references;
	size_t length;
	uint32_t key_length;
	unsigned char key[];
};

/**
 * struct cache_shard
 * @lock:    guards all members; a leaf but for the waiting inside of a pin
 * @buckets: hash table
 * @mask:    number of buckets - 1
 * @entries: number of entries
 * @bytes:   of their values
 * @oldest:  least recently used
 * @newest:  most recently used
 * @purges:  the region's count of purges when the shard was last searched for
 *           entries that have lost their value
 * @known:   how values that are gone were used
 * @hits, @misses, @purged, @evicted: counters
 */
struct cache_shard {
	pthread_mutex_t lock;
	struct pashm_cache_entry **buckets;
	uint64_t mask;
	uint64_t entries;
	uint64_t bytes;
	struct pashm_cache_entry *oldest;
	struct pashm_cache_entry *newest;
	uint64_t purges;
	struct cache_known known;
	uint64_t hits;
	uint64_t misses;
	uint64_t purged;
	uint64_t evicted;
} __attribute__((aligned(64)));

int pashm_cache_table_init(struct cache_shard *shard);
void pashm_cache_table_free(struct cache_shard *shard);

struct pashm_cache_entry *
pashm_cache_table_find(const struct cache_shard *shard, uint64_t hash,
		       const void *key, size_t key_length);

/* Put in as the newest; the key is not in the table */
void pashm_cache_table_insert(struct cache_shard *shard,
			      struct pashm_cache_entry *entry);

void pashm_cache_table_remove(struct cache_shard *shard,
			      struct pashm_cache_entry *entry);

/* Remove it, onto a list that inherits the table's reference */
void pashm_cache_table_take(struct cache_shard *shard,
			    struct pashm_cache_entry *entry,
			    struct pashm_cache_entry **list);

/* Make it the newest */
void pashm_cache_table_touch(struct cache_shard *shard,
			     struct pashm_cache_entry *entry);

#endif /* LIB_CACHE_TABLE_H */
