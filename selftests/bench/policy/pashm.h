/* SPDX-License-Identifier: GPL-2.0-only */
/* The variants of pashm's own policy, all on the same model of a region */
#ifndef POLICY_PASHM_H
#define POLICY_PASHM_H

#include "region.h"

#define PASHM_POLICY(heading, text, set) {	\
	.name = heading,			\
	.what = text,				\
	.create = region_create,		\
	.use = region_use,			\
	.destroy = region_destroy,		\
	.rules = set,				\
}

extern const struct policy policy_today_home;
extern const struct policy policy_today_first;
extern const struct policy policy_new_home;
extern const struct policy policy_new_first;

#endif /* POLICY_PASHM_H */
