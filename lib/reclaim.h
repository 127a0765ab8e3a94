/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_RECLAIM_H
#define LIB_RECLAIM_H

#include <stdint.h>

struct pashm_region;

/* Priorities, each in this many steps of age */
#define RECLAIM_AGES	4U
#define RECLAIM_CLASSES	(8U * RECLAIM_AGES)

/**
 * struct reclaim - the victim clock of a region; under its purge lock
 * @hand:  page where the next round starts
 * @class: extents of this class and lower ones go, see victim_class()
 * @epoch: when @class was found out; another epoch starts from 0 again, as
 *         everything has aged
 */
struct reclaim {
	uint64_t hand;
	uint32_t class;
	uint32_t epoch;
};

/* Operations of the memfd backend: take all that is unpinned, and some of it */
int pashm_reclaim_all(struct pashm_region *region, uint64_t *freed);
uint64_t pashm_reclaim_some(struct pashm_region *region, uint64_t pages);

#endif /* LIB_RECLAIM_H */
