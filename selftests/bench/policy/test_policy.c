// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policies on sequences that are short enough to be worked out by hand,
 * with a cache of three objects unless it says otherwise.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <linux/pashm_pin.h>

#include "pashm.h"

/* Replays a word, each letter an object: what was there is in upper case */
static void expect(const struct policy *policy, uint32_t capacity,
		   const char *expected)
{
	size_t length = strlen(expected), at;
	struct trace *trace = trace_new("word", length, 26);
	char found[64] = "";
	void *cache;

	for (at = 0; at < length; at++)
		trace->key[at] = (uint32_t)((expected[at] | 0x20) - 'a');
	cache = policy->create(policy, trace, capacity);
	for (at = 0; at < length; at++)
		found[at] = policy->use(cache, at) ? expected[at] & ~0x20 :
						     expected[at] | 0x20;
	policy->destroy(cache);
	trace_free(trace);
	assert_string_equal(found, expected);
}

static void lru_takes_the_least_recently_used(void **state)
{
	(void)state;
	/* d takes b, as a was used since */
	expect(&policy_lru, 3, "abcAdAbc");
}

static void fifo_does_not_care_for_uses(void **state)
{
	(void)state;
	expect(&policy_fifo, 3, "abcAdaCb");
}

static void clock_queues_used_ones_again(void **state)
{
	(void)state;
	/* d: a was used, goes behind c; b goes. e: c goes. f: a goes */
	expect(&policy_clock, 3, "abcAdAeADfA");
}

static void sieve_leaves_used_ones_in_place(void **state)
{
	(void)state;
	/* d: a was used, b goes, the hand is at c. e: c goes, f: d goes */
	expect(&policy_sieve, 3, "abcAdefAEd");
}

static void s3fifo_keeps_what_is_used_in_the_main_queue(void **state)
{
	(void)state;
	/* a was used twice after the first: goes up, the scan passes it */
	expect(&policy_s3fifo, 3, "abcAAdefgA");
}

static void s3fifo_takes_a_ghost_into_the_main_queue(void **state)
{
	(void)state;
	/* a comes back as a ghost, and outlives the scan */
	expect(&policy_s3fifo, 3, "abcdaefgA");
}

static void arc_keeps_those_used_twice_from_a_scan(void **state)
{
	(void)state;
	expect(&policy_arc, 3, "aAbcdefA");
}

static void opt_looks_ahead(void **state)
{
	(void)state;
	/* d and e are never used again, so they do not stay */
	expect(&policy_opt, 3, "abcdABeCA");
}

static void a_loop_defeats_lru_but_not_opt(void **state)
{
	(void)state;
	expect(&policy_lru, 3, "abcdabcdabcd");
	expect(&policy_opt, 3, "abcdABCdABCd");
}

static void large_objects_take_several_small_ones(void **state)
{
	struct trace *trace = trace_new("sizes", 5, 3);
	static const uint32_t keys[] = { 0, 1, 2, 1, 0 };
	size_t at;
	void *cache;

	(void)state;
	memcpy(trace->key, keys, sizeof(keys));
	trace->pages[2] = 3;
	cache = policy_lru.create(&policy_lru, trace, 3);
	for (at = 0; at < 5; at++)
		assert_false(policy_lru.use(cache, at));
	policy_lru.destroy(cache);
	trace_free(trace);
}

/* Every policy: everything that fits stays, and nothing is there at first */
static void what_fits_stays(void **state)
{
	static const struct policy *const all[] = {
		&policy_lru, &policy_fifo, &policy_clock, &policy_sieve,
		&policy_arc, &policy_opt, &policy_home, &policy_blind,
		&policy_cache
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		expect(all[i], 4, "abcdABCDDCBA");
}

static unsigned int pass(struct pashm_steer *steer, unsigned int frequency,
			 unsigned int age, unsigned int priority,
			 unsigned long pages)
{
	struct pashm_use use = { frequency, age, priority };
	unsigned int score = pashm_steer_score(steer, &use);

	pashm_steer_pass(steer, score, pages);
	return score;
}

static void spans_lengthen_where_more_comes_back(void **state)
{
	struct pashm_use use = { .frequency = 0 };
	struct pashm_steer steer;
	unsigned int lap, age;
	int before;

	(void)state;
	pashm_steer_init(&steer);
	before = steer.life[0] - steer.life[1];
	for (lap = 0; lap < 40; lap++) {
		for (age = 0; age < 16; age++)
			pass(&steer, age & 1, age, PASHM_PRIORITY_DEFAULT, 10);
		pashm_steer_lap(&steer);
		pashm_steer_taken(&steer, 0, 10);
		pashm_steer_taken(&steer, 1, 10);
		use.age = steer.cutoff[0];
		pashm_steer_back(&steer, &use, 8);
	}
	assert_true(steer.life[0] - steer.life[1] > before + 64);
	assert_true(steer.cutoff[0] > steer.cutoff[1]);
}

/* Sums of pages in large regions must not wrap where spans are steered */
static void spans_do_not_depend_on_the_unit(void **state)
{
	static const unsigned int units[] = { 1, 1U << 10, 1U << 20 };
	int life[3][PASHM_STEER_CLASSES];
	struct pashm_use use = { .frequency = 2 };
	struct pashm_steer steer;
	unsigned int i, class;

	(void)state;
	for (i = 0; i < 3; i++) {
		pashm_steer_init(&steer);
		pashm_steer_lap(&steer);
		pashm_steer_pass(&steer, 0, 3000UL * units[i]);
		for (class = 0; class < PASHM_STEER_CLASSES; class++)
			pashm_steer_taken(&steer, class, 1000UL * units[i]);
		use.age = 1;
		pashm_steer_back(&steer, &use, 500UL * units[i]);
		pashm_steer_lap(&steer);
		assert_int_equal(steer.pages, 3000UL * units[i]);
		memcpy(life[i], steer.life, sizeof(steer.life));
	}
	assert_memory_equal(life[0], life[1], sizeof(life[0]));
	assert_memory_equal(life[0], life[2], sizeof(life[0]));
}

static void the_threshold_is_what_a_share_of_pages_reaches(void **state)
{
	struct pashm_steer steer;
	unsigned int age, most = 0;

	(void)state;
	pashm_steer_init(&steer);
	for (age = 0; age < 160; age++)
		most = pass(&steer, 0, age, PASHM_PRIORITY_DEFAULT, 1);
	pashm_steer_lap(&steer);
	assert_in_range(steer.threshold, 1, most);
	assert_true(pass(&steer, 0, 150, PASHM_PRIORITY_DEFAULT, 1) >=
		    steer.threshold);
	assert_true(pass(&steer, 0, 110, PASHM_PRIORITY_DEFAULT, 1) <
		    steer.threshold);
	assert_true(pass(&steer, 0, 0, PASHM_PRIORITY_DEFAULT, 1) <
		    steer.threshold);
}

static void a_wrapping_age_goes_in_any_case(void **state)
{
	struct pashm_steer steer;

	(void)state;
	pashm_steer_init(&steer);
	pass(&steer, 0, 100, PASHM_PRIORITY_DEFAULT, 1000);
	pashm_steer_lap(&steer);
	assert_true(pass(&steer, PASHM_STEER_CLASSES - 1, 240,
			 PASHM_PRIORITY_DEFAULT, 1) >= steer.threshold);
}

/* Before any clock has ticked, too: all ages are 0 then */
static void a_lower_priority_goes_first(void **state)
{
	struct pashm_steer steer;
	unsigned int priority;

	(void)state;
	pashm_steer_init(&steer);
	for (priority = 0; priority < PASHM_PRIORITY_MAX; priority++)
		assert_true(pass(&steer, 1, 0, priority, 1) >
			    pass(&steer, 1, 0, priority + 1, 1));
	/* However old the other one is */
	assert_true(pass(&steer, 5, 0, 2, 1) > pass(&steer, 0, 255, 3, 1));
}

static void if_nothing_was_passed_all_goes(void **state)
{
	struct pashm_steer steer, before;

	(void)state;
	pashm_steer_init(&steer);
	pass(&steer, 1, 10, PASHM_PRIORITY_DEFAULT, 1);
	pashm_steer_lap(&steer);
	before = steer;
	assert_int_not_equal(before.threshold, 0);
	pashm_steer_lap(&steer);
	assert_int_equal(steer.threshold, 0);
	/* And nothing was learned of that */
	assert_memory_equal(steer.life, before.life, sizeof(steer.life));
	assert_memory_equal(steer.cutoff, before.cutoff, sizeof(steer.cutoff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lru_takes_the_least_recently_used),
		cmocka_unit_test(fifo_does_not_care_for_uses),
		cmocka_unit_test(clock_queues_used_ones_again),
		cmocka_unit_test(sieve_leaves_used_ones_in_place),
		cmocka_unit_test(s3fifo_keeps_what_is_used_in_the_main_queue),
		cmocka_unit_test(s3fifo_takes_a_ghost_into_the_main_queue),
		cmocka_unit_test(arc_keeps_those_used_twice_from_a_scan),
		cmocka_unit_test(opt_looks_ahead),
		cmocka_unit_test(a_loop_defeats_lru_but_not_opt),
		cmocka_unit_test(large_objects_take_several_small_ones),
		cmocka_unit_test(what_fits_stays),
		cmocka_unit_test(spans_lengthen_where_more_comes_back),
		cmocka_unit_test(the_threshold_is_what_a_share_of_pages_reaches),
		cmocka_unit_test(spans_do_not_depend_on_the_unit),
		cmocka_unit_test(a_wrapping_age_goes_in_any_case),
		cmocka_unit_test(a_lower_priority_goes_first),
		cmocka_unit_test(if_nothing_was_passed_all_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
