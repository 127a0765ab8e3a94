// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the shrinker free what it is asked for when many ask at once? A region of
 * 300 MB, three quarters of it unpinned, and processes that share one need for memory
 * and fill theirs at the same time.
 *
 *   direct PROCESSES ROUNDS
 *
 * Columns: processes, direct reclaims, scans, asked, freed, ratio; of those freed, more
 * than asked as extents go as a whole, and as the node was still short; all pages taken,
 * and for the OOM killer; longest scan in ms. What kswapd asks for is in it.
 */
#include "../../pressure.h"
#include "bench.h"

#define PROCESSES_MAX	64

/* Processes that wait until all are told, or until all others have come */
struct gate {
	int ends[2];
};

static void gate_make(struct gate *gate)
{
	if (pipe2(gate->ends, O_CLOEXEC))
		die("no pipe");
}

static void gate_leave(struct gate *gate)
{
	close(gate->ends[1]);
}

static void gate_wait(struct gate *gate)
{
	char byte;

	while (read(gate->ends[0], &byte, 1) < 0 && errno == EINTR)
		;
}

struct crowd {
	struct gate start, filled, end;
	pid_t pids[PROCESSES_MAX];
	size_t number;
};

/* Keeps its memory until all have theirs, or are dead */
static int member(struct crowd *crowd, size_t bytes)
{
	int status;

	gate_leave(&crowd->start);
	gate_leave(&crowd->end);
	gate_wait(&crowd->start);
	status = hog(&bytes);
	gate_leave(&crowd->filled);
	gate_wait(&crowd->end);
	return status;
}

static void crowd_start(struct crowd *crowd)
{
	gate_make(&crowd->start);
	gate_make(&crowd->filled);
	gate_make(&crowd->end);
	fflush(NULL);
	for (size_t i = 0; i < crowd->number; i++) {
		crowd->pids[i] = fork();
		if (crowd->pids[i] < 0)
			die("no process");
		if (!crowd->pids[i])
			_exit(member(crowd, HOG / crowd->number));
	}
	gate_leave(&crowd->filled);
}

/* All at once; whether each got its memory */
static bool crowd_run(struct crowd *crowd)
{
	struct gate *gates[] = { &crowd->start, &crowd->filled, &crowd->end };
	bool good = true;
	int status;

	gate_leave(&crowd->start);
	gate_wait(&crowd->filled);
	gate_leave(&crowd->end);
	for (size_t i = 0; i < crowd->number; i++)
		good &= waitpid(crowd->pids[i], &status, 0) == crowd->pids[i] &&
			!status;
	for (size_t i = 0; i < 3; i++)
		close(gates[i]->ends[0]);
	return good;
}

static long long direct_reclaims(void)
{
	const char *zones[] = { "allocstall_dma32", "allocstall_normal",
				"allocstall_movable" };
	long long sum = 0;

	for (size_t i = 0; i < 3; i++) {
		long long number = file_number("/proc/vmstat", zones[i]);

		sum += number > 0 ? number : 0;
	}
	return sum;
}

static bool round_of(struct crowd *crowd, struct stats *sum)
{
	struct run run = { .fd = -1 };
	const char *problem = fill(&run);
	struct stats before = stats_read();
	bool good;

	if (problem)
		die(problem);
	crowd_start(crowd);
	good = crowd_run(crowd);
	stats_add_since(sum, &before);
	problem = verify(&run);
	if (problem)
		die(problem);
	release(&run);
	return good;
}

int main(int argc, char **argv)
{
	struct crowd crowd = { .number = argc > 1 ? strtoul(argv[1], NULL, 0) : 1 };
	long rounds = argc > 2 ? atol(argv[2]) : 1;
	long long before = direct_reclaims();
	struct stats sum = { 0 };
	bool good = true;

	if (!crowd.number || crowd.number > PROCESSES_MAX)
		die("1 to 64 processes");
	stat_reset_longest();
	for (long i = 0; i < rounds; i++) {
		good &= round_of(&crowd, &sum);
		printf("%zu processes: round %ld of %ld\n", crowd.number, i + 1,
		       rounds);
		fflush(stdout);
	}
	printf("= %zu %lld %lld %lld %lld %.3f %lld %lld %lld %lld %.2f\n",
	       crowd.number, direct_reclaims() - before, sum.scans, sum.asked,
	       sum.freed, ratio((double)sum.freed, (double)sum.asked),
	       sum.rounded, sum.lacked, sum.taken, sum.oom_taken,
	       (double)stat_number("longest_scan_ns") / 1e6);
	if (!good)
		die("a process did not get its memory");
	return 0;
}
