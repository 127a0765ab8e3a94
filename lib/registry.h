/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_REGISTRY_H
#define LIB_REGISTRY_H

#include <stdint.h>

struct pashm_region;

/*
 * From now on fork sees the region. Lets it hold on to what a child must not
 * inherit, and returns the error of that; then it was not linked.
 */
int pashm_registry_link(struct pashm_region *region);

/* Undo it; does nothing if there is nothing to undo. */
void pashm_registry_unlink(struct pashm_region *region);

/*
 * The region is open: the pressure thread may use it, and is started if this is
 * the first one that wants it. Returns 0 or -EAGAIN, -ENOMEM, -EMFILE, -ENFILE.
 */
int pashm_registry_watch(struct pashm_region *region);

/*
 * Undo it, if there is something to undo; waits until no thread of the registry
 * uses the region.
 */
void pashm_registry_unwatch(struct pashm_region *region);

/* A user of the pressure thread without a region, and its end; as the two above */
int pashm_registry_join(void);
void pashm_registry_leave(void);

/*
 * Take about @pages pages back from the process's regions, the least valuable
 * of all first; among equals, starting with another region each time. Returns
 * the number taken.
 */
uint64_t pashm_registry_reclaim(uint64_t pages);

#endif /* LIB_REGISTRY_H */
