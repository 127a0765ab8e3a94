// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client is killed in the middle of a call that goes over thousands of
 * extents: a change of geometry, which has claimed some of them, or a purge. No
 * claim is left behind, and others find all extents as they were.
 *
 * 4 kills each, times $PASHM_TEST_SCALE.
 */
#include <signal.h>

#include <kselftest_harness.h>

#include "common.h"

#define KILLS		4
#define CLAIMED		32768U			/* extents of a page */
#define PURGED		16384U			/* these have memory, too */
#define WRITABLE	(PROT_READ | PROT_WRITE)

FIXTURE(death_reshape)
{
	int fd, other;
	size_t pages;
	uint64_t *states;
	uint32_t *births;
	unsigned char *data;
	struct pashm_range *ranges;
	uint64_t seed;
	unsigned int midway;			/* kills that met the call at it */
};

FIXTURE_VARIANT(death_reshape)
{
	unsigned long request;
	size_t pages;
};

FIXTURE_VARIANT_ADD(death_reshape, reshape) {
	.request = PASHM_IOC_RESHAPE, .pages = CLAIMED,
};

FIXTURE_VARIANT_ADD(death_reshape, purge) {
	.request = PASHM_IOC_PURGE, .pages = PURGED,
};

static void *map_or_null(int fd, uint64_t offset, size_t bytes)
{
	long address = map_at(fd, offset, bytes, WRITABLE);

	return MAP_FAILED_WITH(address) ? NULL : (void *)address;
}

/* Each page is an extent, made by hand as if the region were ours alone */
static void make_extents(struct _test_data_death_reshape *self)
{
	size_t i;

	for (i = 0; i < self->pages; i++) {
		uint64_t state = pashm_state_reshaped(self->states[i], 1, 3);

		self->births[i] = pashm_state_generation(state);
		__atomic_store_n(&self->states[i], state, __ATOMIC_RELEASE);
		self->ranges[i] = (struct pashm_range) {
			.offset = i * PAGE,
			.generation = pashm_state_generation(state),
		};
	}
}

FIXTURE_SETUP(death_reshape)
{
	SKIP_WITHOUT_DEVICE();
	self->pages = variant->pages;
	self->seed = 88172645463325252ULL;
	self->fd = region_create(self->pages, 0);
	ASSERT_LE(0, self->fd);
	self->states = map_or_null(self->fd, PASHM_OFFSET_STATES,
				   self->pages * 8);
	self->births = map_or_null(self->fd, PASHM_OFFSET_BIRTHS,
				   self->pages * 4);
	self->data = map_or_null(self->fd, PASHM_OFFSET_DATA,
				 self->pages * PAGE);
	self->ranges = calloc(self->pages, sizeof(*self->ranges));
	ASSERT_TRUE(self->states && self->births && self->data && self->ranges);
	self->other = region_attach(self->fd, 0);
	ASSERT_LE(0, self->other);
}

FIXTURE_TEARDOWN(death_reshape)
{
	free(self->ranges);
	close(self->other);
	close(self->fd);
}

static long call_for_all(struct _test_data_death_reshape *self, int fd,
			 unsigned long request)
{
	return request == PASHM_IOC_PURGE ? region_purge(fd) :
	       region_reshape(fd, 0, self->pages, 0);
}

static void be_victim(struct _test_data_death_reshape *self,
		      unsigned long request)
{
	int fd = region_attach(self->fd, 0);

	while (fd >= 0)
		call_for_all(self, fd, request);
	_exit(1);
}

static uint64_t state_at(struct _test_data_death_reshape *self, size_t page)
{
	return __atomic_load_n(&self->states[page], __ATOMIC_RELAXED);
}

/*
 * Kill the victim when its call has come as far as to a place taken at random. A
 * change is still under way if the place is claimed, a purge if the last but one
 * is as it was: the last is pinned.
 */
static void kill_midway(struct __test_metadata *_metadata,
			struct _test_data_death_reshape *self,
			unsigned long request)
{
	size_t place = random_next(&self->seed) % (self->pages / 2);
	uint64_t before = state_at(self, place);
	uint64_t end = state_at(self, self->pages - 2);
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		be_victim(self, request);
	while (state_at(self, place) == before) {
		ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	if (request == PASHM_IOC_PURGE)
		self->midway += state_at(self, self->pages - 2) == end;
	else
		self->midway += pashm_state_purging(state_at(self, place));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
}

static long command_all(struct _test_data_death_reshape *self, int fd,
			unsigned long request)
{
	struct pashm_pin pin = {
		.size = sizeof(pin), .ranges = (uintptr_t)self->ranges,
		.count = self->pages,
	};

	return command(fd, request, &pin);
}

static void fill(struct _test_data_death_reshape *self)
{
	size_t i;

	for (i = 0; i < self->pages; i++)
		if (!self->data[i * PAGE])
			self->data[i * PAGE] = 1 + i % 255;
}

/* What another client finds: all pages that are not told to be lost */
static void expect_sound(struct __test_metadata *_metadata,
			 struct _test_data_death_reshape *self,
			 unsigned long request)
{
	size_t lost = 0, i;

	for (i = 0; i < self->pages; i++) {
		ASSERT_FALSE(pashm_state_purging(state_at(self, i))) {
			TH_LOG("page %zu of %zu", i, self->pages);
		}
	}
	ASSERT_EQ(0, command_all(self, self->other, PASHM_IOC_PIN));
	for (i = 0; i < self->pages; i++) {
		bool purged = self->ranges[i].verdict == PASHM_PURGED;

		ASSERT_NE(PASHM_STALE, self->ranges[i].verdict);
		ASSERT_EQ(purged || request != PASHM_IOC_PURGE ?
			  0 : 1 + i % 255, self->data[i * PAGE]);
		lost += purged;
	}
	ASSERT_EQ(self->pages, region_info(self->fd).pinned_extents);
	ASSERT_EQ(request == PASHM_IOC_PURGE, lost > 0);
	ASSERT_EQ(0, command_all(self, self->other, PASHM_IOC_UNPIN));
	ASSERT_EQ(1, region_info(self->fd).pinned_extents);
}

/* And another can make one extent of them all, and end it */
static void expect_changeable(struct __test_metadata *_metadata,
			      struct _test_data_death_reshape *self)
{
	ASSERT_EQ(-EBUSY, region_reshape(self->other, 0, self->pages, 0));
	ASSERT_EQ(0, region_unpin(self->fd, self->pages - 1));
	ASSERT_EQ(0, region_reshape(self->other, 0, self->pages, 0));
	ASSERT_EQ(1, region_info(self->fd).extents);
	ASSERT_EQ(0, region_reshape(self->other, 0, self->pages,
				    PASHM_RESHAPE_FREE));
	ASSERT_EQ(0, region_info(self->fd).extents);
	ASSERT_EQ(0, region_info(self->fd).violations);
}

TEST_F_TIMEOUT(death_reshape, a_kill_in_the_middle_leaves_no_claim, 3600)
{
	int round, kills = scaled(KILLS);

	for (round = 0; round < kills; round++) {
		struct pashm_range *last = &self->ranges[self->pages - 1];

		make_extents(self);
		if (variant->request == PASHM_IOC_PURGE)
			fill(self);
		ASSERT_EQ(0, region_pin(self->fd, self->pages - 1,
					&last->generation, &last->verdict));
		ASSERT_EQ(PASHM_INTACT, last->verdict);
		kill_midway(_metadata, self, variant->request);
		expect_sound(_metadata, self, variant->request);
		expect_changeable(_metadata, self);
	}
	TH_LOG("%d kills, %u in the middle", kills, self->midway);
	EXPECT_LE((kills + 1) / 2, (int)self->midway);
}

TEST_HARNESS_MAIN
