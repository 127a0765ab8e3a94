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

/* A value that does not share its page */
static int put_page(struct pashm_cache *cache, const char *key)
{
	char *data = calloc(1, page_size());
	int ret;

	assert_non_null(data);
	data[0] = 'v';
	ret = pashm_cache_put(cache, key, 1, data, page_size());
	free(data);
	return ret;
}

/* Only if no page was lost can a value be as long as the region */
static void all_pages_are_left(struct pashm_cache *cache)
{
	struct pashm_cache_value value;

	assert_int_equal(pashm_cache_reserve(cache, "all", 3,
					     PAGES * page_size(), NULL, &value), 0);
	pashm_cache_abort(cache, &value);
}

static void what_cannot_be_freed_yet_is_freed_later(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	struct pashm_cache_value value;

	assert_int_equal(put_page(*test, "k"), 0);
	/* A reader of the cache's region keeps the first page */
	__atomic_fetch_add(&region->view.pins[0], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
	assert_int_equal(pashm_cache_reserve(*test, "all", 3,
					     PAGES * page_size(), NULL, &value),
			 -ENOSPC);
	__atomic_fetch_sub(&region->view.pins[0], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
	all_pages_are_left(*test);
}

static void what_cannot_be_freed_does_not_leak(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);

	assert_int_equal(put_page(*test, "k"), 0);
	__atomic_fetch_add(&region->view.pins[0], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
}

/* A purge that is in flight until it has been waited for @waits times */
static int waits, wait_error;
/* Outlives a test that fails */
static struct backend_ops replaced;

static int slow_wait(struct pashm_region *region, uint32_t page)
{
	if (waits-- > 0)
		return wait_error;
	__atomic_fetch_and(&region->view.states[page], ~PASHM_STATE_PURGING,
			   __ATOMIC_RELEASE);
	return 0;
}

static void purge_begin(struct pashm_region *region, int error)
{
	replaced = *region->ops;
	replaced.wait = slow_wait;
	region->ops = &replaced;
	waits = 3;
	wait_error = error;
	region->view.states[0] |= PASHM_STATE_PURGING;
}

static void signals_do_not_lose_pages(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	const struct backend_ops *old = region->ops;

	assert_int_equal(put_page(*test, "k"), 0);
	purge_begin(region, -EINTR);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
	assert_int_equal(waits, -1);
	region->ops = old;
	all_pages_are_left(*test);
}

static void timeouts_do_not_lose_pages(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	const struct backend_ops *old = region->ops;

	assert_int_equal(put_page(*test, "k"), 0);
	purge_begin(region, -ETIMEDOUT);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
	assert_int_equal(waits, 2);
	waits = 0;
	all_pages_are_left(*test);
	region->ops = old;
}

static void a_get_that_cannot_wait_keeps_the_entry(void **test)
{
	static const int errors[] = { -EINTR, -ETIMEDOUT };
	struct pashm_region *region = pashm_cache_region(*test);
	const struct backend_ops *old = region->ops;
	struct pashm_cache_value value;
	int i;

	assert_int_equal(put_page(*test, "k"), 0);
	for (i = 0; i < 2; i++) {
		purge_begin(region, errors[i]);
		assert_int_equal(pashm_cache_get(*test, "k", 1, &value),
				 errors[i]);
		assert_int_equal(count_of(region, 0), 0);
		assert_int_equal(entries_of(*test), 1);
		waits = 0;
		assert_int_equal(pashm_cache_get(*test, "k", 1, &value), 0);
		assert_memory_equal(value.data, "v", 1);
		pashm_cache_release(*test, &value);
		region->ops = old;
	}
}

/* Each of them can be given back, and then there may be one again */
static void a_value_has_only_so_many_references(void **test)
{
	struct pashm_cache_value value, again;
	uint32_t i, references = 0;
	int ret;

	assert_int_equal(put_page(*test, "k"), 0);
	while (!(ret = pashm_cache_get(*test, "k", 1, &again))) {
		value = again;
		references++;
	}
	assert_int_equal(ret, -EAGAIN);
	assert_int_equal(references, PASHM_COUNT_LIMIT - 1);
	assert_int_equal(entries_of(*test), 1);
	for (i = 0; i < references; i++) {
		again = value;
		assert_int_equal(pashm_cache_release(*test, &again), 0);
	}
	assert_int_equal(pashm_cache_get(*test, "k", 1, &value), 0);
	pashm_cache_release(*test, &value);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), 0);
	all_pages_are_left(*test);
}

/* Neither way of storing a value does it, and nothing is lost by that */
static void storing_fails(struct pashm_cache *cache, size_t length, int error)
{
	struct pashm_cache_value value;
	void *data = calloc(1, length);

	assert_non_null(data);
	assert_int_equal(pashm_cache_put(cache, "new", 3, data, length), error);
	assert_int_equal(pashm_cache_reserve(cache, "new", 3, length, NULL, &value),
			 error);
	assert_int_equal(pashm_cache_get(cache, "new", 3, &value), -ENOENT);
	free(data);
}

/* Two free pages, each of which has been a value */
static void pages_free_two(struct pashm_cache *cache)
{
	assert_int_equal(put_page(cache, "k"), 0);
	assert_int_equal(put_page(cache, "l"), 0);
	assert_int_equal(pashm_cache_remove(cache, "k", 1), 0);
	assert_int_equal(pashm_cache_remove(cache, "l", 1), 0);
}

static struct pashm_handle handle_now(struct pashm_region *region,
				      uint32_t page)
{
	return (struct pashm_handle){
		.page = page, .generation = pashm_generation(region, page),
	};
}

static void free_pages_that_somebody_has_pinned_are_busy(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);

	pages_free_two(*test);
	assert_int_equal(pin(region, handle_now(region, 1)), PASHM_INTACT);
	storing_fails(*test, 2 * page_size(), -EBUSY);
	assert_int_equal(pashm_unpin(region, 1), 0);
	all_pages_are_left(*test);
}

static void free_pages_may_be_pinned_too_often(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	struct pashm_handle handle;
	uint32_t i;

	pages_free_two(*test);
	handle = handle_now(region, 0);
	for (i = 0; i < PASHM_COUNT_LIMIT - 1; i++)
		assert_int_equal(pin(region, handle), PASHM_INTACT);
	storing_fails(*test, page_size(), -EAGAIN);
	for (i = 0; i < PASHM_COUNT_LIMIT - 1; i++)
		unpin(region, handle);
	all_pages_are_left(*test);
}

static void an_extent_of_somebody_elses_is_not_cut(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);

	extent_new(region, 10, 20, 'a');
	storing_fails(*test, 15 * page_size(), -ERANGE);
	assert_true(filled(region, 10, 20, 'a'));
	assert_int_equal(pashm_extent_destroy(region, 10, 0), 0);
	all_pages_are_left(*test);
}

static void storing_may_be_interrupted(void **test)
{
	struct pashm_region *region = pashm_cache_region(*test);
	const struct backend_ops *old = region->ops;

	pages_free_two(*test);
	purge_begin(region, -EINTR);
	storing_fails(*test, 1, -EINTR);
	waits = 0;
	all_pages_are_left(*test);
	region->ops = old;
}

static int refusal;

static int reshape_refused(struct pashm_region *region,
			   struct backend_reshape *reshape)
{
	(void)region;
	(void)reshape;
	return refusal;
}

/* A value of more pages than an extent is made of without the backend */
static void what_the_backend_refuses_is_not_stored(void **test)
{
	static const int errors[] = {
		-EBUSY, -EAGAIN, -ERANGE, -ENOMEM, -EINTR, -EACCES, -ETIMEDOUT,
	};
	struct pashm_cache *cache = cache_new(5000 * page_size());
	struct pashm_region *region = pashm_cache_region(cache);
	const struct backend_ops *old = region->ops;
	size_t i;

	(void)test;
	replaced = *old;
	replaced.reshape = reshape_refused;
	region->ops = &replaced;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		refusal = errors[i];
		storing_fails(cache, 5000 * page_size(), errors[i]);
	}
	assert_int_equal(put_page(cache, "k"), 0);
	region->ops = old;
	pashm_cache_destroy(cache);
}

static void what_is_longer_than_an_extent_evicts_nobody(void **test)
{
	uint64_t limit = PASHM_EXTENT_PAGES_MAX * (uint64_t)page_size();
	struct pashm_cache *cache = cache_new(limit * 2);
	struct pashm_cache_value value;

	(void)test;
	assert_int_equal(put_page(cache, "k"), 0);
	assert_int_equal(pashm_cache_reserve(cache, "big", 3, limit + 1, NULL,
					     &value), -EFBIG);
	assert_int_equal(pashm_cache_put(cache, "big", 3, "never read",
					 limit + 1), -EFBIG);
	assert_int_equal(entries_of(cache), 1);
	pashm_cache_destroy(cache);
}

static void releasing_twice_is_an_error(void **test)
{
	struct pashm_cache_value value;

	assert_int_equal(put_page(*test, "k"), 0);
	assert_int_equal(pashm_cache_get(*test, "k", 1, &value), 0);
	assert_int_equal(pashm_cache_release(*test, &value), 0);
	assert_int_equal(pashm_cache_release(*test, &value), -EINVAL);
	assert_int_equal(pashm_cache_reserve(*test, "l", 1, 1, NULL, &value), 0);
	assert_int_equal(pashm_cache_commit(*test, &value, 0), 0);
	assert_int_equal(pashm_cache_commit(*test, &value, 1), -EINVAL);
	assert_int_equal(pashm_cache_abort(*test, &value), -EINVAL);
	assert_int_equal(entries_of(*test), 2);
}

static bool child_is_refused(struct pashm_cache *cache,
			     struct pashm_cache_value *held)
{
	struct pashm_cache_value value, written = *held, given_up = *held;

	return pashm_cache_get(cache, "k", 1, &value) == -EINVAL &&
	       put_page(cache, "k") == -EINVAL &&
	       pashm_cache_reserve(cache, "k", 1, 1, NULL, &value) == -EINVAL &&
	       pashm_cache_remove(cache, "k", 1) == -EINVAL &&
	       pashm_cache_release(cache, held) == -EINVAL &&
	       pashm_cache_commit(cache, &written, 1) == -EINVAL &&
	       pashm_cache_abort(cache, &given_up) == -EINVAL &&
	       entries_of(cache) == 0;
}

static void a_child_is_refused_whatever_locks_are_held(void **test)
{
	struct pashm_cache *cache = *test;
	struct pashm_cache_value value;
	unsigned int i;
	pid_t pid;

	assert_int_equal(put_page(cache, "k"), 0);
	assert_int_equal(put_page(cache, "l"), 0);
	assert_int_equal(pashm_cache_get(cache, "k", 1, &value), 0);
	/* As if other threads were at work */
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

	assert_int_equal(put_page(*test, "k"), 0);
	assert_int_equal(put_page(*test, "l"), 0);
	assert_int_equal(purge(region), 2);
	/* Taken, and being taken again: a pin would wait, under the lock */
	purge_begin(region, -ETIMEDOUT);
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
		CACHE(a_get_that_cannot_wait_keeps_the_entry),
		CACHE(a_value_has_only_so_many_references),
		CACHE(free_pages_that_somebody_has_pinned_are_busy),
		CACHE(free_pages_may_be_pinned_too_often),
		CACHE(an_extent_of_somebody_elses_is_not_cut),
		CACHE(storing_may_be_interrupted),
		cmocka_unit_test(what_the_backend_refuses_is_not_stored),
		CACHE(releasing_twice_is_an_error),
		CACHE(a_child_is_refused_whatever_locks_are_held),
		CACHE(a_purged_value_is_missed_without_a_pin),
		cmocka_unit_test(what_is_longer_than_an_extent_evicts_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
