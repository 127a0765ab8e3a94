// SPDX-License-Identifier: LGPL-2.1-or-later
/* The cache when calls fail, when it is used wrongly, and in a child. */
#include <stdio.h>
#include "common.h"
#include "cache_room.h"

static struct pashm_cache *cache_new(uint64_t length)
{
	struct pashm_cache_params params = {
		.length = length, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_cache *cache;

	assert_int_equal(pashm_cache_create(&params, &cache), 0);
	return cache;
}

static int setup(void **test)
{
	*test = cache_new(PAGES * page_size());
	return 0;
}

static int teardown(void **test)
{
	pashm_cache_destroy(*test);
	return 0;
}

static uint64_t entries_of(struct pashm_cache *cache)
{
	struct pashm_cache_stats stats;

	pashm_cache_stats(cache, &stats);
	return stats.entries;
}

/* Only if no page was lost can a value be as long as the region */
static void all_pages_are_left(struct pashm_cache *cache)
{
	struct pashm_cache_value value;

	assert_int_equal(pashm_cache_reserve(cache, "all", 3,
					     PAGES * page_size(), &value), 0);
	pashm_cache_abort(cache, &value);
}

static void what_cannot_be_freed_yet_is_freed_later(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	struct pashm_cache_value value;

	assert_int_equal(pashm_cache_put(*test, "k", 1, "v", 1), 0);
	/* A reader of the cache's region keeps the first page */
	__atomic_fetch_add(&region->view.pins[0], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
	assert_int_equal(pashm_cache_reserve(*test, "all", 3,
					     PAGES * page_size(), &value),
			 -ENOSPC);
	__atomic_fetch_sub(&region->view.pins[0], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
	all_pages_are_left(*test);
}

static void what_cannot_be_freed_does_not_leak(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);

	assert_int_equal(pashm_cache_put(*test, "k", 1, "v", 1), 0);
	__atomic_fetch_add(&region->view.pins[0], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
}

/* A purge that is in flight until it has been waited for @waits times */
static int waits, wait_error;

static int slow_wait(struct pashm_region *region, uint32_t page)
{
	if (waits-- > 0)
		return wait_error;
	__atomic_fetch_and(&region->view.states[page], ~PASHM_STATE_PURGING,
			   __ATOMIC_RELEASE);
	return 0;
}

static void purge_begin(struct pashm_region *region, struct backend_ops *ops,
			int error)
{
	*ops = *region->ops;
	ops->wait = slow_wait;
	region->ops = ops;
	waits = 3;
	wait_error = error;
	region->view.states[0] |= PASHM_STATE_PURGING;
}

static void signals_do_not_lose_pages(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	const struct backend_ops *old = region->ops;
	struct backend_ops ops;

	assert_int_equal(pashm_cache_put(*test, "k", 1, "v", 1), 0);
	purge_begin(region, &ops, -EINTR);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
	assert_int_equal(waits, -1);
	region->ops = old;
	all_pages_are_left(*test);
}

static void timeouts_do_not_lose_pages(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	const struct backend_ops *old = region->ops;
	struct backend_ops ops;

	assert_int_equal(pashm_cache_put(*test, "k", 1, "v", 1), 0);
	purge_begin(region, &ops, -ETIMEDOUT);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
	assert_int_equal(waits, 2);
	waits = 0;
	all_pages_are_left(*test);
	region->ops = old;
}

static void what_is_longer_than_an_extent_evicts_nobody(void **test)
{
	uint64_t limit = PASHM_EXTENT_PAGES_MAX * (uint64_t)page_size();
	struct pashm_cache *cache = cache_new(limit * 2);
	struct pashm_cache_value value;

	(void)test;
	assert_int_equal(pashm_cache_put(cache, "k", 1, "v", 1), 0);
	assert_int_equal(pashm_cache_reserve(cache, "big", 3, limit + 1,
					     &value), -EFBIG);
	assert_int_equal(entries_of(cache), 1);
	pashm_cache_destroy(cache);
}

static void releasing_twice_is_an_error(void **test)
{
	struct pashm_cache_value value;

	assert_int_equal(pashm_cache_put(*test, "k", 1, "v", 1), 0);
	assert_int_equal(pashm_cache_get(*test, "k", 1, &value), 0);
	assert_int_equal(pashm_cache_release(*test, &value), 0);
	assert_int_equal(pashm_cache_release(*test, &value), -EINVAL);
	assert_int_equal(pashm_cache_reserve(*test, "l", 1, 1, &value), 0);
	assert_int_equal(pashm_cache_commit(*test, &value, 0), 0);
	assert_int_equal(pashm_cache_commit(*test, &value, 1), -EINVAL);
	assert_int_equal(pashm_cache_abort(*test, &value), -EINVAL);
	assert_int_equal(entries_of(*test), 2);
}

static bool child_is_refused(struct pashm_cache *cache,
			     struct pashm_cache_value *held)
{
	struct pashm_cache_value value;

	return pashm_cache_get(cache, "k", 1, &value) == -EINVAL &&
	       pashm_cache_put(cache, "k", 1, "v", 1) == -EINVAL &&
	       pashm_cache_reserve(cache, "k", 1, 1, &value) == -EINVAL &&
	       pashm_cache_remove(cache, "k", 1) == -EINVAL &&
	       pashm_cache_release(cache, held) == -EINVAL &&
	       entries_of(cache) == 0;
}

static void a_child_is_refused_whatever_locks_are_held(void **test)
{
	struct pashm_cache *cache = *test;
	struct pashm_cache_value value;
	unsigned int i;
	pid_t pid;

	assert_int_equal(pashm_cache_put(cache, "k", 1, "v", 1), 0);
	assert_int_equal(pashm_cache_put(cache, "l", 1, "v", 1), 0);
	assert_int_equal(pashm_cache_get(cache, "k", 1, &value), 0);
	/* As if other threads were at work */
	pthread_mutex_lock(&cache->lock);
	for (i = 0; i < CACHE_SHARDS; i += 2)
		pthread_mutex_lock(&cache->shards[i].lock);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		if (!child_is_refused(cache, &value))
			_exit(1);
		pashm_cache_destroy(cache);
		_exit(0);
	}
	for (i = 0; i < CACHE_SHARDS; i += 2)
		pthread_mutex_unlock(&cache->shards[i].lock);
	pthread_mutex_unlock(&cache->lock);
	assert_int_equal(child_status(pid), 0);
	assert_memory_equal(value.data, "v", 1);
	pashm_cache_release(cache, &value);
	assert_int_equal(entries_of(cache), 2);
}

static void a_purged_value_is_missed_without_a_pin(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	const struct backend_ops *old = region->ops;
	struct pashm_cache_value value;
	struct backend_ops ops;

	assert_int_equal(pashm_cache_put(*test, "k", 1, "v", 1), 0);
	assert_int_equal(pashm_cache_put(*test, "l", 1, "v", 1), 0);
	assert_int_equal(purge(region), 2);
	/* Taken, and being taken again: a pin would wait, under the lock */
	purge_begin(region, &ops, -ETIMEDOUT);
	assert_int_equal(pashm_cache_get(*test, "k", 1, &value), -ENOENT);
	region->ops = old;
	region->view.states[0] &= ~PASHM_STATE_PURGING;
	assert_int_equal(entries_of(*test), 1);
}

#define CACHE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE(what_cannot_be_freed_yet_is_freed_later),
		CACHE(what_cannot_be_freed_does_not_leak),
		CACHE(signals_do_not_lose_pages),
		CACHE(timeouts_do_not_lose_pages),
		CACHE(releasing_twice_is_an_error),
		CACHE(a_child_is_refused_whatever_locks_are_held),
		CACHE(a_purged_value_is_missed_without_a_pin),
		cmocka_unit_test(what_is_longer_than_an_extent_evicts_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
