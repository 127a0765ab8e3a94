// SPDX-License-Identifier: GPL-2.0-only
/* The cgroup that the reading process is in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "reads.h"

#define GROUP	"/sys/fs/cgroup/pashm-reads"

static void group_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		die(path);
}

void group_make(void)
{
	/* It may be on already */
	FILE *control = fopen("/sys/fs/cgroup/cgroup.subtree_control", "w");

	if (control) {
		fputs("+memory", control);
		fclose(control);
	}
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		die("no cgroup v2 at /sys/fs/cgroup");
}

void group_enter(void)
{
	group_write(GROUP "/cgroup.procs", "0");
}

void group_limit(unsigned long mib)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", mib << 20);
	group_write(GROUP "/memory.max", text);
}

unsigned long group_used(void)
{
	FILE *file = fopen(GROUP "/memory.current", "r");
	unsigned long bytes;

	if (!file || fscanf(file, "%lu", &bytes) != 1)
		die(GROUP "/memory.current");
	fclose(file);
	return bytes >> 20;
}

unsigned long group_kills(void)
{
	FILE *file = fopen(GROUP "/memory.events", "r");
	unsigned long number, kills = 0;
	char name[64];

	if (!file)
		die(GROUP "/memory.events");
	while (fscanf(file, "%63s %lu", name, &number) == 2) {
		if (!strcmp(name, "oom_kill"))
			kills = number;
	}
	fclose(file);
	return kills;
}

void group_remove(void)
{
	int tries;

	/* What was in it needs a moment to end */
	for (tries = 0; rmdir(GROUP) && tries < 50; tries++)
		usleep(100000);
}
