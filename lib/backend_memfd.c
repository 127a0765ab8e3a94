// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend without the module: opening, importing and closing a memfd
 * region. memfd.h says what is in which file.
 *
 * Two descriptors of the same file: @fd, the ticket, which may be sent and
 * inherited and whose description has no locks; and @lock_fd, a fresh open with
 * a description of its own, whose OFD locks live exactly as long as this client.
 * Whatever shares that description shares the locks: so it is neither sent nor
 * duplicated, a forked child closes it, and all mappings are made through @fd,
 * because a child's copy of a mapping holds the description that it came from.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/pashm.h>
#include "memfd.h"
#include "registry.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

/* Without these an importer could be killed by a truncation (SIGBUS) */
#define SEALS_NEEDED	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SEALS_REFUSED	(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static int table_map(const struct memfd_region *m, int prot, uint64_t offset,
		     uint64_t size, void *address)
{
	void *mapped = mmap(NULL, size, prot, MAP_SHARED | MAP_NORESERVE,
			    m->base.fd, (off_t)offset);

	if (mapped == MAP_FAILED)
		return -errno;
	/* Part of a huge page cannot be given back, and would look like data */
	madvise(mapped, size, MADV_NOHUGEPAGE);
	memcpy(address, &mapped, sizeof(mapped));
	return 0;
}

static void table_unmap(const void *address, uint64_t size)
{
	if (address)
		munmap((void *)(uintptr_t)address, size);
}

/* Everything but the client's own pin table, which needs its number */
static int tables_map(struct memfd_region *m)
{
	const struct memfd_layout *layout = &m->layout;
	struct pashm_view *view = &m->base.view;
	unsigned char *control = NULL;
	int ret;

	ret = table_map(m, PROT_READ | PROT_WRITE, 0, layout->control_size,
			&control);
	if (ret)
		return ret;
	m->header = (struct memfd_header *)control;
	m->purge = (struct memfd_purge *)(control + layout->purge);
	m->clients = (struct memfd_entry *)(control + layout->clients);
	view->header = &m->header->base;
	ret = table_map(m, PROT_READ | PROT_WRITE, layout->states,
			layout->states_size, &view->states);
	if (!ret)
		ret = table_map(m, PROT_READ | PROT_WRITE, layout->births,
				layout->births_size, &view->births);
	if (!ret)
		ret = table_map(m, PROT_NONE, layout->data, layout->data_size,
				&m->data);
	if (!ret && view->flags & PASHM_REGION_HUGE)
		madvise(m->data, layout->data_size, MADV_HUGEPAGE);
	if (!ret && !(view->flags & PASHM_REGION_SOLE))
		ret = table_map(m, PROT_READ, layout->pins,
				MEMFD_CLIENTS * layout->pins_size,
				&m->pin_tables);
	return ret;
}

/*
 * A child must neither pin in the parent's name nor look as if it could: pin
 * tables are not copied to it (it attaches to become a client).
 */
static int pins_map(struct memfd_region *m)
{
	const struct memfd_layout *layout = &m->layout;
	struct pashm_view *view = &m->base.view;
	int ret;

	ret = table_map(m, PROT_READ | PROT_WRITE,
			layout->pins + m->client * layout->pins_size,
			layout->pins_size, &view->pins);
	if (!ret)
		madvise(view->pins, layout->pins_size, MADV_DONTFORK);
	return ret;
}

static void tables_unmap(struct memfd_region *m)
{
	const struct memfd_layout *layout = &m->layout;
	struct pashm_view *view = &m->base.view;

	/* Not in a child: something else may have been mapped there since */
	if (!m->base.forked)
		table_unmap(view->pins, layout->pins_size);
	table_unmap(m->pin_tables, MEMFD_CLIENTS * layout->pins_size);
	table_unmap(m->data, layout->data_size);
	table_unmap(view->births, layout->births_size);
	table_unmap(view->states, layout->states_size);
	table_unmap(m->header, layout->control_size);
}

static void memfd_free(struct memfd_region *m)
{
	tables_unmap(m);
	pashm_registry_unlink(&m->base);
	pashm_memfd_file_close(m, m->base.fd);
	free(m);
}

/*
 * The own pin table goes last of all that others rely on: closing lock_fd. If
 * the purge lock is taken, the next to get it will notice the death.
 */
static void memfd_close(struct pashm_region *region)
{
	struct memfd_region *m = memfd_region(region);

	if (!region->forked && m->client != MEMFD_NO_CLIENT &&
	    pashm_memfd_lock(m, 0) == 0) {
		pashm_memfd_detach(m);
		pashm_memfd_unlock(m);
	}
	memfd_free(m);
}

static int memfd_hold(struct pashm_region *region)
{
	struct memfd_region *m = memfd_region(region);
	int ret = pashm_memfd_reopen(region->fd);

	if (ret < 0)
		return ret;
	m->lock_fd = ret;
	return 0;
}

/* In a child: the parent's locks must not depend on how long this child lives */
static void memfd_drop(struct pashm_region *region)
{
	struct memfd_region *m = memfd_region(region);

	pashm_memfd_file_close(m, m->lock_fd);
	m->lock_fd = -1;
}

/* Enter the directory of clients, whose lock file is open */
static int memfd_attach(struct memfd_region *m)
{
	int ret = pashm_memfd_lock(m, MEMFD_TIMEOUT_MS);

	if (ret)
		return ret;
	ret = pashm_memfd_attach(m);
	pashm_memfd_unlock(m);
	return ret;
}

/* Takes over @m and its @fd */
static int memfd_open(struct memfd_region *m, uint32_t flags,
		      struct pashm_region **region)
{
	struct pashm_region *base = &m->base;
	int ret;

	base->ops = &pashm_backend_memfd;
	base->length = m->layout.data_size;
	base->writable = true;
	base->view.pages = m->layout.pages;
	base->view.page_shift = m->layout.page_shift;
	base->view.flags = flags;
	pthread_mutex_init(&base->poison_lock, NULL);
	pthread_mutex_init(&base->map_lock, NULL);
	pthread_mutex_init(&m->purge_mutex, NULL);

	ret = tables_map(m);
	if (ret)
		goto free;
	ret = pashm_registry_link(base);
	if (ret)
		goto free;
	ret = memfd_attach(m);
	if (ret)
		goto free;
	ret = pins_map(m);
	if (!ret)
		ret = pashm_registry_watch(base);
	if (ret)
		goto close;
	*region = base;
	return 0;
close:
	memfd_close(base);
	return ret;
free:
	memfd_free(m);
	return ret;
}

static struct memfd_region *memfd_alloc(void)
{
	struct memfd_region *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->base.fd = -1;
	m->lock_fd = -1;
	m->client = MEMFD_NO_CLIENT;
	return m;
}

static int header_write(struct memfd_region *m,
			const struct pashm_region_params *params)
{
	struct memfd_header header = { 0 };
	ssize_t ret;

	pashm_memfd_header_init(&header, &m->layout, params);
	ret = pwrite(m->base.fd, &header, sizeof(header), 0);
	if (ret == sizeof(header))
		return 0;
	return ret < 0 ? -errno : -ENOSPC;
}

static int memfd_create_region(const struct pashm_region_params *params,
			       struct pashm_region **region)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	struct memfd_region *m;
	int ret;

	/* A page that is punched out comes back as zeros, whoever touches it */
	if (params->flags & PASHM_STRICT_FLAGS)
		return -EOPNOTSUPP;
	m = memfd_alloc();
	if (!m)
		return -ENOMEM;
	pashm_memfd_layout(&m->layout, params->length / page_size,
			   (uint32_t)__builtin_ctzll(page_size));
	ret = pashm_memfd_ticket(params->name);
	if (ret < 0)
		goto free;
	ret = pashm_memfd_file_set(m, ret);
	if (!ret)
		ret = pashm_memfd_file_size(m->base.fd, m->layout.size);
	if (ret)
		goto free;
	ret = header_write(m, params);
	if (ret)
		goto free;
	if (fcntl(m->base.fd, F_ADD_SEALS, SEALS_NEEDED)) {
		ret = -errno;
		goto free;
	}
	return memfd_open(m, params->flags, region);
free:
	memfd_free(m);
	return ret;
}

/*
 * The file may come from anybody. Its seals and size cannot change any more
 * once they are found right; the header is read once, into memory of our own. Of its
 * flags, those are set that our view of the region has, too.
 */
static int memfd_validate(struct memfd_region *m, uint32_t *flags)
{
	struct memfd_header header;
	struct statfs statfs;
	struct stat stat;
	int seals;

	seals = fcntl(m->base.fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS_NEEDED) != SEALS_NEEDED ||
	    seals & SEALS_REFUSED)
		return -EINVAL;
	if (fstat(m->base.fd, &stat) || fstatfs(m->base.fd, &statfs))
		return -errno;
	/* A memfd on hugetlbfs has seals, too, but pages of another size */
	if (statfs.f_type != TMPFS_MAGIC)
		return -EINVAL;
	if (pread(m->base.fd, &header, sizeof(header), 0) != sizeof(header))
		return -EINVAL;
	*flags = header.base.flags & PASHM_REGION_HUGE;
	return pashm_memfd_header_check(&header, (uint64_t)stat.st_size,
					&m->layout);
}

static int memfd_import(int fd, struct pashm_region **region)
{
	struct memfd_region *m = memfd_alloc();
	uint32_t flags = 0;
	int ret;

	if (!m)
		return -ENOMEM;
	ret = pashm_memfd_reopen(fd);
	if (ret < 0)
		goto free;
	ret = pashm_memfd_file_set(m, ret);
	if (!ret)
		ret = memfd_validate(m, &flags);
	if (ret)
		goto free;
	return memfd_open(m, flags, region);
free:
	memfd_free(m);
	return ret;
}

static int memfd_map(struct pashm_region *region, int prot, void **data)
{
	struct memfd_region *m = memfd_region(region);

	if (mprotect(m->data, m->layout.data_size, prot))
		return -errno;
	*data = m->data;
	return 0;
}

static int memfd_protect(struct pashm_region *region, int prot)
{
	(void)region;
	(void)prot;
	return -EOPNOTSUPP;
}

const struct backend_ops pashm_backend_memfd = {
	.id = PASHM_BACKEND_MEMFD,
	.create = memfd_create_region,
	.import = memfd_import,
	.close = memfd_close,
	.hold = memfd_hold,
	.drop = memfd_drop,
	.map = memfd_map,
	.wait = pashm_memfd_wait,
	.reshape = pashm_memfd_reshape,
	.purge = pashm_reclaim_all,
	.reclaim = pashm_reclaim_some,
	.info = pashm_memfd_info,
	.protect = memfd_protect,
};
