// SPDX-License-Identifier: GPL-2.0-only
/*
 * MemAvailable is to count what is unpinned: it can be had at once. Programs that kill
 * or shed load by that figure would otherwise do so while our memory is there to be
 * taken. To the VM it is NR_KERNEL_MISC_RECLAIMABLE, which is for what shrinkers free
 * elsewhere than in slab caches; it is in MemAvailable and KReclaimable of
 * /proc/meminfo, and nothing in the kernel decides by it. Pages of shmem are in no other
 * part of MemAvailable (si_mem_available() in mm/page_alloc.c), so nothing is counted
 * twice.
 *
 * Pins and unpins do not come by here. So while there is a region, a worker looks once a
 * second at what is unpinned: at all extents of a small region, at some in each part of
 * a large one. The timer wakes no idle CPU. A purge makes it look sooner, as what is
 * free now would be counted twice until then.
 *
 * No locks: all is the worker's own, but for the flag that it is wanted sooner.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/rculist.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "available.h"
#include "client.h"
#include "listing.h"
#include "purge.h"
#include "region.h"

#define PASHM_AVAILABLE_EVERY	HZ
#define PASHM_AVAILABLE_SOON	(HZ / 10)
/* Heads looked at in each part of a region, and in all */
#define PASHM_AVAILABLE_PARTS	16
#define PASHM_AVAILABLE_HEADS	256UL
#define PASHM_AVAILABLE_ALL	16384UL

static void pashm_available_work(struct work_struct *work);

static DECLARE_DEFERRABLE_WORK(pashm_available_dwork, pashm_available_work);
static atomic_t pashm_available_hurry = ATOMIC_INIT(0);

/* Pages by node: what the VM has been told, and what it is to be told */
static long pashm_available_told[MAX_NUMNODES];
static long pashm_available_now[MAX_NUMNODES];

/* Could this extent be taken? Whether all of it is there is not looked at */
static bool pashm_extent_is_available(struct pashm_region *region,
				      unsigned long head, unsigned long length)
{
	unsigned long index = head;
	void *entry;

	if (!length)
		return false;
	entry = xa_find(&region->inode->i_mapping->i_pages, &index,
			head + length - 1, XA_PRESENT);
	return entry && !xa_is_value(entry) &&
	       !pashm_clients_pinned(region, head, NULL);
}

/* Pages of a part that could be taken, from the extents at its beginning */
static unsigned long pashm_part_available(struct pashm_region *region,
					  unsigned long start,
					  unsigned long end,
					  unsigned long *heads)
{
	unsigned long left = PASHM_AVAILABLE_HEADS, index = start, pages = 0;
	u64 state;

	while (left) {
		unsigned long length;

		index = pashm_region_next_head(region, index, end, &state,
					       &left);
		if (!state)
			break;
		length = pashm_extent_length(region, index, state);
		if (pashm_extent_is_available(region, index, length))
			pages += length;
		index += max(1UL, length);
	}
	*heads -= min(*heads, PASHM_AVAILABLE_HEADS - left);
	if (index >= end || index == start)
		return pages;
	/* Of the rest it is assumed that it is alike */
	return mult_frac(pages, end - start, index - start);
}

static unsigned long pashm_region_available(struct pashm_region *region,
					    unsigned long *heads)
{
	unsigned long part = DIV_ROUND_UP(region->pages, PASHM_AVAILABLE_PARTS);
	unsigned long start, pages = 0;

	for (start = 0; start < region->pages; start += part)
		pages += pashm_part_available(region, start,
					      min(start + part, region->pages),
					      heads);
	return min(pages, pashm_region_resident(region));
}

/* To the nodes, as the region's pages are on them as far as that is known */
static void pashm_available_spread(struct pashm_region *region)
{
	unsigned long pages = region->available, charged, sum = 0;
	struct pashm_listing *listing;

	rcu_read_lock();
	list_for_each_entry_rcu(listing, &region->listings, region_link)
		sum += max(0L, atomic_long_read(&listing->charged));
	list_for_each_entry_rcu(listing, &region->listings, region_link) {
		int nid = READ_ONCE(listing->nid);

		charged = max(0L, atomic_long_read(&listing->charged));
		charged = min(charged, sum);
		if (nid != NUMA_NO_NODE && sum)
			pashm_available_now[nid] += mult_frac(pages, charged,
							      sum);
	}
	rcu_read_unlock();
}

static void pashm_available_tell(void)
{
	int nid;

	for_each_online_node(nid) {
		long change = pashm_available_now[nid] -
			      pashm_available_told[nid];

		if (change)
			mod_node_page_state(NODE_DATA(nid),
					    NR_KERNEL_MISC_RECLAIMABLE, change);
		pashm_available_told[nid] = pashm_available_now[nid];
	}
}

static void pashm_available_work(struct work_struct *work)
{
	unsigned long turns = pashm_regions_number(), left = turns;
	unsigned long heads = PASHM_AVAILABLE_ALL;

	atomic_set(&pashm_available_hurry, 0);
	memset(pashm_available_now, 0, sizeof(pashm_available_now));
	while (left--) {
		struct pashm_region *region = pashm_region_in_turn();

		if (!region)
			break;
		if (heads)
			region->available = pashm_region_available(region,
								   &heads);
		pashm_available_spread(region);
		pashm_region_put(region);
		cond_resched();
	}
	pashm_available_tell();
	if (turns)
		queue_delayed_work(pashm_wq, &pashm_available_dwork,
				   PASHM_AVAILABLE_EVERY);
}

/* There is a region now */
void pashm_available_begin(void)
{
	queue_delayed_work(pashm_wq, &pashm_available_dwork,
			   PASHM_AVAILABLE_EVERY);
}

/* Something has been purged, or a region has ended: for any context */
void pashm_available_changed(void)
{
	if (!atomic_read(&pashm_available_hurry) &&
	    !atomic_xchg(&pashm_available_hurry, 1))
		mod_delayed_work(pashm_wq, &pashm_available_dwork,
				 PASHM_AVAILABLE_SOON);
}

/* No region is left */
void pashm_available_exit(void)
{
	cancel_delayed_work_sync(&pashm_available_dwork);
	memset(pashm_available_now, 0, sizeof(pashm_available_now));
	pashm_available_tell();
}
