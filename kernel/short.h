/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_SHORT_H
#define PASHM_SHORT_H

#include <linux/types.h>

struct mem_cgroup;
struct shrink_control;

/* What a reclaim should be given */
enum pashm_need {
	PASHM_NEED_ALL,		/* what it asks for */
	PASHM_NEED_LITTLE,	/* enough to end it */
	PASHM_NEED_NOTHING,
};

unsigned long pashm_node_lack(int nid);
bool pashm_memcg_has_room(struct mem_cgroup *memcg, unsigned long pages);
bool pashm_short_memcg(const struct shrink_control *sc);
enum pashm_need pashm_short_need(const struct shrink_control *sc,
				 unsigned long *at_once);

#endif /* PASHM_SHORT_H */
