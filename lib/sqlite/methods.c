// SPDX-License-Identifier: LGPL-2.1-or-later
/* The page cache as SQLite calls it. xCreate is not told which table it is of. */
#include "../backend.h"
#include "cache.h"

static int method_init(void *unused)
{
	(void)unused;
	return SQLITE_OK;
}

static void method_shutdown(void *unused)
{
	(void)unused;
	pashm_sqlite_arena_close();
}

static sqlite3_pcache *create(int size, int extra, int purgeable,
			      uint32_t flags)
{
	return (sqlite3_pcache *)pashm_sqlite_cache_new(size, extra, purgeable,
							flags);
}

static void method_cachesize(sqlite3_pcache *cache, int pages)
{
	pashm_sqlite_cache_limit((struct cache *)cache,
				 pages > 0 ? (unsigned int)pages : 0);
}

static int method_pagecount(sqlite3_pcache *cache)
{
	return (int)((struct cache *)cache)->table.count;
}

static sqlite3_pcache_page *method_fetch(sqlite3_pcache *cache,
					 unsigned int key, int create_flag)
{
	return (sqlite3_pcache_page *)pashm_sqlite_cache_fetch(
		(struct cache *)cache, key, create_flag);
}

static void method_unpin(sqlite3_pcache *cache, sqlite3_pcache_page *page,
			 int discard)
{
	if (discard)
		pashm_sqlite_cache_drop((struct cache *)cache,
					(struct page *)page);
	else
		pashm_sqlite_cache_unpin((struct cache *)cache,
					 (struct page *)page);
}

static void method_rekey(sqlite3_pcache *cache, sqlite3_pcache_page *page,
			 unsigned int old_key, unsigned int new_key)
{
	(void)old_key;
	pashm_sqlite_cache_rekey((struct cache *)cache, (struct page *)page,
				 new_key);
}

static void method_truncate(sqlite3_pcache *cache, unsigned int limit)
{
	pashm_sqlite_cache_truncate((struct cache *)cache, limit);
}

static void method_destroy(sqlite3_pcache *cache)
{
	pashm_sqlite_cache_free((struct cache *)cache);
}

static void method_shrink(sqlite3_pcache *cache)
{
	pashm_sqlite_cache_shrink((struct cache *)cache);
}

#define CREATE(flags) \
	static sqlite3_pcache *create_##flags(int size, int extra, \
					      int purgeable) \
	{ \
		return create(size, extra, purgeable, flags); \
	}

#define METHODS(flags) \
	[flags] = { \
		.iVersion = 1, \
		.xInit = method_init, \
		.xShutdown = method_shutdown, \
		.xCreate = create_##flags, \
		.xCachesize = method_cachesize, \
		.xPagecount = method_pagecount, \
		.xFetch = method_fetch, \
		.xUnpin = method_unpin, \
		.xRekey = method_rekey, \
		.xTruncate = method_truncate, \
		.xDestroy = method_destroy, \
		.xShrink = method_shrink, \
	}

_Static_assert((PASHM_SQLITE_LIMIT | PASHM_SQLITE_WIPE) == 3,
	       "each set of flags has methods");
CREATE(0)
CREATE(1)
CREATE(2)
CREATE(3)

PASHM_API const struct sqlite3_pcache_methods2 *
pashm_sqlite_methods(uint32_t flags)
{
	static const struct sqlite3_pcache_methods2 methods[] = {
		METHODS(0), METHODS(1), METHODS(2), METHODS(3),
	};

	return flags < sizeof(methods) / sizeof(methods[0]) ?
	       &methods[flags] : NULL;
}

PASHM_API int pashm_sqlite_purge(uint64_t *freed)
{
	return pashm_sqlite_arena_purge(freed);
}
