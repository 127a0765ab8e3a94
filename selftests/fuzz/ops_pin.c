// SPDX-License-Identifier: GPL-2.0-only
/* Pins by the protocol on the tables, and what has to do with one at a time. */
#include "ops.h"
#include "pins.h"

/* A generation that nobody claims at the moment: PURGING is waited out */
static uint64_t settled_state(struct stream *s, const struct player *p,
			      size_t page)
{
	uint64_t word = state_word(region_of(p), page);
	int tries;

	for (tries = 0; pashm_state_purging(word); tries++) {
		struct pashm_wait wait = { .offset = page * PAGE_BYTES };
		struct expect e = {};

		if (tries > 16)
			fail("region %d page %zu: PURGING does not end",
			     p->region, page);
		check(&e, call_command(s, player_fd(s, p), WAIT, &wait, &e,
				       "client %ld/%ld, page %ld after a pin",
				       p->region, p->client, (long)page, 0));
		word = state_word(region_of(p), page);
	}
	return word;
}

/* The protocol itself: raise, barrier, look */
void op_pin_by_table(struct stream *s)
{
	struct player *p = pick_with_pins(s);
	struct pashm_range in = {}, out;
	struct region *r;
	uint64_t state;
	size_t page;

	if (!p)
		return;
	r = region_of(p);
	page = pick_page(s, r);
	region_lock(r, page, page);
	if (fading(p) || count_full(*count_of(p, page)))
		goto unlock;
	journal_call("pin by table", "client %ld/%ld, page %ld", p->region,
		     p->client, (long)page, 0);
	pin_raise(p, page);
	journal_return(0);
	state = settled_state(s, p, page);
	in.offset = page * PAGE_BYTES;
	in.generation = pick_known(s, r, page);
	out = in;
	out.generation = pashm_state_generation(state);
	out.length = pashm_state_length(state) * PAGE_BYTES;
	out.verdict = wanted_verdict(r, &in, out.generation);
	if (out.verdict == PASHM_STALE)
		pin_lower(p, page);
	pin_answered(p, &in, &out);
	count_check(p, page);
	if (out.verdict != PASHM_STALE && once_in(s, 2))
		extent_fill(s, r, page);
unlock:
	region_unlock(r, page, page);
}

/*
 * One extent, pinned and let go as fast as can be, so that others' purges meet
 * each instant of it. What is written under one pin must be there under the
 * next, or its loss be told.
 */
void op_hammer(struct stream *s)
{
	size_t page;
	struct player *p = lock_idle_extent(s, &page);
	struct region *r;
	int i;

	if (!p)
		return;
	r = region_of(p);
	journal_call("hammer", "client %ld/%ld, page %ld", p->region,
		     p->client, (long)page, 0);
	for (i = 0; i < 100; i++) {
		uint64_t state;

		pin_raise(p, page);
		++*count_of(p, page);
		state = state_word(r, page);
		/* Its purger sees the count and gives up: soon */
		while (pashm_state_purging(state))
			state = state_word(r, page);
		--*count_of(p, page);
		observe(r, page, pashm_state_generation(state), 0);
		page_check(r, page);
		page_fill(r, page, (uint32_t)draw(s) | 1);
		page_check(r, page);
		pin_lower(p, page);
	}
	journal_return(0);
	region_unlock(r, page, page);
}

void op_unpin_by_table(struct stream *s)
{
	struct player *p = pick_with_pins(s);
	struct region *r;
	size_t page;

	if (!p)
		return;
	r = region_of(p);
	page = pick_pinned(s, p);
	region_lock(r, page, page);
	if (!fading(p) && !count_empty(*count_of(p, page))) {
		if (pinned(r, page, NOBODY) == YES)
			extent_check(r, page);
		journal_call("unpin by table", "client %ld/%ld, page %ld",
			     p->region, p->client, (long)page, 0);
		((uint8_t *)&p->pins[page])[PASHM_PIN_RECENCY_BYTE] =
			(uint8_t)draw(s);
		pin_lower(p, page);
		journal_return(0);
		--*count_of(p, page);
	}
	region_unlock(r, page, page);
}

void op_wait(struct stream *s)
{
	struct player *p = pick_player(s, false);
	struct pashm_wait wait = {};
	struct expect e = {};
	struct region *r;
	size_t page;
	long ret;

	if (!p)
		return;
	r = region_of(p);
	page = pick_page(s, r);
	wait.offset = page * PAGE_BYTES;
	if (once_in(s, 20))
		wait.offset = once_in(s, 2) ? edge(s) :
			      (r->pages + below(s, 3) - 1) * PAGE_BYTES;
	if (once_in(s, 20))
		wait.reserved = (uint32_t)edge(s);
	must_if(&e, wait.reserved || wait.offset % PAGE_BYTES ||
		    wait.offset / PAGE_BYTES >= r->pages, EINVAL);
	if (wait.offset / PAGE_BYTES < r->pages)
		page = wait.offset / PAGE_BYTES;
	region_lock(r, page, page);
	ret = call_command(s, player_fd(s, p), WAIT, &wait, &e,
			   "client %ld/%ld, page %ld", p->region, p->client,
			   (long)page, 0);
	if (check(&e, ret))
		observe(r, page, wait.generation, 0);
	region_unlock(r, page, page);
}

/* Move a count, which is the client's own, to where it overflows or is frozen */
void op_count(struct stream *s)
{
	static const uint16_t targets[] = {
		0, 0, 0, 1, 2, 0x7ffd, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xc000,
		0xc001, 0xffff,
	};
	uint16_t target = targets[below(s, sizeof(targets) / 2)], *count;
	struct player *p = pick_with_pins(s);
	struct region *r;
	size_t page;

	if (!p)
		return;
	r = region_of(p);
	page = pick_pinned(s, p);
	count = count_of(p, page);
	region_lock(r, page, page);
	/* Also what has no extent, and what would stay pinned for ever */
	if (!fading(p) && (r->length[page] || *count)) {
		journal_call("set a count", "client %ld/%ld, page %ld to %#lx",
			     p->region, p->client, (long)page, target);
		/* To be the first pin takes the protocol: not by this */
		if (*count) {
			__atomic_fetch_add(&p->pins[page],
					   (uint32_t)(uint16_t)(target - *count)
					   << PASHM_PIN_COUNT_SHIFT,
					   __ATOMIC_SEQ_CST);
			*count = target;
		}
		journal_return(0);
	}
	region_unlock(r, page, page);
}

/* New contents for something that is pinned, or that nobody takes anyway */
void op_refill(struct stream *s)
{
	struct region *r = pick_region(s, false);
	size_t page;

	if (!r)
		return;
	page = pick_page(s, r);
	region_lock(r, page, page);
	if (r->length[page] && pinned(r, page, NOBODY) == YES) {
		extent_check(r, page);
		extent_fill(s, r, page);
	} else if (extent_of(r, page) == SIZE_MAX && view_of(r)->writable) {
		page_check(r, page);
		page_fill(r, page, (uint32_t)draw(s) | 1);
	}
	region_unlock(r, page, page);
}
