/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_REGISTRY_H
#define LIB_REGISTRY_H

#include <stdint.h>

struct pashm_region;

/**
 * pashm_registry_add - a region is open: fork and the pressure thread see it
 *
 * Starts the pressure thread if the region is the first that wants it. Returns
 * 0 or -EAGAIN, -ENOMEM, -EMFILE, -ENFILE; then the region was not added.
 */
int pashm_registry_add(struct pashm_region *region);

/* Undo it; waits until no thread of the registry uses the region. */
void pashm_registry_remove(struct pashm_region *region);

/*
 * Take about @pages pages back from the process's regions, starting with
 * another region each time. Returns the number taken.
 */
uint64_t pashm_registry_reclaim(uint64_t pages);

#endif /* LIB_REGISTRY_H */
