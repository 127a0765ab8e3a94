// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a cache remembers of values that are gone. */
#include "common.h"
#include "cache_known.h"

#define NOTES(frequency, recency)	((frequency) << 8 | (recency))

/* Spread like a good hash; the shard's bits do not matter here */
static uint64_t hash_of(uint64_t number)
{
	return (number + 1) * 0x9e3779b97f4a7c15;
}

static void what_is_kept_is_taken_once(void **test)
{
	struct cache_known known = { 0 };

	(void)test;
	assert_int_equal(pashm_cache_known_take(&known, hash_of(1)), 0);
	pashm_cache_known_keep(&known, hash_of(1), NOTES(3, 7), 9, 1);
	assert_int_equal(pashm_cache_known_take(&known, hash_of(2)), 0);
	assert_int_equal(pashm_cache_known_take(&known, hash_of(1)),
			 NOTES(3, 7));
	assert_int_equal(pashm_cache_known_take(&known, hash_of(1)), 0);
	pashm_cache_known_free(&known);
}

/* Pins are not remembered, nor what was never unpinned */
static void only_notes_are_kept(void **test)
{
	struct cache_known known = { 0 };

	(void)test;
	pashm_cache_known_keep(&known, hash_of(1), 0xffff0203, 9, 1);
	assert_int_equal(pashm_cache_known_take(&known, hash_of(1)), 0x0203);
	pashm_cache_known_keep(&known, hash_of(1), NOTES(3, 0), 9, 1);
	assert_int_equal(pashm_cache_known_take(&known, hash_of(1)), 0);
	pashm_cache_known_free(&known);
}

/* Through all the growing; a few lose their place to others */
static void most_of_many_are_known(void **test)
{
	struct cache_known known = { 0 };
	uint64_t i, found = 0, wrong = 0;
	uint32_t notes;

	(void)test;
	for (i = 0; i < 10000; i++)
		pashm_cache_known_keep(&known, hash_of(i),
				       NOTES(1 + (uint32_t)i % 5, 100), 101, i);
	for (i = 0; i < 10000; i++) {
		notes = pashm_cache_known_take(&known, hash_of(i));
		found += notes == NOTES(1 + i % 5, 100);
		wrong += notes && notes != NOTES(1 + i % 5, 100);
	}
	assert_in_range(found, 9000, 10000);
	assert_in_range(wrong, 0, 10);
	/* All have been taken; what others know must not be said of new ones */
	for (i = 10000; i < 20000; i++)
		wrong += pashm_cache_known_take(&known, hash_of(i)) != 0;
	assert_in_range(wrong, 0, 10);
	pashm_cache_known_free(&known);
}

static void what_is_too_old_is_forgotten(void **test)
{
	struct cache_known known = { 0 };
	uint64_t i, found = 0;

	(void)test;
	for (i = 0; i < 1000; i++)
		pashm_cache_known_keep(&known, hash_of(i), NOTES(3, 10), 10,
				       1000);
	/* 210 epochs later, four slots are looked at with each that goes */
	for (i = 1000; i < 1000 + (known.mask + 1) / 4; i++)
		pashm_cache_known_keep(&known, hash_of(i), NOTES(1, 220), 220,
				       1000);
	for (i = 0; i < 1000; i++)
		found += pashm_cache_known_take(&known, hash_of(i)) ==
			 NOTES(3, 10);
	assert_int_equal(found, 0);
	pashm_cache_known_free(&known);
}

static void room_follows_the_number_of_entries(void **test)
{
	struct cache_known known = { 0 };
	uint64_t i, size;
	uint32_t notes;

	(void)test;
	for (i = 0; i < 100; i++)
		pashm_cache_known_keep(&known, hash_of(i), NOTES(3, 10), 10,
				       4000);
	size = known.mask + 1;
	assert_in_range(size, 4 * 4000, 8 * 4000);
	pashm_cache_known_keep(&known, hash_of(100), NOTES(3, 10), 10, 100);
	assert_in_range(known.mask + 1, 4 * 100, 32 * 4000);
	for (i = 0; i < 20; i++)
		pashm_cache_known_keep(&known, hash_of(100), NOTES(3, 10), 10,
				       100);
	assert_in_range(known.mask + 1, 4 * 100, 32 * 100);
	/* And what fits is still there */
	for (i = 0, size = 0; i <= 100; i++) {
		notes = pashm_cache_known_take(&known, hash_of(i));
		size += notes == NOTES(3, 10);
	}
	assert_in_range(size, 90, 101);
	pashm_cache_known_free(&known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_taken_once),
		cmocka_unit_test(only_notes_are_kept),
		cmocka_unit_test(most_of_many_are_known),
		cmocka_unit_test(what_is_too_old_is_forgotten),
		cmocka_unit_test(room_follows_the_number_of_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
