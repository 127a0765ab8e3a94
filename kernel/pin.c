// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pin, unpin and wait by ioctl: the client's side of the handshake, done by the
 * kernel on the client's own words. For many extents at once, for clients that
 * do not map the tables, and for the wait that userspace cannot do itself.
 *
 * Ranges are copied one by one, in and out, without any lock. A loss is the
 * difference of two generations, so there is nothing to lose when a copy fails:
 * the count is taken back and the next pin finds the same.
 */
#include <linux/atomic.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <linux/pashm.h>

#include "client.h"
#include "pin.h"
#include "purge.h"
#include "region.h"
#include "stat.h"
#include "trace.h"

bool pashm_offset_to_index(struct pashm_client *client, u64 offset,
			   unsigned long *index)
{
	*index = offset >> PAGE_SHIFT;
	return PAGE_ALIGNED(offset) && *index < client->region->pages;
}

/*
 * Add one pin. (A): a full barrier between the raised count and the caller's
 * reading of the state; pairs with (B) in pashm_claim(). A value-returning
 * atomic is one.
 */
int pashm_count_raise(atomic_t *word)
{
	u32 count = pashm_pin_count(atomic_add_return(PASHM_PIN_COUNT_ONE,
						      word));

	/* 0: wrapped, which userspace alone can bring about */
	if (count && !pashm_count_overflows(count))
		return 0;
	atomic_fetch_sub_release(PASHM_PIN_COUNT_ONE, word);
	return -EAGAIN;
}

/* Take one pin away; release: what was written under it comes before */
int pashm_count_lower(atomic_t *word)
{
	u32 count = pashm_pin_count(atomic_fetch_sub_release(PASHM_PIN_COUNT_ONE,
							     word));

	if (!pashm_count_underflows(count))
		return 0;
	atomic_add(PASHM_PIN_COUNT_ONE, word);
	return -ERANGE;
}

static u32 pashm_region_birth(struct pashm_region *region, unsigned long index)
{
	u32 *birth = pashm_table_lookup(&region->births, index);

	return birth ? READ_ONCE(*birth) : 0;
}

/* As the library's inline code does: notes are single bytes, races lose one */
static void pashm_note_use(struct pashm_region *region, atomic_t *word)
{
	u8 *recency = (u8 *)word + PASHM_PIN_RECENCY_BYTE;
	u8 *frequency = (u8 *)word + PASHM_PIN_FREQUENCY_BYTE;
	u8 epoch = READ_ONCE(region->header->epoch);
	u8 value = READ_ONCE(*frequency);

	if (READ_ONCE(*recency) == epoch)
		return;
	WRITE_ONCE(*recency, epoch);
	if (value < PASHM_FREQUENCY_MAX)
		WRITE_ONCE(*frequency, value + 1);
}

/*
 * The state of an extent whose count the caller has raised. One wait is enough,
 * for purges and reshapes that may not have seen the count: whoever claims later
 * does, and takes the claim back. So nothing moves any more, even if PURGING is
 * set again, or a hostile sibling keeps setting it; unless a sibling makes the
 * extent anew, which is as if it had done so after our look.
 */
static int pashm_pinned_state(struct pashm_region *region, unsigned long head,
			      u64 *state)
{
	atomic64_t *word = pashm_region_state(region, head);

	*state = word ? atomic64_read_acquire(word) : 0;
	if (!pashm_state_purging(*state))
		return 0;
	return pashm_settle(region, head, state);
}

/* Pin one extent. @word is its pin word; raised afterwards unless STALE */
static int pashm_pin_one(struct pashm_region *region, atomic_t *word,
			 unsigned long head, struct pashm_range *range)
{
	u32 known = range->generation;
	u64 state;
	int ret;

	ret = pashm_count_raise(word);
	if (ret)
		return ret;
	ret = pashm_pinned_state(region, head, &state);
	if (ret)
		goto lower;
	range->verdict = pashm_pin_verdict(state, known,
					   pashm_region_birth(region, head));
	if (range->length &&
	    range->length >> PAGE_SHIFT != pashm_state_length(state))
		range->verdict = PASHM_STALE;
	range->generation = pashm_state_generation(state);
	range->length = (u64)pashm_state_length(state) << PAGE_SHIFT;
	pashm_stat_add(PASHM_STAT_PINS, 1);
	trace_pashm_pin_slow(region, head, known, range->generation,
			     range->verdict);
	if (range->verdict == PASHM_STALE)
		goto lower;
	return 0;
lower:
	pashm_count_lower(word);
	return ret;
}

static int pashm_pin_range(struct pashm_client *client,
			   struct pashm_range __user *user)
{
	struct pashm_range range;
	unsigned long head;
	atomic_t *word;
	int ret;

	if (copy_from_user(&range, user, sizeof(range)))
		return -EFAULT;
	if (!pashm_offset_to_index(client, range.offset, &head) ||
	    !PAGE_ALIGNED(range.length))
		return -EINVAL;
	word = pashm_table_populate(&client->pins, head);
	if (!word)
		return -ENOMEM;
	ret = pashm_pin_one(client->region, word, head, &range);
	if (ret)
		return ret;
	/* The generation last: until it is out, the caller's copy is the old */
	if (!copy_to_user(user, &range, offsetof(typeof(range), generation)) &&
	    !put_user(range.verdict, &user->verdict) &&
	    !put_user(range.generation, &user->generation))
		return 0;
	if (range.verdict != PASHM_STALE)
		pashm_count_lower(word);
	return -EFAULT;
}

static int pashm_unpin_range(struct pashm_client *client,
			     struct pashm_range __user *user)
{
	struct pashm_range range;
	unsigned long head;
	atomic_t *word;

	if (copy_from_user(&range, user, sizeof(range)))
		return -EFAULT;
	if (!pashm_offset_to_index(client, range.offset, &head) ||
	    !PAGE_ALIGNED(range.length))
		return -EINVAL;
	word = pashm_table_lookup(&client->pins, head);
	if (!word)
		return -ERANGE;
	pashm_note_use(client->region, word);
	return pashm_count_lower(word);
}

/* Do @one to each range; @args->done says how far it got */
static int pashm_each_range(struct pashm_client *client, struct pashm_pin *args,
			    int (*one)(struct pashm_client *client,
				       struct pashm_range __user *user))
{
	struct pashm_range __user *user = u64_to_user_ptr(args->ranges);
	u32 i;

	args->done = 0;
	if (!pashm_client_is_owner(client))
		return -EPERM;
	if (!args->count)
		return -EINVAL;
	if (args->count > PASHM_RANGES_MAX)
		return -E2BIG;
	for (i = 0; i < args->count; i++) {
		int ret = fatal_signal_pending(current) ? -EINTR :
							  one(client, &user[i]);

		if (ret)
			return ret;
		args->done = i + 1;
		cond_resched();
	}
	return 0;
}

int pashm_pin_ranges(struct pashm_client *client, struct pashm_pin *args)
{
	return pashm_each_range(client, args, pashm_pin_range);
}

int pashm_unpin_ranges(struct pashm_client *client, struct pashm_pin *args)
{
	return pashm_each_range(client, args, pashm_unpin_range);
}

int pashm_wait_extent(struct pashm_client *client, struct pashm_wait *args)
{
	unsigned long index;
	u64 state;
	int ret;

	if (args->reserved ||
	    !pashm_offset_to_index(client, args->offset, &index))
		return -EINVAL;
	ret = pashm_settle(client->region, index, &state);
	if (!ret)
		args->generation = pashm_state_generation(state);
	pashm_stat_add(PASHM_STAT_WAITS, 1);
	trace_pashm_wait(client->region, index, args->generation, ret);
	return ret;
}
