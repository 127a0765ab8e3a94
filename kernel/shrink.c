// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the VM wants memory. The shrinker is called for each memcg and node under
 * pressure: count answers from estimates without looking at a table, scan goes from
 * listing to listing until it has freed what was asked; on a node that has fallen
 * below its lowest watermark, what is missing to that on top; and where a memcg's limit
 * is short and reclaim would swap for it, until it has room for more than one charge.
 *
 * Where shrinkers are not enough, an OOM notifier comes last: before anybody is
 * killed for want of the machine's memory, it takes what is unpinned anywhere.
 * Shrinkers are not called while their list changes (before Linux 6.7), which takes
 * memory itself; and a node may be lacking more than what one reclaim frees.
 */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/shrinker.h>

#include "compat.h"
#include "listing.h"
#include "region.h"
#include "scan.h"
#include "short.h"
#include "shrink.h"
#include "stat.h"
#include "trace.h"

static struct shrinker *pashm_shrinker;

/* At most so many pages are freed in one call for a node that is short */
#define PASHM_SCAN_LACK		2048UL
/*
 * Listings that are visited or seen in vain, for each that there is, before a call gives
 * up: more than one, as others undo its marks. The budget bounds them, too.
 */
#define PASHM_SCAN_ROUNDS	8UL
/* A call that had to wait counts as so many */
#define PASHM_SCAN_WAITED	2048UL
/* Pages that are freed before the OOM killer comes, and what the nodes lack */
#define PASHM_OOM_PAGES		1024UL

static unsigned long pashm_shrink_count(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	unsigned long number = pashm_listings_number(sc);
	unsigned long pages, at_once;

	pashm_stat_add(PASHM_STAT_COUNTS, 1);
	if (!number)
		return SHRINK_EMPTY;
	if (pashm_short_need(sc, &at_once) == PASHM_NEED_NOTHING)
		return 0;
	/*
	 * 0 and not SHRINK_EMPTY when there is a listing without pages: EMPTY
	 * would take us off the memcg's map of shrinkers, and only adding a
	 * listing puts us back.
	 */
	pages = pashm_listings_count(sc);
	trace_pashm_count(sc, number, pages);
	return pages;
}

/* What more was freed than was asked for, and why */
static void pashm_scan_note_more(const struct pashm_scan *scan)
{
	unsigned long more = scan->freed - min(scan->freed, scan->asked);
	unsigned long rounded = min(more, scan->last - min(scan->last, 1UL));

	pashm_stat_add(PASHM_STAT_ROUNDED, rounded);
	pashm_stat_add(PASHM_STAT_LACKED, more - rounded);
}

static void pashm_scan_note(const struct pashm_scan *scan,
			    const struct shrink_control *sc,
			    unsigned long result)
{
	struct pashm_scanned scanned = {
		.memcg = sc->memcg,
		.nid = sc->nid,
		.asked = scan->asked,
		.freed = scan->freed,
		.taken = scan->taken,
		.looked = scan->granted - scan->budget,
		.ns = ktime_get_ns() - scan->stamp,
		.result = result,
	};

	pashm_stat_add(PASHM_STAT_SCANS, 1);
	pashm_stat_add(PASHM_STAT_STOPS, result == SHRINK_STOP);
	pashm_stat_add(PASHM_STAT_ASKED, scan->asked);
	pashm_stat_add(PASHM_STAT_FREED, scan->freed);
	pashm_scan_note_more(scan);
	pashm_stat_add(PASHM_STAT_TAKEN, scan->taken);
	pashm_stat_add(PASHM_STAT_EXHAUSTED, !scan->budget);
	pashm_stat_add(PASHM_STAT_WAITED, scan->waited);
	pashm_stat_add(PASHM_STAT_LOOKED, scanned.looked);
	pashm_stat_scan_took(scanned.ns);
	trace_pashm_scan(&scanned);
}

/*
 * No more is needed: end the round, and let nothing of it be put off to the next,
 * which would be added to what that one asks for.
 */
static void pashm_scan_end_round(struct shrink_control *sc)
{
	sc->nr_scanned = max(sc->nr_scanned, 2 * pashm_listings_count(sc));
	pashm_stat_add(PASHM_STAT_REFUSED, 1);
}

/*
 * Take from one listing what it is to give. One that eats the budget up has had its turn:
 * so it does not starve the others. Returns whether it has helped.
 */
static bool pashm_scan_turn(struct pashm_turn *turn, struct shrink_control *sc,
			    struct pashm_scan *scan)
{
	unsigned long taken = scan->taken, freed = scan->freed;
	bool full = scan->budget > scan->granted / 2;

	scan->until = taken + turn->pages;
	if (pashm_listing_inherit(turn->listing, sc->memcg))
		pashm_scan_listing(turn->listing, scan);
	taken = scan->taken - taken;
	pashm_turn_end(turn, scan, taken, full && !scan->budget);
	return scan->freed > freed || (taken && scan->lack);
}

/* Take from one listing after the other, until all have been visited in vain */
static void pashm_scan_listings(struct shrink_control *sc,
				struct pashm_scan *scan)
{
	unsigned long number = pashm_listings_number(sc), vain = 0;
	int listings = pashm_listings_enter();

	while (vain < PASHM_SCAN_ROUNDS * number && scan->budget &&
	       pashm_scan_wants(scan)) {
		struct pashm_turn turn;

		if (!pashm_turn_begin(sc, scan, &turn))
			vain += max(1UL, turn.seen);
		else if (pashm_scan_turn(&turn, sc, scan))
			vain = 0;
		else
			vain++;
		pashm_scan_spend(scan, 1);
		cond_resched();
	}
	pashm_listings_leave(listings);
}

/*
 * What to answer. Another call goes on from here if the budget ran out, and may find
 * more if others are at work. But after a wait the allocator looks first.
 */
static unsigned long pashm_scan_result(const struct pashm_scan *scan)
{
	if (scan->freed || !scan->budget || (scan->helped && !scan->waited))
		return scan->freed;
	return SHRINK_STOP;
}

static unsigned long pashm_shrink_scan(struct shrinker *shrinker,
				       struct shrink_control *sc)
{
	unsigned long at_once;
	enum pashm_need need = pashm_short_need(sc, &at_once);
	unsigned long lack = pashm_node_lack(sc->nid);
	struct pashm_scan scan = {
		.nid = sc->nid,
		.anywhere = pashm_short_memcg(sc),
		.asked = sc->nr_to_scan,
		.memcg = sc->memcg,
		.room = at_once,
		.stamp = ktime_get_ns(),
		.lack = lack ? min(lack + sc->nr_to_scan, PASHM_SCAN_LACK) : 0,
	};
	unsigned long ret = 0;

	/* Truncation takes folio locks: not from within a file system */
	if ((sc->gfp_mask & (__GFP_FS | __GFP_IO)) != (__GFP_FS | __GFP_IO))
		return SHRINK_STOP;
	if (need != PASHM_NEED_NOTHING) {
		pashm_scan_grant(&scan, PASHM_SCAN_BASE +
				 PASHM_SCAN_PER_PAGE * sc->nr_to_scan);
		scan.reserve = scan.budget / 2;
		pashm_scan_listings(sc, &scan);
		ret = pashm_scan_result(&scan);
		pashm_scan_note(&scan, sc, ret);
	}
	/*
	 * Large extents may be more than was asked: so it is not asked again.
	 * Nor, many times, of one that had to wait.
	 */
	sc->nr_scanned = max(sc->nr_to_scan, scan.taken);
	if (scan.waited || scan.over)
		sc->nr_scanned = max(sc->nr_scanned, PASHM_SCAN_WAITED);
	if (need == PASHM_NEED_ALL)
		return ret;
	pashm_scan_end_round(sc);
	return ret == SHRINK_STOP ? 0 : ret;
}

/*
 * Called under oom_lock, for the machine's memory and not for a memcg's. It may be
 * an allocation that must not enter a file system: like the shrinker, this waits
 * for no folio that is locked, and takes no lock under which something is allocated.
 */
static int pashm_oom(struct notifier_block *block, unsigned long unused,
		     void *freed)
{
	struct pashm_scan scan = {
		.nid = NUMA_NO_NODE,
		.anywhere = true,
		.asked = PASHM_OOM_PAGES,
		.budget = LONG_MAX,
	};
	unsigned long turns = pashm_regions_number();
	int listings, nid;

	for_each_node_state(nid, N_MEMORY)
		scan.asked += pashm_node_lack(nid);
	listings = pashm_listings_enter();
	while (turns-- && pashm_scan_wants(&scan)) {
		struct pashm_region *region = pashm_region_in_turn();

		if (!region)
			break;
		pashm_scan_region(region, &scan);
		pashm_region_put(region);
	}
	pashm_listings_leave(listings);
	*(unsigned long *)freed += scan.taken;
	pashm_stat_add(PASHM_STAT_OOMS, 1);
	pashm_stat_add(PASHM_STAT_OOM_TAKEN, scan.taken);
	return NOTIFY_OK;
}

static struct notifier_block pashm_oom_block = {
	.notifier_call = pashm_oom,
};

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
	register_oom_notifier(&pashm_oom_block);
	return 0;
}

/* No region is left: the module's users hold it */
void pashm_shrink_exit(void)
{
	unregister_oom_notifier(&pashm_oom_block);
	pashm_shrinker_delete(pashm_shrinker);
}
