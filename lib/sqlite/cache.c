// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A cache of the pages of one database.
 *
 * SQLite keeps what it uses and what it has changed pinned. What it unpins is
 * clean, so it may go. It goes by purges, and cache_size is for what cannot go like
 * that: pinned pages, and buffers that had to be on the heap. (With
 * PASHM_SQLITE_LIMIT it is for all.)
 *
 * When most of cache_size is pinned, a fetch that need not succeed is refused.
 * SQLite then writes a changed page to the file and unpins it, and so the pages
 * that a transaction has changed do not outgrow what the user allows for them,
 * as with SQLite's own cache.
 *
 * A purged page's header is found by the next fetch of that page. For those that
 * nobody asks for a hand goes round the table, a few slots for each miss: so after a
 * purge, headers are freed by as many misses as a quarter of the table has
 * slots, and nobody waits for it.
 */
#include <stdlib.h>
#include "cache.h"
#include "options.h"

/* Slots to look at for each miss */
#define SWEEP_SLOTS	4

static void list_add(struct cache *cache, struct page *page)
{
	page->listed = true;
	page->newer = NULL;
	page->older = cache->newest;
	if (cache->newest)
		cache->newest->newer = page;
	else
		cache->oldest = page;
	cache->newest = page;
	cache->listed++;
}

static void list_remove(struct cache *cache, struct page *page)
{
	if (!page->listed)
		return;
	page->listed = false;
	*(page->newer ? &page->newer->older : &cache->newest) = page->older;
	*(page->older ? &page->older->newer : &cache->oldest) = page->newer;
	cache->listed--;
}

/* Of a page that is not in the table any more */
static void page_end(struct cache *cache, struct page *page)
{
	list_remove(cache, page);
	if (page->pinned)
		cache_count(cache, COUNT_PINNED, -1);
	if (page->heap)
		cache_count(cache, COUNT_HEAP, -1);
	cache_count(cache, COUNT_PAGES, -1);
	pashm_sqlite_page_free(&cache->shape, page);
}

void pashm_sqlite_cache_drop(struct cache *cache, struct page *page)
{
	pashm_sqlite_table_remove(&cache->table, page);
	page_end(cache, page);
}

/* Throw out what has been unused longest, until @more would fit */
static void trim(struct cache *cache, unsigned int more)
{
	while (cache->oldest && cache->counts[COUNT_PINNED] + cache->listed +
				more > cache->limit) {
		cache_count(cache, COUNT_EVICTED, 1);
		pashm_sqlite_cache_drop(cache, cache->oldest);
	}
}

/* The purged pages in some slots */
static void sweep(struct cache *cache)
{
	struct page *page, *next;
	unsigned int i;

	for (i = 0; i < SWEEP_SLOTS; i++) {
		for (page = page_table_slot(&cache->table, cache->hand++); page;
		     page = next) {
			next = page->chain;
			if (page->pinned ||
			    !pashm_sqlite_page_purged(&cache->shape, page))
				continue;
			cache_count(cache, COUNT_PURGED, 1);
			pashm_sqlite_cache_drop(cache, page);
		}
	}
}

/* For tests of programs: they are to see what pressure does */
static void purge_by_option(const struct cache *cache)
{
	unsigned int every = pashm_sqlite_options()->purge;

	if (every && cache->counts[COUNT_MISSES] % every == 0)
		pashm_sqlite_arena_purge(NULL);
}

/* May a fetch make a page? Otherwise SQLite is to let go of one first */
static bool admits(struct cache *cache, int create)
{
	if (create != 1 || !cache->purgeable ||
	    cache->counts[COUNT_PINNED] < cache->limit - cache->limit / 10)
		return create != 0;
	cache_count(cache, COUNT_SPILLS, 1);
	return false;
}

static void page_take(struct cache *cache, struct page *page)
{
	page->pinned = true;
	list_remove(cache, page);
	cache_count(cache, COUNT_PINNED, 1);
}

static struct page *page_make(struct cache *cache, unsigned int key)
{
	struct page *page;

	trim(cache, 1);
	page = pashm_sqlite_page_new(&cache->shape, key);
	if (!page && cache->purgeable) {
		/* Headers take memory, too */
		pashm_sqlite_cache_shrink(cache);
		page = pashm_sqlite_page_new(&cache->shape, key);
	}
	if (!page)
		return NULL;
	if (!pashm_sqlite_table_add(&cache->table, page)) {
		pashm_sqlite_page_free(&cache->shape, page);
		return NULL;
	}
	cache_count(cache, COUNT_PAGES, 1);
	cache_count(cache, COUNT_PINNED, 1);
	if (page->heap)
		cache_count(cache, COUNT_HEAP, 1);
	return page;
}

/* The page is not there, or its contents are not. With @found, those are gone */
static struct page *fetch_missing(struct cache *cache, struct page *found,
				  enum page_state state, unsigned int key,
				  int create)
{
	cache_count(cache, COUNT_MISSES, 1);
	if (found) {
		cache_count(cache, COUNT_PURGED, 1);
		if (state == PAGE_PURGED) {
			page_take(cache, found);
			if (admits(cache, create)) {
				pashm_sqlite_page_renew(&cache->shape, found);
				return found;
			}
			create = 0;
		}
		pashm_sqlite_cache_drop(cache, found);
	}
	if (cache->shape.arena) {
		purge_by_option(cache);
		sweep(cache);
	}
	return admits(cache, create) ? page_make(cache, key) : NULL;
}

struct page *pashm_sqlite_cache_fetch(struct cache *cache, unsigned int key,
				      int create)
{
	struct page *page = page_table_find(&cache->table, key);
	enum page_state state = PAGE_INTACT;

	if (page && !page->pinned) {
		state = pashm_sqlite_page_pin(&cache->shape, page);
		if (__builtin_expect(state == PAGE_INTACT, 1))
			page_take(cache, page);
	}
	if (__builtin_expect(!page || state != PAGE_INTACT, 0))
		return fetch_missing(cache, page, state, key, create);
	cache_count(cache, COUNT_HITS, 1);
	return page;
}

void pashm_sqlite_cache_unpin(struct cache *cache, struct page *page)
{
	cache_count(cache, COUNT_PINNED, -1);
	pashm_sqlite_page_unpin(&cache->shape, page);
	if (cache->purgeable && (cache->limited || page->heap)) {
		list_add(cache, page);
		trim(cache, 0);
	}
}

void pashm_sqlite_cache_rekey(struct cache *cache, struct page *page,
			      unsigned int key)
{
	struct page *other = page_table_find(&cache->table, key);

	if (other == page)
		return;
	if (other)
		pashm_sqlite_cache_drop(cache, other);
	pashm_sqlite_table_remove(&cache->table, page);
	page->key = key;
	/* There is room where it was */
	pashm_sqlite_table_add(&cache->table, page);
}

void pashm_sqlite_cache_truncate(struct cache *cache, unsigned int key)
{
	struct page *list = pashm_sqlite_table_cut(&cache->table, key), *page;

	while ((page = list)) {
		list = page->chain;
		page_end(cache, page);
	}
}

void pashm_sqlite_cache_limit(struct cache *cache, unsigned int limit)
{
	cache->limit = limit;
	trim(cache, 0);
}

void pashm_sqlite_cache_shrink(struct cache *cache)
{
	struct page *page, *next;
	unsigned int slot;

	if (!cache->purgeable)
		return;
	for (slot = 0; slot < cache->table.size; slot++) {
		for (page = cache->table.slots[slot]; page; page = next) {
			next = page->chain;
			if (!page->pinned)
				pashm_sqlite_cache_drop(cache, page);
		}
	}
}

struct cache *pashm_sqlite_cache_new(int size, int extra, bool purgeable,
				     uint32_t flags)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	flags |= pashm_sqlite_options()->flags;
	cache->purgeable = purgeable;
	cache->limited = flags & PASHM_SQLITE_LIMIT;
	cache->shape.size = (size_t)size;
	cache->shape.extra = (size_t)extra;
	cache->shape.wipe = flags & PASHM_SQLITE_WIPE;
	if (purgeable)
		cache->shape.arena = pashm_sqlite_arena_get();
	pashm_sqlite_stats_enter(cache);
	return cache;
}

void pashm_sqlite_cache_free(struct cache *cache)
{
	pashm_sqlite_cache_truncate(cache, 0);
	pashm_sqlite_table_clear(&cache->table);
	pashm_sqlite_stats_leave(cache);
	pashm_sqlite_arena_put(cache->shape.arena);
	free(cache);
}
