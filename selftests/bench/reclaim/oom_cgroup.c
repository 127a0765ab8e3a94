// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cgroup's limit is short: groups fill regions, of which nine tenths are unpinned,
 * beyond what they may have.
 *
 *   oom_cgroup KIND RUNS
 *
 *   max      300 MB within memory.max of 128 MB
 *   nested   two groups with 100 MB each, at once, in one with memory.max of 128 MB; one
 *            of them has a limit of 64 MB of its own
 *   high     100 MB with memory.high of 64 MB
 *
 * Columns: see oom.h. Needed is what is filled beyond the limit that holds all.
 */
#include "../../cgroup.h"
#include "oom.h"

struct kind {
	const char *name;
	const char *limit;		/* of the inner group's, or NULL */
	size_t inner;			/* units that it fills */
	size_t other;			/* and the other group */
	size_t kept;			/* units that stay */
};

static const struct kind kinds[] = {
	{ "max", NULL, 300, 0, LIMIT },
	{ "nested", "memory.max", 100, 100, LIMIT },
	{ "high", "memory.high", 100, 0, LIMIT / 2 },
};

static pid_t start_filling(struct job *job)
{
	pid_t pid;

	job->fd = region_create(job->pages, 0);
	if (job->fd < 0)
		die("no region: is the module loaded?");
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("no process");
	if (!pid)
		_exit(fill_in_group(job));
	return pid;
}

static bool is_done_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && !status;
}

/* Not before all are done: a region that is gone leaves room for the others */
static void close_region(struct job *job, struct outcome *outcome)
{
	outcome->purged += region_info(job->fd).purged;
	close(job->fd);
}

static struct outcome run_once(void *arg)
{
	const struct kind *kind = arg;
	struct job inner = { .group = INNER, .pages = units(kind->inner) / PAGE };
	struct job other = { .group = OTHER, .pages = units(kind->other) / PAGE };
	struct outcome outcome = {
		.problem = make_groups(),
		.needed = units(kind->inner + kind->other - kind->kept),
	};
	pid_t pid, second = 0;
	bool good;

	if (outcome.problem)
		return outcome;
	if (kind->limit && group_set(INNER, kind->limit, units(LIMIT / 2)))
		die("a group takes no limit");
	pid = start_filling(&inner);
	if (kind->other)
		second = start_filling(&other);
	good = is_done_well(pid);
	if (kind->other) {
		good &= is_done_well(second);
		close_region(&other, &outcome);
	}
	close_region(&inner, &outcome);
	if (!good)
		outcome.problem = "a group could not be filled";
	if (oom_kills())
		outcome.problem = "somebody was killed for a limit's sake";
	remove_groups();
	return outcome;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (argc > 1 && !strcmp(argv[1], kinds[i].name))
			return oom_runs(argc > 2 ? atol(argv[2]) : 1, run_once,
					(void *)&kinds[i]);
	die("max, nested or high");
	return 1;
}
