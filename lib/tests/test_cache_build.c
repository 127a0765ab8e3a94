// SPDX-License-Identifier: LGPL-2.1-or-later
/* Values that are built when they are missed, that expire, and a cache's limits. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include "common.h"
#include "cache_room.h"

static struct pashm_cache *cache_new(uint64_t maximum)
{
	struct pashm_cache_params params = {
		.length = PAGES * page_size(), .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD, .maximum = maximum,
	};
	struct pashm_cache *cache;

	assert_int_equal(pashm_cache_create(&params, &cache), 0);
	return cache;
}

static int setup(void **test)
{
	*test = cache_new(0);
	return 0;
}

static int teardown(void **test)
{
	pashm_cache_destroy(*test);
	return 0;
}

static struct pashm_cache_stats stats_of(struct pashm_cache *cache)
{
	struct pashm_cache_stats stats;

	pashm_cache_stats(cache, &stats);
	return stats;
}

/**
 * struct order - what a builder is to do
 * @calls:  how often it was called; atomic
 * @gate:   waits until it is 0; atomic
 * @answer: what to return
 * @empty:  without a value
 */
struct order {
	int calls;
	int gate;
	int answer;
	bool empty;
};

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int build(struct pashm_cache *cache, const void *key, size_t key_length,
		 struct pashm_cache_value *value, void *context)
{
	struct order *order = context;
	int ret;

	__atomic_fetch_add(&order->calls, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&order->gate, __ATOMIC_SEQ_CST))
		nap();
	if (order->answer || order->empty)
		return order->answer;
	ret = pashm_cache_reserve(cache, key, key_length, 100, NULL, value);
	if (!ret)
		memset(value->data, 'b', 100);
	return ret;
}

static int get_or_build(struct pashm_cache *cache, struct order *order,
			uint32_t flags, struct pashm_cache_value *value)
{
	return pashm_cache_get_or_build(cache, "k", 1, build, order, flags,
					value);
}

static void what_is_missed_is_built_once(void **test)
{
	struct pashm_cache_value value;
	struct order order = { 0 };
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(get_or_build(*test, &order, 0, &value), 0);
		assert_int_equal(value.length, 100);
		assert_memory_equal(value.data, "bbb", 3);
		assert_int_equal(pashm_cache_release(*test, &value), 0);
	}
	assert_int_equal(order.calls, 1);
	assert_int_equal(stats_of(*test).builds, 1);
	assert_int_equal(stats_of(*test).hits, 2);
	assert_int_equal(stats_of(*test).misses, 1);
	purge(pashm_cache_region(*test));
	assert_int_equal(get_or_build(*test, &order, 0, &value), 0);
	assert_int_equal(order.calls, 2);
	pashm_cache_release(*test, &value);
}

static void a_build_that_fails_is_told(void **test)
{
	struct pashm_cache_value value;
	struct order order = { .answer = -EIO };

	assert_int_equal(get_or_build(*test, &order, 0, &value), -EIO);
	order = (struct order){ .empty = true };
	assert_int_equal(get_or_build(*test, &order, 0, &value), -EINVAL);
	assert_int_equal(get_or_build(*test, &order, ~0U, &value), -EINVAL);
	assert_int_equal(pashm_cache_get_or_build(*test, "", 0, build, &order,
						  0, &value), -EINVAL);
	order = (struct order){ 0 };
	assert_int_equal(get_or_build(*test, &order, 0, &value), 0);
	assert_int_equal(order.calls, 1);
	pashm_cache_release(*test, &value);
}

struct party {
	struct pashm_cache *cache;
	struct order *order;
	int ret;
};

static void *member(void *argument)
{
	struct party *party = argument;
	struct pashm_cache_value value;

	party->ret = get_or_build(party->cache, party->order, 0, &value);
	if (!party->ret && memcmp(value.data, "bbb", 3))
		party->ret = 1;
	if (!party->ret)
		pashm_cache_release(party->cache, &value);
	return NULL;
}

static void the_others_wait_for_the_builder(void **test)
{
	struct order order = { .gate = 1 };
	struct pashm_cache_value value;
	struct party parties[4];
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++) {
		parties[i] = (struct party){ *test, &order, 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, member,
						&parties[i]), 0);
	}
	while (!__atomic_load_n(&order.calls, __ATOMIC_SEQ_CST))
		nap();
	/* Who does not want to wait need not */
	assert_int_equal(get_or_build(*test, &order, PASHM_CACHE_PASS, &value),
			 -EBUSY);
	/* Other keys are not concerned */
	assert_int_equal(pashm_cache_put(*test, "l", 1, "v", 1), 0);
	__atomic_store_n(&order.gate, 0, __ATOMIC_SEQ_CST);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(parties[i].ret, 0);
	}
	assert_int_equal(order.calls, 1);
}

/* Each of those that wait fails by itself: nobody is told another's error */
static void after_a_failure_the_next_one_builds(void **test)
{
	struct order order = { .gate = 1, .answer = -EIO };
	struct party parties[3];
	pthread_t threads[3];
	int i;

	for (i = 0; i < 3; i++) {
		parties[i] = (struct party){ *test, &order, 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, member,
						&parties[i]), 0);
	}
	__atomic_store_n(&order.gate, 0, __ATOMIC_SEQ_CST);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(parties[i].ret, -EIO);
	}
	assert_int_equal(order.calls, 3);
}

static int build_itself(struct pashm_cache *cache, const void *key,
			size_t key_length, struct pashm_cache_value *value,
			void *context)
{
	return pashm_cache_get_or_build(cache, key, key_length, build_itself,
					context, 0, value);
}

static void a_build_cannot_wait_for_itself(void **test)
{
	struct pashm_cache_value value;

	assert_int_equal(pashm_cache_get_or_build(*test, "k", 1, build_itself,
						  NULL, 0, &value), -EDEADLK);
}

static int put_for(struct pashm_cache *cache, const char *key,
		   const struct pashm_cache_options *options)
{
	struct pashm_cache_value value;
	int ret = pashm_cache_reserve(cache, key, 1, 4, options, &value);

	if (ret)
		return ret;
	memcpy(value.data, "text", 4);
	return pashm_cache_commit(cache, &value, 0);
}

static void values_expire(void **test)
{
	struct pashm_cache *cache = *test;
	struct pashm_cache_options options = { .expires_ms = 60000 };
	struct pashm_cache_value value;

	assert_int_equal(put_for(cache, "k", &options), 0);
	assert_int_equal(put_for(cache, "l", NULL), 0);
	assert_int_equal(pashm_cache_get(cache, "k", 1, &value), 0);
	/* As if a minute had passed, but not quite */
	cache->born -= 59000;
	pashm_cache_release(cache, &value);
	assert_int_equal(pashm_cache_get(cache, "k", 1, &value), 0);
	cache->born -= 2000;
	assert_memory_equal(value.data, "text", 4);
	pashm_cache_release(cache, &value);
	assert_int_equal(pashm_cache_get(cache, "k", 1, &value), -ENOENT);
	assert_int_equal(stats_of(cache).expired, 1);
	assert_int_equal(stats_of(cache).entries, 1);
	assert_int_equal(pashm_cache_get(cache, "l", 1, &value), 0);
	pashm_cache_release(cache, &value);
}

static void options_are_checked(void **test)
{
	struct pashm_cache_options options = { .flags = 2 };

	assert_int_equal(put_for(*test, "k", &options), -EINVAL);
	options = (struct pashm_cache_options){ .priority = 1 };
	assert_int_equal(put_for(*test, "k", &options), -EINVAL);
	options = (struct pashm_cache_options){
		.flags = PASHM_CACHE_PRIORITY, .priority = 8,
	};
	assert_int_equal(put_for(*test, "k", &options), -EINVAL);
	options = (struct pashm_cache_options){ .expires_ms = UINT64_MAX };
	assert_int_equal(put_for(*test, "k", &options), -EINVAL);
}

static void a_value_may_have_a_priority(void **test)
{
	struct pashm_cache_options low = { .flags = PASHM_CACHE_PRIORITY };
	struct pashm_cache_value value;

	assert_int_equal(put_for(*test, "h", NULL), 0);
	assert_int_equal(put_for(*test, "l", &low), 0);
	assert_int_equal(reclaim(pashm_cache_region(*test), 1), 1);
	assert_int_equal(pashm_cache_get(*test, "l", 1, &value), -ENOENT);
	assert_int_equal(pashm_cache_get(*test, "h", 1, &value), 0);
	pashm_cache_release(*test, &value);
}

static void a_maximum_is_kept(void **test)
{
	struct pashm_cache *cache = cache_new(1000);
	struct pashm_cache_value value;
	char key[8], data[100] = { 0 };
	int i;

	(void)test;
	for (i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(pashm_cache_put(cache, key, strlen(key), data,
						 sizeof(data)), 0);
		assert_true(stats_of(cache).bytes <= 1000);
		/* The first is used all the time, and stays */
		assert_int_equal(pashm_cache_get(cache, "0", 1, &value), 0);
		pashm_cache_release(cache, &value);
	}
	assert_int_equal(stats_of(cache).entries, 10);
	assert_int_equal(stats_of(cache).evicted, 40);
	pashm_cache_destroy(cache);
}

struct seen {
	struct pashm_cache *cache;
	unsigned int times[100];
	int stop;
};

static int see(const void *key, size_t key_length,
	       const struct pashm_cache_value *value, void *context)
{
	struct seen *seen = context;
	char text[8] = { 0 };
	int number;

	assert_in_range(key_length, 1, 2);
	memcpy(text, key, key_length);
	number = atoi(text);
	assert_int_equal(*(unsigned char *)value->data, number + 1);
	seen->times[number]++;
	/* Nothing is locked: what is shown may be removed */
	if (number % 2)
		assert_int_equal(pashm_cache_remove(seen->cache, key,
						    key_length), 0);
	return number == seen->stop ? -ECANCELED : 0;
}

static void all_entries_are_shown(void **test)
{
	struct seen seen = { .cache = *test, .stop = -1 };
	struct pashm_region *region = pashm_cache_region(*test);
	char key[8], data[5000];
	uint32_t notes;
	int i;

	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%d", i);
		memset(data, i + 1, sizeof(data));
		assert_int_equal(pashm_cache_put(*test, key, strlen(key), data,
						 i % 9 ? 300 : 5000), 0);
	}
	notes = region->view.pins[0] & 0xffff;
	__atomic_fetch_add(&memfd_region(region)->header->base.epoch, 1,
			   __ATOMIC_RELAXED);
	assert_int_equal(pashm_cache_each(*test, see, &seen), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(seen.times[i], 1);
	assert_int_equal(region->view.pins[0] & 0xffff, notes);
	assert_int_equal(stats_of(*test).entries, 50);
	assert_int_equal(pashm_cache_each(*test, see, &seen), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(seen.times[i], 2 - i % 2);
	seen.stop = 6;
	assert_int_equal(pashm_cache_each(*test, see, &seen), -ECANCELED);
	purge(region);
	memset(seen.times, 0, sizeof(seen.times));
	assert_int_equal(pashm_cache_each(*test, see, &seen), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(seen.times[i], 0);
}

/* A large value needs one slab of small ones, not one value of each slab */
static void large_values_make_room_among_small_ones(void **test)
{
	struct pashm_cache *cache = *test;
	struct pashm_cache_value value;
	struct pashm_cache_stats before;
	static char data[65536];
	uint64_t i, found = 0;

	for (i = 0; i < 4000; i++)
		assert_int_equal(pashm_cache_put(cache, &i, sizeof(i), data, 90),
				 0);
	before = stats_of(cache);
	assert_true(before.evicted > 0);
	assert_int_equal(pashm_cache_put(cache, "large", 5, data, page_size()),
			 0);
	assert_true(stats_of(cache).evicted <= before.evicted + 4);
	for (i = 0; i < 4000; i++) {
		if (pashm_cache_get(cache, &i, sizeof(i), &value))
			continue;
		found++;
		pashm_cache_release(cache, &value);
	}
	assert_true(found + 4 * page_size() / 96 >= before.entries);
	assert_int_equal(pashm_cache_get(cache, "large", 5, &value), 0);
	pashm_cache_release(cache, &value);
}

/* As many as there is room for, with what is told about them */
static void small_entries_are_small(void **test)
{
	struct pashm_cache *cache = *test;
	struct pashm_cache_stats stats;
	struct pashm_cache_value value;
	uint64_t before = stats_of(cache).heap, i, found = 0;

	for (i = 0; i < 3000; i++)
		assert_int_equal(pashm_cache_put(cache, &i, sizeof(i), &i,
						 sizeof(i)), 0);
	stats = stats_of(cache);
	assert_int_equal(stats.evicted, 0);
	assert_int_equal(stats.entries, 3000);
	/* 48 bytes and up to four buckets of 4, and arrays that are not full */
	assert_true(stats.heap - before <= 3000 * 2 * 64);
	for (i = 0; i < 3000; i++) {
		if (pashm_cache_get(cache, &i, sizeof(i), &value))
			continue;
		found += *(uint64_t *)value.data == i;
		pashm_cache_release(cache, &value);
	}
	assert_int_equal(found, 3000);
}

/* Their entries are used again: what a cache has on the heap does not grow */
static void purged_entries_do_not_pile_up(void **test)
{
	struct pashm_cache *cache = *test;
	uint64_t i, heap = 0;
	int round;

	for (round = 0, i = 0; round < 40; round++) {
		for (; i % 1000 || i == 1000 * (uint64_t)round; i++)
			assert_int_equal(pashm_cache_put(cache, &i, sizeof(i),
							 &i, sizeof(i)), 0);
		purge(pashm_cache_region(cache));
		if (round == 9)
			heap = stats_of(cache).heap;
	}
	assert_true(stats_of(cache).entries < 10000);
	assert_true(stats_of(cache).heap <= 2 * heap);
}

#define CACHE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE(what_is_missed_is_built_once),
		CACHE(a_build_that_fails_is_told),
		CACHE(the_others_wait_for_the_builder),
		CACHE(after_a_failure_the_next_one_builds),
		CACHE(a_build_cannot_wait_for_itself),
		CACHE(values_expire),
		CACHE(options_are_checked),
		CACHE(a_value_may_have_a_priority),
		cmocka_unit_test(a_maximum_is_kept),
		CACHE(all_entries_are_shown),
		CACHE(large_values_make_room_among_small_ones),
		CACHE(small_entries_are_small),
		CACHE(purged_entries_do_not_pile_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
