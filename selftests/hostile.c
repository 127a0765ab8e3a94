// SPDX-License-Identifier: GPL-2.0-only
/*
 * What clients with bad intent can do with the tables that they may write:
 * lose memory of their own region, and nothing else. Everything ends in
 * bounded time; the harness kills a case that does not.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <kselftest_harness.h>

#include "common.h"

#define PAGES		2048
#define EXTENT		8		/* pages, in the innocent region */
#define SECONDS		10
#define VANDALS		2
#define RW		(PROT_READ | PROT_WRITE)

/* One client's mappings of a region */
struct view {
	int fd;
	uint64_t *states;
	uint32_t *births;
	uint32_t *pins;
	char *data;
};

static bool view_open(struct view *view, int fd)
{
	view->fd = fd;
	view->states = (void *)map_at(fd, PASHM_OFFSET_STATES, PAGES * 8, RW);
	view->births = (void *)map_at(fd, PASHM_OFFSET_BIRTHS, PAGES * 4, RW);
	view->pins = (void *)map_at(fd, PASHM_OFFSET_PINS, PAGES * 4, RW);
	view->data = (void *)map_at(fd, PASHM_OFFSET_DATA, PAGES * PAGE, RW);
	return fd >= 0 && !MAP_FAILED_WITH((long)view->states) &&
	       !MAP_FAILED_WITH((long)view->births) &&
	       !MAP_FAILED_WITH((long)view->pins) &&
	       !MAP_FAILED_WITH((long)view->data);
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

FIXTURE(hostile)
{
	struct view view;
};

FIXTURE_SETUP(hostile)
{
	SKIP_WITHOUT_DEVICE();
	ASSERT_TRUE(view_open(&self->view, region_create(PAGES, 0)));
	memset(self->view.data, 1, PAGES * PAGE);
}

FIXTURE_TEARDOWN(hostile)
{
	close(self->view.fd);
}

TEST_F(hostile, lengths_beyond_the_region_are_not_followed)
{
	struct view *v = &self->view;
	int i;

	for (i = 1; i < PAGES; i++)
		v->states[i] = PASHM_EXTENT_PAGES_MAX;
	EXPECT_EQ(0, region_purge(v->fd));
	EXPECT_EQ(0, region_info(v->fd).unpinned);
	EXPECT_EQ(1, v->data[PAGES * PAGE - 1]);
}

TEST_F(hostile, overlapping_lengths_lose_each_page_once)
{
	struct view *v = &self->view;
	int i;

	for (i = 0; i < PAGES; i++)
		v->states[i] = PAGES - i;
	EXPECT_EQ(PAGES * PAGE, region_purge(v->fd));
	EXPECT_EQ(0, region_purge(v->fd));
	EXPECT_EQ(0, region_info(v->fd).resident);
}

TEST_F(hostile, a_forged_purging_everywhere_blocks_no_wait)
{
	struct view *v = &self->view;
	struct pashm_wait wait = { .size = sizeof(wait) };
	int i;

	for (i = 0; i < PAGES; i++)
		v->states[i] = PASHM_STATE_PURGING | 1;
	for (i = 0; i < PAGES; i++) {
		wait.offset = i * PAGE;
		ASSERT_EQ(0, command(v->fd, PASHM_IOC_WAIT, &wait));
		ASSERT_EQ(1, v->states[i]);
	}
}

TEST_F(hostile, a_forged_purging_everywhere_blocks_no_pin)
{
	struct view *v = &self->view;
	uint32_t generation = 0, verdict;
	int i;

	for (i = 0; i < PAGES; i++)
		v->states[i] = PASHM_STATE_PURGING | 1;
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, region_pin(v->fd, i, &generation, &verdict));
		ASSERT_EQ(PASHM_INTACT, verdict);
	}
}

TEST_F(hostile, a_forged_purging_everywhere_is_purged)
{
	struct view *v = &self->view;
	int i;

	for (i = 0; i < PAGES; i++)
		v->states[i] = PASHM_STATE_PURGING | 1;
	EXPECT_EQ(PAGES * PAGE, region_purge(v->fd));
}

TEST_F(hostile, a_forged_purging_everywhere_is_reshaped)
{
	struct view *v = &self->view;
	int i;

	for (i = 0; i < PAGES; i++)
		v->states[i] = PASHM_STATE_PURGING | 1;
	EXPECT_EQ(0, region_reshape(v->fd, 0, PAGES, 0));
	EXPECT_EQ(1, region_info(v->fd).extents);
}

TEST_F(hostile, forged_counts_end_with_their_client)
{
	int i, client = region_attach(self->view.fd, 0);
	uint32_t *pins = (void *)map_at(client, PASHM_OFFSET_PINS, PAGES * 4,
					RW);

	ASSERT_FALSE(MAP_FAILED_WITH((long)pins));
	ASSERT_EQ(0, region_reshape(self->view.fd, 0, PAGES, 0));
	ASSERT_EQ(0, region_unpin(self->view.fd, 0));
	for (i = 0; i < PAGES; i++)
		pins[i] = UINT32_MAX;
	EXPECT_EQ(0, region_purge(self->view.fd));
	ASSERT_EQ(0, munmap(pins, PAGES * 4));
	close(client);
	EXPECT_EQ(PAGES * PAGE, region_purge(self->view.fd));
}

TEST_F(hostile, a_generation_at_its_end_wraps_around)
{
	struct view *v = &self->view;
	uint32_t generation = UINT32_MAX, verdict;

	v->states[0] = (uint64_t)UINT32_MAX << PASHM_STATE_GEN_SHIFT | PAGES;
	EXPECT_EQ(PAGES * PAGE, region_purge(v->fd));
	EXPECT_EQ(PAGES, v->states[0]);
	v->births[0] = UINT32_MAX - 5;
	EXPECT_EQ(0, region_pin(v->fd, 0, &generation, &verdict));
	EXPECT_EQ(PASHM_PURGED, verdict);
}

struct forger {
	uint64_t *word;
	bool stop;
};

/* Sets PURGING and a length again, as fast as it can */
static void *forge(void *arg)
{
	struct forger *forger = arg;

	while (!__atomic_load_n(&forger->stop, __ATOMIC_RELAXED))
		__atomic_store_n(forger->word, PASHM_STATE_PURGING | 1,
				 __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(hostile, a_purging_forged_without_end_blocks_nobody)
{
	struct view *v = &self->view;
	struct forger forger = { .word = &v->states[1] };
	struct pashm_wait wait = { .size = sizeof(wait), .offset = PAGE };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, forge, &forger));
	for (i = 0; i < 500; i++) {
		uint32_t generation = 0, verdict;
		long ret = region_pin(v->fd, 1, &generation, &verdict);

		ASSERT_EQ(0, ret);
		if (verdict != PASHM_STALE) {
			EXPECT_EQ(0, region_unpin(v->fd, 1));
		}
		EXPECT_EQ(0, command(v->fd, PASHM_IOC_WAIT, &wait));
		EXPECT_LE(0, region_purge(v->fd));
		/* With no count raised, nothing that is forged refuses it */
		EXPECT_EQ(0, region_reshape(v->fd, 0, 4, 0));
		EXPECT_EQ(0, region_unpin(v->fd, 0));
	}
	__atomic_store_n(&forger.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

static uint64_t random_state(uint64_t *seed)
{
	uint64_t word = random_next(seed);

	switch (random_next(seed) % 4) {
	case 0:
		return word;
	case 1:			/* a plausible length */
		return (word & ~PASHM_STATE_LENGTH_MASK) | word % 64;
	case 2:			/* plausible in all, many of them overlap */
		return word % 16;
	default:
		return 0;
	}
}

/* Writes nonsense into each table, as long as the time lasts */
static void vandalise(int fd, uint64_t seed, time_t end)
{
	struct view v;

	if (!view_open(&v, region_attach(fd, 0)))
		_exit(1);
	while (now() < end) {
		int i;

		for (i = 0; i < 1000; i++) {
			size_t page = random_next(&seed) % PAGES;

			v.states[page] = random_state(&seed);
			v.births[page] = random_next(&seed);
			v.pins[page] = random_next(&seed) % 3 ? 0 :
				       random_next(&seed);
			v.data[page * PAGE] = 1;
		}
	}
	_exit(0);
}

/* Calls everything on the vandals' region, with good and bad arguments */
static void operate(int fd, uint64_t seed, time_t end)
{
	int client = region_attach(fd, 0);
	uint32_t generation, verdict;

	if (client < 0)
		_exit(1);
	while (now() < end) {
		size_t page = random_next(&seed) % PAGES;
		size_t pages = random_next(&seed) % 64;
		struct pashm_wait wait = {
			.size = sizeof(wait), .offset = page * PAGE,
		};

		generation = random_next(&seed);
		region_pin(client, page, &generation, &verdict);
		command(client, PASHM_IOC_WAIT, &wait);
		region_purge(client);
		region_reshape(client, page, pages,
			       random_next(&seed) % 4);
		region_unpin(client, page);
		region_info(client);
		if (random_next(&seed) % 16 == 0)
			file_write("/proc/sys/vm/drop_caches", "2");
	}
	_exit(0);
}

/* The byte that @page of the innocent region holds in @round */
static void fill_page(char *data, size_t page, uint64_t round)
{
	memset(data + page * PAGE, (int)(page * 31 + round) | 1, PAGE);
}

static bool page_is(const char *data, size_t page, uint64_t round)
{
	char wanted = (char)((int)(page * 31 + round) | 1);
	size_t i;

	for (i = 0; i < PAGE; i++)
		if (data[page * PAGE + i] != wanted)
			return false;
	return true;
}

/* Uses a region of its own and verifies every byte that was not told lost */
static void be_innocent(time_t end)
{
	static uint32_t known[PAGES / EXTENT];
	int fd = region_create(PAGES, 0);
	long address = map_at(fd, 0, PAGES * PAGE, RW);
	char *data = (char *)address;
	size_t extent, page, rounds = 0;

	for (extent = 0; extent < PAGES / EXTENT; extent++) {
		if (region_reshape(fd, extent * EXTENT, EXTENT, 0))
			_exit(1);
		known[extent] = 1;
		for (page = 0; page < EXTENT; page++)
			fill_page(data, extent * EXTENT + page, 1);
		/* Every fourth one stays pinned for ever */
		if (extent % 4 && region_unpin(fd, extent * EXTENT))
			_exit(2);
	}
	while (now() < end || rounds++ < 2) {
		for (extent = 0; extent < PAGES / EXTENT; extent++) {
			size_t head = extent * EXTENT;
			uint32_t verdict;

			if (region_pin(fd, head, &known[extent], &verdict))
				_exit(3);
			if (verdict == PASHM_STALE ||
			    (verdict == PASHM_PURGED && extent % 4 == 0))
				_exit(4);
			for (page = head; page < head + EXTENT; page++) {
				if (verdict == PASHM_PURGED)
					fill_page(data, page, known[extent]);
				else if (!page_is(data, page, known[extent]))
					_exit(5);
			}
			if (region_unpin(fd, head))
				_exit(6);
		}
	}
	_exit(region_info(fd).violations ? 7 : 0);
}

TEST_F_TIMEOUT(hostile, garbage_in_all_tables_harms_no_other_region,
	       SECONDS + 60)
{
	int fd = self->view.fd, status, i;
	time_t end = now() + SECONDS;
	pid_t pids[VANDALS + 3];

	for (i = 0; i < VANDALS + 3; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (pids[i])
			continue;
		if (i < VANDALS)
			vandalise(fd, 7919 * (i + 1), end);
		if (i < VANDALS + 2)
			operate(fd, 104729 * (i + 1), end);
		be_innocent(end);
	}
	for (i = 0; i < VANDALS + 3; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status) TH_LOG("child %d", i);
	}
	TH_LOG("%u violations counted, %llu purges",
	       region_info(fd).violations,
	       (unsigned long long)region_info(fd).purges);
	/* The region that was vandalised can be put in order again */
	memset(self->view.states, 0, PAGES * 8);
	EXPECT_EQ(0, region_reshape(fd, 0, PAGES, 0));
	EXPECT_EQ(0, region_unpin(fd, 0));
	memset(self->view.data, 1, PAGES * PAGE);
	EXPECT_EQ(PAGES * PAGE, region_purge(fd));
	EXPECT_EQ(0, region_info(fd).resident);
}

TEST_HARNESS_MAIN
