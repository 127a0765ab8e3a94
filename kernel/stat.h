/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_STAT_H
#define PASHM_STAT_H

#include <linux/percpu.h>
#include <linux/types.h>

/* What happened since the module was loaded, all regions together */
enum pashm_stat {
	PASHM_STAT_COUNTS,	/* calls of the shrinker to count */
	PASHM_STAT_SCANS,	/* and to scan */
	PASHM_STAT_STOPS,	/* scans that said: not again */
	PASHM_STAT_REFUSED,	/* rounds ended, as nothing was short by then */
	PASHM_STAT_ASKED,	/* pages */
	PASHM_STAT_FREED,	/* pages, of the memcg that asked */
	PASHM_STAT_ROUNDED,	/* more than asked: of a scan's last extent */
	PASHM_STAT_LACKED,	/* and before that: a node or a limit was short */
	PASHM_STAT_TAKEN,	/* pages, all */
	PASHM_STAT_EXHAUSTED,	/* scans that used their budget up */
	PASHM_STAT_WAITED,	/* scans that waited for others */
	PASHM_STAT_LOOKED,	/* budget used by scans */
	PASHM_STAT_OOMS,	/* calls by the OOM killer */
	PASHM_STAT_OOM_TAKEN,	/* pages freed for it, not in TAKEN */
	PASHM_STAT_CLAIMS,	/* extents claimed for a purge */
	PASHM_STAT_REVERTS,	/* claims taken back */
	PASHM_STAT_PURGES,	/* extents taken, by request, too */
	PASHM_STAT_PINS,	/* by ioctl: ranges */
	PASHM_STAT_WAITS,	/* calls to wait for a purge */
	PASHM_STATS,
};

struct pashm_stats {
	u64 number[PASHM_STATS];
};

/* Each CPU's part; read by debugfs, sums are not atomic */
DECLARE_PER_CPU(struct pashm_stats, pashm_stats);

static inline void pashm_stat_add(enum pashm_stat stat, u64 number)
{
	this_cpu_add(pashm_stats.number[stat], number);
}

void pashm_stat_scan_took(u64 ns);

void pashm_debug_init(void);
void pashm_debug_exit(void);

#endif /* PASHM_STAT_H */
