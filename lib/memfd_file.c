// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The descriptors of a memfd region: making them, and making sure that they
 * still are what they were. A program may close descriptors that are not its
 * own, as daemons do, and then open files of its own under the same numbers;
 * these must neither be locked nor punched nor closed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "memfd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U
#endif

int pashm_memfd_ticket(const char *name)
{
	char text[sizeof("pashm:") + PASHM_REGION_NAME_MAX];
	int fd;

	/* What people see in /proc/PID/maps */
	snprintf(text, sizeof(text), "pashm:%s", name ? name : "");
	fd = memfd_create(text, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(text, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

/* Beyond RLIMIT_FSIZE, ftruncate() would kill the process (SIGXFSZ) */
int pashm_memfd_file_size(int fd, uint64_t size)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_FSIZE, &limit) && size > limit.rlim_cur)
		return -EFBIG;
	if (ftruncate(fd, (off_t)size))
		return errno == EINVAL ? -EFBIG : -errno;
	return 0;
}

int pashm_memfd_reopen(int fd)
{
	char path[32];
	int opened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened = open(path, O_RDWR | O_CLOEXEC);
	return opened < 0 ? -errno : opened;
}

int pashm_memfd_file_set(struct memfd_region *m, int fd)
{
	struct stat stat;

	if (fstat(fd, &stat)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	m->base.fd = fd;
	m->device = stat.st_dev;
	m->inode = stat.st_ino;
	return 0;
}

static int stat_checked(const struct memfd_region *m, int fd, struct stat *stat)
{
	if (fstat(fd, stat))
		return -errno;
	return stat->st_dev == m->device && stat->st_ino == m->inode ?
	       0 : -EBADF;
}

int pashm_memfd_stat(const struct memfd_region *m, struct stat *stat)
{
	return stat_checked(m, m->lock_fd, stat);
}

void pashm_memfd_file_close(const struct memfd_region *m, int fd)
{
	struct stat stat;

	if (fd >= 0 && !stat_checked(m, fd, &stat))
		close(fd);
}
