// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice of victims: moves the clock hand of a listing over the state words
 * until enough is freed, rounded up to the extent. What it looks at is bounded by
 * a budget.
 *
 * Nothing here waits for a lock that an allocating task may hold. Reclaimers do
 * not come back empty-handed because of each other: each takes the extents that
 * its own step of the hand has passed, and one that finds only what others are
 * taking waits, once and for a bounded time, until one of them has freed it. A
 * client cannot make it wait: only other reclaimers count.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>

#include "client.h"
#include "compat.h"
#include "listing.h"
#include "purge.h"
#include "region.h"
#include "scan.h"
#include "short.h"
#include "walk.h"

/*
 * A head costs 1 of the budget, more with many clients, since each is asked; so
 * does the census of an extent, by its pages. Heads that are skipped cost little.
 */
#define PASHM_SCAN_CLIENTS	16U
#define PASHM_SCAN_CENSUS	64UL
/* Laps in one call, each of which takes a share of what is left */
#define PASHM_SCAN_LAPS		32

void pashm_scan_grant(struct pashm_scan *scan, unsigned long budget)
{
	scan->granted += budget;
	scan->budget += budget;
}

bool pashm_scan_wants(const struct pashm_scan *scan)
{
	if (scan->over || fatal_signal_pending(current))
		return false;
	return scan->freed < scan->asked ||
	       (scan->taken < scan->lack && pashm_node_lack(scan->nid)) ||
	       (scan->taken < scan->room &&
		!pashm_memcg_has_room(scan->memcg, scan->room));
}

/*
 * Take the extent under the listing's hand and move the hand past it. If there is none,
 * the walk has come to the region's end, and the hand has come round, or else, also if
 * that was at others' hands, the budget ran out.
 */
static void pashm_hand_take(struct pashm_listing *listing,
			    struct pashm_walk *walk)
{
	long hand = atomic_long_read(&listing->hand), next;

	do {
		walk->at = hand;
		pashm_walk_next(walk);
		next = walk->at;
		if (!walk->state && next >= walk->end)
			next = 0;
		if (atomic_long_try_cmpxchg(&listing->hand, &hand, next))
			return;
		/* Another reclaimer was here: go on from where it has got to */
		walk->present = 0;
		walk->budget -= !!walk->budget;
	} while (walk->budget);
	walk->state = 0;
	walk->at = 0;
}

void pashm_scan_spend(struct pashm_scan *scan, unsigned long cost)
{
	scan->budget -= min(scan->budget, cost);
}

/* Which pages help */
struct pashm_census pashm_scan_wanted(struct pashm_listing *listing,
				      const struct pashm_scan *scan)
{
	return (struct pashm_census){
		.memcg = READ_ONCE(listing->memcg),
		.nid = scan->anywhere ? NUMA_NO_NODE : READ_ONCE(listing->nid),
	};
}

/* Take whatever there is? */
bool pashm_scan_all(const struct pashm_listing *listing)
{
	return !READ_ONCE(listing->steer.threshold);
}

/*
 * May the extent help the listing's memcg? Normally a look at its first page
 * tells. When everything is wanted, it is worth counting: the first page may be
 * another memcg's or on another node, and all the rest ours; and what is swapped
 * out is in the way of what could be.
 */
static bool pashm_scan_matches(struct pashm_listing *listing,
			       unsigned long head, unsigned long length,
			       struct pashm_scan *scan)
{
	struct pashm_census census = pashm_scan_wanted(listing, scan);
	bool all = pashm_scan_all(listing);

	switch (pashm_sample_take(listing->region, head, length, &census)) {
	case PASHM_SAMPLE_OURS:
		return true;
	case PASHM_SAMPLE_NONE:
		return false;
	case PASHM_SAMPLE_SWAPPED:
		return all && pashm_swap_is_full();
	case PASHM_SAMPLE_OTHERS:
		if (!all)
			return false;
		break;
	case PASHM_SAMPLE_UNKNOWN:
		break;
	}
	pashm_census_take(listing->region, head, length, &census);
	pashm_scan_spend(scan, census.entries / PASHM_SCAN_CENSUS);
	return census.matching ||
	       (all && !census.resident && pashm_swap_is_full());
}

/* Returns whether it was taken */
static bool pashm_scan_purge(struct pashm_listing *listing,
			     const struct pashm_walk *walk,
			     unsigned int frequency, struct pashm_scan *scan)
{
	struct pashm_census census = pashm_scan_wanted(listing, scan);
	int ret;

	ret = pashm_purge_extent(listing->region, walk->head, walk->state,
				 PASHM_PURGER_RECLAIM, &census);
	pashm_scan_spend(scan, census.entries / PASHM_SCAN_CENSUS);
	if (ret) {
		scan->met |= ret == -EAGAIN;
		/* Not again for each extent: the allocator can look elsewhere */
		if (ret == -ETIMEDOUT)
			scan->over = true;
		return false;
	}
	scan->freed += census.matching;
	scan->last = census.matching;
	scan->taken += census.resident;
	pashm_scan_grant(scan, PASHM_SCAN_PER_PAGE *
			 min(census.resident, scan->asked));
	atomic_long_sub(census.matching, &listing->charged);
	/* It shares a large folio that is in use, so could not be split, and stays */
	if (!census.resident && census.kept) {
		pashm_scan_spend(scan, census.kept);
		return false;
	}
	atomic_long_add(walk->length, &listing->lap_purged);
	pashm_steer_taken(&listing->steer, frequency, walk->length);
	/* Others' pages are no help to the one that asks */
	pashm_account_reclaimed(census.matching);
	return true;
}

/* PURGING: in flight, or else forged, and then for the next lap if it goes */
static void pashm_scan_claimed(struct pashm_listing *listing,
			       unsigned long head, unsigned long length,
			       struct pashm_scan *scan)
{
	int ret = pashm_purge_unclaim(listing->region, head);

	scan->met |= ret == -EAGAIN;
	if (ret == -EBUSY)
		atomic_long_add(length, &listing->lap_pinned);
}

/* What looking at a head costs, where all clients are asked */
unsigned long pashm_scan_cost(const struct pashm_region *region)
{
	return 1 + READ_ONCE(region->nr_clients) / PASHM_SCAN_CLIENTS;
}

static struct pashm_notes pashm_scan_notes(struct pashm_region *region,
					   unsigned long head, u64 state,
					   struct pashm_scan *scan)
{
	pashm_scan_spend(scan, pashm_scan_cost(region) - 1);
	return pashm_clients_notes(region, head, state);
}

/* Has a reclaimer too little yet to be choosy? */
static bool pashm_scan_is_poor(const struct pashm_listing *listing,
			       const struct pashm_scan *scan)
{
	unsigned long enough = 1;

	/* As long as the choice rests on nothing */
	if (READ_ONCE(listing->steer.threshold) == PASHM_STEER_SCORES)
		enough = scan->asked / 2 + 1;
	return scan->freed < enough && scan->budget < scan->reserve;
}

/*
 * Is a score high enough to go? Who has used half the budget in vain takes what is as
 * old as the oldest that it has passed: to come back with nothing would be worse.
 */
static bool pashm_scan_chooses(const struct pashm_listing *listing,
			       unsigned int score, struct pashm_scan *scan)
{
	if (score >= READ_ONCE(listing->steer.threshold))
		return true;
	if (scan->best && score + 1 >= scan->best &&
	    pashm_scan_is_poor(listing, scan))
		return true;
	scan->best = max(scan->best, score + 1);
	return false;
}

static void pashm_scan_extent(struct pashm_listing *listing,
			      const struct pashm_walk *walk,
			      struct pashm_scan *scan)
{
	unsigned long head = walk->head, length = walk->length;
	struct pashm_notes notes;
	unsigned int score;

	if (!length || !pashm_scan_matches(listing, head, length, scan))
		return;
	if (pashm_state_purging(walk->state)) {
		pashm_scan_claimed(listing, head, length, scan);
		return;
	}
	notes = pashm_scan_notes(listing->region, head, walk->state, scan);
	if (notes.pinned) {
		atomic_long_add(length, &listing->lap_pinned);
		return;
	}
	atomic_long_add(length, &listing->lap_free);
	if (notes.use.age < 2)
		atomic_long_add(length, &listing->lap_fresh);
	score = pashm_steer_score(&listing->steer, &notes.use);
	/* What cannot be taken must not keep the threshold up */
	if (!pashm_scan_chooses(listing, score, scan) ||
	    pashm_scan_purge(listing, walk, notes.use.frequency, scan))
		pashm_steer_pass(&listing->steer, score, length);
}

/* A step of the hand. Returns false if it has come round */
static bool pashm_scan_step(struct pashm_listing *listing,
			    struct pashm_scan *scan)
{
	struct pashm_walk walk = {
		.region = listing->region,
		.end = listing->region->pages,
		.budget = scan->budget,
	};

	pashm_hand_take(listing, &walk);
	scan->budget = walk.budget;
	if (!walk.state)
		return walk.at < walk.end;
	pashm_scan_extent(listing, &walk, scan);
	cond_resched();
	return true;
}

static void pashm_scan_laps(struct pashm_listing *listing,
			    struct pashm_scan *scan)
{
	bool all = pashm_scan_all(listing);
	int laps = 0;

	while (pashm_scan_wants(scan) && scan->taken < scan->until) {
		if (!scan->budget)
			return;
		if (pashm_scan_step(listing, scan))
			continue;
		/*
		 * The first lap of a call began somewhere in the middle; a
		 * second one that took whatever was unpinned leaves nothing.
		 */
		pashm_listing_lap(listing, all);
		pashm_scan_spend(scan, 1);
		if (++laps >= PASHM_SCAN_LAPS || (all && laps > 1))
			return;
		all = pashm_scan_all(listing);
	}
}

/*
 * Wait for the reclaimers that are at what is left, if there are any. Once in a
 * call, and neither kswapd, which comes again in any case, nor who is about to die.
 */
static void pashm_scan_wait(struct pashm_region *region,
			    struct pashm_scan *scan, long before)
{
	if (!scan->waited && !scan->over && !current_is_kswapd() &&
	    !fatal_signal_pending(current) &&
	    atomic_long_read(&region->reclaimed) == before) {
		scan->waited = true;
		pashm_slot_wait_purge(&region->slots, &region->reclaimed,
				      before,
				      &region->inode->i_mapping->nrpages);
	}
	if (atomic_long_read(&region->reclaimed) != before)
		scan->helped = true;
}

void pashm_scan_listing(struct pashm_listing *listing, struct pashm_scan *scan)
{
	struct pashm_region *region = listing->region;
	long before = atomic_long_read(&region->reclaimed);
	unsigned long taken = scan->taken;

	scan->met = false;
	scan->best = 0;
	if (xa_empty(&region->states.pages)) {
		pashm_scan_spend(scan, 1);
	} else {
		if (!READ_ONCE(listing->steer.started))
			pashm_scan_sample(listing, scan);
		pashm_scan_laps(listing, scan);
		pashm_scan_forget(listing, scan, scan->taken - taken);
	}
	if (!scan->freed && scan->budget && scan->met)
		pashm_scan_wait(region, scan, before);
}

/* Of one region, for whatever memcg. The caller has entered the listings */
void pashm_scan_region(struct pashm_region *region, struct pashm_scan *scan)
{
	struct pashm_listing *listing;

	scan->until = ULONG_MAX;
	list_for_each_entry_rcu(listing, &region->listings, region_link, true) {
		if (!pashm_scan_wants(scan))
			return;
		pashm_scan_listing(listing, scan);
		cond_resched();
	}
}
