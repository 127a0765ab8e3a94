// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-flight slots: who is purging what. Kernel state that userspace cannot
 * write, so that waiting and the check for overlaps do not depend on the
 * state words.
 *
 * Lock order: pashm_slots.lock is innermost.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/sched.h>

#include <linux/pashm_pin.h>

#include "compat.h"
#include "slot.h"

void pashm_slots_init(struct pashm_slots *slots)
{
	spin_lock_init(&slots->lock);
	init_waitqueue_head(&slots->wait);
}

static bool pashm_slot_overlaps(struct pashm_slots *slots, unsigned long start,
				unsigned long end, u64 not_after)
{
	int i;

	lockdep_assert_held(&slots->lock);
	for (i = 0; i < PASHM_SLOTS; i++)
		if (slots->slot[i].serial &&
		    slots->slot[i].serial <= not_after &&
		    slots->slot[i].start < end && start < slots->slot[i].end)
			return true;
	return false;
}

/* Who wants a slot */
enum pashm_slot_user {
	PASHM_SLOT_RECLAIM,	/* looks elsewhere if the range is in flight */
	PASHM_SLOT_QUEUE,	/* will wait behind whoever has it in flight */
	PASHM_SLOT_CLEAR,	/* has nothing to do if it is in flight */
};

/* A slot number; -EBUSY: the range is in flight; -EAGAIN: all are taken */
static int pashm_slot_try(struct pashm_slots *slots, unsigned long start,
			  unsigned long end, enum pashm_slot_user user)
{
	bool reclaim = user == PASHM_SLOT_RECLAIM;
	int i, ret = -EAGAIN;

	spin_lock(&slots->lock);
	if (user != PASHM_SLOT_QUEUE &&
	    pashm_slot_overlaps(slots, start, end, U64_MAX)) {
		ret = -EBUSY;
		goto unlock;
	}
	/* From the top: those that others may have, too, last */
	for (i = reclaim ? PASHM_SLOTS : PASHM_SLOTS_REQUEST; i-- > 0;) {
		if (slots->slot[i].serial)
			continue;
		slots->slot[i].start = start;
		slots->slot[i].end = end;
		slots->slot[i].serial = ++slots->serial;
		slots->slot[i].reclaim = reclaim;
		ret = i;
		break;
	}
unlock:
	spin_unlock(&slots->lock);
	return ret;
}

/*
 * Reserve a slot for @length pages from @start, in reclaim: sleeps for a bounded
 * time while all are taken. Returns the slot; -EBUSY if the range overlaps one in
 * flight, -ETIMEDOUT if none became free.
 */
int pashm_slot_reserve(struct pashm_slots *slots, unsigned long start,
		       unsigned long length)
{
	int slot;

	might_sleep();
	wait_event_timeout(slots->wait,
			   (slot = pashm_slot_try(slots, start, start + length,
						  PASHM_SLOT_RECLAIM)) !=
			   -EAGAIN, PASHM_RECLAIM_WAIT);
	return slot == -EAGAIN ? -ETIMEDOUT : slot;
}

void pashm_slot_release(struct pashm_slots *slots, int slot)
{
	spin_lock(&slots->lock);
	slots->slot[slot].serial = 0;
	spin_unlock(&slots->lock);
	wake_up_all(&slots->wait);
}

static bool pashm_slot_passed(struct pashm_slots *slots, unsigned long start,
			      unsigned long end, u64 not_after)
{
	bool overlaps;

	spin_lock(&slots->lock);
	overlaps = pashm_slot_overlaps(slots, start, end, not_after);
	spin_unlock(&slots->lock);
	return !overlaps;
}

/*
 * Wait for those purges that are in flight on the range now, not for later
 * ones: a waiter has raised its count, so a later purger takes its claim back.
 * Returns 0 or -EINTR.
 */
int pashm_slot_wait(struct pashm_slots *slots, unsigned long start,
		    unsigned long length)
{
	u64 now;

	spin_lock(&slots->lock);
	now = slots->serial;
	spin_unlock(&slots->lock);
	if (wait_event_interruptible(slots->wait,
				     pashm_slot_passed(slots, start,
						       start + length, now)))
		return -EINTR;
	return 0;
}

/*
 * Take a slot and wait for one's turn: until all that overlap and were taken
 * before are given up. In the order of arrival, so that whoever comes again and
 * again cannot keep another one out. Returns the slot or -EINTR.
 */
int pashm_slot_queue(struct pashm_slots *slots, unsigned long start,
		     unsigned long length)
{
	unsigned long end = start + length;
	int slot, killed;

	might_sleep();
	killed = wait_event_killable(slots->wait,
				     (slot = pashm_slot_try(slots, start, end,
							    PASHM_SLOT_QUEUE)) !=
				     -EAGAIN);
	if (killed)
		return -EINTR;
	/* Ours: nobody else writes this slot until we give it up */
	if (!wait_event_interruptible(slots->wait,
				      pashm_slot_passed(slots, start, end,
							slots->slot[slot].serial -
							1)))
		return slot;
	pashm_slot_release(slots, slot);
	return -EINTR;
}

/* Is a reclaimer at anything here? */
static bool pashm_slots_reclaiming(struct pashm_slots *slots)
{
	bool reclaiming = false;
	int i;

	spin_lock(&slots->lock);
	for (i = 0; i < PASHM_SLOTS; i++)
		reclaiming |= slots->slot[i].serial && slots->slot[i].reclaim;
	spin_unlock(&slots->lock);
	return reclaiming;
}

/*
 * For a reclaimer that has found only what other reclaimers are taking: wait for a
 * bounded time until @purged is not @before any more, or none of them is at
 * anything. If they have not even freed a page meanwhile, which a client can bring
 * about that is hardly ever scheduled, nobody waits here again for a while.
 *
 * @resident: pages of the region in memory
 */
void pashm_slot_wait_purge(struct pashm_slots *slots, atomic_long_t *purged,
			   long before, const unsigned long *resident)
{
	unsigned long futile = READ_ONCE(slots->futile);
	unsigned long pages = READ_ONCE(*resident);

	if (futile && time_before(jiffies, futile + PASHM_SLOT_PATIENCE))
		return;
	wait_event_timeout(slots->wait, atomic_long_read(purged) != before ||
			   !pashm_slots_reclaiming(slots), PASHM_RECLAIM_WAIT);
	if (atomic_long_read(purged) == before && READ_ONCE(*resident) >= pages &&
	    pashm_slots_reclaiming(slots))
		WRITE_ONCE(slots->futile, jiffies ?: 1);
}

/*
 * Clear a PURGING that no slot owns: a forged one, or one that userspace has
 * copied back. With a slot of our own, so that no purge of this word can begin
 * between the check and the clearing; not under the lock, as userspace can make
 * an atomic operation on its words slow. Returns 0; -EBUSY if the word is in
 * flight, so that there is nothing to clear; -EAGAIN if all slots are taken.
 */
int pashm_slot_clear_stale(struct pashm_slots *slots, unsigned long index,
			   atomic64_t *state)
{
	int slot = pashm_slot_try(slots, index, index + 1, PASHM_SLOT_CLEAR);

	if (slot < 0)
		return slot;
	atomic64_fetch_andnot_release(PASHM_STATE_PURGING, state);
	pashm_slot_release(slots, slot);
	return 0;
}
