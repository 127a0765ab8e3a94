// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The slow half of a pin: a purge is in flight, or the contents are not those
 * that the handle knows. And that of an unpin: so that a touch without a pin
 * faults, the mapping must go.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "poison.h"

/*
 * The caller's count is raised, and that was a full barrier (A). So after one
 * wait for the purges that were in flight, whoever claims the word later sees
 * the count and takes PURGING back: the generation is settled even if PURGING
 * is set again when the word is loaded for the second time.
 */
PASHM_API int pashm_pin_slow(struct pashm_region *region,
			     struct pashm_handle handle,
			     enum pashm_verdict *verdict)
{
	const struct pashm_view *view = &region->view;
	uint32_t *pin = &view->pins[handle.page];
	uint64_t state;
	uint32_t birth;
	int ret;

	/* acquire: the generation moves before PURGING clears */
	state = __atomic_load_n(&view->states[handle.page], __ATOMIC_ACQUIRE);
	if (pashm_state_purging(state)) {
		ret = region->ops->wait(region, handle.page);
		if (ret) {
			pashm_count_lower_release(pin);
			return ret;
		}
		state = __atomic_load_n(&view->states[handle.page],
					__ATOMIC_ACQUIRE);
	}
	/* Written before the word that made the extent, hence read after it */
	birth = __atomic_load_n(&view->births[handle.page], __ATOMIC_RELAXED);
	*verdict = pashm_pin_verdict(state, handle.generation, birth);
	switch (*verdict) {
	case PASHM_INTACT:
		break;
	case PASHM_PURGED:
		/* The caller is going to refill it */
		pashm_pressure_charge(region->pressure,
				      (uint64_t)pashm_state_length(state)
				      << view->page_shift);
		break;
	case PASHM_STALE:
		pashm_count_lower_release(pin);
		break;
	}
	return 0;
}

static int pin(struct pashm_region *region, struct pashm_handle handle,
	       enum pashm_verdict *verdict)
{
	uint32_t *word = &region->view.pins[handle.page];

	if (!pashm_count_overflows(pashm_count_raise_full(word)))
		return pashm_pin_slow(region, handle, verdict);
	pashm_count_lower_release(word);
	return -EAGAIN;
}

PASHM_API int pashm_pin_beyond(struct pashm_region *region,
			       struct pashm_handle handle,
			       enum pashm_verdict *verdict)
{
	const struct pashm_view *view = &region->view;
	int ret;

	if (handle.page >= view->pages)
		return -EINVAL;
	if (!pashm_poisons(region))
		return pin(region, handle, verdict);
	pthread_mutex_lock(&region->poison_lock);
	ret = pin(region, handle, verdict);
	if (!ret && *verdict != PASHM_STALE)
		pashm_poison_off(region, handle.page,
				 pashm_state_length(__atomic_load_n(
					 &view->states[handle.page],
					 __ATOMIC_RELAXED)));
	pthread_mutex_unlock(&region->poison_lock);
	return ret;
}

/* The mapping is shared: its page tables are emptied, and nothing is lost */
static void mapping_drop(const struct pashm_view *view, uint32_t page,
			 uint32_t pages)
{
	int saved = errno;

	if (view->data && pages <= view->pages - page)
		madvise(view->data + ((uint64_t)page << view->page_shift),
			(size_t)pages << view->page_shift, MADV_DONTNEED);
	errno = saved;
}

/*
 * The length is read while the pin keeps it what it is. The mapping goes when the
 * count is down, or a sibling's touch could bring it back unnoticed; a sibling
 * that pins meanwhile finds its pages by a fault.
 */
static int unpin(struct pashm_region *region, uint32_t page)
{
	const struct pashm_view *view = &region->view;
	uint32_t *pin = &view->pins[page];
	uint32_t pages, before;

	pages = pashm_state_length(__atomic_load_n(&view->states[page],
						   __ATOMIC_RELAXED));
	pashm_note_use(pin, view->header);
	before = pashm_count_lower_release(pin);
	if (pashm_count_underflows(before)) {
		__atomic_fetch_add(pin, PASHM_PIN_COUNT_ONE, __ATOMIC_RELAXED);
		return -ERANGE;
	}
	if (before != 1)
		return 0;
	pashm_poison_on(region, page, pages);
	if (view->flags & PASHM_VIEW_DROPS)
		mapping_drop(view, page, pages);
	return 0;
}

PASHM_API int pashm_unpin_beyond(struct pashm_region *region, uint32_t page)
{
	int ret;

	if (page >= region->view.pages)
		return -EINVAL;
	if (!pashm_poisons(region))
		return unpin(region, page);
	pthread_mutex_lock(&region->poison_lock);
	ret = unpin(region, page);
	pthread_mutex_unlock(&region->poison_lock);
	return ret;
}
