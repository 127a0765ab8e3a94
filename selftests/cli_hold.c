// SPDX-License-Identifier: GPL-2.0-only
/*
 * Something for cli.sh to look at: has what its arguments say, prints its
 * process and descriptor as PID/FD, and stays until it is killed.
 *
 *   cli_hold module|memfd [NAME [sole]]  a region of four extents of 16 pages,
 *                                        all filled, the first one pinned; of
 *                                        priority 6
 *   cli_hold device                      /dev/pashm
 *   cli_hold mapped NAME                 a mapping of a region, no descriptor
 *   cli_hold readonly NAME               a region it has lost its rights to
 *   cli_hold memory                      a memfd that is no region
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pashm.h>
#include <pashm/region.h>

#define EXTENTS		4
#define EXTENT_PAGES	16

static void check(int ret, const char *what)
{
	if (ret) {
		errno = -ret;
		err(1, "%s", what);
	}
}

static int hold_region(enum pashm_backend backend, const char *name,
		       uint32_t flags)
{
	const size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	const struct pashm_region_params params = {
		.length = EXTENTS * EXTENT_PAGES * page_size,
		.name = name,
		.flags = flags | PASHM_REGION_PRIORITY,
		.priority = 6,
		.backend = backend,
	};
	struct pashm_region *region;
	struct pashm_handle handle;
	void *data;
	uint32_t i;

	check(pashm_region_create(&params, &region), "create");
	check(pashm_region_map(region, PROT_READ | PROT_WRITE, &data), "map");
	for (i = 0; i < EXTENTS; i++)
		check(pashm_extent_create(region, i * EXTENT_PAGES,
					  EXTENT_PAGES,
					  PASHM_PRIORITY_DEFAULT, &handle),
		      "extent");
	memset(data, 1, params.length);
	for (i = 1; i < EXTENTS; i++)
		check(pashm_unpin(region, i * EXTENT_PAGES), "unpin");
	return pashm_region_fd(region);
}

static int hold_device(void)
{
	int fd = open(PASHM_DEVICE, O_RDWR);

	if (fd < 0)
		err(1, PASHM_DEVICE);
	return fd;
}

static int region_create(const char *name)
{
	struct pashm_create create = {
		.size = sizeof(create),
		.length = (uint64_t)EXTENT_PAGES * (uint64_t)sysconf(_SC_PAGESIZE),
	};
	int device = hold_device();
	int fd;

	strncpy(create.name, name, sizeof(create.name) - 1);
	fd = ioctl(device, PASHM_IOC_CREATE, &create);
	if (fd < 0)
		err(1, "CREATE");
	close(device);
	return fd;
}

static int hold_mapped(const char *name)
{
	int fd = region_create(name);
	size_t length = EXTENT_PAGES * (size_t)sysconf(_SC_PAGESIZE);
	void *data = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  PASHM_OFFSET_DATA);

	if (data == MAP_FAILED)
		err(1, "mmap");
	memset(data, 1, length);
	close(fd);
	return -1;
}

static int hold_readonly(const char *name)
{
	struct pashm_prot prot = { .size = sizeof(prot), .prot = PROT_READ };
	int fd = region_create(name);

	if (ioctl(fd, PASHM_IOC_PROT, &prot))
		err(1, "PROT");
	return fd;
}

static int hold_memory(void)
{
	int fd = memfd_create("pashm", MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 1 << 20))
		err(1, "memfd");
	return fd;
}

static int hold(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *name = argc > 2 ? argv[2] : "";
	uint32_t flags = argc > 3 ? PASHM_REGION_SOLE : 0;

	if (!strcmp(what, "module"))
		return hold_region(PASHM_BACKEND_MODULE, name, flags);
	if (!strcmp(what, "memfd"))
		return hold_region(PASHM_BACKEND_MEMFD, name, flags);
	if (!strcmp(what, "device"))
		return hold_device();
	if (!strcmp(what, "mapped"))
		return hold_mapped(name);
	if (!strcmp(what, "readonly"))
		return hold_readonly(name);
	if (!strcmp(what, "memory"))
		return hold_memory();
	errx(2, "module, memfd, device, mapped, readonly or memory?");
}

int main(int argc, char **argv)
{
	printf("%d/%d\n", getpid(), hold(argc, argv));
	fflush(stdout);
	for (;;)
		pause();
}
