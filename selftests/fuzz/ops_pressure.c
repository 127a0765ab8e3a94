// SPDX-License-Identifier: GPL-2.0-only
/* The VM's side: caches dropped, cgroups reclaimed, processes moved. */
#include <sys/stat.h>

#include "ops.h"

#define CGROUPS		"/sys/fs/cgroup"
#define GROUPS		2
/* For what can neither be taken nor swapped out: tables, stacks, slabs */
#define LIMIT_ROOM	(8UL << 20)

static char groups[GROUPS][64];

/* Cgroups are used where they can be had */
void pressure_open(void)
{
	int i;

	for (i = 0; i < GROUPS; i++) {
		snprintf(groups[i], sizeof(groups[i]),
			 CGROUPS "/pashm-fuzz-%d-%d", getpid(), i);
		if (mkdir(groups[i], 0755))
			groups[i][0] = '\0';
	}
}

void pressure_close(void)
{
	int i;

	file_write(CGROUPS "/cgroup.procs", "0");
	for (i = 0; i < GROUPS; i++)
		if (groups[i][0])
			rmdir(groups[i]);
}

void op_drop_caches(struct stream *s)
{
	if (!once_in(s, 4))
		return;
	journal_call("drop caches", "", 0, 0, 0, 0);
	journal_return(file_write("/proc/sys/vm/drop_caches", "2"));
}

static const char *group_draw(struct stream *s)
{
	uint64_t which = below(s, GROUPS + 1);

	return which < GROUPS && groups[which][0] ? groups[which] : CGROUPS;
}

void op_reclaim(struct stream *s)
{
	const char *group = group_draw(s);
	char path[96], amount[16];

	if (!once_in(s, 4))
		return;
	snprintf(path, sizeof(path), "%s/memory.reclaim", group);
	snprintf(amount, sizeof(amount), "%lluK",
		 (unsigned long long)small(s, 4096));
	journal_call("reclaim", "%s", (long)group, 0, 0, 0);
	journal_return(file_write(path, amount));
}

/*
 * A group is made to give memory back, or told that it may grow again. Nobody
 * must die of it: who is above the lower limit is slowed down, and the upper one
 * is so high that swapping helps.
 */
void op_limit(struct stream *s)
{
	bool upper = once_in(s, 2), off = once_in(s, 2);
	const char *group = group_draw(s);
	char path[96], text[32];
	uint64_t limit;
	long ret;

	snprintf(path, sizeof(path), "%s/memory.current", group);
	limit = strtoull(file_contents(path, text, sizeof(text)), NULL, 10);
	if (upper)
		limit += LIMIT_ROOM + below(s, LIMIT_ROOM);
	else
		limit -= below(s, limit / 4 + 1);
	if (!strcmp(group, CGROUPS) || (upper && !world->swap))
		return;
	snprintf(path, sizeof(path), "%s/memory.%s", group,
		 upper ? "max" : "high");
	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	journal_call("limit", "%s, upper %ld, off %ld, %ld", (long)group,
		     upper, off, (long)limit);
	ret = file_write(path, off ? "max" : text);
	/*
	 * Reclaimed at once; to stay above it would slow all down, and a huge page
	 * is so much that each touch of another one takes two seconds.
	 */
	if (!ret && !upper && !off && (world->huge || !once_in(s, 8)))
		ret = file_write(path, "max");
	journal_return(ret);
	if (ret)
		fail("%s cannot be set: %s", path, result_name(ret));
}

/* What is touched from here on is charged to another cgroup */
void op_move(struct stream *s)
{
	const char *group = group_draw(s);
	char path[96];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	journal_call("move", "%s", (long)group, 0, 0, 0);
	journal_return(file_write(path, "0"));
}
