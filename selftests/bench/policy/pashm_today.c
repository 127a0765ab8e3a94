// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's choice of victims as kernel/shrink.c and kernel/listing.c make
 * it: pashm_scan_laps(), pashm_age_wanted() and pashm_listing_lap(), for one
 * memcg, without the budget, which bounds a call and not what is found.
 */
#include "../../../include/uapi/linux/pashm_pin.h"
#include "pashm.h"
#include "region.h"

#define AGE_START	4U
#define AGE_LIMIT	32U
#define SCAN_LAPS	8

static unsigned int today_pinned(unsigned int frequency, unsigned int age)
{
	(void)age;
	return frequency < PASHM_FREQUENCY_MAX ? frequency + 1 : frequency;
}

/* pashm_note_forget() */
static unsigned int today_filled(unsigned int frequency, unsigned int age)
{
	(void)frequency;
	(void)age;
	return 0;
}

/* @threshold is age_min + 1, as 0 is what a new region has */
static unsigned int age_min(const struct region *region)
{
	return region->threshold ? region->threshold - 1 : AGE_START;
}

static void today_lap(struct region *region, bool all)
{
	uint64_t seen = region->lap_free, purged = region->lap_purged;
	unsigned int age = age_min(region);

	if (all && !seen)
		age = AGE_START;
	else if (purged > seen / 2)
		age = age < AGE_LIMIT ? age + 1 : AGE_LIMIT;
	else if (purged <= seen / 8)
		age /= 2;
	region->threshold = age + 1;
	region->lap_free = 0;
	region->lap_purged = 0;
}

static void today_reclaim(struct region *region, uint32_t asked)
{
	unsigned int frequency, age, wanted;
	bool all = !age_min(region);
	uint32_t freed = 0, head, pages;
	int laps = 0;

	while (freed < asked) {
		head = region_hand(region);
		if (head == REGION_NONE) {
			today_lap(region, all);
			if (++laps >= SCAN_LAPS || (all && laps > 1))
				return;
			all = !age_min(region);
			continue;
		}
		region_notes(region, head, &frequency, &age);
		pages = region->extents[head].pages;
		region->lap_free += pages;
		wanted = age_min(region) ? age_min(region) + frequency : 0;
		if (age < wanted)
			continue;
		region_purge(region, head);
		region->lap_purged += pages;
		freed += pages;
	}
}

#define TODAY(where) {				\
	.placement = where,			\
	.pinned = today_pinned,			\
	.filled = today_filled,			\
	.reclaim = today_reclaim,		\
	.epochs = 16,				\
}

static const struct rules today_home = TODAY(PLACEMENT_HOME);
static const struct rules today_first = TODAY(PLACEMENT_FIRST);

const struct policy policy_today_home =
	PASHM_POLICY("now/home", "pashm as it is, objects keep their index",
		     &today_home);
const struct policy policy_today_first =
	PASHM_POLICY("now/first", "the same, objects move to free indexes",
		     &today_first);
