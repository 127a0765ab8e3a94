// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory pressure on a region that is mostly unpinned, in a machine that is
 * too small for it and its neighbour. For scenarios/pressure.sh: prints one
 * result of the test anything protocol for each run, without a plan.
 *
 *   pressure FIRST LAST      numbers of the results
 */
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "pressure.h"

#define GROUP		"/sys/fs/cgroup/pashm-passing"

/*
 * Somebody who makes cgroups and removes them, over and over, but no faster than
 * they really go: what is left of them takes memory. Before Linux 6.7 no shrinker is
 * called while one is being made. Returns the pid.
 */
static pid_t start_passing_groups(void)
{
	pid_t pid = fork();

	while (!pid) {
		if (mkdir(GROUP, 0755) || rmdir(GROUP))
			_exit(1);
		while (file_number("/sys/fs/cgroup/cgroup.stat",
				   "nr_dying_descendants") > 10)
			usleep(1000);
	}
	return pid;
}

/* What came of it: it has to be killed, or else it could make no groups */
static const char *stop_passing_groups(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return "cgroups cannot be made";
	rmdir(GROUP);
	return NULL;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static bool run_once(long number)
{
	long long kills = file_number("/proc/vmstat", "oom_kill");
	long long swaps = file_number("/proc/vmstat", "pswpout");
	struct run run = { .fd = -1 };
	const char *problem = fill(&run);
	struct pashm_info info = { 0 };
	double start = seconds(), taken;
	size_t unpinned = 0, bytes = HOG;
	/*
	 * Not where the kernel checks itself, or swaps: there, reclaim takes so
	 * long that who makes a cgroup meanwhile counts as hung.
	 */
	bool passing = number % 2 == 0 && scaled(10) >= 10 &&
		       !file_number("/proc/meminfo", "SwapTotal");
	pid_t groups = passing ? start_passing_groups() : 0;
	int status = 0;

	if (!problem) {
		status = in_child(hog, &bytes);
		info = region_info(run.fd);
		unpinned = info.unpinned + info.purged;
		problem = verify(&run);
	}
	taken = seconds() - start;
	if (passing)
		problem = stop_passing_groups(groups) ?: problem;
	if (status)
		problem = "the neighbour did not get its memory";
	if (file_number("/proc/vmstat", "oom_kill") != kills)
		problem = "somebody was killed for want of memory";
	/*
	 * Reclaimers that were kept from the shrinkers for long come back with a
	 * request for everything.
	 */
	if (!problem && !passing && info.purged * 10 > unpinned * 9)
		problem = "nearly all unpinned memory was taken";
	/* What was in swap is lost, too, but no memory that was given back */
	if (!problem && run.lost * EXTENT * PAGE < info.purged)
		problem = "purges and reported losses differ";
	printf("# %lld of %zu unpinned pages purged, %lld swapped out, %.1f s\n",
	       (long long)(info.purged / PAGE), unpinned / PAGE,
	       file_number("/proc/vmstat", "pswpout") - swaps, taken);
	if (problem)
		printf("# %s (status %d)\n", problem, status);
	printf("%s %ld pressure, run %ld%s\n", problem ? "not ok" : "ok",
	       number, number, passing ? ", cgroups come and go" : "");
	fflush(stdout);
	release(&run);
	return !problem;
}

int main(int argc, char **argv)
{
	long number = argc > 1 ? atol(argv[1]) : 1;
	long last = argc > 2 ? atol(argv[2]) : number;
	bool good = true;

	for (; number <= last; number++)
		good &= run_once(number);
	return good ? 0 : 1;
}
