// SPDX-License-Identifier: LGPL-2.1-or-later
/* SQLite's page cache: what the interface asks for, and what a purge takes. */
#include <fcntl.h>
#include "fake_region.h"

static void flags_that_are_unknown_are_refused(void **test)
{
	(void)test;
	assert_null(pashm_sqlite_methods(1U << 2));
	assert_null(pashm_sqlite_methods(~0U));
	assert_int_equal(methods->iVersion, 1);
}

static void a_page_is_made_only_if_it_is_asked_for(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page;

	(void)test;
	assert_null(methods->xFetch(cache, 1, 0));
	assert_int_equal(methods->xPagecount(cache), 0);
	page = methods->xFetch(cache, 1, 1);
	assert_non_null(page);
	assert_true(is_new(page));
	assert_ptr_equal(methods->xFetch(cache, 1, 0), page);
	assert_int_equal(methods->xPagecount(cache), 1);
	methods->xDestroy(cache);
}

static void an_unpinned_page_is_found_again_with_what_is_in_it(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);

	(void)test;
	pages_new(cache, 1, 1000);
	assert_int_equal(methods->xPagecount(cache), 1000);
	assert_int_equal(pages_found(cache, 1, 1001), 1000);
	assert_int_equal(stats().heap, 0);
	assert_int_equal(stats().pinned, 0);
	methods->xDestroy(cache);
}

static void one_unpin_ends_all_fetches(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page = page_new(cache, 7);

	(void)test;
	assert_ptr_equal(methods->xFetch(cache, 7, 2), page);
	assert_ptr_equal(methods->xFetch(cache, 7, 1), page);
	methods->xUnpin(cache, page, 0);
	assert_int_equal(stats().pinned, 0);
	assert_int_equal(purge(fake.region), 1);
	methods->xDestroy(cache);
}

static void a_purge_takes_what_is_unpinned_and_nothing_else(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *pinned = page_new(cache, 101);

	(void)test;
	pages_new(cache, 1, 100);
	assert_int_equal(purge(fake.region), 100);
	assert_true(has(pinned, 101));
	assert_ptr_equal(methods->xFetch(cache, 101, 0), pinned);
	assert_int_equal(pages_found(cache, 1, 100), 0);
	assert_int_equal(methods->xPagecount(cache), 1);
	methods->xDestroy(cache);
}

static void a_purged_page_is_a_miss_and_can_be_made_anew(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	struct pashm_sqlite_stats before, after;
	sqlite3_pcache_page *page;
	int create;

	(void)test;
	for (create = 1; create <= 2; create++) {
		pages_new(cache, 5, 5);
		assert_int_equal(purge(fake.region), 1);
		before = stats();
		page = methods->xFetch(cache, 5, create);
		after = stats();
		assert_non_null(page);
		assert_true(is_new(page));
		assert_int_equal(after.misses, before.misses + 1);
		assert_int_equal(after.purged, before.purged + 1);
		assert_int_equal(after.hits, before.hits);
		fill(page, 'x');
		methods->xUnpin(cache, page, 0);
		page = methods->xFetch(cache, 5, 0);
		assert_non_null(page);
		assert_true(has(page, 'x'));
		methods->xUnpin(cache, page, 1);
	}
	methods->xDestroy(cache);
}

static void purged_memory_is_zero(void **test)
{
	static const unsigned char zeros[PAGE];
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page;

	(void)test;
	pages_new(cache, 5, 5);
	purge(fake.region);
	page = methods->xFetch(cache, 5, 2);
	assert_memory_equal(page->pBuf, zeros, PAGE);
	methods->xDestroy(cache);
}

/* Of 1024 bytes: several have one page of memory */
static void small_pages_are_taken_together(void **test)
{
	sqlite3_pcache *cache = methods->xCreate(1024, EXTRA, 1);
	sqlite3_pcache_page *pages[8];
	unsigned int i;

	(void)test;
	for (i = 0; i < 8; i++) {
		pages[i] = methods->xFetch(cache, i + 1, 2);
		assert_non_null(pages[i]);
		memset(pages[i]->pBuf, (int)i + 1, 1024);
		memset(pages[i]->pExtra, 1, EXTRA);
	}
	for (i = 1; i < 8; i++)
		methods->xUnpin(cache, pages[i], 0);
	purge(fake.region);
	assert_int_equal(*(unsigned char *)pages[0]->pBuf, 1);
	methods->xUnpin(cache, pages[0], 0);
	assert_true(purge(fake.region) < 8);
	/* One after the other is filled again */
	for (i = 0; i < 8; i++) {
		assert_null(methods->xFetch(cache, i + 1, 0));
		pages[i] = methods->xFetch(cache, i + 1, 2);
		assert_true(is_new(pages[i]));
		memset(pages[i]->pBuf, (int)i + 10, 1024);
		methods->xUnpin(cache, pages[i], 0);
	}
	for (i = 0; i < 8; i++) {
		pages[i] = methods->xFetch(cache, i + 1, 0);
		assert_non_null(pages[i]);
		assert_int_equal(*(unsigned char *)pages[i]->pBuf, i + 10);
		methods->xUnpin(cache, pages[i], i & 1);
	}
	methods->xDestroy(cache);
}

static void a_discarded_page_is_gone(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);

	(void)test;
	methods->xUnpin(cache, page_new(cache, 3), 1);
	assert_int_equal(methods->xPagecount(cache), 0);
	assert_null(methods->xFetch(cache, 3, 0));
	methods->xDestroy(cache);
}

static void a_page_can_get_another_number(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page = page_new(cache, 3);

	(void)test;
	methods->xRekey(cache, page, 3, 300);
	assert_null(methods->xFetch(cache, 3, 0));
	assert_ptr_equal(methods->xFetch(cache, 300, 0), page);
	assert_true(has(page, 3));
	methods->xRekey(cache, page, 300, 300);
	assert_ptr_equal(methods->xFetch(cache, 300, 0), page);
	assert_int_equal(methods->xPagecount(cache), 1);
	methods->xDestroy(cache);
}

static void who_has_the_other_number_makes_way(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page = page_new(cache, 3);

	(void)test;
	pages_new(cache, 9, 9);
	methods->xRekey(cache, page, 3, 9);
	assert_int_equal(methods->xPagecount(cache), 1);
	assert_ptr_equal(methods->xFetch(cache, 9, 0), page);
	assert_true(has(page, 3));
	/* A purged one as well */
	pages_new(cache, 8, 8);
	purge(fake.region);
	methods->xRekey(cache, page, 9, 8);
	assert_int_equal(methods->xPagecount(cache), 1);
	methods->xDestroy(cache);
}

static void truncating_takes_pinned_pages_too(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);

	(void)test;
	pages_new(cache, 1, 2000);
	page_new(cache, 2001);
	page_new(cache, 5000);
	methods->xTruncate(cache, 6000);
	assert_int_equal(methods->xPagecount(cache), 2002);
	methods->xTruncate(cache, 2001);
	assert_int_equal(methods->xPagecount(cache), 2000);
	assert_int_equal(stats().pinned, 0);
	methods->xTruncate(cache, 1999);
	assert_int_equal(methods->xPagecount(cache), 1998);
	assert_int_equal(pages_found(cache, 1, 2001), 1998);
	methods->xTruncate(cache, 1);
	assert_int_equal(methods->xPagecount(cache), 0);
	pages_new(cache, 1, 10);
	methods->xTruncate(cache, 0);
	assert_int_equal(methods->xPagecount(cache), 0);
	methods->xDestroy(cache);
}

/* By the difference of numbers the slots wrap round */
static void truncating_finds_pages_far_apart(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	unsigned int i;

	(void)test;
	for (i = 0; i < 32; i++)
		pages_new(cache, 1U << i, 1U << i);
	methods->xTruncate(cache, 1U << 20);
	assert_int_equal(methods->xPagecount(cache), 20);
	for (i = 0; i < 32; i++)
		assert_int_equal(pages_found(cache, 1U << i, 1U << i), i < 20);
	methods->xDestroy(cache);
}

static void the_size_bounds_what_is_pinned(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 20);
	uint64_t spills = stats().spills;
	sqlite3_pcache_page *page = NULL;
	unsigned int key = 0;

	(void)test;
	pages_new(cache, 1000, 1100);
	do {
		page = methods->xFetch(cache, ++key, 1);
	} while (page);
	assert_int_equal(key, 19);
	assert_int_equal(stats().spills, spills + 1);
	/* What is there is given, and more if it has to be */
	assert_non_null(methods->xFetch(cache, 1000, 1));
	assert_non_null(methods->xFetch(cache, key, 2));
	methods->xCachesize(cache, 100);
	assert_non_null(methods->xFetch(cache, 200, 1));
	methods->xCachesize(cache, -5);
	assert_null(methods->xFetch(cache, 201, 1));
	methods->xDestroy(cache);
}

/* Asked for by number, with no room for another pinned page */
static void a_purged_page_is_no_exception_to_that(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 1);

	(void)test;
	pages_new(cache, 5, 5);
	page_new(cache, 1);
	purge(fake.region);
	assert_null(methods->xFetch(cache, 5, 1));
	assert_int_equal(stats().pinned, 1);
	assert_non_null(methods->xFetch(cache, 5, 2));
	methods->xDestroy(cache);
}

static void shrinking_leaves_what_is_pinned(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page = page_new(cache, 500);

	(void)test;
	pages_new(cache, 1, 300);
	methods->xShrink(cache);
	assert_int_equal(methods->xPagecount(cache), 1);
	assert_true(has(page, 500 & 255));
	assert_int_equal(pages_found(cache, 1, 300), 0);
	methods->xDestroy(cache);
}

static void headers_of_purged_pages_are_found(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	unsigned int key = 10000;

	(void)test;
	pages_new(cache, 1, 4000);
	assert_int_equal(purge(fake.region), 4000);
	assert_int_equal(methods->xPagecount(cache), 4000);
	/* A quarter of the slots, of which there are twice as many at most */
	pages_new(cache, key, key + 2047);
	assert_int_equal(methods->xPagecount(cache), 2048);
	assert_int_equal(pages_found(cache, key, key + 2047), 2048);
	methods->xDestroy(cache);
}

static void an_in_memory_database_is_never_purged(void **test)
{
	sqlite3_pcache *cache = cache_new(0, 10);
	sqlite3_pcache_page *page = page_new(cache, 1);
	unsigned int made = fake.made, key;

	(void)test;
	for (key = 2; key <= 100; key++)
		page_new(cache, key);
	/* Which its owner promises not to do: then it stays all the same */
	methods->xUnpin(cache, page, 0);
	methods->xShrink(cache);
	assert_int_equal(fake.made, made);
	assert_int_equal(stats().heap, 100);
	assert_int_equal(pashm_sqlite_purge(NULL), 0);
	page = methods->xFetch(cache, 1, 0);
	assert_non_null(page);
	assert_true(has(page, 1));
	methods->xDestroy(cache);
}

static void with_a_limit_the_longest_unused_go(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	uint64_t evicted = stats().evicted;

	(void)test;
	pages_new(cache, 1, 10);
	assert_int_equal(pages_found(cache, 1, 2), 2);
	pages_new(cache, 11, 12);
	assert_int_equal(methods->xPagecount(cache), 10);
	assert_int_equal(stats().evicted, evicted + 2);
	assert_int_equal(pages_found(cache, 3, 4), 0);
	assert_int_equal(pages_found(cache, 1, 2), 2);
	methods->xCachesize(cache, 4);
	assert_int_equal(methods->xPagecount(cache), 4);
	assert_int_equal(pages_found(cache, 1, 2), 2);
	assert_int_equal(pages_found(cache, 11, 12), 2);
	/* Purged ones in the list are dropped like others */
	purge(fake.region);
	pages_new(cache, 20, 30);
	assert_true(methods->xPagecount(cache) <= 4);
	assert_int_equal(pages_found(cache, 27, 30), 4);
	methods->xDestroy(cache);
}

static void a_limit_holds_when_pages_are_pinned_and_unpinned(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *pages[20];
	unsigned int i;

	(void)test;
	pages_new(cache, 1, 10);
	/* What is unpinned makes room, and more than there is if it must be */
	for (i = 0; i < 20; i++) {
		pages[i] = page_new(cache, 100 + i);
		assert_int_equal(methods->xPagecount(cache),
				 i < 10 ? 10 : i + 1);
	}
	for (i = 0; i < 20; i++) {
		methods->xUnpin(cache, pages[i], 0);
		assert_int_equal(methods->xPagecount(cache),
				 i < 10 ? 19 - i : 10);
	}
	assert_int_equal(pages_found(cache, 110, 119), 10);
	methods->xDestroy(cache);
}

/* Past ASan and valgrind, which object to a look at what nobody has pinned */
static bool is_zero(void *buffer)
{
	static const unsigned char zeros[PAGE];
	unsigned char copy[PAGE];
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ssize_t length = pread(fd, copy, PAGE, (off_t)(uintptr_t)buffer);

	close(fd);
	assert_int_equal(length, PAGE);
	return !memcmp(copy, zeros, PAGE);
}

static void what_is_let_go_of_is_wiped(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *page;
	void *buffers[4];
	unsigned int i;

	(void)test;
	for (i = 0; i < 4; i++) {
		page = page_new(cache, i + 1);
		buffers[i] = page->pBuf;
		if (i)
			methods->xUnpin(cache, page, i == 1);
	}
	methods->xTruncate(cache, 4);
	methods->xShrink(cache);
	assert_true(is_zero(buffers[1]));
	assert_true(is_zero(buffers[2]));
	assert_true(is_zero(buffers[3]));
	assert_false(is_zero(buffers[0]));
	methods->xDestroy(cache);
	assert_true(is_zero(buffers[0]));
}

/* Nobody has to fill memory for that */
static void wiping_leaves_purged_pages_alone(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	struct pashm_region_info info;

	(void)test;
	pages_new(cache, 1, 50);
	assert_int_equal(purge(fake.region), 50);
	methods->xShrink(cache);
	assert_int_equal(pashm_region_info(fake.region, &info), 0);
	assert_int_equal(info.resident, 0);
	methods->xDestroy(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(flags_that_are_unknown_are_refused),
		CASE(a_page_is_made_only_if_it_is_asked_for),
		CASE(an_unpinned_page_is_found_again_with_what_is_in_it),
		CASE(one_unpin_ends_all_fetches),
		CASE(a_purge_takes_what_is_unpinned_and_nothing_else),
		CASE(a_purged_page_is_a_miss_and_can_be_made_anew),
		CASE(purged_memory_is_zero),
		CASE(small_pages_are_taken_together),
		CASE(a_discarded_page_is_gone),
		CASE(a_page_can_get_another_number),
		CASE(who_has_the_other_number_makes_way),
		CASE(truncating_takes_pinned_pages_too),
		CASE(truncating_finds_pages_far_apart),
		CASE(the_size_bounds_what_is_pinned),
		CASE(a_purged_page_is_no_exception_to_that),
		CASE(shrinking_leaves_what_is_pinned),
		CASE(headers_of_purged_pages_are_found),
		CASE(an_in_memory_database_is_never_purged),
		LIMIT(with_a_limit_the_longest_unused_go),
		LIMIT(a_limit_holds_when_pages_are_pinned_and_unpinned),
		WIPE(what_is_let_go_of_is_wiped),
		WIPE(wiping_leaves_purged_pages_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
