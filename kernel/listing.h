/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_LISTING_H
#define PASHM_LISTING_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

struct mem_cgroup;
struct mm_struct;
struct pashm_region;
struct shrink_control;
struct shrinker;

#define PASHM_SHARE_ONE	256U	/* share: all of it */
#define PASHM_AGE_START	4U	/* epochs */
#define PASHM_AGE_LIMIT	32U

/**
 * struct pashm_listing - a region on the reclaim list of one memcg and node
 * @lru:         in pashm_lru; under its node lock
 * @region_link: in region->listings
 * @region:      owns this; a reclaimer holds a reference while it uses both
 * @memcg:       whose pages are meant; a reference on it. Changes, as @nid, under
 *               region->listings_lock when another memcg inherits the pages
 * @nid:         node that the fault was on; NUMA_NO_NODE: off the list for good
 * @charged:     estimate of the pages charged to @memcg: raised by faults,
 *               lowered by purges, corrected by each lap of the hand
 * @hand:        clock hand, index of the next page to look at; advanced by
 *               cmpxchg, so that each extent is looked at by one reclaimer
 * @share:       of @charged that was reclaimable in the last lap, in 1/256
 * @age_min:     how many epochs an extent must have been unused to be taken;
 *               falls when a lap finds too little, rises when it finds plenty
 * @lap_pinned:  pages seen pinned in this lap
 * @lap_free:    pages seen reclaimable in this lap
 * @lap_purged:  pages taken in this lap
 *
 * All but the links are hints that any reclaimer may update without a lock.
 */
struct pashm_listing {
	struct list_head lru;
	struct list_head region_link;
	struct pashm_region *region;
	struct mem_cgroup *memcg;
	int nid;
	atomic_long_t charged;
	atomic_long_t hand;
	unsigned int share;
	unsigned int age_min;
	atomic_long_t lap_pinned;
	atomic_long_t lap_free;
	atomic_long_t lap_purged;
};

int pashm_listing_init(struct shrinker *shrinker);
void pashm_listing_exit(void);

struct pashm_listing *pashm_listing_get(struct pashm_region *region,
					struct mm_struct *mm);
void pashm_listings_unlink(struct pashm_region *region);
void pashm_listings_free(struct pashm_region *region);

unsigned long pashm_listings_number(struct shrink_control *sc);
unsigned long pashm_listings_count(struct shrink_control *sc);
struct pashm_listing *pashm_listing_pick(struct shrink_control *sc);
void pashm_listing_lap(struct pashm_listing *listing);

#endif /* PASHM_LISTING_H */
