/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_WALK_H
#define PASHM_WALK_H

#include <linux/types.h>

struct pashm_region;

/* Extents of which nothing is there cost 1 together, if there are so many */
#define PASHM_WALK_ABSENT	16UL

/**
 * struct pashm_walk - over those extents of a region of which something is there
 * @region:  the caller holds a reference
 * @at:      index of the page to look at next; the extent's end after one was found
 * @end:     where the walk ends
 * @budget:  what it may still look at: a head, or a page of the table without one, is 1
 * @head:    of the extent that was found
 * @state:   its word, read once; 0 if none was found
 * @length:  its pages; 0: the word is forged
 * @present: first page in memory or in swap from a place on that is behind us; so one
 *           look serves all extents up to there
 * @absent:  extents that were passed over
 */
struct pashm_walk {
	struct pashm_region *region;
	unsigned long at;
	unsigned long end;
	unsigned long budget;
	unsigned long head;
	u64 state;
	unsigned long length;
	unsigned long present;
	unsigned long absent;
};

bool pashm_walk_next(struct pashm_walk *walk);

#endif /* PASHM_WALK_H */
