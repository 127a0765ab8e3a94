// SPDX-License-Identifier: GPL-2.0-only
/* What can be seen from outside: tracepoints, and figures in debugfs. */
#include <sys/mount.h>

#include <kselftest_harness.h>

#include "common.h"

#define PAGES	16
#define EXTENT	4UL
#define LARGE	1024
#define RW	(PROT_READ | PROT_WRITE)
#define DEBUG	"/sys/kernel/debug/pashm/"
#define TRACE	"/sys/kernel/tracing/"

FIXTURE(observe)
{
	int fd;
	char *data;
	char region[32];
};

FIXTURE_SETUP(observe)
{
	long address;

	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(_exit(255), "only root can see debugfs and tracefs");
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("none", "/sys/kernel/tracing", "tracefs", 0, NULL);
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, 0, PAGES * PAGE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
	snprintf(self->region, sizeof(self->region), "region=%llu ",
		 (unsigned long long)region_info(self->fd).inode);
}

FIXTURE_TEARDOWN(observe)
{
	file_write(TRACE "events/pashm/enable", "0");
	if (self->data)
		munmap(self->data, PAGES * PAGE);
	close(self->fd);
}

static void make_extents(struct __test_metadata *_metadata,
			 struct _test_data_observe *self)
{
	size_t head;

	memset(self->data, 1, PAGES * PAGE);
	for (head = 0; head < PAGES; head += EXTENT) {
		ASSERT_EQ(0, region_reshape(self->fd, head, EXTENT, 0));
		ASSERT_EQ(0, region_unpin(self->fd, head));
	}
}

static long long stat_of(const char *name)
{
	return file_number(DEBUG "stats", name);
}

TEST_F(observe, calls_by_clients_are_counted)
{
	long long claims = stat_of("claims"), purges = stat_of("purges");
	long long pins = stat_of("pins"), waits = stat_of("waits");
	struct pashm_wait wait = { .size = sizeof(wait) };
	uint32_t generation = 1, verdict;

	ASSERT_LE(0, pins);
	make_extents(_metadata, self);
	ASSERT_EQ(0, region_pin(self->fd, 0, &generation, &verdict));
	ASSERT_EQ(0, command(self->fd, PASHM_IOC_WAIT, &wait));
	ASSERT_EQ(3 * EXTENT * PAGE, region_purge(self->fd));
	EXPECT_LE(pins + 1, stat_of("pins"));
	EXPECT_LE(waits + 1, stat_of("waits"));
	EXPECT_LE(claims + 3, stat_of("claims"));
	EXPECT_LE(purges + 3, stat_of("purges"));
}

static void drop(struct __test_metadata *_metadata,
		 struct _test_data_observe *self)
{
	int tries;

	for (tries = 0; tries < 20 && region_info(self->fd).resident; tries++)
		ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
}

TEST_F(observe, reclaim_is_counted_and_timed)
{
	long long scans = stat_of("scans"), asked = stat_of("asked");
	long long freed = stat_of("freed");

	make_extents(_metadata, self);
	ASSERT_EQ(0, file_write(DEBUG "stats", "0"));
	drop(_metadata, self);
	EXPECT_LT(scans, stat_of("scans"));
	EXPECT_LT(asked, stat_of("asked"));
	EXPECT_LE(freed + PAGES, stat_of("freed"));
	EXPECT_LT(0, stat_of("longest_scan_ns"));
}

/* One extent of more pages than reclaim asks for in a call */
TEST_F(observe, what_is_freed_beyond_what_was_asked_is_explained)
{
	long long freed = stat_of("freed"), rounded = stat_of("rounded");
	long long lacked = stat_of("lacked");
	int fd = region_create(LARGE, 0);
	long address;

	ASSERT_LE(0, fd);
	address = map_at(fd, 0, LARGE * PAGE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	ASSERT_EQ(0, region_fill(fd, (char *)address, LARGE, LARGE));
	while (region_info(fd).resident)
		ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
	rounded = stat_of("rounded") - rounded;
	EXPECT_LE(LARGE, stat_of("freed") - freed);
	/* A call asks for a small part of it, and nothing else is short */
	EXPECT_LE(LARGE / 2, rounded);
	EXPECT_GT(LARGE, rounded);
	EXPECT_EQ(lacked, stat_of("lacked"));
	munmap((void *)address, LARGE * PAGE);
	close(fd);
}

/* The line of our region in debugfs, or NULL */
static char *region_line(struct _test_data_observe *self, char *buf, size_t size)
{
	char *text = file_contents(DEBUG "regions", buf, size);

	return text ? strstr(text, self->region) : NULL;
}

TEST_F(observe, a_region_is_listed_while_it_exists)
{
	char buf[8192], *line;

	make_extents(_metadata, self);
	line = region_line(self, buf, sizeof(buf));
	ASSERT_NE(NULL, line);
	EXPECT_NE(NULL, strstr(line, "pages=16 resident=16 "));
	EXPECT_NE(NULL, strstr(line, "name=selftest\n"));
	/* And where reclaim finds it */
	EXPECT_NE(NULL, strstr(line, "\n  memcg="));
	munmap(self->data, PAGES * PAGE);
	self->data = NULL;
	close(self->fd);
	EXPECT_EQ(NULL, region_line(self, buf, sizeof(buf)));
	self->fd = region_create(PAGES, 0);
}

/* Is there a line of the trace with all of these in this order? */
static bool traced(const char *event, const char *region, const char *rest)
{
	static char text[1 << 20];
	char *line = file_contents(TRACE "trace", text, sizeof(text));

	while (line && (line = strstr(line, event))) {
		char *end = strchr(line, '\n');
		char *found = strstr(line, region);

		found = found ? strstr(found, rest) : NULL;
		if (found && end && found < end)
			return true;
		line++;
	}
	return false;
}

TEST_F(observe, what_happens_can_be_traced)
{
	struct pashm_wait wait = { .size = sizeof(wait) };
	uint32_t generation = 1, verdict;

	if (access(TRACE "events/pashm", F_OK))
		SKIP(return, "this kernel has no tracefs");
	ASSERT_EQ(0, file_write(TRACE "trace", ""));
	ASSERT_EQ(0, file_write(TRACE "events/pashm/enable", "1"));
	make_extents(_metadata, self);
	ASSERT_EQ(0, region_pin(self->fd, EXTENT, &generation, &verdict));
	ASSERT_EQ(0, command(self->fd, PASHM_IOC_WAIT, &wait));
	ASSERT_EQ(3 * EXTENT * PAGE, region_purge(self->fd));
	ASSERT_EQ(0, region_unpin(self->fd, EXTENT));
	drop(_metadata, self);
	ASSERT_EQ(0, file_write(TRACE "events/pashm/enable", "0"));
	EXPECT_TRUE(traced("pashm_pin_slow: ", self->region,
			   "index=4 known=1 generation=1 verdict=intact"));
	EXPECT_TRUE(traced("pashm_wait: ", self->region,
			   "index=0 generation=1 ret=0"));
	EXPECT_TRUE(traced("pashm_claim: ", self->region,
			   "index=8 length=4 by=request"));
	EXPECT_TRUE(traced("pashm_purge: ", self->region,
			   "index=8 length=4 by=request freed=4 ours="));
	EXPECT_TRUE(traced("pashm_purge: ", self->region,
			   "index=4 length=4 by=reclaim freed=4 ours=4 generation=2"));
	EXPECT_TRUE(traced("pashm_count: ", "memcg=", "pages="));
	EXPECT_TRUE(traced("pashm_scan: ", "asked=", "freed=4 taken=4 "));
}

TEST_HARNESS_MAIN
