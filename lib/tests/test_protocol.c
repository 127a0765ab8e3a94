// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pure transitions of <linux/pashm_pin.h>. */
#include "common.h"

/* Words that differ in each field, and in bits that no field has */
static const uint64_t words[] = {
	0, 1, PASHM_STATE_LENGTH_MASK, PASHM_STATE_PRIORITY_MASK,
	PASHM_STATE_PURGING, PASHM_STATE_GEN_ONE, UINT64_MAX,
	0x0123456789abcdefULL, 0xfedcba9876543210ULL, 0x7fffffff80000001ULL,
	0xffffffff00000001ULL, 0xffffffff80ffffffULL, 0x0000000078000000ULL,
};
#define WORDS	(sizeof(words) / sizeof(words[0]))

static void fields_do_not_overlap(void **test)
{
	uint64_t generation = UINT32_MAX * PASHM_STATE_GEN_ONE;

	(void)test;
	assert_true((PASHM_STATE_LENGTH_MASK & PASHM_STATE_PRIORITY_MASK) == 0);
	assert_true((PASHM_STATE_PURGING & (PASHM_STATE_LENGTH_MASK |
					    PASHM_STATE_PRIORITY_MASK)) == 0);
	assert_true((generation & (PASHM_STATE_PURGING |
				   PASHM_STATE_LENGTH_MASK |
				   PASHM_STATE_PRIORITY_MASK)) == 0);
}

static void only_a_managed_idle_word_can_be_claimed(void **test)
{
	size_t i;

	(void)test;
	for (i = 0; i < WORDS; i++)
		assert_int_equal(pashm_state_claimable(words[i]),
				 pashm_state_length(words[i]) != 0 &&
				 !pashm_state_purging(words[i]));
}

static void a_claim_changes_purging_alone(void **test)
{
	size_t i;

	(void)test;
	for (i = 0; i < WORDS; i++) {
		uint64_t claimed = pashm_state_claimed(words[i]);

		assert_true(pashm_state_purging(claimed));
		assert_false(pashm_state_claimable(claimed));
		assert_true((claimed & ~PASHM_STATE_PURGING) ==
			    (words[i] & ~PASHM_STATE_PURGING));
	}
}

static void publishing_moves_the_generation_alone(void **test)
{
	size_t i;

	(void)test;
	for (i = 0; i < WORDS; i++) {
		uint64_t next = (words[i] + PASHM_STATE_GEN_ONE) &
				~PASHM_STATE_PURGING;

		assert_int_equal(pashm_state_generation(next),
				 (uint32_t)(pashm_state_generation(words[i]) +
					    1));
		assert_int_equal(pashm_state_length(next),
				 pashm_state_length(words[i]));
		assert_int_equal(pashm_state_priority(next),
				 pashm_state_priority(words[i]));
		assert_false(pashm_state_purging(next));
	}
}

static void reshaping_sets_every_field(void **test)
{
	uint32_t lengths[] = { 0, 1, 1000, PASHM_EXTENT_PAGES_MAX };
	uint32_t priority;
	size_t i, j;

	(void)test;
	for (i = 0; i < WORDS; i++) {
		for (j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
			for (priority = 0; priority <= PASHM_PRIORITY_MAX;
			     priority++) {
				uint64_t next = pashm_state_reshaped(words[i],
							lengths[j], priority);

				assert_int_equal(pashm_state_length(next),
						 lengths[j]);
				assert_int_equal(pashm_state_priority(next),
						 priority);
				assert_int_equal(pashm_state_generation(next),
					(uint32_t)(pashm_state_generation(
							words[i]) + 1));
				assert_false(pashm_state_purging(next));
			}
		}
	}
}

static enum pashm_verdict verdict(uint32_t generation, uint32_t known,
				  uint32_t birth)
{
	uint64_t state = (uint64_t)generation << PASHM_STATE_GEN_SHIFT | 1;

	return pashm_pin_verdict(state, known, birth);
}

/* Every triple of generations within a small distance, around a wrap, too */
static void a_verdict_depends_on_distances_only(void **test)
{
	static const uint32_t bases[] = { 0, 1, 5, 0x7fffffff, 0xfffffffd };
	uint32_t base, born, purges;
	size_t i;
	int known;

	(void)test;
	for (i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		base = bases[i];
		for (born = 0; born < 20; born++) {
			for (purges = 0; purges < 20; purges++) {
				uint32_t birth = base + born;
				uint32_t now = birth + purges;

				for (known = -20; known <= (int)purges;
				     known++) {
					enum pashm_verdict expect =
						known < 0 ? PASHM_STALE :
						known == (int)purges ?
						PASHM_INTACT : PASHM_PURGED;

					assert_int_equal(verdict(now,
						birth + (uint32_t)known,
						birth), expect);
				}
			}
		}
	}
}

static void nothing_is_known_of_a_word_without_extent(void **test)
{
	(void)test;
	assert_int_equal(pashm_pin_verdict(0, 0, 0), PASHM_STALE);
	assert_int_equal(pashm_pin_verdict(5 * PASHM_STATE_GEN_ONE, 5, 5),
			 PASHM_STALE);
}

static void counts_have_a_limit_at_both_ends(void **test)
{
	(void)test;
	assert_false(pashm_count_overflows(PASHM_COUNT_LIMIT - 1));
	assert_true(pashm_count_overflows(PASHM_COUNT_LIMIT));
	assert_true(pashm_count_overflows(0xffff));
	assert_true(pashm_count_underflows(0));
	assert_false(pashm_count_underflows(1));
	assert_false(pashm_count_underflows(PASHM_COUNT_LIMIT - 1));
	assert_true(pashm_count_underflows(0xffff));
}

/* As many pins as a freeze allows, frozen, can still end */
static void a_frozen_count_has_a_limit_at_both_ends_too(void **test)
{
	uint32_t most = PASHM_COUNT_LIMIT + PASHM_COUNT_LIMIT / 2;

	(void)test;
	assert_true(pashm_count_overflows(PASHM_COUNT_LIMIT + 1));
	assert_true(pashm_count_underflows(PASHM_COUNT_LIMIT));
	assert_false(pashm_count_underflows(PASHM_COUNT_LIMIT + 1));
	assert_false(pashm_count_underflows(most));
	assert_true(pashm_count_underflows(most + 1));
}

static void no_epoch_ends_in_zero(void **test)
{
	uint32_t epoch = 0, next, i;

	(void)test;
	for (i = 0; i < 100000; i++, epoch = next) {
		next = pashm_epoch_next(epoch);
		assert_true(next - epoch <= 2);
		assert_int_not_equal(next & 0xff, 0);
	}
	assert_int_not_equal(pashm_epoch_next(UINT32_MAX) & 0xff, 0);
}

static void a_count_does_not_touch_the_notes(void **test)
{
	uint32_t word = 0x0000a5c3;

	(void)test;
	word -= PASHM_PIN_COUNT_ONE;
	assert_int_equal(word & 0xffff, 0xa5c3);
	assert_int_equal(pashm_pin_count(word), 0xffff);
	word += PASHM_PIN_COUNT_ONE;
	assert_int_equal(word, 0xa5c3);
}

static void the_age_of_a_note_wraps_with_its_byte(void **test)
{
	uint32_t epoch, age;

	(void)test;
	for (epoch = 0xffffff00; epoch != 0x200; epoch++) {
		for (age = 0; age < 256; age++)
			assert_int_equal(pashm_note_age(epoch,
						(uint8_t)(epoch - age)), age);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_do_not_overlap),
		cmocka_unit_test(only_a_managed_idle_word_can_be_claimed),
		cmocka_unit_test(a_claim_changes_purging_alone),
		cmocka_unit_test(publishing_moves_the_generation_alone),
		cmocka_unit_test(reshaping_sets_every_field),
		cmocka_unit_test(a_verdict_depends_on_distances_only),
		cmocka_unit_test(nothing_is_known_of_a_word_without_extent),
		cmocka_unit_test(counts_have_a_limit_at_both_ends),
		cmocka_unit_test(a_frozen_count_has_a_limit_at_both_ends_too),
		cmocka_unit_test(no_epoch_ends_in_zero),
		cmocka_unit_test(a_count_does_not_touch_the_notes),
		cmocka_unit_test(the_age_of_a_note_wraps_with_its_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
