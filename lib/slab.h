/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One slab: its slots, and its place in a bin. The caller holds the lock of the
 * slab's arena.
 */
#ifndef LIB_SLAB_H
#define LIB_SLAB_H

#include "slabs.h"

/**
 * struct slab - in the table for good, hence there for who has a stale handle
 * @vacant:   a bit for each slot that is free; behind them a byte for each
 *            slot, the serial of its last object. On the heap
 * @next:     in the bin's list: page of the next one, plus 1; 0 is none
 * @previous: the same in the other direction
 * @birth:    generation of its extent when it was made: no handle of it is older
 * @seen:     generation of its extent when it was last pinned here; atomic
 * @used:     objects
 * @making:   of these, those that are not pinned yet; atomic, and raised under the
 *            lock. While there are any, the slab does not end
 * @arena:    it belongs to, plus 1; 0: there is no slab. Written under the
 *            arena's lock, or by who is alone with the slab; read without, and
 *            looked at again under the lock
 * @class:    of its objects
 * @priority: of its extent
 * @linked:   it is in its bin's list
 * @lost:     another client has ended its extent: nothing more goes in
 *
 * What is not said to be otherwise is guarded by the lock of the arena that it tells.
 */
struct slab {
	uint64_t *vacant;
	uint32_t next;
	uint32_t previous;
	uint32_t birth;
	uint32_t seen;
	uint16_t used;
	uint16_t making;
	uint16_t arena;
	uint8_t class;
	uint8_t priority : 3;
	uint8_t linked : 1;
	uint8_t lost : 1;
};

_Static_assert(sizeof(struct slab) == 32, "as pool.h tells");

/* Two lines, as they are fetched by twos */
#define ARENA_ALIGN	128

/**
 * struct arena
 * @lock:  guards the rest
 * @bins:  slabs with a free slot, of a class and a priority; one that was full until
 *         an object was freed comes first. Also read without the lock, to see whether
 *         there are any
 * @empty: slabs without objects; likewise
 * @info:  figures of its slabs
 */
struct arena {
	pthread_mutex_t lock;
	uint32_t bins[CLASSES_MAX][PRIORITIES];
	uint32_t empty;
	struct slabs_info info;
} __attribute__((aligned(ARENA_ALIGN)));

static inline const struct size_class *class_of(const struct slabs *slabs,
						const struct slab *slab)
{
	return &slabs->classes.class[slab->class];
}

static inline uint32_t page_of(const struct slabs *slabs,
			       const struct slab *slab)
{
	return (uint32_t)(slab - slabs->table);
}

static inline struct arena *arena_of(const struct slabs *slabs,
				     const struct slab *slab)
{
	return &slabs->arenas[slab->arena - 1];
}

/* What a new slab's vacant points to: all slots are free; NULL: no memory */
uint64_t *pashm_slab_vacant(const struct size_class *class);

/* Into and out of the list of its bin */
void pashm_slab_link(const struct slabs *slabs, struct slab *slab);
void pashm_slab_unlink(const struct slabs *slabs, struct slab *slab);

/* Of a slab that has a free slot: one for a new object, which this inner names */
uint32_t pashm_slot_take(struct slabs *slabs, struct slab *slab);

/* The slot of a handle's object; false if there is no such object */
bool pashm_slot_find(const struct slabs *slabs, const struct slab *slab,
		     uint32_t inner, uint32_t *slot);

/* Free the slot of an object, which may link the slab again */
void pashm_slot_give(struct slabs *slabs, struct slab *slab, uint32_t slot);

#endif /* LIB_SLAB_H */
