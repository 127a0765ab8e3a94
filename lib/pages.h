/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages of a region, given out in runs, each an extent: what a pool is made of.
 * Thread-safe, but for pashm_pages_init() and _clear(). Functions that return
 * an int return 0 or a negative errno.
 */
#ifndef LIB_PAGES_H
#define LIB_PAGES_H

#include <pthread.h>
#include <stdbool.h>
#include <pashm/region.h>
#include "runs.h"

/**
 * struct pages
 * @region:  constant, mapped
 * @lock:    guards the rest; a leaf
 * @runs:    free runs; there is at most one more than what lies between them
 * @fresh:   first page that was never given out
 * @given:   runs that are given out, or being made
 * @held:    free segments that are being trimmed
 * @used:    pages of those that are given out
 * @lengths: of segments, by their first pages; 0 elsewhere. Sparse. Written under
 *           the lock, read without by who has the segment
 */
struct pages {
	struct pashm_region *region;
	pthread_mutex_t lock;
	struct runs runs;
	uint32_t fresh;
	uint64_t given;
	uint64_t held;
	uint64_t used;
	uint32_t *lengths;
};

/**
 * struct pages_request
 * @pages:    a multiple of the region's unit, at most PASHM_EXTENT_PAGES_MAX
 * @align:    in pages, of the address: a power of two, 1 for any
 * @priority: of the extent
 * @used:     out: how many of the first pages may have been used before; the
 *            others are zeros
 */
struct pages_request {
	uint32_t pages;
	uint32_t align;
	uint32_t priority;
	uint32_t used;
};

int pashm_pages_init(struct pages *pages, struct pashm_region *region);
/* Also in a child, where a thread of the parent may have had the lock */
void pashm_pages_clear(struct pages *pages);

/* Errors as pashm_pool_alloc(). The extent is pinned once by the caller */
int pashm_pages_alloc(struct pages *pages, struct pages_request *request,
		      struct pashm_handle *handle);

/* Can addresses be multiples of @align pages? */
bool pashm_pages_can_align(const struct pages *pages, uint32_t align);

/* Give a run back that is not pinned. Errors as pashm_pool_free() */
int pashm_pages_free(struct pages *pages, struct pashm_handle handle);

/* The same with a run that is pinned once, by the caller */
int pashm_pages_free_pinned(struct pages *pages, uint32_t page);

/* The same with one whose extent the caller has ended by pashm_own_end() */
void pashm_pages_give(struct pages *pages, uint32_t page);

/* The same with one that nobody knows of; cannot fail */
void pashm_pages_abandon(struct pages *pages, uint32_t page);

/* Length of the segment that starts at a page, which must be that of one */
uint32_t pashm_pages_segment(const struct pages *pages, uint32_t page);

/* Length of the run that starts at a page of the region, 0 if none is given out */
uint32_t pashm_pages_length(const struct pages *pages, uint32_t page);

/*
 * Change the length of a run that the caller has pinned once, without moving it.
 * -ENOSPC if its neighbour is in use; on an error all is as it was, but for
 * -ESTALE: there is no such run, or others have interfered, and it is given back
 */
int pashm_pages_resize(struct pages *pages, struct pages_request *request,
		       struct pashm_handle *handle);

/*
 * Give the memory of free runs to the system now. Goes on after an error, and
 * returns the first one
 */
int pashm_pages_trim(struct pages *pages);

#endif /* LIB_PAGES_H */
