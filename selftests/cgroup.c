// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim within a cgroup's limit: unpinned memory goes, pinned memory stays,
 * nobody is killed.
 */
#include <kselftest_harness.h>

#include "cgroup.h"

FIXTURE(cgroup)
{
	int fd;
	size_t pages;
};

FIXTURE_SETUP(cgroup)
{
	const char *why;

	SKIP_WITHOUT_DEVICE();
	why = make_groups();
	if (why)
		SKIP(_exit(255), "%s", why);
	self->pages = units(300) / PAGE;
	self->fd = region_create(self->pages, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(cgroup)
{
	close(self->fd);
	remove_groups();
}

TEST_F_TIMEOUT(cgroup, a_region_larger_than_the_limit_can_be_filled, 120)
{
	struct job job = { INNER, self->fd, self->pages, 0 };

	ASSERT_EQ(0, in_child(fill_in_group, &job));
	EXPECT_EQ(0, oom_kills());
	TH_LOG("purged %llu of %zu MiB",
	       (unsigned long long)region_info(self->fd).purged / MIB,
	       units(270) / MIB);
	EXPECT_LT(units(100), region_info(self->fd).purged);
	EXPECT_EQ(0, region_info(self->fd).violations);
}

TEST_F_TIMEOUT(cgroup, the_same_holds_each_time, 1700)
{
	struct job job = { INNER, -1, self->pages, 0 };
	int round;

	for (round = 0; round < scaled(5); round++) {
		ASSERT_EQ(0, in_child(create_and_fill, &job)) {
			TH_LOG("round %d", round);
		}
		ASSERT_EQ(0, oom_kills());
	}
}

static int create_in_group(void *arg)
{
	struct job *job = arg;
	int fd;

	if (enter(job->group))
		return 1;
	fd = region_create(job->pages, 0);
	return fd < 0 ? 2 : send_descriptor(job->fd, fd) ? 3 : 0;
}

TEST_F_TIMEOUT(cgroup, a_region_of_one_group_can_be_filled_from_another, 120)
{
	struct job job = { OTHER, -1, self->pages, 0 };
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	job.fd = pair[0];
	ASSERT_EQ(0, in_child(create_in_group, &job));
	job.fd = receive_descriptor(pair[1]);
	job.group = INNER;
	ASSERT_LE(0, job.fd);
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	EXPECT_EQ(0, oom_kills());
	EXPECT_LT(units(100), region_info(job.fd).purged);
}

TEST_F_TIMEOUT(cgroup, two_groups_fill_one_region_at_once, 240)
{
	struct job job = { INNER, self->fd, self->pages / 2, 0 };
	struct job second = { OTHER, -1, self->pages / 2, 0 };
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(create_and_fill(&second));
	EXPECT_EQ(0, in_child(fill_in_group, &job));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, oom_kills());
}

TEST_F_TIMEOUT(cgroup, reclaim_on_request_takes_unpinned_memory, 120)
{
	struct job job = { INNER, self->fd, units(64) / PAGE, 0 };
	long address = map_at(self->fd, 0, units(64), PROT_READ);
	uint32_t generation = 1, verdict;
	struct pashm_info info;
	char wanted[32];
	size_t extent;
	long ret;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	if (access(INNER "/memory.reclaim", W_OK))
		SKIP(return, "this kernel has no memory.reclaim");
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	for (extent = 0; extent < job.pages / EXTENT; extent += 2) {
		ASSERT_EQ(0, region_pin(self->fd, extent * EXTENT, &generation,
					&verdict));
		ASSERT_EQ(PASHM_INTACT, verdict);
	}
	snprintf(wanted, sizeof(wanted), "%zu", units(16));
	ret = file_write(INNER "/memory.reclaim", wanted);
	info = region_info(self->fd);
	TH_LOG("asked for half of %zu MiB: %ld, purged %llu MiB",
	       units(32) / MIB, ret,
	       (unsigned long long)info.purged / MIB);
	EXPECT_LE(units(12), info.purged);
	/*
	 * 6.12 credits what shrinkers free to reclaim of the whole machine
	 * only, so a cgroup's may go on, and say that it has found too little.
	 */
	if (kernel_is_before(6, 4)) {
		EXPECT_EQ(0, ret);
		EXPECT_GT(units(32), info.purged);
	} else {
		EXPECT_TRUE(ret == 0 || ret == -EAGAIN);
	}
	EXPECT_EQ(0, info.swapped);
	for (extent = 0; extent < job.pages / EXTENT; extent += 2)
		ASSERT_TRUE(verify_extent((char *)address, extent));
}

TEST_F_TIMEOUT(cgroup, memory_of_a_removed_group_stays_purgeable, 120)
{
	struct job fill = { INNER, self->fd, units(100) / PAGE, 0 };
	struct job take = { OTHER, -1, units(90) / PAGE, 0 };

	ASSERT_EQ(0, in_child(fill_in_group, &fill));
	ASSERT_EQ(0, region_info(self->fd).purged);
	ASSERT_EQ(0, rmdir(INNER));
	EXPECT_EQ(0, in_child(hog, &take));
	EXPECT_EQ(0, oom_kills());
	EXPECT_LE(units(60), region_info(self->fd).purged);
}

/* Each time in another group, which is removed; and one part of the region further */
static void fill_and_remove(struct __test_metadata *_metadata, struct job *fill,
			    int rounds)
{
	while (rounds--) {
		ASSERT_EQ(0, in_child(fill_in_group, fill));
		ASSERT_EQ(0, rmdir(INNER));
		ASSERT_EQ(0, mkdir(INNER, 0755));
		fill->first += fill->pages;
	}
}

/* From 7.2 on the parent inherits it piece by piece, and has some of its own */
TEST_F_TIMEOUT(cgroup, the_same_holds_for_ten_groups_and_their_parent, 120)
{
	struct job fill = { INNER, self->fd, units(9) / PAGE, 0 };
	struct job take = { OTHER, -1, units(90) / PAGE, 0 };

	fill_and_remove(_metadata, &fill, 10);
	fill.group = OTHER;
	ASSERT_EQ(0, in_child(fill_in_group, &fill));
	ASSERT_EQ(0, region_info(self->fd).purged);
	EXPECT_EQ(0, in_child(hog, &take));
	EXPECT_EQ(0, oom_kills());
	EXPECT_LE(units(60), region_info(self->fd).purged);
}

/* What a region knows of a group goes with the group's last page, not later */
TEST_F_TIMEOUT(cgroup, removed_groups_are_not_kept, 120)
{
	struct job fill = { INNER, self->fd, units(4) / PAGE, 0 };
	long long before = groups_left_behind(0);

	fill_and_remove(_metadata, &fill, 10);
	ASSERT_LT(0, region_purge(self->fd));
	ASSERT_EQ(0, region_info(self->fd).resident);
	EXPECT_GE(before, groups_left_behind(before));
	/* And such as come now are found */
	fill.group = OTHER;
	ASSERT_EQ(0, in_child(fill_in_group, &fill));
	EXPECT_LT(0, region_purge(self->fd));
}

TEST_F_TIMEOUT(cgroup, pinned_memory_is_not_taken_for_a_neighbour, 120)
{
	struct job take = { OTHER, -1, units(90) / PAGE, 0 };
	size_t pages = units(100) / PAGE;
	struct job fill = { INNER, self->fd, pages, 0 };
	uint32_t generation = 1, verdict;
	size_t page;

	ASSERT_EQ(0, in_child(fill_in_group, &fill));
	for (page = 0; page < pages; page += EXTENT) {
		ASSERT_EQ(0, region_pin(self->fd, page, &generation, &verdict));
		ASSERT_EQ(PASHM_INTACT, verdict);
	}
	/* Nothing is left to take: here, and only here, somebody has to die */
	EXPECT_EQ(128 + SIGKILL, in_child(hog, &take));
	EXPECT_EQ(1, oom_kills());
	EXPECT_EQ(0, region_info(self->fd).purged);
}

TEST_HARNESS_MAIN
