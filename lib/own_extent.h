/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extents of an allocator: whoever else pins one by a stale handle is waited for
 * for a moment. Errors are those of pashm_extent_create() and
 * pashm_extent_destroy().
 */
#ifndef LIB_OWN_EXTENT_H
#define LIB_OWN_EXTENT_H

#include "backend.h"

int pashm_own_make(struct pashm_region *region, uint32_t page, uint32_t length,
		   uint32_t priority, struct pashm_handle *handle);

/* The same where a signal must not leave things half done */
int pashm_own_make_surely(struct pashm_region *region, uint32_t page,
			  uint32_t length, uint32_t priority,
			  struct pashm_handle *handle);

/*
 * Is the handle's extent there, with whatever contents? Then the handle knows
 * what they are now
 */
bool pashm_own_find(const struct pashm_region *region,
		    struct pashm_handle *handle);

/*
 * End an extent, known or not, unless somebody has it pinned or purges it, who is
 * waited for if @patient. The pin is made with the current generation: nobody is going to refill
 * what was purged. -ESTALE if it is gone.
 */
int pashm_own_end(struct pashm_region *region, struct pashm_handle handle,
		  bool patient);

/* The same with one that the caller has pinned once */
int pashm_own_end_pinned(struct pashm_region *region, uint32_t page);

/*
 * Leave free pages to reclaim. If that fails they stay unmanaged, which costs
 * memory until they are used again, and nothing else.
 */
void pashm_own_leave(struct pashm_region *region, uint32_t page,
		     uint32_t length);

#endif /* LIB_OWN_EXTENT_H */
