/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_PURGE_H
#define PASHM_PURGE_H

#include <linux/types.h>

struct mem_cgroup;
struct pashm_region;

/**
 * struct pashm_census - pages of a range that are in memory
 * @memcg:    in: whose pages to count as matching
 * @resident: all
 * @matching: those charged to @memcg
 */
struct pashm_census {
	struct mem_cgroup *memcg;
	unsigned long resident;
	unsigned long matching;
};

void pashm_census_take(struct pashm_region *region, unsigned long start,
		       unsigned long length, struct pashm_census *census);
struct mem_cgroup *pashm_first_memcg(struct pashm_region *region,
				     unsigned long start, unsigned long length);

unsigned long pashm_extent_length(struct pashm_region *region,
				  unsigned long head, u64 state);
bool pashm_purge_extent(struct pashm_region *region, unsigned long head,
			u64 state, struct pashm_census *census);
void pashm_purge_pages(struct pashm_region *region, unsigned long start,
		       unsigned long length);
int pashm_purge_all(struct pashm_region *region, u64 *freed_pages);

#endif /* PASHM_PURGE_H */
