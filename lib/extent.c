// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Extents: making and ending them.
 *
 * In a region with one client this needs no system call: the client freezes
 * the pin counts of the extents concerned, which keeps both the purger and its
 * own other threads out, and rewrites the state words by cmpxchg. Everything
 * else (other clients, pages to give back, a neighbourhood that cannot be
 * judged from words that are in memory anyway) is the backend's.
 *
 * FREEZING a count adds PASHM_COUNT_LIMIT to it. For the purger that is a
 * pinned extent; for a thread that pins, it is a count that overflows, so that
 * thread backs off with -EAGAIN. Pin and freeze change the same word
 * atomically: either the freezer finds the thread's pin (-EBUSY), or the
 * thread finds the freeze. So nobody is told "intact" by a word that is about
 * to be replaced.
 */
#include "poison.h"

/* Longer ranges go to the backend, which skips what was never populated */
#define SOLE_PAGES_MAX	4096U

#define COUNT_FREEZE	(PASHM_COUNT_LIMIT << PASHM_PIN_COUNT_SHIFT)
/* Of more pins than these, an unpin could not tell that they are frozen */
#define COUNT_MOST	(PASHM_COUNT_LIMIT / 2)

/*
 * A full barrier as (A): the purger sees the frozen count, or we see PURGING.
 * Pairs with (B).
 */
static int count_freeze_full(uint32_t *pin, uint32_t least, uint32_t most)
{
	uint32_t old = __atomic_load_n(pin, __ATOMIC_RELAXED);

	do {
		if (pashm_pin_count(old) >= COUNT_MOST)
			return -EAGAIN;
		if (pashm_pin_count(old) < least || pashm_pin_count(old) > most)
			return -EBUSY;
	} while (!__atomic_compare_exchange_n(pin, &old, old + COUNT_FREEZE,
					      false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	pashm_barrier_full();
	return 0;
}

/* Thaw, and change the count by @pins; release as for an unpin */
static void count_thaw_release(uint32_t *pin, int pins)
{
	uint32_t change = (uint32_t)pins << PASHM_PIN_COUNT_SHIFT;

	__atomic_fetch_add(pin, change - COUNT_FREEZE, __ATOMIC_RELEASE);
}

static int state_settle(struct pashm_region *region, uint32_t page,
			uint64_t *state)
{
	uint64_t *word = &region->view.states[page];
	int ret;

	*state = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	while (pashm_state_purging(*state)) {
		ret = region->ops->wait(region, page);
		if (ret)
			return ret;
		*state = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	}
	return 0;
}

/*
 * Replace the word of a frozen head. A purger that read the count just before
 * it was frozen may still set PURGING for a moment, hence the loop; it will
 * see the count next time.
 */
static int state_replace(struct pashm_region *region, uint32_t page,
			 uint32_t length, uint32_t priority,
			 uint32_t *generation)
{
	const struct pashm_view *view = &region->view;
	uint64_t old, next;
	int ret;

	do {
		ret = state_settle(region, page, &old);
		if (ret)
			return ret;
		next = pashm_state_reshaped(old, length, priority);
		if (length)
			__atomic_store_n(&view->births[page],
					 pashm_state_generation(next),
					 __ATOMIC_RELAXED);
		/* release: the birth is written before the word */
	} while (!__atomic_compare_exchange_n(&view->states[page], &old, next,
					      false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	*generation = pashm_state_generation(next);
	return 0;
}

static uint32_t head_length(const struct pashm_view *view, uint32_t page)
{
	return pashm_state_length(__atomic_load_n(&view->states[page],
						  __ATOMIC_RELAXED));
}

enum border { BORDER_CLEAR, BORDER_CROSSED, BORDER_UNKNOWN };

/*
 * Does the extent before @page reach into it? Looks only at as many words as a
 * table page has, so that at most one page is made by looking.
 */
static enum border border_before(const struct pashm_view *view, uint32_t page)
{
	uint32_t words = 1U << (view->page_shift - 3);
	uint32_t first = page > words ? page - words : 0;
	uint32_t i, length;

	for (i = page; i-- > first; ) {
		length = head_length(view, i);
		if (length)
			return length > page - i ? BORDER_CROSSED :
						   BORDER_CLEAR;
	}
	return first == 0 ? BORDER_CLEAR : BORDER_UNKNOWN;
}

/* Does an extent inside the range reach beyond its end? */
static bool border_after_crossed(const struct pashm_view *view, uint32_t page,
				 uint32_t pages)
{
	uint32_t i, length;

	for (i = 0; i < pages; i += length ? length : 1) {
		length = head_length(view, page + i);
		if (length > pages - i)
			return true;
	}
	return false;
}

static void inner_thaw(const struct pashm_view *view, uint32_t from,
		       uint32_t to)
{
	uint32_t i, length;

	for (i = from; i < to; i += length ? length : 1) {
		length = head_length(view, i);
		if (length)
			count_thaw_release(&view->pins[i], 0);
	}
}

/* Freeze the extents that start in the range; all of them or none */
static int inner_freeze(const struct pashm_view *view, uint32_t from,
			uint32_t to)
{
	uint32_t i, length;
	int ret;

	for (i = from; i < to; i += length ? length : 1) {
		length = head_length(view, i);
		if (!length)
			continue;
		ret = count_freeze_full(&view->pins[i], 0, 0);
		if (ret) {
			inner_thaw(view, from, i);
			return ret;
		}
	}
	return 0;
}

/*
 * End the frozen extents that start in the range. Fails half-way only if a
 * purge in flight does not come to an end.
 */
static int inner_end(struct pashm_region *region, uint32_t from, uint32_t to)
{
	const struct pashm_view *view = &region->view;
	uint32_t i, length, ignored;
	int ret;

	for (i = from; i < to; i += length ? length : 1) {
		length = head_length(view, i);
		if (!length)
			continue;
		ret = state_replace(region, i, 0, 0, &ignored);
		if (ret) {
			inner_thaw(view, i, to);
			return ret;
		}
		count_thaw_release(&view->pins[i], 0);
	}
	return 0;
}

static int sole_create(struct pashm_region *region,
		       struct backend_reshape *reshape)
{
	const struct pashm_view *view = &region->view;
	uint32_t *pin = &view->pins[reshape->page];
	uint32_t inner = reshape->page + 1;
	uint32_t end = reshape->page + reshape->pages;
	int ret;

	ret = count_freeze_full(pin, 0, COUNT_MOST);
	if (ret)
		return ret;
	ret = inner_freeze(view, inner, end);
	if (!ret)
		ret = inner_end(region, inner, end);
	if (!ret)
		ret = state_replace(region, reshape->page, reshape->pages,
				    reshape->priority, &reshape->generation);
	count_thaw_release(pin, ret ? 0 : 1);
	return ret;
}

/* The caller has found the extent pinned once, by this client */
static int sole_destroy(struct pashm_region *region, uint32_t page)
{
	uint32_t *pin = &region->view.pins[page];
	uint32_t ignored;
	int ret;

	ret = count_freeze_full(pin, 1, 1);
	if (ret)
		return ret;
	ret = state_replace(region, page, 0, 0, &ignored);
	count_thaw_release(pin, ret ? 0 : -1);
	return ret;
}

uint32_t pashm_view_priority(const struct pashm_view *view)
{
	/* A module or a peer that knows of no such thing has not set it */
	if (!(view->header->flags & PASHM_REGION_PRIORITY))
		return PASHM_PRIORITY_DEFAULT;
	return pashm_header_priority(__atomic_load_n(&view->header->priority,
						     __ATOMIC_RELAXED));
}

int pashm_extent_make(struct pashm_region *region, uint32_t page,
		      uint32_t pages, uint32_t priority,
		      struct pashm_handle *handle)
{
	const struct pashm_view *view = &region->view;
	struct backend_reshape reshape = {
		.page = page, .pages = pages,
		.priority = priority,
	};
	enum border before = BORDER_UNKNOWN;
	int ret;

	if (priority == PASHM_PRIORITY_REGION)
		reshape.priority = pashm_view_priority(view);
	if (page >= view->pages || pages == 0 || pages > view->pages - page ||
	    pages > PASHM_EXTENT_PAGES_MAX ||
	    (page | pages) % pashm_view_unit(view) ||
	    reshape.priority > PASHM_PRIORITY_MAX)
		return -EINVAL;
	if (!pashm_writable(region))
		return -EACCES;
	if (view->flags & PASHM_REGION_SOLE && pages <= SOLE_PAGES_MAX)
		before = border_before(view, page);
	if (before == BORDER_CROSSED ||
	    (before == BORDER_CLEAR && border_after_crossed(view, page, pages)))
		return -ERANGE;
	if (before == BORDER_CLEAR)
		ret = sole_create(region, &reshape);
	else
		ret = region->ops->reshape(region, &reshape);
	if (ret)
		return ret;
	/* What was noted belonged to the extent that was here before */
	pashm_note_forget(&view->pins[page]);
	*handle = (struct pashm_handle){
		.page = page, .generation = reshape.generation,
	};
	/* It is pinned, so nobody else here says the opposite */
	pashm_poison_off(region, page, pages);
	return 0;
}

PASHM_API int pashm_extent_create(struct pashm_region *region, uint32_t page,
				  uint32_t pages, uint32_t priority,
				  struct pashm_handle *handle)
{
	int ret = pashm_extent_make(region, page, pages, priority, handle);

	if (!ret)
		pashm_pressure_charge(region->pressure,
				      (uint64_t)pages <<
				      region->view.page_shift);
	return ret;
}

PASHM_API int pashm_extent_destroy(struct pashm_region *region, uint32_t page,
				   uint32_t flags)
{
	const struct pashm_view *view = &region->view;
	struct backend_reshape reshape = {
		.page = page, .free = true,
		.discard = flags & PASHM_EXTENT_DISCARD,
	};
	uint32_t count;

	if (page >= view->pages || flags & ~PASHM_EXTENT_DISCARD)
		return -EINVAL;
	reshape.pages = head_length(view, page);
	/* Another client may have written anything there */
	if (reshape.pages == 0 || reshape.pages > view->pages - page)
		return -EINVAL;
	if (!pashm_writable(region))
		return -EACCES;
	count = pashm_pin_count(__atomic_load_n(&view->pins[page],
						__ATOMIC_RELAXED));
	if (count >= COUNT_MOST)
		return -EAGAIN;
	if (count != 1)
		return count ? -EBUSY : -ERANGE;
	if (view->flags & PASHM_REGION_SOLE && !reshape.discard)
		return sole_destroy(region, page);
	return region->ops->reshape(region, &reshape);
}
