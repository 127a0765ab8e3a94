// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim within a cgroup's limit: unpinned memory goes, pinned memory stays,
 * nobody is killed.
 */
#include <signal.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "common.h"

#define MIB		(1UL << 20)
#define LIMIT		128			/* units, see below */
#define EXTENT		16UL			/* pages */
#define PINNED_EVERY	10			/* extents */
#define RW		(PROT_READ | PROT_WRITE)
#define OUTER		"/sys/fs/cgroup/pashm"
#define INNER		OUTER "/inner"
#define OTHER		OUTER "/other"

FIXTURE(cgroup)
{
	int fd;
	size_t pages;
};

/*
 * Memory is counted in units of 1 MiB, or less where $PASHM_TEST_SCALE asks for
 * less work. A quarter is the least for which a limit is more than the kernel's
 * own overhead.
 */
static size_t units(size_t count)
{
	long quarters = scaled(4);

	return count * MIB / 4 * (quarters > 4 ? 4 : quarters);
}

static void remove_groups(void)
{
	int tries;

	for (tries = 0; tries < 50; tries++) {
		rmdir(INNER);
		rmdir(OTHER);
		if (!rmdir(OUTER) || errno == ENOENT)
			return;
		usleep(100000);
	}
}

FIXTURE_SETUP(cgroup)
{
	char limit[32];

	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(_exit(255), "only root can make cgroups");
	remove_groups();
	if (mkdir(OUTER, 0755))
		SKIP(_exit(255), "no cgroup v2 at /sys/fs/cgroup");
	snprintf(limit, sizeof(limit), "%zu", units(LIMIT));
	if (file_write(OUTER "/memory.max", limit))
		SKIP(_exit(255), "no memory controller in cgroup v2");
	ASSERT_EQ(0, file_write(OUTER "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	ASSERT_EQ(0, mkdir(OTHER, 0755));
	self->pages = units(300) / PAGE;
	self->fd = region_create(self->pages, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(cgroup)
{
	close(self->fd);
	remove_groups();
}

static uint64_t pattern(size_t extent)
{
	return 0x9e3779b97f4a7c15ULL * (extent + 1);
}

static bool is_pinned(size_t extent)
{
	return extent % PINNED_EVERY == 0;
}

static bool verify_extent(const char *data, size_t extent)
{
	size_t page;

	for (page = extent * EXTENT; page < (extent + 1) * EXTENT; page++)
		if (*(const uint64_t *)(data + page * PAGE) !=
		    pattern(extent) + page)
			return false;
	return true;
}

static void fill_extent(char *data, size_t extent)
{
	size_t page;

	for (page = extent * EXTENT; page < (extent + 1) * EXTENT; page++)
		*(uint64_t *)(data + page * PAGE) = pattern(extent) + page;
}

/*
 * Fill @pages from page @first on through a client of our own; the status of a
 * child.
 */
static int fill_and_verify(int fd, size_t first, size_t pages)
{
	int client = region_attach(fd, 0);
	long address = map_at(client, first * PAGE, pages * PAGE, RW);
	char *data = (char *)(address - (long)(first * PAGE));
	size_t extent, end = (first + pages) / EXTENT;

	if (client < 0 || MAP_FAILED_WITH(address))
		return 10;
	first /= EXTENT;
	for (extent = first; extent < end; extent++) {
		if (region_reshape(client, extent * EXTENT, EXTENT, 0))
			return 11;
		fill_extent(data, extent);
		if (!is_pinned(extent) && region_unpin(client, extent * EXTENT))
			return 12;
	}
	for (extent = first; extent < end; extent++)
		if (is_pinned(extent) && !verify_extent(data, extent))
			return 13;
	/* Whatever was not reported lost must be there, too */
	for (extent = first; extent < end; extent++) {
		uint32_t generation = 1, verdict;

		if (is_pinned(extent))
			continue;
		if (region_pin(client, extent * EXTENT, &generation, &verdict))
			return 14;
		if (verdict == PASHM_INTACT && !verify_extent(data, extent))
			return 15;
		if (region_unpin(client, extent * EXTENT))
			return 16;
	}
	return 0;
}

struct job {
	const char *group;
	int fd;
	size_t pages;
	size_t first;
};

static int enter(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return file_write(path, "0");
}

static int fill_in_group(void *arg)
{
	struct job *job = arg;

	return enter(job->group) ? 1 :
	       fill_and_verify(job->fd, job->first, job->pages);
}

static int create_and_fill(void *arg)
{
	struct job *job = arg;

	if (enter(job->group))
		return 1;
	job->fd = region_create(job->pages, 0);
	return job->fd < 0 ? 2 :
	       fill_and_verify(job->fd, job->first, job->pages);
}

static int hog(void *arg)
{
	struct job *job = arg;
	char *memory;

	if (enter(job->group))
		return 1;
	memory = mmap(NULL, job->pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		      MAP_POPULATE, -1, 0);
	return memory == MAP_FAILED ? 2 : 0;
}

static long long oom_kills(void)
{
	return file_number(OUTER "/memory.events", "oom_kill");
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

TEST_F_TIMEOUT(cgroup, the_same_holds_twenty_times, 590)
{
	struct job job = { INNER, -1, self->pages, 0 };
	int round;

	for (round = 0; round < scaled(20); round++) {
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

/* From 7.2 on the parent inherits it piece by piece, and has some of its own */
TEST_F_TIMEOUT(cgroup, the_same_holds_for_ten_groups_and_their_parent, 120)
{
	struct job fill = { INNER, self->fd, units(9) / PAGE, 0 };
	struct job take = { OTHER, -1, units(90) / PAGE, 0 };
	int round;

	for (round = 0; round < 10; round++) {
		ASSERT_EQ(0, in_child(fill_in_group, &fill));
		ASSERT_EQ(0, rmdir(INNER));
		ASSERT_EQ(0, mkdir(INNER, 0755));
		fill.first += fill.pages;
	}
	fill.group = OTHER;
	ASSERT_EQ(0, in_child(fill_in_group, &fill));
	ASSERT_EQ(0, region_info(self->fd).purged);
	EXPECT_EQ(0, in_child(hog, &take));
	EXPECT_EQ(0, oom_kills());
	EXPECT_LE(units(60), region_info(self->fd).purged);
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
