// SPDX-License-Identifier: LGPL-2.1-or-later
/* One slab: its slots, and its place in a bin. */
#include <stdlib.h>
#include "slab.h"

#define WORD_BITS	64U

static uint32_t words(const struct size_class *class)
{
	return (class->slots + WORD_BITS - 1) / WORD_BITS;
}

static uint8_t *serials(const struct slabs *slabs, const struct slab *slab)
{
	return (uint8_t *)(slab->vacant + words(class_of(slabs, slab)));
}

uint64_t *pashm_slab_vacant(const struct size_class *class)
{
	uint64_t *vacant = calloc(1, words(class) * sizeof(*vacant) +
				     class->slots);
	uint32_t slot;

	for (slot = 0; vacant && slot < class->slots; slot++)
		vacant[slot / WORD_BITS] |= 1ULL << slot % WORD_BITS;
	return vacant;
}

static uint32_t *bin_of(const struct slabs *slabs, const struct slab *slab)
{
	return &arena_of(slabs, slab)->bins[slab->class][slab->priority];
}

void pashm_slab_link(const struct slabs *slabs, struct slab *slab)
{
	uint32_t *bin = bin_of(slabs, slab);

	uint32_t number = page_of(slabs, slab) + 1;

	slab->previous = 0;
	slab->next = *bin;
	__atomic_store_n(bin, number, __ATOMIC_RELAXED);
	if (slab->next)
		slabs->table[slab->next - 1].previous = number;
	slab->linked = true;
}

void pashm_slab_unlink(const struct slabs *slabs, struct slab *slab)
{
	if (slab->previous)
		slabs->table[slab->previous - 1].next = slab->next;
	else
		__atomic_store_n(bin_of(slabs, slab), slab->next,
				 __ATOMIC_RELAXED);
	if (slab->next)
		slabs->table[slab->next - 1].previous = slab->previous;
	slab->linked = false;
}

static void empty_add(struct arena *arena, int change)
{
	__atomic_fetch_add(&arena->empty, (uint32_t)change, __ATOMIC_RELAXED);
}

uint32_t pashm_slot_take(struct slabs *slabs, struct slab *slab)
{
	const struct size_class *class = class_of(slabs, slab);
	struct arena *arena = arena_of(slabs, slab);
	uint32_t word = 0, slot, offset;
	uint8_t serial;

	while (!slab->vacant[word])
		word++;
	slot = word * WORD_BITS +
	       (uint32_t)__builtin_ctzll(slab->vacant[word]);
	slab->vacant[word] &= slab->vacant[word] - 1;
	/* Not 0, so that inner says whether an object is in a slab */
	serial = ++serials(slabs, slab)[slot];
	if (!serial)
		serial = ++serials(slabs, slab)[slot];
	if (slab->used == 0)
		empty_add(arena, -1);
	if (++slab->used == class->slots)
		pashm_slab_unlink(slabs, slab);
	arena->info.objects++;
	arena->info.vacant -= class->size;
	offset = slot * (class->size >> SLOT_SHIFT);
	return offset | (uint32_t)serial << INNER_SERIAL_SHIFT;
}

bool pashm_slot_find(const struct slabs *slabs, const struct slab *slab,
		     uint32_t inner, uint32_t *slot)
{
	const struct size_class *class = class_of(slabs, slab);
	uint32_t step = class->size >> SLOT_SHIFT;
	uint32_t offset = inner & PASHM_INNER_OFFSET_MASK;

	*slot = offset / step;
	return offset % step == 0 && *slot < class->slots &&
	       !(slab->vacant[*slot / WORD_BITS] >> *slot % WORD_BITS & 1) &&
	       serials(slabs, slab)[*slot] == inner >> INNER_SERIAL_SHIFT;
}

void pashm_slot_give(struct slabs *slabs, struct slab *slab, uint32_t slot)
{
	struct arena *arena = arena_of(slabs, slab);

	slab->vacant[slot / WORD_BITS] |= 1ULL << slot % WORD_BITS;
	if (--slab->used == 0)
		empty_add(arena, 1);
	arena->info.objects--;
	arena->info.vacant += class_of(slabs, slab)->size;
	if (!slab->linked && !slab->lost)
		pashm_slab_link(slabs, slab);
}
