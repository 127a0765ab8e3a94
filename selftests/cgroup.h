/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Three cgroups, two of them inside the first, which has a limit; and jobs that run
 * in them: fill a part of a region, use memory up.
 */
#ifndef PASHM_SELFTESTS_CGROUP_H
#define PASHM_SELFTESTS_CGROUP_H

#include <signal.h>
#include <sys/stat.h>

#include "common.h"

#define MIB		(1UL << 20)
#define LIMIT		128			/* units, see below */
#define EXTENT		16UL			/* pages */
#define PINNED_EVERY	10			/* extents */
#define RW		(PROT_READ | PROT_WRITE)
#define OUTER		"/sys/fs/cgroup/pashm"
#define INNER		OUTER "/inner"
#define OTHER		OUTER "/other"

/*
 * Memory is counted in units of 1 MiB, or less where $PASHM_TEST_SCALE asks for
 * less work. A quarter is the least for which a limit is more than the kernel's
 * own overhead.
 */
static inline size_t units(size_t count)
{
	long quarters = scaled(4);

	return count * MIB / 4 * (quarters > 4 ? 4 : quarters);
}

static inline void remove_groups(void)
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

static inline long group_set(const char *group, const char *name, size_t bytes)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	snprintf(text, sizeof(text), "%zu", bytes);
	return file_write(path, text);
}

/* Makes the groups. Returns why it cannot, or NULL */
static inline const char *make_groups(void)
{
	if (geteuid())
		return "only root can make cgroups";
	remove_groups();
	if (mkdir(OUTER, 0755))
		return "no cgroup v2 at /sys/fs/cgroup";
	if (group_set(OUTER, "memory.max", units(LIMIT)))
		return "no memory controller in cgroup v2";
	if (file_write(OUTER "/cgroup.subtree_control", "+memory") ||
	    mkdir(INNER, 0755) || mkdir(OTHER, 0755))
		return "no groups can be made in a group";
	return NULL;
}

static inline uint64_t pattern(size_t extent)
{
	return 0x9e3779b97f4a7c15ULL * (extent + 1);
}

static inline bool is_pinned(size_t extent)
{
	return extent % PINNED_EVERY == 0;
}

static inline bool verify_extent(const char *data, size_t extent)
{
	size_t page;

	for (page = extent * EXTENT; page < (extent + 1) * EXTENT; page++)
		if (*(const uint64_t *)(data + page * PAGE) !=
		    pattern(extent) + page)
			return false;
	return true;
}

static inline void fill_extent(char *data, size_t extent)
{
	size_t page;

	for (page = extent * EXTENT; page < (extent + 1) * EXTENT; page++)
		*(uint64_t *)(data + page * PAGE) = pattern(extent) + page;
}

/*
 * Fill @pages from page @first on through a client of our own; the status of a
 * child.
 */
static inline int fill_and_verify(int fd, size_t first, size_t pages)
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

static inline int enter(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return file_write(path, "0");
}

static inline int fill_in_group(void *arg)
{
	struct job *job = arg;

	return enter(job->group) ? 1 :
	       fill_and_verify(job->fd, job->first, job->pages);
}

static inline int create_and_fill(void *arg)
{
	struct job *job = arg;

	if (enter(job->group))
		return 1;
	job->fd = region_create(job->pages, 0);
	return job->fd < 0 ? 2 :
	       fill_and_verify(job->fd, job->first, job->pages);
}

static inline int hog(void *arg)
{
	struct job *job = arg;
	char *memory;

	if (enter(job->group))
		return 1;
	memory = mmap(NULL, job->pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		      MAP_POPULATE, -1, 0);
	return memory == MAP_FAILED ? 2 : 0;
}

static inline long long oom_kills(void)
{
	return file_number(OUTER "/memory.events", "oom_kill");
}

#endif /* PASHM_SELFTESTS_CGROUP_H */
