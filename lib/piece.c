// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pieces: taken out of the free runs, made an extent of, and given out. */
#include "own_extent.h"
#include "piece.h"

static uint32_t piece_end(const struct piece *piece)
{
	return piece->start + piece->pages + piece->spare;
}

/*
 * Take the piece out of the run that starts at @run; segments at its ends belong to
 * it with all their pages. There are no more in front of it than an alignment has
 * pages.
 */
static void piece_cut(struct pages *pages, struct piece *piece, uint32_t run)
{
	uint32_t end = piece->start + piece->pages;
	uint32_t page = run, length;

	for (;; page += length) {
		length = segment(pages, page);
		if (page + length <= piece->start)
			continue;
		if (page <= piece->start)
			piece->first = page;
		if (page + length >= end)
			break;
	}
	if (page + length > end) {
		piece->split = page;
		piece->spare = page + length - end;
	}
	pashm_runs_take(&pages->runs, piece->first,
			piece_end(piece) - piece->first);
}

/* The pages from @fresh on to @end become a free segment */
static void fresh_take(struct pages *pages, uint32_t end)
{
	uint32_t start = pages->fresh;

	if (end <= start)
		return;
	segment_set(pages, start, end - start);
	pages->fresh = end;
	pashm_runs_give(&pages->runs, start, end - start);
}

uint32_t pashm_pages_bias(const struct pages *pages)
{
	const struct pashm_view *view = &pages->region->view;

	return (uint32_t)((uintptr_t)view->data >> view->page_shift);
}

/* Where a piece can begin that is at the end of what was used, or behind it */
static uint32_t fresh_fit(const struct pages *pages, uint32_t align)
{
	uint32_t start = pages->fresh, run, length;

	if (pages->fresh &&
	    pashm_runs_next(&pages->runs, pages->fresh - 1, &run, &length))
		start = run;
	return start + (-(start + pashm_pages_bias(pages)) & (align - 1));
}

int pashm_piece_take(struct pages *pages, const struct pages_request *request,
		     struct piece *piece)
{
	uint32_t run, length, fresh = pages->fresh, align = request->align;
	int ret;

	*piece = (struct piece){ .pages = request->pages };
	ret = pashm_runs_reserve(&pages->runs, pages->given + pages->held + 4);
	if (ret)
		return ret;
	if (!pashm_runs_find(&pages->runs, piece->pages, align, pashm_pages_bias(pages),
			     &run, &piece->start)) {
		piece->start = fresh_fit(pages, align);
		if ((uint64_t)piece->start + piece->pages >
		    pages->region->view.pages)
			return -ENOSPC;
		fresh_take(pages, piece->start + piece->pages);
		pashm_runs_next(&pages->runs, piece->start, &run, &length);
	}
	piece_cut(pages, piece, run);
	piece->used = piece->pages;
	if (piece->start + piece->pages > fresh)
		piece->used = fresh > piece->start ? fresh - piece->start : 0;
	pages->given++;
	pages->used += piece->pages;
	return 0;
}

int pashm_piece_take_behind(struct pages *pages, uint32_t end, uint32_t more,
			    struct piece *piece)
{
	uint32_t fresh = pages->fresh, run, length;
	int ret;

	*piece = (struct piece){
		.start = end, .pages = more, .used = more, .first = end,
	};
	ret = pashm_runs_reserve(&pages->runs, pages->given + pages->held + 4);
	if (ret)
		return ret;
	if (end + (uint64_t)more <= pages->region->view.pages &&
	    fresh_fit(pages, 1) == end)
		fresh_take(pages, end + more);
	if (!pashm_runs_next(&pages->runs, end, &run, &length) || run != end ||
	    length < more)
		return -ENOSPC;
	piece_cut(pages, piece, run);
	if (end + more > fresh)
		piece->used = fresh > end ? fresh - end : 0;
	pages->used += more;
	return 0;
}

/* The piece is not divided like that any more */
static void segments_forget(struct pages *pages, const struct piece *piece)
{
	uint32_t page, length;

	for (page = piece->first; page < piece_end(piece); page += length) {
		length = segment(pages, page);
		segment_set(pages, page, 0);
	}
}

void pashm_piece_keep(struct pages *pages, const struct piece *piece,
		      uint32_t start)
{
	uint32_t end = piece->start + piece->pages;
	uint32_t lead = start > piece->first ? start - piece->first : 0;

	pthread_mutex_lock(&pages->lock);
	segments_forget(pages, piece);
	if (lead) {
		segment_set(pages, piece->first, lead);
		pashm_runs_give(&pages->runs, piece->first, lead);
	}
	segment_set(pages, start, (end - start) | SEGMENT_GIVEN);
	if (piece->spare) {
		segment_set(pages, end, piece->spare);
		pashm_runs_give(&pages->runs, end, piece->spare);
	}
	pthread_mutex_unlock(&pages->lock);
}

void pashm_piece_return(struct pages *pages, const struct piece *piece,
			unsigned int given)
{
	pthread_mutex_lock(&pages->lock);
	pashm_runs_give(&pages->runs, piece->first,
			piece_end(piece) - piece->first);
	pages->given -= given;
	pages->used -= piece->pages;
	pthread_mutex_unlock(&pages->lock);
}

/* End the extent of a segment that is to be cut, if it has one */
static int segment_end(struct pages *pages, uint32_t page)
{
	struct pashm_handle handle = {
		.page = page,
		.generation = pashm_generation(pages->region, page),
	};
	int ret = pashm_own_end(pages->region, handle, true);

	return ret == -ESTALE ? 0 : ret;
}

int pashm_piece_make(struct pages *pages, const struct piece *piece,
		     uint32_t start, uint32_t priority,
		     struct pashm_handle *handle)
{
	uint32_t end = piece->start + piece->pages;
	uint32_t lead = piece->first < start ? start - piece->first : 0;
	bool one = lead && piece->spare && piece->split == piece->first;
	int ret = 0;

	if (lead)
		ret = segment_end(pages, piece->first);
	if (!ret && piece->spare && !one)
		ret = segment_end(pages, piece->split);
	if (!ret)
		ret = pashm_own_make(pages->region, start, end - start,
				     priority, handle);
	if (ret) {
		/* Those that have ended are made again, the others are there */
		if (lead)
			pashm_own_leave(pages->region, piece->first,
					segment(pages, piece->first));
		if (piece->spare && !one)
			pashm_own_leave(pages->region, piece->split,
					segment(pages, piece->split));
		return ret;
	}
	if (lead)
		pashm_own_leave(pages->region, piece->first, lead);
	if (piece->spare)
		pashm_own_leave(pages->region, end, piece->spare);
	return 0;
}
