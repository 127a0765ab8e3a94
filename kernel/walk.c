// SPDX-License-Identifier: GPL-2.0-only
/*
 * A walk over the extents of a region, for those who look for memory: it passes over
 * the ones of which nothing is there, which may be most. A look at the mapping finds
 * the next page that is, however far that is. No locks: see table.c and <linux/xarray.h>.
 */
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/xarray.h>

#include "purge.h"
#include "region.h"
#include "table.h"
#include "walk.h"

/* Is nothing of the extent there, in memory or in swap? */
static bool pashm_walk_absent(struct pashm_walk *walk)
{
	if (walk->present < walk->head) {
		walk->present = walk->head;
		if (!xa_find(&walk->region->inode->i_mapping->i_pages,
			     &walk->present, ULONG_MAX, XA_PRESENT))
			walk->present = ULONG_MAX;
	}
	return walk->present >= walk->at;
}

/*
 * The next extent. Returns false if there is none: the walk is over if it is at its end,
 * and has run out of budget if not.
 */
bool pashm_walk_next(struct pashm_walk *walk)
{
	struct pashm_region *region = walk->region;

	walk->state = 0;
	while (walk->budget) {
		walk->head = pashm_region_next_head(region, walk->at, walk->end,
						    &walk->state,
						    &walk->budget);
		walk->at = walk->head;
		if (!walk->state)
			return false;
		walk->length = pashm_extent_length(region, walk->head,
						   walk->state);
		walk->at += max(1UL, walk->length);
		if (!pashm_walk_absent(walk))
			return true;
		walk->state = 0;
		walk->budget += !!(++walk->absent % PASHM_WALK_ABSENT);
	}
	return false;
}
