// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Headroom: MemAvailable, and for each control group above us its limit less
 * its use, page cache counted as free. The kernel's own estimate of what can be
 * had without swapping leaves out shared memory, hence all of ours: right, as
 * the question is what is left if we keep everything.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "headroom.h"

/* Readings between two looks at where in the hierarchy the process is */
#define AGE_MAX		64

#define RESERVE_LEAST	(32LL << 20)
#define RESERVE_MOST	(2LL << 30)

/*
 * What to keep free: an eighth, and enough for the time between two looks, but
 * no more than a quarter of a small control group, nor than that time can ever
 * need on a large machine.
 */
static int64_t reserve_of(int64_t total)
{
	int64_t bytes = total / 8;

	if (bytes < RESERVE_LEAST)
		bytes = RESERVE_LEAST;
	if (bytes > RESERVE_MOST)
		bytes = RESERVE_MOST;
	return bytes < total / 4 ? bytes : total / 4;
}

static int text_read(int fd, char *text, size_t size)
{
	ssize_t length;

	if (fd < 0)
		return -1;
	length = pread(fd, text, size - 1, 0);
	if (length <= 0)
		return -1;
	text[length] = '\0';
	return 0;
}

/*
 * More than any machine has, in bytes: what version 1 says for no limit. What
 * provides these files is not always the kernel, so no figure is taken for
 * larger, and sums of a few cannot overflow.
 */
#define FIGURE_MOST	(1LL << 60)

static int64_t number_read(const char *text)
{
	int64_t number = strtoll(text, NULL, 10);

	if (number < 0)
		return 0;
	return number < FIGURE_MOST ? number : FIGURE_MOST;
}

/* The number behind @key in a file of lines; -1 if it is not there */
static int64_t number_after(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? number_read(found + strlen(key)) : -1;
}

static int64_t bytes_of_kib(int64_t kib)
{
	return kib < FIGURE_MOST / 1024 ? kib * 1024 : FIGURE_MOST;
}

/* A limit; "max" and missing files are none */
static int64_t limit_read(int fd)
{
	char text[32];
	int64_t limit;

	if (text_read(fd, text, sizeof(text)) || text[0] == 'm')
		return INT64_MAX;
	limit = number_read(text);
	return limit < FIGURE_MOST ? limit : INT64_MAX;
}

void pashm_headroom_open_at(struct headroom *headroom, const char *meminfo,
			    const char *self, const char *mount)
{
	headroom->age = 0;
	headroom->meminfo = open(meminfo, O_RDONLY | O_CLOEXEC);
	pashm_cgroup_open(&headroom->cgroup, self, mount);
}

void pashm_headroom_open(struct headroom *headroom)
{
	pashm_headroom_open_at(headroom, "/proc/meminfo", CGROUP_SELF,
			       CGROUP_MOUNT);
}

void pashm_headroom_close(struct headroom *headroom)
{
	pashm_cgroup_close(&headroom->cgroup);
	if (headroom->meminfo >= 0)
		close(headroom->meminfo);
}

static const struct slack slack_unknown = { .bytes = INT64_MAX };

static struct slack system_slack(const struct headroom *headroom)
{
	int64_t total, available;
	struct slack slack;
	char text[512];

	if (text_read(headroom->meminfo, text, sizeof(text)))
		return slack_unknown;
	total = number_after(text, "MemTotal:");
	available = number_after(text, "MemAvailable:");
	if (total < 0 || available < 0)
		return slack_unknown;
	slack.total = bytes_of_kib(total);
	slack.reserve = reserve_of(slack.total);
	slack.bytes = bytes_of_kib(available) - slack.reserve;
	return slack;
}

/*
 * Page cache of the group: it goes before anybody is killed. Version 1 counts
 * that of the groups below under other names.
 */
static int64_t level_cache(const struct cgroup_level *level)
{
	char text[4096];
	int64_t active, inactive;

	if (text_read(level->stat, text, sizeof(text)))
		return 0;
	inactive = number_after(text, "\ntotal_inactive_file ");
	active = number_after(text, "\ntotal_active_file ");
	if (inactive < 0)
		inactive = number_after(text, "\ninactive_file ");
	if (active < 0)
		active = number_after(text, "\nactive_file ");
	return (inactive > 0 ? inactive : 0) + (active > 0 ? active : 0);
}

static struct slack level_slack(const struct cgroup_level *level)
{
	int64_t limit = limit_read(level->max);
	int64_t high = limit_read(level->high);
	struct slack slack;
	char text[32];

	if (high < limit)
		limit = high;
	if (limit == INT64_MAX || text_read(level->current, text, sizeof(text)))
		return slack_unknown;
	slack.total = limit;
	slack.reserve = reserve_of(limit);
	slack.bytes = limit - number_read(text) - slack.reserve;
	/* memory.stat is long: read it only where it can make a difference */
	if (slack.bytes < slack.reserve)
		slack.bytes += level_cache(level);
	return slack;
}

struct slack pashm_headroom_read(struct headroom *headroom)
{
	struct slack slack = system_slack(headroom), found;
	unsigned int i;

	if (++headroom->age > AGE_MAX) {
		headroom->age = 0;
		pashm_cgroup_update(&headroom->cgroup);
	}
	for (i = 0; i < headroom->cgroup.count; i++) {
		found = level_slack(&headroom->cgroup.levels[i]);
		if (found.bytes < slack.bytes)
			slack = found;
	}
	return slack;
}
