// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "message.h"
#include "module.h"
#include "survey.h"
#include "target.h"
#include "text.h"

/* Digits only: strtol() would take blanks and signs, too */
static bool parse_number(const char *text, char **end, int *number)
{
	long value;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtol(text, end, 10);
	if (errno || value > INT_MAX)
		return false;
	*number = (int)value;
	return true;
}

bool target_parse(const char *text, struct target *target)
{
	char *end;

	target->fd = -1;
	if (!parse_number(text, &end, &target->pid) || !target->pid)
		return false;
	if (*end == '/' && !parse_number(end + 1, &end, &target->fd))
		return false;
	return *end == '\0';
}

static void explain_no_region(const struct target *target)
{
	char link[PATH_MAX];
	char *printable;

	if (target->fd < 0) {
		message_error("process %d has no region", target->pid);
		message_hint("see who has: pashmctl info");
		return;
	}
	if (survey_link(target->pid, target->fd, link, sizeof(link)))
		strcpy(link, "closed");
	printable = text_printable(link);
	message_error("descriptor %d of process %d is no region but %s",
		      target->fd, target->pid, printable);
	message_hint("see what it has: pashmctl info %d", target->pid);
	free(printable);
}

bool target_survey(const struct target *target, struct survey *survey)
{
	size_t i;
	int ret;

	ret = survey_process(survey, target->pid, target->fd);
	switch (ret) {
	case 0:
		for (i = 0; i < survey->count; i++)
			if (survey->uses[i].kind != USE_DEVICE)
				return true;
		explain_no_region(target);
		break;
	case -ESRCH:
		message_error("there is no process %d", target->pid);
		break;
	case -EBADF:
		message_error("process %d has no descriptor %d", target->pid,
			      target->fd);
		message_hint("see what it has: ls -l /proc/%d/fd", target->pid);
		break;
	case -EACCES:
		message_error("no permission to look at process %d",
			      target->pid);
		message_hint("it belongs to another user, or has more rights than you: use root");
		break;
	default:
		message_error("process %d: %s", target->pid, strerror(-ret));
	}
	survey_free(survey);
	return false;
}

static void explain_duplicate(pid_t pid, int fd, int error)
{
	char scope[16];

	message_error("cannot get descriptor %d of process %d: %s", fd, pid,
		      strerror(error));
	switch (error) {
	case EPERM:
	case EACCES:
		if (geteuid() != 0 &&
		    module_read_line("/proc/sys/kernel/yama/ptrace_scope",
				     scope, sizeof(scope)) && *scope != '0')
			message_hint("kernel.yama.ptrace_scope is %s: even a process of your own is refused",
				     scope);
		message_hint("that takes the right to trace the process; run as root");
		break;
	case ENOSYS:
		message_hint("pidfd_getfd() is blocked here; look for a seccomp filter");
		break;
	}
}

int target_duplicate(pid_t pid, int fd)
{
	int pidfd, copy = -1, error = 0;

	pidfd = pidfd_open(pid, 0);
	if (pidfd >= 0)
		copy = pidfd_getfd(pidfd, fd, 0);
	if (copy < 0) {
		error = errno;
		explain_duplicate(pid, fd, error);
	}
	if (pidfd >= 0)
		close(pidfd);
	return copy < 0 ? -error : copy;
}
