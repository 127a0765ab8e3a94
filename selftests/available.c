// SPDX-License-Identifier: GPL-2.0-only
/* What the VM is told of memory that could be taken, and so what is in MemAvailable. */
#include <kselftest_harness.h>

#include "common.h"
#include "told.h"

#define SIZE	(32UL << 20)
#define EXTENT	16UL			/* pages */
#define RW	(PROT_READ | PROT_WRITE)
#define MANY	6

FIXTURE(available)
{
	int fd;
	char *data;
	long long before;
};

FIXTURE_SETUP(available)
{
	long address;

	SKIP_WITHOUT_DEVICE();
	self->before = told_settled(TOLD_ALL);
	ASSERT_LE(0, self->before);
	self->fd = region_create(SIZE / PAGE, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, 0, SIZE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
	ASSERT_EQ(0, region_fill(self->fd, self->data, SIZE / PAGE, EXTENT));
}

FIXTURE_TEARDOWN(available)
{
	munmap(self->data, SIZE);
	close(self->fd);
}

static long pin(struct _test_data_available *self, size_t first, size_t end)
{
	uint32_t generation, verdict;
	long ret = 0;

	for (; !ret && first < end; first += EXTENT) {
		generation = 1;
		ret = region_pin(self->fd, first, &generation, &verdict);
	}
	return ret;
}

static bool comes_to(struct _test_data_available *self, size_t pages)
{
	return told_comes_to(TOLD_ALL, self->before, pages, SIZE / PAGE / 16);
}

TEST_F_TIMEOUT(available, what_is_unpinned_is_told_and_what_is_pinned_is_not, 600)
{
	EXPECT_TRUE(comes_to(self, SIZE / PAGE));
	ASSERT_EQ(0, pin(self, 0, SIZE / PAGE / 4));
	EXPECT_TRUE(comes_to(self, SIZE / PAGE * 3 / 4));
	ASSERT_EQ(0, pin(self, SIZE / PAGE / 4, SIZE / PAGE));
	EXPECT_TRUE(comes_to(self, 0));
}

TEST_F_TIMEOUT(available, what_was_taken_is_not_told_any_more, 600)
{
	EXPECT_TRUE(comes_to(self, SIZE / PAGE));
	ASSERT_EQ(SIZE, region_purge(self->fd));
	EXPECT_TRUE(comes_to(self, 0));
}

TEST_F_TIMEOUT(available, it_counts_as_available, 600)
{
	long long with, without;

	ASSERT_TRUE(comes_to(self, SIZE / PAGE));
	with = file_number("/proc/meminfo", "MemAvailable:");
	ASSERT_EQ(0, pin(self, 0, SIZE / PAGE));
	ASSERT_TRUE(comes_to(self, 0));
	without = file_number("/proc/meminfo", "MemAvailable:");
	TH_LOG("%lld KiB are available, %lld when all is pinned", with,
	       without);
	EXPECT_LE((long long)SIZE / 1024 / 4, with - without);
}

TEST_F_TIMEOUT(available, nothing_of_a_region_is_left_behind, 600)
{
	EXPECT_TRUE(comes_to(self, SIZE / PAGE));
	munmap(self->data, SIZE);
	close(self->fd);
	EXPECT_TRUE(comes_to(self, 0));
	self->fd = -1;
}

/* They have more extents than are looked at in a second */
TEST_F_TIMEOUT(available, all_of_many_regions_are_told, 600)
{
	size_t pages = SIZE / PAGE / 2, i;
	int fds[MANY];

	for (i = 0; i < MANY; i++) {
		long address;

		fds[i] = region_create(pages, 0);
		ASSERT_LE(0, fds[i]);
		address = map_at(fds[i], 0, pages * PAGE, RW);
		ASSERT_FALSE(MAP_FAILED_WITH(address));
		ASSERT_EQ(0, region_fill(fds[i], (char *)address, pages, 1));
		munmap((char *)address, pages * PAGE);
	}
	EXPECT_TRUE(comes_to(self, SIZE / PAGE + MANY * pages));
	ASSERT_EQ((long)(pages * PAGE), region_purge(fds[MANY - 1]));
	ASSERT_EQ((long)(pages * PAGE), region_purge(fds[0]));
	EXPECT_TRUE(comes_to(self, SIZE / PAGE + (MANY - 2) * pages));
	for (i = 0; i < MANY; i++)
		close(fds[i]);
	EXPECT_TRUE(comes_to(self, SIZE / PAGE));
}

TEST_HARNESS_MAIN
