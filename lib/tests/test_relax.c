// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Letting go of the purge lock between two extents for those who wait for it,
 * who may not give it back. The naps of this thread are where they get their
 * turn, and the clock jumps when it is to.
 */
#define _GNU_SOURCE
#include <time.h>
#include "common.h"

#define WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__)

WRAP(int, nanosleep, const struct timespec *pause, struct timespec *rest);
WRAP(int, clock_gettime, clockid_t clock, struct timespec *now);
WRAP(int, pashm_registry_watch, struct pashm_region *region);

/* More than are looked at between two looks at who waits, by any function */
#define EXTENTS		5000U

/* What the peer does in a nap: takes the lock, and gives it back in the next */
static enum { SLEEP, TAKE, TAKE_AND_KEEP, GIVE } turn;
static struct memfd_region *peer;
static time_t jumped;

int __wrap_nanosleep(const struct timespec *pause, struct timespec *rest)
{
	switch (turn) {
	case SLEEP:
		return __real_nanosleep(pause, rest);
	case TAKE:
	case TAKE_AND_KEEP:
		assert_int_equal(pashm_memfd_lock(peer, 0), 0);
		turn = turn == TAKE ? GIVE : SLEEP;
		jumped += turn == SLEEP ? 3600 : 0;
		return 0;
	default:
		pashm_memfd_unlock(peer);
		turn = SLEEP;
		return 0;
	}
}

/* An hour later after each look, once there was a jump */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = __real_clock_gettime(clock, now);

	now->tv_sec += jumped;
	jumped += jumped ? 3600 : 0;
	return ret;
}

/* No thread: it would nap, too */
int __wrap_pashm_registry_watch(struct pashm_region *region)
{
	(void)region;
	return 0;
}

/* Many extents of a page, filled and unpinned; and a peer who waits */
static int setup(void **test)
{
	struct pashm_region_params params = {
		.length = EXTENTS * page_size(), .name = "test",
		.flags = PASHM_REGION_NO_THREAD,
		.backend = PASHM_BACKEND_MEMFD,
	};
	struct pashm_region *region;
	uint32_t i;

	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_WRITE,
					  NULL), 0);
	for (i = 0; i < EXTENTS; i++)
		unpin(region, extent_new(region, i, 1, 'a'));
	peer = memfd_region(region_join(region));
	memfd_region(region)->purge->waiting = 1;
	jumped = 0;
	turn = TAKE;
	*test = region;
	return 0;
}

static int teardown(void **test)
{
	pashm_region_close(&peer->base);
	pashm_region_close(*test);
	return 0;
}

static void a_purge_lets_others_in_and_goes_on(void **test)
{
	assert_int_equal(purge(*test), EXTENTS);
	assert_int_equal(turn, SLEEP);
	assert_int_equal(memfd_region(*test)->purge->waiting, 0);
}

static void reclaim_lets_others_in_and_goes_on(void **test)
{
	assert_int_equal(reclaim(*test, EXTENTS), EXTENTS);
	assert_int_equal(turn, SLEEP);
}

static void counting_lets_others_in_and_goes_on(void **test)
{
	struct pashm_region_info info;

	assert_int_equal(pashm_region_info(*test, &info), 0);
	assert_int_equal(info.extents, EXTENTS);
	assert_int_equal(info.unpinned, EXTENTS * page_size());
	assert_int_equal(turn, SLEEP);
}

/* The lock is the peer's now, and only his */
static void peer_gives_back(struct pashm_region *region, uint64_t left)
{
	jumped = 0;
	pashm_memfd_unlock(peer);
	assert_int_equal(purge(region), left);
}

static void a_purge_that_cannot_go_on_says_what_it_took(void **test)
{
	uint64_t freed = 0;

	turn = TAKE_AND_KEEP;
	assert_int_equal(pashm_region_purge(*test, &freed), -ETIMEDOUT);
	assert_in_range(freed / page_size(), 1, EXTENTS - 1);
	peer_gives_back(*test, EXTENTS - freed / page_size());
}

static void reclaim_that_cannot_go_on_says_what_it_took(void **test)
{
	uint32_t next = RECLAIM_CLASSES;
	uint64_t taken;

	turn = TAKE_AND_KEEP;
	taken = pashm_reclaim_some(*test, EXTENTS, RECLAIM_CLASSES - 1, &next);
	assert_in_range(taken, 1, EXTENTS - 1);
	peer_gives_back(*test, EXTENTS - taken);
}

static void counting_that_cannot_go_on_is_given_up(void **test)
{
	struct pashm_region_info info;

	turn = TAKE_AND_KEEP;
	assert_int_equal(pashm_region_info(*test, &info), -ETIMEDOUT);
	peer_gives_back(*test, EXTENTS);
}

#define RELAX(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELAX(a_purge_lets_others_in_and_goes_on),
		RELAX(reclaim_lets_others_in_and_goes_on),
		RELAX(counting_lets_others_in_and_goes_on),
		RELAX(a_purge_that_cannot_go_on_says_what_it_took),
		RELAX(reclaim_that_cannot_go_on_says_what_it_took),
		RELAX(counting_that_cannot_go_on_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
