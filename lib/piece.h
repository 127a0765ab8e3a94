/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pieces: pages on their way from the free runs to being given out. See pages.c for
 * segments.
 */
#ifndef LIB_PIECE_H
#define LIB_PIECE_H

#include "pages.h"

/* Of a segment's length: it is given out */
#define SEGMENT_GIVEN	(1U << 31)

static inline uint32_t segment(const struct pages *pages, uint32_t page)
{
	return __atomic_load_n(&pages->lengths[page], __ATOMIC_RELAXED);
}

static inline void segment_set(struct pages *pages, uint32_t page, uint32_t length)
{
	__atomic_store_n(&pages->lengths[page], length, __ATOMIC_RELAXED);
}

/**
 * struct piece - pages that a thread has taken out of the set, by whole segments
 * @start: first page of what is to be given out
 * @pages: its length
 * @used:  how many of its pages were given out before
 * @first: first page of the piece: of the segment that @start is in
 * @split: first page of the segment that reaches beyond its end, and
 * @spare: how many of that segment's pages are too many; 0 if there is none
 */
struct piece {
	uint32_t start;
	uint32_t pages;
	uint32_t used;
	uint32_t first;
	uint32_t split;
	uint32_t spare;
};

/* What has to be added to a page's number to know how its address is aligned */
uint32_t pashm_pages_bias(const struct pages *pages);

/* Under the lock: take a piece for a request. 0, -ENOSPC or -ENOMEM */
int pashm_piece_take(struct pages *pages, const struct pages_request *request,
		     struct piece *piece);

/* Under the lock: the @more pages behind a run that ends at @end, if they are free */
int pashm_piece_take_behind(struct pages *pages, uint32_t end, uint32_t more,
			    struct piece *piece);

/*
 * Make an extent from @start to the piece's end. The extents that this cuts end
 * first, and what is left of them is left to reclaim.
 */
int pashm_piece_make(struct pages *pages, const struct piece *piece,
		     uint32_t start, uint32_t priority,
		     struct pashm_handle *handle);

/*
 * What is from @start to the piece's end is given out, and what is in front of it
 * and behind it is free.
 */
void pashm_piece_keep(struct pages *pages, const struct piece *piece,
		      uint32_t start);

/* The piece is not given out: its segments are what they were */
void pashm_piece_return(struct pages *pages, const struct piece *piece,
			unsigned int given);

#endif /* LIB_PIECE_H */
