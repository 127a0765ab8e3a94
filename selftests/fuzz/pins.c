// SPDX-License-Identifier: GPL-2.0-only
/* Pins in the model: which to choose, what must come of them, is it true? */
#include "pins.h"

/* An index to use: mostly where an extent starts */
size_t pick_page(struct stream *s, const struct region *r)
{
	size_t page = below(s, r->pages), head;

	if (once_in(s, 6))
		return page;
	for (head = page; head < r->pages && head < page + 64; head++)
		if (r->length[head])
			return head;
	for (head = page; head > 0 && page - head < 64; head--)
		if (r->length[head])
			return head;
	return page;
}

/* An index that the client has pinned, if there is one */
size_t pick_pinned(struct stream *s, const struct player *p)
{
	const struct region *r = region_of(p);
	size_t start = below(s, r->pages), i;

	for (i = 0; i < r->pages; i++)
		if (r->count[p->client][(start + i) % r->pages])
			return (start + i) % r->pages;
	return pick_page(s, r);
}

uint32_t pick_known(struct stream *s, const struct region *r, size_t page)
{
	switch (below(s, 10)) {
	case 0:
		return r->birth[page] - (uint32_t)below(s, 3) + 1;
	case 1:
		return r->generation[page] - (uint32_t)below(s, 3) + 1;
	case 2:
		return (uint32_t)edge(s);
	default:
		return r->generation[page];
	}
}

uint16_t *count_of(const struct player *p, size_t page)
{
	return &region_of(p)->count[p->client][page];
}

/* The client's own word must say what the model says */
void count_check(const struct player *p, size_t page)
{
	uint32_t found;

	if (!p->mine || !p->pins)
		return;
	found = __atomic_load_n(&p->pins[page], __ATOMIC_SEQ_CST) >>
		PASHM_PIN_COUNT_SHIFT;
	if (found != *count_of(p, page))
		fail("region %d page %zu: client %d's count is %u, wanted %u",
		     p->region, page, p->client, found, *count_of(p, page));
}

bool count_full(uint16_t count)
{
	return (uint16_t)(count + 1) == 0 || count + 1 >= 0x8000;
}

bool count_empty(uint16_t count)
{
	return count == 0 || count == 0x8000 || count > 0xc000;
}

enum pashm_verdict wanted_verdict(const struct region *r,
				  const struct pashm_range *in,
				  uint32_t generation)
{
	size_t head = in->offset / PAGE_BYTES;
	uint32_t length = r->length[head];

	if (!length || (in->length && in->length != length * PAGE_BYTES))
		return PASHM_STALE;
	if (generation == in->generation)
		return PASHM_INTACT;
	if (generation - in->generation > generation - r->birth[head])
		return PASHM_STALE;
	return PASHM_PURGED;
}

/* A pin was answered: is it true, and is what was promised there? */
void pin_answered(struct player *p, const struct pashm_range *in,
		  const struct pashm_range *out)
{
	size_t head = in->offset / PAGE_BYTES;
	struct region *r = region_of(p);
	enum pashm_verdict wanted;

	observe(r, head, out->generation, 0);
	wanted = wanted_verdict(r, in, out->generation);
	if (out->verdict != wanted || out->length != r->length[head] * PAGE_BYTES)
		fail("region %d page %zu: pin says verdict %u, length %llu, generation %u; wanted verdict %d, length %zu (known %u, born %u)",
		     p->region, head, out->verdict,
		     (unsigned long long)out->length, out->generation, wanted,
		     r->length[head] * PAGE_BYTES, in->generation,
		     r->birth[head]);
	if (wanted != PASHM_STALE) {
		++*count_of(p, head);
		extent_check(r, head);
	}
}

/* Somebody is about to kill this process: what it does is no more followed */
bool fading(const struct player *p)
{
	return p->mine && client_of(p)->life != LIVE;
}

/* The protocol's steps at a count; the model's count is the caller's matter */
void pin_raise(const struct player *p, size_t page)
{
	__atomic_fetch_add(&p->pins[page], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
}

void pin_lower(const struct player *p, size_t page)
{
	__atomic_fetch_sub(&p->pins[page], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_RELEASE);
}

/* A client of this process that has its pin table mapped */
struct player *pick_with_pins(struct stream *s)
{
	struct player *p = pick_mine(s, false);

	return p && p->pins ? p : NULL;
}

/* Such a client, and locked an extent that it has not pinned and may write */
struct player *lock_idle_extent(struct stream *s, size_t *page)
{
	struct player *p = pick_with_pins(s);
	struct region *r;

	if (!p)
		return NULL;
	r = region_of(p);
	*page = pick_page(s, r);
	region_lock(r, *page, *page);
	if (!fading(p) && r->length[*page] && !*count_of(p, *page) &&
	    view_of(r)->writable)
		return p;
	region_unlock(r, *page, *page);
	return NULL;
}
