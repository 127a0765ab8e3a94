// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which listing is to give next, and how much there is in all: walks of the reclaim list
 * of a memcg and node, under its lock. Regions give in proportion to their size, less
 * while they are in use; and reclaimers keep out of each other's way.
 */
#include <linux/list_lru.h>

#include "compat.h"
#include "listing.h"
#include "region.h"

/* Listings looked at in one count */
#define PASHM_COUNT_WALK	256UL
/* Looked at in search of a listing that is due and that nobody is at */
#define PASHM_PICK_WALK		8UL
/* In its turn a listing gives one of so many pages */
#define PASHM_TURN_SHARE	32
/* At least this part of what is in memory is worth a look */
#define PASHM_ESTIMATE_FLOOR	16

/* Pages that a scan of this listing might free; never 0 while any is there */
static unsigned long pashm_listing_estimate(struct pashm_listing *listing)
{
	long resident = pashm_region_resident(listing->region);
	long floor = DIV_ROUND_UP(resident, PASHM_ESTIMATE_FLOOR);
	long pages = min(atomic_long_read(&listing->charged), resident);

	/*
	 * Both figures are as old as the last lap, and the count of charged
	 * pages misses those that were faulted in behind the hand. If this
	 * said 0, nobody would ever come to correct it.
	 */
	return max(pages * (long)READ_ONCE(listing->share) /
		   (long)PASHM_SHARE_ONE, floor);
}

struct pashm_count {
	unsigned long pages;
	unsigned long listings;
};

static enum lru_status pashm_listing_count_one(PASHM_LRU_WALK_PARAMS)
{
	struct pashm_listing *listing = container_of(item, struct pashm_listing,
						     lru);
	unsigned long pages = pashm_listing_estimate(listing);
	struct pashm_count *count = arg;

	if (!pages)
		pashm_listing_idle(listing);
	count->pages += pages;
	count->listings++;
	return LRU_SKIP;
}

/*
 * Pages that a scan for this memcg and node might free. Under the list's lock,
 * so a long list is sampled: the first of it, which scans keep rotating.
 */
unsigned long pashm_listings_count(struct shrink_control *sc)
{
	unsigned long number = pashm_listings_number(sc);
	unsigned long walk = PASHM_COUNT_WALK;
	struct pashm_count count = {};

	/* Not list_lru_shrink_walk(): in a count sc->nr_to_scan is not set */
	list_lru_walk_one(&pashm_lru, sc->nid, sc->memcg,
			  pashm_listing_count_one, &count, &walk);
	if (number <= count.listings)
		return count.pages;
	return mult_frac(count.pages, number, max(1UL, count.listings));
}

struct pashm_pick {
	struct pashm_listing *listing;
	bool any;	/* the first, which goes to the end */
};

/*
 * What a listing gives in its turn. It counts for less if it is in use: one from which
 * nobody uses anything gives four times as much as one of which all is used.
 */
static long pashm_listing_turn(struct pashm_listing *listing)
{
	unsigned long pages = pashm_listing_estimate(listing);
	unsigned int fresh = READ_ONCE(listing->fresh);

	pages -= pages * fresh / PASHM_SHARE_ONE * 3 / 4;
	return pages / PASHM_TURN_SHARE + 1;
}

/*
 * It stays at the head of the list until it has given what is due; so each gives in
 * proportion to its size, however many others there are. One that has given too much, as
 * its extents are large, is passed over in its next turn. Returns whether it stays.
 */
static bool pashm_listing_is_due(struct pashm_listing *listing)
{
	long turn = pashm_listing_turn(listing);
	long due = clamp(READ_ONCE(listing->due), -turn, turn);
	bool stays = due > 0;

	WRITE_ONCE(listing->due, stays ? due : due + turn);
	return stays;
}

/* Under the node lock a listed region has not lost its last reference yet */
static enum lru_status pashm_listing_pick_one(PASHM_LRU_WALK_PARAMS)
{
	struct pashm_listing *listing = container_of(item, struct pashm_listing,
						     lru);
	struct pashm_pick *pick = arg;
	bool stays;

	if (pick->listing || (atomic_read(&listing->busy) && !pick->any))
		return LRU_SKIP;
	stays = pashm_listing_is_due(listing);
	if (!pick->any && READ_ONCE(listing->due) <= 0)
		return LRU_ROTATE;
	if (!pashm_region_tryget(listing->region))
		return LRU_ROTATE;
	pick->listing = listing;
	atomic_inc(&listing->busy);
	return stays && !pick->any ? LRU_SKIP : LRU_ROTATE;
}

/* It has given so much. @over: and its turn is over, whatever was due */
void pashm_listing_done(struct pashm_listing *listing, unsigned long taken,
			bool over)
{
	long due = READ_ONCE(listing->due) - (long)taken;

	WRITE_ONCE(listing->due, over ? min(due, 0L) : due);
	atomic_dec(&listing->busy);
}

/*
 * The next listing in turn, with a reference on its region, or NULL. With @any, all
 * follow each other, busy or not. The caller says when it is done with it and then puts
 * the region, and has entered the listings.
 */
struct pashm_listing *pashm_listing_pick(struct shrink_control *sc, bool any)
{
	struct pashm_pick pick = { .any = any };
	unsigned long walk = any ? 1 : PASHM_PICK_WALK;

	list_lru_walk_one(&pashm_lru, sc->nid, sc->memcg,
			  pashm_listing_pick_one, &pick, &walk);
	if (!pick.listing && !any)
		return pashm_listing_pick(sc, true);
	if (!pick.listing || pashm_listing_inherit(pick.listing, sc->memcg))
		return pick.listing;
	pashm_listing_done(pick.listing, 0, true);
	pashm_region_put(pick.listing->region);
	return NULL;
}
