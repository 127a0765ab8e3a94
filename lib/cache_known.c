// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a cache remembers of values that are gone: see cache_known.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <linux/pashm_pin.h>
#include "cache_known.h"

#define SLOTS_FIRST		64
/* selftests/bench/policy, --ghosts: more is of little use */
#define SLOTS_PER_ENTRY		4
#define SLOTS_TOO_MANY		32
#define NOTES_BITS		16
#define NOTES_MASK		0xffffU
/*
 * Ages wrap after 256 epochs. In 16 as many values go as there are, and there are at
 * most 8 times as many slots: so after 32 each has been looked at.
 */
#define OLD_EPOCHS		200
#define LOOKS			4

/* The lower bits are the tag, the five highest choose the shard */
static uint64_t slot_of(uint64_t hash, uint64_t mask)
{
	return hash >> NOTES_BITS & mask;
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash & NOTES_MASK) << NOTES_BITS;
}

/*
 * Of which half of the new slots an old one is cannot be told: it is copied to both. In
 * the wrong one the tag finds it as seldom as any other's. To fewer slots, those of the
 * lower half go first.
 */
static void known_resize(struct cache_known *known, uint64_t size)
{
	uint32_t *slots = calloc(size, sizeof(*slots));
	uint64_t i, most = size;

	if (!slots)
		return;
	if (known->slots && most <= known->mask)
		most = known->mask + 1;
	/* What is zero stays untouched, so that it takes no memory */
	for (i = 0; known->slots && i < most; i++)
		if (known->slots[i & known->mask] && !slots[i & (size - 1)])
			slots[i & (size - 1)] = known->slots[i & known->mask];
	free(known->slots);
	known->slots = slots;
	known->mask = size - 1;
}

static void known_fit(struct cache_known *known, uint64_t entries)
{
	uint64_t size = known->mask + 1;

	if (!known->slots)
		known_resize(known, SLOTS_FIRST);
	else if (size < SLOTS_PER_ENTRY * entries)
		known_resize(known, 2 * size);
	else if (size > SLOTS_FIRST && size > SLOTS_TOO_MANY * entries)
		known_resize(known, size / 2);
}

static void known_tidy(struct cache_known *known, uint32_t epoch)
{
	uint32_t *slot;
	int i;

	for (i = 0; i < LOOKS; i++) {
		slot = &known->slots[known->cursor++ & known->mask];
		if (pashm_note_age(epoch, pashm_pin_recency(*slot)) >=
		    OLD_EPOCHS)
			*slot = 0;
	}
}

void pashm_cache_known_keep(struct cache_known *known, uint64_t hash,
			    uint32_t pin, uint32_t epoch, uint64_t entries)
{
	known_fit(known, entries);
	if (!known->slots)
		return;
	known_tidy(known, epoch);
	/* Without recency it was never unpinned */
	if (pashm_pin_recency(pin))
		known->slots[slot_of(hash, known->mask)] =
			tag_of(hash) | (pin & NOTES_MASK);
}

uint32_t pashm_cache_known_take(struct cache_known *known, uint64_t hash)
{
	uint32_t *slot, notes;

	if (!known->slots)
		return 0;
	slot = &known->slots[slot_of(hash, known->mask)];
	if (!*slot || (*slot & ~NOTES_MASK) != tag_of(hash))
		return 0;
	notes = *slot & NOTES_MASK;
	*slot = 0;
	return notes;
}

void pashm_cache_known_free(struct cache_known *known)
{
	free(known->slots);
	*known = (struct cache_known){ 0 };
}
