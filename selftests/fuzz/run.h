/* SPDX-License-Identifier: GPL-2.0-only */
/* One run: a world made, its processes at work, and the world looked over. */
#ifndef FUZZ_RUN_H
#define FUZZ_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct plan {
	uint64_t seed;
	int processes;
	int only;		/* replay this process alone; -1: all */
	uint64_t from, until;	/* operations of each process */
	uint64_t seconds;	/* 0: no limit */
	bool faults;
	bool huge;		/* that they are allowed is the caller's part */
	bool trace;
	bool quiet;
	const bool *left_out;	/* operations up to @until that are not run */
};

bool faults_available(void);
/* True if nothing was found */
bool run(const struct plan *plan);
/* Where the last run failed, in the process's own numbers */
uint64_t run_failed_at(void);
/* Find operations that a failure can do without; prints what is left */
void reduce(struct plan plan);

#endif /* FUZZ_RUN_H */
