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
 * The lengths of segments are on our own heap, at their first pages; at all other
 * pages there is 0. They are not taken from the state words: what those say may
 * have been forged by any client of the region, and is good for its own
 * contents only, not for what is given out.
 *
 * LOCKS: pages.lock is a leaf. Extents are changed without it: a run that was
 * taken out of the set belongs to the thread that took it, so runs are taken
 * out by whole segments.
 */
#include <stdlib.h>
#include "own_extent.h"
#include "piece.h"
#include "sparse.h"

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

uint32_t pashm_pages_segment(const struct pages *pages, uint32_t page)
{
	return segment(pages, page) & ~SEGMENT_GIVEN;
}

uint32_t pashm_pages_length(const struct pages *pages, uint32_t page)
{
	uint32_t length = segment(pages, page);

	return length & SEGMENT_GIVEN ? length & ~SEGMENT_GIVEN : 0;
}

/* Pages that were given out become a free segment, and with @given the whole run */
static void segment_give(struct pages *pages, uint32_t start, uint32_t length,
			 unsigned int given)
{
	pthread_mutex_lock(&pages->lock);
	segment_set(pages, start, length);
	pashm_runs_give(&pages->runs, start, length);
	pages->given -= given;
	pages->used -= length;
	pthread_mutex_unlock(&pages->lock);
}

/* Runs begin at multiples of the unit, so the first of them may have to be aligned */
bool pashm_pages_can_align(const struct pages *pages, uint32_t align)
{
	uint32_t unit = pashm_view_unit(&pages->region->view);

	return !(pashm_pages_bias(pages) & ((align < unit ? align : unit) - 1));
}

int pashm_pages_alloc(struct pages *pages, struct pages_request *request,
		      struct pashm_handle *handle)
{
	uint32_t unit = pashm_view_unit(&pages->region->view);
	struct piece piece;
	int ret;

	if (!pashm_pages_can_align(pages, request->align))
		return -EOPNOTSUPP;
	if (request->align <= unit)
		request->align = 1;
	pthread_mutex_lock(&pages->lock);
	ret = pashm_piece_take(pages, request, &piece);
	pthread_mutex_unlock(&pages->lock);
	if (ret)
		return ret;
	ret = pashm_piece_make(pages, &piece, piece.start, request->priority, handle);
	if (ret) {
		pashm_piece_return(pages, &piece, 1);
		return ret;
	}
	pashm_piece_keep(pages, &piece, piece.start);
	request->used = piece.used;
	return 0;
}

void pashm_pages_give(struct pages *pages, uint32_t page)
{
	uint32_t length = pashm_pages_length(pages, page);

	pashm_own_leave(pages->region, page, length);
	segment_give(pages, page, length, 1);
}

int pashm_pages_free(struct pages *pages, struct pashm_handle handle)
{
	int ret;

	if (!pashm_pages_length(pages, handle.page))
		return -ESTALE;
	ret = pashm_own_end(pages->region, handle, true);
	if (!ret)
		pashm_pages_give(pages, handle.page);
	return ret;
}

int pashm_pages_free_pinned(struct pages *pages, uint32_t page)
{
	int ret;

	if (!pashm_pages_length(pages, page))
		return -ESTALE;
	ret = pashm_own_end_pinned(pages->region, page);
	if (!ret)
		pashm_pages_give(pages, page);
	return ret;
}

void pashm_pages_abandon(struct pages *pages, uint32_t page)
{
	uint32_t length = pashm_pages_length(pages, page);

	if (!pashm_pages_free_pinned(pages, page))
		return;
	/* Its extent stays until the pages are used again */
	pashm_unpin(pages->region, page);
	segment_give(pages, page, length, 1);
}

static int run_grow(struct pages *pages, struct pages_request *request,
		    uint32_t length, struct pashm_handle *handle)
{
	uint32_t start = handle->page;
	struct piece piece;
	int ret;

	pthread_mutex_lock(&pages->lock);
	ret = pashm_piece_take_behind(pages, start + length, request->pages - length,
				&piece);
	pthread_mutex_unlock(&pages->lock);
	if (ret)
		return ret;
	/* Contents stay: the extent that is there lies inside the new one */
	ret = pashm_piece_make(pages, &piece, start, request->priority, handle);
	if (ret) {
		pashm_piece_return(pages, &piece, 0);
		return ret;
	}
	pashm_unpin(pages->region, start);
	pashm_piece_keep(pages, &piece, start);
	request->used = length + piece.used;
	return 0;
}

/*
 * Keep the first pages of a run; contents stay. The extent ends, as one cannot be
 * made across the border of another, and its pages are nobody's until the next one
 * is made: hence nothing takes them.
 */
static int run_shrink(struct pages *pages, const struct pages_request *request,
		      uint32_t length, struct pashm_handle *handle)
{
	uint32_t start = handle->page, count = request->pages;
	int ret;

	ret = pashm_own_end_pinned(pages->region, start);
	if (ret == -ESTALE) {
		/* Somebody forges words: what can be saved is the pages */
		pashm_unpin(pages->region, start);
		segment_give(pages, start, length, 1);
	}
	if (ret)
		return ret;
	ret = pashm_own_make_surely(pages->region, start, count,
				    request->priority, handle);
	if (ret && !pashm_own_make_surely(pages->region, start, length,
					  request->priority, handle))
		return ret;
	if (ret) {
		segment_give(pages, start, length, 1);
		return -ESTALE;
	}
	pashm_own_leave(pages->region, start + count, length - count);
	pthread_mutex_lock(&pages->lock);
	segment_set(pages, start, count | SEGMENT_GIVEN);
	pthread_mutex_unlock(&pages->lock);
	segment_give(pages, start + count, length - count, 0);
	return 0;
}

int pashm_pages_resize(struct pages *pages, struct pages_request *request,
		       struct pashm_handle *handle)
{
	uint32_t length = pashm_pages_length(pages, handle->page);

	request->used = request->pages;
	if (!length)
		return -ESTALE;
	if (request->pages > length)
		return run_grow(pages, request, length, handle);
	if (request->pages < length)
		return run_shrink(pages, request, length, handle);
	return 0;
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

/* The free segment that begins at @*from or is the next one behind, taken out */
static int segment_take(struct pages *pages, uint32_t *from, uint32_t *length)
{
	uint32_t run, rest;
	int ret;

	ret = pashm_runs_reserve(&pages->runs, pages->given + pages->held + 4);
	if (ret)
		return ret;
	do {
		if (!pashm_runs_next(&pages->runs, *from, &run, &rest))
			return -ENOENT;
		if (run > *from)
			*from = run;
		/* What began there may be a part of another segment now */
		while (*from < run + rest && !segment(pages, *from))
			++*from;
	} while (*from == run + rest);
	*length = segment(pages, *from);
	pashm_runs_take(&pages->runs, *from, *length);
	pages->held++;
	return 0;
}

static void segment_return(struct pages *pages, uint32_t page, uint32_t length)
{
	pthread_mutex_lock(&pages->lock);
	pashm_runs_give(&pages->runs, page, length);
	pages->held--;
	pthread_mutex_unlock(&pages->lock);
}

/* Segment by segment, so that others miss only one at a time */
int pashm_pages_trim(struct pages *pages)
{
	uint32_t from = 0, length;
	int ret = 0, error;

	for (;; from += length) {
		pthread_mutex_lock(&pages->lock);
		error = segment_take(pages, &from, &length);
		pthread_mutex_unlock(&pages->lock);
		if (error)
			return error == -ENOENT ? ret : error;
		error = segment_discard(pages, from, length);
		segment_return(pages, from, length);
		if (!ret)
			ret = error;
	}
}
