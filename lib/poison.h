/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For AddressSanitizer and valgrind: memory of extents that this client has not
 * pinned is poisoned, so that they report who touches it.
 */
#ifndef LIB_POISON_H
#define LIB_POISON_H

#include "backend.h"

/* A region has been opened: watch it if one of them is there, and may be asked */
void pashm_poison_begin(struct pashm_region *region);

/* It is going to be closed: the addresses will be somebody else's */
void pashm_poison_end(struct pashm_region *region);

/* The pages of an extent that is there may be touched */
void pashm_poison_off(struct pashm_region *region, uint32_t page,
		      uint32_t pages);

/* They may not */
void pashm_poison_on(struct pashm_region *region, uint32_t page,
		     uint32_t pages);

static inline bool pashm_poisons(const struct pashm_region *region)
{
	return region->view.flags & PASHM_VIEW_CHECKED;
}

#endif /* LIB_POISON_H */
