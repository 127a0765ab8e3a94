/* SPDX-License-Identifier: GPL-2.0-only */
/* pashm's own policy */
#ifndef POLICY_PASHM_H
#define POLICY_PASHM_H

#include "region.h"

/* Frees so many pages */
void pashm_reclaim(struct region *region, uint32_t asked);

#endif /* POLICY_PASHM_H */
