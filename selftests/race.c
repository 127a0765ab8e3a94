// SPDX-License-Identifier: GPL-2.0-only
/*
 * One extent, one thread that pins it as fast as it can, one that purges it as
 * fast as it can: the two halves of the handshake meet as often as possible.
 * Each case takes 10 s, times $PASHM_TEST_SCALE.
 */
#include <pthread.h>
#include <time.h>

#include <kselftest_harness.h>

#include "backend.h"

#define RW	(PROT_READ | PROT_WRITE)

struct purger {
	struct pashm_region *region;
	uint64_t bytes;
	int problem;
	bool stop;
};

FIXTURE(race)
{
	struct pashm_region *region;
	struct pashm_handle handle;
	struct purger purger;
	pthread_t thread;
	volatile uint64_t *word;
	uint64_t intact, lost;
};

FIXTURE_VARIANT(race)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(race, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(race, memfd) { .backend = PASHM_BACKEND_MEMFD };

static void *purge(void *arg)
{
	struct purger *purger = arg;

	while (!__atomic_load_n(&purger->stop, __ATOMIC_RELAXED)) {
		uint64_t freed = 0;

		purger->problem |= pashm_region_purge(purger->region, &freed);
		purger->bytes += freed;
	}
	return NULL;
}

FIXTURE_SETUP(race)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, backend_region(variant->backend, 1, 0, &self->region));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, NULL));
	ASSERT_EQ(0, pashm_extent_create(self->region, 0, 1, 3, &self->handle));
	self->word = pashm_address(self->region, 0);
	*self->word = self->handle.generation;
	ASSERT_EQ(0, pashm_unpin(self->region, 0));
	self->purger.region = self->region;
}

FIXTURE_TEARDOWN(race)
{
	pashm_region_close(self->region);
}

/* Pinned: what must the word be, and does it stay that? */
static bool look(struct _test_data_race *self, enum pashm_verdict verdict,
		 unsigned int looks)
{
	uint64_t wanted = self->handle.generation;
	unsigned int i;

	if (verdict == PASHM_PURGED) {
		if (*self->word)
			return false;
		wanted = pashm_generation(self->region, 0);
		self->handle.generation = wanted;
		*self->word = wanted;
	}
	for (i = 0; i <= looks; i++)
		if (*self->word != wanted)
			return false;
	return true;
}

/* @looks while pinned and @pause while not: upper bounds of a random number */
static void race(struct __test_metadata *_metadata,
		 struct _test_data_race *self, unsigned int looks,
		 unsigned int pause)
{
	time_t end = time(NULL) + scaled(10);
	uint64_t seed = 88172645463325252ULL, round;
	enum pashm_verdict verdict;
	volatile unsigned int spin;

	ASSERT_EQ(0, pthread_create(&self->thread, NULL, purge, &self->purger));
	for (round = 0; round % 256 || time(NULL) < end; round++) {
		ASSERT_EQ(0, pashm_pin(self->region, self->handle, &verdict));
		ASSERT_NE(PASHM_STALE, verdict);
		ASSERT_TRUE(look(self, verdict, random_next(&seed) % looks)) {
			TH_LOG("round %llu, verdict %d, known %u, word %llu",
			       (unsigned long long)round, (int)verdict,
			       self->handle.generation,
			       (unsigned long long)*self->word);
		}
		*(verdict == PASHM_INTACT ? &self->intact : &self->lost) += 1;
		ASSERT_EQ(0, pashm_unpin(self->region, 0));
		for (spin = random_next(&seed) % pause; spin; spin--)
			;
	}
	__atomic_store_n(&self->purger.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	TH_LOG("%llu intact, %llu lost", (unsigned long long)self->intact,
	       (unsigned long long)self->lost);
	EXPECT_EQ(0, self->purger.problem);
	EXPECT_EQ(0, backend_info(self->region).violations);
	EXPECT_EQ(self->purger.bytes, backend_info(self->region).purged);
}

/* Pinned nearly always: whoever purges all the same has overlooked a pin */
TEST_F_TIMEOUT(race, a_pin_and_a_purge_never_both_win, 300)
{
	race(_metadata, self, 50000, 200);
}

TEST_F_TIMEOUT(race, nor_do_they_when_pins_are_short, 300)
{
	race(_metadata, self, 50, 500);
}

TEST_F_TIMEOUT(race, nor_do_they_when_pins_are_far_apart, 300)
{
	race(_metadata, self, 50, 20000);
	EXPECT_NE(0, self->lost);
}

TEST_HARNESS_MAIN
