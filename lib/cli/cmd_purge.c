// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/pashm.h>
#include <pashm/region.h>
#include "command.h"
#include "figures.h"
#include "message.h"
#include "survey.h"
#include "target.h"
#include "text.h"

static void explain(const struct use *use, int error)
{
	message_error("cannot purge %d/%d: %s", use->pid, use->fd,
		      strerror(error));
	switch (error) {
	case EACCES:
		message_hint("this descriptor may not write to the region: name another one");
		break;
	case EPERM:
		message_hint("the region is for its process alone (SOLE), and it runs without the module:");
		message_hint("only the process itself can purge it, with pashm_region_purge()");
		break;
	case ETIMEDOUT:
		message_hint("a process that purges it is stopped or very slow; see: pashmctl info %d/%d",
			     use->pid, use->fd);
		break;
	case EUSERS:
		message_hint("the region has as many clients as it can have");
		break;
	case EPROTO:
	case ENOTTY:
		message_hint("it belongs to another version of pashm than this one");
		break;
	}
}

/* Works for every region, as it makes no new client */
static int purge_module(const struct use *use, uint64_t *freed)
{
	struct pashm_purge purge = { .size = sizeof(purge) };
	int fd = target_duplicate(use->pid, use->fd);
	int ret = 0;

	if (fd < 0)
		return fd;
	if (ioctl(fd, PASHM_IOC_PURGE, &purge)) {
		ret = -errno;
		explain(use, -ret);
	}
	*freed = purge.freed;
	close(fd);
	return ret;
}

static int purge_memfd(const struct use *use, uint64_t *freed)
{
	struct pashm_region *region;
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", use->pid, use->fd);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		ret = -errno;
		message_error("cannot open %s: %m", path);
		message_hint("run as root");
		return ret;
	}
	ret = pashm_region_import(fd, &region);
	close(fd);
	if (!ret) {
		ret = pashm_region_purge(region, freed);
		pashm_region_close(region);
	}
	if (ret)
		explain(use, -ret);
	return ret;
}

static int purge_use(const struct use *use, bool exact)
{
	uint64_t freed = 0;
	char *size;
	int ret;

	if (use->kind == USE_MEMFD)
		ret = purge_memfd(use, &freed);
	else
		ret = purge_module(use, &freed);
	if (ret)
		return STATUS_FAILURE;
	size = text_size(freed, exact);
	printf("%d/%d: %s freed\n", use->pid, use->fd, size);
	free(size);
	return STATUS_OK;
}

/* @use: the first one of its region, hence a descriptor if there is any */
static int purge_region(const struct use *use, bool exact)
{
	if (use->kind == USE_DEVICE)
		return STATUS_OK;
	if (use->fd < 0) {
		message_error("process %d has region %" PRIu64 " mapped, but no descriptor of it",
			      use->pid, use->inode);
		message_hint("its memory is taken when the kernel needs it, and not before");
		return STATUS_FAILURE;
	}
	return purge_use(use, exact);
}

static int purge_target(const struct target *target, bool exact)
{
	int status = STATUS_OK;
	struct survey survey;
	size_t first, count;

	if (!target_survey(target, &survey))
		return STATUS_FAILURE;
	for (first = 0; (count = survey_region(&survey, first));
	     first += count)
		if (purge_region(&survey.uses[first], exact))
			status = STATUS_FAILURE;
	survey_free(&survey);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "bytes", no_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int status = STATUS_OK, option, i;
	struct target target;
	bool exact = false;

	while ((option = getopt_long(argc, argv, "bh", options, NULL)) != -1) {
		if (option != 'b')
			return command_other_option(self, option);
		exact = true;
	}
	if (optind == argc)
		return command_misused(self, "which process, or which descriptor of it?");
	/* Nothing is purged if a later argument is wrong */
	for (i = optind; i < argc; i++)
		if (!target_parse(argv[i], &target))
			return command_misused(self, "'%s' is neither PID nor PID/FD",
					       argv[i]);
	for (i = optind; i < argc; i++) {
		target_parse(argv[i], &target);
		if (purge_target(&target, exact))
			status = STATUS_FAILURE;
	}
	return status;
}

const struct command command_purge = {
	.name = "purge",
	.arguments = "[--bytes] PID[/FD]...",
	.summary = "Take all unpinned memory of a region now",
	.help =
"  PID/FD   the region behind descriptor FD of process PID\n"
"  PID      all regions that process PID has a descriptor of\n"
"  --bytes  exact numbers of bytes\n"
"\n"
"What is pinned stays. The owners find out when they pin the next time, as after\n"
"memory pressure. Takes the right to trace the process, mostly that of root.\n"
"The library's caches can be purged only where they use the module.\n"
"PID/FD as shown by: pashmctl info PID\n",
	.run = run,
};
