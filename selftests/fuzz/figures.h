/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of INFO and PURGE, and what the model says they can be. All
 * functions want the locks of all windows.
 */
#ifndef FUZZ_FIGURES_H
#define FUZZ_FIGURES_H

#include "player.h"

/* What INFO should count, as far as the model can tell */
struct census {
	uint64_t extents;
	uint64_t pinned_min;
	uint64_t pinned_max;
	uint64_t unpinned_pages;	/* at most */
	uint64_t sure_pages;		/* there for certain, held by nobody */
	uint64_t tables_min;		/* pages */
	uint32_t clients_min;
	uint32_t clients_max;
};

struct census census(struct region *r);
void losses_observe(struct region *r);

/* The losses that the model knew of before an INFO, and the mask it had */
struct before {
	uint64_t losses;
	uint64_t lost_sure;
	uint32_t prot_upper;
};

struct before info_before(struct region *r, const struct client *client);
void info_check(struct region *r, const struct client *client,
		const struct before *before, const struct pashm_info *info);

/* Bytes in memory at most: the last page may be huge, and reach beyond the end */
static inline uint64_t resident_max(const struct region *r)
{
	uint64_t huge = PASHM_HUGE_SIZE;

	return (r->pages * PAGE_BYTES + huge - 1) & ~(huge - 1);
}

/* Pages that a purge may have overlooked, as they were being moved or swapped */
uint64_t pages_moved(void);

#endif /* FUZZ_FIGURES_H */
