// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done with a region's mappings, and to them, with each allocation made
 * to fail in turn: mmap, the first touch of data and tables, fork, reclaim, and
 * the end of a region. The list of what is allocated is in fault_calls.c.
 *
 * A fault that gets no memory for its listing, its table page or its folio
 * says VM_FAULT_OOM. The kernel takes that up with the OOM killer, which has
 * nothing to do here, and repeats the access; a system call that touches the
 * page gets EFAULT instead.
 */
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fault_inject.h"

#define UNTOUCHED	100UL			/* a page of data */
#define GROUPS_LEFT	2			/* by others than us */

static long map_one(struct world *world, uint64_t offset, int prot)
{
	world->address = map_at(world->fd, offset, PAGE, prot);
	return MAP_FAILED_WITH(world->address) ? world->address : 0;
}

static bool finish_unmap(struct world *world)
{
	return !munmap((void *)world->address, PAGE);
}

static long run_map_data(struct world *world)
{
	return map_one(world, WORLD_PINNED * PAGE, WORLD_RW);
}

static bool finish_map_data(struct world *world)
{
	return *(char *)world->address == WORLD_PINNED && finish_unmap(world);
}

static const struct operation map_of_data = {
	"mmap of data", NULL, run_map_data, finish_map_data, { ENOMEM },
	.injected = 2,
};

static long run_map_header(struct world *world)
{
	return map_one(world, PASHM_OFFSET_HEADER, PROT_READ);
}

static const struct operation map_of_header = {
	"mmap of the header", NULL, run_map_header, finish_unmap, { ENOMEM },
	.injected = 2,
};

static long run_map_pins(struct world *world)
{
	return map_one(world, PASHM_OFFSET_PINS, WORLD_RW);
}

static bool finish_map_pins(struct world *world)
{
	uint32_t *pins = (uint32_t *)world->address;

	return pashm_pin_count(pins[WORLD_PINNED]) == 1 && finish_unmap(world);
}

static const struct operation map_of_pins = {
	"mmap of pins", NULL, run_map_pins, finish_map_pins, { ENOMEM },
	.injected = 2,
};

static long run_touch_data(struct world *world)
{
	volatile char *byte = world->data + UNTOUCHED * PAGE;

	*byte = 1;
	return *byte == 1 ? 0 : -EBADMSG;
}

static bool finish_touch_data(struct world *world)
{
	return world->data[UNTOUCHED * PAGE] == 1 &&
	       region_info(world->other).resident ==
	       (2 * WORLD_LENGTH + 1) * PAGE;
}

/* One more if no neighbour in the address space has a page table there */
static const struct operation touch_of_data = {
	"touch of data", NULL, run_touch_data, finish_touch_data, { ENOMEM },
	.injected = 2, .sites = 1,
};

static bool leave_group(void)
{
	int tries;

	if (file_write("/sys/fs/cgroup/cgroup.procs", "0"))
		return false;
	for (tries = 0; rmdir(WORLD_GROUP) && tries < 100; tries++)
		usleep(10000);
	return tries < 100;
}

/* The first page of a new memcg: it needs a listing, and a list for that */
static bool prepare_group(struct world *world)
{
	(void)world;
	return (!mkdir(WORLD_GROUP, 0755) || errno == EEXIST) &&
	       !file_write(WORLD_GROUP "/cgroup.procs", "0");
}

static bool finish_touch_in_group(struct world *world)
{
	return leave_group() && finish_touch_data(world);
}

static const struct operation touch_in_new_group = {
	"touch of data in a new memcg", prepare_group, run_touch_data,
	finish_touch_in_group, { ENOMEM }, .injected = 5, .sites = 2,
};

static bool prepare_pipe(struct world *world)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) || write(ends[1], "data", 4) != 4)
		return false;
	close(ends[1]);
	world->extra = ends[0];
	return true;
}

static bool prepare_pipe_in_group(struct world *world)
{
	return prepare_pipe(world) && prepare_group(world);
}

/* The same by a system call, which sees the error. A pipe keeps its bytes */
static long run_read(struct world *world)
{
	long ret = CALL(read(world->extra, world->data + UNTOUCHED * PAGE, 4));

	return ret < 0 || ret == 4 ? ret : -EBADMSG;
}

static bool finish_read(struct world *world)
{
	close(world->extra);
	return leave_group() &&
	       !memcmp(world->data + UNTOUCHED * PAGE, "data", 4);
}

static const struct operation read_into_data = {
	"read() into data", prepare_pipe_in_group, run_read, finish_read,
	{ EFAULT }, .charges = true, .injected = 5, .sites = 2,
};

/* The word of a far page in a table that is mapped, but not made there yet */
static bool map_table(struct world *world, uint64_t offset, size_t bytes)
{
	long address = map_at(world->fd, offset, WORLD_PAGES * bytes, WORLD_RW);

	world->address = address + WORLD_FAR * bytes;
	return !MAP_FAILED_WITH(address);
}

static bool prepare_states(struct world *world)
{
	return map_table(world, PASHM_OFFSET_STATES, 8);
}

static bool prepare_births(struct world *world)
{
	return map_table(world, PASHM_OFFSET_BIRTHS, 4);
}

static bool prepare_pins(struct world *world)
{
	return map_table(world, PASHM_OFFSET_PINS, 4);
}

static long run_touch_word(struct world *world)
{
	return *(volatile uint32_t *)world->address ? -EBADMSG : 0;
}

/* One table page more, and it is gone with its mapping and its region */
static bool finish_touch_word(struct world *world)
{
	size_t bytes = world->address % PAGE == WORLD_FAR * 8 % PAGE ? 8 : 4;

	return region_info(world->other).tables == 4 * PAGE &&
	       !munmap((char *)world->address - WORLD_FAR * bytes,
		       WORLD_PAGES * bytes);
}

static const struct operation touch_of_states = {
	"touch of states", prepare_states, run_touch_word, finish_touch_word,
	{ ENOMEM }, .injected = 2, .sites = 2,
};

static const struct operation touch_of_births = {
	"touch of births", prepare_births, run_touch_word, finish_touch_word,
	{ ENOMEM }, .injected = 2, .sites = 2,
};

static const struct operation touch_of_pins = {
	"touch of pins", prepare_pins, run_touch_word, finish_touch_word,
	{ ENOMEM }, .injected = 2, .sites = 2,
};

static bool prepare_pins_in_pipe(struct world *world)
{
	return prepare_pipe(world) && prepare_pins(world);
}

/* Reads a foreign pin word into being */
static long run_read_pins(struct world *world)
{
	return CALL(read(world->extra, (void *)world->address, 4));
}

static bool finish_read_pins(struct world *world)
{
	bool well = !memcmp((void *)world->address, "data", 4);

	close(world->extra);
	memset((void *)world->address, 0, 4);
	return well && finish_touch_word(world);
}

static const struct operation read_into_pins = {
	"read() into pins", prepare_pins_in_pipe, run_read_pins,
	finish_read_pins, { EFAULT }, .injected = 3, .sites = 2,
};

/* Without the harness of libc, which allocates for itself */
static long run_fork(struct world *world)
{
	long pid = CALL(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));

	if (!pid)
		_exit(world->data[WORLD_PINNED * PAGE] != WORLD_PINNED);
	world->extra = (int)pid;
	return pid;
}

static bool finish_fork(struct world *world)
{
	int status;

	return waitpid(world->extra, &status, 0) == world->extra && !status &&
	       !munmap((char *)world->address - WORLD_FAR * 4, WORLD_PAGES * 4);
}

static const struct operation fork_with_mappings = {
	"fork", prepare_pins, run_fork, finish_fork, { ENOMEM, EAGAIN },
	.stack = true,
	.injected = 20,
};

/* Two splits of a data mapping */
static long run_protect(struct world *world)
{
	return CALL(mprotect(world->data + UNTOUCHED * PAGE, PAGE, PROT_READ));
}

static bool finish_protect(struct world *world)
{
	return !mprotect(world->data + UNTOUCHED * PAGE, PAGE, WORLD_RW);
}

static const struct operation split_of_data = {
	"mprotect", NULL, run_protect, finish_protect, { ENOMEM },
	.injected = 2,
};

static long run_move(struct world *world)
{
	long address = CALL(mremap(world->data, WORLD_PAGES * PAGE,
				   WORLD_PAGES * PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED,
				   world->address));

	if (MAP_FAILED_WITH(address))
		return address;
	world->data = (char *)address;
	return 0;
}

static void *moved_from;

/* Room for all, mapped to be replaced */
static bool prepare_move(struct world *world)
{
	void *room = mmap(NULL, WORLD_PAGES * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	moved_from = world->data;
	world->address = (long)room;
	return room != MAP_FAILED;
}

/* The kernel may find no memory to cut the old place out: it stays mapped */
static bool finish_move(struct world *world)
{
	return world->data == (char *)world->address &&
	       !munmap(moved_from, WORLD_PAGES * PAGE);
}

static const struct operation move_of_data = {
	"mremap", prepare_move, run_move, finish_move, { ENOMEM },
	.injected = 2,
};

/* Here the extents belong to the group, so that it can ask for them */
static bool prepare_reclaim(struct world *world)
{
	if (!prepare_group(world))
		return false;
	world_free(world);
	return world_make(world);
}

/* Too little to take is EAGAIN, whatever was taken */
static long run_reclaim(struct world *world)
{
	long ret = file_write(WORLD_GROUP "/memory.reclaim", "16K");

	(void)world;
	return ret == -EAGAIN ? 0 : ret;
}

/* The free extent was all there is: it is gone. Nobody was killed for it */
static bool finish_reclaim(struct world *world)
{
	return file_number(WORLD_GROUP "/memory.events", "oom_kill") == 0 &&
	       leave_group() && region_info(world->other).purges <= 1;
}

static const struct operation reclaim = {
	"memory.reclaim", prepare_reclaim, run_reclaim, finish_reclaim,
	{ ENOMEM, EFAULT }, .injected = 3,
};

/* A region of which nothing but one mapping is left */
static bool prepare_last(struct world *world)
{
	int fd = region_create(WORLD_PAGES, 0);
	long address = map_at(fd, 0, PAGE, WORLD_RW);

	world->address = address;
	world->extra = (int)module_references();
	if (MAP_FAILED_WITH(address))
		return false;
	*(char *)address = 1;
	return !close(fd);
}

static long run_last(struct world *world)
{
	return CALL(munmap((void *)world->address, PAGE));
}

static bool finish_last(struct world *world)
{
	return module_references() == world->extra - 2;
}

static const struct operation end_of_a_region = {
	"munmap of the last mapping", prepare_last, run_last, finish_last,
	{ ENOMEM }, .injected = 0,
};

static bool prepare_close(struct world *world)
{
	world->extra = region_create(WORLD_PAGES, 0);
	world->address = module_references();
	return world->extra >= 0 &&
	       !region_reshape(world->extra, WORLD_FAR, WORLD_LENGTH, 0);
}

static long run_close(struct world *world)
{
	return CALL(close(world->extra));
}

static bool finish_closed(struct world *world)
{
	return module_references() == world->address - 2;
}

static const struct operation end_of_a_client = {
	"close of the last descriptor", prepare_close, run_close,
	finish_closed, { 0 }, .injected = 0,
};

FAULT_CASE(map_of_data)
FAULT_CASE(map_of_header)
FAULT_CASE(map_of_pins)
FAULT_CASE(touch_of_data)
FAULT_CASE(touch_in_new_group)
FAULT_CASE(read_into_data)
FAULT_CASE(touch_of_states)
FAULT_CASE(touch_of_births)
FAULT_CASE(touch_of_pins)
FAULT_CASE(read_into_pins)
FAULT_CASE(fork_with_mappings)
FAULT_CASE(split_of_data)
FAULT_CASE(move_of_data)
FAULT_CASE(reclaim)
FAULT_CASE(end_of_a_region)
FAULT_CASE(end_of_a_client)

/* Some two dozen times a listing was not made for a new group: none is held */
TEST_F_TIMEOUT(fault, no_group_is_left_behind, 120)
{
	EXPECT_GE(GROUPS_LEFT, groups_left_behind(GROUPS_LEFT));
}

TEST_F_TIMEOUT(fault, no_mapping_has_leaked, 900)
{
	int leaks = fault_leaks();

	if (leaks < 0)
		SKIP(return, "this kernel has no kmemleak");
	EXPECT_EQ(0, leaks);
}

TEST_HARNESS_MAIN
