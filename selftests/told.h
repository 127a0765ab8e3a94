/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VM is told of memory that could be taken: nr_kernel_misc_reclaimable, of
 * the machine or of a node. The module looks about once a second.
 */
#ifndef PASHM_SELFTESTS_TOLD_H
#define PASHM_SELFTESTS_TOLD_H

#include <stdio.h>
#include <stdlib.h>

#include "common.h"

#define TOLD_ALL	"/proc/vmstat"
#define TOLD_NODE(n)	"/sys/devices/system/node/node" #n "/vmstat"

static inline long long told(const char *where)
{
	return file_number(where, "nr_kernel_misc_reclaimable");
}

/*
 * The figure when nobody has anything to be told of: what a region of an earlier test
 * had may still be in it. If it stays for three seconds, it is somebody else's.
 */
static inline long long told_settled(const char *where)
{
	long long figure = told(where), last = figure;
	int tries, same = 0;

	for (tries = 0; figure && same < 30 && tries < 600; tries++) {
		usleep(100000);
		figure = told(where);
		same = figure == last ? same + 1 : 0;
		last = figure;
	}
	return figure;
}

/*
 * Is it @pages more than @before, give or take @margin? Waits for that for a while. The
 * figure's own unit is coarse.
 */
static inline bool told_comes_to(const char *where, long long before,
				 size_t pages, long long margin)
{
	long long off = 0;
	int tries;

	for (tries = 0; tries < 300; tries++) {
		off = told(where) - before - (long long)pages;
		if (llabs(off) <= margin)
			return true;
		usleep(100000);
	}
	printf("# %lld pages off %zu\n", off, pages);
	return false;
}

#endif /* PASHM_SELFTESTS_TOLD_H */
