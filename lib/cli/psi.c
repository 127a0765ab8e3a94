// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "../cgroup.h"
#include "psi.h"
#include "text.h"

/* The window that a process without privileges may have, in microseconds */
#define TRIGGER	"some 150000 2000000"

static const char *explain(int error)
{
	switch (error) {
	case ENOENT:
		return "not there";
	case EOPNOTSUPP:
		return "pressure accounting is off; boot with psi=1";
	default:
		return strerror(error);
	}
}

/* Only registering a trigger shows whether one may; closing takes it back */
static const char *try_trigger(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	const char *why = NULL;

	if (fd < 0)
		return explain(errno);
	if (write(fd, TRIGGER, sizeof(TRIGGER)) < 0)
		why = explain(errno);
	close(fd);
	return why;
}

/* Only readable figures */
static const char *try_figures(const char *path)
{
	return access(path, R_OK) ? explain(errno) : NULL;
}

/* In the own control group; the root of the hierarchy has no limits */
static void read_cgroup(struct psi_source *source, const char *name,
			const char *(*try)(const char *path))
{
	char path[CGROUP_PATH], *twice;
	struct cgroup cgroup;
	int ret;

	pashm_cgroup_open(&cgroup, CGROUP_SELF, CGROUP_MOUNT);
	ret = pashm_cgroup_path(&cgroup, path, sizeof(path), name);
	pashm_cgroup_close(&cgroup);
	if (ret) {
		source->why = "no control group of version 2";
		return;
	}
	twice = strstr(path, "//");
	if (twice)
		memmove(twice, twice + 1, strlen(twice));
	source->path = text_format("%s", path);
	source->why = try(path);
}

void psi_read(struct psi_source sources[PSI_SOURCES])
{
	memset(sources, 0, PSI_SOURCES * sizeof(*sources));
	sources[0].name = "free memory";
	sources[0].path = text_format("/proc/meminfo");
	sources[0].why = try_figures(sources[0].path);
	sources[1].name = "cgroup limit";
	read_cgroup(&sources[1], "memory.max", try_figures);
	sources[2].name = "cgroup stalls";
	read_cgroup(&sources[2], "memory.pressure", try_trigger);
	sources[3].name = "system stalls";
	sources[3].path = text_format("/proc/pressure/memory");
	sources[3].why = try_trigger(sources[3].path);
}
