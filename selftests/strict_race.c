// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strict regions under attack: no touch under a pin is refused, whatever purges do
 * meanwhile; and whatever stands in the state words, a touch comes to an end.
 */
#include <pthread.h>
#include <sched.h>

#include <kselftest_harness.h>

#include "common.h"
#include "sigbus.h"

#define PAGES		64UL
#define EXTENT		8UL
#define EXTENTS		(PAGES / EXTENT)
#define BYTES		(PAGES * PAGE)
#define SECONDS		20		/* of a race that is slow */
#define LONG_PAGES	(1UL << 20)
#define RW		(PROT_READ | PROT_WRITE)

FIXTURE(strict_race)
{
	int fd;
	char *data;
	uint64_t *states;
};

FIXTURE_VARIANT(strict_race)
{
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(strict_race, gone) { .flags = PASHM_CREATE_STRICT };
FIXTURE_VARIANT_ADD(strict_race, unpinned)
{
	.flags = PASHM_CREATE_STRICT_UNPINNED,
};

FIXTURE_SETUP(strict_race)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, variant->flags);
	ASSERT_LE(0, self->fd);
	self->data = (char *)map_at(self->fd, PASHM_OFFSET_DATA, BYTES, RW);
	ASSERT_FALSE(MAP_FAILED_WITH((long)self->data));
	self->states = (void *)map_at(self->fd, PASHM_OFFSET_STATES, PAGES * 8,
				      RW);
	ASSERT_FALSE(MAP_FAILED_WITH((long)self->states));
	catch_sigbus();
}

FIXTURE_TEARDOWN(strict_race)
{
	munmap(self->data, BYTES);
	close(self->fd);
}

struct race {
	int fd;
	char *data;
	bool stop;
	uint64_t purged;
	uint64_t pinned;
	uint64_t refused_pinned;
	uint64_t refused;
	uint64_t wrong;
};

static bool race_is_over(const struct race *race)
{
	return __atomic_load_n(&race->stop, __ATOMIC_RELAXED);
}

static void *race_purge(void *arg)
{
	struct race *race = arg;

	while (!race_is_over(race))
		race->purged += region_purge(race->fd) > 0;
	return NULL;
}

/* Touches without a pin: refused or not, but it comes to an end */
static void *race_stray(void *arg)
{
	struct race *race = arg;
	uint64_t seed = 7;

	while (!race_is_over(race))
		race->refused += peek(race->data + random_next(&seed) % PAGES *
				      PAGE) == REFUSED;
	return NULL;
}

/* A pin as the library has it: no system call but to wait */
static void word_pin(int fd, uint32_t *pins, uint64_t *states, size_t head)
{
	struct pashm_wait wait = {
		.size = sizeof(wait), .offset = head * PAGE,
	};

	__atomic_fetch_add(&pins[head], PASHM_PIN_COUNT_ONE, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (pashm_state_purging(__atomic_load_n(&states[head],
						__ATOMIC_ACQUIRE)))
		command(fd, PASHM_IOC_WAIT, &wait);
}

static void *race_pin(void *arg)
{
	struct race *race = arg;
	int fd = region_attach(race->fd, 0);
	uint32_t *pins = (void *)map_at(fd, PASHM_OFFSET_PINS, PAGES * 4, RW);
	uint64_t *states = (void *)map_at(fd, PASHM_OFFSET_STATES, PAGES * 8, RW);
	uint64_t seed = (uintptr_t)&race | 1;
	size_t page, head;

	while (!race_is_over(race)) {
		head = random_next(&seed) % EXTENTS * EXTENT;
		word_pin(fd, pins, states, head);
		for (page = head; page < head + EXTENT; page += 3) {
			char value = (char)(seed & 0x7f);
			char *at = race->data + page * PAGE + fd % 1024;
			int found = poke(at, value);

			if (found == value)
				found = peek(at);
			if (found == REFUSED)
				__atomic_fetch_add(&race->refused_pinned, 1,
						   __ATOMIC_RELAXED);
			else if (found != value)
				__atomic_fetch_add(&race->wrong, 1,
						   __ATOMIC_RELAXED);
		}
		__atomic_fetch_sub(&pins[head], PASHM_PIN_COUNT_ONE,
				   __ATOMIC_RELEASE);
		__atomic_fetch_add(&race->pinned, 1, __ATOMIC_RELAXED);
		if (seed % 8 == 0)
			sched_yield();
	}
	close(fd);
	return NULL;
}

TEST_F_TIMEOUT(strict_race, no_touch_under_a_pin_is_refused_while_others_purge, 300)
{
	struct race race = { .fd = self->fd, .data = self->data };
	time_t end = time(NULL) + SECONDS;
	pthread_t pinners[2], stray;
	long purges = scaled(1000);
	int i;

	ASSERT_EQ(0, region_fill(self->fd, self->data, PAGES, EXTENT));
	ASSERT_EQ(0, pthread_create(&stray, NULL, race_stray, &race));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&pinners[i], NULL, race_pin, &race));
	while (race.purged < (uint64_t)purges && time(NULL) < end)
		race.purged += region_purge(race.fd) > 0;
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		pthread_join(pinners[i], NULL);
	pthread_join(stray, NULL);
	TH_LOG("%llu pins, %llu touches without one were refused",
	       (unsigned long long)race.pinned,
	       (unsigned long long)race.refused);
	EXPECT_EQ(0, race.refused_pinned);
	EXPECT_EQ(0, race.wrong);
	EXPECT_LT(0, race.purged);
	EXPECT_LT(0, race.pinned);
	EXPECT_LT(0, race.refused);
	EXPECT_EQ(0, region_info(self->fd).violations);
}

/* A head whose extent would leave the region is none: it is never purged */
TEST_F(strict_race, lengths_beyond_the_region_refuse_nothing)
{
	size_t page;

	for (page = 1; page < PAGES; page++)
		self->states[page] = PASHM_EXTENT_PAGES_MAX;
	for (page = 0; page < PAGES; page++)
		EXPECT_EQ(0, peek(self->data + page * PAGE));
}

TEST_F(strict_race, overlapping_lengths_refuse_what_one_of_them_covers)
{
	size_t page;

	for (page = 1; page < PAGES; page++)
		self->states[page] = PASHM_STATE_PURGING | (PAGES - page);
	EXPECT_EQ(0, peek(self->data));
	for (page = 1; page < PAGES; page++)
		EXPECT_EQ(REFUSED, peek(self->data + page * PAGE));
}

struct forger {
	uint64_t *states;
	bool stop;
};

static void *forge(void *arg)
{
	struct forger *forger = arg;
	uint64_t seed = 1;

	while (!__atomic_load_n(&forger->stop, __ATOMIC_RELAXED)) {
		uint64_t word = random_next(&seed);

		if (word & 1)
			word &= ~PASHM_STATE_LENGTH_MASK | (2 * PAGES - 1);
		__atomic_store_n(&forger->states[seed >> 32 & (PAGES - 1)],
				 word, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F_TIMEOUT(strict_race, words_forged_without_end_only_refuse, 300)
{
	struct forger forger = { .states = self->states };
	struct race race = { .fd = self->fd, .data = self->data };
	uint64_t seed = 5, refused = 0, fine = 0;
	time_t end = time(NULL) + SECONDS;
	pthread_t thread, purger;
	long i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, forge, &forger));
	ASSERT_EQ(0, pthread_create(&purger, NULL, race_purge, &race));
	for (i = 0; i < scaled(100000) && time(NULL) < end; i++) {
		char *at = self->data + random_next(&seed) % PAGES * PAGE;

		if (poke(at, 1) == REFUSED)
			refused++;
		else
			fine++;
	}
	__atomic_store_n(&forger.stop, true, __ATOMIC_RELAXED);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	pthread_join(purger, NULL);
	TH_LOG("%llu touches were refused, %llu were not",
	       (unsigned long long)refused, (unsigned long long)fine);
	EXPECT_LT(0, refused);
	EXPECT_LT(0, fine);
}

/* Every word on the way back is there, and is zero */
TEST_F_TIMEOUT(strict_race, a_long_way_back_to_the_head_has_an_end, 300)
{
	int fd = region_create(LONG_PAGES, variant->flags);
	uint64_t *states = (void *)map_at(fd, PASHM_OFFSET_STATES,
					  LONG_PAGES * 8, RW);
	char *data = (char *)map_at(fd, PASHM_OFFSET_DATA, LONG_PAGES * PAGE,
				    RW);
	char *last = data + (LONG_PAGES - 1) * PAGE;

	ASSERT_FALSE(MAP_FAILED_WITH((long)data));
	ASSERT_FALSE(MAP_FAILED_WITH((long)states));
	memset(states, 0, LONG_PAGES * 8);
	EXPECT_EQ(0, peek(last));
	states[0] = LONG_PAGES;
	ASSERT_LT(0, region_purge(fd));
	EXPECT_EQ(REFUSED, peek(last));
	EXPECT_EQ(REFUSED, peek(last - PAGE));
	EXPECT_EQ(REFUSED, peek(data));
	munmap(data, LONG_PAGES * PAGE);
	munmap(states, LONG_PAGES * 8);
	close(fd);
}

TEST_HARNESS_MAIN
