// SPDX-License-Identifier: GPL-2.0-only
/*
 * What SQLite's own test program calls for a page cache that loses pages at random
 * (sqlite3_config_alt_pcache of its test language, permutations pcacheN): here that
 * is our cache, and a page that is to be lost is purged, as a lack of memory would do
 * it, if by then nothing in its extent is pinned.
 *
 * scripts/sqlite-suite makes a shared library of this, which takes the place of the
 * one that the program was linked with. When the program ends, it says what was done.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <pashm/sqlite.h>
#include "memfd.h"
#include "sqlite/cache.h"

/* For the purge lock of a region that nobody else has */
#define PATIENCE_MS	1000

/**
 * @ours:      the cache as it is
 * @stock:     SQLite's own, while ours is installed
 * @installed: it is
 * @chance:    in percent, that a page is lost when it is unpinned
 * @seed:      of the random numbers
 * @stress:    refuse pages as long as SQLite can do without
 * @lost:      how many times one was, and what shares its extent
 */
static struct {
	const sqlite3_pcache_methods2 *ours;
	sqlite3_pcache_methods2 stock;
	bool installed;
	unsigned int chance;
	unsigned int seed;
	bool stress;
	unsigned long lost;
} suite;

void installTestPCache(int install, unsigned int chance, unsigned int seed,
		       unsigned int stress);

static void purge(const struct cache *cache, const struct page *page)
{
	struct pashm_region *region;
	struct memfd_region *memfd;
	struct memfd_extent extent;

	if (page->heap)
		return;
	region = cache->shape.arena->region;
	memfd = memfd_region(region);
	extent.page = page->handle.page;
	extent.state = region->view.states[extent.page];
	extent.pages = pashm_state_length(extent.state);
	if (pashm_region_backend(region) != PASHM_BACKEND_MEMFD ||
	    pashm_memfd_lock(memfd, PATIENCE_MS))
		abort();
	suite.lost += pashm_memfd_purge_extents(memfd, &extent, 1) != 0;
	pashm_memfd_unlock(memfd);
}

static bool comes_up(void)
{
	suite.seed = suite.seed * 1103515245 + 12345;
	return (suite.seed >> 16) % 100 < suite.chance;
}

static void suite_unpin(sqlite3_pcache *cache, sqlite3_pcache_page *page,
			int discard)
{
	suite.ours->xUnpin(cache, page, discard);
	if (!discard && comes_up())
		purge((struct cache *)cache, (struct page *)page);
}

static sqlite3_pcache_page *suite_fetch(sqlite3_pcache *cache, unsigned int key,
					int create)
{
	return suite.ours->xFetch(cache, key,
				  suite.stress && create < 2 ? 0 : create);
}

static void say(void)
{
	struct pashm_sqlite_stats stats;

	pashm_sqlite_stats(&stats);
	fprintf(stderr, "suite: caches=%lu hits=%lu misses=%lu lost=%lu purged=%lu\n",
		(unsigned long)stats.caches, (unsigned long)stats.hits,
		(unsigned long)stats.misses, suite.lost,
		(unsigned long)stats.purged);
}

__attribute__((visibility("default")))
void installTestPCache(int install, unsigned int chance, unsigned int seed,
		       unsigned int stress)
{
	sqlite3_pcache_methods2 methods;

	suite.chance = chance;
	suite.seed = seed;
	suite.stress = stress != 0;
	if (suite.installed == (install != 0))
		return;
	if (install) {
		if (!suite.ours)
			atexit(say);
		suite.ours = pashm_sqlite_methods(0);
		methods = *suite.ours;
		methods.xUnpin = suite_unpin;
		methods.xFetch = suite_fetch;
		if (sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &suite.stock) ||
		    sqlite3_config(SQLITE_CONFIG_PCACHE2, &methods))
			abort();
	} else if (sqlite3_config(SQLITE_CONFIG_PCACHE2, &suite.stock)) {
		abort();
	}
	suite.installed = install != 0;
}
