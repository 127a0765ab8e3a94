/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_SLOT_H
#define PASHM_SLOT_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#define PASHM_SLOTS		16
/* Slots that callers other than reclaim may take: the rest is reclaim's */
#define PASHM_SLOTS_REQUEST	8
/* After a wait in reclaim that was for nothing, none of the region for so long */
#define PASHM_SLOT_PATIENCE	HZ

/**
 * struct pashm_slots - the purges in flight in one region
 * @lock:   protects the rest; taken by reclaim, nothing is allocated under it
 * @wait:   woken whenever a slot is given up
 * @serial: number of the youngest reservation
 * @futile: jiffies at the end of the last wait in reclaim that was for nothing
 * @slot:   ranges of pages; @serial 0 means free
 *
 * A slot is reserved before the claim and given up after the publication or the
 * revert. Its holder never allocates memory with reclaim. Of two that overlap,
 * the one with the higher serial waits for the other and has touched nothing
 * yet; apart from that no holder waits for another slot. A client can make its
 * own requests slow; so they can take only some of the slots, which reclaim takes
 * last, and what reclaim waits for is reclaim, for a bounded time.
 */
struct pashm_slots {
	spinlock_t lock;	/* all below; taken in reclaim */
	wait_queue_head_t wait;
	u64 serial;
	unsigned long futile;	/* a hint, without the lock */
	struct {
		unsigned long start;
		unsigned long end;
		u64 serial;
		bool reclaim;
	} slot[PASHM_SLOTS];
};

void pashm_slots_init(struct pashm_slots *slots);
int pashm_slot_reserve(struct pashm_slots *slots, unsigned long start,
		       unsigned long length);
int pashm_slot_queue(struct pashm_slots *slots, unsigned long start,
		     unsigned long length);
void pashm_slot_release(struct pashm_slots *slots, int slot);
int pashm_slot_wait(struct pashm_slots *slots, unsigned long start,
		    unsigned long length);
void pashm_slot_wait_purge(struct pashm_slots *slots, atomic_long_t *purged,
			   long before, const unsigned long *resident);
int pashm_slot_clear_stale(struct pashm_slots *slots, unsigned long index,
			   atomic64_t *state);

#endif /* PASHM_SLOT_H */
