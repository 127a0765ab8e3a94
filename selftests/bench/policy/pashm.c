// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's choice of victims: its own steer.c, and around that what its scan.c
 * does, for one memcg, without the budget, which bounds a call and not what is found.
 */
#include "pashm.h"

/* PASHM_SCAN_SAMPLE, PASHM_SCAN_PARTS */
#define SAMPLE	64
#define PARTS	16

static unsigned int score_of(struct region *region, uint32_t head,
			     struct pashm_use *use)
{
	unsigned int score;

	region_notes(region, head, use);
	score = pashm_steer_score(&region->steer, use);
	pashm_steer_pass(&region->steer, score, region->extents[head].pages);
	return score;
}

/* pashm_scan_sample() */
static void sample_take(struct region *region)
{
	uint32_t hand = region->hand, size = region->size / PARTS + 1;
	uint32_t start, head, seen;
	struct pashm_use use;

	pashm_steer_init(&region->steer);
	for (start = 0; start < region->size; start += size) {
		region->hand = start;
		for (seen = 0; seen < SAMPLE; seen++) {
			head = region_hand(region);
			if (head == REGION_NONE || head >= start + size)
				break;
			score_of(region, head, &use);
		}
	}
	pashm_steer_lap(&region->steer);
	region->hand = hand;
}

/* pashm_listing_lap() */
static void lap_end(struct region *region)
{
	pashm_steer_lap(&region->steer);
	region_forget(region);
}

void pashm_reclaim(struct region *region, uint32_t asked)
{
	struct pashm_use use;
	uint32_t freed = 0, head, pages;

	if (!region->steer.started)
		sample_take(region);
	while (freed < asked) {
		head = region_hand(region);
		if (head == REGION_NONE) {
			lap_end(region);
			continue;
		}
		if (score_of(region, head, &use) < region->steer.threshold)
			continue;
		pages = region->extents[head].pages;
		region_purge(region, head);
		pashm_steer_taken(&region->steer, use.frequency, pages);
		freed += pages;
	}
}

#define PASHM_POLICY(heading, text, ...) {		\
	.name = heading,				\
	.what = text,					\
	.create = region_create,			\
	.use = region_use,				\
	.destroy = region_destroy,			\
	.rules = &(const struct rules) { __VA_ARGS__ },	\
}

const struct policy policy_home =
	PASHM_POLICY("home", "pashm, where objects keep their extents",
		     .placement = PLACEMENT_HOME);
const struct policy policy_cache =
	PASHM_POLICY("cache", "pashm_cache, which moves them, and knows their notes",
		     .placement = PLACEMENT_FIRST, .ghosts = PASHM_STEER_FORGET);
const struct policy policy_blind =
	PASHM_POLICY("blind", "the same if it forgot the notes of what is purged",
		     .placement = PLACEMENT_FIRST);
