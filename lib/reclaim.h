/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_RECLAIM_H
#define LIB_RECLAIM_H

#include <stdint.h>

struct pashm_region;

/* Priorities, each in this many steps of age */
#define RECLAIM_AGES	4U
#define RECLAIM_CLASSES	(8U * RECLAIM_AGES)

/**
 * struct reclaim - the victim clock of a region
 * @hand: page where the next round starts; under the region's purge lock
 * @sulk: until then the purge lock is tried, but not waited for: the last time
 *        that was in vain. In ms; atomic, any of several racing values will do
 */
struct reclaim {
	uint64_t hand;
	int64_t sulk;
};

/* Operations of the memfd backend: take all that is unpinned, and some of it */
int pashm_reclaim_all(struct pashm_region *region, uint64_t *freed);
uint64_t pashm_reclaim_some(struct pashm_region *region, uint64_t pages,
			    uint32_t class, uint32_t *next);

#endif /* LIB_RECLAIM_H */
