/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slabs: extents that small objects of one size class and priority share.
 * Thread-safe, but for pashm_slabs_init() and _clear().
 */
#ifndef LIB_SLABS_H
#define LIB_SLABS_H

#include <stdbool.h>
#include <pashm/pool.h>
#include "pages.h"
#include "size_class.h"

#define PRIORITIES	(PASHM_PRIORITY_MAX + 1)

/* In a handle's inner, above the offset: the serial of the slot's object */
#define INNER_SERIAL_SHIFT	20

_Static_assert(PASHM_INNER_OFFSET_SHIFT == SLOT_SHIFT, "slots are where inner says");
_Static_assert(PASHM_INNER_OFFSET_MASK >> INNER_SERIAL_SHIFT == 0, "two fields");

struct slab;
struct arena;

/**
 * struct slabs
 * @pages:   where slabs come from; constant
 * @classes: constant
 * @table:   of each page of the region, the slab that starts there. Sparse
 * @arenas:  constant
 * @count:   of arenas
 */
struct slabs {
	struct pages *pages;
	struct size_classes classes;
	struct slab *table;
	struct arena *arenas;
	uint32_t count;
};

/**
 * struct slabs_info
 * @slabs:   how many there are
 * @objects: in them
 * @vacant:  bytes of slots that are free
 */
struct slabs_info {
	uint64_t slabs;
	uint64_t objects;
	uint64_t vacant;
};

/* 0 or -ENOMEM */
int pashm_slabs_init(struct slabs *slabs, struct pages *pages);
/* Also in a child, where threads of the parent may have been at work */
void pashm_slabs_clear(struct slabs *slabs);

/*
 * An object of a class for that alignment, pinned; or of a larger one, if there is no
 * other room: *@class tells. Errors as pashm_pool_alloc()
 */
int pashm_slab_alloc(struct slabs *slabs, uint32_t *class, size_t align,
		     uint32_t priority, struct pashm_handle *handle);

/* 0, or -ESTALE: no such object. Whether it is pinned cannot be told */
int pashm_slab_free(struct slabs *slabs, struct pashm_handle handle);

/*
 * End the slab of an object, and with it all that it has: their handles are stale
 * then. 0, -ESTALE: no such object, -EBUSY: somebody has pinned it
 */
int pashm_slab_retire(struct slabs *slabs, struct pashm_handle handle);

/* Its class and its slab's priority; false if there is no such object */
bool pashm_slab_find(struct slabs *slabs, struct pashm_handle handle,
		     uint32_t *class, uint32_t *priority);

/* Does a slab start at this page? An answer for those who have an object there */
bool pashm_slab_at(const struct slabs *slabs, uint32_t page);

/* Give back the pages of empty slabs; were there any? */
bool pashm_slabs_trim(struct slabs *slabs);

void pashm_slabs_info(struct slabs *slabs, struct slabs_info *info);

#endif /* LIB_SLABS_H */
