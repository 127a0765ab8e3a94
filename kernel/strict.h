/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_STRICT_H
#define PASHM_STRICT_H

#include <linux/types.h>

#include <linux/pashm.h>

struct pashm_region;

#define PASHM_STRICT_FLAGS \
	(PASHM_CREATE_STRICT | PASHM_CREATE_STRICT_UNPINNED)

/**
 * struct pashm_strict - a fault in a strict region, as it began
 * @region:  that it is in
 * @index:   page
 * @head:    of its extent
 * @state:   state word there; 0 if the page is of no extent
 * @missing: the page was neither in memory nor swapped out
 */
struct pashm_strict {
	struct pashm_region *region;
	unsigned long index;
	unsigned long head;
	u64 state;
	bool missing;
};

bool pashm_strict_begin(struct pashm_strict *strict,
			struct pashm_region *region, unsigned long index);
bool pashm_strict_end(const struct pashm_strict *strict);

#endif /* PASHM_STRICT_H */
