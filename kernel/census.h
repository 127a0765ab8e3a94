/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_CENSUS_H
#define PASHM_CENSUS_H

#include <linux/mm.h>
#include <linux/types.h>

struct mem_cgroup;
struct pashm_region;

/**
 * struct pashm_census - pages of a range that are in memory
 * @memcg:    in: whose pages to count as matching
 * @nid:      in: and on which node; NUMA_NO_NODE: on any
 * @entries:  looked at: also what is swapped out
 * @resident: all
 * @matching: those charged to @memcg, on that node
 * @kept:     still in memory after a truncation
 * @locked:   one of them is locked
 */
struct pashm_census {
	struct mem_cgroup *memcg;
	int nid;
	unsigned long entries;
	unsigned long resident;
	unsigned long matching;
	unsigned long kept;
	bool locked;
};

/* Whose the first page of a range is that is in memory */
enum pashm_sample {
	PASHM_SAMPLE_NONE,	/* there is none */
	PASHM_SAMPLE_SWAPPED,	/* there is none, but some in swap */
	PASHM_SAMPLE_OURS,
	PASHM_SAMPLE_OTHERS,
	PASHM_SAMPLE_UNKNOWN,	/* behind much in swap, or on another node */
};

static inline int pashm_page_nid(const struct page *page)
{
	/* The node stands beside flags that others change, and stays */
	return data_race(page_to_nid(page));
}

void pashm_census_take(struct pashm_region *region, unsigned long start,
		       unsigned long length, struct pashm_census *census);
enum pashm_sample pashm_sample_take(struct pashm_region *region,
				    unsigned long start, unsigned long length,
				    const struct pashm_census *wanted);
unsigned long pashm_sample_resident(struct pashm_region *region,
				    unsigned long start, unsigned long length);
void pashm_census_settle(struct pashm_region *region, unsigned long start,
			 unsigned long length, struct pashm_census *census);
bool pashm_swap_sticks_out(struct pashm_region *region, unsigned long start,
			   unsigned long length);

#endif /* PASHM_CENSUS_H */
