// SPDX-License-Identifier: GPL-2.0-only
/* Pins by ioctl, many at once, and the errors in the middle of them. */
#include "ops.h"
#include "pins.h"

#define RANGES	8

/* One PIN or UNPIN */
struct batch {
	struct player *p;
	struct region *r;
	uint32_t n;
	struct pashm_range in[RANGES];
	struct pashm_range *out;	/* where the kernel sees them */
	uint32_t readable;		/* of them */
	bool writable;
};

/* Where the kernel finds the ranges; rarely in full */
static void batch_place(struct stream *s, struct batch *b)
{
	size_t bytes = b->n * sizeof(b->in[0]);

	b->readable = b->n;
	b->writable = true;
	switch (below(s, 24)) {
	case 0:
		b->out = arena_unmapped(ARRAYS);
		b->readable = 0;
		return;
	case 1:
		b->readable = (uint32_t)below(s, b->n + 1);
		bytes = b->readable * sizeof(b->in[0]);
		b->out = arena_tail(ARRAYS, bytes);
		break;
	case 2:
		b->out = arena_read_only(ARRAYS, b->in, bytes, 0);
		b->writable = false;
		return;
	default:
		b->out = arena_tail(ARRAYS, bytes);
	}
	memcpy(b->out, b->in, bytes);
}

static bool batch_draw(struct stream *s, struct batch *b, bool unpin)
{
	uint32_t i;

	b->p = pick_player(s, false);
	if (!b->p)
		return false;
	b->r = region_of(b->p);
	b->n = (uint32_t)small(s, RANGES);
	for (i = 0; i < b->n; i++) {
		size_t page = unpin && !once_in(s, 8) ?
			      pick_pinned(s, b->p) : pick_page(s, b->r);
		struct pashm_range *range = &b->in[i];

		range->offset = page * PAGE_BYTES;
		range->length = once_in(s, 3) ? b->r->length[page] * PAGE_BYTES
					      : 0;
		range->generation = pick_known(s, b->r, page);
		range->verdict = (uint32_t)draw(s);
		if (once_in(s, 30))
			range->offset = once_in(s, 2) ? edge(s) :
				(b->r->pages + below(s, 3) - 1) * PAGE_BYTES;
		if (once_in(s, 30))
			range->length = edge(s);
	}
	batch_place(s, b);
	return true;
}

static size_t range_page(const struct region *r, const struct pashm_range *range)
{
	return range->offset / PAGE_BYTES < r->pages ?
	       range->offset / PAGE_BYTES : r->pages - 1U;
}

static void batch_lock(struct batch *b, bool lock)
{
	size_t first = SIZE_MAX, last = 0;
	uint32_t i;

	for (i = 0; i < b->n; i++) {
		size_t page = range_page(b->r, &b->in[i]);

		first = page < first ? page : first;
		last = page > last ? page : last;
	}
	if (lock)
		region_lock(b->r, first, last);
	else
		region_unlock(b->r, first, last);
}

/* What is wrong with range @i, whatever is done with it */
static bool range_expect(const struct batch *b, uint32_t i, struct expect *e)
{
	const struct pashm_range *range = &b->in[i];

	if (i >= b->readable) {
		only(e, EFAULT);
		return false;
	}
	must_if(e, range->offset % PAGE_BYTES ||
		   range->offset / PAGE_BYTES >= b->r->pages ||
		   range->length % PAGE_BYTES, EINVAL);
	return !errors_any(e->must);
}

/* One extent may be in a batch more than once: look when all is reckoned up */
static void batch_counts_check(const struct batch *b)
{
	uint32_t i;

	for (i = 0; i < b->n; i++)
		count_check(b->p, range_page(b->r, &b->in[i]));
}

/* The call ended with @ret at range number @done: must it, may it? */
static void range_failed(struct batch *b, uint32_t done, struct expect *e,
			 long ret)
{
	if (ret >= 0)
		return;
	if (done >= b->n)
		fail("%s, but all %u ranges are done", result_name(ret),
		     b->n);
	check(e, ret);
}

/*
 * A failure was injected into the copying of the answer: how far it got is not
 * known. The counts themselves tell; and of what is pinned now, the generation
 * does not move any more.
 */
static void batch_unanswered(const struct batch *b)
{
	uint32_t i;

	for (i = 0; b->p->mine && i < b->n; i++) {
		size_t page = range_page(b->r, &b->in[i]);
		uint16_t count = (uint16_t)(b->p->pins[page] >>
					    PASHM_PIN_COUNT_SHIFT);

		if (count)
			observe(b->r, page, pashm_state_generation(
				state_word(b->r, page)), 0);
		*count_of(b->p, page) = count;
	}
}

/*
 * The common part of PIN and UNPIN: everything that is refused as a whole.
 * Returns false then, else the ranges done in @done.
 */
static bool batch_call(struct stream *s, struct batch *b, int command,
		       uint32_t *done, long *ret)
{
	struct pashm_pin args = {
		.ranges = (uintptr_t)b->out, .count = b->n,
		.done = (uint32_t)draw(s),
	};
	struct expect e = {};

	if (once_in(s, 40))
		args.count = once_in(s, 2) ? 0 : PASHM_RANGES_MAX +
						 (uint32_t)small(s, 9);
	must_if(&e, !b->p->mine, EPERM);
	must_if(&e, !args.count, EINVAL);
	must_if(&e, args.count > PASHM_RANGES_MAX, E2BIG);
	*ret = call_command(s, player_fd(s, b->p), command, &args, &e,
			    "client %ld/%ld, %ld from page %ld", b->p->region,
			    b->p->client, args.count,
			    (long)(b->in[0].offset / PAGE_BYTES));
	if (errors_any(e.must)) {
		check(&e, *ret);
		return false;
	}
	if (*ret == -EFAULT && faults_hit()) {
		batch_unanswered(b);
		return false;
	}
	*done = args.done;
	if (*done > b->n || (*ret >= 0 && *done != b->n))
		fail("%s with %u of %u ranges done", result_name(*ret), *done,
		     b->n);
	return true;
}

void op_pin(struct stream *s)
{
	struct batch b;
	uint32_t done, i;
	long ret;

	if (!batch_draw(s, &b, false))
		return;
	batch_lock(&b, true);
	if (fading(b.p) || !batch_call(s, &b, PIN, &done, &ret))
		goto unlock;
	for (i = 0; i < b.n && i <= done; i++) {
		struct expect e = {};

		if (range_expect(&b, i, &e)) {
			must_if(&e, count_full(*count_of(b.p, range_page(b.r,
						&b.in[i]))), EAGAIN);
			must_if(&e, !b.writable, EFAULT);
		}
		if (i == done) {
			range_failed(&b, done, &e, ret);
		} else {
			check(&e, 0);
			pin_answered(b.p, &b.in[i], &b.out[i]);
			if (once_in(s, 2) && *count_of(b.p, range_page(b.r,
						&b.in[i])))
				extent_fill(s, b.r, range_page(b.r, &b.in[i]));
		}
	}
	batch_counts_check(&b);
unlock:
	batch_lock(&b, false);
}

void op_unpin(struct stream *s)
{
	struct batch b;
	uint32_t done, i;
	long ret;

	if (!batch_draw(s, &b, true))
		return;
	batch_lock(&b, true);
	if (fading(b.p))
		goto unlock;
	for (i = 0; i < b.n; i++) {
		size_t page = range_page(b.r, &b.in[i]);

		/* The last look at what was pinned */
		if (pinned(b.r, page, NOBODY) == YES)
			extent_check(b.r, page);
	}
	if (!batch_call(s, &b, UNPIN, &done, &ret))
		goto unlock;
	for (i = 0; i < b.n && i <= done; i++) {
		size_t page = range_page(b.r, &b.in[i]);
		struct expect e = {};

		if (range_expect(&b, i, &e))
			must_if(&e, count_empty(*count_of(b.p, page)), ERANGE);
		if (i == done) {
			range_failed(&b, done, &e, ret);
		} else {
			check(&e, 0);
			--*count_of(b.p, page);
		}
	}
	batch_counts_check(&b);
unlock:
	batch_lock(&b, false);
}
