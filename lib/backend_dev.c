// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend of the kernel module: a descriptor, four mappings, and an ioctl
 * where the fast path does not suffice.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pashm.h>
#include "backend.h"
#include "registry.h"

/* fd: the client, and a ticket for others to attach by; that is all there is */
struct dev_region {
	struct pashm_region base;
};

static int dev_ioctl(int fd, unsigned long command, void *argument)
{
	int ret = ioctl(fd, command, argument);

	return ret < 0 ? -errno : ret;
}

static int table_map(int fd, int prot, uint64_t offset, uint64_t size,
		     void *address)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	void *mapped;

	size = (size + page_size - 1) & ~(page_size - 1);
	mapped = mmap(NULL, size, prot, MAP_SHARED, fd, (off_t)offset);
	if (mapped == MAP_FAILED)
		return -errno;
	memcpy(address, &mapped, sizeof(mapped));
	return 0;
}

static void table_unmap(const void *address, uint64_t size)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

	if (address)
		munmap((void *)(uintptr_t)address,
		       (size + page_size - 1) & ~(page_size - 1));
}

static int tables_map(struct pashm_region *region)
{
	int prot = region->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	struct pashm_view *view = &region->view;
	int ret;

	ret = table_map(region->fd, PROT_READ, PASHM_OFFSET_HEADER,
			sizeof(*view->header), &view->header);
	if (!ret)
		ret = table_map(region->fd, prot, PASHM_OFFSET_STATES,
				view->pages * sizeof(*view->states),
				&view->states);
	if (!ret)
		ret = table_map(region->fd, prot, PASHM_OFFSET_BIRTHS,
				view->pages * sizeof(*view->births),
				&view->births);
	if (!ret)
		ret = table_map(region->fd, PROT_READ | PROT_WRITE,
				PASHM_OFFSET_PINS,
				view->pages * sizeof(*view->pins),
				&view->pins);
	return ret;
}

static void dev_close(struct pashm_region *region)
{
	uint64_t pages = region->length >> region->view.page_shift;
	struct pashm_view *view = &region->view;

	table_unmap(view->data, region->length);
	/* The kernel does not copy pin tables to a child */
	if (!region->forked)
		table_unmap(view->pins, pages * sizeof(*view->pins));
	table_unmap(view->births, pages * sizeof(*view->births));
	table_unmap(view->states, pages * sizeof(*view->states));
	table_unmap(view->header, sizeof(*view->header));
	if (region->fd >= 0)
		close(region->fd);
	pashm_registry_unlink(region);
	free(region);
}

/* Takes over @fd, a client that belongs to this process */
static int dev_open(int fd, uint32_t flags, struct pashm_region **region)
{
	struct pashm_info info = { .size = sizeof(info) };
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	struct dev_region *dev = calloc(1, sizeof(*dev));
	struct pashm_region *base;
	int ret;

	if (!dev) {
		close(fd);
		return -ENOMEM;
	}
	base = &dev->base;
	base->fd = fd;
	base->ops = &pashm_backend_dev;
	base->view.page_shift = (uint32_t)__builtin_ctzll(page_size);
	pthread_mutex_init(&base->poison_lock, NULL);
	pthread_mutex_init(&base->map_lock, NULL);
	ret = dev_ioctl(fd, PASHM_IOC_INFO, &info);
	if (ret)
		goto close;
	base->length = info.length;
	base->writable = info.prot & PROT_WRITE;
	base->view.flags = flags | (info.region_flags &
				    (PASHM_STRICT_FLAGS | PASHM_REGION_HUGE));
	base->view.pages = info.length >> base->view.page_shift;
	ret = tables_map(base);
	if (!ret)
		ret = pashm_registry_link(base);
	if (ret)
		goto close;
	*region = base;
	return 0;
close:
	dev_close(base);
	return ret;
}

/*
 * -EPROTO if it speaks another version, -EINVAL if it is not pashm at all,
 * -EOPNOTSUPP if it does not know @flags of a region
 */
static int version_check(int fd, uint32_t flags)
{
	struct pashm_query query = { .size = sizeof(query) };
	int ret = dev_ioctl(fd, PASHM_IOC_QUERY, &query);

	if (ret)
		return -EINVAL;
	if (query.abi_version != PASHM_ABI_VERSION ||
	    query.protocol != PASHM_PROTOCOL_VERSION)
		return -EPROTO;
	return flags & ~query.create_flags ? -EOPNOTSUPP : 0;
}

static int dev_create(const struct pashm_region_params *params,
		      struct pashm_region **region)
{
	struct pashm_create create = {
		.size = sizeof(create),
		.flags = params->flags & ~PASHM_REGION_NO_THREAD,
		.length = params->length,
		.priority = params->priority,
	};
	int device, ret;

	if (params->name)
		strncpy(create.name, params->name, sizeof(create.name) - 1);
	device = open(PASHM_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -errno;
	ret = version_check(device, create.flags);
	if (!ret)
		ret = dev_ioctl(device, PASHM_IOC_CREATE, &create);
	close(device);
	return ret < 0 ? ret : dev_open(ret, params->flags, region);
}

static int dev_import(int fd, struct pashm_region **region)
{
	struct pashm_attach attach = { .size = sizeof(attach) };
	int ret;

	ret = version_check(fd, 0);
	if (ret)
		return ret;
	ret = dev_ioctl(fd, PASHM_IOC_ATTACH, &attach);
	if (ret < 0)
		return ret == -ENOTTY ? -EINVAL : ret;
	return dev_open(ret, 0, region);
}

static int dev_map(struct pashm_region *region, int prot, void **data)
{
	return table_map(region->fd, prot, PASHM_OFFSET_DATA, region->length,
			 data);
}

static int dev_wait(struct pashm_region *region, uint32_t page)
{
	struct pashm_wait wait = {
		.size = sizeof(wait),
		.offset = (uint64_t)page << region->view.page_shift,
	};

	return dev_ioctl(region->fd, PASHM_IOC_WAIT, &wait);
}

static int dev_reshape(struct pashm_region *region,
		       struct backend_reshape *reshape)
{
	struct pashm_reshape argument = {
		.size = sizeof(argument),
		.offset = (uint64_t)reshape->page << region->view.page_shift,
		.length = (uint64_t)reshape->pages << region->view.page_shift,
		.priority = reshape->priority,
	};
	int ret;

	if (reshape->free)
		argument.flags |= PASHM_RESHAPE_FREE;
	if (reshape->discard)
		argument.flags |= PASHM_RESHAPE_DISCARD;
	ret = dev_ioctl(region->fd, PASHM_IOC_RESHAPE, &argument);
	reshape->generation = argument.generation;
	return ret;
}

static int dev_purge(struct pashm_region *region, uint64_t *freed)
{
	struct pashm_purge purge = { .size = sizeof(purge) };
	int ret = dev_ioctl(region->fd, PASHM_IOC_PURGE, &purge);

	*freed = purge.freed;
	return ret;
}

static int dev_info(struct pashm_region *region,
		    struct pashm_region_info *info)
{
	struct pashm_info from = { .size = sizeof(from) };
	int ret = dev_ioctl(region->fd, PASHM_IOC_INFO, &from);

	if (ret)
		return ret;
	info->length = from.length;
	info->resident = from.resident;
	info->swapped = from.swapped;
	info->unpinned = from.unpinned;
	info->extents = from.extents;
	info->pinned_extents = from.pinned_extents;
	info->purged = from.purged;
	info->purges = from.purges;
	info->tables = from.tables;
	info->clients = from.clients;
	info->violations = from.violations;
	info->epoch = from.epoch;
	info->flags = from.region_flags;
	/* An older module does not tell */
	info->priority = pashm_view_priority(&region->view);
	info->inode = from.inode;
	memcpy(info->name, from.name, sizeof(info->name));
	return 0;
}

static int dev_protect(struct pashm_region *region, int prot)
{
	struct pashm_prot argument = {
		.size = sizeof(argument), .prot = (uint32_t)prot,
	};

	return dev_ioctl(region->fd, PASHM_IOC_PROT, &argument);
}

const struct backend_ops pashm_backend_dev = {
	.id = PASHM_BACKEND_MODULE,
	.create = dev_create,
	.import = dev_import,
	.close = dev_close,
	.map = dev_map,
	.wait = dev_wait,
	.reshape = dev_reshape,
	.purge = dev_purge,
	.info = dev_info,
	.protect = dev_protect,
};
