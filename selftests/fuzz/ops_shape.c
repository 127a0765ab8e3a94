// SPDX-License-Identifier: GPL-2.0-only
/* Extents made, freed, joined and cut: by RESHAPE, and alone by cmpxchg. */
#include "ops.h"
#include "pins.h"

/* The start of an extent near @page, or @page if there is none */
static size_t head_near(const struct region *r, size_t page)
{
	size_t head = extent_of(r, page), end = window_end(r, page);

	for (; head == SIZE_MAX && page < end; page++)
		if (r->length[page])
			head = page;
	return head;
}

/* A range inside one window, often one that fits what is there */
static void range_draw(struct stream *s, const struct region *r, size_t *start,
		       size_t *length)
{
	size_t page = below(s, r->pages), end = window_end(r, page);
	size_t head = head_near(r, page);

	*start = page;
	*length = once_in(s, 10) ? end - page : small(s, 16);
	if (head != SIZE_MAX && !once_in(s, 3)) {
		*start = head;
		*length = r->length[head];
		if (once_in(s, 4))
			*length += small(s, 8);
		if (once_in(s, 4) && *length > 1)
			*length = small(s, *length);
	}
	if (*length > end - *start)
		*length = end - *start;
	if (once_in(s, 10))
		return;
	*start -= *start % unit_of(r->flags);
	*length += unit_of(r->flags) - 1;
	*length -= *length % unit_of(r->flags);
}

/* An extent that the client has pinned, if there is one near */
static void held_draw(struct stream *s, const struct player *p, size_t *start,
		      size_t *length)
{
	const struct region *r = region_of(p);
	size_t from = below(s, r->pages), page;

	for (page = from; page < r->pages; page++)
		if (r->length[page] && r->count[p->client][page] == 1) {
			*start = page;
			*length = r->length[page];
			return;
		}
}

/* Is the caller's count on a range's first page such that it can be done? */
static void count_expect(struct expect *e, const struct region *r, int client,
			 size_t start, bool freeing)
{
	uint16_t own = r->count[client][start];

	if (!freeing) {
		must_if(e, (uint16_t)(own + 1) == 0 || own + 1 >= 0x8000,
			EAGAIN);
		return;
	}
	must_if(e, !r->length[start], EINVAL);
	must_if(e, own == 0, ERANGE);
	must_if(e, own > 1, EBUSY);
}

/*
 * What is there must lie inside, and nobody else may have it pinned. A raised
 * count is the only reason for EBUSY, also of a pin that will be refused: but
 * whoever raises one has the window locked. Purges and other reshapes are
 * waited for.
 */
static void extents_expect(struct expect *e, const struct region *r, int client,
			   size_t start, size_t length)
{
	size_t head = start, end = start + length;

	if (start > window_first(r, start))
		must_if(e, extent_of(r, start - 1) != SIZE_MAX &&
			   extent_of(r, start - 1) == extent_of(r, start),
			ERANGE);
	for (; head < end; head++) {
		enum certainty held;

		if (!r->length[head])
			continue;
		must_if(e, r->length[head] > end - head, ERANGE);
		held = pinned(r, head, head == start ? client : NOBODY);
		must_if(e, held == YES, EBUSY);
		if (held == MAYBE)
			may(e, EBUSY);
	}
}

/* RESHAPE has done it: follow, and look whether the tables say the same */
static void reshaped(struct region *r, int client, size_t start, size_t length,
		     const struct pashm_reshape *args)
{
	bool freeing = args->flags & PASHM_RESHAPE_FREE;
	size_t page;

	for (page = start; page < start + length; page++) {
		uint64_t word = state_word(r, page);

		if (r->length[page] || page == start)
			observe(r, page, pashm_state_generation(word), 1);
		r->length[page] = 0;
		r->priority[page] = 0;
		r->doomed[page] = false;
	}
	if (args->generation != r->generation[start])
		fail("region %d page %zu: RESHAPE says generation %u, the table %u",
		     region_number(r), start, args->generation,
		     r->generation[start]);
	if (freeing) {
		r->count[client][start]--;
	} else {
		r->count[client][start]++;
		r->length[start] = (uint32_t)length;
		r->priority[start] = (uint8_t)(
			args->priority == PASHM_PRIORITY_REGION ?
			r->own_priority : args->priority);
		r->birth[start] = r->generation[start];
	}
	for (page = start; page < start + length; page++) {
		if (args->flags & PASHM_RESHAPE_DISCARD) {
			r->stamp[page] = 0;
			r->unknown[page] = false;
		}
		page_check(r, page);
	}
}

/*
 * A failure was injected into the copying of the answer. Whether the rest was
 * done, the caller's own count says: it changes with it.
 */
static bool done_unanswered(const struct player *p, size_t start,
			    struct pashm_reshape *args)
{
	const struct region *r = region_of(p);

	if (!p->mine || !faults_hit() ||
	    p->pins[start] >> PASHM_PIN_COUNT_SHIFT ==
	    r->count[p->client][start])
		return false;
	args->generation = pashm_state_generation(state_word(r, start));
	return true;
}

static void reshape(struct stream *s, struct player *p, size_t start,
		    size_t length, uint32_t flags)
{
	struct pashm_reshape args = {
		.flags = flags, .offset = start * PAGE_BYTES,
		.length = length * PAGE_BYTES,
		.priority = (uint32_t)below(s, 8),
	};
	struct region *r = region_of(p);
	struct expect e = {};
	long ret;

	region_lock(r, start, start);
	if (p->mine && client_of(p)->life != LIVE)
		goto unlock;
	if (once_in(s, 8))
		args.priority = PASHM_PRIORITY_REGION;
	if (once_in(s, 30))
		args.priority = (uint32_t)edge(s);
	must_if(&e, args.priority > PASHM_PRIORITY_MAX &&
		args.priority != PASHM_PRIORITY_REGION, EINVAL);
	must_if(&e, !p->mine, EPERM);
	need(&e, &r->prot, &client_of(p)->prot, PROT_WRITE, EACCES);
	must_if(&e, (start | length) % unit_of(r->flags), EINVAL);
	count_expect(&e, r, p->client, start, flags & PASHM_RESHAPE_FREE);
	extents_expect(&e, r, p->client, start, length);
	ret = call_command(s, player_fd(s, p), RESHAPE, &args, &e,
			   "client %ld/%ld, page %ld, length and flags %#lx",
			   p->region, p->client, (long)start,
			   (long)(length << 4 | flags));
	if (check(&e, ret) || done_unanswered(p, start, &args)) {
		reshaped(r, p->client, start, length, &args);
		if (r->length[start] && once_in(s, 2))
			extent_fill(s, r, start);
	} else if (once_in(s, 4)) {
		window_audit(r, start);
	}
unlock:
	region_unlock(r, start, start);
}

void op_make(struct stream *s)
{
	uint32_t flags = once_in(s, 4) ? PASHM_RESHAPE_DISCARD : 0;
	struct player *p = pick_player(s, false);
	size_t start, length;

	if (!p)
		return;
	range_draw(s, region_of(p), &start, &length);
	reshape(s, p, start, length, flags);
}

void op_free(struct stream *s)
{
	uint32_t flags = PASHM_RESHAPE_FREE |
			 (once_in(s, 2) ? PASHM_RESHAPE_DISCARD : 0);
	struct player *p = pick_player(s, false);
	size_t start, length;

	if (!p)
		return;
	range_draw(s, region_of(p), &start, &length);
	if (!once_in(s, 4))
		held_draw(s, p, &start, &length);
	reshape(s, p, start, length, flags);
}

/* Ranges that are none: always refused, and nothing may change */
void op_reshape_badly(struct stream *s)
{
	struct player *p = pick_player(s, false);
	struct pashm_reshape args = { .flags = (uint32_t)below(s, 4) };
	struct expect e = {};
	struct region *r;
	size_t page;

	if (!p)
		return;
	r = region_of(p);
	page = below(s, r->pages);
	args.offset = page * PAGE_BYTES;
	args.length = PAGE_BYTES;
	switch (below(s, 6)) {
	case 0:
		args.offset += small(s, PAGE_BYTES - 1);
		break;
	case 1:
		args.offset = r->pages * PAGE_BYTES * small(s, 1UL << 30);
		break;
	case 2:
		args.length = 0;
		break;
	case 3:
		args.length += small(s, PAGE_BYTES - 1);
		break;
	case 4:
		args.length = (r->pages - page + small(s, 1UL << 40)) *
			      PAGE_BYTES;
		break;
	default:
		args.length = -args.offset;
		if (!args.length)
			args.length = -PAGE_BYTES;
	}
	must(&e, EINVAL);
	must_if(&e, !p->mine, EPERM);
	need(&e, &r->prot, &client_of(p)->prot, PROT_WRITE, EACCES);
	region_lock(r, page, page);
	check(&e, call_command(s, player_fd(s, p), RESHAPE, &args, &e,
			       "client %ld/%ld, offset %#lx, length %#lx",
			       p->region, p->client, (long)args.offset,
			       (long)args.length));
	window_audit(r, page);
	region_unlock(r, page, page);
}

/* How long may an extent at @page be, without touching another? */
static size_t room_at(const struct region *r, size_t page)
{
	size_t end = window_end(r, page), next;

	for (next = page + 1; next < end; next++)
		if (r->length[next])
			break;
	return next - page;
}

static bool swap_state(uint64_t *word, uint64_t old, uint64_t new)
{
	return __atomic_compare_exchange_n(word, &old, new, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* With the count raised: replace the word, at first or once a claim is off */
static void reshape_alone_at(struct player *p, size_t page, uint32_t length,
			     uint32_t priority, uint64_t *states,
			     uint32_t *births)
{
	struct region *r = region_of(p);
	uint64_t word;
	int tries;

	__atomic_store_n(&births[page], r->generation[page] + 1,
			 __ATOMIC_SEQ_CST);
	for (tries = 0; tries < 10000; tries++) {
		word = __atomic_load_n(&states[page], __ATOMIC_SEQ_CST);
		if (pashm_state_purging(word)) {
			usleep(100);
			continue;
		}
		if (!swap_state(&states[page], word,
				pashm_state_reshaped(word, length, priority)))
			continue;
		observe(r, page, pashm_state_generation(word) + 1, 1);
		r->length[page] = length;
		r->priority[page] = (uint8_t)priority;
		r->birth[page] = r->generation[page];
		return;
	}
	fail("region %d page %zu: a pinned word cannot be changed, %#llx",
	     p->region, page, (unsigned long long)state_word(r, page));
}

/* The only client of a region may do without the kernel */
void op_reshape_alone(struct stream *s)
{
	struct player *p = pick_mine(s, false);
	uint64_t *states;
	uint32_t *births;
	struct region *r;
	size_t page;

	if (!p || !p->keep)
		return;
	r = region_of(p);
	page = below(s, r->pages);
	states = (void *)map_at(p->fds[0], PASHM_OFFSET_STATES, r->pages * 8UL,
				RW);
	births = (void *)map_at(p->fds[0], PASHM_OFFSET_BIRTHS, r->pages * 4UL,
				RW);
	if (MAP_FAILED_WITH((long)states) || MAP_FAILED_WITH((long)births))
		goto unmap;
	region_lock(r, page, page);
	/* Only heads that it holds, or pages that are not managed */
	if (client_of(p)->life == LIVE && r->count[p->client][page] < 0x7ffe &&
	    (r->length[page] ? r->count[p->client][page] > 0 :
	     extent_of(r, page) == SIZE_MAX)) {
		uint32_t length = (uint32_t)small(s, room_at(r, page));

		journal_call("reshape alone", "region %ld, page %ld, length %ld",
			     p->region, (long)page, length, 0);
		pin_raise(p, page);
		reshape_alone_at(p, page, length, (uint32_t)below(s, 8),
				 states, births);
		r->count[p->client][page]++;
		journal_return(0);
		extent_check(r, page);
		extent_fill(s, r, page);
	}
	region_unlock(r, page, page);
unmap:
	if (!MAP_FAILED_WITH((long)states))
		munmap(states, r->pages * 8UL);
	if (!MAP_FAILED_WITH((long)births))
		munmap(births, r->pages * 4UL);
}
