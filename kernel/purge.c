// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claim an extent, take its pages, publish the loss. The purger's side of the
 * handshake in <linux/pashm_pin.h>.
 *
 * No lock is held across a purge; the in-flight slot stands for it. Between the
 * reservation and the release of a slot nothing is allocated that could enter
 * reclaim: a reclaimer may be waiting for the slot.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>

#include "available.h"
#include "client.h"
#include "compat.h"
#include "purge.h"
#include "region.h"
#include "stat.h"
#include "trace.h"

/* With fewer pages of swap it is called full */
#define PASHM_SWAP_SPARE	1024
#define PASHM_EPOCHS_PER_TURN	16
#define PASHM_EPOCH_PAGES_MIN	64

/*
 * Normally an extent that is swapped out is left alone, since it has no memory to
 * give. But when swap is full, it keeps others from being swapped out.
 */
bool pashm_swap_is_full(void)
{
	return get_nr_swap_pages() < PASHM_SWAP_SPARE;
}

/* May reclaim take what this census has found? */
static bool pashm_census_pays(const struct pashm_census *census)
{
	return census->resident ? census->matching : pashm_swap_is_full();
}

/* Is anything there to take, in memory or swapped out? */
static bool pashm_range_populated(struct pashm_region *region,
				  unsigned long start, unsigned long length)
{
	unsigned long index = start;

	return xa_find(&region->inode->i_mapping->i_pages, &index,
		       start + length - 1, XA_PRESENT);
}

/* Length of the extent that @state describes; 0 if it leaves the region */
unsigned long pashm_extent_length(struct pashm_region *region,
				  unsigned long head, u64 state)
{
	unsigned long length = pashm_state_length(state);

	return length <= region->pages - head ? length : 0;
}

/*
 * Free the pages of a range, mapped or not. In the caller's own context the
 * truncation must not enter reclaim either, which could wait for our slot or
 * for a folio that we have locked; hence the emergency reserves, of which it
 * needs little: a page to swap in, or to split a large folio; on request, what is
 * swapped out in one piece with its neighbours, see pashm_swap_sticks_out(). Unmapping
 * allocates without reclaim by itself, and leaves the reserves alone.
 */
void pashm_purge_pages(struct pashm_region *region, unsigned long start,
		       unsigned long length)
{
	loff_t first = (loff_t)start << PAGE_SHIFT;
	loff_t bytes = (loff_t)length << PAGE_SHIFT;
	unsigned int flags;

	unmap_mapping_range(region->inode->i_mapping, first, bytes, 0);
	flags = memalloc_noreclaim_save();
	shmem_truncate_range(region->inode, first, first + bytes - 1);
	memalloc_noreclaim_restore(flags);
}

/**
 * struct pashm_claim - one purge in progress
 * @region: that it is in
 * @head:   of the extent
 * @length: of the extent in pages; not 0
 * @purger: who asks for it
 * @word:   state word at @head
 * @state:  what was read there
 * @slot:   that stands for the purge
 */
struct pashm_claim {
	struct pashm_region *region;
	unsigned long head;
	unsigned long length;
	enum pashm_purger purger;
	atomic64_t *word;
	u64 state;
	int slot;
};

/* Take a claim back; nothing was changed */
static void pashm_revert(const struct pashm_claim *claim)
{
	struct pashm_region *region = claim->region;

	atomic64_fetch_andnot_release(PASHM_STATE_PURGING, claim->word);
	pashm_slot_release(&region->slots, claim->slot);
	pashm_stat_add(PASHM_STAT_REVERTS, 1);
	trace_pashm_revert(region, claim->head, claim->length, claim->purger,
			   claim->slot);
}

/* A slot for the purge, or a negative errno */
static int pashm_claim_slot(const struct pashm_claim *claim)
{
	struct pashm_slots *slots = &claim->region->slots;

	if (claim->purger == PASHM_PURGER_REQUEST)
		return pashm_slot_queue(slots, claim->head, claim->length);
	return pashm_slot_reserve(slots, claim->head, claim->length);
}

/*
 * Reserve a slot and set PURGING. On request in the order of arrival, as reclaim
 * may claim an extent and give it back over and over. Returns 0, or -EBUSY:
 * pinned, or changed meanwhile; -EAGAIN: in flight; -EINTR, -ETIMEDOUT: no slot.
 */
static int pashm_claim(struct pashm_claim *claim)
{
	struct pashm_region *region = claim->region;
	s64 old = claim->state;

	if (pashm_clients_pinned(region, claim->head, NULL))
		return -EBUSY;
	claim->slot = pashm_claim_slot(claim);
	if (claim->slot < 0)
		return claim->slot == -EBUSY ? -EAGAIN : claim->slot;
	if (!atomic64_try_cmpxchg(claim->word, &old,
				  pashm_state_claimed(claim->state))) {
		pashm_slot_release(&region->slots, claim->slot);
		return -EBUSY;
	}
	/*
	 * (B): PURGING is visible before the counts are read. Pairs with (A)
	 * in the library's pashm_count_raise_full() and in
	 * pashm_count_raise(). A successful cmpxchg is a full barrier already;
	 * this says so.
	 */
	smp_mb__after_atomic();
	if (pashm_clients_pinned(region, claim->head, NULL)) {
		pashm_revert(claim);
		return -EBUSY;
	}
	pashm_stat_add(PASHM_STAT_CLAIMS, 1);
	trace_pashm_claim(region, claim->head, claim->length, claim->purger,
			  claim->slot);
	return 0;
}

/* The reclaim clock ticks with the volume purged, not with time */
static void pashm_tick(struct pashm_region *region, unsigned long pages)
{
	struct pashm_header *header = region->header;
	u64 purged = atomic64_add_return(pages, (atomic64_t *)&header->purged);
	u64 turn = max_t(u64, PASHM_EPOCH_PAGES_MIN,
			 pashm_region_resident(region) / PASHM_EPOCHS_PER_TURN);

	/* Others may have come with more since: then it is less than nothing */
	if ((s64)(purged - READ_ONCE(region->epoch_purged)) < (s64)turn)
		return;
	WRITE_ONCE(region->epoch_purged, purged);
	WRITE_ONCE(header->epoch, pashm_epoch_next(READ_ONCE(header->epoch)));
}

/*
 * The pages are gone: tell. The generation moves before PURGING clears, each
 * with release, so that a pin that sees PURGING clear sees the generation and
 * the holes. Unconditional adds, no loop: userspace can write this word too.
 *
 * The figures move in between: who sees the count of purges move (acquire in
 * purges_now() of the library's cache) and looks, finds what was taken; and what
 * a pin finds taken has been counted.
 */
static void pashm_publish(const struct pashm_claim *claim,
			  const struct pashm_census *census)
{
	struct pashm_region *region = claim->region;
	u64 old = atomic64_fetch_add_release(PASHM_STATE_GEN_ONE, claim->word);

	if (old != pashm_state_claimed(claim->state))
		atomic_inc(&region->violations);
	pashm_tick(region, census->resident);
	atomic64_fetch_inc_release((atomic64_t *)&region->header->purges);
	atomic64_fetch_andnot_release(PASHM_STATE_PURGING, claim->word);
	pashm_slot_release(&region->slots, claim->slot);
	pashm_region_notify(region);
	pashm_available_changed();
	pashm_stat_add(PASHM_STAT_PURGES, 1);
	trace_pashm_purge(region, claim->head, claim->length, claim->purger,
			  census, pashm_state_generation(old) + 1);
}

/*
 * Purge the extent at @head if nobody has it pinned; @state is its word as just
 * read.
 *
 * Reclaim must not wait for a folio lock that it may hold itself: a migration
 * that allocates its next target has its earlier sources locked. A lock of our
 * own does not go away between the look and the truncation; one of somebody
 * else may come, but its holder does not wait for us for more than a moment. And
 * it takes nothing whose loss would give the asking memcg no memory.
 *
 * Returns 0 if it was purged, with the pages freed in @census; -EBUSY if it
 * cannot be; -EAGAIN if it could be later; -EINTR on request, and in reclaim
 * -ETIMEDOUT if other purges have kept all slots for too long.
 */
int pashm_purge_extent(struct pashm_region *region, unsigned long head,
		       u64 state, enum pashm_purger purger,
		       struct pashm_census *census)
{
	struct pashm_claim claim = {
		.region = region,
		.head = head,
		.length = pashm_extent_length(region, head, state),
		.purger = purger,
		.word = pashm_region_state(region, head),
		.state = state,
	};
	int ret;

	if (!claim.length ||
	    !pashm_range_populated(region, head, claim.length))
		return -EBUSY;
	if (pashm_state_purging(state))
		return purger == PASHM_PURGER_REQUEST ? -EAGAIN : -EBUSY;
	ret = pashm_claim(&claim);
	if (ret)
		return ret;
	pashm_census_take(region, head, claim.length, census);
	if (purger == PASHM_PURGER_RECLAIM &&
	    (census->locked || !pashm_census_pays(census) ||
	     pashm_swap_sticks_out(region, head, claim.length))) {
		pashm_revert(&claim);
		return census->locked ? -EAGAIN : -EBUSY;
	}
	pashm_purge_pages(region, head, claim.length);
	pashm_census_settle(region, head, claim.length, census);
	if (purger == PASHM_PURGER_RECLAIM && census->resident)
		atomic_long_inc(&region->reclaimed);
	pashm_publish(&claim, census);
	return 0;
}

/*
 * For reclaim, which has met PURGING: clear it if nobody owns it, as the client
 * that has forged it may be dead. Returns 0 if it is clear; -EAGAIN if a purge or a
 * change is in flight, or no slot is free to clear it; -EBUSY if it is set again.
 */
int pashm_purge_unclaim(struct pashm_region *region, unsigned long head)
{
	atomic64_t *word = pashm_region_state(region, head);

	if (pashm_slot_clear_stale(&region->slots, head, word))
		return -EAGAIN;
	return pashm_state_purging(atomic64_read(word)) ? -EBUSY : 0;
}

/*
 * Wait until no purge that is in flight now is so on @index any more, and clear
 * a PURGING that nobody owns. @state: the word afterwards. Returns 0 or -EINTR.
 */
int pashm_settle(struct pashm_region *region, unsigned long index, u64 *state)
{
	atomic64_t *word = pashm_region_state(region, index);
	int ret = pashm_slot_wait(&region->slots, index, 1);

	if (ret)
		return ret;
	if (word && pashm_state_purging(atomic64_read(word)) &&
	    wait_event_killable(region->slots.wait,
				pashm_slot_clear_stale(&region->slots, index,
						       word) != -EAGAIN))
		return -EINTR;
	*state = word ? atomic64_read_acquire(word) : 0;
	return 0;
}

/* One extent of a purge on request: waits for whoever is at it */
static int pashm_purge_settled(struct pashm_region *region, unsigned long head,
			       u64 state, u64 *freed_pages)
{
	int tries, ret = -EAGAIN;

	for (tries = 0; ret == -EAGAIN && tries < PASHM_TRIES; tries++) {
		struct pashm_census census = {};

		ret = tries ? pashm_settle(region, head, &state) : 0;
		if (ret)
			return ret;
		ret = pashm_purge_extent(region, head, state,
					 PASHM_PURGER_REQUEST, &census);
		if (!ret)
			*freed_pages += census.resident;
	}
	return ret == -EINTR ? ret : 0;
}

/*
 * Purge all that is unpinned, on a client's request. Extents in flight are
 * waited for, so that what was unpinned before, and not pinned or reshaped
 * meanwhile, is gone afterwards. Returns 0 or -EINTR; @freed_pages counts in
 * both cases.
 */
int pashm_purge_all(struct pashm_region *region, u64 *freed_pages)
{
	unsigned long budget = ULONG_MAX;
	unsigned long head = 0;
	u64 state;
	int ret;

	*freed_pages = 0;
	for (;;) {
		head = pashm_region_next_head(region, head, region->pages,
					      &state, &budget);
		if (!state)
			return 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		ret = pashm_purge_settled(region, head, state, freed_pages);
		if (ret)
			return ret;
		head += max(1UL, pashm_extent_length(region, head, state));
	}
}
