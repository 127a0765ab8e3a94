// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a cache remembers of values that are gone: see cache_known.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <linux/pashm_pin.h>
#include "cache_known.h"

#define SLOTS_FIRST		64
/* selftests/bench/policy, --ghosts: more is of little use */
#define SLOTS_PER_ENTRY		8
#define NOTES_BITS		16
#define NOTES_MASK		0xffffU
/*
 * Ages wrap after 256 epochs. In 16 as many values go as there are; so when these are
 * over, each slot has been looked at, and most have been twice.
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
 * the wrong one the tag finds it as seldom as any other's.
 */
static void known_grow(struct cache_known *known)
{
	uint64_t i, size = known->slots ? 2 * (known->mask + 1) : SLOTS_FIRST;
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return;
	for (i = 0; known->slots && i < size; i++)
		slots[i] = known->slots[i & known->mask];
	free(known->slots);
	known->slots = slots;
	known->mask = size - 1;
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
	if (!known->slots || known->mask < SLOTS_PER_ENTRY * entries)
		known_grow(known);
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
