// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reclaim takes, and what it keeps: the choice of victims, in a cgroup at its
 * limit. That it takes as much as it should is tested elsewhere.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "cgroup.h"

#define DROP	"/proc/sys/vm/drop_caches"

FIXTURE(policy)
{
	int fd;
	char *data;
	size_t extents;
};

/* Of EXTENT pages each */
static size_t extents_in(size_t count)
{
	return units(count) / PAGE / EXTENT;
}

static void open_region(struct __test_metadata *_metadata,
			struct _test_data_policy *self)
{
	long address;

	self->extents = extents_in(400);
	self->fd = region_create(self->extents * EXTENT, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, 0, self->extents * EXTENT * PAGE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
}

static void close_region(struct _test_data_policy *self)
{
	munmap(self->data, self->extents * EXTENT * PAGE);
	close(self->fd);
}

FIXTURE_SETUP(policy)
{
	const char *why;

	SKIP_WITHOUT_DEVICE();
	why = make_groups();
	if (why)
		SKIP(_exit(255), "%s", why);
	ASSERT_EQ(0, enter(INNER));
	open_region(_metadata, self);
}

FIXTURE_TEARDOWN(policy)
{
	close_region(self);
	enter("/sys/fs/cgroup");
	remove_groups();
}

static void make(struct __test_metadata *_metadata,
		 struct _test_data_policy *self, size_t extent,
		 uint32_t priority)
{
	struct pashm_reshape reshape = {
		.size = sizeof(reshape), .priority = priority,
		.offset = extent * EXTENT * PAGE, .length = EXTENT * PAGE,
	};

	ASSERT_EQ(0, command(self->fd, PASHM_IOC_RESHAPE, &reshape));
	fill_extent(self->data, extent);
	ASSERT_EQ(0, region_unpin(self->fd, extent * EXTENT));
}

/* As a cache does: filled again if it is gone. Returns whether it was there */
static bool use(struct __test_metadata *_metadata,
		struct _test_data_policy *self, size_t extent,
		uint32_t *generation)
{
	uint32_t verdict;

	ASSERT_EQ(0, region_pin(self->fd, extent * EXTENT, generation,
				&verdict));
	if (verdict != PASHM_INTACT)
		fill_extent(self->data, extent);
	ASSERT_EQ(0, region_unpin(self->fd, extent * EXTENT));
	return verdict == PASHM_INTACT;
}

static size_t lost(struct __test_metadata *_metadata,
		   struct _test_data_policy *self, size_t first, size_t step,
		   size_t end)
{
	size_t extent, count = 0;

	for (extent = first; extent < end; extent += step) {
		uint32_t generation = 1, verdict;

		ASSERT_EQ(0, region_pin(self->fd, extent * EXTENT, &generation,
					&verdict));
		count += verdict != PASHM_INTACT;
		ASSERT_EQ(0, region_unpin(self->fd, extent * EXTENT));
	}
	return count;
}

/* All were used once, in the first epoch: nothing else tells them apart */
TEST_F_TIMEOUT(policy, a_low_priority_goes_first_from_the_first_purge_on, 600)
{
	size_t end = extents_in(56), extent, low, high;

	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < end; extent++)
		make(_metadata, self, extent, extent < end / 2 ? 6 : 2);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(44)));
	high = lost(_metadata, self, 0, 1, end / 2);
	low = lost(_metadata, self, end / 2, 1, end);
	TH_LOG("of %zu of a low priority %zu are lost, of a high one %zu",
	       end / 2, low, high);
	EXPECT_LE(extents_in(8), low);
	EXPECT_GE(low / 50, high);
}

/*
 * A stream of extents that are used once goes by. What was used in several epochs
 * before stays, though nobody uses it: LRU would have lost all of that.
 */
TEST_F_TIMEOUT(policy, what_was_used_often_outlives_a_scan, 600)
{
	size_t hot = extents_in(16), next = hot, round, extent, gone = 0;
	uint32_t *generation = calloc(hot, sizeof(*generation));

	ASSERT_NE(NULL, generation);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < hot; extent++) {
		make(_metadata, self, extent, PASHM_PRIORITY_DEFAULT);
		generation[extent] = 1;
	}
	for (round = 0; round < 12; round++) {
		for (extent = 0; extent < hot; extent++)
			use(_metadata, self, extent, &generation[extent]);
		for (extent = 0; extent < extents_in(16); extent++)
			make(_metadata, self, next++, PASHM_PRIORITY_DEFAULT);
	}
	for (extent = 0; extent < hot; extent++)
		use(_metadata, self, extent, &generation[extent]);
	for (extent = 0; extent < extents_in(80); extent++)
		make(_metadata, self, next++, PASHM_PRIORITY_DEFAULT);
	for (extent = 0; extent < hot; extent++)
		gone += !use(_metadata, self, extent, &generation[extent]);
	TH_LOG("%zu of %zu are lost", gone, hot);
	EXPECT_GE(hot / 10, gone);
	free(generation);
}

static void tick_until(struct __test_metadata *_metadata,
		       struct _test_data_policy *self, uint32_t epoch)
{
	while (region_info(self->fd).epoch < epoch) {
		make(_metadata, self, 1, PASHM_PRIORITY_DEFAULT);
		ASSERT_EQ(EXTENT * PAGE, region_purge(self->fd));
	}
}

static void drop(struct __test_metadata *_metadata,
		 struct _test_data_policy *self)
{
	make(_metadata, self, 1, PASHM_PRIORITY_DEFAULT);
	ASSERT_EQ(0, file_write(DROP, "2"));
}

/*
 * Ages are counted modulo 256: what is gone for so long would look fresh. Purges on
 * request make the clock tick, and the hand of reclaim finds the note.
 */
TEST_F_TIMEOUT(policy, old_notes_are_cleared_before_they_look_fresh, 600)
{
	long address = map_at(self->fd, PASHM_OFFSET_PINS, PAGE, PROT_READ);
	uint32_t *pins = (uint32_t *)address, before, epoch;
	int tries;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	make(_metadata, self, 0, PASHM_PRIORITY_DEFAULT);
	ASSERT_EQ(EXTENT * PAGE, region_purge(self->fd));
	before = pins[0];
	epoch = region_info(self->fd).epoch;
	EXPECT_NE(0, pashm_pin_recency(before));
	EXPECT_EQ(1, pashm_pin_frequency(before));
	tick_until(_metadata, self, epoch + 150);
	for (tries = 0; tries < 5; tries++)
		drop(_metadata, self);
	EXPECT_EQ(before, pins[0]);
	tick_until(_metadata, self, epoch + 210);
	EXPECT_EQ(before, pins[0]);
	for (tries = 0; tries < 20 && pins[0]; tries++)
		drop(_metadata, self);
	EXPECT_EQ(0, pins[0]);
	munmap(pins, PAGE);
}

static int share_lost(int fd, size_t filled)
{
	return (int)(100 - region_info(fd).resident * 100 / units(filled));
}

TEST_F_TIMEOUT(policy, regions_give_in_proportion_to_their_size, 600)
{
	struct _test_data_policy small;
	int of_large, of_small;
	size_t extent;

	open_region(_metadata, &small);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < extents_in(48); extent++)
		make(_metadata, self, extent, PASHM_PRIORITY_DEFAULT);
	for (extent = 0; extent < extents_in(8); extent++)
		make(_metadata, &small, extent, PASHM_PRIORITY_DEFAULT);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(36)));
	of_large = share_lost(self->fd, 48);
	of_small = share_lost(small.fd, 8);
	TH_LOG("the large one has lost %d %%, the small one %d %%", of_large,
	       of_small);
	EXPECT_LE(20, of_large);
	EXPECT_GE(15, abs(of_large - of_small));
	close_region(&small);
}

#define SMALL	20U
#define LARGE	4U
#define PINNED	3U
#define CROWD	(SMALL + LARGE + PINNED)

/* Of index @i, in units */
static size_t crowd_size(size_t i)
{
	return i % 6 == 1 && i / 6 < LARGE ? 8 : 1;
}

static bool crowd_pinned(size_t i)
{
	return i % 8 == 2 && i / 8 < PINNED;
}

/* One that fills @count units with data, and reclaims for that; then it keeps them */
static pid_t start_eater(size_t count)
{
	pid_t pid = fork();
	char *data;
	size_t at;

	if (pid)
		return pid;
	data = mmap(NULL, units(count), RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		_exit(1);
	for (at = 0; at < units(count); at += PAGE)
		data[at] = 1;
	raise(SIGSTOP);
	_exit(0);
}

static void eat(struct __test_metadata *_metadata, size_t eaters, size_t count)
{
	pid_t pids[8];
	size_t i;
	int status;

	for (i = 0; i < eaters; i++) {
		pids[i] = start_eater(count);
		ASSERT_LT(0, pids[i]);
	}
	for (i = 0; i < eaters; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, WUNTRACED));
		EXPECT_TRUE(WIFSTOPPED(status));
	}
	for (i = 0; i < eaters; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
}

static void fill_crowd(struct __test_metadata *_metadata,
		       struct _test_data_policy *crowd)
{
	size_t i, extent;

	for (i = 0; i < CROWD; i++) {
		open_region(_metadata, &crowd[i]);
		for (extent = 0; extent < extents_in(crowd_size(i)); extent++) {
			uint32_t generation = 1, verdict;

			make(_metadata, &crowd[i], extent,
			     PASHM_PRIORITY_DEFAULT);
			if (crowd_pinned(i))
				ASSERT_EQ(0, region_pin(crowd[i].fd,
							extent * EXTENT,
							&generation, &verdict));
		}
	}
}

/*
 * More listings than are looked at in one go, some with nothing to give, and several
 * reclaimers at once, each of which wants a little at a time.
 */
TEST_F_TIMEOUT(policy, a_crowd_of_regions_gives_in_proportion, 600)
{
	int of_small = 0, of_large = 0;
	size_t i, spared = 0, emptied = 0;
	struct _test_data_policy crowd[CROWD];

	ASSERT_EQ(0, group_set(INNER, "memory.max", units(70)));
	fill_crowd(_metadata, crowd);
	eat(_metadata, 4, 7);
	for (i = 0; i < CROWD; i++) {
		int share = share_lost(crowd[i].fd, crowd_size(i));

		close_region(&crowd[i]);
		if (crowd_pinned(i)) {
			EXPECT_EQ(0, share);
			continue;
		}
		if (crowd_size(i) > 1) {
			of_large += share;
			continue;
		}
		of_small += share;
		spared += share == 0;
		emptied += share == 100;
	}
	of_large /= (int)LARGE;
	of_small /= (int)SMALL;
	TH_LOG("the large ones have lost %d %%, the small ones %d %%; of those %zu nothing, %zu all",
	       of_large, of_small, spared, emptied);
	EXPECT_LE(5, of_large);
	EXPECT_GE(15, abs(of_large - of_small));
	EXPECT_GE(SMALL / 4, spared);
	EXPECT_GE(SMALL / 4, emptied);
}

TEST_F_TIMEOUT(policy, a_region_in_use_gives_less_than_one_that_is_not, 600)
{
	size_t filled = extents_in(26), extent;
	struct _test_data_policy idle;
	uint64_t of_used, of_idle;
	int limit;
	uint32_t *generation = calloc(filled, sizeof(*generation));

	ASSERT_NE(NULL, generation);
	open_region(_metadata, &idle);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < filled; extent++) {
		make(_metadata, self, extent, PASHM_PRIORITY_DEFAULT);
		make(_metadata, &idle, extent, PASHM_PRIORITY_DEFAULT);
		generation[extent] = 1;
	}
	for (limit = 60; limit > 36; limit--) {
		ASSERT_EQ(0, group_set(INNER, "memory.max",
				       units((size_t)limit)));
		for (extent = 0; extent < filled; extent++)
			use(_metadata, self, extent, &generation[extent]);
	}
	of_used = region_info(self->fd).purged;
	of_idle = region_info(idle.fd).purged;
	TH_LOG("%llu KiB were taken where all is used, %llu where nothing is",
	       (unsigned long long)of_used / 1024,
	       (unsigned long long)of_idle / 1024);
	EXPECT_LT(0, of_idle);
	EXPECT_LE(3 * of_used, 2 * of_idle);
	close_region(&idle);
	free(generation);
}

TEST_HARNESS_MAIN
