// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "figures.h"
#include "survey.h"
#include "text.h"

/* The lines "pashm-KEY:\tNUMBER" of /proc/PID/fdinfo/FD */
#define KEY(key, member) \
	{ key, offsetof(struct pashm_region_info, member), \
	  sizeof(((struct pashm_region_info *)0)->member) }

static const struct fdinfo_key {
	const char *key;
	size_t offset;
	size_t size;
} fdinfo_keys[] = {
	KEY("inode", inode),
	KEY("length", length),
	KEY("resident", resident),
	KEY("swapped", swapped),
	KEY("unpinned", unpinned),
	KEY("extents", extents),
	KEY("pinned-extents", pinned_extents),
	KEY("purged", purged),
	KEY("purges", purges),
	KEY("tables", tables),
	KEY("clients", clients),
	KEY("violations", violations),
	KEY("epoch", epoch),
	KEY("priority", priority),
	KEY("flags", flags),
};

static void take_name(struct pashm_region_info *info, char *value)
{
	text_unescape(value);
	snprintf(info->name, sizeof(info->name), "%.*s",
		 (int)sizeof(info->name) - 1, value);
}

/* @line has lost "pashm-" */
static void take_line(struct pashm_region_info *info, char *line)
{
	char *value = strchr(line, '\t');
	uint64_t number;
	uint32_t half;
	size_t i;

	if (!value || value == line)
		return;
	value[-1] = '\0';	/* the colon */
	value++;
	value[strcspn(value, "\n")] = '\0';
	if (!strcmp(line, "name")) {
		take_name(info, value);
		return;
	}
	number = strtoull(value, NULL, 10);
	half = (uint32_t)number;
	for (i = 0; i < sizeof(fdinfo_keys) / sizeof(*fdinfo_keys); i++) {
		if (strcmp(line, fdinfo_keys[i].key))
			continue;
		if (fdinfo_keys[i].size == sizeof(half))
			memcpy((char *)info + fdinfo_keys[i].offset, &half,
			       sizeof(half));
		else
			memcpy((char *)info + fdinfo_keys[i].offset, &number,
			       sizeof(number));
		return;
	}
}

/* Of a descriptor of the module; false if it tells nothing of a region */
static bool read_fdinfo(pid_t pid, int fd, struct pashm_region_info *info)
{
	static const char prefix[] = "pashm-";
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (getline(&line, &size, file) > 0)
		if (!strncmp(line, prefix, sizeof(prefix) - 1))
			take_line(info, line + sizeof(prefix) - 1);
	free(line);
	fclose(file);
	return info->inode;
}

uint64_t figures_inode(pid_t pid, int fd)
{
	struct pashm_region_info info = { 0 };

	return read_fdinfo(pid, fd, &info) ? info.inode : 0;
}

/* "/dev/pashm/NAME (deleted)" */
static void read_mapped_name(const char *path, struct figures *figures)
{
	static const char suffix[] = " (deleted)";
	static const char prefix[] = "/dev/pashm/";
	char link[PATH_MAX], *end;
	ssize_t length;

	length = readlink(path, link, sizeof(link) - 1);
	if (length < (ssize_t)(sizeof(prefix) - 1))
		return;
	link[length] = '\0';
	end = strrchr(link, suffix[1]);
	if (end && end > link && !strcmp(end - 1, suffix))
		end[-1] = '\0';
	snprintf(figures->info.name, sizeof(figures->info.name), "%.*s",
		 (int)sizeof(figures->info.name) - 1,
		 link + sizeof(prefix) - 1);
}

/* All descriptors are closed: the mapped file tells its size at least */
static void read_mapped(const struct use *use, struct figures *figures)
{
	struct stat stat_buf;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", use->pid,
		 use->start, use->end);
	if (stat(path, &stat_buf) || (uint64_t)stat_buf.st_ino != use->inode)
		return;
	figures->depth = FIGURES_FILE;
	figures->info.length = (uint64_t)stat_buf.st_size;
	figures->info.resident = (uint64_t)stat_buf.st_blocks * 512;
	read_mapped_name(path, figures);
}

static void read_memfd(const struct use *use, struct figures *figures)
{
	char path[96];
	int fd;

	if (use->fd >= 0)
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", use->pid,
			 use->fd);
	else
		snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx",
			 use->pid, use->start, use->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	figures_read_memfd(fd, figures);
	close(fd);
}

void figures_read(const struct use *use, struct figures *figures)
{
	*figures = (struct figures){ 0 };
	if (use->kind == USE_MEMFD) {
		read_memfd(use, figures);
		figures->info.backend = PASHM_BACKEND_MEMFD;
	} else {
		if (use->fd < 0)
			read_mapped(use, figures);
		else if (read_fdinfo(use->pid, use->fd, &figures->info))
			figures->depth = FIGURES_ALL;
		figures->info.backend = PASHM_BACKEND_MODULE;
	}
	figures->info.inode = use->inode;
}
