/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_SQLITE_CACHE_H
#define LIB_SQLITE_CACHE_H

#include <pashm/sqlite.h>
#include "table.h"

/**
 * enum cache_count - a cache's counters; the first ones survive it
 * See struct pashm_sqlite_stats.
 */
enum cache_count {
	COUNT_HITS,
	COUNT_MISSES,
	COUNT_PURGED,
	COUNT_SPILLS,
	COUNT_EVICTED,
	COUNT_LASTING,
	COUNT_PAGES = COUNT_LASTING,
	COUNT_PINNED,
	COUNT_HEAP,
	COUNTS,
};

/**
 * struct cache - a sqlite3_pcache
 *
 * SQLite calls it under the mutex of its connection, or of the shared cache, so
 * it has no lock. Only what says so is for others.
 *
 * @shape:     constant
 * @purgeable: unpinned pages may go; constant
 * @limited:   all of them count towards @limit, not only those on the heap;
 *             constant
 * @limit:     of pages, by PRAGMA cache_size
 * @table:     all pages
 * @newest:    unpinned pages that count, as they were used
 * @oldest:    the other end
 * @listed:    their number
 * @hand:      slot where the search for purged pages goes on
 * @counts:    by enum cache_count; written by the cache's thread alone, and read
 *             by any, so with relaxed atomics: nothing depends on them but
 *             figures, and @counts[COUNT_PINNED] for the cache's thread itself
 * @next:      in the process's list, under the lock of stats.c
 * @previous:  likewise
 */
struct cache {
	struct page_shape shape;
	bool purgeable;
	bool limited;
	unsigned int limit;
	struct page_table table;
	struct page *newest;
	struct page *oldest;
	unsigned int listed;
	unsigned int hand;
	uint64_t counts[COUNTS];
	struct cache *next;
	struct cache *previous;
};

/* One writer, so no atomic addition */
static inline void cache_count(struct cache *cache, enum cache_count which,
			       int change)
{
	uint64_t *count = &cache->counts[which];

	__atomic_store_n(count, *count + (uint64_t)(int64_t)change,
			 __ATOMIC_RELAXED);
}

/* stats.c: the process's list of caches. Thread-safe */
void pashm_sqlite_stats_enter(struct cache *cache);
void pashm_sqlite_stats_leave(struct cache *cache);

/* cache.c; what they do is the interface's, see <sqlite3.h> */
struct cache *pashm_sqlite_cache_new(int size, int extra, bool purgeable,
				     uint32_t flags);
void pashm_sqlite_cache_free(struct cache *cache);
struct page *pashm_sqlite_cache_fetch(struct cache *cache, unsigned int key,
				      int create);
void pashm_sqlite_cache_unpin(struct cache *cache, struct page *page);
void pashm_sqlite_cache_drop(struct cache *cache, struct page *page);
void pashm_sqlite_cache_rekey(struct cache *cache, struct page *page,
			      unsigned int key);
void pashm_sqlite_cache_truncate(struct cache *cache, unsigned int key);
void pashm_sqlite_cache_limit(struct cache *cache, unsigned int limit);
void pashm_sqlite_cache_shrink(struct cache *cache);

#endif /* LIB_SQLITE_CACHE_H */
