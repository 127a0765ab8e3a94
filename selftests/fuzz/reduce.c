// SPDX-License-Identifier: GPL-2.0-only
/*
 * Find a short way to a failure: leave operations out, in ever smaller pieces,
 * as long as it still fails. Each operation draws from a stream of its own, so
 * the others stay what they were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define TRIES	400

static bool still_fails(struct plan *plan, bool *left_out, uint64_t first,
			uint64_t n)
{
	bool *before = malloc(plan->until);
	bool fails;

	if (!before)
		return false;
	memcpy(before, left_out, plan->until);
	memset(left_out + first, true, n);
	fails = !run(plan);
	if (!fails)
		memcpy(left_out, before, plan->until);
	free(before);
	return fails;
}

void reduce(struct plan plan)
{
	uint64_t size, first, left = 0;
	bool *left_out;
	int tries = 0;

	plan.until = run_failed_at() + 1;
	plan.quiet = true;
	left_out = calloc(plan.until, 1);
	if (!left_out)
		return;
	plan.left_out = left_out;
	for (size = plan.until / 2; size; size /= 2)
		for (first = 0; first < plan.until && tries < TRIES;
		     first += size) {
			uint64_t n = plan.until - first;

			tries++;
			still_fails(&plan, left_out, first,
				    n < size ? n : size);
		}
	for (first = 0; first < plan.until; first++)
		left += !left_out[first];
	printf("# reduced to %llu of %llu operations in %d tries:\n",
	       (unsigned long long)left, (unsigned long long)plan.until,
	       tries);
	plan.quiet = false;
	plan.trace = true;
	run(&plan);
	free(left_out);
}
