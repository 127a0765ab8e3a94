// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Making and ending extents under the purge lock, whatever the number of
 * clients. The same handshake as for a purge: record the range, claim every
 * head in it, and only then look whether another client has pinned one. A
 * client that pins meanwhile waits for PURGING to clear and then finds the new
 * generation.
 *
 * A reshaper that dies has its claims taken back by the next holder of the
 * lock. Each word is valid by itself at any time, so then some extents of the
 * range have ended and the others have not.
 */
#include "memfd.h"

static uint32_t own_count(const struct memfd_region *m, uint32_t page)
{
	return pashm_pin_count(__atomic_load_n(&m->base.view.pins[page],
					       __ATOMIC_RELAXED));
}

/* Every extent that touches the range must lie inside it */
static int borders_check(struct memfd_region *m,
			 const struct backend_reshape *reshape)
{
	uint64_t end = (uint64_t)reshape->page + reshape->pages;
	struct memfd_extent extent;
	struct memfd_walk walk;

	if (pashm_memfd_walk_before(m, reshape->page, &extent) &&
	    (uint64_t)extent.page + extent.pages > reshape->page)
		return -ERANGE;
	pashm_memfd_walk_init_sure(&walk, reshape->page, end);
	while (pashm_memfd_walk_next(m, &walk, &extent)) {
		if ((uint64_t)extent.page + extent.pages > end)
			return -ERANGE;
	}
	return 0;
}

/* The caller has pins on the first page, @own of them; elsewhere none */
static int pins_check(struct memfd_region *m,
		      const struct backend_reshape *reshape, uint32_t own)
{
	struct memfd_extent extent;
	struct memfd_walk walk;
	uint32_t count;

	pashm_memfd_walk_init_sure(&walk, reshape->page,
				   (uint64_t)reshape->page + reshape->pages);
	while (pashm_memfd_walk_next(m, &walk, &extent)) {
		if (pashm_memfd_pinned(m, extent.page, true))
			return -EBUSY;
		count = own_count(m, extent.page);
		if (extent.page == reshape->page ? own && count != own : count)
			return -EBUSY;
	}
	return 0;
}

/* Record the range, claim its heads, make sure that nobody else has them */
static int range_claim(struct memfd_region *m,
		       const struct backend_reshape *reshape, uint32_t own)
{
	struct memfd_extent extent;
	struct memfd_walk walk;
	int ret = 0;

	pashm_memfd_slot_take(m, reshape->page, reshape->pages);
	pashm_memfd_walk_init_sure(&walk, reshape->page,
				   (uint64_t)reshape->page + reshape->pages);
	while (!ret && pashm_memfd_walk_next(m, &walk, &extent)) {
		/* Whoever forges PURGING must not keep us out for ever */
		pashm_memfd_stale_clear(m, extent.page);
		if (!pashm_memfd_claim(m, extent.page,
				       extent.state & ~PASHM_STATE_PURGING))
			ret = -EBUSY;
	}
	if (!ret)
		ret = pins_check(m, reshape, own);
	if (ret) {
		pashm_memfd_revert(m, reshape->page, reshape->pages);
		pashm_memfd_slot_phase(m, MEMFD_IDLE);
	}
	return ret;
}

/* A claimed word, or one without an extent: nobody else may change it now */
static uint32_t state_replace(struct memfd_region *m, uint32_t page,
			      uint32_t length, uint32_t priority)
{
	const struct pashm_view *view = &m->base.view;
	uint64_t state = __atomic_load_n(&view->states[page], __ATOMIC_RELAXED);
	uint32_t generation;

	state = pashm_state_reshaped(state, length, priority);
	generation = pashm_state_generation(state);
	if (length)
		__atomic_store_n(&view->births[page], generation,
				 __ATOMIC_RELAXED);
	/* release: the birth is written before the word */
	__atomic_store_n(&view->states[page], state, __ATOMIC_RELEASE);
	return generation;
}

static int range_make(struct memfd_region *m, struct backend_reshape *reshape)
{
	uint32_t *pin = &m->base.view.pins[reshape->page];
	struct memfd_extent extent;
	struct memfd_walk walk;
	int ret;

	if (pashm_count_overflows(pashm_count_raise_full(pin))) {
		pashm_count_lower_release(pin);
		return -EAGAIN;
	}
	ret = range_claim(m, reshape, 0);
	if (ret) {
		pashm_count_lower_release(pin);
		return ret;
	}
	pashm_memfd_walk_init_sure(&walk, (uint64_t)reshape->page + 1,
				   (uint64_t)reshape->page + reshape->pages);
	while (pashm_memfd_walk_next(m, &walk, &extent))
		state_replace(m, extent.page, 0, 0);
	reshape->generation = state_replace(m, reshape->page, reshape->pages,
					    reshape->priority);
	pashm_memfd_slot_phase(m, MEMFD_IDLE);
	return 0;
}

/* One extent, pinned once by the caller */
static int range_free(struct memfd_region *m, struct backend_reshape *reshape)
{
	const struct memfd_layout *layout = &m->layout;
	int ret;

	ret = range_claim(m, reshape, 1);
	if (ret)
		return ret;
	if (reshape->discard) {
		pashm_memfd_slot_phase(m, MEMFD_PUNCH);
		pashm_memfd_punch(m, layout->data +
			((uint64_t)reshape->page << layout->page_shift),
			(uint64_t)reshape->pages << layout->page_shift);
	}
	reshape->generation = state_replace(m, reshape->page, 0, 0);
	pashm_memfd_slot_phase(m, MEMFD_IDLE);
	pashm_count_lower_release(&m->base.view.pins[reshape->page]);
	return 0;
}

int pashm_memfd_reshape(struct pashm_region *region,
			struct backend_reshape *reshape)
{
	struct memfd_region *m = memfd_region(region);
	int ret;

	ret = pashm_memfd_lock(m, MEMFD_TIMEOUT_MS);
	if (ret)
		return ret;
	ret = borders_check(m, reshape);
	if (!ret)
		ret = reshape->free ? range_free(m, reshape) :
				      range_make(m, reshape);
	pashm_memfd_unlock(m);
	return ret;
}
