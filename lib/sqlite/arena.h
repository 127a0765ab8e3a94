/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_SQLITE_ARENA_H
#define LIB_SQLITE_ARENA_H

#include <stdint.h>
#include <pashm/pool.h>

/**
 * struct arena - where the pages of all caches of the process are
 * @region: its own; constant
 * @pool:   of the whole region; constant
 * @end:    first address behind the region's data; constant
 * @users:  caches, and one for the process; under arena.c's lock
 *
 * After a fork the child has another one for new caches; those that it has
 * inherited keep theirs, in which nothing can be pinned or allocated.
 */
struct arena {
	struct pashm_region *region;
	struct pashm_pool *pool;
	const unsigned char *end;
	unsigned int users;
};

/* For a new cache; NULL if there is none to be had. Thread-safe */
struct arena *pashm_sqlite_arena_get(void);

/* A cache is gone; NULL is ignored. Thread-safe */
void pashm_sqlite_arena_put(struct arena *arena);

/* SQLite is shut down: give the region up, unless there are caches */
void pashm_sqlite_arena_close(void);

/* As pashm_sqlite_purge() */
int pashm_sqlite_arena_purge(uint64_t *freed);

#endif /* LIB_SQLITE_ARENA_H */
