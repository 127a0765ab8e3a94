/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A shard of a cache: its entries, a hash table of them, and their order. Knows
 * nothing of pins or regions. The caller holds the shard's lock.
 *
 * Entries are in arrays of which each is as long as all before it, so that none
 * ever moves: an entry is named by its number, from 1 on, and 0 is none.
 */
#ifndef LIB_CACHE_TABLE_H
#define LIB_CACHE_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pashm/pin.h>
#include "cache_known.h"

#define ENTRIES_FIRST	64U
#define ARRAYS		26U

#define KEY_BITS	16
/* In state: it was found since the hand came by; its key is on the heap; it is in
 * the table. Below these are references: fewer than pins, which have 15 bits
 */
#define ENTRY_VISITED		(1U << 31)
#define ENTRY_KEY		(1U << 30)
#define ENTRY_LINKED		(1U << 29)
#define ENTRY_REFERENCES	(ENTRY_LINKED - 1)

/**
 * struct cache_key - of an entry whose object has no room for it
 * @length:     bytes of the value
 * @key_length: of the key
 */
struct cache_key {
	uint64_t length;
	uint32_t key_length;
	unsigned char key[];
};

/**
 * struct cache_entry
 * @hash:       of the key; constant, like @handle, @sizes and @key
 * @handle:     of the pool's object, which has the value, and behind it the key
 *              unless that is elsewhere; never refilled
 * @state:      references, one of the table, one of each reader or of the writer,
 *              and above them ENTRY_*; atomic. Raised and marked under the shard's
 *              lock only, while the table has its reference; whoever drops the last
 *              one frees entry and object
 * @sizes:      bytes of the value, above KEY_BITS, and of the key; or
 * @key:        with ENTRY_KEY, the same and the key itself
 * @chain:      next in the bucket; when taken out: in a list of such, which is
 *              its owner's; when free: of the free ones
 * @older:      neighbour in the order of being put in
 * @newer:      likewise
 * @expires:    in tenths of a second of the cache's clock; 0: never
 */
struct cache_entry {
	uint64_t hash;
	struct pashm_handle handle;
	uint32_t state;
	union {
		uint64_t sizes;
		struct cache_key *key;
	};
	uint32_t chain;
	uint32_t older;
	uint32_t newer;
	uint32_t expires;
};

_Static_assert(sizeof(struct cache_entry) == 48, "as cache.h tells");

/**
 * struct cache_shard
 * @lock:     guards all members; a leaf but for the waiting inside of a pin
 * @built:    a build has ended; with @lock
 * @builds:   builds that are going on
 * @arrays:   of entries; a pointer is set once, and read without the lock by
 *            who has the number of an entry in there
 * @made:     entries that were ever in use: the arrays are full up to there
 * @unused:   list of those that are free
 * @buckets:  hash table
 * @mask:     number of buckets - 1
 * @entries:  in the table
 * @bytes:    of their values
 * @oldest:   of those in the table
 * @newest:   likewise
 * @hand:     where eviction goes on; 0 is @oldest
 * @stuck:    list of those without references whose objects could not be freed
 * @purges:   the region's count of purges when the shard was last searched for
 *            entries that have lost their value
 * @known:    how values that are gone were used
 * @hits, @misses, @purged, @evicted, @expired, @builds_made: counters
 */
struct cache_shard {
	pthread_mutex_t lock;
	pthread_cond_t built;
	struct cache_build *builds;
	struct cache_entry *arrays[ARRAYS];
	uint32_t made;
	uint32_t unused;
	uint32_t *buckets;
	uint64_t mask;
	uint64_t entries;
	uint64_t bytes;
	uint32_t oldest;
	uint32_t newest;
	uint32_t hand;
	uint32_t stuck;
	uint64_t purges;
	struct cache_known known;
	uint64_t hits;
	uint64_t misses;
	uint64_t purged;
	uint64_t evicted;
	uint64_t expired;
	uint64_t builds_made;
} __attribute__((aligned(64)));

static inline bool entry_is(const struct cache_entry *entry, uint32_t what)
{
	return __atomic_load_n(&entry->state, __ATOMIC_RELAXED) & what;
}

static inline void entry_mark(struct cache_entry *entry, uint32_t what)
{
	if (!entry_is(entry, what))
		__atomic_fetch_or(&entry->state, what, __ATOMIC_RELAXED);
}

static inline void entry_unmark(struct cache_entry *entry, uint32_t what)
{
	__atomic_fetch_and(&entry->state, ~what, __ATOMIC_RELAXED);
}

static inline void entry_hold(struct cache_entry *entry)
{
	__atomic_fetch_add(&entry->state, 1, __ATOMIC_RELAXED);
}

static inline size_t entry_length(const struct cache_entry *entry)
{
	return entry_is(entry, ENTRY_KEY) ? entry->key->length :
					    entry->sizes >> KEY_BITS;
}

static inline size_t entry_key_length(const struct cache_entry *entry)
{
	return entry_is(entry, ENTRY_KEY) ?
		       entry->key->key_length :
		       entry->sizes & ((1U << KEY_BITS) - 1);
}

/* The entry of a number that is not 0 */
static inline struct cache_entry *entry_at(const struct cache_shard *shard,
					   uint32_t number)
{
	uint32_t index = number - 1, array = 0, first = 0;

	if (index >= ENTRIES_FIRST) {
		array = 31 - (uint32_t)__builtin_clz(index / ENTRIES_FIRST);
		first = ENTRIES_FIRST << array++;
	}
	return &shard->arrays[array][index - first];
}

int pashm_cache_table_init(struct cache_shard *shard);
void pashm_cache_table_free(struct cache_shard *shard);

/* A free entry; 0: no memory. What it has is freed with it */
uint32_t pashm_cache_entry_new(struct cache_shard *shard);
void pashm_cache_entry_free(struct cache_shard *shard, uint32_t number);

/* The first in the bucket of a hash; those behind it are at its chain */
static inline uint32_t pashm_cache_bucket(const struct cache_shard *shard,
					  uint64_t hash)
{
	return shard->buckets[hash & shard->mask];
}

/* Put in as the newest; its key is not in the table */
void pashm_cache_table_insert(struct cache_shard *shard, uint32_t number);

/* Remove it, onto a list that inherits the table's reference */
void pashm_cache_table_take(struct cache_shard *shard, uint32_t number,
			    uint32_t *list);

/*
 * The one to throw out: SIEVE. The hand goes from the old to the new, and passes
 * once those that were found since. 0 if it came to the end without finding one:
 * the next time it begins with the oldest.
 */
uint32_t pashm_cache_table_victim(struct cache_shard *shard);

/* Bytes on the heap */
uint64_t pashm_cache_table_heap(const struct cache_shard *shard);

#endif /* LIB_CACHE_TABLE_H */
