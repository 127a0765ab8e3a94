// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taking an extent's pages, the purger's half of the protocol in
 * <linux/pashm_pin.h>. Everything here runs under the purge lock, so there is
 * one purge in flight, and one record of it is enough.
 *
 * The record is written before the claim and cleared after the word is
 * published or reverted. It tells the next holder of the lock what a purger
 * that died has left behind:
 *
 *   CLAIM, PURGING set      a count may have been seen or not; no page is gone:
 *                           take PURGING back. (Not complete the purge: a
 *                           client may have pinned before the claim.)
 *   PUNCH, PURGING set      nobody held a pin after (B), and whoever pinned
 *                           since is waiting: punch again, publish
 *   PURGING clear           not claimed yet, or already published: nothing
 *
 * Neighbours are taken together: the kernel gives pages back by the run, and
 * small extents would pay for a system call each.
 */
#include "memfd.h"

void pashm_memfd_slot_phase(struct memfd_region *m, enum memfd_phase phase)
{
	/* release: in after the range is written, out after the word is */
	__atomic_store_n(&m->purge->phase, phase, __ATOMIC_RELEASE);
}

void pashm_memfd_slot_take(struct memfd_region *m, uint32_t page,
			   uint32_t pages)
{
	struct memfd_purge *purge = m->purge;

	purge->client = m->client;
	purge->incarnation = m->client == MEMFD_NO_CLIENT ?
			     0 : m->clients[m->client].incarnation;
	purge->page = page;
	purge->pages = pages;
	pashm_memfd_slot_phase(m, MEMFD_CLAIM);
}

static void violation(struct memfd_region *m)
{
	__atomic_fetch_add(&m->purge->violations, 1, __ATOMIC_RELAXED);
}

/* The record stands. Ends with barrier (B) if it succeeds. */
bool pashm_memfd_claim(struct memfd_region *m, uint32_t page, uint64_t state)
{
	if (!pashm_state_claimable(state))
		return false;
	if (!__atomic_compare_exchange_n(&m->base.view.states[page], &state,
					 pashm_state_claimed(state), false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	pashm_barrier_full();	/* (B) */
	return true;
}

static bool purging_clear(struct memfd_region *m, uint32_t page)
{
	/* release: the generation, if it moved, moved before */
	uint64_t old = __atomic_fetch_and(&m->base.view.states[page],
					  ~PASHM_STATE_PURGING,
					  __ATOMIC_RELEASE);

	return pashm_state_purging(old);
}

/* No purge is in flight: a PURGING here was forged, or survived its owner */
void pashm_memfd_stale_clear(struct memfd_region *m, uint32_t page)
{
	uint64_t state = __atomic_load_n(&m->base.view.states[page],
					 __ATOMIC_RELAXED);

	if (pashm_state_purging(state) && purging_clear(m, page))
		violation(m);
}

/* Take back every PURGING in a range that is ours, or a dead purger's */
void pashm_memfd_revert(struct memfd_region *m, uint64_t page, uint64_t pages)
{
	struct memfd_extent extent;
	struct memfd_walk walk;

	pashm_memfd_walk_init_sure(&walk, page, page + pages);
	while (pashm_memfd_walk_next(m, &walk, &extent)) {
		if (pashm_state_purging(extent.state))
			purging_clear(m, extent.page);
	}
}

/* @pages of memory are gone, in @extents: counters and the reclaim clock */
static void account(struct memfd_region *m, uint64_t pages, uint64_t extents)
{
	struct pashm_header *header = &m->header->base;
	uint32_t epoch;

	__atomic_fetch_add(&header->purged, pages, __ATOMIC_RELAXED);
	/* release: whoever sees that something was taken can find out what */
	__atomic_fetch_add(&header->purges, extents, __ATOMIC_RELEASE);
	m->purge->volume += pages;
	if (m->purge->volume >= m->epoch_step) {
		m->purge->volume = 0;
		epoch = __atomic_load_n(&header->epoch, __ATOMIC_RELAXED);
		__atomic_store_n(&header->epoch, pashm_epoch_next(epoch),
				 __ATOMIC_RELAXED);
	}
}

/*
 * The pages are gone. Works on whatever is in the word by now: a client that
 * has changed it under the claim breaks the rules and is counted.
 */
static void publish(struct memfd_region *m, uint32_t page)
{
	/* release: whoever sees the new generation finds the pages gone */
	__atomic_fetch_add(&m->base.view.states[page], PASHM_STATE_GEN_ONE,
			   __ATOMIC_RELEASE);
	if (!purging_clear(m, page))
		violation(m);
}

static int data_punch(const struct memfd_region *m, uint64_t page,
		      uint64_t pages)
{
	const struct memfd_layout *layout = &m->layout;

	return pashm_memfd_punch(m, layout->data + (page << layout->page_shift),
				 pages << layout->page_shift);
}

/* How many of the extents, from the first on, are claimed and not pinned */
static uint32_t batch_claim(struct memfd_region *m,
			    const struct memfd_extent *extents, uint32_t count)
{
	uint32_t i, claimed, idle;

	for (claimed = 0; claimed < count; claimed++) {
		if (!pashm_memfd_claim(m, extents[claimed].page,
				       extents[claimed].state))
			break;
	}
	for (idle = 0; idle < claimed; idle++) {
		if (pashm_memfd_pinned(m, extents[idle].page, false))
			break;
	}
	for (i = idle; i < claimed; i++)
		purging_clear(m, extents[i].page);
	return idle;
}

uint64_t pashm_memfd_purge_extents(struct memfd_region *m,
				   const struct memfd_extent *extents,
				   uint32_t count)
{
	const struct memfd_extent *last = &extents[count - 1];
	uint32_t i, pages, page = extents->page;
	uint64_t taken = 0;

	for (i = 0; i < count; i++)
		pashm_memfd_stale_clear(m, extents[i].page);
	pashm_memfd_slot_take(m, page, last->page + last->pages - page);
	count = batch_claim(m, extents, count);
	if (count) {
		last = &extents[count - 1];
		/* The record is for others, who may write it, too: not read */
		pages = last->page + last->pages - page;
		m->purge->pages = pages;
		pashm_memfd_slot_phase(m, MEMFD_PUNCH);
		taken = pashm_memfd_incore(m, page, pages);
		if (!data_punch(m, page, pages)) {
			for (i = 0; i < count; i++)
				publish(m, extents[i].page);
			account(m, taken, count);
		} else {
			/* Refused before it began: nothing is lost */
			for (i = 0; i < count; i++)
				purging_clear(m, extents[i].page);
			taken = 0;
		}
	}
	pashm_memfd_slot_phase(m, MEMFD_IDLE);
	return taken;
}

/* A dead owner's purge: extents that it had published are somebody's again */
static void recover_punch(struct memfd_region *m, uint64_t page, uint64_t pages)
{
	struct memfd_extent extent;
	struct memfd_walk walk;

	pashm_memfd_walk_init_sure(&walk, page, page + pages);
	while (pashm_memfd_walk_next(m, &walk, &extent)) {
		if (!pashm_state_purging(extent.state))
			continue;
		data_punch(m, extent.page, extent.pages);
		publish(m, extent.page);
		account(m, extent.pages, 1);
	}
}

/*
 * The purge record as a dead owner has left it, or as somebody has forged it:
 * then a purge of extents of this region is the worst that it can bring about,
 * and a walk over a range that is no longer than an extent can be.
 */
void pashm_memfd_recover(struct memfd_region *m)
{
	const struct memfd_layout *layout = &m->layout;
	uint32_t phase = __atomic_load_n(&m->purge->phase, __ATOMIC_ACQUIRE);
	uint64_t page = __atomic_load_n(&m->purge->page, __ATOMIC_RELAXED);
	uint64_t pages = __atomic_load_n(&m->purge->pages, __ATOMIC_RELAXED);

	if (phase == MEMFD_IDLE)
		return;
	if (page >= layout->pages || pages == 0 ||
	    pages > layout->pages - page || pages > PASHM_EXTENT_PAGES_MAX ||
	    (phase != MEMFD_CLAIM && phase != MEMFD_PUNCH)) {
		violation(m);
		pashm_memfd_slot_phase(m, MEMFD_IDLE);
		return;
	}
	if (phase == MEMFD_CLAIM)
		pashm_memfd_revert(m, page, pages);
	else
		recover_punch(m, page, pages);
	pashm_memfd_slot_phase(m, MEMFD_IDLE);
}
