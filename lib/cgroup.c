// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where in the hierarchies of control groups this process is.
 *
 * /proc/self/cgroup is relative to the root of the process's control group
 * namespace, and what is mounted is not always that root: in a container whose
 * namespace is private the path is "/" and the mount point is the container's
 * own group, limits and all; in one that has the host's namespace the path may
 * not exist below the mount point, which again is the container's own group. So
 * each directory from the path up to and including the mount point is tried.
 * The true root has no limits, which shows by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cgroup.h"

/**
 * struct hierarchy - what differs between the versions
 * @controller: as in /proc/self/cgroup
 * @directory:  below the mount point
 */
static const struct hierarchy {
	const char *controller;
	const char *directory;
	const char *max;
	const char *high;
	const char *current;
} hierarchies[CGROUP_PLACES] = {
	{ "", "", "memory.max", "memory.high", "memory.current" },
	{ "memory", "/memory", "memory.limit_in_bytes", NULL,
	  "memory.usage_in_bytes" },
};

/* The path in a line "number:controller:path"; NULL if there is no such line */
static const char *place_find(const char *text, const char *controller)
{
	size_t length = strlen(controller);
	const char *field, *line = text;

	while (line) {
		field = strchr(line, ':');
		if (!field)
			return NULL;
		field++;
		if (!strncmp(field, controller, length) &&
		    !strncmp(field + length, ":/", 2))
			return field + length + 1;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return NULL;
}

/* Fills in all @places; those that are missing, too long or outside are empty */
static void places_read(const struct cgroup *cgroup,
			char (*places)[CGROUP_PATH])
{
	const char *place;
	char text[4096];
	ssize_t length = -1;
	size_t i, size;
	int fd;

	memset(places, 0, CGROUP_PLACES * sizeof(*places));
	fd = open(cgroup->self, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[length > 0 ? length : 0] = '\0';
	for (i = 0; i < CGROUP_PLACES; i++) {
		place = place_find(text, hierarchies[i].controller);
		if (!place)
			continue;
		size = strcspn(place, "\n");
		/* Above the namespace's root: only that root can be seen */
		if (!strncmp(place, "/..", 3) || size >= CGROUP_PATH)
			size = 1;
		memcpy(places[i], place, size);
	}
}

/* -1: no such file. Errors that are not about the file go to @error. */
static int level_file(const char *directory, const char *name, int *error)
{
	char path[CGROUP_PATH * 2];
	int fd;

	if (!name || snprintf(path, sizeof(path), "%s/%s", directory, name) >=
		     (int)sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		*error = -errno;
	return fd;
}

static void level_close(struct cgroup_level *level)
{
	const int fds[] = { level->max, level->high, level->current,
			    level->stat };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void levels_close(struct cgroup *cgroup)
{
	while (cgroup->count)
		level_close(&cgroup->levels[--cgroup->count]);
}

/* A group without a limit's file is the root, or the controller is off there */
static int level_open(struct cgroup *cgroup, const struct hierarchy *hierarchy,
		      const char *directory)
{
	struct cgroup_level *level = &cgroup->levels[cgroup->count];
	int error = 0;

	level->max = level_file(directory, hierarchy->max, &error);
	level->high = level_file(directory, hierarchy->high, &error);
	level->current = level_file(directory, hierarchy->current, &error);
	level->stat = level_file(directory, "memory.stat", &error);
	if (!error && level->max >= 0 && level->current >= 0)
		cgroup->count++;
	else
		level_close(level);
	return error;
}

static int levels_open(struct cgroup *cgroup, unsigned int index)
{
	const struct hierarchy *hierarchy = &hierarchies[index];
	char path[CGROUP_PATH * 2], *slash;
	size_t root;
	int error;

	if (!cgroup->places[index][0])
		return 0;
	root = (size_t)snprintf(path, CGROUP_PATH, "%s%s", cgroup->mount,
				hierarchy->directory);
	snprintf(path + root, CGROUP_PATH, "%s", cgroup->places[index]);
	for (;;) {
		slash = strrchr(path, '/');
		/* The place "/" is the mount point */
		if (slash[1] == '\0')
			*slash = '\0';
		if (cgroup->count == CGROUP_LEVELS)
			return 0;
		error = level_open(cgroup, hierarchy, path);
		if (error || strlen(path) <= root)
			return error;
		*strrchr(path, '/') = '\0';
	}
}

static int all_open(struct cgroup *cgroup)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < CGROUP_PLACES && !error; i++)
		error = levels_open(cgroup, i);
	return error;
}

void pashm_cgroup_open(struct cgroup *cgroup, const char *self,
		       const char *mount)
{
	*cgroup = (struct cgroup){ .self = self, .mount = mount };
	pashm_cgroup_update(cgroup);
}

void pashm_cgroup_close(struct cgroup *cgroup)
{
	levels_close(cgroup);
}

void pashm_cgroup_update(struct cgroup *cgroup)
{
	struct cgroup next = { .self = cgroup->self, .mount = cgroup->mount,
			       .moves = cgroup->moves + 1 };

	places_read(cgroup, next.places);
	/* Unreadable: for want of descriptors, probably */
	if (!next.places[0][0] && !next.places[1][0])
		return;
	if (!memcmp(next.places, cgroup->places, sizeof(next.places)))
		return;
	if (all_open(&next)) {
		levels_close(&next);
		return;
	}
	levels_close(cgroup);
	*cgroup = next;
}

int pashm_cgroup_path(const struct cgroup *cgroup, char *path, int size,
		      const char *name)
{
	int length;

	if (!cgroup->places[0][0])
		return -1;
	length = snprintf(path, (size_t)size, "%s%s/%s", cgroup->mount,
			  cgroup->places[0], name);
	return length < size ? 0 : -1;
}
