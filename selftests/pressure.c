// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory pressure on a region that is mostly unpinned, in a machine that is
 * too small for it and its neighbour. For scenarios/pressure.sh: prints one
 * result of the test anything protocol for each run, without a plan.
 *
 *   pressure FIRST LAST      numbers of the results
 */
#include <time.h>

#include "common.h"

#define MIB		(1UL << 20)
#define REGION		(300 * MIB)
#define HOG		(250 * MIB)
#define EXTENT		16UL		/* pages */
#define PINNED_EVERY	4		/* extents */
#define RW		(PROT_READ | PROT_WRITE)

struct run {
	int fd;
	char *data;
	size_t extents;
	size_t lost;			/* extents */
};

static bool is_pinned(size_t extent)
{
	return extent % PINNED_EVERY == 0;
}

static uint64_t *page_of(struct run *run, size_t extent, size_t page)
{
	return (uint64_t *)(run->data + (extent * EXTENT + page) * PAGE);
}

static uint64_t pattern(size_t extent, size_t page)
{
	return (extent * EXTENT + page + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Both ends of each page: a page is lost as a whole or not at all */
static void fill_extent(struct run *run, size_t extent)
{
	size_t page;

	for (page = 0; page < EXTENT; page++) {
		uint64_t *words = page_of(run, extent, page);

		words[0] = pattern(extent, page);
		words[PAGE / sizeof(*words) - 1] = ~pattern(extent, page);
	}
}

static bool verify_extent(struct run *run, size_t extent)
{
	size_t page;

	for (page = 0; page < EXTENT; page++) {
		uint64_t *words = page_of(run, extent, page);

		if (words[0] != pattern(extent, page) ||
		    words[PAGE / sizeof(*words) - 1] != ~pattern(extent, page))
			return false;
	}
	return true;
}

static const char *fill(struct run *run)
{
	size_t extent;

	run->extents = REGION / PAGE / EXTENT;
	run->fd = region_create(REGION / PAGE, 0);
	if (run->fd < 0)
		return "no region: is the module loaded?";
	run->data = (char *)map_at(run->fd, 0, REGION, RW);
	if (MAP_FAILED_WITH((long)run->data))
		return "the region cannot be mapped";
	for (extent = 0; extent < run->extents; extent++) {
		if (region_reshape(run->fd, extent * EXTENT, EXTENT, 0))
			return "an extent cannot be made";
		fill_extent(run, extent);
		if (!is_pinned(extent) &&
		    region_unpin(run->fd, extent * EXTENT))
			return "an extent cannot be unpinned";
	}
	return NULL;
}

/* Another process that takes memory and uses it */
static int hog(void *arg MAYBE_UNUSED)
{
	char *memory = mmap(NULL, HOG, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at;

	if (memory == MAP_FAILED)
		return 1;
	for (at = 0; at < HOG; at += PAGE)
		*(size_t *)(memory + at) = at;
	for (at = 0; at < HOG; at += PAGE)
		if (*(size_t *)(memory + at) != at)
			return 2;
	return 0;
}

static const char *verify(struct run *run)
{
	size_t extent;

	for (extent = 0; extent < run->extents; extent++) {
		uint32_t generation = 1, verdict;

		if (region_pin(run->fd, extent * EXTENT, &generation, &verdict))
			return "an extent cannot be pinned";
		if (verdict == PASHM_STALE)
			return "an extent is stale";
		if (verdict == PASHM_INTACT && !verify_extent(run, extent))
			return "contents that were called intact are lost";
		if (verdict == PASHM_PURGED && is_pinned(extent))
			return "a pinned extent was purged";
		run->lost += verdict == PASHM_PURGED;
	}
	return NULL;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static bool run_once(long number)
{
	long long kills = file_number("/proc/vmstat", "oom_kill");
	long long swaps = file_number("/proc/vmstat", "pswpout");
	struct run run = { .fd = -1 };
	const char *problem = fill(&run);
	struct pashm_info info = { 0 };
	double start = seconds(), taken;
	size_t unpinned = 0;
	int status = 0;

	if (!problem) {
		status = in_child(hog, NULL);
		info = region_info(run.fd);
		unpinned = info.unpinned + info.purged;
		problem = verify(&run);
	}
	taken = seconds() - start;
	if (status)
		problem = "the neighbour did not get its memory";
	if (file_number("/proc/vmstat", "oom_kill") != kills)
		problem = "somebody was killed for want of memory";
	if (!problem && info.purged * 10 > unpinned * 9)
		problem = "nearly all unpinned memory was taken";
	/* What was in swap is lost, too, but no memory that was given back */
	if (!problem && run.lost * EXTENT * PAGE < info.purged)
		problem = "purges and reported losses differ";
	printf("# %lld of %zu unpinned pages purged, %lld swapped out, %.1f s\n",
	       (long long)(info.purged / PAGE), unpinned / PAGE,
	       file_number("/proc/vmstat", "pswpout") - swaps, taken);
	if (problem)
		printf("# %s (status %d)\n", problem, status);
	printf("%s %ld pressure, run %ld\n", problem ? "not ok" : "ok", number,
	       number);
	fflush(stdout);
	if (run.data)
		munmap(run.data, REGION);
	close(run.fd);
	return !problem;
}

int main(int argc, char **argv)
{
	long number = argc > 1 ? atol(argv[1]) : 1;
	long last = argc > 2 ? atol(argv[2]) : number;
	bool good = true;

	for (; number <= last; number++)
		good &= run_once(number);
	return good ? 0 : 1;
}
