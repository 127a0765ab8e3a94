/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What SQLite's page cache gets for its pages, played for tests: a region of memfd,
 * small and without a thread, or none; and memory that comes to an end.
 */
#ifndef LIB_TESTS_FAKE_REGION_H
#define LIB_TESTS_FAKE_REGION_H

#include "common.h"
#include <pashm/sqlite.h>
#include "sqlite/cache.h"

#define WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__)

WRAP(int, pashm_region_create, const struct pashm_region_params *params,
     struct pashm_region **region);
WRAP(void, pashm_region_close, struct pashm_region *region);
WRAP(void *, malloc, size_t size);
WRAP(void *, calloc, size_t number, size_t size);

/*
 * Length of the next region, and the last one made; how many were made and closed;
 * what is called once while one is made; how creating one fails, and from what length
 * on it does. Allocations until one fails, if not negative, and whether
 * all fail from then on
 */
static struct {
	uint64_t length;
	struct pashm_region *region;
	unsigned int made;
	unsigned int closed;
	void (*meanwhile)(void);
	int error;
	uint64_t error_from;
	int allocations;
	bool for_good;
} fake = { .allocations = -1 };

int __wrap_pashm_region_create(const struct pashm_region_params *params,
			       struct pashm_region **region)
{
	struct pashm_region_params copy = *params;
	void (*meanwhile)(void) = __atomic_exchange_n(&fake.meanwhile, NULL,
						      __ATOMIC_RELAXED);
	int ret;

	if (meanwhile)
		meanwhile();
	if (fake.error && params->length >= fake.error_from)
		return fake.error;
	assert_true(copy.flags & PASHM_REGION_SOLE);
	copy.length = fake.length;
	copy.backend = PASHM_BACKEND_MEMFD;
	copy.flags |= PASHM_REGION_NO_THREAD;
	ret = __real_pashm_region_create(&copy, region);
	__atomic_store_n(&fake.region, ret ? NULL : *region, __ATOMIC_RELAXED);
	__atomic_fetch_add(&fake.made, !ret, __ATOMIC_RELAXED);
	return ret;
}

void __wrap_pashm_region_close(struct pashm_region *region)
{
	__atomic_fetch_add(&fake.closed, 1, __ATOMIC_RELAXED);
	__real_pashm_region_close(region);
}

static inline bool fails(void)
{
	if (fake.allocations < 0)
		return false;
	if (fake.allocations == 0 && fake.for_good)
		return true;
	return fake.allocations-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
	return fails() ? NULL : __real_calloc(number, size);
}

#define PAGE	4096U
#define EXTRA	200U

static const struct sqlite3_pcache_methods2 *methods;

static inline sqlite3_pcache *cache_new(int purgeable, int limit)
{
	sqlite3_pcache *cache = methods->xCreate(PAGE, EXTRA, purgeable);

	assert_non_null(cache);
	methods->xCachesize(cache, limit);
	return cache;
}

static inline void fill(sqlite3_pcache_page *page, int byte)
{
	memset(page->pBuf, byte, PAGE);
	memset(page->pExtra, byte, EXTRA);
}

static inline bool has(const sqlite3_pcache_page *page, int byte)
{
	const unsigned char *data = page->pBuf, *extra = page->pExtra;
	size_t i;

	for (i = 0; i < PAGE; i++) {
		if (data[i] != byte)
			return false;
	}
	for (i = 0; i < EXTRA; i++) {
		if (extra[i] != byte)
			return false;
	}
	return true;
}

static inline bool is_new(const sqlite3_pcache_page *page)
{
	static const unsigned char zeros[EXTRA];

	return !memcmp(page->pExtra, zeros, EXTRA);
}

/* A page that was not there, full of its number, pinned */
static inline sqlite3_pcache_page *page_new(sqlite3_pcache *cache,
					    unsigned int key)
{
	sqlite3_pcache_page *page = methods->xFetch(cache, key, 2);

	assert_non_null(page);
	assert_true(is_new(page));
	fill(page, (int)(key & 255));
	return page;
}

static inline void pages_new(sqlite3_pcache *cache, unsigned int from,
			     unsigned int to)
{
	for (; from <= to; from++)
		methods->xUnpin(cache, page_new(cache, from), 0);
}

/* How many of them are still there; that changes nothing but their order */
static inline unsigned int pages_found(sqlite3_pcache *cache, unsigned int from,
				       unsigned int to)
{
	sqlite3_pcache_page *page;
	unsigned int found = 0;

	for (; from <= to; from++) {
		page = methods->xFetch(cache, from, 0);
		if (!page)
			continue;
		assert_true(has(page, (int)(from & 255)));
		methods->xUnpin(cache, page, 0);
		found++;
	}
	return found;
}

static inline struct pashm_sqlite_stats stats(void)
{
	struct pashm_sqlite_stats now;

	pashm_sqlite_stats(&now);
	return now;
}

/* Each test begins without a region, and leaves nothing behind */
static inline int setup_methods(uint32_t flags)
{
	fake.length = 64 << 20;
	fake.error = 0;
	fake.error_from = 0;
	fake.allocations = -1;
	fake.for_good = false;
	methods = pashm_sqlite_methods(flags);
	return methods->xInit(methods->pArg);
}

static inline int setup(void **test)
{
	(void)test;
	return setup_methods(0);
}

static inline int setup_limit(void **test)
{
	(void)test;
	return setup_methods(PASHM_SQLITE_LIMIT);
}

static inline int setup_wipe(void **test)
{
	(void)test;
	return setup_methods(PASHM_SQLITE_WIPE);
}

static inline int teardown(void **test)
{
	struct pashm_sqlite_stats now = stats();

	(void)test;
	methods->xShutdown(methods->pArg);
	fake.region = NULL;
	return now.pages || now.pinned || now.heap || fake.made != fake.closed;
}

#define CASE(f)		{ #f, f, setup, teardown, NULL }
#define LIMIT(f)	{ #f, f, setup_limit, teardown, NULL }
#define WIPE(f)		{ #f, f, setup_wipe, teardown, NULL }

#endif /* LIB_TESTS_FAKE_REGION_H */
