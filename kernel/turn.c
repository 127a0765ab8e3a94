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
#include "scan.h"

/* Listings looked at in one count */
#define PASHM_COUNT_WALK	256UL
/* Looked at in search of the next to give */
#define PASHM_PICK_WALK		8UL
/* In its turn a listing gives one of so many pages, and its pass advances by this */
#define PASHM_TURN_SHARE	32
#define PASHM_TURN_ONE		(1L << 16)
/* How many turns one may be ahead of the others, as its extents are large, or behind */
#define PASHM_TURN_MOST		((long)PASHM_TURN_SHARE)
/* One that has used a call's budget up in vain has had so many */
#define PASHM_TURN_VAIN		8L
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
	const struct pashm_scan *scan;
	struct pashm_listing *lowest;	/* with a reference on its region */
	long pass;			/* of that one, without the turn begun */
	long highest;			/* of all that were looked at */
	long time;			/* of the list; 0: none has had a turn yet */
	unsigned long seen, most;
};

/* Another one has a lower pass: give the turn back, and go to the end of the list */
static void pashm_pick_drop(struct pashm_listing *listing, struct list_head *end)
{
	atomic_long_sub(PASHM_TURN_ONE, &listing->pass);
	list_move_tail(&listing->lru, end);
	/* Never the last: a listed region has the one of its backing file */
	pashm_region_put(listing->region);
}

/* Under the node lock a listed region has not lost its last reference yet */
static enum lru_status pashm_listing_pick_one(PASHM_LRU_WALK_PARAMS)
{
	struct pashm_listing *listing = container_of(item, struct pashm_listing,
						     lru);
	struct pashm_pick *pick = arg;
	long pass = atomic_long_read(&listing->pass);

	pick->seen++;
	if (pass && !pick->time)
		pick->time = READ_ONCE(listing->time) ?: pass;
	if (!pass) {
		/* One that is new begins where the others are: those come first */
		if (!pick->time && pick->seen < pick->most)
			return LRU_ROTATE;
		pass = pick->time ?: 1;
		atomic_long_set(&listing->pass, pass);
	}
	pick->highest = max(pick->highest, pass);
	if (READ_ONCE(listing->vain) == pick->scan->stamp ||
	    (pick->lowest && pass >= pick->pass) ||
	    !pashm_region_tryget(listing->region))
		return LRU_ROTATE;
	if (pick->lowest)
		pashm_pick_drop(pick->lowest, &one->list);
	/* At once, so that others who look see it */
	atomic_long_add(PASHM_TURN_ONE, &listing->pass);
	pick->lowest = listing;
	pick->pass = pass;
	WRITE_ONCE(listing->time, pass);
	return LRU_SKIP;
}

/*
 * What a listing gives in its turn. It counts for less if it is in use: one from which
 * nobody uses anything gives four times as much as one of which all is used.
 */
static unsigned long pashm_listing_turn(struct pashm_listing *listing)
{
	unsigned long pages = pashm_listing_estimate(listing);
	unsigned int fresh = READ_ONCE(listing->fresh);

	pages -= pages * fresh / PASHM_SHARE_ONE * 3 / 4;
	return max(1UL, DIV_ROUND_UP(pages, PASHM_TURN_SHARE));
}

/*
 * The next listing in turn: of the first on the list that this call has not visited in
 * vain, the one with the lowest pass. It stays at the head, and all others that were
 * looked at go to the end: so the next look compares it with others again, and in the
 * end all are. Returns false if there is none among them.
 *
 * Stride scheduling (Waldspurger and Weihl, 1995): a pass advances by what was given,
 * relative to the size, so each gives in proportion to that however many others there
 * are. It advances by a whole turn at once, which keeps other reclaimers away, and what
 * was not given is taken back by pashm_turn_end(). Debts are limited, as are credits: a
 * listing may come from another list, of a memcg that is gone, and then gives at most
 * all it has first, or comes when others have given all.
 *
 * The caller has entered the listings.
 */
bool pashm_turn_begin(struct shrink_control *sc, const struct pashm_scan *scan,
		      struct pashm_turn *turn)
{
	unsigned long walk = clamp(pashm_listings_number(sc), 1UL,
				   PASHM_PICK_WALK);
	struct pashm_pick pick = { .scan = scan, .most = walk };
	long behind;

	list_lru_walk_one(&pashm_lru, sc->nid, sc->memcg,
			  pashm_listing_pick_one, &pick, &walk);
	turn->listing = pick.lowest;
	turn->seen = pick.seen;
	if (!pick.lowest)
		return false;
	turn->pages = pashm_listing_turn(pick.lowest);
	behind = pick.highest - PASHM_TURN_MOST * PASHM_TURN_ONE - pick.pass;
	if (behind > 0) {
		atomic_long_add(behind, &pick.lowest->pass);
		WRITE_ONCE(pick.lowest->time, pick.pass + behind);
	}
	return true;
}

/*
 * It has given @taken pages. If that was nothing, this call does not come back. @over:
 * it has used up at least half of the budget, and that to its end. That was its turn
 * then, whatever it has given, and if it was nothing, several: for who gives large
 * extents may be as far ahead.
 */
void pashm_turn_end(struct pashm_turn *turn, const struct pashm_scan *scan,
		    unsigned long taken, bool over)
{
	struct pashm_listing *listing = turn->listing;
	long given = min(taken, PASHM_TURN_MOST * turn->pages);
	long more = (given - (long)turn->pages) * PASHM_TURN_ONE /
		    (long)turn->pages;

	if (!taken) {
		WRITE_ONCE(listing->vain, scan->stamp);
		more = over ? (PASHM_TURN_VAIN - 1) * PASHM_TURN_ONE : 0;
	} else if (over) {
		more = max(more, 0L);
	}
	atomic_long_add(more, &listing->pass);
	pashm_region_put(listing->region);
}
