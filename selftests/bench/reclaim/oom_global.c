// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's memory is short: a region of 300 MB, three quarters of it unpinned,
 * and a neighbour that takes 250 MB.
 *
 *   oom_global RUNS
 *
 * Columns: see oom.h. Needed is what both take beyond MemAvailable as it was before.
 */
#include "../../pressure.h"
#include "oom.h"

/* What the run before has given back is told twice for a moment, see available.c */
static long long available_now(void)
{
	sleep(2);
	return meminfo_kib("MemAvailable") * 1024;
}

static struct outcome run_once(void *unused MAYBE_UNUSED)
{
	long long there = available_now();
	long long lack = (long long)(REGION + HOG) - there;
	struct outcome outcome = { .needed = (uint64_t)(lack > 0 ? lack : 0) };
	struct run run = { .fd = -1 };
	size_t bytes = HOG;

	outcome.problem = fill(&run);
	if (!outcome.problem) {
		if (in_child(hog, &bytes))
			outcome.problem = "the neighbour did not get its memory";
		outcome.purged = region_info(run.fd).purged;
		outcome.problem = verify(&run) ?: outcome.problem;
	}
	release(&run);
	return outcome;
}

int main(int argc, char **argv)
{
	return oom_runs(argc > 1 ? atol(argv[1]) : 1, run_once, NULL);
}
