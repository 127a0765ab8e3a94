// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents with pages of several cgroups. Each cgroup can take what is its own,
 * wherever in an extent that is.
 */
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "common.h"

#define MIB	(1UL << 20)
#define SIZE	(48 * MIB)
#define LIMIT	"16777216"
#define RW	(PROT_READ | PROT_WRITE)
#define FIRST	"/sys/fs/cgroup/pashm-first"
#define REST	"/sys/fs/cgroup/pashm-rest"

FIXTURE(charge)
{
	int fd;
	char *data;
};

static void remove_groups(void)
{
	int tries;

	for (tries = 0; tries < 50; tries++) {
		rmdir(FIRST);
		if (!rmdir(REST) || errno == ENOENT)
			return;
		usleep(100000);
	}
}

FIXTURE_SETUP(charge)
{
	long address;

	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(_exit(255), "only root can make cgroups");
	remove_groups();
	if (mkdir(FIRST, 0755) || mkdir(REST, 0755))
		SKIP(_exit(255), "no cgroup v2 at /sys/fs/cgroup");
	if (file_write(REST "/memory.max", LIMIT))
		SKIP(_exit(255), "no memory controller in cgroup v2");
	self->fd = region_create(SIZE / PAGE, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, 0, SIZE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
}

FIXTURE_TEARDOWN(charge)
{
	munmap(self->data, SIZE);
	close(self->fd);
	remove_groups();
}

struct part {
	const char *group;
	int fd;
	size_t extent;		/* in bytes */
};

static char *enter_and_map(const struct part *part, int fd)
{
	char path[64];
	long address;

	snprintf(path, sizeof(path), "%s/cgroup.procs", part->group);
	if (file_write(path, "0"))
		return NULL;
	address = map_at(fd, 0, SIZE, RW);
	return MAP_FAILED_WITH(address) ? NULL : (char *)address;
}

/* The first page of each extent, as somebody does who writes a header */
static int touch_first_pages(void *arg)
{
	const struct part *part = arg;
	char *data = enter_and_map(part, part->fd);
	size_t at;

	for (at = 0; data && at < SIZE; at += part->extent)
		data[at] = 1;
	return data ? 0 : 1;
}

static int fill_behind_them(void *arg)
{
	const struct part *part = arg;
	int client = region_attach(part->fd, 0);
	char *data = enter_and_map(part, client);
	size_t at, page;

	for (at = 0; data && at < SIZE; at += part->extent) {
		if (region_reshape(client, at / PAGE, part->extent / PAGE, 0))
			return 2;
		for (page = PAGE; page < part->extent; page += PAGE)
			data[at + page] = 2;
		if (region_unpin(client, at / PAGE))
			return 3;
	}
	return data ? 0 : 1;
}

static long long kills(void)
{
	return file_number(REST "/memory.events", "oom_kill");
}

TEST_F_TIMEOUT(charge, what_lies_behind_anothers_first_page_is_found, 120)
{
	struct part first = { FIRST, self->fd, 16 * PAGE };
	struct part rest = { REST, self->fd, 16 * PAGE };

	ASSERT_EQ(0, in_child(touch_first_pages, &first));
	EXPECT_EQ(0, in_child(fill_behind_them, &rest));
	EXPECT_EQ(0, kills());
	EXPECT_LT(SIZE / 2, region_info(self->fd).purged);
}

/* It is the only one there is, and goes at once when it is unpinned */
TEST_F_TIMEOUT(charge, so_it_is_in_an_extent_of_the_whole_limit, 120)
{
	struct part first = { FIRST, self->fd, 12 * MIB };
	struct part rest = { REST, self->fd, 12 * MIB };

	ASSERT_EQ(0, in_child(touch_first_pages, &first));
	EXPECT_EQ(0, in_child(fill_behind_them, &rest));
	EXPECT_EQ(0, kills());
	EXPECT_LT(SIZE / 2, region_info(self->fd).purged);
}

TEST_HARNESS_MAIN
