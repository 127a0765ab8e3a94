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
#include <linux/err.h>
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
#define PASHM_EPOCHS_PER_TURN	16
#define PASHM_EPOCH_PAGES_MIN	64

/* Count what a purge of the range would free. A snapshot: faults go on */
void pashm_census_take(struct pashm_region *region, unsigned long start,
		       unsigned long length, struct pashm_census *census)
{
	XA_STATE(xas, &region->inode->i_mapping->i_pages, start);
	unsigned long last = start + length - 1;
	unsigned int batch = 0;
	void *entry;

	census->resident = 0;
	census->matching = 0;
	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		if (xas_retry(&xas, entry) || xa_is_value(entry))
			continue;
		census->resident++;
		if (pashm_folio_memcg(entry) == census->memcg)
			census->matching++;
		if (++batch % PASHM_CENSUS_BATCH)
			continue;
		xas_pause(&xas);
		cond_resched_rcu();
	}
	rcu_read_unlock();
}

/*
 * The memcg that the range's first page in memory is charged to, as a key; an
 * error pointer if no page is in memory. Swapped pages do not count: to purge
 * them frees no memory now.
 */
struct mem_cgroup *pashm_first_memcg(struct pashm_region *region,
				     unsigned long start, unsigned long length)
{
	XA_STATE(xas, &region->inode->i_mapping->i_pages, start);
	struct mem_cgroup *memcg = ERR_PTR(-ENOENT);
	unsigned long last = start + length - 1;
	void *entry;

	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		if (xas_retry(&xas, entry) || xa_is_value(entry))
			continue;
		memcg = pashm_folio_memcg(entry);
		break;
	}
	rcu_read_unlock();
	return memcg;
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
 * for a folio that we have locked.
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

/*
 * Reserve a slot and set PURGING. Returns the slot, or a negative errno if the
 * extent is pinned, changed or in flight.
 */
static int pashm_claim(struct pashm_region *region, unsigned long head,
		       unsigned long length, atomic64_t *word, u64 state)
{
	s64 old = state;
	int slot;

	if (pashm_clients_pinned(region, head, NULL))
		return -EBUSY;
	slot = pashm_slot_reserve(&region->slots, head, length);
	if (slot < 0)
		return slot;
	if (!atomic64_try_cmpxchg(word, &old, pashm_state_claimed(state)))
		goto release;
	/*
	 * (B): PURGING is visible before the counts are read. Pairs with (A)
	 * in pashm_count_raise_full() and in pashm_pin_one(). A successful
	 * cmpxchg is a full barrier already; this says so.
	 */
	smp_mb__after_atomic();
	if (!pashm_clients_pinned(region, head, NULL))
		return slot;
	/* release: nothing was changed, but keep the order of publication */
	atomic64_fetch_andnot_release(PASHM_STATE_PURGING, word);
release:
	pashm_slot_release(&region->slots, slot);
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
	WRITE_ONCE(header->epoch, READ_ONCE(header->epoch) + 1);
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
 * read. Returns true if it was purged, with the pages freed in @census.
 */
bool pashm_purge_extent(struct pashm_region *region, unsigned long head,
			u64 state, struct pashm_census *census)
{
	unsigned long length = pashm_extent_length(region, head, state);
	atomic64_t *word = pashm_region_state(region, head);
	int slot;

	if (!length || !pashm_state_claimable(state))
		return false;
	if (!pashm_range_populated(region, head, length))
		return false;
	slot = pashm_claim(region, head, length, word, state);
	if (slot < 0)
		return false;
	pashm_census_take(region, head, length, census);
	pashm_purge_pages(region, head, length);
	pashm_count_purged(region, census->resident);
	pashm_publish(region, word, pashm_state_claimed(state));
	pashm_slot_release(&region->slots, slot);
	return true;
}

/* Wait out whoever purges the extent at @head; drop a PURGING nobody owns */
static int pashm_settle(struct pashm_region *region, unsigned long head)
{
	int ret = pashm_slot_wait(&region->slots, head, 1);

	if (!ret)
		pashm_slot_clear_stale(&region->slots, head,
				       pashm_region_state(region, head));
	return ret;
}

/*
 * Purge all that is unpinned, on the owner's request. Extents in flight are
 * waited for, so that afterwards all unpinned memory is gone that was so
 * before. Returns 0 or -EINTR; @freed_pages counts in both cases.
 */
int pashm_purge_all(struct pashm_region *region, u64 *freed_pages)
{
	unsigned long budget = ULONG_MAX;
	unsigned long head = 0;
	u64 state;

	*freed_pages = 0;
	for (;;) {
		struct pashm_census census = {};

		head = pashm_region_next_head(region, head, region->pages,
					      &state, &budget);
		if (!state)
			return 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		if (pashm_state_purging(state)) {
			if (pashm_settle(region, head))
				return -EINTR;
			state = atomic64_read(pashm_region_state(region, head));
		}
		if (pashm_purge_extent(region, head, state, &census))
			*freed_pages += census.resident;
		head += max(1UL, pashm_extent_length(region, head, state));
	}
}
