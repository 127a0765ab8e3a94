// SPDX-License-Identifier: GPL-2.0-only
/*
 * Change the geometry of a region: make an extent of a range, or free it.
 *
 * Userspace cannot know that it is the only one who has an extent pinned, so in
 * a region with several clients the kernel does it: reserve one slot over the
 * range, claim every head in it, barrier, look at all counts, and then rewrite
 * the words or put them back. The slot keeps purges and other reshapes off, the
 * claims keep pins waiting.
 *
 * As in a purge, nothing is allocated while the slot is held: the caller's
 * words are populated before.
 */
#include <linux/atomic.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>

#include <linux/pashm.h>

#include "client.h"
#include "pin.h"
#include "purge.h"
#include "region.h"

/**
 * struct pashm_reshaping - one change of geometry in progress
 * @client:   who asked
 * @start:    index of the range's first page
 * @length:   of the range in pages
 * @priority: of the extent to be made
 * @freeing:  no extent afterwards
 * @pin:      the caller's pin word at @start
 * @state:    state word at @start
 * @birth:    birth word at @start
 */
struct pashm_reshaping {
	struct pashm_client *client;
	unsigned long start;
	unsigned long length;
	u32 priority;
	bool freeing;
	atomic_t *pin;
	atomic64_t *state;
	u32 *birth;
};

/* The words that will be written; may sleep and reclaim */
static int pashm_reshape_populate(struct pashm_reshaping *r)
{
	struct pashm_region *region = r->client->region;

	r->pin = pashm_table_populate(&r->client->pins, r->start);
	r->state = pashm_table_populate(&region->states, r->start);
	r->birth = pashm_table_populate(&region->births, r->start);
	return r->pin && r->state && r->birth ? 0 : -ENOMEM;
}

/*
 * Does an extent that begins before the range reach into it? Extents do not
 * overlap, so only the nearest head to the left can. Userspace may have put
 * nonsense there; then it has lied to itself only. Asked while the slot is held:
 * any reshape that would make such an extent overlaps it.
 *
 * Returns 0, -ERANGE if so, or -EINTR.
 */
static int pashm_reshape_check_left(struct pashm_reshaping *r)
{
	unsigned long head;
	u64 state;
	int ret;

	ret = pashm_region_prev_head(r->client->region, r->start, &head,
				     &state);
	if (ret || !state)
		return ret;
	return pashm_state_length(state) > r->start - head ? -ERANGE : 0;
}

/*
 * Look at every head in the range: claim it (@claim) or give it back. Returns
 * 0, -ERANGE if an extent leaves the range, or -EINTR.
 */
static int pashm_reshape_mark(struct pashm_reshaping *r, bool claim)
{
	struct pashm_region *region = r->client->region;
	unsigned long end = r->start + r->length;
	unsigned long budget = ULONG_MAX;
	unsigned long head = r->start;
	u64 state;

	for (;; head++) {
		atomic64_t *word;

		head = pashm_region_next_head(region, head, end, &state,
					      &budget);
		if (!state)
			return 0;
		if (claim && pashm_state_length(state) > end - head)
			return -ERANGE;
		if (claim && fatal_signal_pending(current))
			return -EINTR;
		word = pashm_region_state(region, head);
		/* Our slot owns every PURGING in the range, also a forged one */
		if (claim)
			atomic64_fetch_or(PASHM_STATE_PURGING, word);
		else
			atomic64_fetch_andnot_release(PASHM_STATE_PURGING, word);
		cond_resched();
	}
}

/* After the claims: who has what pinned? */
static int pashm_reshape_check(struct pashm_reshaping *r)
{
	struct pashm_region *region = r->client->region;
	unsigned long end = r->start + r->length;
	unsigned long budget = ULONG_MAX;
	unsigned long head = r->start;
	u32 own = pashm_pin_count(atomic_read(r->pin));
	u64 state;

	if (r->freeing && !pashm_state_length(atomic64_read(r->state)))
		return -EINVAL;
	if (r->freeing && own != 1)
		return own ? -EBUSY : -ERANGE;
	for (;; head++) {
		struct pashm_client *except = NULL;

		head = pashm_region_next_head(region, head, end, &state,
					      &budget);
		if (!state)
			return 0;
		if (head == r->start)
			except = r->client;
		if (pashm_clients_pinned(region, head, except))
			return -EBUSY;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

/* Replace a word that we have claimed; every generation in the range moves */
static u64 pashm_reshape_word(struct pashm_region *region, atomic64_t *word,
			      u32 length, u32 priority)
{
	u64 old = atomic64_read(word);
	u64 new = pashm_state_reshaped(old, length, priority);

	if (atomic64_xchg(word, new) != old)
		atomic_inc(&region->violations);
	return new;
}

static void pashm_reshape_rewrite(struct pashm_reshaping *r)
{
	struct pashm_region *region = r->client->region;
	unsigned long end = r->start + r->length;
	unsigned long budget = ULONG_MAX;
	unsigned long head = r->start + 1;
	u64 state;

	/* Each word once: userspace may be writing lengths as fast as we do */
	for (;; head++) {
		head = pashm_region_next_head(region, head, end, &state,
					      &budget);
		if (!state)
			break;
		pashm_reshape_word(region, pashm_region_state(region, head), 0,
				   0);
		cond_resched();
	}
	if (r->freeing) {
		pashm_reshape_word(region, r->state, 0, 0);
		return;
	}
	/* Birth first: whoever sees the new word sees the birth (full order) */
	WRITE_ONCE(*r->birth,
		   pashm_state_generation(atomic64_read(r->state)) + 1);
	pashm_reshape_word(region, r->state, r->length, r->priority);
}

static int pashm_reshape_locked(struct pashm_reshaping *r,
				const struct pashm_reshape *args)
{
	int ret;

	ret = pashm_reshape_check_left(r);
	if (ret)
		return ret;
	ret = pashm_reshape_mark(r, true);
	if (ret)
		goto revert;
	/* (B): claims are visible before the counts are read; pairs with (A) */
	smp_mb();
	ret = pashm_reshape_check(r);
	if (ret)
		goto revert;
	if (args->flags & PASHM_RESHAPE_DISCARD)
		pashm_purge_pages(r->client->region, r->start, r->length);
	pashm_reshape_rewrite(r);
	return 0;
revert:
	pashm_reshape_mark(r, false);
	return ret;
}

static int pashm_reshape_validate(struct pashm_reshaping *r,
				  const struct pashm_reshape *args)
{
	struct pashm_region *region = r->client->region;

	r->priority = args->priority;
	if (r->priority == PASHM_PRIORITY_REGION)
		r->priority = pashm_header_priority(region->header->priority);
	if (r->priority > PASHM_PRIORITY_MAX)
		return -EINVAL;
	if (!pashm_offset_to_index(r->client, args->offset, &r->start) ||
	    !args->length ||
	    !IS_ALIGNED(args->offset | args->length,
			pashm_extent_unit(region->flags)))
		return -EINVAL;
	r->length = args->length >> PAGE_SHIFT;
	if (r->length > PASHM_EXTENT_PAGES_MAX ||
	    r->length > region->pages - r->start)
		return -EINVAL;
	if (!pashm_client_is_owner(r->client))
		return -EPERM;
	if (!(pashm_client_prot(r->client) & PROT_WRITE))
		return -EACCES;
	return 0;
}

int pashm_reshape_range(struct pashm_client *client, struct pashm_reshape *args)
{
	struct pashm_slots *slots = &client->region->slots;
	struct pashm_reshaping r = {
		.client = client,
		.freeing = args->flags & PASHM_RESHAPE_FREE,
	};
	int slot, ret;

	ret = pashm_reshape_validate(&r, args);
	if (ret)
		return ret;
	ret = pashm_reshape_populate(&r);
	if (ret)
		return ret;
	if (!r.freeing) {
		ret = pashm_count_raise(r.pin);
		if (ret)
			return ret;
	}
	slot = pashm_slot_queue(slots, r.start, r.length);
	ret = slot < 0 ? slot : pashm_reshape_locked(&r, args);
	/* Made: keep the pin. Freed: the caller's one pin ends */
	if (r.freeing ? !ret : !!ret)
		pashm_count_lower(r.pin);
	if (slot >= 0)
		pashm_slot_release(slots, slot);
	args->generation = pashm_state_generation(atomic64_read(r.state));
	return ret;
}
