// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is memory short, and is it still?
 *
 * A reclaim goes on, at ever higher priority, until it has been credited with what it
 * wants. But it learns of our pages late or not at all: what shrinkers free for a
 * memcg's limit is not counted from Linux 6.4 on (flush_reclaim_state() in
 * mm/vmscan.c), and before 6.7 a reclaimer may be kept from all shrinkers until it has
 * come to the last priority, at which it asks for everything. So that it takes no
 * more than it needs, we look ourselves whether that is over which it began for: a
 * node or a memcg that was short.
 *
 * One that can be credited then gets as much as ends it. If it got nothing, it would
 * go on to look for that elsewhere, and swap. One that cannot gets nothing.
 *
 * What began without a shortage is a request of userspace (memory.reclaim,
 * drop_caches) and gets what it asks for. To tell the two apart, the shortage that a
 * task has met is noted for as long as its reclaim goes on. So a request that meets a
 * node which is short just then is ended as if it had begun for that.
 *
 * No locks: zones stay, and the caller of a shrinker holds sc->memcg, which holds all
 * above it. What is noted is compared with, and never followed.
 */
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page_counter.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "compat.h"
#include "short.h"

/*
 * With one of so many of its pages free over its high watermark, a zone has plenty.
 * kswapd goes further: who runs into its own reclaim swaps first and asks us then.
 */
#define PASHM_ZONE_SPARE	128UL
#define PASHM_ZONE_SPARE_KSWAPD	8UL
/* Pages that a memcg must have room for: see pashm_shortage_learn() */
#define PASHM_MEMCG_ROOM	(2 * SWAP_CLUSTER_MAX)
#define PASHM_HUGE_PAGE		(PMD_SIZE >> PAGE_SHIFT)
#define PASHM_MEMCG_ROOM_MOST	(PASHM_HUGE_PAGE + SWAP_CLUSTER_MAX)
/*
 * One that is not credited with ours swaps first at each of its priorities. Where there
 * is swap, it gets more, and all at once: this much, of a limit no more than that part.
 */
#define PASHM_MEMCG_ROOM_SWAP	1024UL
#define PASHM_MEMCG_ROOM_PART	32

/**
 * struct pashm_shortage - that a task has met in the reclaim that it is in
 * @task:      current; the key
 * @state:     its reclaim_state, which is another one in each reclaim, mostly
 * @when:      jiffies of the last look
 * @node:      a node was short
 * @counter:   so was this memcg; for comparison only, it may be gone
 * @room:      which has room for so many pages when that is over
 * @reclaimed: what the reclaim had from shrinkers at the last look
 *
 * Written by @task and by those that have the same place. A hint: who reads another's
 * half may be given too little, or too much.
 */
struct pashm_shortage {
	struct task_struct *task;
	struct reclaim_state *state;
	unsigned long when;
	bool node;
	const struct page_counter *counter;
	unsigned long room;
	unsigned long reclaimed;
};

/* Between two calls of one reclaim there may be much to do on the LRU lists */
#define PASHM_SHORTAGE_AGE	(5 * HZ)
#define PASHM_SHORTAGE_BITS	8
static struct pashm_shortage pashm_shortages[1 << PASHM_SHORTAGE_BITS];

/* One without memory has watermarks all the same (6.12: ZONE_MOVABLE, of 32 pages) */
static bool pashm_zone_is_used(struct zone *zone)
{
	return zone_managed_pages(zone);
}

/* Free pages of a zone that everybody can have (__zone_watermark_unusable_free()) */
static unsigned long pashm_zone_free(struct zone *zone)
{
	unsigned long pages = zone_page_state(zone, NR_FREE_PAGES);

	return pages - min(pages, zone_page_state(zone, NR_FREE_CMA_PAGES));
}

/*
 * Pages that the node's zones are below their lowest watermarks, counting what
 * the allocator knows to be reclaimable. After a reclaim it tries again only if
 * it is above that (should_reclaim_retry() in mm/page_alloc.c). Of us it does not
 * know: without page cache and swap, a reclaim that has freed what was asked, but
 * not enough for that, is followed by the OOM killer.
 */
unsigned long pashm_node_lack(int nid)
{
	struct zone *zones = NODE_DATA(nid)->node_zones;
	unsigned long lack = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &zones[i];
		unsigned long lowest = min_wmark_pages(zone);
		unsigned long there = pashm_zone_free(zone) +
			zone_page_state(zone, NR_ZONE_INACTIVE_FILE) +
			zone_page_state(zone, NR_ZONE_ACTIVE_FILE);

		if (get_nr_swap_pages() > 0)
			there += zone_page_state(zone, NR_ZONE_INACTIVE_ANON) +
				 zone_page_state(zone, NR_ZONE_ACTIVE_ANON);
		if (pashm_zone_is_used(zone) && there < lowest)
			lack += lowest - there;
	}
	return lack;
}

/*
 * Is there a zone that @gfp may take from and that is at its high watermark, as it has
 * to be for kswapd to sleep (pgdat_balanced() in mm/vmscan.c)? And above that, with
 * @spare, by one of so many of its pages?
 */
static bool pashm_node_has(int nid, gfp_t gfp, unsigned long spare)
{
	struct zone *zones = NODE_DATA(nid)->node_zones;
	enum zone_type highest = gfp_zone(gfp), i;

	for (i = 0; i <= highest; i++) {
		struct zone *zone = &zones[i];
		unsigned long wanted = high_wmark_pages(zone) +
				       zone->lowmem_reserve[highest];

		if (spare)
			wanted += zone_managed_pages(zone) / spare;
		if (pashm_zone_is_used(zone) &&
		    pashm_zone_free(zone) >= wanted)
			return true;
	}
	return false;
}

/* For how many pages a counter and all above it have room, and which has the least */
static unsigned long pashm_counter_room(const struct page_counter *counter,
					const struct page_counter **tightest)
{
	unsigned long least = PAGE_COUNTER_MAX;

	*tightest = NULL;
	for (; counter; counter = counter->parent) {
		unsigned long limit = min(READ_ONCE(counter->max),
					  READ_ONCE(counter->high));
		unsigned long used = atomic_long_read(&counter->usage);
		unsigned long room = limit > used ? limit - used : 0;

		if (room < least) {
			least = room;
			*tightest = counter;
		}
	}
	return least;
}

static unsigned long pashm_memcg_room(struct mem_cgroup *memcg,
				      const struct page_counter **tightest)
{
	return pashm_counter_room(pashm_memcg_counter(memcg), tightest);
}

bool pashm_memcg_has_room(struct mem_cgroup *memcg, unsigned long pages)
{
	const struct page_counter *tightest;

	return pashm_memcg_room(memcg, &tightest) >= pages;
}

/* Would reclaim for this memcg swap? */
static bool pashm_memcg_swaps(struct mem_cgroup *memcg)
{
	const struct page_counter *tightest;

	return get_nr_swap_pages() > 0 &&
	       pashm_counter_room(pashm_memcg_swap_counter(memcg), &tightest);
}

static bool pashm_memcg_is_below(struct mem_cgroup *memcg,
				 const struct page_counter *above)
{
	const struct page_counter *counter = pashm_memcg_counter(memcg);

	while (counter && counter != above)
		counter = counter->parent;
	return counter;
}

/*
 * Is it a memcg's limit that memory is wanted for, on whatever node? That, if this one
 * is at its limit, and the node has enough.
 */
bool pashm_short_memcg(const struct shrink_control *sc)
{
	const struct page_counter *tightest;

	return !current_is_kswapd() &&
	       pashm_memcg_room(sc->memcg, &tightest) < SWAP_CLUSTER_MAX &&
	       pashm_node_has(sc->nid, sc->gfp_mask, 0);
}

/* The caller's place, with what it has noted in the reclaim that it is in, or nothing */
static struct pashm_shortage *pashm_shortage_recall(struct pashm_shortage *note)
{
	struct pashm_shortage *place =
		&pashm_shortages[hash_ptr(current, PASHM_SHORTAGE_BITS)];
	struct reclaim_state *state = current->reclaim_state;

	*note = (struct pashm_shortage){ .task = current, .state = state };
	if (READ_ONCE(place->task) != current ||
	    READ_ONCE(place->state) != state ||
	    !time_before(jiffies, READ_ONCE(place->when) + PASHM_SHORTAGE_AGE))
		return place;
	note->node = READ_ONCE(place->node);
	note->counter = READ_ONCE(place->counter);
	note->room = READ_ONCE(place->room);
	note->reclaimed = READ_ONCE(place->reclaimed);
	return place;
}

static void pashm_shortage_store(struct pashm_shortage *place,
				 const struct pashm_shortage *note)
{
	WRITE_ONCE(place->task, NULL);
	WRITE_ONCE(place->state, note->state);
	WRITE_ONCE(place->when, jiffies);
	WRITE_ONCE(place->node, note->node);
	WRITE_ONCE(place->counter, note->counter);
	WRITE_ONCE(place->room, note->room);
	WRITE_ONCE(place->reclaimed, pashm_reclaimed());
	WRITE_ONCE(place->task, note->task);
}

static unsigned long pashm_memcg_room_first(struct mem_cgroup *memcg,
					    const struct page_counter *tightest)
{
	unsigned long limit;

	if (PASHM_MEMCG_IS_CREDITED || !tightest || !pashm_memcg_swaps(memcg))
		return PASHM_MEMCG_ROOM;
	limit = min(READ_ONCE(tightest->max), READ_ONCE(tightest->high));
	return clamp(limit / PASHM_MEMCG_ROOM_PART, PASHM_MEMCG_ROOM,
		     PASHM_MEMCG_ROOM_SWAP);
}

/*
 * Is the shortage one of @memcg? And how much room ends it? A huge page is charged at
 * once, so that is not known: it is twice what any reclaim wants at least; and when the
 * next one of the same task finds that room unused, more, as this was not enough. When
 * that is of no use either, it is no charge that asks, but userspace.
 */
static bool pashm_shortage_learn(struct pashm_shortage *note,
				 struct mem_cgroup *memcg, unsigned long room,
				 const struct page_counter *tightest)
{
	unsigned long first = pashm_memcg_room_first(memcg, tightest);
	unsigned long most = max(PASHM_MEMCG_ROOM_MOST, 4 * first);

	if (!note->counter || !pashm_memcg_is_below(memcg, note->counter)) {
		if (room >= PASHM_HUGE_PAGE)
			return false;
		note->counter = tightest;
		note->room = first;
		return true;
	}
	/* If it is not credited, this only grows within one reclaim for a memcg */
	if (PASHM_MEMCG_IS_CREDITED || pashm_reclaimed() >= note->reclaimed)
		return true;
	if (room < note->room)
		note->room = first;
	else if (note->room < most)
		note->room = min(2 * note->room, most);
	else
		note->counter = NULL;
	return note->counter;
}

/*
 * What does the reclaim that we are called in still need? And how much room is its memcg
 * to have at once, whatever it asks for?
 */
enum pashm_need pashm_short_need(const struct shrink_control *sc,
				 unsigned long *at_once)
{
	struct pashm_shortage note, *place;
	const struct page_counter *tightest;
	unsigned long room;
	bool memcg;

	*at_once = 0;
	/* Not a reclaim: somebody has asked the shrinkers themselves */
	if (!current->reclaim_state)
		return PASHM_NEED_ALL;
	if (current_is_kswapd())
		return pashm_node_has(sc->nid, sc->gfp_mask,
				      PASHM_ZONE_SPARE_KSWAPD) ?
		       PASHM_NEED_LITTLE : PASHM_NEED_ALL;
	place = pashm_shortage_recall(&note);
	room = pashm_memcg_room(sc->memcg, &tightest);
	memcg = pashm_memcg_limits() &&
		pashm_shortage_learn(&note, sc->memcg, room, tightest);
	if (!pashm_node_has(sc->nid, sc->gfp_mask, 0))
		note.node = true;
	pashm_shortage_store(place, &note);

	if (!note.node && !memcg)
		return PASHM_NEED_ALL;
	if (note.node &&
	    !pashm_node_has(sc->nid, sc->gfp_mask, PASHM_ZONE_SPARE))
		return PASHM_NEED_ALL;
	if (memcg && (room < note.room || !pashm_reclaimed())) {
		if (note.room > PASHM_MEMCG_ROOM && room < note.room &&
		    !PASHM_MEMCG_IS_CREDITED)
			*at_once = note.room;
		return PASHM_NEED_ALL;
	}
	return note.node || PASHM_MEMCG_IS_CREDITED ? PASHM_NEED_LITTLE :
						      PASHM_NEED_NOTHING;
}
