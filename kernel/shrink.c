// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shrinker: called for each memcg and node under pressure.
 *
 * count answers from estimates without looking at a table. scan moves the clock
 * hand of one listing after the other over the state words, and stops when it
 * has freed what was asked, rounded up to the extent. What it looks at in one
 * call is bounded by a budget in proportion to what was asked.
 *
 * Nothing here waits for a lock that an allocating task may hold. Reclaimers do
 * not come back empty-handed because of each other: each takes the extents that
 * its own step of the hand has passed, and one that finds only what others are
 * taking waits, for a bounded time, until one of them has freed it.
 */
#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/shrinker.h>

#include "client.h"
#include "compat.h"
#include "listing.h"
#include "purge.h"
#include "region.h"
#include "shrink.h"

static struct shrinker *pashm_shrinker;

/*
 * What one call may look at: a base, and so much for each page asked for. A
 * head costs 1, more with many clients, since each is asked; so does the census
 * of an extent, by its pages.
 */
#define PASHM_SCAN_BASE		4096UL
#define PASHM_SCAN_PER_PAGE	16UL
#define PASHM_SCAN_CLIENTS	16U
#define PASHM_SCAN_CENSUS	64UL
/* Laps in one call, enough for age_min to fall from its limit to 0 */
#define PASHM_SCAN_LAPS		8

/**
 * struct pashm_scan - one call of the shrinker
 * @target:    pages to free
 * @freed:     pages freed that the asking memcg was charged for
 * @taken:     all pages freed
 * @budget:    what is left to look at
 * @unfinished: something may be left: the budget ran out, or others are at it
 */
struct pashm_scan {
	unsigned long target;
	unsigned long freed;
	unsigned long taken;
	unsigned long budget;
	bool unfinished;
};

/*
 * Take the extent under the listing's hand and move the hand past it. Returns
 * its head, with its word in @state; or, with @state 0, the region's size if
 * the hand has come round, or any other value if the budget ran out.
 */
static unsigned long pashm_hand_take(struct pashm_listing *listing, u64 *state,
				     unsigned long *budget)
{
	struct pashm_region *region = listing->region;
	long hand = atomic_long_read(&listing->hand);

	while (*budget) {
		unsigned long head, next;

		head = pashm_region_next_head(region, hand, region->pages,
					      state, budget);
		if (*state)
			next = head + max(1UL, pashm_extent_length(region, head,
								   *state));
		else
			next = head < region->pages ? head : 0;
		if (atomic_long_try_cmpxchg(&listing->hand, &hand, next))
			return head;
		/* Another reclaimer was here: go on from where it has got to */
		if (*budget)
			(*budget)--;
	}
	*state = 0;
	return 0;
}

/* How long must this extent have been unused to be a victim? */
static unsigned int pashm_age_wanted(struct pashm_listing *listing, u64 state,
				     const struct pashm_notes *notes)
{
	unsigned int age = READ_ONCE(listing->age_min);

	if (!age)
		return 0;
	return age * (1 + pashm_state_priority(state)) /
	       (1 + PASHM_PRIORITY_DEFAULT) + notes->frequency;
}

static void pashm_scan_spend(struct pashm_scan *scan, unsigned long cost)
{
	scan->budget -= min(scan->budget, cost);
}

/*
 * May the extent help the listing's memcg? Normally a look at its first page
 * tells. When everything is wanted, it is worth counting: the first page may be
 * another memcg's, and all the rest ours.
 */
static bool pashm_scan_matches(struct pashm_listing *listing,
			       unsigned long head, unsigned long length,
			       struct pashm_scan *scan)
{
	struct pashm_census census = { .memcg = READ_ONCE(listing->memcg) };

	if (pashm_sample_matches(listing->region, head, length, census.memcg))
		return true;
	if (READ_ONCE(listing->age_min))
		return false;
	pashm_census_take(listing->region, head, length, &census);
	pashm_scan_spend(scan, census.resident / PASHM_SCAN_CENSUS);
	return census.matching;
}

static void pashm_scan_extent(struct pashm_listing *listing, unsigned long head,
			      u64 state, struct pashm_scan *scan)
{
	struct pashm_region *region = listing->region;
	struct pashm_census census = { .memcg = READ_ONCE(listing->memcg) };
	unsigned long length = pashm_extent_length(region, head, state);
	struct pashm_notes notes;
	int ret;

	if (!length || !pashm_scan_matches(listing, head, length, scan))
		return;
	pashm_scan_spend(scan,
			 READ_ONCE(region->nr_clients) / PASHM_SCAN_CLIENTS);
	notes = pashm_clients_notes(region, head);
	if (notes.pinned) {
		atomic_long_add(length, &listing->lap_pinned);
		return;
	}
	atomic_long_add(length, &listing->lap_free);
	if (notes.age < pashm_age_wanted(listing, state, &notes))
		return;
	ret = pashm_purge_extent(region, head, state, PASHM_PURGER_RECLAIM,
				 &census);
	if (ret == -EAGAIN)
		scan->unfinished = true;
	if (ret)
		return;
	scan->freed += census.matching;
	scan->taken += census.resident;
	atomic_long_sub(census.matching, &listing->charged);
	atomic_long_add(census.resident, &listing->lap_purged);
	pashm_account_reclaimed(census.resident);
}

static void pashm_scan_laps(struct pashm_listing *listing,
			    struct pashm_scan *scan)
{
	int laps = 0;

	while (scan->freed < scan->target) {
		unsigned long head;
		bool desperate;
		u64 state;

		if (!scan->budget) {
			scan->unfinished = true;
			return;
		}
		head = pashm_hand_take(listing, &state, &scan->budget);
		if (state) {
			pashm_scan_extent(listing, head, state, scan);
			cond_resched();
			continue;
		}
		if (head < listing->region->pages)
			continue;
		/*
		 * The first lap of a call began somewhere in the middle; a
		 * second one that took whatever was unpinned leaves nothing.
		 */
		desperate = !READ_ONCE(listing->age_min);
		pashm_listing_lap(listing);
		if (++laps >= PASHM_SCAN_LAPS || (desperate && laps > 1))
			return;
	}
}

static void pashm_scan_listing(struct pashm_listing *listing,
			       struct pashm_scan *scan)
{
	pashm_scan_laps(listing, scan);
	if (!scan->freed && pashm_slot_wait_any(&listing->region->slots))
		scan->unfinished = true;
}

static unsigned long pashm_shrink_count(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	if (!pashm_listings_number(sc))
		return SHRINK_EMPTY;
	/*
	 * 0 and not SHRINK_EMPTY when there is a listing without pages: EMPTY
	 * would take us off the memcg's map of shrinkers, and only adding a
	 * listing puts us back.
	 */
	return pashm_listings_count(sc);
}

static unsigned long pashm_shrink_scan(struct shrinker *shrinker,
				       struct shrink_control *sc)
{
	struct pashm_scan scan = {
		.target = sc->nr_to_scan,
		.budget = PASHM_SCAN_BASE +
			  PASHM_SCAN_PER_PAGE * sc->nr_to_scan,
	};
	unsigned long turns = pashm_listings_number(sc);

	/* Truncation takes folio locks: not from within a file system */
	if ((sc->gfp_mask & (__GFP_FS | __GFP_IO)) != (__GFP_FS | __GFP_IO))
		return SHRINK_STOP;
	/*
	 * One that eats the budget up ends the call, and stands at the end of
	 * the list for the next: so it does not starve the others.
	 */
	while (turns-- && scan.budget && scan.freed < scan.target) {
		struct pashm_listing *listing = pashm_listing_pick(sc);
		struct pashm_region *region;

		if (!listing)
			continue;
		region = listing->region;
		pashm_scan_listing(listing, &scan);
		pashm_region_put(region);
	}
	/* Large extents may be more than was asked: so it is not asked again */
	sc->nr_scanned = max(sc->nr_to_scan, scan.taken);
	return scan.freed || scan.unfinished ? scan.freed : SHRINK_STOP;
}

int pashm_shrink_init(void)
{
	int ret;

	pashm_shrinker = pashm_shrinker_new(pashm_shrink_count,
					    pashm_shrink_scan);
	if (!pashm_shrinker)
		return -ENOMEM;
	ret = pashm_listing_init(pashm_shrinker);
	if (ret) {
		pashm_shrinker_delete(pashm_shrinker);
		return ret;
	}
	pashm_shrinker_enable(pashm_shrinker);
	return 0;
}

/* No region is left: the module's users hold it */
void pashm_shrink_exit(void)
{
	pashm_shrinker_delete(pashm_shrinker);
}
