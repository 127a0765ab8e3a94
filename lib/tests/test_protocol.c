// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The pure transitions of <linux/pashm_pin.h>, exhaustively where they depend
 * on few bits. What is expected is worked out in another way than the header
 * does it: by counting up, from lists, in wider numbers.
 */
#include "common.h"

#define LENGTH(sizes)	(sizeof(sizes) / sizeof((sizes)[0]))

/* What programs and modules of different ages have to agree on */
_Static_assert(PASHM_COUNT_LIMIT == 0x8000, "a count's limit");
_Static_assert(PASHM_EXTENT_PAGES_MAX == 0xffffff, "an extent's pages");
_Static_assert(PASHM_PRIORITY_MAX == 7, "priorities");
_Static_assert(sizeof(struct pashm_header) == 56, "the header");
_Static_assert(offsetof(struct pashm_header, epoch) == 24, "the epoch");
_Static_assert(offsetof(struct pashm_header, purges) == 40, "the purges");

static const uint32_t generations[] = {
	0, 1, 2, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001,
	0xfffffffe, 0xffffffff, 0x01234567, 0xfedcba98,
};

/* The fields of a word, from their places as the header draws them */
struct fields {
	uint32_t generation;
	uint32_t purging;
	uint32_t zero;
	uint32_t priority;
	uint32_t length;
};

static struct fields fields_of(uint64_t word)
{
	return (struct fields){
		.generation = (uint32_t)(word / 0x100000000ULL),
		.purging = (uint32_t)(word / 0x80000000ULL % 2),
		.zero = (uint32_t)(word / 0x08000000ULL % 16),
		.priority = (uint32_t)(word / 0x01000000ULL % 8),
		.length = (uint32_t)(word % 0x01000000ULL),
	};
}

static void word_is(uint64_t word, struct fields want, const char *after,
		    uint64_t before)
{
	struct fields got = fields_of(word);

	if (memcmp(&got, &want, sizeof(got)))
		fail_msg("%s: %#llx became %#llx", after,
			 (unsigned long long)before, (unsigned long long)word);
}

/* Every transition of one word, each field by itself */
static void word_behaves(uint64_t word)
{
	static const uint32_t lengths[] = {
		0, 1, 0x800000, PASHM_EXTENT_PAGES_MAX, 0x01000000, UINT32_MAX,
	};
	struct fields now = fields_of(word), want = now;
	uint32_t priority;
	size_t i;

	if (pashm_state_generation(word) != now.generation ||
	    pashm_state_length(word) != now.length ||
	    pashm_state_priority(word) != now.priority ||
	    !pashm_state_purging(word) != !now.purging ||
	    !pashm_state_claimable(word) != (!now.length || now.purging))
		fail_msg("%#llx is taken for something else",
			 (unsigned long long)word);

	want.purging = 1;
	word_is(pashm_state_claimed(word), want, "claim", word);
	want.purging = 0;
	word_is(pashm_state_claimed(word) & ~PASHM_STATE_PURGING, want,
		"revert", word);
	/* Publication: whatever is in the word, two unconditional changes */
	want = now;
	want.generation++;
	word_is(word + PASHM_STATE_GEN_ONE, want, "bump", word);
	want.purging = 0;
	word_is((word + PASHM_STATE_GEN_ONE) & ~PASHM_STATE_PURGING, want,
		"publish", word);

	want.zero = 0;
	for (i = 0; i < LENGTH(lengths); i++) {
		for (priority = 0; priority <= 2 * PASHM_PRIORITY_MAX + 1;
		     priority++) {
			want.length = lengths[i] & PASHM_EXTENT_PAGES_MAX;
			want.priority = priority & PASHM_PRIORITY_MAX;
			word_is(pashm_state_reshaped(word, lengths[i],
						     priority),
				want, "reshape", word);
		}
	}
}

/* What userspace may have left there: one bit, two, all but those */
static void a_hostile_word_changes_as_any_other(void **test)
{
	int i, j;

	(void)test;
	word_behaves(0);
	for (i = 0; i < 64; i++) {
		for (j = 0; j <= i; j++) {
			uint64_t bits = 1ULL << i | 1ULL << j;

			word_behaves(bits);
			word_behaves(~bits);
			/* All below, and all from there on */
			word_behaves(bits - 1);
			word_behaves(-bits);
		}
	}
}

/* All that bits 31 to 16 can be, below a generation that wraps */
static void no_field_carries_into_another(void **test)
{
	static const uint32_t low[] = { 0, 0xffff };
	uint32_t high;
	size_t i;

	(void)test;
	for (i = 0; i < LENGTH(low); i++) {
		for (high = 0; high <= 0xffff; high++) {
			word_behaves((uint64_t)high << 16 | low[i]);
			word_behaves(0xffffffff00000000 | high << 16 | low[i]);
		}
	}
}

static void a_claimed_or_published_word_is_what_it_should(void **test)
{
	uint64_t idle = 5 * PASHM_STATE_GEN_ONE | 3;
	uint64_t claimed = pashm_state_claimed(idle);

	(void)test;
	assert_true(pashm_state_claimable(idle));
	assert_false(pashm_state_claimable(claimed));
	assert_true(pashm_state_claimed(claimed) == claimed);
	/* A reshape ends a claim, and does not care whether there was one */
	assert_true(pashm_state_reshaped(claimed, 4, 2) ==
		    pashm_state_reshaped(idle, 4, 2));
	assert_true(pashm_state_claimable(pashm_state_reshaped(claimed, 4, 2)));
	assert_false(pashm_state_claimable(pashm_state_reshaped(idle, 0, 2)));
	/* ... and no purge can begin from a word that was read before it */
	assert_true(pashm_state_reshaped(idle, 3, 0) != idle);
}

static enum pashm_verdict verdict(uint32_t generation, uint32_t known,
				  uint32_t birth)
{
	uint64_t state = (uint64_t)generation << PASHM_STATE_GEN_SHIFT | 1;

	return pashm_pin_verdict(state, known, birth);
}

/*
 * A counter of 8 bits instead of 32, in the top of the words, so that it wraps
 * as they do: the whole of it, by walking from the birth to the present.
 */
static void a_verdict_is_right_in_a_small_world(void **test)
{
	uint32_t birth, age, known, i;

	(void)test;
	for (birth = 0; birth < 256; birth++) {
		for (age = 0; age < 256; age++) {
			enum pashm_verdict want[256];
			uint32_t now = (birth + age) % 256;

			for (known = 0; known < 256; known++)
				want[known] = PASHM_STALE;
			for (i = 0; i < age; i++)
				want[(birth + i) % 256] = PASHM_PURGED;
			want[now] = PASHM_INTACT;
			for (known = 0; known < 256; known++) {
				if (verdict(now << 24, known << 24,
					    birth << 24) != want[known])
					fail_msg("born %u, now %u, known %u",
						 birth, now, known);
			}
		}
	}
}

/* At the places where 32 bits wrap, or change sign */
static void a_verdict_depends_on_distances_only(void **test)
{
	uint32_t purges;
	int known;
	size_t i, j;

	(void)test;
	for (i = 0; i < LENGTH(generations); i++) {
		for (j = 0; j < 40; j++) {
			uint32_t birth = generations[i] + (uint32_t)j - 20;

			for (purges = 0; purges < 40; purges++) {
				for (known = -40; known <= (int)purges;
				     known++) {
					enum pashm_verdict want =
						known < 0 ? PASHM_STALE :
						known == (int)purges ?
						PASHM_INTACT : PASHM_PURGED;

					assert_int_equal(verdict(birth + purges,
						birth + (uint32_t)known,
						birth), want);
				}
			}
		}
	}
}

/* Also after more purges than half the numbers, up to all of them */
static void a_handle_may_sleep_as_long_as_it_likes(void **test)
{
	(void)test;
	assert_int_equal(verdict(10U + 0x7fffffff, 10, 10), PASHM_PURGED);
	assert_int_equal(verdict(10 + 0x80000000, 10, 10), PASHM_PURGED);
	assert_int_equal(verdict(10 + 0xffffffff, 10, 10), PASHM_PURGED);
	assert_int_equal(verdict(10 + 0xfffffffe, 9, 10), PASHM_STALE);
	assert_int_equal(verdict(10, 11, 10), PASHM_STALE);
}

static void nothing_is_known_of_a_word_without_extent(void **test)
{
	size_t i, j;

	(void)test;
	for (i = 0; i < LENGTH(generations); i++) {
		for (j = 0; j < LENGTH(generations); j++) {
			uint64_t state = (uint64_t)generations[i] << 32 |
					 PASHM_STATE_PRIORITY_MASK;

			assert_int_equal(pashm_pin_verdict(state,
							   generations[i],
							   generations[j]),
					 PASHM_STALE);
		}
	}
}

/*
 * All counts that a client which keeps the rules can have: so many pins, frozen
 * or not. There is something to give back if one of them has a pin more.
 */
static void every_count_has_its_limits(void **test)
{
	static bool pinned[0x10000];
	uint32_t count, pins;

	(void)test;
	for (pins = 1; pins < PASHM_COUNT_LIMIT; pins++)
		pinned[pins] = true;
	for (pins = 1; pins <= PASHM_COUNT_LIMIT / 2; pins++)
		pinned[PASHM_COUNT_LIMIT + pins] = true;
	for (count = 0; count <= 0xffff; count++) {
		if (!pashm_count_underflows(count) != pinned[count])
			fail_msg("an unpin that finds %#x", count);
		if (!pashm_count_overflows(count) !=
		    (count < PASHM_COUNT_LIMIT))
			fail_msg("a pin that makes %#x", count);
	}
	/* What a pin makes of 0xffff, before it is cut to 16 bits */
	assert_true(pashm_count_overflows(0x10000));
}

/* A pin that backs off, and an unpin of nothing, leave the word as it was */
static void every_count_keeps_out_of_the_notes(void **test)
{
	static const uint32_t notes[] = { 0, 0xffff, 0xa5c3, 0x0301 };
	uint32_t count;
	size_t i;

	(void)test;
	for (i = 0; i < LENGTH(notes); i++) {
		for (count = 0; count <= 0xffff; count++) {
			uint32_t word = count << 16 | notes[i];
			uint32_t up = word + PASHM_PIN_COUNT_ONE;
			uint32_t down = word - PASHM_PIN_COUNT_ONE;

			if (pashm_pin_count(word) != count ||
			    pashm_pin_count(up) != (count + 1) % 0x10000 ||
			    pashm_pin_count(down) != (count + 0xffff) % 0x10000 ||
			    up % 0x10000 != notes[i] ||
			    down % 0x10000 != notes[i] ||
			    up - PASHM_PIN_COUNT_ONE != word)
				fail_msg("%#x", word);
		}
	}
}

/* The notes are bytes of the word: the first two, and below the count */
static void the_notes_are_the_bytes_that_are_stored(void **test)
{
	uint32_t word = 0xffff0000;
	uint8_t *bytes = (uint8_t *)&word;

	(void)test;
	bytes[PASHM_PIN_RECENCY_BYTE] = 0x11;
	bytes[PASHM_PIN_FREQUENCY_BYTE] = 0x02;
	assert_int_equal(word, 0xffff0211);
	assert_in_range(PASHM_FREQUENCY_MAX, 1, 0xff);
}

static void no_epoch_ends_in_zero(void **test)
{
	static const uint32_t tops[] = { 0, 0x00010000, 0x7fff0000, 0xffff0000 };
	uint32_t low, epoch, want;
	size_t i;

	(void)test;
	for (i = 0; i < LENGTH(tops); i++) {
		for (low = 0; low <= 0xffff; low++) {
			epoch = tops[i] | low;
			want = epoch + 1;
			if (want % 256 == 0)
				want++;
			if (pashm_epoch_next(epoch) != want)
				fail_msg("after %#x", epoch);
		}
	}
}

/* Only the low byte of an epoch is in a note; ages count its steps */
static void the_age_of_a_note_wraps_with_its_byte(void **test)
{
	uint32_t epoch, age;

	(void)test;
	for (epoch = 0; epoch <= 0xffff; epoch++) {
		for (age = 0; age < 256; age++) {
			uint8_t note = (uint8_t)(epoch + 256 - age);

			if (pashm_note_age(epoch, note) != age ||
			    pashm_note_age(epoch | 0xffff0000, note) != age)
				fail_msg("epoch %#x, %u steps ago", epoch, age);
		}
	}
}

static void a_headers_priority_is_one_whatever_it_says(void **test)
{
	uint32_t priority;

	(void)test;
	for (priority = 0; priority <= PASHM_PRIORITY_MAX; priority++)
		assert_int_equal(pashm_header_priority(priority), priority);
	assert_int_equal(pashm_header_priority(priority),
			 PASHM_PRIORITY_DEFAULT);
	assert_int_equal(pashm_header_priority(PASHM_PRIORITY_REGION),
			 PASHM_PRIORITY_DEFAULT);
	assert_int_equal(pashm_header_priority(UINT32_MAX),
			 PASHM_PRIORITY_DEFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hostile_word_changes_as_any_other),
		cmocka_unit_test(no_field_carries_into_another),
		cmocka_unit_test(a_claimed_or_published_word_is_what_it_should),
		cmocka_unit_test(a_verdict_is_right_in_a_small_world),
		cmocka_unit_test(a_verdict_depends_on_distances_only),
		cmocka_unit_test(a_handle_may_sleep_as_long_as_it_likes),
		cmocka_unit_test(nothing_is_known_of_a_word_without_extent),
		cmocka_unit_test(every_count_has_its_limits),
		cmocka_unit_test(every_count_keeps_out_of_the_notes),
		cmocka_unit_test(the_notes_are_the_bytes_that_are_stored),
		cmocka_unit_test(no_epoch_ends_in_zero),
		cmocka_unit_test(the_age_of_a_note_wraps_with_its_byte),
		cmocka_unit_test(a_headers_priority_is_one_whatever_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
