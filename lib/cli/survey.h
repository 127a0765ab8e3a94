/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who uses pashm: descriptors and mappings of all processes, found in /proc.
 *
 * What nobody shows there: descriptors on the way through a socket, those of
 * processes in other pid namespaces, and of processes that we may not look at;
 * only the last can be counted.
 */
#ifndef CLI_SURVEY_H
#define CLI_SURVEY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * enum use_kind - what a process has
 * @USE_DEVICE: /dev/pashm itself, open
 * @USE_MODULE: a region of the module, or its tables mapped
 * @USE_MEMFD:  a region without the module
 */
enum use_kind {
	USE_DEVICE,
	USE_MODULE,
	USE_MEMFD,
};

/**
 * struct use - one descriptor, or one or more mappings of one region
 * @kind:  what it is
 * @pid:   who has it
 * @fd:    the descriptor, or -1: mapped
 * @inode: identifies the region; 0 if it cannot be found out
 * @start: with @fd -1: where one of the mappings begins
 * @end:   and ends
 */
struct use {
	enum use_kind kind;
	pid_t pid;
	int fd;
	uint64_t inode;
	unsigned long start;
	unsigned long end;
};

/**
 * struct survey
 * @uses:       sorted by inode, process, descriptor; mappings come last
 * @count:      their number
 * @unreadable: processes that we had no permission to look at
 */
struct survey {
	struct use *uses;
	size_t count;
	unsigned int unreadable;
};

void survey_all(struct survey *survey);

/*
 * One process, or with @fd >= 0 one descriptor of it. Returns 0; -ESRCH no such
 * process; -EACCES we may not look; -EBADF no such descriptor. What is there
 * but is not ours is not an error, and not in @survey.
 */
int survey_process(struct survey *survey, pid_t pid, int fd);

/* Add what other processes have of the same regions. */
void survey_widen(struct survey *survey);

/*
 * How many of the uses from number @first on are of the same region; those
 * whose region is unknown stand alone. 0 at the end.
 */
size_t survey_region(const struct survey *survey, size_t first);

/* Number of processes that have a region, in @count uses from @first on */
unsigned int survey_processes(const struct survey *survey, size_t first,
			      size_t count);

void survey_free(struct survey *survey);

/* Advice for the reader of @unreadable: " (run as root)", or "" if it is no use */
const char *survey_unreadable_advice(void);

/* What a descriptor leads to, cut off at @size. Returns 0 or a negative errno */
int survey_link(pid_t pid, int fd, char *link, size_t size);

#define SURVEY_NAME_MAX	64

/* The process's name as it is, or "?" */
void survey_name(pid_t pid, char name[SURVEY_NAME_MAX]);

#endif /* CLI_SURVEY_H */
