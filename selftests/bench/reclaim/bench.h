/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs share. Each prints its figures as lines that begin with "= ",
 * in the columns that scripts/bench-reclaim names; other lines are progress.
 */
#ifndef PASHM_BENCH_RECLAIM_H
#define PASHM_BENCH_RECLAIM_H

#include <time.h>

#include "../../common.h"

#define STATS		"/sys/kernel/debug/pashm/stats"
#define DROP		"/proc/sys/vm/drop_caches"

static inline void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static inline long long meminfo_kib(const char *key)
{
	return file_number("/proc/meminfo", key);
}

/* Of the shrinker's; a kernel without debugfs is no place to measure */
static inline long long stat_number(const char *key)
{
	long long number = file_number(STATS, key);

	if (number < 0)
		die("no pashm/stats in debugfs");
	return number;
}

static inline void stat_reset_longest(void)
{
	if (file_write(STATS, "0"))
		die("pashm/stats cannot be reset");
}

struct stats {
	long long scans, asked, freed, rounded, lacked, taken, exhausted, looked;
	long long oom_taken;
};

static inline struct stats stats_read(void)
{
	return (struct stats){
		.scans = stat_number("scans"),
		.asked = stat_number("asked"),
		.freed = stat_number("freed"),
		.rounded = stat_number("rounded"),
		.lacked = stat_number("lacked"),
		.taken = stat_number("taken"),
		.exhausted = stat_number("exhausted"),
		.looked = stat_number("looked"),
		.oom_taken = stat_number("oom_taken"),
	};
}

/* @sum grows by what has happened since @before */
static inline void stats_add_since(struct stats *sum,
				   const struct stats *before)
{
	struct stats now = stats_read();

	sum->scans += now.scans - before->scans;
	sum->asked += now.asked - before->asked;
	sum->freed += now.freed - before->freed;
	sum->rounded += now.rounded - before->rounded;
	sum->lacked += now.lacked - before->lacked;
	sum->taken += now.taken - before->taken;
	sum->exhausted += now.exhausted - before->exhausted;
	sum->looked += now.looked - before->looked;
	sum->oom_taken += now.oom_taken - before->oom_taken;
}

static inline double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* A region whose @bytes of data are mapped */
static inline char *bench_region(size_t bytes, int *fd)
{
	long address;

	*fd = region_create(bytes / PAGE, 0);
	if (*fd < 0)
		die("no region: is the module loaded?");
	address = map_at(*fd, 0, bytes, PROT_READ | PROT_WRITE);
	if (MAP_FAILED_WITH(address))
		die("the region cannot be mapped");
	return (char *)address;
}

/* Write to @bytes of its data, and make unpinned extents of them */
static inline void bench_fill(int fd, char *data, size_t first, size_t bytes,
			      size_t extent)
{
	size_t page, end = first + bytes / PAGE;

	for (page = first; page < end; page += extent) {
		if (region_reshape(fd, page, extent, 0))
			die("an extent cannot be made");
		for (size_t i = page; i < page + extent; i++)
			*(size_t *)(data + (i - first) * PAGE) = i;
		if (region_unpin(fd, page))
			die("an extent cannot be unpinned");
	}
}

#endif /* PASHM_BENCH_RECLAIM_H */
