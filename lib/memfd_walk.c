// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Going through a region's extents without making it bigger: a table page that
 * was never touched is skipped by SEEK_DATA, because merely reading it through
 * the mapping would allocate it. So a sweep over a sparse region of 1 TiB
 * costs what its populated part costs.
 *
 * SEEK_DATA ERRS, though: while the kernel migrates a page it reports the page
 * as a hole, as the copy is not uptodate yet. A sweep may miss an extent for
 * that; whoever decides about pages or geometry may not. So a walk that is
 * "sure" asks cachestat() whether what SEEK_DATA skips is empty, as that counts
 * pages in any state. If it is not, or the kernel is too old, the walk reads it:
 * read() waits for the page's lock, hence for the migration, and allocates
 * nothing where there really is nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "memfd.h"

/* First offset at or after @from with data, swapped out or not, or @limit */
uint64_t pashm_memfd_seek_data(const struct memfd_region *m, uint64_t from,
			       uint64_t limit)
{
	off_t found = lseek(m->lock_fd, (off_t)from, SEEK_DATA);

	if (found < 0)
		return errno == ENXIO ? limit : from;
	return (uint64_t)found < limit ? (uint64_t)found : limit;
}

uint64_t pashm_memfd_seek_hole(const struct memfd_region *m, uint64_t from,
			       uint64_t limit)
{
	off_t found = lseek(m->lock_fd, (off_t)from, SEEK_HOLE);

	if (found < 0 || (uint64_t)found > limit)
		return limit;
	return (uint64_t)found;
}

/* Since Linux 6.5; not in all headers. The same number everywhere */
#ifndef __NR_cachestat
#define __NR_cachestat	451
#endif

/*
 * Is there no page at all, of whatever state, nor one in swap? False if the
 * kernel cannot say
 */
static bool range_is_empty(const struct memfd_region *m, uint64_t from,
			   uint64_t limit)
{
	struct {
		uint64_t offset, length;
	} range = { from, limit - from };
	struct {
		uint64_t cache, dirty, writeback, evicted, recently;
	} stat;

	return !syscall(__NR_cachestat, m->lock_fd, &range, &stat, 0) &&
	       stat.cache == 0 && stat.evicted == 0;
}

/*
 * First offset at or after @from that SEEK_DATA takes for a hole and that is
 * not: in a chunk that does not read as zeros, or cannot be read; or @limit
 */
static uint64_t hole_check(const struct memfd_region *m, uint64_t from,
			   uint64_t limit)
{
	char bytes[8192];
	size_t chunk;
	ssize_t got;

	/* Length 0 would mean the rest of the file. Reading 128 MiB takes 30 ms */
	if (from < limit && range_is_empty(m, from, limit))
		return limit;
	for (; from < limit; from += (uint64_t)got) {
		chunk = limit - from < sizeof(bytes) ? limit - from :
						       sizeof(bytes);
		got = pread(m->lock_fd, bytes, chunk, (off_t)from);
		if (got <= 0 || bytes[0] ||
		    memcmp(bytes, bytes + 1, (size_t)got - 1))
			return from;
	}
	return limit;
}

int pashm_memfd_punch(const struct memfd_region *m, uint64_t offset,
		      uint64_t length)
{
	int ret;

	do {
		ret = fallocate(m->lock_fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)offset, (off_t)length);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

uint64_t pashm_memfd_incore(const struct memfd_region *m, uint64_t page,
			    uint64_t pages)
{
	unsigned char vec[4096];
	uint64_t found = 0;
	size_t i, chunk;

	for (; pages; page += chunk, pages -= chunk) {
		chunk = pages < sizeof(vec) ? pages : sizeof(vec);
		if (mincore(m->data + (page << m->layout.page_shift),
			    chunk << m->layout.page_shift, vec))
			return found;
		for (i = 0; i < chunk; i++)
			found += vec[i] & 1;
	}
	return found;
}

void pashm_memfd_walk_init(struct memfd_walk *walk, uint64_t page,
			   uint64_t end)
{
	*walk = (struct memfd_walk){ .page = page, .end = end };
}

void pashm_memfd_walk_init_sure(struct memfd_walk *walk, uint64_t page,
				uint64_t end)
{
	*walk = (struct memfd_walk){ .page = page, .end = end, .sure = true };
}

/* Move on to a word in a table page that exists */
static bool walk_populated(const struct memfd_region *m,
			   struct memfd_walk *walk)
{
	const struct memfd_layout *layout = &m->layout;
	uint64_t words = 1ULL << (layout->page_shift - 3);
	uint64_t from, found, limit;

	if (walk->page < walk->known)
		return true;
	from = layout->states + (walk->page & ~(words - 1)) * sizeof(uint64_t);
	/* No table page beyond that of the last word: @end is in the region */
	limit = layout->states +
		((walk->end + words - 1) & ~(words - 1)) * sizeof(uint64_t);
	found = pashm_memfd_seek_data(m, from, limit);
	if (walk->sure)
		found = hole_check(m, from, found);
	if (found > from)
		walk->page = (found - layout->states) / sizeof(uint64_t);
	walk->known = (walk->page | (words - 1)) + 1;
	return walk->page < walk->end;
}

bool pashm_memfd_walk_next(const struct memfd_region *m,
			   struct memfd_walk *walk, struct memfd_extent *extent)
{
	uint32_t length;
	uint64_t state;

	/* Whoever asked may have had the range from a word in shared memory */
	if (walk->end > m->layout.pages)
		walk->end = m->layout.pages;
	while (walk->page < walk->end && walk_populated(m, walk)) {
		state = __atomic_load_n(&m->base.view.states[walk->page],
					__ATOMIC_ACQUIRE);
		length = pashm_state_length(state);
		/* Longer than the region: garbage, not an extent */
		if (length == 0 || length > m->layout.pages - walk->page) {
			walk->page++;
			continue;
		}
		extent->page = (uint32_t)walk->page;
		extent->pages = length;
		extent->state = state;
		walk->page += length;
		return true;
	}
	return false;
}

bool pashm_memfd_walk_resident(const struct memfd_region *m,
			       struct memfd_walk *walk,
			       const struct memfd_extent *extent)
{
	const struct memfd_layout *layout = &m->layout;
	uint64_t end = (uint64_t)extent->page + extent->pages;
	uint64_t from;

	if (walk->data >= end)
		return false;
	from = layout->data + ((uint64_t)extent->page << layout->page_shift);
	walk->data = (pashm_memfd_seek_data(m, from, layout->pins) -
		      layout->data) >> layout->page_shift;
	return walk->data < end;
}

/*
 * Nearest first, in windows of doubling size, no further back than an extent
 * can be long.
 */
bool pashm_memfd_walk_before(const struct memfd_region *m, uint32_t page,
			     struct memfd_extent *extent)
{
	uint64_t furthest = page > PASHM_EXTENT_PAGES_MAX ?
			    page - PASHM_EXTENT_PAGES_MAX : 0;
	uint64_t size = 1ULL << (m->layout.page_shift - 3);
	uint64_t end = page, start;
	struct memfd_walk walk;
	bool found = false;

	while (!found && end > furthest) {
		start = end - furthest > size ? end - size : furthest;
		pashm_memfd_walk_init_sure(&walk, start, end);
		while (pashm_memfd_walk_next(m, &walk, extent))
			found = true;
		end = start;
		size *= 2;
	}
	return found;
}
