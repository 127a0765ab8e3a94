// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strict regions: who touches what no client has pinned gets SIGBUS.
 *
 * Elsewhere a touch of purged memory makes the page anew, as zeros that nobody
 * asked for. In a region with PASHM_CREATE_STRICT a fault is refused if the page
 * is not there and its extent is not pinned; with PASHM_CREATE_STRICT_UNPINNED
 * also if it is there. Pages of no extent are never purged, nor refused.
 *
 * NO PIN IS REFUSED. The count is raised before the touch, so a look during the
 * fault finds it. While it is raised the extent stays what it is: its head has a
 * length, the words behind it have none, so the nearest head before the page is
 * that one. A change of geometry that includes the extent is its pinner's own,
 * and begins at the same head with at least that length.
 *
 * A PURGE DURING THE FAULT. Only extents that are not pinned are concerned, when
 * the fault begins or when it ends.
 *
 *   fault                               purge
 *     s = state[h], not PURGING           state[h] |= PURGING
 *     is the page there?                  free the page
 *     find it or make it, locked          state[h] += GEN_ONE
 *     state[h] still s?                   state[h] &= ~PURGING
 *
 * A page that was there but has been made anew by the end was freed in between,
 * under the lock of the page cache or of the folio that the fault has taken
 * since. So the fault sees PURGING, which was set before, or what came after it.
 * Turned round: the same word, without PURGING, says that the page found is the
 * one that was there. Another word may mean a purge that was given up; but then
 * the touch was of memory about to be taken, and is refused as well. A purge that
 * begins later waits for the folio's lock, or finds the page mapped and unmaps it.
 *
 * What a refused fault has made stays for the next purge, like any page that is
 * there without a pin: freeing it here could hit what a client has written that
 * pinned meanwhile.
 *
 * Words are forged at will. Each is read once, what is read decides on nothing
 * but this fault, and the way back to the head is bounded by the longest extent.
 */
#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/xarray.h>

#include "client.h"
#include "purge.h"
#include "region.h"
#include "strict.h"

/* Does the extent at @head, described by @state, have the page? */
static bool pashm_strict_covers(struct pashm_region *region, unsigned long head,
				u64 state, unsigned long index)
{
	return index >= head &&
	       index - head < pashm_extent_length(region, head, state);
}

/*
 * The state word of the extent that a page belongs to, and its @head; 0 if there
 * is none, or a fatal signal is pending. Begins with the last one found: extents
 * do not overlap, so one that has the page is the one, and a long extent is not
 * searched through at each of its pages.
 */
static u64 pashm_strict_extent(struct pashm_region *region, unsigned long index,
			       unsigned long *head)
{
	atomic64_t *word;
	u64 state;

	*head = READ_ONCE(region->strict_head);
	word = pashm_region_state(region, *head);
	state = word ? atomic64_read(word) : 0;
	if (pashm_strict_covers(region, *head, state, index))
		return state;
	if (pashm_region_prev_head(region, index + 1, head, &state) ||
	    !pashm_strict_covers(region, *head, state, index))
		return 0;
	WRITE_ONCE(region->strict_head, *head);
	return state;
}

/* Is the page one of an extent that nobody has pinned? */
static bool pashm_strict_unpinned(struct pashm_region *region,
				  unsigned long index, unsigned long *head,
				  u64 *state)
{
	*state = pashm_strict_extent(region, index, head);
	return *state && !pashm_clients_pinned(region, *head, NULL);
}

/* Before the page is asked for: false if the fault is refused. May sleep */
bool pashm_strict_begin(struct pashm_strict *strict,
			struct pashm_region *region, unsigned long index)
{
	bool unpinned;

	strict->region = region;
	strict->index = index;
	unpinned = pashm_strict_unpinned(region, index, &strict->head,
					 &strict->state);
	/*
	 * The word before the page: one that tells of a purge comes with the
	 * hole. Pairs with the release in pashm_publish().
	 */
	smp_rmb();
	strict->missing = !xa_load(&region->inode->i_mapping->i_pages, index);
	if (!unpinned)
		return true;
	return !strict->missing &&
	       !(region->flags & PASHM_CREATE_STRICT_UNPINNED);
}

/* With the page locked: false if the fault is refused after all. May sleep */
bool pashm_strict_end(const struct pashm_strict *strict)
{
	struct pashm_region *region = strict->region;
	unsigned long head;
	u64 state;

	if (!pashm_strict_unpinned(region, strict->index, &head, &state))
		return true;
	if (region->flags & PASHM_CREATE_STRICT_UNPINNED || strict->missing)
		return false;
	return head == strict->head && state == strict->state &&
	       !pashm_state_purging(state);
}
