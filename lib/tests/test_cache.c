// SPDX-License-Identifier: LGPL-2.1-or-later
/* The key/value cache. */
#include <pthread.h>
#include <stdio.h>
#include "common.h"
#include "memfd.h"

static int setup(void **test)
{
	struct pashm_cache_params params = {
		.length = PAGES * page_size(), .name = "cache",
		.backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_cache *cache;

	assert_int_equal(pashm_cache_create(&params, &cache), 0);
	*test = cache;
	return 0;
}

static int teardown(void **test)
{
	pashm_cache_destroy(*test);
	return 0;
}

static int get(struct pashm_cache *cache, const char *key,
	       struct pashm_cache_value *value)
{
	return pashm_cache_get(cache, key, strlen(key), value);
}

static int put(struct pashm_cache *cache, const char *key, const char *text)
{
	return pashm_cache_put(cache, key, strlen(key), text, strlen(text) + 1);
}

/* The same, but it does not share its page */
static int put_page(struct pashm_cache *cache, const char *key,
		    const char *text)
{
	char *data = calloc(1, page_size());
	int ret;

	assert_non_null(data);
	strcpy(data, text);
	ret = pashm_cache_put(cache, key, strlen(key), data, page_size());
	free(data);
	return ret;
}

static void expect(struct pashm_cache *cache, const char *key, const char *text)
{
	struct pashm_cache_value value;

	assert_int_equal(get(cache, key, &value), 0);
	assert_true(value.length == strlen(text) + 1 ||
		    value.length == page_size());
	assert_string_equal(value.data, text);
	pashm_cache_release(cache, &value);
	assert_null(value.data);
}

static void expect_miss(struct pashm_cache *cache, const char *key)
{
	struct pashm_cache_value value;

	assert_int_equal(get(cache, key, &value), -ENOENT);
}

static struct pashm_cache_stats stats_of(struct pashm_cache *cache)
{
	struct pashm_cache_stats stats;

	pashm_cache_stats(cache, &stats);
	return stats;
}

static void bad_arguments_are_refused(void **test)
{
	struct pashm_cache_params params = { .length = 1, .flags = ~0U };
	struct pashm_cache_value value;
	struct pashm_cache *cache;

	assert_int_equal(pashm_cache_create(&params, &cache), -EINVAL);
	assert_int_equal(pashm_cache_get(*test, "", 0, &value), -EINVAL);
	assert_int_equal(pashm_cache_get(*test, "", PASHM_CACHE_KEY_MAX + 1,
					 &value), -EINVAL);
	assert_int_equal(pashm_cache_put(*test, "k", 0, "v", 1), -EINVAL);
	assert_int_equal(pashm_cache_put(*test, "k", 1, "v", 0), -EINVAL);
	assert_int_equal(pashm_cache_reserve(*test, "k", 0, 1, NULL, &value),
			 -EINVAL);
	assert_int_equal(pashm_cache_reserve(*test, "k", 1, 0, NULL, &value),
			 -EINVAL);
	assert_int_equal(pashm_cache_remove(*test, "k", 0), -EINVAL);
	assert_int_equal(pashm_cache_remove(*test, "k", 1), -ENOENT);
}

static void what_was_put_is_got(void **test)
{
	struct pashm_cache_stats stats;

	expect_miss(*test, "one");
	assert_int_equal(put(*test, "one", "first"), 0);
	assert_int_equal(put(*test, "two", "second"), 0);
	expect(*test, "one", "first");
	expect(*test, "two", "second");
	stats = stats_of(*test);
	assert_int_equal(stats.hits, 2);
	assert_int_equal(stats.misses, 1);
	assert_int_equal(stats.entries, 2);
	assert_int_equal(stats.bytes, strlen("first") + strlen("second") + 2);
}

static void a_purged_entry_is_a_miss_and_gone(void **test)
{
	assert_int_equal(put(*test, "one", "first"), 0);
	assert_int_equal(purge(pashm_cache_region(*test)), 1);
	expect_miss(*test, "one");
	assert_int_equal(stats_of(*test).purged, 1);
	assert_int_equal(stats_of(*test).entries, 0);
	assert_int_equal(put(*test, "one", "again"), 0);
	expect(*test, "one", "again");
}

static void a_value_in_use_survives_purge_put_and_remove(void **test)
{
	struct pashm_cache_value value, second;

	assert_int_equal(put_page(*test, "one", "first"), 0);
	assert_int_equal(get(*test, "one", &value), 0);
	assert_int_equal(purge(pashm_cache_region(*test)), 0);
	assert_int_equal(put_page(*test, "one", "newer"), 0);
	assert_string_equal(value.data, "first");
	assert_int_equal(get(*test, "one", &second), 0);
	assert_int_equal(pashm_cache_remove(*test, "one", 3), 0);
	assert_int_equal(purge(pashm_cache_region(*test)), 0);
	assert_string_equal(value.data, "first");
	assert_string_equal(second.data, "newer");
	pashm_cache_release(*test, &value);
	pashm_cache_release(*test, &second);
	expect_miss(*test, "one");
	assert_int_equal(purge(pashm_cache_region(*test)), 2);
}

static void a_reserved_value_is_seen_once_committed(void **test)
{
	struct pashm_cache_value value;

	assert_int_equal(pashm_cache_reserve(*test, "k", 1, 6, NULL, &value), 0);
	expect_miss(*test, "k");
	strcpy(value.data, "hello");
	assert_int_equal(purge(pashm_cache_region(*test)), 0);
	pashm_cache_commit(*test, &value, 1);
	expect(*test, "k", "hello");
	assert_int_equal(purge(pashm_cache_region(*test)), 0);
	assert_string_equal(value.data, "hello");
	pashm_cache_release(*test, &value);
	assert_int_equal(purge(pashm_cache_region(*test)), 1);
}

static void an_aborted_value_is_never_seen(void **test)
{
	struct pashm_cache_value value;

	assert_int_equal(put(*test, "k", "old"), 0);
	assert_int_equal(pashm_cache_reserve(*test, "k", 1, 6, NULL, &value), 0);
	pashm_cache_abort(*test, &value);
	expect(*test, "k", "old");
}

static void the_oldest_make_room(void **test)
{
	char key[16];
	int i;

	for (i = 0; i < 3 * (int)PAGES; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(put_page(*test, key, key), 0);
		expect(*test, key, key);
	}
	assert_int_equal(stats_of(*test).entries, PAGES);
	assert_int_equal(stats_of(*test).evicted, 2 * PAGES);
}

static void the_purged_make_room_before_the_living(void **test)
{
	char key[16];
	int i;

	for (i = 0; i < (int)PAGES; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(put_page(*test, key, key), 0);
	}
	assert_int_equal(purge(pashm_cache_region(*test)), PAGES);
	for (i = 0; i < (int)PAGES; i++) {
		snprintf(key, sizeof(key), "new %d", i);
		assert_int_equal(put_page(*test, key, key), 0);
	}
	assert_int_equal(stats_of(*test).evicted, 0);
	assert_int_equal(stats_of(*test).purged, PAGES);
	assert_int_equal(stats_of(*test).entries, PAGES);
}

static void what_can_never_fit_evicts_nobody(void **test)
{
	struct pashm_cache_value value;

	assert_int_equal(put(*test, "k", "v"), 0);
	assert_int_equal(pashm_cache_reserve(*test, "big", 3,
					     (PAGES + 1) * page_size(), NULL, &value),
			 -ENOSPC);
	assert_int_equal(pashm_cache_put(*test, "big", 3, "never read",
					 (PAGES + 1) * page_size()), -ENOSPC);
	expect(*test, "k", "v");
}

static void values_in_use_cannot_make_room(void **test)
{
	struct pashm_cache_value value, other;

	assert_int_equal(pashm_cache_reserve(*test, "all", 3,
					     PAGES * page_size(), NULL, &value), 0);
	pashm_cache_commit(*test, &value, 1);
	assert_int_equal(pashm_cache_reserve(*test, "more", 4, 1, NULL, &other),
			 -ENOSPC);
	pashm_cache_release(*test, &value);
	assert_int_equal(put(*test, "more", "x"), 0);
}

static void keys_may_be_long_and_contain_anything(void **test)
{
	unsigned char key[1000];
	struct pashm_cache_value value;
	size_t length;

	for (length = 0; length < sizeof(key); length++)
		key[length] = (unsigned char)(length * 7);
	for (length = 1; length < 30; length++)
		assert_int_equal(pashm_cache_put(*test, key, length, &length,
						 sizeof(length)), 0);
	assert_int_equal(pashm_cache_put(*test, key, sizeof(key), "long", 5),
			 0);
	for (length = 1; length < 30; length++) {
		assert_int_equal(pashm_cache_get(*test, key, length, &value),
				 0);
		assert_memory_equal(value.data, &length, sizeof(length));
		pashm_cache_release(*test, &value);
	}
	assert_int_equal(pashm_cache_get(*test, key, sizeof(key), &value), 0);
	assert_string_equal(value.data, "long");
	pashm_cache_release(*test, &value);
}

/* A value says which key it is of, all over; threads check every byte */
#define KEYS	48
#define STEPS	4000

static void value_fill(struct pashm_cache_value *value, unsigned int key)
{
	memset(value->data, (int)key + 1, value->length);
}

static bool value_ok(const struct pashm_cache_value *value, unsigned int key)
{
	const unsigned char *bytes = value->data;
	size_t i;

	for (i = 0; i < value->length; i++) {
		if (bytes[i] != key + 1)
			return false;
	}
	return true;
}

static void *load(void *argument)
{
	struct pashm_cache *cache = argument;
	struct pashm_cache_value value;
	unsigned int i, key, seed = (unsigned int)(uintptr_t)&value;
	int ret;

	for (i = 0; i < STEPS; i++) {
		seed = seed * 1103515245 + 12345;
		key = (seed >> 16) % KEYS;
		if (seed >> 27 == 0) {
			pashm_cache_remove(cache, &key, sizeof(key));
			continue;
		}
		ret = pashm_cache_get(cache, &key, sizeof(key), &value);
		if (ret == -ENOENT) {
			ret = pashm_cache_reserve(cache, &key, sizeof(key),
						  5000, NULL, &value);
			if (ret == -ENOSPC)
				continue;
			if (ret)
				return (void *)1;
			value_fill(&value, key);
			pashm_cache_commit(cache, &value, 1);
		} else if (ret) {
			return (void *)2;
		}
		if (!value_ok(&value, key))
			return (void *)3;
		pashm_cache_release(cache, &value);
	}
	return NULL;
}

static void threads_never_see_a_purged_byte(void **test)
{
	pthread_t threads[4];
	void *failed;
	int i;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load, *test),
				 0);
	for (i = 0; i < 200; i++) {
		if (i % 8 == 0)
			purge(pashm_cache_region(*test));
		else
			reclaim(pashm_cache_region(*test), 4);
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_ptr_equal(failed, NULL);
	}
	assert_int_equal(purge(pashm_cache_region(*test)) > PAGES, 0);
}

/* More than a shard's first buckets are made for */
#define MANY	5000U

static void any_number_of_keys_is_found(void **test)
{
	struct pashm_cache_params params = {
		.length = MANY * page_size(), .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD | PASHM_REGION_SOLE,
	};
	struct pashm_cache *cache;
	char key[16];
	uint32_t i;

	(void)test;
	assert_int_equal(pashm_cache_create(&params, &cache), 0);
	for (i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(cache, key, key), 0);
	}
	for (i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "%u", i);
		expect(cache, key, key);
	}
	assert_int_equal(stats_of(cache).entries, MANY);
	assert_int_equal(stats_of(cache).evicted, 0);
	for (i = 0; i < MANY; i += 2) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(pashm_cache_remove(cache, key, strlen(key)),
				 0);
		expect_miss(cache, key);
	}
	pashm_cache_destroy(cache);
}

static void defaults_are_enough(void **test)
{
	struct pashm_cache *cache;

	(void)test;
	setenv("PASHM_BACKEND", "memfd", 1);
	assert_int_equal(pashm_cache_create(NULL, &cache), 0);
	assert_int_equal(put(cache, "k", "v"), 0);
	expect(cache, "k", "v");
	pashm_cache_destroy(cache);
	unsetenv("PASHM_BACKEND");
}

static void nobody_imports_the_region(void **test)
{
	struct pashm_region *region;
	int fd = pashm_region_fd(pashm_cache_region(*test));

	assert_int_equal(pashm_region_import(fd, &region), -EPERM);
}

#define CACHE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

static uint32_t *pin_word(struct pashm_cache *cache, const char *key)
{
	struct pashm_region *region = pashm_cache_region(cache);
	struct pashm_cache_value value;
	uint32_t page;

	assert_int_equal(get(cache, key, &value), 0);
	page = (uint32_t)(((char *)value.data -
			   (char *)pashm_address(region, 0)) / page_size());
	pashm_cache_release(cache, &value);
	return &region->view.pins[page];
}

static void a_value_that_is_put_again_is_known(void **test)
{
	struct pashm_cache *cache = *test;
	struct pashm_region *region = pashm_cache_region(cache);
	struct memfd_region *m = memfd_region(region);
	uint32_t *word;
	int i;

	assert_int_equal(put_page(cache, "often", "text"), 0);
	for (i = 0; i < 2; i++) {
		__atomic_fetch_add(&m->header->base.epoch, 1, __ATOMIC_RELAXED);
		expect(cache, "often", "text");
	}
	assert_int_equal(pashm_pin_frequency(*pin_word(cache, "often")), 3);
	assert_int_equal(pashm_region_purge(region, NULL), 0);
	expect_miss(cache, "often");
	__atomic_fetch_add(&m->header->base.epoch, 1, __ATOMIC_RELAXED);
	assert_int_equal(put_page(cache, "new", "text"), 0);
	assert_int_equal(put_page(cache, "often", "text"), 0);
	word = pin_word(cache, "often");
	assert_int_equal(pashm_pin_frequency(*word), 4);
	assert_int_equal(pashm_pin_recency(*word),
			 (uint8_t)m->header->base.epoch);
	assert_int_equal(pashm_pin_frequency(*pin_word(cache, "new")), 1);
}

static void a_value_that_is_replaced_or_given_up_is_known(void **test)
{
	struct pashm_cache *cache = *test;
	struct pashm_region *region = pashm_cache_region(cache);
	struct memfd_region *m = memfd_region(region);
	struct pashm_cache_value value;
	int i;

	assert_int_equal(put(cache, "often", "text"), 0);
	for (i = 0; i < 2; i++) {
		__atomic_fetch_add(&m->header->base.epoch, 1, __ATOMIC_RELAXED);
		expect(cache, "often", "text");
	}
	assert_int_equal(put(cache, "often", "another"), 0);
	assert_int_equal(pashm_pin_frequency(*pin_word(cache, "often")), 3);
	assert_int_equal(pashm_region_purge(region, NULL), 0);
	expect_miss(cache, "often");
	assert_int_equal(pashm_cache_reserve(cache, "often", 5, 10, NULL, &value), 0);
	assert_int_equal(pashm_cache_abort(cache, &value), 0);
	assert_int_equal(put(cache, "often", "text"), 0);
	/* The purge has made the clock tick */
	assert_int_equal(pashm_pin_frequency(*pin_word(cache, "often")), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE(bad_arguments_are_refused),
		CACHE(what_was_put_is_got),
		CACHE(a_purged_entry_is_a_miss_and_gone),
		CACHE(a_value_in_use_survives_purge_put_and_remove),
		CACHE(a_reserved_value_is_seen_once_committed),
		CACHE(an_aborted_value_is_never_seen),
		CACHE(the_oldest_make_room),
		CACHE(the_purged_make_room_before_the_living),
		CACHE(what_can_never_fit_evicts_nobody),
		CACHE(values_in_use_cannot_make_room),
		CACHE(keys_may_be_long_and_contain_anything),
		CACHE(threads_never_see_a_purged_byte),
		CACHE(nobody_imports_the_region),
		CACHE(a_value_that_is_put_again_is_known),
		CACHE(a_value_that_is_replaced_or_given_up_is_known),
		cmocka_unit_test(any_number_of_keys_is_found),
		cmocka_unit_test(defaults_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
