// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strict regions: a touch of what no client has pinned is SIGBUS, and EFAULT in
 * a system call.
 */
#include <signal.h>
#include <sys/uio.h>

#include <kselftest_harness.h>

#include "common.h"
#include "sigbus.h"

#define PAGES		64UL
#define EXTENT		8UL
#define BYTES		(PAGES * PAGE)
#define RW		(PROT_READ | PROT_WRITE)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

FIXTURE(strict)
{
	int fd;
	char *data;
	bool unpinned;			/* STRICT_UNPINNED */
};

FIXTURE_VARIANT(strict)
{
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(strict, gone) { .flags = PASHM_CREATE_STRICT };
FIXTURE_VARIANT_ADD(strict, unpinned)
{
	.flags = PASHM_CREATE_STRICT_UNPINNED,
};

FIXTURE_SETUP(strict)
{
	long address;

	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, variant->flags);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, PASHM_OFFSET_DATA, BYTES, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
	self->unpinned = variant->flags & PASHM_CREATE_STRICT_UNPINNED;
	catch_sigbus();
}

FIXTURE_TEARDOWN(strict)
{
	munmap(self->data, BYTES);
	close(self->fd);
}

/* All of it extents, written and unpinned; the mapping is dropped */
static void fill(struct __test_metadata *_metadata,
		 struct _test_data_strict *self)
{
	ASSERT_EQ(0, region_fill(self->fd, self->data, PAGES, EXTENT));
	ASSERT_EQ(0, madvise(self->data, BYTES, MADV_DONTNEED));
}

static void purge(struct __test_metadata *_metadata,
		  struct _test_data_strict *self)
{
	fill(_metadata, self);
	ASSERT_EQ(BYTES, region_purge(self->fd));
}

static void expect_all(struct __test_metadata *_metadata,
		       struct _test_data_strict *self, size_t first, size_t end,
		       int byte)
{
	for (; first < end; first++)
		EXPECT_EQ(byte, peek(self->data + first * PAGE))
			TH_LOG("page %zu", first);
}

static long pin(int fd, size_t page)
{
	uint32_t generation = 1, verdict;
	long ret = region_pin(fd, page, &generation, &verdict);

	return ret ? ret : verdict;
}

TEST_F(strict, info_and_header_tell_the_flags)
{
	uint32_t flags = variant->flags | PASHM_CREATE_STRICT;
	int other = region_attach(self->fd, 0);
	long address = map_at(self->fd, PASHM_OFFSET_HEADER, PAGE, PROT_READ);

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	EXPECT_EQ(flags, region_info(self->fd).region_flags);
	EXPECT_EQ(flags, region_info(other).region_flags);
	EXPECT_EQ(flags, ((struct pashm_header *)address)->flags);
}

TEST_F(strict, purged_memory_is_refused)
{
	size_t page;

	purge(_metadata, self);
	for (page = 0; page < PAGES; page++) {
		char *at = self->data + page * PAGE + page;

		ASSERT_EQ(REFUSED, peek(at));
		ASSERT_EQ(at, refused_at);
		ASSERT_EQ(REFUSED, poke(at, 1));
	}
	EXPECT_EQ(0, region_info(self->fd).resident);
}

TEST_F(strict, memory_that_was_never_written_is_refused)
{
	ASSERT_EQ(0, region_reshape(self->fd, 8, 1, 0));
	ASSERT_EQ(0, region_unpin(self->fd, 8));
	expect_all(_metadata, self, 8, 9, REFUSED);
	EXPECT_EQ(0, region_info(self->fd).resident);
}

static int die_of_it(void *arg)
{
	signal(SIGBUS, SIG_DFL);
	return *(volatile char *)arg;
}

TEST_F(strict, a_process_that_does_not_expect_it_ends)
{
	purge(_metadata, self);
	EXPECT_EQ(128 + SIGBUS, in_child(die_of_it, self->data));
	ASSERT_EQ(PASHM_PURGED, pin(self->fd, 0));
	EXPECT_EQ(0, in_child(die_of_it, self->data));
}

TEST_F(strict, after_a_pin_purged_memory_reads_as_zeros)
{
	purge(_metadata, self);
	ASSERT_EQ(PASHM_PURGED, pin(self->fd, EXTENT));
	expect_all(_metadata, self, 0, EXTENT, REFUSED);
	expect_all(_metadata, self, EXTENT, 2 * EXTENT, 0);
	expect_all(_metadata, self, 2 * EXTENT, PAGES, REFUSED);
	EXPECT_EQ(7, poke(self->data + EXTENT * PAGE, 7));
}

TEST_F(strict, the_pin_of_any_client_will_do)
{
	int other = region_attach(self->fd, PROT_READ);

	purge(_metadata, self);
	ASSERT_EQ(PASHM_PURGED, pin(other, 0));
	expect_all(_metadata, self, 0, EXTENT, 0);
	expect_all(_metadata, self, EXTENT, PAGES, REFUSED);
}

static int pin_and_die(void *arg)
{
	return (int)pin(region_attach(*(int *)arg, 0), 0);
}

TEST_F(strict, the_pin_of_a_dead_client_will_not)
{
	purge(_metadata, self);
	ASSERT_EQ(PASHM_PURGED, in_child(pin_and_die, &self->fd));
	expect_all(_metadata, self, 0, PAGES, REFUSED);
}

TEST_F(strict, memory_of_no_extent_is_not_refused)
{
	ASSERT_EQ(0, region_reshape(self->fd, 8, 4, 0));
	ASSERT_EQ(0, region_unpin(self->fd, 8));
	expect_all(_metadata, self, 0, 8, 0);
	expect_all(_metadata, self, 8, 12, REFUSED);
	expect_all(_metadata, self, 12, PAGES, 0);
	ASSERT_EQ(0, pin(self->fd, 8));
	ASSERT_EQ(0, region_reshape(self->fd, 8, 4, PASHM_RESHAPE_FREE |
				    PASHM_RESHAPE_DISCARD));
	expect_all(_metadata, self, 0, PAGES, 0);
}

TEST_F(strict, memory_that_is_there_is_refused_by_the_debug_level_only)
{
	fill(_metadata, self);
	expect_all(_metadata, self, 0, PAGES, self->unpinned ? REFUSED : 0x5a);
	ASSERT_EQ(0, pin(self->fd, EXTENT));
	/* This maps no neighbours, or they would not be refused */
	expect_all(_metadata, self, EXTENT, 2 * EXTENT, 0x5a);
	expect_all(_metadata, self, 0, EXTENT, self->unpinned ? REFUSED : 0x5a);
	ASSERT_EQ(0, region_unpin(self->fd, EXTENT));
	/* Mapped: nobody is asked */
	expect_all(_metadata, self, EXTENT, 2 * EXTENT, 0x5a);
	ASSERT_EQ(0, madvise(self->data, BYTES, MADV_DONTNEED));
	expect_all(_metadata, self, EXTENT, 2 * EXTENT,
		   self->unpinned ? REFUSED : 0x5a);
	EXPECT_EQ(BYTES, region_info(self->fd).resident);
}

TEST_F(strict, a_private_mapping_is_refused_what_a_shared_one_is)
{
	char *private = mmap(NULL, BYTES, RW, MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, private);
	purge(_metadata, self);
	EXPECT_EQ(REFUSED, peek(private));
	EXPECT_EQ(REFUSED, poke(private, 1));
	ASSERT_EQ(PASHM_PURGED, pin(self->fd, 0));
	EXPECT_EQ(1, poke(private, 1));
	ASSERT_EQ(0, region_unpin(self->fd, 0));
	/* A copy, and no longer of the region */
	EXPECT_EQ(1, peek(private));
}

TEST_F(strict, system_calls_fail_with_efault)
{
	struct iovec to = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	struct iovec from = { .iov_base = self->data, .iov_len = 1 };
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), ends[2], round;

	purge(_metadata, self);
	ASSERT_LE(0, zero);
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	for (round = 0; round < 2; round++) {
		bool pinned = round;

		EXPECT_EQ(pinned ? 1 : -EFAULT, CALL(read(zero, self->data, 1)));
		EXPECT_EQ(pinned ? 1 : -EFAULT,
			  CALL(write(ends[1], self->data, 1)));
		EXPECT_EQ(pinned ? 1 : -EFAULT,
			  CALL(process_vm_readv(getpid(), &to, 1, &from, 1, 0)));
		EXPECT_EQ(pinned ? 0 : -EFAULT,
			  CALL(madvise(self->data, PAGE, MADV_POPULATE_READ)));
		ASSERT_EQ(PASHM_PURGED, pin(self->fd, 0));
	}
	/* Half of it is not there */
	EXPECT_EQ(PAGE, CALL(read(zero, self->data + (EXTENT - 1) * PAGE,
				  2 * PAGE)));
}

TEST_F(strict, what_is_swapped_out_is_there)
{
	int tries;

	if (file_number("/proc/meminfo", "SwapTotal:") <= 0)
		SKIP(return, "no swap device");
	fill(_metadata, self);
	ASSERT_EQ(0, pin(self->fd, 0));
	expect_all(_metadata, self, 0, EXTENT, 0x5a);
	for (tries = 0; tries < 20 && !region_info(self->fd).swapped; tries++)
		madvise(self->data, EXTENT * PAGE, MADV_PAGEOUT);
	if (!region_info(self->fd).swapped)
		SKIP(return, "nothing was swapped out");
	ASSERT_EQ(0, region_unpin(self->fd, 0));
	expect_all(_metadata, self, 0, EXTENT, self->unpinned ? REFUSED : 0x5a);
	if (!self->unpinned)
		EXPECT_EQ(0, region_info(self->fd).swapped);
}

TEST_HARNESS_MAIN
