// SPDX-License-Identifier: GPL-2.0-only
/* The VM's side: caches dropped, cgroups reclaimed, processes moved. */
#include <sys/stat.h>

#include "ops.h"

#define CGROUPS		"/sys/fs/cgroup"
#define GROUPS		2

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

/* What is touched from here on is charged to another cgroup */
void op_move(struct stream *s)
{
	const char *group = group_draw(s);
	char path[96];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	journal_call("move", "%s", (long)group, 0, 0, 0);
	journal_return(file_write(path, "0"));
}
