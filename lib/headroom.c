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

#define CGROUP_MOUNT	"/sys/fs/cgroup"
#define PATH_SIZE	512

/* Readings between two looks at where in the hierarchy the process is */
#define AGE_MAX		64

#define RESERVE_LEAST	(32LL << 20)

/*
 * What to keep free: an eighth, and enough for the time between two looks, but
 * no more than a quarter of a small control group.
 */
static int64_t reserve_of(int64_t total)
{
	int64_t bytes = total / 8;

	if (bytes < RESERVE_LEAST)
		bytes = RESERVE_LEAST;
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

/* The number behind @key in a file of lines; -1 if it is not there */
static int64_t number_after(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? strtoll(found + strlen(key), NULL, 10) : -1;
}

/* A limit; "max" and missing files are none */
static int64_t limit_read(int fd)
{
	char text[32];

	if (text_read(fd, text, sizeof(text)) || text[0] == 'm')
		return INT64_MAX;
	return strtoll(text, NULL, 10);
}

static int level_file(const char *directory, const char *name)
{
	char path[PATH_SIZE];
	int length = snprintf(path, sizeof(path), "%s/%s", directory, name);

	if (length < 0 || (size_t)length >= sizeof(path))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void level_close(struct headroom_level *level)
{
	const int fds[] = { level->max, level->high, level->current,
			    level->stat };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/* A group without a limit's file is the root, or the controller is off there */
static int level_open(struct headroom_level *level, const char *directory)
{
	level->max = level_file(directory, "memory.max");
	level->high = level_file(directory, "memory.high");
	level->current = level_file(directory, "memory.current");
	level->stat = level_file(directory, "memory.stat");
	if (level->max >= 0 && level->current >= 0)
		return 0;
	level_close(level);
	return -1;
}

/* Our place in the unified hierarchy, the line that begins with "0::" */
int pashm_headroom_cgroup_path(char *path, int size, const char *name)
{
	char text[4096], *place, *end;
	int fd, ret, length;

	fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = text_read(fd, text, sizeof(text));
	close(fd);
	if (ret)
		return -1;
	place = strstr(text, "0::/");
	if (!place || (place != text && place[-1] != '\n'))
		return -1;
	place += strlen("0::");
	end = strchr(place, '\n');
	if (end)
		*end = '\0';
	length = snprintf(path, (size_t)size, CGROUP_MOUNT "%s%s%s", place,
			  *name ? "/" : "", name);
	return length < size ? 0 : -1;
}

static void levels_close(struct headroom *headroom)
{
	while (headroom->count)
		level_close(&headroom->levels[--headroom->count]);
}

/* From the own group up; the mount point itself is the root, without limits */
static void levels_open(struct headroom *headroom)
{
	char path[PATH_SIZE], *slash;

	headroom->age = 0;
	if (pashm_headroom_cgroup_path(path, sizeof(path), ""))
		return;
	while (strlen(path) > strlen(CGROUP_MOUNT "/") &&
	       headroom->count < HEADROOM_LEVELS) {
		if (!level_open(&headroom->levels[headroom->count], path))
			headroom->count++;
		slash = strrchr(path, '/');
		*slash = '\0';
	}
}

void pashm_headroom_open(struct headroom *headroom)
{
	*headroom = (struct headroom){
		.meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC),
	};
	levels_open(headroom);
}

void pashm_headroom_close(struct headroom *headroom)
{
	levels_close(headroom);
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
	slack.reserve = reserve_of(total * 1024);
	slack.bytes = available * 1024 - slack.reserve;
	return slack;
}

/* Page cache of the group: it goes before anybody is killed */
static int64_t level_cache(const struct headroom_level *level)
{
	char text[4096];
	int64_t active, inactive;

	if (text_read(level->stat, text, sizeof(text)))
		return 0;
	inactive = number_after(text, "\ninactive_file ");
	active = number_after(text, "\nactive_file ");
	return (inactive > 0 ? inactive : 0) + (active > 0 ? active : 0);
}

static struct slack level_slack(const struct headroom_level *level)
{
	int64_t limit = limit_read(level->max);
	int64_t high = limit_read(level->high);
	struct slack slack;
	char text[32];

	if (high < limit)
		limit = high;
	if (limit == INT64_MAX || text_read(level->current, text, sizeof(text)))
		return slack_unknown;
	slack.reserve = reserve_of(limit);
	slack.bytes = limit - strtoll(text, NULL, 10) - slack.reserve;
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
		levels_close(headroom);
		levels_open(headroom);
	}
	for (i = 0; i < headroom->count; i++) {
		found = level_slack(&headroom->levels[i]);
		if (found.bytes < slack.bytes)
			slack = found;
	}
	return slack;
}
