// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The pure transitions of <linux/pashm_pin.h> in long random histories, next to
 * a shadow that keeps what the words mean in plain structs and wide numbers.
 * The seed is printed; PASHM_TEST_SEED repeats a run.
 */
#include <stdio.h>
#include <time.h>
#include "common.h"

#define STEPS	2000000

static uint64_t seed;

static int setup(void **test)
{
	const char *wanted = getenv("PASHM_TEST_SEED");

	(void)test;
	seed = wanted ? strtoull(wanted, NULL, 0) :
			(uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	printf("# PASHM_TEST_SEED=%llu\n", (unsigned long long)seed);
	return 0;
}

/* splitmix64: each test has its own sequence of the same seed */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(next_random(state) % limit);
}

/* Of any size: most random numbers of 32 bits are large */
static uint32_t any_size(uint64_t *state)
{
	return (uint32_t)next_random(state) >> below(state, 32);
}

/* Generations that never wrap, cut to 32 bits only for the header */
static void a_verdict_is_that_of_numbers_without_end(void **test)
{
	uint64_t random = seed;
	int i;

	(void)test;
	for (i = 0; i < STEPS; i++) {
		uint64_t birth = 0x100000000 + next_random(&random) % (1ULL << 40);
		uint64_t now = birth + any_size(&random);
		uint64_t room = 0xffffffff - (now - birth);
		uint64_t before = any_size(&random);
		uint64_t known;
		enum pashm_verdict want;

		/* Not so long ago that the same number means the present */
		if (below(&random, 2))
			known = now - any_size(&random) % (now - birth + 1);
		else
			known = birth - (before < room ? before : room);
		want = known < birth ? PASHM_STALE :
		       known < now ? PASHM_PURGED : PASHM_INTACT;
		if (pashm_pin_verdict(now << PASHM_STATE_GEN_SHIFT | 1,
				      (uint32_t)known, (uint32_t)birth) != want)
			fail_msg("born %llu, now %llu, known %llu",
				 (unsigned long long)birth,
				 (unsigned long long)now,
				 (unsigned long long)known);
	}
}

struct shadow_state {
	uint32_t generation;
	uint32_t length;
	uint32_t priority;
	bool purging;
};

static bool same_state(uint64_t word, const struct shadow_state *shadow)
{
	return pashm_state_generation(word) == shadow->generation &&
	       pashm_state_length(word) == shadow->length &&
	       pashm_state_priority(word) == shadow->priority &&
	       !pashm_state_purging(word) == !shadow->purging &&
	       !pashm_state_claimable(word) ==
	       (!shadow->length || shadow->purging);
}

static void a_state_word_follows_its_shadow(void **test)
{
	uint64_t random = seed + 1;
	uint64_t word = next_random(&random);
	struct shadow_state shadow;
	int i;

	(void)test;
	/* Whatever was there: a reshape makes a word of it */
	shadow.generation = (uint32_t)(word >> 32) + 1;
	shadow.length = 1;
	shadow.priority = 0;
	shadow.purging = false;
	word = pashm_state_reshaped(word, 1, 0);
	for (i = 0; i < STEPS; i++) {
		switch (below(&random, 4)) {
		case 0:
			word = pashm_state_claimed(word);
			shadow.purging = true;
			break;
		case 1:
			word &= ~PASHM_STATE_PURGING;
			shadow.purging = false;
			break;
		case 2:
			word += PASHM_STATE_GEN_ONE;
			shadow.generation++;
			break;
		default:
			shadow.generation++;
			shadow.length = any_size(&random) &
					PASHM_EXTENT_PAGES_MAX;
			shadow.priority = below(&random, PASHM_PRIORITY_MAX + 1);
			shadow.purging = false;
			word = pashm_state_reshaped(word, shadow.length,
						    shadow.priority);
		}
		if (!same_state(word, &shadow))
			fail_msg("step %d: %#llx", i, (unsigned long long)word);
	}
}

struct shadow_pin {
	uint32_t pins;
	bool frozen;
	uint8_t notes[2];
};

static uint32_t pin_word(const struct shadow_pin *shadow)
{
	return (shadow->pins + (shadow->frozen ? PASHM_COUNT_LIMIT : 0)) <<
	       PASHM_PIN_COUNT_SHIFT | shadow->notes[1] << 8 | shadow->notes[0];
}

/* A pin: true if it holds. As include/pashm/pin.h does it */
static bool word_pin(uint32_t *word)
{
	uint32_t count = pashm_pin_count(*word) + 1;

	*word += PASHM_PIN_COUNT_ONE;
	if (!pashm_count_overflows(count))
		return true;
	*word -= PASHM_PIN_COUNT_ONE;
	return false;
}

static bool word_unpin(uint32_t *word)
{
	uint32_t count = pashm_pin_count(*word);

	*word -= PASHM_PIN_COUNT_ONE;
	if (!pashm_count_underflows(count))
		return true;
	*word += PASHM_PIN_COUNT_ONE;
	return false;
}

/* Stays near the limits for long: in each phase one direction is preferred */
static void a_pin_word_follows_its_shadow(void **test)
{
	uint64_t random = seed + 2;
	struct shadow_pin shadow = { .notes = { 0x5a, 3 } };
	uint32_t word = pin_word(&shadow), up = 2;
	bool want;
	int i;

	(void)test;
	for (i = 0; i < STEPS; i++) {
		if (i % 0x20000 == 0)
			up = 1 + below(&random, 3);
		if (below(&random, 64) == 0) {
			shadow.notes[0] = (uint8_t)next_random(&random);
			memcpy((uint8_t *)&word + PASHM_PIN_RECENCY_BYTE,
			       &shadow.notes[0], 1);
		} else if (below(&random, 64) == 0) {
			/* As extent.c freezes and thaws */
			if (!shadow.frozen &&
			    shadow.pins >= PASHM_COUNT_LIMIT / 2)
				continue;
			word += (shadow.frozen ? -PASHM_COUNT_LIMIT :
				 PASHM_COUNT_LIMIT) << PASHM_PIN_COUNT_SHIFT;
			shadow.frozen = !shadow.frozen;
		} else if (below(&random, 4) < up) {
			want = !shadow.frozen &&
			       shadow.pins + 1 < PASHM_COUNT_LIMIT;
			shadow.pins += want;
			assert_int_equal(word_pin(&word), want);
		} else {
			want = shadow.pins > 0;
			shadow.pins -= want;
			assert_int_equal(word_unpin(&word), want);
		}
		if (word != pin_word(&shadow))
			fail_msg("step %d: %#x", i, word);
	}
}

/* An extent as its users see it: which one it is, and how often it was lost */
struct shadow_extent {
	uint32_t object;	/* 0: none */
	uint32_t losses;
};

struct shadow_handle {
	uint32_t known;
	struct shadow_extent seen;
};

#define HANDLES	16

/*
 * Handles of many clients, asleep for any time, while one place is purged,
 * freed and made anew: each is told what has become of its own extent.
 */
static void every_handle_is_told_of_its_own_losses(void **test)
{
	static const uint32_t starts[] = { 0, 0x7ffffff0, 0xfffffff0 };
	uint64_t random = seed + 3;
	struct shadow_handle handles[HANDLES], *handle;
	struct shadow_extent now = { .object = 1 };
	uint64_t word = 0;
	uint32_t birth, made = 1;
	enum pashm_verdict want;
	int i;

	(void)test;
	word = (uint64_t)starts[below(&random, 3)] << PASHM_STATE_GEN_SHIFT;
	word = pashm_state_reshaped(word, 5, 3);
	birth = pashm_state_generation(word);
	for (i = 0; i < HANDLES; i++)
		handles[i] = (struct shadow_handle){ birth, now };
	for (i = 0; i < STEPS; i++) {
		uint32_t what = below(&random, 64);

		if (what == 0 && now.object) {
			word = pashm_state_reshaped(word, 0, 0);
			now.object = 0;
		} else if (what == 1) {
			birth = pashm_state_generation(word) + 1;
			word = pashm_state_reshaped(word, 1 + below(&random, 9),
						    below(&random, 8));
			now = (struct shadow_extent){ .object = ++made };
		} else if (what < 8 && pashm_state_claimable(word)) {
			word = pashm_state_claimed(word);
			word += PASHM_STATE_GEN_ONE;
			word &= ~PASHM_STATE_PURGING;
			now.losses++;
		}
		handle = &handles[below(&random, HANDLES)];
		want = !now.object || handle->seen.object != now.object ?
		       PASHM_STALE : handle->seen.losses != now.losses ?
		       PASHM_PURGED : PASHM_INTACT;
		assert_int_equal(pashm_pin_verdict(word, handle->known, birth),
				 want);
		/* Told of it; its owner may leave it at that for a while */
		if (want != PASHM_INTACT && now.object && below(&random, 2))
			*handle = (struct shadow_handle){
				pashm_state_generation(word), now };
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verdict_is_that_of_numbers_without_end),
		cmocka_unit_test(a_state_word_follows_its_shadow),
		cmocka_unit_test(a_pin_word_follows_its_shadow),
		cmocka_unit_test(every_handle_is_told_of_its_own_losses),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
