// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/pashm_pin.h>
#include "figures.h"
#include "message.h"
#include "module.h"
#include "survey.h"
#include "text.h"

#define LINK_MODULE	"anon_inode:[pashm]"
#define LINK_DEVICE	"/dev/pashm"
#define LINK_DATA	"/dev/pashm/"		/* in maps: the module's data */
#define LINK_MEMFD	"/memfd:"

#define TASK_KTHREAD	0x00200000UL		/* PF_KTHREAD in stat */

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* A memfd may have any name: its first words tell whether it is a region */
static bool is_region(const char *path, uint64_t *inode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct pashm_header header;
	struct stat stat;
	bool found;

	if (fd < 0)
		return false;
	found = fcntl(fd, F_GET_SEALS) >= 0 && !fstat(fd, &stat) &&
		pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
		header.magic == PASHM_HEADER_MAGIC;
	if (found)
		*inode = stat.st_ino;
	close(fd);
	return found;
}

int survey_link(pid_t pid, int fd, char *link, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	length = readlink(path, link, size - 1);
	if (length < 0)
		return -errno;
	link[length] = '\0';
	return 0;
}

static void add(struct survey *survey, const struct use *use)
{
	/* Powers of two, as there may be many */
	if (!(survey->count & (survey->count - 1))) {
		survey->uses = reallocarray(survey->uses,
					    survey->count ? 2 * survey->count : 1,
					    sizeof(*survey->uses));
		if (!survey->uses)
			message_no_memory();
	}
	survey->uses[survey->count++] = *use;
}

/* Returns 0, or -EACCES if we may not know what it is */
static int add_descriptor(struct survey *survey, pid_t pid, int fd)
{
	struct use use = { .pid = pid, .fd = fd };
	char link[PATH_MAX], path[64];
	int ret;

	ret = survey_link(pid, fd, link, sizeof(link));
	if (ret)
		return ret == -EACCES ? ret : 0;
	if (!strcmp(link, LINK_DEVICE)) {
		use.kind = USE_DEVICE;
	} else if (!strcmp(link, LINK_MODULE)) {
		use.kind = USE_MODULE;
		use.inode = figures_inode(pid, fd);
	} else if (begins(link, LINK_MEMFD)) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		if (!is_region(path, &use.inode))
			return 0;
		use.kind = USE_MEMFD;
	} else {
		return 0;
	}
	add(survey, &use);
	return 0;
}

/*
 * Mappings of one region become one use. Tables do not tell whose they are:
 * they count only in a process that seems to have no region, @first being the
 * first use of the process.
 */
static void add_mapping(struct survey *survey, size_t first,
			const struct use *use)
{
	struct use *other;
	size_t i;

	for (i = first; i < survey->count; i++) {
		other = &survey->uses[i];
		if (other->kind != use->kind)
			continue;
		if (!use->inode || (other->fd < 0 && other->inode == use->inode))
			return;
		if (other->fd < 0 && !other->inode) {
			*other = *use;
			return;
		}
	}
	add(survey, use);
}

static bool is_known(const struct survey *survey, size_t first, uint64_t inode)
{
	size_t i;

	for (i = first; i < survey->count; i++)
		if (survey->uses[i].inode == inode)
			return true;
	return false;
}

/* "start-end perms offset major:minor inode path" */
static void add_map_line(struct survey *survey, size_t first, pid_t pid,
			 const char *line)
{
	struct use use = { .pid = pid, .fd = -1 };
	unsigned int major;
	char link[96];
	int path = 0;

	if (sscanf(line, "%lx-%lx %*s %*s %x:%*x %" SCNu64 " %n", &use.start,
		   &use.end, &major, &use.inode, &path) != 4 || !path)
		return;
	/* Files of a real device may have any name */
	if (major)
		return;
	if (begins(line + path, LINK_DATA)) {
		use.kind = USE_MODULE;
	} else if (begins(line + path, LINK_MODULE)) {
		use.kind = USE_MODULE;
		use.inode = 0;		/* that of all anonymous inodes */
	} else if (begins(line + path, LINK_MEMFD)) {
		snprintf(link, sizeof(link), "/proc/%d/map_files/%lx-%lx", pid,
			 use.start, use.end);
		if (!is_known(survey, first, use.inode) &&
		    !is_region(link, &use.inode))
			return;
		use.kind = USE_MEMFD;
	} else {
		return;
	}
	add_mapping(survey, first, &use);
}

static void add_mappings(struct survey *survey, size_t first, pid_t pid)
{
	size_t size = 0;
	char path[64], *line = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (getline(&line, &size, file) > 0)
		add_map_line(survey, first, pid, line);
	free(line);
	fclose(file);
}

/* Their /proc looks as if we had no permission, while they have nothing */
static bool is_kernel_thread(pid_t pid)
{
	char path[64], line[512], *end;
	unsigned long flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!module_read_line(path, line, sizeof(line)))
		return false;
	end = strrchr(line, ')');
	return end && sscanf(end, ") %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 &&
	       flags & TASK_KTHREAD;
}

/* Returns 0, -EACCES or another negative errno of opening the directory */
static int add_process(struct survey *survey, pid_t pid)
{
	size_t first = survey->count;
	struct dirent *entry;
	char path[64];
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == EPERM ? -EACCES : -errno;
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = add_descriptor(survey, pid, atoi(entry->d_name));
	closedir(dir);
	add_mappings(survey, first, pid);
	return ret;
}

static int compare(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	/* As unsigned, -1 is the last */
	if (x->fd != y->fd)
		return (unsigned int)x->fd < (unsigned int)y->fd ? -1 : 1;
	return 0;
}

static void sort(struct survey *survey)
{
	if (survey->count)
		qsort(survey->uses, survey->count, sizeof(*survey->uses),
		      compare);
}

void survey_all(struct survey *survey)
{
	struct dirent *entry;
	pid_t pid;
	DIR *dir;
	int ret;

	*survey = (struct survey){ 0 };
	dir = opendir("/proc");
	if (!dir) {
		message_error("cannot look for processes: /proc: %m");
		return;
	}
	while ((entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid <= 0)
			continue;
		ret = add_process(survey, pid);
		if (ret == -EACCES && !is_kernel_thread(pid))
			survey->unreadable++;
	}
	closedir(dir);
	sort(survey);
}

int survey_process(struct survey *survey, pid_t pid, int fd)
{
	struct stat stat_buf;
	char path[64];
	int ret;

	*survey = (struct survey){ 0 };
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &stat_buf))
		return -ESRCH;
	if (fd < 0) {
		ret = add_process(survey, pid);
		sort(survey);
		return ret;
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	if (lstat(path, &stat_buf))
		return errno == ENOENT ? -EBADF : -EACCES;
	return add_descriptor(survey, pid, fd);
}

void survey_widen(struct survey *survey)
{
	struct survey all, wide = { 0 };
	size_t i;

	survey_all(&all);
	for (i = 0; i < all.count; i++)
		if (all.uses[i].inode &&
		    is_known(survey, 0, all.uses[i].inode))
			add(&wide, &all.uses[i]);
	for (i = 0; i < survey->count; i++)
		if (!survey->uses[i].inode)
			add(&wide, &survey->uses[i]);
	wide.unreadable = all.unreadable;
	survey_free(&all);
	survey_free(survey);
	sort(&wide);
	*survey = wide;
}

size_t survey_region(const struct survey *survey, size_t first)
{
	size_t i = first + 1;

	if (first >= survey->count)
		return 0;
	if (!survey->uses[first].inode)
		return 1;
	while (i < survey->count &&
	       survey->uses[i].inode == survey->uses[first].inode)
		i++;
	return i - first;
}

unsigned int survey_processes(const struct survey *survey, size_t first,
			      size_t count)
{
	unsigned int found = 0;
	size_t i, j;

	for (i = first; i < first + count; i++) {
		if (survey->uses[i].kind == USE_DEVICE)
			continue;
		for (j = first; j < i; j++)
			if (survey->uses[j].kind != USE_DEVICE &&
			    survey->uses[j].pid == survey->uses[i].pid)
				break;
		found += j == i;
	}
	return found;
}

void survey_free(struct survey *survey)
{
	free(survey->uses);
	*survey = (struct survey){ 0 };
}

const char *survey_unreadable_advice(void)
{
	return geteuid() != 0 ? " (run as root)" : "";
}

void survey_name(pid_t pid, char name[SURVEY_NAME_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (!module_read_line(path, name, SURVEY_NAME_MAX))
		strcpy(name, "?");
}
