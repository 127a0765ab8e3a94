/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SQLite's page cache in purgeable memory: as large as free memory, and never
 * the reason for an OOM kill.
 *
 * A page that SQLite is using, or has changed and not yet written, is pinned.
 * All others may be taken under pressure, and are read from the file again when
 * they are asked for. So PRAGMA cache_size bounds the pinned pages only: what a
 * transaction may change before it spills to the file. In-memory databases
 * are on the heap.
 *
 * libpashm-sqlite.so needs no code: preloaded (LD_PRELOAD) or linked, it
 * installs itself in each SQLite and SQLCipher of the process that is reached
 * through sqlite3_initialize(). libpashm-sqlite.a does nothing by itself. With
 * either, a program can say
 *
 *   sqlite3_config(SQLITE_CONFIG_PCACHE2, pashm_sqlite_methods(0));
 *
 * before it uses SQLite. The environment's PASHM_SQLITE changes what both do, see
 * pashm-sqlite(7).
 *
 * One region of the process, made with PASHM_REGION_SOLE, has the pages of all
 * databases. If it cannot be made, or is full, pages are on the heap and bounded
 * by cache_size, as those of SQLite's own cache.
 *
 * fork: connections must not be carried over, which SQLite forbids. With a region
 * there is one more reason: what a child wrote to a page, its parent would
 * see. Databases that a child opens by itself get a region of the child's.
 */
#ifndef PASHM_SQLITE_H
#define PASHM_SQLITE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3_pcache_methods2;		/* of <sqlite3.h> */

/* cache_size bounds all pages; the longest unused go when there are more */
#define PASHM_SQLITE_LIMIT	(1U << 0)
/*
 * Overwrite pages before they are let go of, but those that were purged, whose
 * memory the kernel has: so that plaintext does not stay in freed memory of
 * this process. Implied for a SQLCipher that the shared library finds
 */
#define PASHM_SQLITE_WIPE	(1U << 1)

/**
 * struct pashm_sqlite_stats - what the process's caches have done and hold
 * @caches: created so far, in-memory databases included
 * @hits:   pages asked for that were there
 * @misses: pages asked for that were not, purged ones included
 * @purged: pages found to have been purged, by a miss or in passing
 * @spills: how often SQLite was told to write a changed page before it gets one
 *          more, as cache_size pages or nearly so were pinned
 * @evicted: pages thrown out as there were more than cache_size
 * @pages:  in the caches now, purged ones that nobody has noticed included
 * @pinned: of these, pinned
 * @heap:   of these, on the heap
 */
struct pashm_sqlite_stats {
	uint64_t caches;
	uint64_t hits;
	uint64_t misses;
	uint64_t purged;
	uint64_t spills;
	uint64_t evicted;
	uint64_t pages;
	uint64_t pinned;
	uint64_t heap;
};

/**
 * pashm_sqlite_methods - the page cache, for SQLITE_CONFIG_PCACHE2
 * @flags: PASHM_SQLITE_*
 *
 * Returns a constant that fits any SQLite since 3.7.14 and SQLCipher; nobody frees
 * it. NULL if a flag is unknown. SQLite copies it, and may call its members from
 * all threads, but those of one cache from one thread at a time. Thread-safe.
 * Since: 0.1
 */
const struct sqlite3_pcache_methods2 *pashm_sqlite_methods(uint32_t flags);

/**
 * pashm_sqlite_stats - figures of all caches of the process
 * @stats: filled in; a snapshot, not an atomic one
 *
 * Thread-safe. Since: 0.1
 */
void pashm_sqlite_stats(struct pashm_sqlite_stats *stats);

/**
 * pashm_sqlite_purge - take all pages that are not pinned now
 * @freed: set if not NULL, on an error, too: bytes of memory given back
 *
 * For programs that know that they are idle, and for tests: what is asked for
 * next is read from the file. Pages on the heap stay.
 *
 * Returns 0, or as pashm_region_purge(); 0, too, while there is no region.
 * Thread-safe. Since: 0.1
 */
int pashm_sqlite_purge(uint64_t *freed);

#ifdef __cplusplus
}
#endif

#endif /* PASHM_SQLITE_H */
