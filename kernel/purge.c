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
#include <linux/rcupdate_wait.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

#include "client.h"
#include "compat.h"
#include "purge.h"
#include "region.h"

/* Pages counted between two chances to reschedule */
#define PASHM_CENSUS_BATCH	1024
/* Entries looked at to tell whose an extent is */
#define PASHM_SAMPLE		64
#define PASHM_EPOCHS_PER_TURN	16
#define PASHM_EPOCH_PAGES_MIN	64

/* Pages of @folio inside the range; a large one may stick out */
static unsigned long pashm_folio_part(struct folio *folio, unsigned long start,
				      unsigned long last)
{
	unsigned long first, end;

	if (!folio_test_large(folio))
		return 1;
	first = max(start, folio->index);
	end = min(last + 1, folio->index + folio_nr_pages(folio));
	return end > first ? end - first : 0;
}

/*
 * The folio that a walk under RCU has found, with a reference, or NULL. Without
 * one it could turn into something else while we look: from 7.2 on, the place of
 * the memcg is a number in the second page of a large folio.
 */
static struct folio *pashm_folio_get(struct xa_state *xas, void *entry)
{
	struct folio *folio = entry;

	if (xas_retry(xas, entry) || xa_is_value(entry) ||
	    !folio_try_get(folio))
		return NULL;
	if (likely(xas_reload(xas) == entry))
		return folio;
	folio_put(folio);
	return NULL;
}

/*
 * Count what a purge of the range would free. A snapshot: faults go on, and a
 * folio that is just coming or going may be missed.
 */
void pashm_census_take(struct pashm_region *region, unsigned long start,
		       unsigned long length, struct pashm_census *census)
{
	XA_STATE(xas, &region->inode->i_mapping->i_pages, start);
	unsigned long last = start + length - 1;
	unsigned int batch = 0;
	void *entry;

	census->resident = 0;
	census->matching = 0;
	census->locked = false;
	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		struct folio *folio = pashm_folio_get(&xas, entry);
		unsigned long part;

		if (folio) {
			part = pashm_folio_part(folio, start, last);
			census->resident += part;
			if (pashm_folio_memcg(folio) == census->memcg)
				census->matching += part;
			if (folio_test_locked(folio))
				census->locked = true;
			folio_put(folio);
		}
		if (++batch % PASHM_CENSUS_BATCH == 0) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
}

/*
 * Does the first of the range's pages in memory belong to @memcg? Cheap: looks
 * at a few entries and says yes when none of them is in memory.
 */
bool pashm_sample_matches(struct pashm_region *region, unsigned long start,
			  unsigned long length, struct mem_cgroup *memcg)
{
	XA_STATE(xas, &region->inode->i_mapping->i_pages, start);
	unsigned long last = start + length - 1;
	unsigned int left = PASHM_SAMPLE;
	bool matches = true;
	void *entry;

	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		struct folio *folio;

		if (!left--)
			break;
		folio = pashm_folio_get(&xas, entry);
		if (!folio)
			continue;
		matches = pashm_folio_memcg(folio) == memcg;
		folio_put(folio);
		break;
	}
	rcu_read_unlock();
	return matches;
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
 * needs little: at most a page to swap in, or to split a large folio.
 */
void pashm_purge_pages(struct pashm_region *region, unsigned long start,
		       unsigned long length)
{
	loff_t first = (loff_t)start << PAGE_SHIFT;
	loff_t bytes = (loff_t)length << PAGE_SHIFT;
	unsigned int flags = memalloc_noreclaim_save();

	unmap_mapping_range(region->inode->i_mapping, first, bytes, 0);
	shmem_truncate_range(region->inode, first, first + bytes - 1);
	memalloc_noreclaim_restore(flags);
}

/* Take a claim back; nothing was changed */
static void pashm_revert(struct pashm_region *region, atomic64_t *word,
			 int slot)
{
	atomic64_fetch_andnot_release(PASHM_STATE_PURGING, word);
	pashm_slot_release(&region->slots, slot);
}

/*
 * Reserve a slot and set PURGING. Returns the slot, or -EBUSY: pinned, or
 * changed meanwhile; -EAGAIN: in flight; -EINTR.
 */
static int pashm_claim(struct pashm_region *region, unsigned long head,
		       unsigned long length, atomic64_t *word, u64 state,
		       enum pashm_purger purger)
{
	s64 old = state;
	int slot;

	if (pashm_clients_pinned(region, head, NULL))
		return -EBUSY;
	slot = pashm_slot_reserve(&region->slots, head, length, purger);
	if (slot < 0)
		return slot == -EBUSY ? -EAGAIN : slot;
	if (!atomic64_try_cmpxchg(word, &old, pashm_state_claimed(state))) {
		pashm_slot_release(&region->slots, slot);
		return -EBUSY;
	}
	/*
	 * (B): PURGING is visible before the counts are read. Pairs with (A)
	 * in the library's pashm_count_raise_full() and in
	 * pashm_count_raise(). A successful cmpxchg is a full barrier already;
	 * this says so.
	 */
	smp_mb__after_atomic();
	if (!pashm_clients_pinned(region, head, NULL))
		return slot;
	pashm_revert(region, word, slot);
	return -EBUSY;
}

/* The reclaim clock ticks with the volume purged, not with time */
static void pashm_count_purged(struct pashm_region *region, unsigned long pages)
{
	struct pashm_header *header = region->header;
	u64 purged = atomic64_add_return(pages, (atomic64_t *)&header->purged);
	u64 turn = max_t(u64, PASHM_EPOCH_PAGES_MIN,
			 pashm_region_resident(region) / PASHM_EPOCHS_PER_TURN);

	atomic64_inc((atomic64_t *)&header->purges);
	if (purged - READ_ONCE(region->epoch_purged) < turn)
		return;
	WRITE_ONCE(region->epoch_purged, purged);
	WRITE_ONCE(header->epoch, pashm_epoch_next(READ_ONCE(header->epoch)));
}

/*
 * The pages are gone: tell. The generation moves before PURGING clears, each
 * with release, so that a pin that sees PURGING clear sees the generation and
 * the holes. Unconditional adds, no loop: userspace can write this word too.
 */
static void pashm_publish(struct pashm_region *region, atomic64_t *word,
			  u64 claimed)
{
	u64 old = atomic64_fetch_add_release(PASHM_STATE_GEN_ONE, word);

	if (old != claimed)
		atomic_inc(&region->violations);
	atomic64_fetch_andnot_release(PASHM_STATE_PURGING, word);
}

/*
 * Purge the extent at @head if nobody has it pinned; @state is its word as just
 * read.
 *
 * Reclaim must not wait for a folio lock that it may hold itself: a migration
 * that allocates its next target has its earlier sources locked. A lock of our
 * own does not go away between the look and the truncation; one of somebody
 * else may come, but its holder does not wait for us for more than a moment.
 *
 * Returns 0 if it was purged, with the pages freed in @census; -EBUSY if it
 * cannot be; -EAGAIN if it could be later; -EINTR on request.
 */
int pashm_purge_extent(struct pashm_region *region, unsigned long head,
		       u64 state, enum pashm_purger purger,
		       struct pashm_census *census)
{
	unsigned long length = pashm_extent_length(region, head, state);
	atomic64_t *word = pashm_region_state(region, head);
	int slot;

	if (!length || !pashm_range_populated(region, head, length))
		return -EBUSY;
	/* Reclaim does not wait here: the PURGING may be forged */
	if (pashm_state_purging(state))
		return purger == PASHM_PURGER_REQUEST ? -EAGAIN : -EBUSY;
	slot = pashm_claim(region, head, length, word, state, purger);
	if (slot < 0)
		return slot;
	pashm_census_take(region, head, length, census);
	if (purger == PASHM_PURGER_RECLAIM && census->locked) {
		pashm_revert(region, word, slot);
		return -EAGAIN;
	}
	pashm_purge_pages(region, head, length);
	pashm_count_purged(region, census->resident);
	pashm_publish(region, word, pashm_state_claimed(state));
	pashm_slot_release(&region->slots, slot);
	return 0;
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
	if (word && pashm_state_purging(atomic64_read(word)))
		pashm_slot_clear_stale(&region->slots, index, word);
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
