// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim by the VM as such: what a client does to its words or its pages does
 * not keep memory from it, and it counts what it frees, no more.
 */
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "common.h"
#include "shmem_huge.h"

#define HUGE	(2UL << 20)
#define SIZE	(4 * HUGE)
#define EXTENT	16UL			/* pages */
#define RW	(PROT_READ | PROT_WRITE)
#define DROP	"/proc/sys/vm/drop_caches"

FIXTURE(reclaim)
{
	int fd;
	char *data;			/* at a multiple of HUGE */
	struct shmem_huge setting;
};

FIXTURE_SETUP(reclaim)
{
	char *free_range;

	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(_exit(255), "only root can ask for reclaim");
	self->fd = region_create(SIZE / PAGE, 0);
	ASSERT_LE(0, self->fd);
	free_range = mmap(NULL, SIZE + HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, free_range);
	self->data = (char *)(((uintptr_t)free_range + HUGE - 1) & ~(HUGE - 1));
	ASSERT_EQ(self->data, mmap(self->data, SIZE, RW, MAP_SHARED | MAP_FIXED,
				   self->fd, PASHM_OFFSET_DATA));
}

FIXTURE_TEARDOWN(reclaim)
{
	shmem_huge_restore(&self->setting);
	munmap(self->data, SIZE);
	close(self->fd);
}

static void drop(struct __test_metadata *_metadata,
		 struct _test_data_reclaim *self)
{
	int tries;

	for (tries = 0; tries < 20 && region_info(self->fd).resident; tries++)
		ASSERT_EQ(0, file_write(DROP, "2"));
}

static int forge_claims(void *arg)
{
	int fd = region_attach(*(int *)arg, 0);
	long address = map_at(fd, PASHM_OFFSET_STATES, SIZE / PAGE * 8, RW);
	uint64_t *states = (uint64_t *)address;
	size_t i;

	if (MAP_FAILED_WITH(address))
		return 1;
	for (i = 0; i < SIZE / PAGE; i++)
		__atomic_fetch_or(&states[i], PASHM_STATE_PURGING,
				  __ATOMIC_SEQ_CST);
	return 0;
}

TEST_F_TIMEOUT(reclaim, claims_that_a_dead_client_has_forged_are_no_obstacle, 300)
{
	uint32_t generation = 1, verdict;

	ASSERT_EQ(0, region_fill(self->fd, self->data, SIZE / PAGE,
				 EXTENT));
	ASSERT_EQ(0, in_child(forge_claims, &self->fd));
	drop(_metadata, self);
	EXPECT_EQ(0, region_info(self->fd).resident);
	EXPECT_EQ(SIZE, region_info(self->fd).purged);
	EXPECT_EQ(0, self->data[SIZE - 1]);
	EXPECT_EQ(0, region_pin(self->fd, 0, &generation, &verdict));
	EXPECT_EQ(PASHM_PURGED, verdict);
}

/*
 * Touches without a pin make purged pages anew: in a region that is not strict,
 * and memory that nobody counts on.
 */
static void stray(struct __test_metadata *_metadata,
		  struct _test_data_reclaim *self)
{
	size_t page;

	for (page = 0; page < SIZE / PAGE; page++)
		ASSERT_EQ(0, self->data[page * PAGE]);
	/* A read, and a write: what is written without a pin is lost */
	memset(self->data + SIZE / 2, 1, SIZE / 2);
	ASSERT_EQ(SIZE, region_info(self->fd).resident);
	ASSERT_EQ(SIZE, region_info(self->fd).unpinned);
}

TEST_F_TIMEOUT(reclaim, strays_go_with_each_purge, 300)
{
	uint32_t generation = 1, verdict;
	int round;

	ASSERT_EQ(0, region_fill(self->fd, self->data, SIZE / PAGE,
				 EXTENT));
	for (round = 0; round < 5; round++) {
		EXPECT_EQ(SIZE, region_purge(self->fd));
		EXPECT_EQ(0, region_info(self->fd).resident);
		stray(_metadata, self);
	}
	EXPECT_EQ(SIZE, region_purge(self->fd));
	/* Their loss is one, too: a client may have filled them, and unpinned */
	EXPECT_EQ(6 * SIZE / PAGE / EXTENT, region_info(self->fd).purges);
	EXPECT_EQ(0, region_pin(self->fd, 0, &generation, &verdict));
	EXPECT_EQ(PASHM_PURGED, verdict);
	EXPECT_EQ(7, generation);
}

TEST_F_TIMEOUT(reclaim, strays_go_with_reclaim, 300)
{
	int round;

	ASSERT_EQ(0, region_fill(self->fd, self->data, SIZE / PAGE,
				 EXTENT));
	for (round = 0; round < 5; round++) {
		drop(_metadata, self);
		EXPECT_EQ(0, region_info(self->fd).resident);
		stray(_metadata, self);
	}
	drop(_metadata, self);
	EXPECT_EQ(0, region_info(self->fd).resident);
}

/* By the program's own advice */
static bool make_huge(struct _test_data_reclaim *self)
{
	if (shmem_huge_allow(&self->setting) ||
	    CALL(madvise(self->data, SIZE, MADV_HUGEPAGE)))
		return false;
	memset(self->data, 0x5a, SIZE);
	return shmem_huge_pages() > 0;
}

/* A pipe that holds on to the first page of the data */
static void hold_page(struct __test_metadata *_metadata,
		      struct _test_data_reclaim *self, int ends[2])
{
	struct iovec one = { .iov_base = self->data, .iov_len = PAGE };

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(PAGE, vmsplice(ends[1], &one, 1, 0));
}

/* A large folio that is in use cannot be split: what is cut off of it stays */
TEST_F_TIMEOUT(reclaim, what_could_not_be_freed_is_not_counted, 300)
{
	uint64_t freed;
	int ends[2];

	if (!make_huge(self))
		SKIP(return, "no huge page is to be had");
	ASSERT_EQ(0, region_fill(self->fd, self->data, SIZE / PAGE,
				 HUGE / PAGE / 4));
	hold_page(_metadata, self, ends);
	freed = region_purge(self->fd);
	EXPECT_EQ(SIZE - HUGE, freed);
	EXPECT_EQ(HUGE, region_info(self->fd).resident);
	EXPECT_EQ(freed, region_info(self->fd).purged);
	EXPECT_EQ(0, self->data[PAGE]);
	close(ends[0]);
	close(ends[1]);
	/* And now it can go */
	EXPECT_EQ(HUGE, region_purge(self->fd));
	EXPECT_EQ(0, region_info(self->fd).resident);
}

TEST_HARNESS_MAIN
