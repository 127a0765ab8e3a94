/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_SCAN_H
#define PASHM_SCAN_H

#include <linux/types.h>

#include "census.h"

struct mem_cgroup;
struct pashm_listing;
struct pashm_region;

/* What one call may look at: a base, and so much for each page asked for */
#define PASHM_SCAN_BASE		4096UL
#define PASHM_SCAN_PER_PAGE	32UL

/**
 * struct pashm_scan - one call for memory
 * @nid:       node that is short of memory
 * @anywhere:  no: a memcg is, and memory on any node will do
 * @asked:     pages to free
 * @lack:      pages to free so that the node gets over its lowest watermark
 * @memcg:     whose limit is short
 * @room:      pages that it is to have room for, and that are freed for that at most
 * @freed:     pages freed that help: of the asking memcg, on that node
 * @last:      of these, by the last extent
 * @taken:     all pages freed
 * @stamp:     when it began: tells calls apart
 * @until:     how many of these before it is another listing's turn
 * @granted:   what may be looked at
 * @budget:    what is left of that
 * @reserve:   who has nothing yet when less than that is left is less choosy
 * @best:      highest score that was passed in this listing, plus 1
 * @met:       an extent was in flight
 * @helped:    other reclaimers have freed memory meanwhile
 * @waited:    for others, as long as one call may
 * @over:      others have kept all slots for too long
 */
struct pashm_scan {
	int nid;
	bool anywhere;
	unsigned long asked;
	unsigned long lack;
	struct mem_cgroup *memcg;
	unsigned long room;
	unsigned long freed;
	unsigned long last;
	unsigned long taken;
	u64 stamp;
	unsigned long until;
	unsigned long granted;
	unsigned long budget;
	unsigned long reserve;
	unsigned int best;
	bool met;
	bool helped;
	bool waited;
	bool over;
};

void pashm_scan_grant(struct pashm_scan *scan, unsigned long budget);
bool pashm_scan_wants(const struct pashm_scan *scan);
void pashm_scan_spend(struct pashm_scan *scan, unsigned long cost);
unsigned long pashm_scan_cost(const struct pashm_region *region);
struct pashm_census pashm_scan_wanted(struct pashm_listing *listing,
				      const struct pashm_scan *scan);
bool pashm_scan_all(const struct pashm_listing *listing);
void pashm_scan_listing(struct pashm_listing *listing, struct pashm_scan *scan);
void pashm_scan_region(struct pashm_region *region, struct pashm_scan *scan);

/* sample.c */
void pashm_scan_sample(struct pashm_listing *listing, struct pashm_scan *scan);
void pashm_scan_forget(struct pashm_listing *listing, struct pashm_scan *scan,
		       unsigned long taken);

#endif /* PASHM_SCAN_H */
