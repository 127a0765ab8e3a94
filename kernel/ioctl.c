// SPDX-License-Identifier: GPL-2.0-only
/*
 * All entry points by ioctl: one table each for the device and for a region's
 * descriptor. Each entry copies its struct in, checks what is its own to check,
 * calls the noun that does the work, and copies out.
 */
#include <linux/build_bug.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include <linux/pashm.h>

#include "client.h"
#include "info.h"
#include "ioctl.h"
#include "listing.h"
#include "pin.h"
#include "purge.h"
#include "region.h"
#include "strict.h"

#define PASHM_PROT_ALL		(PROT_READ | PROT_WRITE | PROT_EXEC)
/* Only where the size of huge pages is known when this is compiled */
#define PASHM_HUGE_FLAG		(PMD_SIZE == PASHM_HUGE_SIZE ? \
				 PASHM_CREATE_HUGE : 0)
#define PASHM_CREATE_FLAGS	(PASHM_CREATE_SOLE | PASHM_STRICT_FLAGS | \
				 PASHM_CREATE_PRIORITY | PASHM_HUGE_FLAG)

/* The first version of each struct, for ever */
static_assert(sizeof(struct pashm_query) == 32);
static_assert(sizeof(struct pashm_create) == 88);
static_assert(sizeof(struct pashm_attach) == 16);
static_assert(sizeof(struct pashm_range) == 24);
static_assert(sizeof(struct pashm_pin) == 24);
static_assert(sizeof(struct pashm_wait) == 24);
static_assert(sizeof(struct pashm_info) == 176);
static_assert(sizeof(struct pashm_purge) == 16);
static_assert(sizeof(struct pashm_prot) == 16);
static_assert(sizeof(struct pashm_reshape) == 32);
static_assert(sizeof(struct pashm_header) == 56);

union pashm_args {
	/* What all of them begin with */
	struct {
		u32 size;
		u32 flags;
	};
	struct pashm_query query;
	struct pashm_create create;
	struct pashm_attach attach;
	struct pashm_pin pin;
	struct pashm_wait wait;
	struct pashm_info info;
	struct pashm_purge purge;
	struct pashm_prot prot;
	struct pashm_reshape reshape;
};

/**
 * struct pashm_command - one ioctl
 * @run:   does it; returns a result >= 0 or a negative errno
 * @size:  of its struct, first version
 * @flags: that it understands
 * @out:   copy the struct out: PASHM_OUT_NEVER, on success, or always
 */
struct pashm_command {
	long (*run)(struct file *file, union pashm_args *args);
	u32 size;
	u32 flags;
	enum { PASHM_OUT_NEVER, PASHM_OUT_SUCCESS, PASHM_OUT_ALWAYS } out;
};

/*
 * Give @file a descriptor. It is reserved before and installed last, so no
 * error is possible once another thread can see it.
 */
static long pashm_publish_file(struct file *file, int fd)
{
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

static long pashm_run_query(struct file *file, union pashm_args *args)
{
	args->query = (struct pashm_query) {
		.size = args->query.size,
		.abi_version = PASHM_ABI_VERSION,
		.protocol = PASHM_PROTOCOL_VERSION,
		.create_flags = PASHM_CREATE_FLAGS,
		.page_size = PAGE_SIZE,
		.features = PASHM_FEATURE_POLL |
			    (pashm_listing_knows_memcgs() ?
			     PASHM_FEATURE_MEMCG : 0),
	};
	return 0;
}

static long pashm_run_create(struct file *file, union pashm_args *args)
{
	struct pashm_create *create = &args->create;
	u32 most = create->flags & PASHM_CREATE_PRIORITY ?
		   PASHM_PRIORITY_MAX : 0;
	int fd;

	if (create->priority > most || create->prot & ~PASHM_PROT_ALL)
		return -EINVAL;
	if (!create->length ||
	    !IS_ALIGNED(create->length, pashm_extent_unit(create->flags)))
		return -EINVAL;
	if (create->length > PASHM_SIZE_MAX)
		return -EFBIG;
	if (!memchr(create->name, 0, sizeof(create->name)))
		return -ENAMETOOLONG;
	if (!(create->flags & PASHM_CREATE_PRIORITY))
		create->priority = PASHM_PRIORITY_DEFAULT;
	if (create->flags & PASHM_CREATE_STRICT_UNPINNED)
		create->flags |= PASHM_CREATE_STRICT;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	return pashm_publish_file(pashm_region_create(create), fd);
}

static long pashm_run_attach(struct file *file, union pashm_args *args)
{
	struct pashm_client *client = pashm_client_from_file(file);
	u32 own = pashm_client_prot(client);
	u32 prot = args->attach.prot ?: own;
	int fd;

	if (args->attach.reserved || prot & ~PASHM_PROT_ALL)
		return -EINVAL;
	if (client->region->flags & PASHM_CREATE_SOLE)
		return -EPERM;
	if (prot & ~own)
		return -EACCES;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	return pashm_publish_file(pashm_client_open(client->region,
						    client->backing, prot), fd);
}

static long pashm_run_pin(struct file *file, union pashm_args *args)
{
	return pashm_pin_ranges(pashm_client_from_file(file), &args->pin);
}

static long pashm_run_unpin(struct file *file, union pashm_args *args)
{
	return pashm_unpin_ranges(pashm_client_from_file(file), &args->pin);
}

static long pashm_run_wait(struct file *file, union pashm_args *args)
{
	return pashm_wait_extent(pashm_client_from_file(file), &args->wait);
}

static long pashm_run_info(struct file *file, union pashm_args *args)
{
	args->info = (struct pashm_info) { .size = args->info.size };
	return pashm_info_fill(pashm_client_from_file(file), &args->info);
}

static long pashm_run_purge(struct file *file, union pashm_args *args)
{
	struct pashm_client *client = pashm_client_from_file(file);
	u64 pages;
	int ret;

	if (!(pashm_client_prot(client) & PROT_WRITE))
		return -EACCES;
	ret = pashm_purge_all(client->region, &pages);
	args->purge.freed = pages << PAGE_SHIFT;
	return ret;
}

/* Only ever clears bits, so concurrent calls need no lock */
static long pashm_run_prot(struct file *file, union pashm_args *args)
{
	struct pashm_client *client = pashm_client_from_file(file);
	u32 own = pashm_client_prot(client);

	if (args->prot.reserved || args->prot.prot & ~own)
		return -EINVAL;
	if (!pashm_client_is_owner(client))
		return -EPERM;
	if (args->prot.flags & PASHM_PROT_REGION) {
		if (!(own & PROT_WRITE))
			return -EACCES;
		atomic_and(args->prot.prot, &client->region->prot);
		return 0;
	}
	atomic_and(args->prot.prot, &client->prot);
	return 0;
}

static long pashm_run_reshape(struct file *file, union pashm_args *args)
{
	return pashm_reshape_range(pashm_client_from_file(file),
				   &args->reshape);
}

#define PASHM_COMMAND(name, does, type, allowed, when)			\
	[_IOC_NR(PASHM_IOC_##name)] = {					\
		.run = pashm_run_##does,				\
		.size = sizeof(((union pashm_args *)NULL)->type),	\
		.flags = (allowed),					\
		.out = PASHM_OUT_##when,				\
	}

static const struct pashm_command pashm_device_commands[] = {
	PASHM_COMMAND(QUERY, query, query, 0, SUCCESS),
	PASHM_COMMAND(CREATE, create, create, PASHM_CREATE_FLAGS, NEVER),
};

static const struct pashm_command pashm_region_commands[] = {
	PASHM_COMMAND(QUERY, query, query, 0, SUCCESS),
	PASHM_COMMAND(ATTACH, attach, attach, 0, NEVER),
	PASHM_COMMAND(PIN, pin, pin, 0, ALWAYS),
	PASHM_COMMAND(UNPIN, unpin, pin, 0, ALWAYS),
	PASHM_COMMAND(WAIT, wait, wait, 0, SUCCESS),
	PASHM_COMMAND(INFO, info, info, 0, SUCCESS),
	PASHM_COMMAND(PURGE, purge, purge, 0, ALWAYS),
	PASHM_COMMAND(PROT, prot, prot, PASHM_PROT_REGION, NEVER),
	PASHM_COMMAND(RESHAPE, reshape, reshape,
		      PASHM_RESHAPE_FREE | PASHM_RESHAPE_DISCARD, SUCCESS),
};

static long pashm_run(const struct pashm_command *command, struct file *file,
		      void __user *user)
{
	union pashm_args args = {};
	u32 size;
	long ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < command->size)
		return -EINVAL;
	/* Refuses a size beyond a page, and unknown members that are not 0 */
	ret = size > PAGE_SIZE ? -E2BIG :
	      copy_struct_from_user(&args, command->size, user, size);
	if (ret)
		return ret;
	/* Read again by the copy: the first reading is the one that counts */
	args.size = size;
	if (args.flags & ~command->flags)
		return -EINVAL;
	/*
	 * What cannot be answered is not begun: pins would be lost track of.
	 * All of it: it may begin in memory that can be written, and end in
	 * memory that cannot.
	 */
	if (command->out != PASHM_OUT_NEVER &&
	    copy_to_user(user, &args, command->size))
		return -EFAULT;

	ret = command->run(file, &args);
	if (command->out == PASHM_OUT_ALWAYS ||
	    (command->out == PASHM_OUT_SUCCESS && ret >= 0)) {
		if (copy_to_user(user, &args, command->size))
			return -EFAULT;
	}
	return ret;
}

static long pashm_dispatch(const struct pashm_command *table, size_t entries,
			   struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	unsigned int nr = _IOC_NR(cmd);

	if (cmd != _IO(PASHM_IOC_MAGIC, nr) || nr >= entries || !table[nr].run)
		return -ENOTTY;
	nr = array_index_nospec(nr, entries);
	return pashm_run(&table[nr], file, (void __user *)arg);
}

long pashm_device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return pashm_dispatch(pashm_device_commands,
			      ARRAY_SIZE(pashm_device_commands), file, cmd,
			      arg);
}

long pashm_region_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return pashm_dispatch(pashm_region_commands,
			      ARRAY_SIZE(pashm_region_commands), file, cmd,
			      arg);
}
