// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listings of memcgs that have been removed. Each keeps its memcg, of some tens of
 * KiB, and lengthens the way of every fault. So when a lap finds nothing of such a
 * memcg, or there is nothing at all, a worker takes the listing away.
 *
 * A fault or a reclaimer may just then have it in hand, and a fault is about to
 * bring a page in that nobody else would find. So the worker unlinks it, waits for
 * all that were under way, and looks whether there is a page of that memcg: if so,
 * the listing goes back. Faults that come meanwhile make a new one.
 *
 * Lock order: as in listing.c. Nothing waits for the worker.
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/rculist.h>
#include <linux/srcu.h>

#include "compat.h"
#include "listing.h"
#include "purge.h"
#include "region.h"

/* Looking for pages goes through all of a region: not more often than this */
#define PASHM_TIDY_EVERY	HZ

/* Held by whoever uses a listing that a walk or a look-up has found */
DEFINE_STATIC_SRCU(pashm_listings_srcu);

int pashm_listings_enter(void) __acquires(&pashm_listings_srcu)
{
	return srcu_read_lock(&pashm_listings_srcu);
}

void pashm_listings_leave(int index) __releases(&pashm_listings_srcu)
{
	srcu_read_unlock(&pashm_listings_srcu, index);
}

/* Does it mean a memcg that is removed, or, inherited by another, none? */
static bool pashm_listing_orphaned(struct pashm_listing *listing)
{
	struct mem_cgroup *memcg;
	bool orphaned;

	rcu_read_lock();
	memcg = READ_ONCE(listing->memcg);
	orphaned = READ_ONCE(listing->nid) == NUMA_NO_NODE ||
		   (memcg && !mem_cgroup_online(memcg));
	rcu_read_unlock();
	return orphaned;
}

/*
 * There was nothing to be found by @listing: if it is of no more use, see to it that
 * it goes. For reclaim: takes no lock. The caller keeps the region in memory.
 */
void pashm_listing_idle(struct pashm_listing *listing)
{
	struct pashm_region *region = listing->region;

	if (!pashm_listing_orphaned(listing) ||
	    time_before(jiffies, READ_ONCE(region->tidied) + PASHM_TIDY_EVERY))
		return;
	WRITE_ONCE(region->tidied, jiffies);
	if (pashm_region_tryget(region) &&
	    !queue_work(pashm_wq, &region->tidy_work))
		pashm_region_put(region);
}

static bool pashm_listing_has_pages(struct pashm_listing *listing)
{
	struct pashm_census census = {
		.memcg = READ_ONCE(listing->memcg),
		.nid = NUMA_NO_NODE,
	};

	if (READ_ONCE(listing->nid) == NUMA_NO_NODE)
		return false;
	pashm_census_take(listing->region, 0, listing->region->pages, &census);
	return census.matching;
}

/* Those that look useless, linked by their lru, and off all other lists */
static void pashm_tidy_unlink(struct pashm_region *region,
			      struct list_head *useless)
{
	struct pashm_listing *listing;

	/* Only we take one off the region's list, so that this may sleep */
	list_for_each_entry_rcu(listing, &region->listings, region_link, true) {
		if (!pashm_listing_orphaned(listing) ||
		    pashm_listing_has_pages(listing))
			continue;
		spin_lock(&region->listings_lock);
		if (!region->released) {
			pashm_listing_delist(listing);
			list_del_rcu(&listing->region_link);
			list_add(&listing->lru, useless);
		}
		spin_unlock(&region->listings_lock);
	}
}

/* Whose pages have come after all goes back, unless another means them by now */
static void pashm_tidy_restore(struct pashm_region *region,
			       struct list_head *useless)
{
	struct pashm_listing *listing, *next;

	list_for_each_entry_safe(listing, next, useless, lru) {
		if (!pashm_listing_has_pages(listing))
			continue;
		spin_lock(&region->listings_lock);
		if (!region->released && !pashm_listing_twin(listing)) {
			list_del_init(&listing->lru);
			pashm_listing_enlist(listing);
		}
		spin_unlock(&region->listings_lock);
	}
}

void pashm_region_tidy_work(struct work_struct *work)
{
	struct pashm_region *region = container_of(work, struct pashm_region,
						   tidy_work);
	struct pashm_listing *listing, *next;
	LIST_HEAD(useless);

	pashm_tidy_unlink(region, &useless);
	if (!list_empty(&useless)) {
		/* Faults and reclaimers; walkers of the region's list */
		synchronize_srcu(&pashm_listings_srcu);
		synchronize_rcu();
		pashm_tidy_restore(region, &useless);
	}
	list_for_each_entry_safe(listing, next, &useless, lru)
		pashm_listing_destroy(listing);
	pashm_region_put(region);
}
