/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs under pressure, the columns: pages purged, pages needed, pages swapped out */
#ifndef PASHM_BENCH_RECLAIM_OOM_H
#define PASHM_BENCH_RECLAIM_OOM_H

#include "bench.h"

/* What one run found; without @problem if all got their memory */
struct outcome {
	const char *problem;
	uint64_t purged;		/* bytes */
	uint64_t needed;		/* bytes */
};

/* Returns the exit status; somebody who is killed is a problem of the run's */
static inline int oom_runs(long runs, struct outcome (*run_once)(void *arg),
			   void *arg)
{
	int status = 0;

	for (long i = 1; i <= runs; i++) {
		long long swaps = file_number("/proc/vmstat", "pswpout");
		struct outcome outcome = run_once(arg);

		printf("= %llu %llu %lld\n",
		       (unsigned long long)(outcome.purged / PAGE),
		       (unsigned long long)(outcome.needed / PAGE),
		       file_number("/proc/vmstat", "pswpout") - swaps);
		if (i % 5 == 0 || i == runs)
			printf("run %ld of %ld\n", i, runs);
		fflush(stdout);
		if (outcome.problem) {
			fprintf(stderr, "bench: %s\n", outcome.problem);
			status = 1;
		}
	}
	return status;
}

#endif /* PASHM_BENCH_RECLAIM_OOM_H */
