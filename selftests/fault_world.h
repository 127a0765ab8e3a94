/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A region in a known state, in which one operation is made to fail at each of
 * its allocations in turn; and the check that a failure has changed nothing.
 */
#ifndef PASHM_SELFTESTS_FAULT_WORLD_H
#define PASHM_SELFTESTS_FAULT_WORLD_H

#include "fault.h"

#define WORLD_PAGES	8192UL
#define WORLD_LENGTH	4UL			/* pages of an extent */
#define WORLD_PINNED	8UL			/* an extent: filled, pinned */
#define WORLD_FREE	16UL			/* filled, not pinned */
#define WORLD_FAR	5000UL			/* in table pages of its own */
#define WORLD_EXTENT	(WORLD_LENGTH * PAGE)
#define WORLD_RW	(PROT_READ | PROT_WRITE)
#define WORLD_GROUP	"/sys/fs/cgroup/pashm-fault"

/**
 * struct world - what an operation works on
 * @fd:     the client that all pins belong to
 * @other:  a second client, for what must not touch the first one's table
 * @data:   the whole region
 * @states: the second client's view of the state table
 * @generation: of the two extents when all began
 * @rig:    for an operation that is over before @run is
 * @extra:  the operation's own
 * @address: the same
 */
struct world {
	int fd, other;
	char *data;
	const uint64_t *states;
	uint32_t generation[2];
	struct fault_rig *rig;
	int extra;
	long address;
};

struct world_view {
	struct pashm_info info;
	uint32_t generation[3];
};

/**
 * struct operation - what is made to fail
 * @prepare:  what it needs beside the world; may be NULL
 * @run:      does it; returns a result >= 0 or a negative errno
 * @finish:   checks what a successful run did, and undoes it
 * @errors:   a 0-terminated list of errnos that are documented
 * @answers:  has an answer to copy out at last: when that fails, it is done
 * @charges:  may leave pages in memory though it fails
 * @stack:    makes a kernel stack: no bursts, as vmalloc warns of three failures
 *            in a row
 * @injected: so many failures are known to be possible
 * @sites:    in so many different places of the module
 */
struct operation {
	const char *name;
	bool (*prepare)(struct world *world);
	long (*run)(struct world *world);
	bool (*finish)(struct world *world);
	int errors[4];
	bool answers;
	bool charges;
	bool stack;
	unsigned int injected, sites;
};

static inline uint32_t world_generation(const struct world *world, size_t page)
{
	return pashm_state_generation(__atomic_load_n(&world->states[page],
						      __ATOMIC_ACQUIRE));
}

static inline void world_fill(struct world *world, size_t page)
{
	memset(world->data + page * PAGE, (int)page, WORLD_EXTENT);
}

/* Does the extent hold what world_fill() has written, or only @byte? */
static inline bool world_holds(const struct world *world, size_t page, int byte)
{
	const char *bytes = world->data + page * PAGE;
	size_t i;

	for (i = 0; i < WORLD_EXTENT; i++)
		if (bytes[i] != (char)byte)
			return false;
	return true;
}

static inline bool world_make(struct world *world)
{
	long data, states;

	*world = (struct world) { .fd = region_create(WORLD_PAGES, 0) };
	world->other = region_attach(world->fd, 0);
	data = map_at(world->fd, PASHM_OFFSET_DATA, WORLD_PAGES * PAGE,
		      WORLD_RW);
	states = map_at(world->other, PASHM_OFFSET_STATES, WORLD_PAGES * 8,
			PROT_READ);
	if (world->fd < 0 || world->other < 0 || MAP_FAILED_WITH(data) ||
	    MAP_FAILED_WITH(states))
		return false;
	world->data = (char *)data;
	world->states = (const uint64_t *)states;
	world_fill(world, WORLD_PINNED);
	world_fill(world, WORLD_FREE);
	if (region_reshape(world->fd, WORLD_PINNED, WORLD_LENGTH, 0) ||
	    region_reshape(world->fd, WORLD_FREE, WORLD_LENGTH, 0) ||
	    region_unpin(world->fd, WORLD_FREE))
		return false;
	world->generation[0] = world_generation(world, WORLD_PINNED);
	world->generation[1] = world_generation(world, WORLD_FREE);
	return true;
}

static inline void world_look(const struct world *world,
			      struct world_view *view)
{
	/* First: to look at the far page makes its table page */
	view->generation[0] = world_generation(world, WORLD_PINNED);
	view->generation[1] = world_generation(world, WORLD_FREE);
	view->generation[2] = 0;
	view->info = region_info(world->other);
	/* Table pages that a failed call has made are kept for the next */
	view->info.tables = 0;
	if (view->info.extents > 2)
		view->generation[2] = world_generation(world, WORLD_FAR);
}

static inline bool world_unchanged(const struct world_view *before,
				   const struct world_view *after, bool charges)
{
	struct world_view is = *after;

	if (charges)
		is.info.resident = before->info.resident;
	return !memcmp(before, &is, sizeof(is));
}

/*
 * After all is undone: the pinned extent is pinned once and intact; the other
 * one is intact, or zeros and one generation on; nothing else is pinned.
 */
static inline bool world_is_well(struct world *world)
{
	uint32_t moved = world_generation(world, WORLD_FREE) -
			 world->generation[1];

	return world_generation(world, WORLD_PINNED) == world->generation[0] &&
	       world_holds(world, WORLD_PINNED, WORLD_PINNED) && moved <= 1 &&
	       world_holds(world, WORLD_FREE, moved ? 0 : WORLD_FREE) &&
	       region_info(world->other).pinned_extents == 1 &&
	       region_unpin(world->fd, WORLD_FREE) == -ERANGE &&
	       region_unpin(world->fd, WORLD_PINNED) == 0 &&
	       region_unpin(world->fd, WORLD_PINNED) == -ERANGE &&
	       region_info(world->other).pinned_extents == 0 &&
	       region_info(world->other).violations == 0;
}

static inline void world_free(struct world *world)
{
	munmap(world->data, WORLD_PAGES * PAGE);
	munmap((void *)(uintptr_t)world->states, WORLD_PAGES * 8);
	close(world->fd);
	close(world->other);
}

static inline bool operation_documents(const struct operation *operation,
				       long error)
{
	size_t i;

	for (i = 0; i < 4 && operation->errors[i]; i++)
		if (error == -operation->errors[i])
			return true;
	return false;
}

#endif /* PASHM_SELFTESTS_FAULT_WORLD_H */
