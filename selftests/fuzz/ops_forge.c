// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a client with bad intent can do to its own region. Nothing is known of
 * such a region afterwards but that every call returns, with an error that is
 * documented, and that the honest regions, which others look after, stand.
 */
#include "figures.h"
#include "ops.h"

static uint64_t forged_state(struct stream *s, uint64_t old, uint32_t pages)
{
	switch (below(s, 9)) {
	case 0:
		return draw(s);
	case 1:			/* past the end, or nearly so */
		return pages + below(s, 4) - 2;
	case 2:
		return PASHM_EXTENT_PAGES_MAX;
	case 3:			/* many of these overlap */
		return 1 + below(s, 32);
	case 4:
		return old | PASHM_STATE_PURGING;
	case 5:
		return old & ~PASHM_STATE_PURGING;
	case 6:			/* the generation jumps */
		return (uint32_t)old | edge(s) << PASHM_STATE_GEN_SHIFT;
	case 7:
		return old + PASHM_STATE_GEN_ONE;
	default:
		return 0;
	}
}

/* Words of one table page or less, with or without care for what is there */
static void forge_words(struct stream *s, const struct region *r,
			enum what what, void *table)
{
	uint64_t n = small(s, 64), i;

	for (i = 0; i < n; i++) {
		size_t page = below(s, r->pages);
		uint64_t *state = &((uint64_t *)table)[page];
		uint32_t *word = &((uint32_t *)table)[page];

		if (what == STATES)
			__atomic_store_n(state, forged_state(s, *state,
							     r->pages),
					 __ATOMIC_RELAXED);
		else
			__atomic_store_n(word, once_in(s, 2) ? 0 :
					 (uint32_t)edge(s), __ATOMIC_RELAXED);
	}
}

void op_forge(struct stream *s)
{
	static const uint64_t offsets[] = {
		[STATES] = PASHM_OFFSET_STATES, [BIRTHS] = PASHM_OFFSET_BIRTHS,
		[PINS] = PASHM_OFFSET_PINS,
	};
	enum what what = (enum what)(STATES + below(s, 3));
	struct player *p = pick_mine(s, true);
	struct region *r;
	size_t bytes;
	long table;

	if (!p)
		return;
	r = region_of(p);
	bytes = r->pages * (what == STATES ? 8UL : 4UL);
	journal_call("forge", "client %ld/%ld, table %ld", p->region,
		     p->client, what, 0);
	table = map_at(player_fd(s, p), offsets[what], bytes, RW);
	if (!MAP_FAILED_WITH(table)) {
		forge_words(s, r, what, (void *)table);
		munmap((void *)table, bytes);
	}
	journal_return(MAP_FAILED_WITH(table) ? table : 0);
	/* Memory, too, so that there is something to take */
	if (view_of(r)->writable)
		view_of(r)->data[below(s, r->pages) * PAGE_BYTES] = 1;
}

union arguments {
	uint32_t words[64];
	struct pashm_attach attach;
	struct pashm_pin pin;
	struct pashm_wait wait;
	struct pashm_info info;
	struct pashm_purge purge;
	struct pashm_prot prot;
	struct pashm_reshape reshape;
};

static uint64_t likely_bytes(struct stream *s, uint64_t pages)
{
	return once_in(s, 12) ? edge(s) : below(s, pages + 1) * PAGE_BYTES;
}

static void ranges_draw(struct stream *s, const struct region *r,
			struct pashm_range *ranges, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		ranges[i] = (struct pashm_range) {
			.offset = likely_bytes(s, r->pages),
			.length = once_in(s, 3) ? likely_bytes(s, 64) : 0,
			.generation = (uint32_t)edge(s),
		};
}

/* Arguments that are mostly good: it is the tables that are not */
static void arguments_draw(struct stream *s, const struct region *r, int number,
			   union arguments *args)
{
	static struct pashm_range ranges[256];
	uint32_t n = (uint32_t)small(s, 256);

	*args = (union arguments) {};
	switch (number) {
	case ATTACH:
		args->attach.prot = (uint32_t)below(s, 8);
		break;
	case PIN:
	case UNPIN:
		ranges_draw(s, r, ranges, n);
		args->pin.ranges = (uintptr_t)ranges;
		args->pin.count = n;
		break;
	case WAIT:
		args->wait.offset = likely_bytes(s, r->pages);
		break;
	case PROTECT:
		args->prot.prot = RWX;
		break;
	case RESHAPE:
		args->reshape.flags = (uint32_t)below(s, 4);
		args->reshape.offset = likely_bytes(s, r->pages);
		args->reshape.length = likely_bytes(s, r->pages);
		args->reshape.priority = (uint32_t)below(s, 8);
		break;
	}
	/* Or nonsense in all of it but the size */
	if (once_in(s, 16))
		for (n = 1; n < 64; n++)
			args->words[n] = (uint32_t)edge(s);
}

/* The errors that are documented for each */
static void documented(struct expect *e, int number)
{
	static const int special[COMMANDS][6] = {
		[ATTACH] = { EPERM, EACCES, EUSERS },
		[PIN] = { EPERM, EAGAIN, EINTR, E2BIG },
		[UNPIN] = { EPERM, ERANGE, E2BIG },
		[WAIT] = { EINTR },
		[PURGE] = { EACCES, EINTR },
		[PROTECT] = { EINVAL, EPERM, EACCES },
		[RESHAPE] = { EPERM, EACCES, EBUSY, EAGAIN, EINTR, ERANGE },
	};
	int i;

	may(e, EINVAL);
	may(e, EFAULT);
	for (i = 0; i < 6 && special[number][i]; i++)
		may(e, special[number][i]);
}

static void answer_check(const struct region *r, int number,
			 const union arguments *args)
{
	uint64_t bytes = r->pages * PAGE_BYTES;

	if (number == PURGE && (args->purge.freed > bytes ||
				args->purge.freed % PAGE_BYTES))
		fail("region %d: PURGE has freed %llu bytes", region_number(r),
		     (unsigned long long)args->purge.freed);
	if (number == INFO && (args->info.length != bytes ||
			       args->info.resident > resident_max(r) ||
			       args->info.unpinned > bytes))
		fail("region %d: INFO says %llu bytes, %llu in memory, %llu unpinned",
		     region_number(r), (unsigned long long)args->info.length,
		     (unsigned long long)args->info.resident,
		     (unsigned long long)args->info.unpinned);
}

void op_call_hostile(struct stream *s)
{
	static const int numbers[] = { ATTACH, PIN, PIN, UNPIN, UNPIN, WAIT,
				       WAIT, INFO, PURGE, PROTECT, RESHAPE,
				       RESHAPE, RESHAPE };
	int number = numbers[below(s, sizeof(numbers) / sizeof(*numbers))];
	struct player *p = pick_player(s, true);
	union arguments args;
	struct expect e = {};
	long ret;

	if (!p)
		return;
	arguments_draw(s, region_of(p), number, &args);
	/* Rights that nonsense takes away are not followed by the model */
	if (number == PROTECT && args.prot.prot != RWX)
		return;
	documented(&e, number);
	ret = call_command(s, player_fd(s, p), number, &args, &e,
			   "client %ld/%ld of a hostile region, words %#lx %#lx",
			   p->region, p->client, args.words[2], args.words[4]);
	if (!check(&e, ret))
		return;
	answer_check(region_of(p), number, &args);
	if (number == ATTACH)
		close((int)ret);
}
