// SPDX-License-Identifier: GPL-2.0-only
/*
 * MemAvailable is to count what is unpinned: it can be had at once. Programs that kill
 * or shed load by that figure would otherwise do so while our memory is there to be
 * taken. To the VM it is NR_KERNEL_MISC_RECLAIMABLE, which is for what shrinkers free
 * elsewhere than in slab caches; it is in MemAvailable and KReclaimable of
 * /proc/meminfo, and nothing in Linux 6.1 decides by it. Pages of shmem are in no other
 * part of MemAvailable (si_mem_available() in mm/page_alloc.c), so nothing is counted
 * twice.
 *
 * Pins and unpins do not come by here. So while there is a region, a worker looks once a
 * second at what is unpinned: at all extents of a small region, at some in each part of
 * a large one, and at so many in all; regions that are left over come first in the next
 * second. The timer wakes no idle CPU. A purge makes the worker look sooner, as what is
 * free now would be counted twice until then.
 *
 * No locks: all is the worker's own, but for the flag that it is wanted sooner, and
 * when. Between two walks of the list of regions one may be missed or met twice: that is
 * put right a second later.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/rculist.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "available.h"
#include "census.h"
#include "client.h"
#include "listing.h"
#include "purge.h"
#include "region.h"
#include "scan.h"
#include "walk.h"

#define PASHM_AVAILABLE_EVERY	HZ
#define PASHM_AVAILABLE_SOON	(HZ / 10)
/*
 * Heads looked at in each part of a region, or PASHM_WALK_ABSENT times as many where
 * nothing is there; and what looks cost in all, in heads.
 */
#define PASHM_AVAILABLE_PARTS	16
#define PASHM_AVAILABLE_HEADS	256UL
#define PASHM_AVAILABLE_ALL	16384UL

static void pashm_available_work(struct work_struct *work);

static DECLARE_DEFERRABLE_WORK(pashm_available_dwork, pashm_available_work);
static atomic_t pashm_available_hurry = ATOMIC_INIT(0);
/* jiffies: when it is to look; for those who want it sooner */
static unsigned long pashm_available_when;

/* Pages by node: what the VM has been told, and what it is to be told */
static long pashm_available_told[MAX_NUMNODES];
static long pashm_available_now[MAX_NUMNODES];

/**
 * struct pashm_look - at a region or a part of it
 * @free:   pages in memory that could be taken
 * @pinned: and that could not
 * @cost:   of looking, in heads
 */
struct pashm_look {
	unsigned long free;
	unsigned long pinned;
	unsigned long cost;
};

static void pashm_look_extent(const struct pashm_walk *walk,
			      struct pashm_look *look)
{
	unsigned long pages;

	pages = pashm_sample_resident(walk->region, walk->head, walk->length);
	if (!pages)
		return;
	look->cost += pashm_scan_cost(walk->region);
	if (pashm_clients_pinned(walk->region, walk->head, NULL))
		look->pinned += pages;
	else
		look->free += pages;
}

/* Of a part, the extents at its beginning; of the rest it is assumed that it is alike */
static void pashm_look_part(struct pashm_region *region, unsigned long start,
			    unsigned long end, struct pashm_look *sum)
{
	struct pashm_look look = { .cost = 1 };
	struct pashm_walk walk = {
		.region = region,
		.at = start,
		.end = end,
		.budget = PASHM_AVAILABLE_HEADS,
	};

	while (pashm_walk_next(&walk))
		if (walk.length)
			pashm_look_extent(&walk, &look);
	/* What the walk takes for those that are absent is too little by half here */
	look.cost += PASHM_AVAILABLE_HEADS - walk.budget +
		     walk.absent / PASHM_WALK_ABSENT;
	if (walk.at < end && walk.at > start) {
		look.free = mult_frac(look.free, end - start, walk.at - start);
		look.pinned = mult_frac(look.pinned, end - start,
					walk.at - start);
	}
	sum->free += look.free;
	sum->pinned += look.pinned;
	sum->cost += look.cost;
}

/* Returns what it cost */
static unsigned long pashm_look_region(struct pashm_region *region)
{
	unsigned long end = pashm_region_end(region), start;
	unsigned long part = DIV_ROUND_UP(end, PASHM_AVAILABLE_PARTS);
	unsigned long resident = pashm_region_resident(region);
	struct pashm_look look = { .cost = 1 };

	for (start = 0; start < end; start += part)
		pashm_look_part(region, start, min(start + part, end), &look);
	/* Both are too much by as much */
	if (look.free + look.pinned > resident)
		look.free = mult_frac(resident, look.free,
				      look.free + look.pinned);
	region->available = look.free;
	return look.cost;
}

/* To the nodes, as the region's pages are on them as far as that is known */
static void pashm_available_spread(struct pashm_region *region)
{
	unsigned long pages = min(region->available,
				  pashm_region_resident(region));
	unsigned long charged, sum = 0;
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

	for (nid = 0; nid < MAX_NUMNODES; nid++) {
		long change = pashm_available_now[nid] -
			      pashm_available_told[nid];

		if (change)
			mod_node_page_state(NODE_DATA(nid),
					    NR_KERNEL_MISC_RECLAIMABLE, change);
		pashm_available_told[nid] = pashm_available_now[nid];
	}
}

static void pashm_available_again(unsigned long delay)
{
	WRITE_ONCE(pashm_available_when, jiffies + delay);
	mod_delayed_work(pashm_wq, &pashm_available_dwork, delay);
}

static void pashm_available_work(struct work_struct *work)
{
	unsigned long number = pashm_regions_number(), turn, cost = 0;
	struct pashm_region *region;

	atomic_set(&pashm_available_hurry, 0);
	for (turn = 0; turn < number && cost < PASHM_AVAILABLE_ALL; turn++) {
		region = pashm_region_in_turn();
		if (!region)
			break;
		cost += pashm_look_region(region);
		pashm_region_put(region);
		cond_resched();
	}
	memset(pashm_available_now, 0, sizeof(pashm_available_now));
	for (turn = 0; turn < number; turn++) {
		region = pashm_region_in_turn();
		if (!region)
			break;
		pashm_available_spread(region);
		pashm_region_put(region);
		cond_resched();
	}
	pashm_available_tell();
	/* Who has that much does not get it more often */
	if (cost >= PASHM_AVAILABLE_ALL)
		atomic_set(&pashm_available_hurry, 1);
	if (number)
		pashm_available_again(PASHM_AVAILABLE_EVERY);
}

/* There is a region now */
void pashm_available_begin(void)
{
	if (!delayed_work_pending(&pashm_available_dwork))
		pashm_available_again(PASHM_AVAILABLE_EVERY);
}

/*
 * Something has been purged, or a region has ended: for any context. Also if the worker
 * should have come long ago, and its timer waits on a CPU that is idle.
 */
void pashm_available_changed(void)
{
	if ((!atomic_read(&pashm_available_hurry) &&
	     !atomic_xchg(&pashm_available_hurry, 1)) ||
	    time_after(jiffies, READ_ONCE(pashm_available_when) +
				PASHM_AVAILABLE_EVERY))
		pashm_available_again(PASHM_AVAILABLE_SOON);
}

/* No region is left, and nobody reclaims */
void pashm_available_exit(void)
{
	cancel_delayed_work_sync(&pashm_available_dwork);
	memset(pashm_available_now, 0, sizeof(pashm_available_now));
	pashm_available_tell();
}
