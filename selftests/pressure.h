/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A region that is mostly unpinned, and a neighbour that takes memory: for a machine
 * that is too small for both.
 */
#ifndef PASHM_SELFTESTS_PRESSURE_H
#define PASHM_SELFTESTS_PRESSURE_H

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

static inline bool is_pinned(size_t extent)
{
	return extent % PINNED_EVERY == 0;
}

static inline uint64_t *page_of(struct run *run, size_t extent, size_t page)
{
	return (uint64_t *)(run->data + (extent * EXTENT + page) * PAGE);
}

static inline uint64_t pattern(size_t extent, size_t page)
{
	return (extent * EXTENT + page + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Both ends of each page: a page is lost as a whole or not at all */
static inline void fill_extent(struct run *run, size_t extent)
{
	size_t page;

	for (page = 0; page < EXTENT; page++) {
		uint64_t *words = page_of(run, extent, page);

		words[0] = pattern(extent, page);
		words[PAGE / sizeof(*words) - 1] = ~pattern(extent, page);
	}
}

static inline bool verify_extent(struct run *run, size_t extent)
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

static inline const char *fill(struct run *run)
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

/* For another process: takes so many bytes of memory, a size_t, and uses them */
static inline int hog(void *arg)
{
	size_t bytes = *(size_t *)arg, at;
	char *memory = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	for (at = 0; at < bytes; at += PAGE)
		*(size_t *)(memory + at) = at;
	for (at = 0; at < bytes; at += PAGE)
		if (*(size_t *)(memory + at) != at)
			return 2;
	return 0;
}

static inline const char *verify(struct run *run)
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

static inline void release(struct run *run)
{
	if (run->data && !MAP_FAILED_WITH((long)run->data))
		munmap(run->data, REGION);
	if (run->fd >= 0)
		close(run->fd);
}

#endif /* PASHM_SELFTESTS_PRESSURE_H */
