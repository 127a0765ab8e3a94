/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_LISTING_H
#define PASHM_LISTING_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/list_lru.h>
#include <linux/types.h>

#include "steer.h"

struct mem_cgroup;
struct mm_struct;
struct pashm_region;
struct pashm_scan;
struct shrink_control;
struct shrinker;

#define PASHM_SHARE_ONE	256U	/* share: all of it */
/* Notes that are too old are looked for so often, in epochs */
#define PASHM_FORGET_EVERY	16U

/**
 * struct pashm_listing - a region on the reclaim list of one memcg and node
 * @lru:         in pashm_lru; under its node lock
 * @region_link: in region->listings
 * @region:      owns this; a reclaimer holds a reference while it uses both, and,
 *               as a fault does, is between pashm_listings_enter() and _leave()
 * @memcg:       whose pages are meant; a reference on it. Changes, as @nid, under
 *               region->listings_lock when another memcg inherits the pages
 * @nid:         node of those pages, and of this object, which says on which list it
 *               stands; NUMA_NO_NODE: off the list for good
 * @listed:      on the list; under region->listings_lock
 * @charged:     estimate of the pages charged to @memcg: raised by faults,
 *               lowered by purges, corrected by each lap of the hand
 * @hand:        clock hand, index of the next page to look at; advanced by
 *               cmpxchg, so that each extent is looked at by one reclaimer
 * @share:       of @charged that was reclaimable in the last lap, in 1/256
 * @steer:       which extents go
 * @forgotten:   epoch in which the last search for old notes has begun
 * @forget_at:   index where that goes on; 0: it is over
 * @sampled:     jiffies when extents were last looked at for a first choice
 * @pass:        what it has given so far, relative to its size: see turn.c
 * @time:        what @pass was when it was last the lowest: that of the whole list, while
 *               this is its head
 * @vain:        the stamp of the last call that has found nothing here. One that began
 *               in the same nanosecond may pass it over, too; and of two at work, each
 *               forgets what the other has found
 * @fresh:       of what was reclaimable in the last lap, in 1/256: in use just now
 * @lap_pinned:  pages of extents seen pinned in this lap
 * @lap_free:    pages of extents seen reclaimable in this lap
 * @lap_fresh:   those of them that were used in this epoch or the last
 * @lap_purged:  pages of extents taken in this lap; of all four, only extents
 *               with a page of @memcg in memory count
 *
 * All but the links are hints that any reclaimer may update without a lock.
 */
struct pashm_listing {
	struct list_head lru;
	struct list_head region_link;
	struct pashm_region *region;
	struct mem_cgroup *memcg;
	int nid;
	bool listed;
	atomic_long_t charged;
	atomic_long_t hand;
	unsigned int share;
	struct pashm_steer steer;
	u32 forgotten;
	unsigned long forget_at;
	unsigned long sampled;
	atomic_long_t pass;
	long time;
	u64 vain;
	unsigned int fresh;
	atomic_long_t lap_pinned;
	atomic_long_t lap_free;
	atomic_long_t lap_fresh;
	atomic_long_t lap_purged;
};

/**
 * struct pashm_turn - of a listing, in which a call takes memory from it
 * @listing: holds a reference on its region
 * @pages:   that it is to give
 * @seen:    listings that were looked at
 */
struct pashm_turn {
	struct pashm_listing *listing;
	unsigned long pages;
	unsigned long seen;
};

/* All that can be found; turn.c walks it */
extern struct list_lru pashm_lru;

int pashm_listing_init(struct shrinker *shrinker);
void pashm_listing_exit(void);
bool pashm_listing_knows_memcgs(void);

struct pashm_listing *pashm_listing_lookup(struct pashm_region *region,
					   struct mm_struct *mm, int nid);
struct pashm_listing *pashm_listing_get(struct pashm_region *region,
					struct mm_struct *mm, int nid);
struct pashm_listing *pashm_listing_twin(const struct pashm_listing *listing);
void pashm_listing_enlist(struct pashm_listing *listing);
void pashm_listing_delist(struct pashm_listing *listing);
void pashm_listing_destroy(struct pashm_listing *listing);
void pashm_listings_unlink(struct pashm_region *region);
void pashm_listings_free(struct pashm_region *region);

unsigned long pashm_listings_number(struct shrink_control *sc);
bool pashm_listing_inherit(struct pashm_listing *listing,
			   struct mem_cgroup *heir);
void pashm_listing_lap(struct pashm_listing *listing, bool all);

/* turn.c */
unsigned long pashm_listings_count(struct shrink_control *sc);
bool pashm_turn_begin(struct shrink_control *sc, const struct pashm_scan *scan,
		      struct pashm_turn *turn);
void pashm_turn_end(struct pashm_turn *turn, const struct pashm_scan *scan,
		    unsigned long taken, bool over);

/* tidy.c */
int pashm_listings_enter(void);
void pashm_listings_leave(int index);
void pashm_listing_idle(struct pashm_listing *listing);

#endif /* PASHM_LISTING_H */
