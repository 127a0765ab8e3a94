// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which memcg can find which region.
 *
 * Pages are charged to whoever touches them first, so a region stands on the
 * list of every memcg that has faulted a page in. The item is made by the
 * fault, charged to the memcg that the page will be charged to, and stays until
 * the region ends, or until its memcg has been removed and has no page left in the
 * region (tidy.c). It holds a reference on its memcg, as its pages do. When the
 * memcg is removed, list_lru moves the item to the parent's list. Up to 6.12 the
 * pages stay charged to the removed one, so the item keeps meaning the right
 * pages. On 7.2 they become the parent's: the item then means those, or, if the
 * region has one for the parent already, goes off the list.
 *
 * A page that is moved to another node does not come by here. If the region is not
 * listed there, only limits of memcgs and the OOM notifier find it.
 *
 * Lock order: region->listings_lock, then list_lru's node lock (in
 * list_lru_add). The walkers hold the node lock only.
 */
#include <linux/jiffies.h>
#include <linux/list_lru.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "census.h"
#include "compat.h"
#include "listing.h"
#include "region.h"

static struct kmem_cache *pashm_listing_cache;
struct list_lru pashm_lru;
/* 6.1 calls the shrinker before the list is there: release in init pairs */
static bool pashm_lru_ready;

static struct pashm_listing *pashm_listing_find(struct pashm_region *region,
						struct mem_cgroup *memcg,
						int nid)
{
	struct pashm_listing *listing;

	list_for_each_entry_rcu(listing, &region->listings, region_link,
				lockdep_is_held(&region->listings_lock))
		if (READ_ONCE(listing->memcg) == memcg &&
		    READ_ONCE(listing->nid) == nid)
			return listing;
	return NULL;
}

/* Another one for the same pages, if there is one */
struct pashm_listing *pashm_listing_twin(const struct pashm_listing *listing)
{
	return pashm_listing_find(listing->region, listing->memcg,
				  listing->nid);
}

void pashm_listing_enlist(struct pashm_listing *listing)
{
	lockdep_assert_held(&listing->region->listings_lock);
	list_add_tail_rcu(&listing->region_link, &listing->region->listings);
	pashm_list_lru_add(&pashm_lru, &listing->lru);
	listing->listed = true;
}

/* Off the reclaim list, on which it may not be any more */
void pashm_listing_delist(struct pashm_listing *listing)
{
	lockdep_assert_held(&listing->region->listings_lock);
	if (listing->listed)
		pashm_list_lru_del(&pashm_lru, &listing->lru);
	listing->listed = false;
}

/* Nobody can find it any more */
void pashm_listing_destroy(struct pashm_listing *listing)
{
	mem_cgroup_put(listing->memcg);
	kmem_cache_free(pashm_listing_cache, listing);
}

static int pashm_listing_node(const struct pashm_listing *listing)
{
	return pashm_page_nid(virt_to_page(listing));
}

/*
 * An object charged to @memcg, and on node @nid unless that has no memory left. The
 * first allocation also makes the memcg's lists, and knows no node.
 */
static struct pashm_listing *pashm_listing_alloc(struct mem_cgroup *memcg,
						 int nid)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct pashm_listing *listing, *near;

	listing = kmem_cache_alloc_lru(pashm_listing_cache, &pashm_lru,
				       GFP_KERNEL_ACCOUNT);
	if (listing && pashm_listing_node(listing) != nid) {
		near = kmem_cache_alloc_node(pashm_listing_cache,
					     GFP_KERNEL_ACCOUNT |
					     __GFP_THISNODE | __GFP_NOWARN,
					     nid);
		if (near) {
			kmem_cache_free(pashm_listing_cache, listing);
			listing = near;
		}
	}
	set_active_memcg(old);
	return listing;
}

/* Does the limit of the caller's memcg take what is unpinned? */
bool pashm_listing_knows_memcgs(void)
{
	bool known;

	rcu_read_lock();
	known = pashm_memcg_shrinks(pashm_mm_memcg_rcu(current->mm));
	rcu_read_unlock();
	return known;
}

/* Consumes the reference on @memcg */
static struct pashm_listing *pashm_listing_make(struct pashm_region *region,
						struct mem_cgroup *memcg,
						int nid)
{
	struct pashm_listing *listing, *other;

	if (memcg && !pashm_memcg_shrinks(memcg))
		pr_warn_once("pashm: cgroup.memory=nokmem: limits of cgroups do not take unpinned memory\n");
	listing = pashm_listing_alloc(memcg, nid);
	if (!listing) {
		mem_cgroup_put(memcg);
		return ERR_PTR(-ENOMEM);
	}
	nid = pashm_listing_node(listing);
	*listing = (struct pashm_listing) {
		.lru = LIST_HEAD_INIT(listing->lru),
		.region = region,
		.memcg = memcg,
		.nid = nid,
		.share = PASHM_SHARE_ONE,
	};
	pashm_steer_init(&listing->steer);

	spin_lock(&region->listings_lock);
	other = pashm_listing_find(region, memcg, nid);
	if (!other)
		pashm_listing_enlist(listing);
	spin_unlock(&region->listings_lock);
	if (!other)
		return listing;
	pashm_listing_destroy(listing);
	return other;
}

/*
 * The listing of @region for the memcg that a fault of @mm is charged to, and for
 * node @nid; NULL if there is none. The caller keeps the region alive, and has entered
 * the listings.
 */
struct pashm_listing *pashm_listing_lookup(struct pashm_region *region,
					   struct mm_struct *mm, int nid)
{
	struct pashm_listing *listing;

	rcu_read_lock();
	listing = pashm_listing_find(region, pashm_mm_memcg_rcu(mm), nid);
	rcu_read_unlock();
	return listing;
}

/*
 * The same, made if need be: may allocate and reclaim, so no folio may be locked. If
 * the node has no memory left, the listing is for another.
 */
struct pashm_listing *pashm_listing_get(struct pashm_region *region,
					struct mm_struct *mm, int nid)
{
	struct pashm_listing *listing = pashm_listing_lookup(region, mm, nid);
	struct mem_cgroup *memcg;

	if (listing)
		return listing;

	memcg = get_mem_cgroup_from_mm(mm);
	rcu_read_lock();
	listing = pashm_listing_find(region, memcg, nid);
	rcu_read_unlock();
	if (listing) {
		mem_cgroup_put(memcg);
		return listing;
	}
	return pashm_listing_make(region, memcg, nid);
}

/* Off the reclaim lists: no walker finds the region any more */
void pashm_listings_unlink(struct pashm_region *region)
{
	struct pashm_listing *listing;

	spin_lock(&region->listings_lock);
	region->released = true;
	list_for_each_entry(listing, &region->listings, region_link)
		pashm_listing_delist(listing);
	spin_unlock(&region->listings_lock);
}

/* The region's last reference is gone, so is every fault */
void pashm_listings_free(struct pashm_region *region)
{
	struct pashm_listing *listing, *next;

	list_for_each_entry_safe(listing, next, &region->listings,
				 region_link)
		pashm_listing_destroy(listing);
}

/* On the list for this memcg and node */
unsigned long pashm_listings_number(struct shrink_control *sc)
{
	/* pairs with the release in pashm_listing_init() */
	if (!smp_load_acquire(&pashm_lru_ready))
		return 0;
	return list_lru_shrink_count(&pashm_lru, sc);
}

/*
 * @listing is on the list of @heir, but means the pages of a memcg that has been
 * removed. If they were inherited, too, make it mean those of @heir. Returns
 * false if another listing does: then this one is off the list, and is kept only
 * because a fault or a reclaimer may have it in hand.
 */
bool pashm_listing_inherit(struct pashm_listing *listing,
			   struct mem_cgroup *heir)
{
	struct pashm_region *region = listing->region;
	struct pashm_listing *other = NULL;
	struct mem_cgroup *old;

	if (!heir || READ_ONCE(listing->memcg) == heir)
		return true;
	spin_lock(&region->listings_lock);
	old = listing->memcg;
	if (!listing->listed || old == heir ||
	    !pashm_memcg_inherit(heir, old)) {
		spin_unlock(&region->listings_lock);
		return true;
	}
	other = pashm_listing_find(region, heir, listing->nid);
	if (other) {
		pashm_listing_delist(listing);
		atomic_long_add(atomic_long_xchg(&listing->charged, 0),
				&other->charged);
		/* Matches no fault and no page any more */
		WRITE_ONCE(listing->nid, NUMA_NO_NODE);
		WRITE_ONCE(listing->memcg, NULL);
	} else {
		WRITE_ONCE(listing->memcg, heir);
	}
	spin_unlock(&region->listings_lock);
	mem_cgroup_put(old);
	if (other)
		mem_cgroup_put(heir);
	return !other;
}

/*
 * The hand has come round: learn from the lap. One that has seen nothing of ours has
 * not looked close enough: the next takes all there is. If there is nothing even then,
 * the choice begins anew, once a second.
 */
void pashm_listing_lap(struct pashm_listing *listing, bool all)
{
	unsigned long pinned = atomic_long_xchg(&listing->lap_pinned, 0);
	unsigned long free = atomic_long_xchg(&listing->lap_free, 0);
	unsigned long fresh = atomic_long_xchg(&listing->lap_fresh, 0);
	unsigned long purged = atomic_long_xchg(&listing->lap_purged, 0);

	if (pinned || free)
		WRITE_ONCE(listing->share,
			   free * PASHM_SHARE_ONE / (pinned + free));
	if (free)
		WRITE_ONCE(listing->fresh,
			   min(fresh * PASHM_SHARE_ONE / free,
			       (unsigned long)PASHM_SHARE_ONE));
	if (pinned || free || all)
		atomic_long_set(&listing->charged, pinned + free - purged);
	if (all && !pinned && !free)
		pashm_listing_idle(listing);
	pashm_steer_lap(&listing->steer);
	/* A sample costs as much as a lap: not each time, where all is pinned */
	if (all && !free &&
	    time_after(jiffies, READ_ONCE(listing->sampled) + HZ))
		WRITE_ONCE(listing->steer.started, false);
}

/*
 * A cache with a constructor is not merged with others: the objects can be
 * counted, a leaked one is noticed, and nothing is left behind in sysfs.
 */
static void pashm_listing_construct(void *object)
{
	struct pashm_listing *listing = object;

	INIT_LIST_HEAD(&listing->lru);
}

int pashm_listing_init(struct shrinker *shrinker)
{
	int ret;

	pashm_listing_cache = kmem_cache_create("pashm_listing",
						sizeof(struct pashm_listing), 0,
						SLAB_ACCOUNT,
						pashm_listing_construct);
	if (!pashm_listing_cache)
		return -ENOMEM;
	ret = list_lru_init_memcg(&pashm_lru, shrinker);
	if (ret) {
		kmem_cache_destroy(pashm_listing_cache);
		return ret;
	}
	/* pairs with the acquire in pashm_listings_number() */
	smp_store_release(&pashm_lru_ready, true);
	return 0;
}

void pashm_listing_exit(void)
{
	list_lru_destroy(&pashm_lru);
	kmem_cache_destroy(pashm_listing_cache);
}
