/* SPDX-License-Identifier: GPL-2.0-only */
/* pashm's own policy, on different uses of a region */
#ifndef POLICY_PASHM_H
#define POLICY_PASHM_H

#include "region.h"

extern const struct policy policy_home;
extern const struct policy policy_first;
extern const struct policy policy_known;

/* Frees so many pages */
void pashm_reclaim(struct region *region, uint32_t asked);

#endif /* POLICY_PASHM_H */
