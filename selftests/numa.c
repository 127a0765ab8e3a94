// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions on a machine with two nodes: a region can be found for reclaim on the
 * node that its pages are on, wherever its client runs. For scenarios/numa.sh,
 * whose guest has them.
 */
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "common.h"
#include "told.h"

#define MIB	(1UL << 20)
#define SIZE	(64 * MIB)
#define EXTENT	16UL			/* pages */
#define RW	(PROT_READ | PROT_WRITE)
#define NODE(n)	"/sys/devices/system/node/node" #n
#define REGIONS	"/sys/kernel/debug/pashm/regions"

FIXTURE(numa)
{
	int fd[2];			/* with all pages on that node */
	char *data[2];
	long long told[2];		/* before */
};

static long bind_memory(void *address, size_t bytes, int node)
{
	unsigned long mask = 1UL << node;

	return CALL(syscall(SYS_mbind, address, bytes, MPOL_BIND, &mask,
			    8 * sizeof(mask), 0));
}

static long bind_task(int node)
{
	unsigned long mask = 1UL << node;

	return CALL(syscall(SYS_set_mempolicy, MPOL_BIND, &mask,
			    8 * sizeof(mask)));
}

/* Each node has one CPU, of its own number */
static long run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return CALL(sched_setaffinity(0, sizeof(set), &set));
}

static long long node_free(int node)
{
	return file_number(node ? NODE(1) "/meminfo" : NODE(0) "/meminfo",
			   node ? "Node 1 MemFree:" : "Node 0 MemFree:") * 1024;
}

/* All by the CPU of node 0 */
FIXTURE_SETUP(numa)
{
	int node;

	SKIP_WITHOUT_DEVICE();
	if (access(NODE(1), F_OK))
		SKIP(_exit(255), "one node only; scenarios/numa.sh has two");
	ASSERT_EQ(0, run_on(0));
	self->told[0] = told_settled(TOLD_NODE(0));
	self->told[1] = told_settled(TOLD_NODE(1));
	for (node = 0; node < 2; node++) {
		long address;

		self->fd[node] = region_create(SIZE / PAGE, 0);
		ASSERT_LE(0, self->fd[node]);
		address = map_at(self->fd[node], 0, SIZE, RW);
		ASSERT_FALSE(MAP_FAILED_WITH(address));
		self->data[node] = (char *)address;
		ASSERT_EQ(0, bind_memory(self->data[node], SIZE, node));
		ASSERT_EQ(0, region_fill(self->fd[node], self->data[node],
					 SIZE / PAGE, EXTENT));
	}
}

FIXTURE_TEARDOWN(numa)
{
	int node;

	for (node = 0; node < 2; node++) {
		munmap(self->data[node], SIZE);
		close(self->fd[node]);
	}
}

/* Takes so much of a node that half of a region has to go for it */
static int hog(void *arg)
{
	int node = *(int *)arg;
	size_t bytes = node_free(node) + SIZE / 2;

	if (bind_task(node))
		return 1;
	return mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		    -1, 0) == MAP_FAILED ? 2 : 0;
}

/* Is there a listing for @node with at least @pages? */
static bool is_listed(int fd, int node, unsigned long pages)
{
	unsigned long long inode = region_info(fd).inode, number;
	static char text[65536];
	char *line = file_contents(REGIONS, text, sizeof(text));
	bool ours = false;

	for (line = line ? strtok(line, "\n") : NULL; line;
	     line = strtok(NULL, "\n")) {
		long charged;
		int nid;

		if (sscanf(line, "region=%llu", &number) == 1)
			ours = number == inode;
		else if (ours && sscanf(line, " memcg=%*u node=%d charged=%ld",
					&nid, &charged) == 2 &&
			 nid == node && charged >= (long)pages)
			return true;
	}
	return false;
}

TEST_F_TIMEOUT(numa, a_region_is_listed_where_its_pages_are, 600)
{
	EXPECT_TRUE(is_listed(self->fd[0], 0, SIZE / PAGE));
	EXPECT_FALSE(is_listed(self->fd[0], 1, 0));
	EXPECT_TRUE(is_listed(self->fd[1], 1, SIZE / PAGE));
}

/* And not the other's */
TEST_F_TIMEOUT(numa, each_node_is_told_what_could_be_taken_of_it, 600)
{
	long long margin = SIZE / PAGE / 16;
	uint32_t generation, verdict;
	size_t page;

	EXPECT_TRUE(told_comes_to(TOLD_NODE(0), self->told[0], SIZE / PAGE,
				  margin));
	EXPECT_TRUE(told_comes_to(TOLD_NODE(1), self->told[1], SIZE / PAGE,
				  margin));
	for (page = 0; page < SIZE / PAGE; page += EXTENT) {
		generation = 1;
		ASSERT_EQ(0, region_pin(self->fd[1], page, &generation,
					&verdict));
	}
	EXPECT_TRUE(told_comes_to(TOLD_NODE(1), self->told[1], 0, margin));
	EXPECT_TRUE(told_comes_to(TOLD_NODE(0), self->told[0], SIZE / PAGE,
				  margin));
}

static void press(struct __test_metadata *_metadata,
		  struct _test_data_numa *self, int node)
{
	int cpu;

	/* From either side */
	for (cpu = 0; cpu < 2; cpu++) {
		ASSERT_EQ(0, run_on(cpu));
		ASSERT_EQ(0, in_child(hog, &node));
		TH_LOG("CPU %d, memory of node %d: purged %llu and %llu MiB",
		       cpu, node,
		       (unsigned long long)region_info(self->fd[0]).purged / MIB,
		       (unsigned long long)region_info(self->fd[1]).purged / MIB);
		EXPECT_LE(SIZE / 4, region_info(self->fd[node]).purged);
		EXPECT_EQ(0, region_info(self->fd[!node]).purged);
		ASSERT_EQ(0, region_fill(self->fd[node], self->data[node],
					 SIZE / PAGE, EXTENT));
	}
}

TEST_F_TIMEOUT(numa, a_node_that_is_short_takes_its_own_node_0, 1200)
{
	press(_metadata, self, 0);
}

TEST_F_TIMEOUT(numa, a_node_that_is_short_takes_its_own_node_1, 1200)
{
	press(_metadata, self, 1);
}

TEST_HARNESS_MAIN
