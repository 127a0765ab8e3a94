// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a client may do: rights given up, and descriptors that belong to
 * another process.
 */
#include <pthread.h>

#include <kselftest_harness.h>

#include "common.h"

#define PAGES	8
#define ALL	(PROT_READ | PROT_WRITE | PROT_EXEC)

FIXTURE(client)
{
	int fd;
	int narrow;			/* may read only */
	uint32_t generation;
	uint32_t verdict;
};

FIXTURE_SETUP(client)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	self->narrow = region_attach(self->fd, PROT_READ);
	ASSERT_LE(0, self->narrow);
	/* An extent of one page, pinned once by the first client */
	ASSERT_EQ(0, region_reshape(self->fd, 0, 1, 0));
	self->generation = 1;
}

FIXTURE_TEARDOWN(client)
{
	close(self->narrow);
	close(self->fd);
}

TEST_F(client, adding_a_right_that_was_given_up_is_einval)
{
	EXPECT_EQ(-EINVAL, region_protect(self->narrow, PROT_READ | PROT_WRITE,
					  0));
	EXPECT_EQ(PROT_READ, region_info(self->narrow).prot);
}

TEST_F(client, an_unknown_right_is_einval)
{
	EXPECT_EQ(-EINVAL, region_protect(self->fd, PROT_READ | 8, 0));
}

TEST_F(client, prot_with_a_reserved_member_is_einval)
{
	struct pashm_prot prot = {
		.size = sizeof(prot), .prot = PROT_READ, .reserved = 1,
	};

	EXPECT_EQ(-EINVAL, command(self->fd, PASHM_IOC_PROT, &prot));
}

TEST_F(client, giving_up_a_right_of_a_descriptor_leaves_others_alone)
{
	ASSERT_EQ(0, region_protect(self->fd, PROT_READ | PROT_EXEC, 0));
	EXPECT_EQ(PROT_READ | PROT_EXEC, region_info(self->fd).prot);
	EXPECT_EQ(PROT_READ, region_info(self->narrow).prot);
}

TEST_F(client, giving_up_a_right_of_the_region_is_for_all)
{
	int other = region_attach(self->fd, 0);

	ASSERT_EQ(0, region_protect(self->fd, PROT_READ, PASHM_PROT_REGION));
	EXPECT_EQ(PROT_READ, region_info(other).prot);
	EXPECT_EQ(-EACCES, region_attach(other, PROT_WRITE));
}

TEST_F(client, a_reader_may_not_narrow_the_region)
{
	EXPECT_EQ(-EACCES, region_protect(self->narrow, PROT_READ,
					  PASHM_PROT_REGION));
	EXPECT_EQ(ALL, region_info(self->fd).prot);
}

TEST_F(client, rights_can_be_given_up_entirely)
{
	ASSERT_EQ(0, region_protect(self->narrow, 0, 0));
	EXPECT_EQ(0, region_info(self->narrow).prot);
	EXPECT_EQ(-EACCES, map_at(self->narrow, PASHM_OFFSET_DATA, PAGE,
				  PROT_READ));
}

TEST_F(client, a_reader_may_not_purge)
{
	EXPECT_EQ(-EACCES, region_purge(self->narrow));
}

TEST_F(client, a_reader_may_not_make_an_extent)
{
	EXPECT_EQ(-EACCES, region_reshape(self->narrow, 2, 1, 0));
}

TEST_F(client, a_reader_may_not_free_an_extent)
{
	EXPECT_EQ(0, region_pin(self->narrow, 0, &self->generation,
				&self->verdict));
	EXPECT_EQ(-EACCES, region_reshape(self->narrow, 0, 1,
					  PASHM_RESHAPE_FREE));
}

TEST_F(client, a_reader_may_not_map_data_or_tables_for_writing)
{
	int rw = PROT_READ | PROT_WRITE;

	EXPECT_EQ(-EACCES, map_at(self->narrow, PASHM_OFFSET_DATA, PAGE, rw));
	EXPECT_EQ(-EACCES, map_at(self->narrow, PASHM_OFFSET_STATES, PAGE, rw));
	EXPECT_EQ(-EACCES, map_at(self->narrow, PASHM_OFFSET_BIRTHS, PAGE, rw));
}

TEST_F(client, a_reader_may_pin_and_unpin)
{
	EXPECT_EQ(0, region_pin(self->narrow, 0, &self->generation,
				&self->verdict));
	EXPECT_EQ(PASHM_INTACT, self->verdict);
	EXPECT_EQ(0, region_unpin(self->fd, 0));
	EXPECT_EQ(1, region_info(self->fd).pinned_extents);
	EXPECT_EQ(0, region_unpin(self->narrow, 0));
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
	EXPECT_FALSE(MAP_FAILED_WITH(map_at(self->narrow, PASHM_OFFSET_PINS,
					    PAGE, PROT_READ | PROT_WRITE)));
}

TEST_F(client, two_clients_pin_the_same_extent_independently)
{
	int other = region_attach(self->fd, 0);

	ASSERT_EQ(0, region_pin(other, 0, &self->generation, &self->verdict));
	EXPECT_EQ(0, region_unpin(self->fd, 0));
	EXPECT_EQ(-ERANGE, region_unpin(self->fd, 0));
	EXPECT_EQ(1, region_info(self->fd).pinned_extents);
	EXPECT_EQ(0, region_unpin(other, 0));
}

/* What another process may not do, then what it may; 0 or the failing step */
static int act_as_stranger(void *arg)
{
	int fd = *(int *)arg;
	uint32_t generation = 1, verdict;

	if (region_pin(fd, 0, &generation, &verdict) != -EPERM)
		return 1;
	if (region_unpin(fd, 0) != -EPERM)
		return 2;
	if (region_reshape(fd, 2, 1, 0) != -EPERM)
		return 3;
	if (region_reshape(fd, 0, 1, PASHM_RESHAPE_FREE) != -EPERM)
		return 4;
	if (map_at(fd, PASHM_OFFSET_PINS, PAGE, PROT_READ) != -EPERM)
		return 5;
	if (region_protect(fd, PROT_READ, 0) != -EPERM ||
	    region_protect(fd, PROT_READ, PASHM_PROT_REGION) != -EPERM)
		return 13;
	if (region_info(fd).length != PAGES * PAGE)
		return 6;
	if (region_purge(fd) < 0)
		return 7;
	if (MAP_FAILED_WITH(map_at(fd, PASHM_OFFSET_DATA, PAGE, PROT_READ)))
		return 8;
	if (MAP_FAILED_WITH(map_at(fd, PASHM_OFFSET_STATES, PAGE, PROT_READ)))
		return 9;
	fd = region_attach(fd, 0);
	if (fd < 0)
		return 10;
	if (region_pin(fd, 0, &generation, &verdict) || verdict != PASHM_INTACT)
		return 11;
	if (region_unpin(fd, 0))
		return 12;
	return 0;
}

TEST_F(client, a_forked_child_cannot_pin_but_can_attach)
{
	EXPECT_EQ(0, in_child(act_as_stranger, &self->fd));
	EXPECT_EQ(1, region_info(self->fd).pinned_extents);
	EXPECT_EQ(0, region_unpin(self->fd, 0));
}

static int receive_and_act(void *arg)
{
	int fd = receive_descriptor(*(int *)arg);

	return fd < 0 ? 20 : act_as_stranger(&fd);
}

TEST_F(client, a_receiver_cannot_pin_but_can_attach)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, send_descriptor(pair[0], self->fd));
	EXPECT_EQ(0, in_child(receive_and_act, &pair[1]));
}

static int wait_as_stranger(void *arg)
{
	struct pashm_wait args = { .size = sizeof(args) };

	return command(*(int *)arg, PASHM_IOC_WAIT, &args) ? 1 :
	       args.generation != 1;
}

TEST_F(client, another_process_may_wait)
{
	EXPECT_EQ(0, in_child(wait_as_stranger, &self->fd));
}

static void *unpin_in_thread(void *arg)
{
	return (void *)region_unpin(*(int *)arg, 0);
}

TEST_F(client, threads_are_the_same_client)
{
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pthread_create(&thread, NULL, unpin_in_thread, &self->fd));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
}

TEST_F(client, a_duplicated_descriptor_is_the_same_client)
{
	int copy = dup(self->fd);

	EXPECT_EQ(0, region_unpin(copy, 0));
	EXPECT_EQ(-ERANGE, region_unpin(self->fd, 0));
}

TEST_HARNESS_MAIN
