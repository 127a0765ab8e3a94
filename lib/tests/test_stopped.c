// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whoever holds the purge lock is stopped: each call gives up in the end, and
 * what it was asked to change is what it was. The clock is moved on here, so
 * that nobody waits for that.
 */
#define _GNU_SOURCE
#include <time.h>
#include "common.h"

#define WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__)

WRAP(int, clock_gettime, clockid_t clock, struct timespec *now);

/* An hour later after each look, while the lock is held */
static bool is_stopped;
static time_t passed;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = __real_clock_gettime(clock, now);

	passed += is_stopped ? 3600 : 0;
	now->tv_sec += passed;
	return ret;
}

/* As a thread of this process that is stopped in a purge of @page */
static void stop(struct pashm_region *region, uint32_t page)
{
	assert_int_equal(pashm_memfd_lock(memfd_region(region), 0), 0);
	region->view.states[page] |= PASHM_STATE_PURGING;
	is_stopped = true;
}

/* It has found that it is not wanted, and takes its claim back */
static void go_on(struct pashm_region *region, uint32_t page)
{
	is_stopped = false;
	region->view.states[page] &= ~PASHM_STATE_PURGING;
	pashm_memfd_unlock(memfd_region(region));
}

static void nobody_can_join(void **test)
{
	struct pashm_region *region = *test, *other;
	struct pashm_region_info info;

	stop(region, 0);
	assert_int_equal(pashm_region_import(pashm_region_fd(region), &other),
			 -ETIMEDOUT);
	go_on(region, 0);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.clients, 1);
	other = region_join(region);
	pashm_region_close(other);
}

static void nothing_can_be_purged_or_counted(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_region_info info;
	uint64_t freed = 77;

	unpin(region, extent_new(region, 8, 4, 'a'));
	stop(region, 8);
	assert_int_equal(pashm_region_purge(region, &freed), -ETIMEDOUT);
	assert_int_equal(freed, 0);
	assert_int_equal(pashm_region_info(region, &info), -ETIMEDOUT);
	go_on(region, 8);
	assert_int_equal(purge(region), 4);
}

static void a_pin_is_none(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 8, 4, 'a');
	enum pashm_verdict verdict;

	unpin(region, handle);
	stop(region, 8);
	assert_int_equal(pashm_pin(region, handle, &verdict), -ETIMEDOUT);
	assert_int_equal(count_of(region, 8), 0);
	go_on(region, 8);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
}

static void extents_stay_as_they_are(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 8, 4, 'a'), made;

	stop(region, 8);
	assert_int_equal(pashm_extent_destroy(region, 8, 0), -ETIMEDOUT);
	assert_int_equal(pashm_extent_destroy(region, 8, PASHM_EXTENT_DISCARD),
			 -ETIMEDOUT);
	assert_int_equal(count_of(region, 8), 1);
	unpin(region, handle);
	assert_int_equal(pashm_extent_create(region, 8, 8, 3, &made),
			 -ETIMEDOUT);
	assert_int_equal(pashm_extent_create(region, 4, 8, 3, &made),
			 -ETIMEDOUT);
	assert_int_equal(count_of(region, 4) + count_of(region, 8), 0);
	go_on(region, 8);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_true(filled(region, 8, 4, 'a'));
	assert_int_equal(pashm_extent_destroy(region, 8, 0), 0);
}

static void a_pool_stays_as_it_is(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle freed, kept, made;
	enum pashm_verdict verdict;
	struct pashm_pool *pool;

	assert_int_equal(pashm_pool_create(region, &pool), 0);
	assert_int_equal(pashm_pool_alloc(pool, page_size(), 3, 0, &freed, NULL), 0);
	assert_int_equal(pashm_pool_alloc(pool, page_size(), 3, 0, &kept, NULL), 0);
	assert_int_equal(pashm_pool_unpin(pool, freed), 0);
	assert_int_equal(pashm_pool_unpin(pool, kept), 0);
	assert_int_equal(pashm_pool_free(pool, freed), 0);

	stop(region, kept.page);
	assert_int_equal(pashm_pool_pin(pool, kept, &verdict, NULL),
			 -ETIMEDOUT);
	assert_int_equal(pashm_pool_free(pool, kept), -ETIMEDOUT);
	go_on(region, kept.page);
	stop(region, freed.page);
	assert_int_equal(pashm_pool_alloc(pool, page_size(), 3, 0, &made, NULL),
			 -ETIMEDOUT);
	go_on(region, freed.page);

	assert_int_equal(pin(region, kept), PASHM_INTACT);
	unpin(region, kept);
	assert_int_equal(pashm_pool_alloc(pool, page_size(), 3, 0, &made, NULL), 0);
	assert_int_equal(made.page, freed.page);
	assert_int_equal(pashm_pool_free(pool, kept), 0);
	pashm_pool_destroy(pool);
}

static void a_cache_neither_finds_nor_loses(void **test)
{
	struct pashm_cache_params params = {
		.length = PAGES * page_size(), .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_cache_value value;
	struct pashm_cache_stats stats;
	struct pashm_region *region;
	struct pashm_cache *cache;
	char *page = calloc(1, page_size());

	(void)test;
	assert_non_null(page);
	page[0] = 'v';
	assert_int_equal(pashm_cache_create(&params, &cache), 0);
	region = pashm_cache_region(cache);
	assert_int_equal(pashm_cache_put(cache, "gone", 4, page, page_size()), 0);
	assert_int_equal(pashm_cache_put(cache, "k", 1, page, page_size()), 0);
	assert_int_equal(pashm_cache_remove(cache, "gone", 4), 0);

	stop(region, 1);
	assert_int_equal(pashm_cache_get(cache, "k", 1, &value), -ETIMEDOUT);
	go_on(region, 1);
	stop(region, 0);
	assert_int_equal(pashm_cache_put(cache, "l", 1, page, page_size()),
			 -ETIMEDOUT);
	assert_int_equal(pashm_cache_reserve(cache, "l", 1, page_size(), NULL, &value),
			 -ETIMEDOUT);
	go_on(region, 0);

	pashm_cache_stats(cache, &stats);
	assert_int_equal(stats.entries, 1);
	assert_int_equal(pashm_cache_get(cache, "k", 1, &value), 0);
	assert_memory_equal(value.data, "v", 1);
	pashm_cache_release(cache, &value);
	assert_int_equal(pashm_cache_put(cache, "l", 1, page, page_size()), 0);
	pashm_cache_destroy(cache);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(nobody_can_join),
		BOTH(nothing_can_be_purged_or_counted),
		BOTH(a_pin_is_none),
		BOTH(extents_stay_as_they_are),
		BOTH(a_pool_stays_as_it_is),
		cmocka_unit_test(a_cache_neither_finds_nor_loses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
