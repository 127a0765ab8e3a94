// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reclaim takes, and what it keeps: the choice of victims, in a cgroup at its
 * limit. That it takes as much as it should is tested elsewhere.
 */
#include <sys/mman.h>

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

FIXTURE_SETUP(policy)
{
	const char *why;
	long address;

	SKIP_WITHOUT_DEVICE();
	why = make_groups();
	if (why)
		SKIP(_exit(255), "%s", why);
	ASSERT_EQ(0, enter(INNER));
	self->extents = extents_in(400);
	self->fd = region_create(self->extents * EXTENT, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, 0, self->extents * EXTENT * PAGE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
}

FIXTURE_TEARDOWN(policy)
{
	munmap(self->data, self->extents * EXTENT * PAGE);
	close(self->fd);
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
		make(_metadata, self, extent, extent % 2 ? 6 : 2);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(44)));
	low = lost(_metadata, self, 0, 2, end);
	high = lost(_metadata, self, 1, 2, end);
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
	while (region_info(self->fd).epoch < epoch + 210) {
		make(_metadata, self, 1, PASHM_PRIORITY_DEFAULT);
		ASSERT_EQ(EXTENT * PAGE, region_purge(self->fd));
	}
	EXPECT_EQ(before, pins[0]);
	for (tries = 0; tries < 20 && pins[0]; tries++) {
		make(_metadata, self, 1, PASHM_PRIORITY_DEFAULT);
		ASSERT_EQ(0, file_write(DROP, "2"));
	}
	EXPECT_EQ(0, pins[0]);
	munmap(pins, PAGE);
}

TEST_HARNESS_MAIN
