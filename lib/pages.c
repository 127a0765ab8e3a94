// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Runs of pages, each an extent.
 *
 * The region is cut in three: runs that are given out, free runs, and what lies
 * above @fresh, which was never used. All below @fresh is divided into segments:
 * a run that is given out is one, and a free run consists of one or more, each
 * of them an extent of priority 0 that nobody has pinned, or pages without an
 * extent, because making one has failed or because they were trimmed. So the
 * borders of runs and segments are borders of extents, but a request may end
 * inside a segment, which is then cut.
 *
 * The lengths of segments are on our own heap: what the state words say may
 * have been forged by any client of the region, and is good for its own
 * contents only, not for what is given out.
 *
 * LOCKS: pages.lock is a leaf. Extents are changed without it: a run that was
 * taken out of the set belongs to the thread that took it, so runs are taken
 * out by whole segments.
 */
#include <stdlib.h>
#include "own_extent.h"
#include "pages.h"
#include "sparse.h"

/* Of a segment's length: it is given out */
#define SEGMENT_GIVEN	(1U << 31)

static uint32_t segment(const struct pages *pages, uint32_t page)
{
	return __atomic_load_n(&pages->lengths[page], __ATOMIC_RELAXED);
}

static void segment_set(struct pages *pages, uint32_t page, uint32_t length)
{
	__atomic_store_n(&pages->lengths[page], length, __ATOMIC_RELAXED);
}

int pashm_pages_init(struct pages *pages, struct pashm_region *region)
{
	*pages = (struct pages){ .region = region };
	pages->lengths = pashm_sparse_new(region, sizeof(*pages->lengths));
	if (!pages->lengths)
		return -ENOMEM;
	pthread_mutex_init(&pages->lock, NULL);
	pashm_runs_init(&pages->runs);
	return 0;
}

void pashm_pages_clear(struct pages *pages)
{
	pashm_sparse_free(pages->region, pages->lengths,
			  sizeof(*pages->lengths));
	if (pthread_mutex_trylock(&pages->lock))
		return;
	pashm_runs_clear(&pages->runs);
	pthread_mutex_unlock(&pages->lock);
	pthread_mutex_destroy(&pages->lock);
}

uint32_t pashm_pages_length(const struct pages *pages, uint32_t page)
{
	uint32_t length = segment(pages, page);

	return length & SEGMENT_GIVEN ? length & ~SEGMENT_GIVEN : 0;
}

/**
 * struct piece - pages that a thread has taken out of the set
 * @start: first page of what is to be given out
 * @pages: its length
 * @used:  how many of its pages were given out before
 * @split: first page of the segment that reaches beyond its end, and
 * @spare: how many of that segment's pages are too many; 0 if there is none
 */
struct piece {
	uint32_t start;
	uint32_t pages;
	uint32_t used;
	uint32_t split;
	uint32_t spare;
};

/* The segment at the piece's end belongs to the piece with all its pages */
static void piece_round(struct pages *pages, struct piece *piece)
{
	uint32_t end = piece->start + piece->pages;
	uint32_t page, length;

	for (page = piece->start; page < end; page += length) {
		length = segment(pages, page);
		if (length <= end - page)
			continue;
		piece->split = page;
		piece->spare = length - (end - page);
		pashm_runs_trim(&pages->runs, end, piece->spare);
		return;
	}
}

static void fresh_take(struct pages *pages, uint32_t count)
{
	segment_set(pages, pages->fresh, count);
	pages->fresh += count;
}

static int piece_take(struct pages *pages, uint32_t count, struct piece *piece)
{
	uint64_t fresh = pages->region->view.pages - pages->fresh;
	uint32_t last;
	int ret;

	*piece = (struct piece){ .pages = count, .used = count };
	ret = pashm_runs_reserve(&pages->runs, pages->given + 3);
	if (ret)
		return ret;
	if (pashm_runs_take(&pages->runs, count, &piece->start)) {
		piece_round(pages, piece);
	} else {
		last = pashm_runs_take_last(&pages->runs, pages->fresh);
		if (count - last > fresh) {
			if (last)
				pashm_runs_give(&pages->runs,
						pages->fresh - last, last);
			return -ENOSPC;
		}
		piece->start = pages->fresh - last;
		piece->used = last;
		fresh_take(pages, count - last);
	}
	pages->given++;
	pages->used += count;
	return 0;
}

/* The @more pages behind a run, if they are free */
static int piece_take_behind(struct pages *pages, uint32_t end, uint32_t more,
			     struct piece *piece)
{
	uint64_t fresh = pages->region->view.pages - pages->fresh;

	*piece = (struct piece){ .start = end, .pages = more, .used = more };
	if (end == pages->fresh && more <= fresh) {
		piece->used = 0;
		fresh_take(pages, more);
	} else if (pashm_runs_trim(&pages->runs, end, more)) {
		piece_round(pages, piece);
	} else {
		return -ENOSPC;
	}
	pages->used += more;
	return 0;
}

/* A segment from @start to the piece's end is given out; what is too much, free */
static void piece_keep(struct pages *pages, const struct piece *piece,
		       uint32_t start)
{
	uint32_t end = piece->start + piece->pages;

	pthread_mutex_lock(&pages->lock);
	segment_set(pages, start, (end - start) | SEGMENT_GIVEN);
	if (piece->spare) {
		segment_set(pages, end, piece->spare);
		pashm_runs_give(&pages->runs, end, piece->spare);
	}
	pthread_mutex_unlock(&pages->lock);
}

/* The piece is not given out: its segments are what they were */
static void piece_return(struct pages *pages, const struct piece *piece,
			 unsigned int given)
{
	pthread_mutex_lock(&pages->lock);
	pashm_runs_give(&pages->runs, piece->start,
			piece->pages + piece->spare);
	pages->given -= given;
	pages->used -= piece->pages;
	pthread_mutex_unlock(&pages->lock);
}

/*
 * Make an extent from @start to the piece's end. The extent that this cuts, if
 * there is one, ends first, and what is left of it is left to reclaim.
 */
static int piece_make(struct pages *pages, const struct piece *piece,
		      uint32_t start, uint32_t priority,
		      struct pashm_handle *handle)
{
	uint32_t end = piece->start + piece->pages;
	struct pashm_handle cut = { .page = piece->split };
	int ret;

	if (piece->spare) {
		cut.generation = pashm_generation(pages->region, cut.page);
		ret = pashm_own_end(pages->region, cut);
		if (ret && ret != -ESTALE)
			return ret;
	}
	ret = pashm_own_make(pages->region, start, end - start, priority, handle);
	if (!piece->spare)
		return ret;
	if (ret)
		pashm_own_leave(pages->region, cut.page, end + piece->spare - cut.page);
	else
		pashm_own_leave(pages->region, end, piece->spare);
	return ret;
}

/* Pages that were given out become a free segment, and with @given the whole run */
static void segment_give(struct pages *pages, uint32_t start, uint32_t length,
			 unsigned int given)
{
	if (!length)
		return;
	pashm_own_leave(pages->region, start, length);
	pthread_mutex_lock(&pages->lock);
	segment_set(pages, start, length);
	pashm_runs_give(&pages->runs, start, length);
	pages->given -= given;
	pages->used -= length;
	pthread_mutex_unlock(&pages->lock);
}

/*
 * Keep @count pages of a run, from the @lead'th on; contents stay. The extent
 * ends, as one cannot be made across the border of another, and its pages are
 * nobody's until the next one is made: hence nothing takes them.
 */
static int run_carve(struct pages *pages, uint32_t lead, uint32_t count,
		     uint32_t priority, struct pashm_handle *handle)
{
	uint32_t start = handle->page, first = start + lead;
	uint32_t length = pashm_pages_length(pages, start);
	uint32_t rest = length - lead - count;
	int ret;

	if (length == count)
		return 0;
	ret = pashm_extent_destroy(pages->region, start, 0);
	if (ret)
		return ret == -ERANGE || ret == -EINVAL ? -ESTALE : ret;
	ret = pashm_own_make_surely(pages->region, first, count, priority, handle);
	if (ret) {
		if (!pashm_own_make_surely(pages->region, start, length, priority, handle))
			return ret;
		segment_give(pages, start, length, 1);
		return -ESTALE;
	}
	pthread_mutex_lock(&pages->lock);
	segment_set(pages, first, count | SEGMENT_GIVEN);
	pthread_mutex_unlock(&pages->lock);
	segment_give(pages, start, lead, 0);
	segment_give(pages, first + count, rest, 0);
	return 0;
}

/* Pages from @page on that must go for the address to be aligned */
static uint32_t lead_for(const struct pages *pages, uint32_t page,
			 uint32_t align)
{
	const struct pashm_view *view = &pages->region->view;
	uint64_t address = ((uintptr_t)view->data >> view->page_shift) + page;

	return (uint32_t)(-address & (align - 1));
}

/* Runs begin at multiples of the unit, so the first of them may have to be aligned */
static bool can_align(const struct pages *pages, uint32_t align)
{
	uint32_t unit = pashm_view_unit(&pages->region->view);

	return lead_for(pages, 0, align < unit ? align : unit) == 0;
}

int pashm_pages_alloc(struct pages *pages, struct pages_request *request,
		      struct pashm_handle *handle)
{
	uint32_t unit = pashm_view_unit(&pages->region->view);
	uint64_t count = request->pages;
	struct piece piece;
	uint32_t lead;
	int ret;

	if (!can_align(pages, request->align))
		return -EOPNOTSUPP;
	if (request->align > unit)
		count += request->align - unit;
	if (count > PASHM_EXTENT_PAGES_MAX)
		return -EFBIG;
	pthread_mutex_lock(&pages->lock);
	ret = piece_take(pages, (uint32_t)count, &piece);
	pthread_mutex_unlock(&pages->lock);
	if (ret)
		return ret;
	ret = piece_make(pages, &piece, piece.start, request->priority, handle);
	if (ret) {
		piece_return(pages, &piece, 1);
		return ret;
	}
	piece_keep(pages, &piece, piece.start);
	lead = lead_for(pages, piece.start, request->align);
	request->used = piece.used > lead ? piece.used - lead : 0;
	ret = run_carve(pages, lead, request->pages, request->priority, handle);
	if (ret && ret != -ESTALE)
		pashm_pages_free(pages, *handle, true);
	return ret == -ESTALE ? -EBUSY : ret;
}

int pashm_pages_free(struct pages *pages, struct pashm_handle handle,
		     bool pinned)
{
	uint32_t length = pashm_pages_length(pages, handle.page);
	int ret;

	if (!length)
		return -ESTALE;
	if (pinned) {
		ret = pashm_extent_destroy(pages->region, handle.page, 0);
		if (ret == -ERANGE || ret == -EINVAL)
			ret = -ESTALE;
	} else {
		ret = pashm_own_end(pages->region, handle);
	}
	if (ret)
		return ret;
	segment_give(pages, handle.page, length, 1);
	return 0;
}

static int run_grow(struct pages *pages, struct pages_request *request,
		    uint32_t length, struct pashm_handle *handle)
{
	uint32_t start = handle->page;
	struct piece piece;
	int ret;

	pthread_mutex_lock(&pages->lock);
	ret = piece_take_behind(pages, start + length, request->pages - length,
				&piece);
	pthread_mutex_unlock(&pages->lock);
	if (ret)
		return ret;
	/* Contents stay: the extent that is there lies inside the new one */
	ret = piece_make(pages, &piece, start, request->priority, handle);
	if (ret) {
		piece_return(pages, &piece, 0);
		return ret;
	}
	pashm_unpin(pages->region, start);
	piece_keep(pages, &piece, start);
	request->used = length + piece.used;
	return 0;
}

int pashm_pages_resize(struct pages *pages, struct pages_request *request,
		       struct pashm_handle *handle)
{
	uint32_t length = pashm_pages_length(pages, handle->page);

	if (!length)
		return -ESTALE;
	if (request->pages > length)
		return run_grow(pages, request, length, handle);
	request->used = request->pages;
	return run_carve(pages, 0, request->pages, request->priority, handle);
}

/* A free segment that the caller has taken out */
static int segment_discard(struct pages *pages, uint32_t page, uint32_t length)
{
	struct pashm_handle handle;
	int ret;

	ret = pashm_own_make_surely(pages->region, page, length, 0, &handle);
	if (ret)
		return ret;
	do {
		ret = pashm_extent_destroy(pages->region, page,
					   PASHM_EXTENT_DISCARD);
	} while (ret == -EINTR);
	if (ret)
		pashm_unpin(pages->region, page);
	return ret;
}

int pashm_pages_trim(struct pages *pages)
{
	uint32_t from = 0, start, count, page, length;
	int ret = 0, error;
	bool found;

	for (;; from = start + count) {
		pthread_mutex_lock(&pages->lock);
		found = pashm_runs_take_from(&pages->runs, from, &start,
					     &count);
		pthread_mutex_unlock(&pages->lock);
		if (!found)
			return ret;
		for (page = start; page < start + count; page += length) {
			length = segment(pages, page);
			error = segment_discard(pages, page, length);
			if (!ret)
				ret = error;
		}
		pthread_mutex_lock(&pages->lock);
		pashm_runs_give(&pages->runs, start, count);
		pthread_mutex_unlock(&pages->lock);
	}
}
