// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reclaim looks at beside the laps of the hand: a sample for its first choice, and
 * notes that are too old. Each is bounded by a part of the call's budget.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "client.h"
#include "listing.h"
#include "purge.h"
#include "region.h"
#include "scan.h"
#include "walk.h"

/* Before a listing's first choice, up to so many heads are looked at in so many parts */
#define PASHM_SCAN_SAMPLE	64UL
#define PASHM_SCAN_PARTS	16
/* Heads, for each page that was taken, whose notes may be too old */
#define PASHM_SCAN_FORGETS	8UL

static void pashm_sample_one(struct pashm_listing *listing,
			     const struct pashm_walk *walk,
			     const struct pashm_census *wanted)
{
	struct pashm_notes notes;

	if (pashm_sample_take(walk->region, walk->head, walk->length, wanted) !=
	    PASHM_SAMPLE_OURS)
		return;
	notes = pashm_clients_notes(walk->region, walk->head, walk->state);
	if (!notes.pinned)
		pashm_steer_pass(&listing->steer,
				 pashm_steer_score(&listing->steer, &notes.use),
				 walk->length);
}

/*
 * Looks at up to @heads extents of a part that are there; returns what it cost. A part
 * that begins with so many pages of the table without any is not looked into.
 */
static unsigned long pashm_sample_part(struct pashm_listing *listing,
				       unsigned long start, unsigned long end,
				       unsigned long heads,
				       const struct pashm_census *wanted)
{
	struct pashm_walk walk = {
		.region = listing->region,
		.at = start,
		.end = end,
		.budget = heads,
	};
	unsigned long cost = 0;

	while (pashm_walk_next(&walk)) {
		if (walk.length)
			pashm_sample_one(listing, &walk, wanted);
		cost += pashm_scan_cost(listing->region);
	}
	return cost + heads - walk.budget;
}

/*
 * A first choice needs to know what there is: looks at some extents in each part of
 * what is used of the region, for half the budget at most, and takes nothing. If it has
 * seen none that could be taken, the first lap is for looking, too, as long as there is
 * budget for that.
 */
void pashm_scan_sample(struct pashm_listing *listing, struct pashm_scan *scan)
{
	struct pashm_census wanted = pashm_scan_wanted(listing, scan);
	struct pashm_region *region = listing->region;
	unsigned long end = pashm_region_end(region), start;
	unsigned long part = DIV_ROUND_UP(end, PASHM_SCAN_PARTS);
	unsigned long heads = scan->budget / 2 / PASHM_SCAN_PARTS /
			      (1 + pashm_scan_cost(region));

	WRITE_ONCE(listing->sampled, jiffies);
	heads = clamp(heads, 1UL, PASHM_SCAN_SAMPLE);
	for (start = 0; start < end; start += part)
		pashm_scan_spend(scan, pashm_sample_part(listing, start,
							 min(start + part, end),
							 heads, &wanted));
	pashm_steer_lap(&listing->steer);
	if (pashm_scan_all(listing))
		WRITE_ONCE(listing->steer.threshold, PASHM_STEER_SCORES);
}

/*
 * Go on with the search for old notes, the further the more was taken, and with half of
 * what is left of the budget at most. The clock ticks with what is taken, so all notes
 * are looked at in time unless there are many times more extents than memory.
 */
void pashm_scan_forget(struct pashm_listing *listing, struct pashm_scan *scan,
		       unsigned long taken)
{
	struct pashm_region *region = listing->region;
	u32 epoch = READ_ONCE(region->header->epoch);
	unsigned long at = READ_ONCE(listing->forget_at), left;
	u64 state;

	if (epoch < PASHM_STEER_FORGET ||
	    (!at && epoch - READ_ONCE(listing->forgotten) < PASHM_FORGET_EVERY))
		return;
	if (!at)
		WRITE_ONCE(listing->forgotten, epoch);
	left = min(PASHM_SCAN_FORGETS * (1 + taken),
		   scan->budget / 2 / pashm_scan_cost(region));
	pashm_scan_spend(scan, left * pashm_scan_cost(region));
	while (left) {
		at = pashm_region_next_head(region, at, region->pages, &state,
					    &left);
		if (!state)
			break;
		pashm_clients_forget(region, at);
		at += max(1UL, pashm_extent_length(region, at, state));
	}
	WRITE_ONCE(listing->forget_at, at < region->pages ? at : 0);
}
