/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PID[/FD] on the command line: a process, or one descriptor of it. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

struct command;
struct survey;

/**
 * struct target
 * @pid: a process
 * @fd:  its descriptor, or -1 for all of them
 */
struct target {
	pid_t pid;
	int fd;
};

bool target_parse(const char *text, struct target *target);

/*
 * What the target has of pashm. Explains on standard error if that is nothing,
 * or cannot be found out, and returns false.
 */
bool target_survey(const struct target *target, struct survey *survey);

/*
 * A duplicate of a descriptor of another process. Returns it, or a negative
 * errno after having explained it.
 */
int target_duplicate(pid_t pid, int fd);

#endif /* CLI_TARGET_H */
