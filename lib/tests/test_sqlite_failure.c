// SPDX-License-Identifier: LGPL-2.1-or-later
/* SQLite's page cache when there is no region, no room in it, or no memory. */
#include "fake_region.h"

static void without_a_region_pages_are_on_the_heap(void **test)
{
	sqlite3_pcache *cache;
	uint64_t evicted = stats().evicted, freed;

	(void)test;
	fake.error = -EMFILE;
	cache = cache_new(1, 100);
	pages_new(cache, 1, 100);
	assert_int_equal(pages_found(cache, 1, 100), 100);
	assert_int_equal(stats().heap, 100);
	/* And what cannot be purged is bounded */
	pages_new(cache, 101, 250);
	assert_int_equal(methods->xPagecount(cache), 100);
	assert_int_equal(stats().evicted, evicted + 150);
	assert_int_equal(pages_found(cache, 151, 250), 100);
	assert_int_equal(pashm_sqlite_purge(&freed), 0);
	assert_int_equal(freed, 0);
	methods->xDestroy(cache);
}

static void the_next_cache_tries_again(void **test)
{
	sqlite3_pcache *first, *second;

	(void)test;
	fake.error = -ENFILE;
	first = cache_new(1, 100);
	fake.error = 0;
	second = cache_new(1, 100);
	pages_new(first, 1, 5);
	assert_int_equal(stats().heap, 5);
	pages_new(second, 1, 7);
	assert_int_equal(stats().heap, 5);
	assert_int_equal(purge(fake.region), 7);
	methods->xDestroy(first);
	methods->xDestroy(second);
}

static void less_address_space_will_do(void **test)
{
	static const int errors[] = { -EFBIG, -ENOMEM };
	sqlite3_pcache *cache;
	unsigned int i;

	(void)test;
	for (i = 0; i < 2; i++) {
		fake.error = errors[i];
		fake.error_from = 48 << 20;
		cache = cache_new(1, 10);
		pages_new(cache, 1, 5);
		assert_int_equal(stats().heap, 0);
		methods->xDestroy(cache);
		methods->xShutdown(methods->pArg);
	}
}

/* A region without a place for a pool */
static void a_region_that_is_of_no_use_is_given_up(void **test)
{
	sqlite3_pcache *cache = NULL;
	unsigned int made = fake.made;
	int i;

	(void)test;
	/* Cache, arena, and what is allocated for the region and the pool */
	for (i = 0; !cache || fake.allocations < 0; i++) {
		assert_true(i < 100);
		fake.allocations = i;
		cache = methods->xCreate(PAGE, EXTRA, 1);
		if (fake.allocations >= 0)
			break;
		if (!cache)
			continue;
		methods->xCachesize(cache, 10);
		pages_new(cache, 1, 5);
		assert_int_equal(pages_found(cache, 1, 5), 5);
		methods->xDestroy(cache);
		methods->xShutdown(methods->pArg);
	}
	fake.allocations = -1;
	assert_true(i > 2);
	assert_true(fake.made > made);
	methods->xDestroy(cache);
}

static void what_does_not_fit_is_on_the_heap(void **test)
{
	sqlite3_pcache *cache;

	(void)test;
	fake.length = 16 * page_size();
	cache = cache_new(1, 8);
	pages_new(cache, 1, 100);
	/* Nothing lies behind the last page of the region: it is not used */
	assert_int_equal(methods->xPagecount(cache), 15 + 8);
	assert_int_equal(stats().heap, 8);
	assert_int_equal(pages_found(cache, 1, 15), 15);
	assert_int_equal(pages_found(cache, 93, 100), 8);
	/* What was purged makes room again */
	assert_int_equal(purge(fake.region), 15);
	pages_new(cache, 1000, 1400);
	assert_int_equal(stats().heap, 8);
	assert_int_equal(methods->xPagecount(cache), 15 + 8);
	methods->xDestroy(cache);
}

/* SQLite reads on for a few bytes when a database is corrupt */
static void a_page_can_be_read_beyond_its_end(void **test)
{
	sqlite3_pcache *cache[2];
	sqlite3_pcache_page *page;
	volatile unsigned char sum = 0;
	unsigned int i, key, n;

	(void)test;
	fake.length = 8 * page_size();
	for (i = 0; i < 2; i++) {
		cache[i] = cache_new(!i, 100);
		for (key = 1; key <= 20; key++) {
			page = page_new(cache[i], key);
			for (n = 0; n < 32; n++)
				sum += ((unsigned char *)page->pBuf)[PAGE + n];
		}
	}
	methods->xDestroy(cache[0]);
	methods->xDestroy(cache[1]);
}

/* The header, what the pool needs, the buffer on the heap, the table's slots */
static void without_memory_there_is_no_page(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 1000);
	sqlite3_pcache_page *page = NULL;
	int i;

	(void)test;
	fake.for_good = true;
	for (i = 0; !page; i++) {
		assert_true(i < 20);
		fake.allocations = i;
		page = methods->xFetch(cache, 1, 2);
		fake.allocations = -1;
		assert_int_equal(methods->xPagecount(cache), page != NULL);
		assert_int_equal(stats().pinned, page != NULL);
		if (!page)
			assert_int_equal(stats().heap, 0);
	}
	assert_true(i > 3);
	assert_true(is_new(page));
	fill(page, 1);
	methods->xUnpin(cache, page, 0);
	assert_int_equal(pages_found(cache, 1, 1), 1);
	methods->xDestroy(cache);
}

static void unpinned_pages_are_given_for_a_new_one(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 1000);
	sqlite3_pcache_page *kept = page_new(cache, 500), *page;

	(void)test;
	pages_new(cache, 1, 100);
	/* The header fails once, and is there when the others are gone */
	fake.allocations = 0;
	page = methods->xFetch(cache, 101, 2);
	fake.allocations = -1;
	assert_non_null(page);
	assert_true(is_new(page));
	assert_int_equal(methods->xPagecount(cache), 2);
	assert_true(has(kept, 500 & 255));
	methods->xDestroy(cache);
}

static void a_table_that_cannot_grow_goes_on(void **test)
{
	sqlite3_pcache *cache = cache_new(0, 1000);
	unsigned int key;

	(void)test;
	for (key = 1; key <= 256; key++)
		page_new(cache, key);
	/* Header, buffer, and no slots */
	fake.allocations = 2;
	page_new(cache, 257);
	assert_true(fake.allocations < 0);
	for (key = 258; key <= 600; key++)
		page_new(cache, key);
	for (key = 1; key <= 600; key++)
		assert_true(has(methods->xFetch(cache, key, 0), (int)key & 255));
	methods->xDestroy(cache);
}

static void without_memory_there_is_no_cache(void **test)
{
	uint64_t caches = stats().caches;

	(void)test;
	fake.allocations = 0;
	assert_null(methods->xCreate(PAGE, EXTRA, 1));
	fake.allocations = -1;
	assert_int_equal(stats().caches, caches);
}

/* The program has closed all descriptors that it does not know */
static void a_region_whose_descriptors_are_closed_does_no_harm(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page;

	(void)test;
	pages_new(cache, 1, 50);
	close(memfd_region(fake.region)->lock_fd);
	close(fake.region->fd);
	assert_int_equal(pages_found(cache, 1, 50), 50);
	assert_true(pashm_sqlite_purge(NULL) < 0);
	pages_new(cache, 51, 100);
	page = methods->xFetch(cache, 100, 2);
	assert_true(has(page, 100));
	methods->xDestroy(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_a_region_pages_are_on_the_heap),
		CASE(the_next_cache_tries_again),
		CASE(less_address_space_will_do),
		CASE(a_region_that_is_of_no_use_is_given_up),
		CASE(what_does_not_fit_is_on_the_heap),
		CASE(a_page_can_be_read_beyond_its_end),
		CASE(without_memory_there_is_no_page),
		CASE(unpinned_pages_are_given_for_a_new_one),
		CASE(a_table_that_cannot_grow_goes_on),
		CASE(without_memory_there_is_no_cache),
		CASE(a_region_whose_descriptors_are_closed_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
