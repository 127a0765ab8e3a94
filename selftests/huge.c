// SPDX-License-Identifier: GPL-2.0-only
/* Sparse regions of a terabyte cost next to nothing, and their ends work. */
#include <kselftest_harness.h>

#include "common.h"

#define TERABYTE	(1ULL << 40)
#define RW		(PROT_READ | PROT_WRITE)
#define MANY		64
#define KIB_EACH	64		/* generous: some objects and an inode */

FIXTURE(huge)
{
	size_t pages;
	int fd;
};

FIXTURE_SETUP(huge)
{
	SKIP_WITHOUT_DEVICE();
	self->pages = TERABYTE / PAGE;
	self->fd = region_create(self->pages, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(huge)
{
	close(self->fd);
}

TEST_F(huge, it_has_no_tables_until_they_are_touched)
{
	struct pashm_info info = region_info(self->fd);

	EXPECT_EQ(TERABYTE, info.length);
	EXPECT_EQ(0, info.resident);
	EXPECT_EQ(0, info.tables);
}

TEST_F(huge, mapping_all_of_it_makes_no_tables)
{
	ASSERT_FALSE(MAP_FAILED_WITH(map_at(self->fd, PASHM_OFFSET_DATA,
					    TERABYTE, RW)));
	ASSERT_FALSE(MAP_FAILED_WITH(map_at(self->fd, PASHM_OFFSET_STATES,
					    self->pages * 8, RW)));
	ASSERT_FALSE(MAP_FAILED_WITH(map_at(self->fd, PASHM_OFFSET_BIRTHS,
					    self->pages * 4, RW)));
	ASSERT_FALSE(MAP_FAILED_WITH(map_at(self->fd, PASHM_OFFSET_PINS,
					    self->pages * 4, RW)));
	EXPECT_EQ(0, region_info(self->fd).tables);
	EXPECT_EQ(0, region_info(self->fd).resident);
}

TEST_F(huge, its_last_page_can_be_used)
{
	size_t last = self->pages - 1;
	long address = map_at(self->fd, PASHM_OFFSET_DATA, TERABYTE, RW);
	char *page = (char *)address + TERABYTE - PAGE;
	struct pashm_info info;
	uint32_t generation = 1, verdict;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	*page = 0x5a;
	ASSERT_EQ(0, region_reshape(self->fd, last, 1, 0));
	info = region_info(self->fd);
	EXPECT_EQ(PAGE, info.resident);
	EXPECT_EQ(1, info.pinned_extents);
	EXPECT_EQ(3 * PAGE, info.tables);
	EXPECT_EQ(0, region_purge(self->fd));
	ASSERT_EQ(0, region_unpin(self->fd, last));
	EXPECT_EQ(PAGE, region_purge(self->fd));
	EXPECT_EQ(0, *page);
	EXPECT_EQ(0, region_pin(self->fd, last, &generation, &verdict));
	EXPECT_EQ(PASHM_PURGED, verdict);
}

TEST_F(huge, its_last_words_can_be_mapped)
{
	size_t last = self->pages - 1;
	uint64_t *states = (void *)map_at(self->fd, PASHM_OFFSET_STATES,
					  self->pages * 8, RW);
	uint32_t *pins = (void *)map_at(self->fd, PASHM_OFFSET_PINS,
					self->pages * 4, RW);

	ASSERT_EQ(0, region_reshape(self->fd, last, 1, 0));
	EXPECT_EQ(1, pashm_state_length(states[last]));
	EXPECT_EQ(1, pashm_pin_count(pins[last]));
}

TEST_F(huge, words_far_apart_are_both_found)
{
	ASSERT_EQ(0, region_reshape(self->fd, 0, 1, 0));
	ASSERT_EQ(0, region_reshape(self->fd, self->pages - 1, 1, 0));
	EXPECT_EQ(2, region_info(self->fd).extents);
	EXPECT_EQ(6 * PAGE, region_info(self->fd).tables);
}

TEST_F(huge, many_of_them_cost_little)
{
	long long before, after;
	int fds[MANY], i;

	before = file_number("/proc/meminfo", "MemAvailable");
	for (i = 0; i < MANY; i++) {
		fds[i] = region_create(self->pages, 0);
		ASSERT_LE(0, fds[i]);
	}
	after = file_number("/proc/meminfo", "MemAvailable");
	TH_LOG("%d regions of 1 TiB: %lld KiB", MANY, before - after);
	EXPECT_GT(MANY * KIB_EACH, before - after);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
}

TEST_F(huge, the_greatest_region_works_at_its_end)
{
	int fd = region_create(PASHM_SIZE_MAX / PAGE, 0);
	size_t last = PASHM_SIZE_MAX / PAGE - 1;
	long address = map_at(fd, PASHM_SIZE_MAX - PAGE, PAGE, RW);

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	*(char *)address = 1;
	EXPECT_EQ(0, region_reshape(fd, last, 1, 0));
	EXPECT_EQ(0, region_unpin(fd, last));
	EXPECT_EQ(PAGE, region_purge(fd));
	EXPECT_EQ(0, *(char *)address);
	close(fd);
}

TEST_HARNESS_MAIN
