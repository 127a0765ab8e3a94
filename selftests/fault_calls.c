// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls on the device and on a region's descriptor, with each allocation and
 * each copy made to fail in turn.
 *
 * What the module allocates, and who gets there:
 *
 *   region.c  shmem_file_setup, kzalloc of the region,
 *             alloc_page of the header                  CREATE
 *             alloc_workqueue, shmem_file_setup         load
 *   client.c  kzalloc, anon_inode_getfile               CREATE, ATTACH
 *   ioctl.c   get_unused_fd_flags                       CREATE, ATTACH
 *   table.c   alloc_page, xa_cmpxchg                    PIN, RESHAPE, faults
 *                                                       of the three tables
 *   listing.c kmem_cache_alloc_lru (object, list of the
 *             memcg)                                    fault of data
 *             kmem_cache_create, list_lru_init_memcg    load
 *   compat.h  register_shrinker, shrinker_alloc         load
 *   main.c    misc_register                             load
 *   map.c     shmem's fault                             fault of data
 *
 * Purge and release allocate nothing, by design. Descriptors are a case of
 * fault_limits.c, as the table of a process seldom grows.
 */
#include <sys/stat.h>

#include "fault_inject.h"

#define MANY		800U
#define DONE_UNKNOWN	0xffffffffU

static long run_open(struct world *world)
{
	world->extra = device_open();
	return world->extra;
}

static bool finish_close(struct world *world)
{
	return world->extra >= 0 && !close(world->extra);
}

static const struct operation open_of_the_device = {
	"open", NULL, run_open, finish_close, { ENOMEM, EFAULT },
	.injected = 2,
};

static bool prepare_device(struct world *world)
{
	world->address = device_open();
	return world->address >= 0;
}

static long run_create(struct world *world)
{
	struct pashm_create create = {
		.size = sizeof(create), .length = 16 * PAGE, .name = "new",
	};

	world->extra = command((int)world->address, PASHM_IOC_CREATE, &create);
	return world->extra;
}

static bool finish_create(struct world *world)
{
	struct pashm_info info = region_info(world->extra);

	close((int)world->address);
	return info.clients == 1 && info.length == 16 * PAGE &&
	       !strcmp(info.name, "new") && finish_close(world);
}

static const struct operation create = {
	"CREATE", prepare_device, run_create, finish_create, { ENOMEM, EFAULT },
	.injected = 9, .sites = 6,
};

static long run_attach(struct world *world)
{
	world->extra = region_attach(world->fd, PROT_READ);
	return world->extra;
}

static bool finish_attach(struct world *world)
{
	return region_info(world->extra).prot == PROT_READ &&
	       region_info(world->extra).clients == 3 && finish_close(world) &&
	       region_info(world->fd).clients == 2;
}

static const struct operation attach = {
	"ATTACH", NULL, run_attach, finish_attach, { ENOMEM, EFAULT },
	.injected = 4, .sites = 3,
};

/* An extent in table pages that the first client has not got yet */
static bool prepare_far(struct world *world)
{
	return !region_reshape(world->other, WORLD_FAR, WORLD_LENGTH, 0) &&
	       !region_unpin(world->other, WORLD_FAR);
}

static long run_pin(struct world *world)
{
	uint32_t generation = world_generation(world, WORLD_FAR), verdict;
	long ret = region_pin(world->fd, WORLD_FAR, &generation, &verdict);

	return ret || verdict == PASHM_INTACT ? ret : -EBADMSG;
}

/* Pinned once, and no more than that */
static bool finish_pin(struct world *world)
{
	return region_info(world->other).pinned_extents == 2 &&
	       !region_unpin(world->fd, WORLD_FAR) &&
	       region_unpin(world->fd, WORLD_FAR) == -ERANGE;
}

static const struct operation pin = {
	"PIN", prepare_far, run_pin, finish_pin, { ENOMEM, EFAULT },
	.answers = true, .injected = 6, .sites = 6,
};

static struct pashm_range ranges[3];

static long run_pin_many(struct world *world)
{
	static const size_t pages[] = { WORLD_FREE, WORLD_FAR, WORLD_PINNED };
	struct pashm_pin args = {
		.size = sizeof(args), .ranges = (uintptr_t)ranges, .count = 3,
		.done = DONE_UNKNOWN,
	};
	unsigned int i, done = 0;
	long ret;

	for (i = 0; i < 3; i++)
		ranges[i] = (struct pashm_range) {
			.offset = pages[i] * PAGE, .verdict = DONE_UNKNOWN,
			.generation = world_generation(world, pages[i]),
		};
	ret = command(world->fd, PASHM_IOC_PIN, &args);
	fault_disarm(world->rig);
	while (done < 3 && ranges[done].verdict == PASHM_INTACT)
		done++;
	/* Whatever else fails, what has been pinned is known */
	if (args.done != DONE_UNKNOWN && args.done != done)
		return -EBADMSG;
	for (i = 0; i < done; i++)
		if (region_unpin(world->fd, pages[i]))
			return -EBADMSG;
	return ret < 0 ? ret : done == 3 ? 0 : -EBADMSG;
}

static bool finish_far(struct world *world)
{
	return region_info(world->other).extents == 3;
}

static const struct operation pin_of_many = {
	"PIN of many", prepare_far, run_pin_many, finish_far,
	{ ENOMEM, EFAULT }, .injected = 10, .sites = 6,
};

static bool prepare_far_pinned(struct world *world)
{
	return prepare_far(world) && !run_pin(world);
}

static long run_unpin(struct world *world)
{
	return region_unpin(world->fd, WORLD_FAR);
}

static bool finish_unpin(struct world *world)
{
	return region_info(world->other).pinned_extents == 1 &&
	       region_unpin(world->fd, WORLD_FAR) == -ERANGE;
}

static const struct operation unpin = {
	"UNPIN", prepare_far_pinned, run_unpin, finish_unpin, { EFAULT },
	.answers = true, .injected = 3, .sites = 3,
};

static long run_wait(struct world *world)
{
	struct pashm_wait args = {
		.size = sizeof(args), .offset = WORLD_FREE * PAGE,
	};
	long ret = command(world->fd, PASHM_IOC_WAIT, &args);

	return ret || args.generation == world->generation[1] ? ret : -EBADMSG;
}

static bool finish_nothing(struct world *world)
{
	return region_info(world->other).clients == 2;
}

static const struct operation await = {
	"WAIT", NULL, run_wait, finish_nothing, { EFAULT },
	.injected = 2, .sites = 2,
};

static long run_info(struct world *world)
{
	struct pashm_info args = { .size = sizeof(args) };
	long ret = command(world->fd, PASHM_IOC_INFO, &args);

	return ret || args.extents == 2 ? ret : -EBADMSG;
}

static const struct operation info = {
	"INFO", NULL, run_info, finish_nothing, { EFAULT },
	.injected = 2, .sites = 2,
};

static long run_query(struct world *world)
{
	struct pashm_query args = { .size = sizeof(args) };
	long ret = command(world->fd, PASHM_IOC_QUERY, &args);

	return ret || args.page_size == PAGE ? ret : -EBADMSG;
}

static const struct operation query = {
	"QUERY", NULL, run_query, finish_nothing, { EFAULT },
	.injected = 2, .sites = 2,
};

static long run_prot(struct world *world)
{
	return region_protect(world->other, PROT_READ, 0);
}

static bool finish_prot(struct world *world)
{
	return region_info(world->other).prot == PROT_READ &&
	       (region_info(world->fd).prot & PROT_WRITE);
}

static const struct operation prot = {
	"PROT", NULL, run_prot, finish_prot, { EFAULT },
	.injected = 1, .sites = 1,
};

static long run_purge(struct world *world)
{
	long ret = region_purge(world->other);

	return ret < 0 || ret == (long)WORLD_EXTENT ? ret : -EBADMSG;
}

static bool finish_purge(struct world *world)
{
	struct pashm_info after = region_info(world->other);

	return after.purges == 1 && after.purged == WORLD_EXTENT &&
	       after.unpinned == 0;
}

static const struct operation purge = {
	"PURGE", NULL, run_purge, finish_purge, { EFAULT },
	.answers = true, .injected = 2, .sites = 2,
};

static long run_make(struct world *world)
{
	return region_reshape(world->fd, WORLD_FAR, WORLD_LENGTH, 0);
}

static bool finish_make(struct world *world)
{
	return region_info(world->other).extents == 3 && finish_pin(world);
}

/* Three tables of a page and a node each, and two copies */
static const struct operation reshape = {
	"RESHAPE", NULL, run_make, finish_make, { ENOMEM, EFAULT },
	.answers = true, .injected = 8, .sites = 4,
};

static long run_free(struct world *world)
{
	return region_reshape(world->fd, WORLD_FAR, WORLD_LENGTH,
			      PASHM_RESHAPE_FREE | PASHM_RESHAPE_DISCARD);
}

static bool finish_free(struct world *world)
{
	return region_info(world->other).extents == 2 &&
	       region_unpin(world->fd, WORLD_FAR) == -ERANGE;
}

static const struct operation reshape_to_free = {
	"RESHAPE, freeing", prepare_far_pinned, run_free, finish_free,
	{ EFAULT }, .answers = true, .injected = 2, .sites = 2,
};

static long run_fdinfo(struct world *world)
{
	char path[64], text[4096];
	ssize_t got, length = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", world->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += got;
	got = got < 0 ? -errno : 0;
	text[length] = '\0';
	close(fd);
	if (got < 0)
		return got;
	return strstr(text, "pashm-pinned-extents:\t1\n") ? 0 : -EBADMSG;
}

static const struct operation fdinfo = {
	"fdinfo", NULL, run_fdinfo, finish_nothing, { ENOMEM, EFAULT },
	.injected = 5,
};

FAULT_CASE(open_of_the_device)
FAULT_CASE(create)
FAULT_CASE(attach)
FAULT_CASE(pin)
FAULT_CASE(pin_of_many)
FAULT_CASE(unpin)
FAULT_CASE(await)
FAULT_CASE(info)
FAULT_CASE(query)
FAULT_CASE(prot)
FAULT_CASE(purge)
FAULT_CASE(reshape)
FAULT_CASE(reshape_to_free)
FAULT_CASE(fdinfo)

/* kmemleak does not know pages. They are charged, so the group's count tells */
TEST_F_TIMEOUT(fault, a_failed_table_leaves_no_page_behind, 600)
{
	uint32_t generation = 0, verdict;
	unsigned int refused = 0, i;
	long long before, after, bound;
	int fd;

	ASSERT_TRUE(!mkdir(WORLD_GROUP, 0755) || errno == EEXIST);
	ASSERT_EQ(0, file_write(WORLD_GROUP "/cgroup.procs", "0"));
	before = file_number(WORLD_GROUP "/memory.stat", "kernel");
	ASSERT_LE(0, before);
	fd = region_create(1UL << 28, 0);
	for (i = 1; i <= MANY; i++) {
		ASSERT_TRUE(fault_arm(&self->rig, 3 + i % 4, true));
		refused += region_pin(fd, i * WORLD_FAR, &generation,
				      &verdict) == -ENOMEM;
		fault_disarm(&self->rig);
	}
	EXPECT_LT(MANY / 4, refused);
	close(fd);
	bound = before + (long long)(refused * PAGE / 4);
	/* The tables end after a grace period, and the figures follow later */
	for (i = 0; i < 300; i++) {
		after = file_number(WORLD_GROUP "/memory.stat", "kernel");
		if (after < bound)
			break;
		usleep(100000);
	}
	EXPECT_GT(bound, after) {
		TH_LOG("%u failures, %lld and %lld bytes", refused, before,
		       after);
	}
	ASSERT_EQ(0, file_write("/sys/fs/cgroup/cgroup.procs", "0"));
	rmdir(WORLD_GROUP);
}

TEST_F_TIMEOUT(fault, no_call_has_leaked, 900)
{
	int leaks = fault_leaks();

	if (leaks < 0)
		SKIP(return, "this kernel has no kmemleak");
	EXPECT_EQ(0, leaks);
}

TEST_HARNESS_MAIN
