// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-flight slots: who is purging what. Kernel state that userspace cannot
 * write, so that waiting and the check for overlaps do not depend on the
 * state words.
 *
 * Lock order: pashm_slots.lock is innermost.
 */
#include <linux/atomic.h>
#include <linux/sched.h>

#include <linux/pashm_pin.h>

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

/*
 * A slot number; -EBUSY: overlaps one that is taken, unless the caller is going
 * to queue behind that; -EAGAIN: all are taken.
 */
static int pashm_slot_try(struct pashm_slots *slots, unsigned long start,
			  unsigned long end, int limit, bool queue)
{
	int i, ret = -EAGAIN;

	spin_lock(&slots->lock);
	if (!queue && pashm_slot_overlaps(slots, start, end, U64_MAX)) {
		ret = -EBUSY;
		goto unlock;
	}
	for (i = 0; i < limit; i++) {
		if (slots->slot[i].serial)
			continue;
		slots->slot[i].start = start;
		slots->slot[i].end = end;
		slots->slot[i].serial = ++slots->serial;
		ret = i;
		break;
	}
unlock:
	spin_unlock(&slots->lock);
	return ret;
}

/*
 * Reserve a slot for @length pages from @start, sleeping while all are taken.
 * Returns the slot, or -EBUSY if the range overlaps one in flight; in reclaim
 * -EAGAIN if none became free in time, on request -EINTR for a fatal signal.
 */
int pashm_slot_reserve(struct pashm_slots *slots, unsigned long start,
		       unsigned long length, enum pashm_purger purger)
{
	bool reclaim = purger == PASHM_PURGER_RECLAIM;
	int limit = reclaim ? PASHM_SLOTS : PASHM_SLOTS_REQUEST;
	unsigned long end = start + length;
	int slot, killed = 0;

	might_sleep();
	if (reclaim)
		wait_event_timeout(slots->wait,
				   (slot = pashm_slot_try(slots, start, end,
							  limit, false)) !=
				   -EAGAIN, PASHM_SLOT_TIMEOUT);
	else
		killed = wait_event_killable(slots->wait,
					     (slot = pashm_slot_try(slots,
								    start, end,
								    limit,
								    false)) !=
					     -EAGAIN);
	return killed ? -EINTR : slot;
}

void pashm_slot_release(struct pashm_slots *slots, int slot)
{
	spin_lock(&slots->lock);
	slots->slot[slot].serial = 0;
	slots->ended++;
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
							    PASHM_SLOTS_REQUEST,
							    true)) != -EAGAIN);
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

/* How many slots have ended, or U64_MAX if none is in flight */
static u64 pashm_slot_progress(struct pashm_slots *slots)
{
	u64 progress;

	spin_lock(&slots->lock);
	progress = pashm_slot_overlaps(slots, 0, ULONG_MAX, U64_MAX) ?
		   slots->ended : U64_MAX;
	spin_unlock(&slots->lock);
	return progress;
}

/*
 * For a reclaimer that found nothing but what others are already taking: wait
 * for a bounded time for one of them to finish. Returns false if there is none.
 */
bool pashm_slot_wait_any(struct pashm_slots *slots)
{
	u64 seen = pashm_slot_progress(slots);

	if (seen == U64_MAX)
		return false;
	wait_event_timeout(slots->wait, pashm_slot_progress(slots) != seen,
			   PASHM_SLOT_TIMEOUT);
	return true;
}

/*
 * Clear a PURGING that no slot owns: a forged one, or one that userspace has
 * copied back. Under the lock, so that no purge of this word can begin between
 * the check and the clearing.
 */
void pashm_slot_clear_stale(struct pashm_slots *slots, unsigned long index,
			    atomic64_t *state)
{
	spin_lock(&slots->lock);
	if (!pashm_slot_overlaps(slots, index, index + 1, U64_MAX))
		atomic64_fetch_andnot_release(PASHM_STATE_PURGING, state);
	spin_unlock(&slots->lock);
}
