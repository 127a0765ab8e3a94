/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What race_reshape.c says of an extent in shared memory, outside of the region:
 * who may have it pinned, which handles are stale; and what its bytes must be.
 */
#ifndef PASHM_SELFTESTS_RACE_RESHAPE_H
#define PASHM_SELFTESTS_RACE_RESHAPE_H

#include "backend.h"

#define EXTENTS		4U
#define LENGTH		4U			/* pages */
#define PAGES		(EXTENTS * LENGTH)
#define WORDS		(LENGTH * PAGE / sizeof(uint64_t))
#define STRIDE		16U			/* one word in so many is looked at */

/* Who pins, and how */
enum { BY_IOCTL, BY_LIBRARY, PINNERS };

/**
 * struct place - what the shaper tells of an extent, and others to him
 * @changes: odd while a call of his is under way
 * @oldest:  handles that know less are stale
 * @handle:  generation of the last that he has made and filled
 * @holds:   for each pinner, odd while he may have a pin
 */
struct place {
	uint32_t changes, oldest, handle;
	uint32_t holds[PINNERS];
};

static inline uint64_t word_of(unsigned int extent, uint32_t generation,
			       size_t word)
{
	return generation ? (((uint64_t)generation << 32 | extent) + 1) *
			    0x9e3779b97f4a7c15ULL + word : 0;
}

static inline volatile uint64_t *words_at(struct pashm_region *region,
					  unsigned int extent)
{
	return pashm_address(region, extent * LENGTH);
}

static inline void fill(struct pashm_region *region, unsigned int extent,
			uint32_t generation)
{
	volatile uint64_t *words = words_at(region, extent);
	size_t i;

	for (i = 0; i < WORDS; i += STRIDE)
		words[i] = word_of(extent, generation, i);
}

/* Generation 0: zeros. With @partly others may be filling it with the same */
static inline bool holds(struct pashm_region *region, unsigned int extent,
			 uint32_t generation, bool partly)
{
	const volatile uint64_t *words = words_at(region, extent);
	size_t i;

	for (i = 0; i < WORDS; i += STRIDE) {
		uint64_t word = words[i];

		if (word != word_of(extent, generation, i) &&
		    !(partly && !word))
			return false;
	}
	return true;
}

static inline uint32_t load(uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void step(uint32_t *word)
{
	__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
}

/* How far the pinners were when a change of an extent began */
struct change {
	uint32_t holds[PINNERS];
};

static inline void change_begin(struct place *place, struct change *change)
{
	int i;

	step(&place->changes);
	for (i = 0; i < PINNERS; i++)
		change->holds[i] = load(&place->holds[i]);
}

/* Has somebody had a pin, or tried to get one, since the change began? */
static inline bool change_was_met(struct place *place,
				  const struct change *change)
{
	int i;

	for (i = 0; i < PINNERS; i++)
		if (change->holds[i] % 2 ||
		    change->holds[i] != load(&place->holds[i]))
			return true;
	return false;
}

/* From here on, who knows less than @oldest is stale; not before */
static inline void change_end(struct place *place, uint32_t oldest)
{
	__atomic_store_n(&place->oldest, oldest, __ATOMIC_SEQ_CST);
	step(&place->changes);
}

#endif /* PASHM_SELFTESTS_RACE_RESHAPE_H */
