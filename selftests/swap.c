// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions and a swap device: what is pinned may be swapped out, like any other
 * memory. What is unpinned may be, too, and is then nothing that reclaim could
 * gain by taking it. For scenarios/swap.sh, whose guest has a swap device.
 */
#include <kselftest_harness.h>

#include "cgroup.h"
#include "told.h"

#define SIZE	(16 * MIB)
#define HALF	(SIZE / 2)

FIXTURE(swap)
{
	int fd;
	char *data;
};

static uint64_t *word_of(char *data, size_t page)
{
	return (uint64_t *)(data + page * PAGE);
}

FIXTURE_SETUP(swap)
{
	long address;
	size_t page;

	SKIP_WITHOUT_DEVICE();
	if (file_number("/proc/meminfo", "SwapTotal:") <= 0)
		SKIP(_exit(255), "no swap device; scenarios/swap.sh has one");
	self->fd = region_create(SIZE / PAGE, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, 0, SIZE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
	for (page = 0; page < SIZE / PAGE; page++) {
		if (page % EXTENT == 0)
			ASSERT_EQ(0, region_reshape(self->fd, page, EXTENT, 0));
		*word_of(self->data, page) = page + 1;
	}
}

FIXTURE_TEARDOWN(swap)
{
	munmap(self->data, SIZE);
	close(self->fd);
}

/* Pages written but not yet swapped out are clean only later: ask again */
static uint64_t swap_out(int fd, char *data, size_t bytes)
{
	uint64_t swapped = 0;
	int tries;

	for (tries = 0; tries < 20 && swapped < bytes; tries++) {
		madvise(data, bytes, MADV_PAGEOUT);
		swapped = region_info(fd).swapped;
	}
	return swapped;
}

static void unpin(int fd, size_t first, size_t end)
{
	for (; first < end; first += EXTENT)
		region_unpin(fd, first);
}

/* Extents of these pages that are intact, with their bytes; -1: forged ones */
static long intact(int fd, char *data, size_t first, size_t end)
{
	long extents = 0;
	size_t page;

	for (; first < end; first += EXTENT) {
		uint32_t generation = 1, verdict;

		if (region_pin(fd, first, &generation, &verdict))
			return -1;
		if (verdict != PASHM_INTACT)
			continue;
		for (page = first; page < first + EXTENT; page++)
			if (*word_of(data, page) != page + 1)
				return -1;
		extents++;
	}
	return extents;
}

TEST_F_TIMEOUT(swap, info_tells_what_is_swapped_out_and_touching_brings_it_back, 300)
{
	uint64_t out = swap_out(self->fd, self->data, HALF);
	struct pashm_info info = region_info(self->fd);

	EXPECT_LE(HALF * 3 / 4, out);
	EXPECT_GE(HALF, out);
	EXPECT_EQ(SIZE, info.resident + info.swapped);
	EXPECT_EQ(SIZE / PAGE / EXTENT,
		  (size_t)intact(self->fd, self->data, 0, SIZE / PAGE));
	EXPECT_EQ(0, region_info(self->fd).purges);
}

TEST_F_TIMEOUT(swap, reclaim_takes_nothing_that_is_swapped_out, 300)
{
	size_t out, kept;

	unpin(self->fd, 0, SIZE / PAGE);
	out = swap_out(self->fd, self->data, HALF);
	ASSERT_LE(HALF * 3 / 4, out);
	ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
	kept = region_info(self->fd).swapped;
	TH_LOG("of %zu KiB swapped out, %zu are left; %llu KiB purged",
	       out >> 10, kept >> 10,
	       (unsigned long long)region_info(self->fd).purged >> 10);
	/* Extents that are swapped out in part may go */
	EXPECT_LE(out / 2, kept);
	EXPECT_LE(SIZE / 4, region_info(self->fd).purged);
	EXPECT_LE((long)(kept / PAGE / EXTENT),
		  intact(self->fd, self->data, 0, HALF / PAGE));
	EXPECT_LE(0, intact(self->fd, self->data, HALF / PAGE, SIZE / PAGE));
}

TEST_F_TIMEOUT(swap, a_purge_on_request_takes_that_too, 300)
{
	unpin(self->fd, 0, SIZE / PAGE);
	ASSERT_LE(HALF * 3 / 4, swap_out(self->fd, self->data, HALF));
	ASSERT_LE(0, region_purge(self->fd));
	EXPECT_EQ(0, region_info(self->fd).swapped);
	EXPECT_EQ(0, region_info(self->fd).resident);
	EXPECT_EQ(0, intact(self->fd, self->data, 0, SIZE / PAGE));
}

TEST_F_TIMEOUT(swap, what_is_swapped_out_is_no_memory_to_be_had, 300)
{
	long long before = told_settled(TOLD_ALL), margin = SIZE / PAGE / 8;
	uint64_t out;

	unpin(self->fd, 0, SIZE / PAGE);
	EXPECT_TRUE(told_comes_to(TOLD_ALL, before, SIZE / PAGE, margin));
	out = swap_out(self->fd, self->data, HALF);
	ASSERT_LE(HALF * 3 / 4, out);
	EXPECT_TRUE(told_comes_to(TOLD_ALL, before, (SIZE - out) / PAGE,
				  margin));
}

FIXTURE(swap_limit)
{
	int fd;
};

FIXTURE_SETUP(swap_limit)
{
	const char *why;

	SKIP_WITHOUT_DEVICE();
	why = make_groups();
	if (why)
		SKIP(_exit(255), "%s", why);
	if (file_number("/proc/meminfo", "SwapTotal:") <= 0)
		SKIP(_exit(255), "no swap device; scenarios/swap.sh has one");
	self->fd = region_create(units(300) / PAGE, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(swap_limit)
{
	close(self->fd);
	remove_groups();
}

/*
 * Nine tenths of what is filled are unpinned; what is pinned, and what the program has
 * itself, may go. Without us a kernel would swap all that is beyond the limit.
 */
TEST_F_TIMEOUT(swap_limit, unpinned_memory_is_taken_first, 600)
{
	struct job job = {
		.group = INNER, .fd = self->fd, .pages = units(300) / PAGE,
	};
	long long beyond = (long long)(job.pages - units(LIMIT) / PAGE), swaps;

	swaps = file_number("/proc/vmstat", "pswpout");
	EXPECT_EQ(0, in_child(fill_in_group, &job));
	swaps = file_number("/proc/vmstat", "pswpout") - swaps;
	TH_LOG("%lld pages are beyond the limit, %lld were swapped out, %llu taken",
	       beyond, swaps,
	       (unsigned long long)region_info(job.fd).purged / PAGE);
	EXPECT_EQ(0, oom_kills());
	EXPECT_LE(swaps, beyond / 4);
	EXPECT_GE(beyond * 5 / 4,
		  (long long)(region_info(self->fd).purged / PAGE));
}

TEST_HARNESS_MAIN
