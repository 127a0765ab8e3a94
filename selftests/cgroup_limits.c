// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of all kinds take what is unpinned, until they are kept and not much
 * longer.
 */
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "cgroup.h"

FIXTURE(cgroup_limits)
{
	int fd;
};

/* In a group: does the module say that its limit takes what is unpinned? */
static int query_in_group(void *group)
{
	struct pashm_query query = { .size = sizeof(query) };

	if (enter(group) || command(device_open(), PASHM_IOC_QUERY, &query))
		return 2;
	return !(query.features & PASHM_FEATURE_MEMCG);
}

static bool kmem_is_off(void)
{
	char line[4096];

	return file_contents("/proc/cmdline", line, sizeof(line)) &&
	       strstr(line, "cgroup.memory=nokmem");
}

FIXTURE_SETUP(cgroup_limits)
{
	const char *why;

	SKIP_WITHOUT_DEVICE();
	why = make_groups();
	if (why)
		SKIP(_exit(255), "%s", why);
	self->fd = region_create(units(300) / PAGE, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(cgroup_limits)
{
	close(self->fd);
	remove_groups();
}

/* The region has taken a limit of @count units up, though not more */
static void expect_full(struct __test_metadata *_metadata, int fd, size_t count)
{
	struct pashm_info info = region_info(fd);

	TH_LOG("%llu KiB are there, of %zu that may be",
	       (unsigned long long)info.resident / 1024, units(count) / 1024);
	EXPECT_GE(units(count), info.resident);
	EXPECT_LE(units(count) / 4 * 3, info.resident);
	EXPECT_EQ(0, oom_kills());
}

TEST_F_TIMEOUT(cgroup_limits, the_module_says_whether_limits_take, 60)
{
	EXPECT_EQ(kmem_is_off(), in_child(query_in_group, INNER));
}

#define SKIP_WITHOUT_KMEM() do {					\
	if (kmem_is_off())						\
		SKIP(return, "cgroup.memory=nokmem: limits only kill");	\
} while (0)

TEST_F_TIMEOUT(cgroup_limits, a_maximum_takes_no_more_than_it_needs, 240)
{
	struct job job = { INNER, self->fd, units(300) / PAGE, 0 };

	SKIP_WITHOUT_KMEM();
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	expect_full(_metadata, self->fd, LIMIT);
}

TEST_F_TIMEOUT(cgroup_limits, nor_does_one_inside_another, 240)
{
	struct job job = { INNER, self->fd, units(100) / PAGE, 0 };
	struct job other = { OTHER, -1, units(100) / PAGE, 0 };

	SKIP_WITHOUT_KMEM();
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	expect_full(_metadata, self->fd, 64);
	/* What is outside is limited by what holds both */
	ASSERT_EQ(0, in_child(create_and_fill, &other));
	EXPECT_EQ(0, oom_kills());
	EXPECT_LE(units(30), region_info(self->fd).resident);
}

TEST_F_TIMEOUT(cgroup_limits, a_high_mark_is_kept_by_purging, 240)
{
	struct job job = { INNER, self->fd, units(100) / PAGE, 0 };

	SKIP_WITHOUT_KMEM();
	ASSERT_EQ(0, group_set(INNER, "memory.high", units(64)));
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	expect_full(_metadata, self->fd, 64);
}

TEST_F_TIMEOUT(cgroup_limits, a_limit_can_be_lowered_on_what_is_there, 240)
{
	struct job job = { INNER, self->fd, units(100) / PAGE, 0 };

	SKIP_WITHOUT_KMEM();
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	ASSERT_EQ(0, region_info(self->fd).purged);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	expect_full(_metadata, self->fd, 64);
	ASSERT_EQ(0, group_set(INNER, "memory.high", units(32)));
	expect_full(_metadata, self->fd, 32);
}

/* What is asked of a group at its limit is more than the limit needs */
TEST_F_TIMEOUT(cgroup_limits, a_request_at_the_limit_is_served, 240)
{
	struct job job = { INNER, self->fd, units(100) / PAGE, 0 };
	uint64_t before;

	SKIP_WITHOUT_KMEM();
	if (access(INNER "/memory.reclaim", W_OK))
		SKIP(return, "this kernel has no memory.reclaim");
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	before = region_info(self->fd).purged;
	group_set(INNER, "memory.reclaim", units(16));
	EXPECT_LE(units(12), region_info(self->fd).purged - before);
}

/* Nor does one group's limit keep others' memory from who asks for it */
TEST_F_TIMEOUT(cgroup_limits, a_request_is_served_beside_a_full_group, 240)
{
	struct job job = { INNER, self->fd, units(40) / PAGE, 0 };
	struct job other = { OTHER, region_create(units(60) / PAGE, 0),
			     units(60) / PAGE, 0 };

	SKIP_WITHOUT_KMEM();
	if (access(OUTER "/memory.reclaim", W_OK))
		SKIP(return, "this kernel has no memory.reclaim");
	ASSERT_LE(0, other.fd);
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	ASSERT_EQ(0, in_child(fill_in_group, &other));
	ASSERT_EQ(0, group_set(INNER, "memory.max",
			       file_number(INNER "/memory.stat", "shmem")));
	group_set(OUTER, "memory.reclaim", units(40));
	EXPECT_LE(units(30), region_info(self->fd).purged +
			     region_info(other.fd).purged);
	EXPECT_LE(units(12), region_info(other.fd).purged);
	close(other.fd);
}

#define HUGE	(2UL << 20)

/* A huge page, in a group with room for 300 pages more */
static int charge_huge_page(void *group)
{
	char *memory = mmap(NULL, 3 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	char text[32];

	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	if (enter(group) || madvise(memory, HUGE, MADV_HUGEPAGE))
		return 1;
	/* Page tables first */
	memory[HUGE] = 1;
	if (!file_contents(INNER "/memory.current", text, sizeof(text)) ||
	    group_set(INNER, "memory.max", strtoul(text, NULL, 10) + 300 * PAGE))
		return 2;
	memory[0] = 1;
	return 0;
}

TEST_F_TIMEOUT(cgroup_limits, a_huge_page_takes_what_it_needs, 240)
{
	struct job job = { INNER, self->fd, units(60) / PAGE, 0 };
	static const char refused[] = "thp_fault_fallback_charge";
	long long before = file_number("/proc/vmstat", refused);
	uint64_t resident;

	SKIP_WITHOUT_KMEM();
	if (before < 0)
		SKIP(return, "this kernel counts no huge pages");
	ASSERT_EQ(0, in_child(fill_in_group, &job));
	resident = region_info(self->fd).resident;
	ASSERT_EQ(0, in_child(charge_huge_page, INNER));
	EXPECT_EQ(before, file_number("/proc/vmstat", refused));
	TH_LOG("%llu KiB were taken",
	       (unsigned long long)(resident - region_info(self->fd).resident) /
	       1024);
	EXPECT_LE(resident / 2, region_info(self->fd).resident);
	EXPECT_EQ(0, oom_kills());
}

TEST_HARNESS_MAIN
