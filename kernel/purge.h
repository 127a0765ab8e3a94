/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_PURGE_H
#define PASHM_PURGE_H

#include <linux/types.h>

#include "census.h"

struct pashm_region;

/* Rounds of waiting for words that a hostile client may keep changing */
#define PASHM_TRIES	16

/* Who purges: the VM under pressure, or a client by ioctl */
enum pashm_purger {
	PASHM_PURGER_RECLAIM,
	PASHM_PURGER_REQUEST,
};

bool pashm_swap_is_full(void);
unsigned long pashm_extent_length(struct pashm_region *region,
				  unsigned long head, u64 state);
int pashm_purge_extent(struct pashm_region *region, unsigned long head,
		       u64 state, enum pashm_purger purger,
		       struct pashm_census *census);
void pashm_purge_pages(struct pashm_region *region, unsigned long start,
		       unsigned long length);
int pashm_purge_unclaim(struct pashm_region *region, unsigned long head);
int pashm_settle(struct pashm_region *region, unsigned long index, u64 *state);
int pashm_purge_all(struct pashm_region *region, u64 *freed_pages);

#endif /* PASHM_PURGE_H */
