/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_PURGE_H
#define PASHM_PURGE_H

#include <linux/types.h>

#include "slot.h"

struct mem_cgroup;
struct pashm_region;

/* Rounds of waiting for words that a hostile client may keep changing */
#define PASHM_TRIES	16

/**
 * struct pashm_census - pages of a range that are in memory
 * @memcg:    in: whose pages to count as matching
 * @resident: all
 * @matching: those charged to @memcg
 * @locked:   one of them is locked
 */
struct pashm_census {
	struct mem_cgroup *memcg;
	unsigned long resident;
	unsigned long matching;
	bool locked;
};

void pashm_census_take(struct pashm_region *region, unsigned long start,
		       unsigned long length, struct pashm_census *census);
bool pashm_sample_matches(struct pashm_region *region, unsigned long start,
			  unsigned long length, struct mem_cgroup *memcg);

unsigned long pashm_extent_length(struct pashm_region *region,
				  unsigned long head, u64 state);
int pashm_purge_extent(struct pashm_region *region, unsigned long head,
		       u64 state, enum pashm_purger purger,
		       struct pashm_census *census);
void pashm_purge_pages(struct pashm_region *region, unsigned long start,
		       unsigned long length);
int pashm_settle(struct pashm_region *region, unsigned long index, u64 *state);
int pashm_purge_all(struct pashm_region *region, u64 *freed_pages);

#endif /* PASHM_PURGE_H */
