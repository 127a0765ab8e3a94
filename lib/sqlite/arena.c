// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The process's region for pages, and its pool. One for all caches: a region costs
 * descriptors, and reclaim chooses better among the pages of all databases.
 *
 * It is made for the first cache, and stays when there are none: a program that opens
 * and closes a database for each request does not pay for it each time. What is
 * free in it is the first to go under pressure.
 *
 * LOCK ORDER: arena.lock, then what libpashm has. So fork must take it before
 * libpashm's locks, and as handlers are called in reverse order, ours is
 * registered after the first region was made. For the same reason that is done
 * without the lock: until then, no child finds it taken.
 *
 * FORK. The child gives its copy of the region up, at once or with the last
 * cache that it has inherited: else it would keep the memory alive when its parent
 * is gone, and nobody takes it back from there.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "arena.h"
#include "options.h"

/* Of address space: memory, and room for what was purged and not yet noticed */
#define LENGTH_FACTOR	4
#define LENGTH_LEAST	(16ULL << 20)
#define LENGTH_MOST	(1ULL << 40)
/* Of a process whose address space is limited, not more than one part in */
#define LENGTH_SHARE	8

/**
 * @lock:    guards @current, and the arenas' @users
 * @current: of this process, NULL if there is none
 */
static struct {
	pthread_mutex_t lock;
	struct arena *current;
} arenas = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static uint64_t length_wanted(void)
{
	uint64_t length = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			  (uint64_t)sysconf(_SC_PAGESIZE) * LENGTH_FACTOR;
	struct rlimit limit;

	if (length > LENGTH_MOST)
		length = LENGTH_MOST;
	if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY &&
	    length > limit.rlim_cur / LENGTH_SHARE)
		length = limit.rlim_cur / LENGTH_SHARE;
	return length < LENGTH_LEAST ? LENGTH_LEAST : length;
}

static void arena_free(struct arena *arena)
{
	pashm_pool_destroy(arena->pool);
	pashm_region_close(arena->region);
	free(arena);
}

static int arena_try(struct arena *arena, uint64_t length)
{
	struct pashm_region_params params = {
		.length = length,
		.name = "sqlite",
		.flags = PASHM_REGION_SOLE,
	};
	void *data;
	int ret;

	ret = pashm_region_create(&params, &arena->region);
	if (ret)
		return ret;
	ret = pashm_region_map(arena->region, PROT_READ | PROT_WRITE, &data);
	if (!ret)
		ret = pashm_pool_create(arena->region, &arena->pool);
	if (ret) {
		pashm_region_close(arena->region);
		return ret;
	}
	arena->end = (unsigned char *)data + pashm_region_length(arena->region);
	return 0;
}

/* With less address space, if it cannot have as much: RLIMIT_FSIZE, and others */
static struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	uint64_t length = length_wanted();
	int ret;

	if (!arena)
		return NULL;
	arena->users = 1;
	ret = arena_try(arena, length);
	while ((ret == -ENOMEM || ret == -EFBIG) && length / 2 >= LENGTH_LEAST) {
		length /= 2;
		ret = arena_try(arena, length);
	}
	if (!ret)
		return arena;
	pashm_sqlite_complain("no region, pages are on the heap: %s",
			      strerror(-ret));
	free(arena);
	return NULL;
}

/* Under the lock, or in a child */
static void arena_drop(struct arena *arena)
{
	if (arena && --arena->users == 0)
		arena_free(arena);
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&arenas.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&arenas.lock);
}

static void fork_child(void)
{
	arena_drop(arenas.current);
	arenas.current = NULL;
	pthread_mutex_unlock(&arenas.lock);
}

static void fork_watch(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* Two threads may both come here: whoever is second gives its own one up */
static struct arena *arena_first(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct arena *arena = arena_new(), *spare = NULL;

	if (!arena)
		return NULL;
	pthread_once(&once, fork_watch);
	pthread_mutex_lock(&arenas.lock);
	if (arenas.current)
		spare = arena;
	else
		arenas.current = arena;
	arena = arenas.current;
	arena->users++;
	pthread_mutex_unlock(&arenas.lock);
	if (spare)
		arena_free(spare);
	return arena;
}

struct arena *pashm_sqlite_arena_get(void)
{
	struct arena *arena;

	pthread_mutex_lock(&arenas.lock);
	arena = arenas.current;
	if (arena)
		arena->users++;
	pthread_mutex_unlock(&arenas.lock);
	return arena ? arena : arena_first();
}

void pashm_sqlite_arena_put(struct arena *arena)
{
	pthread_mutex_lock(&arenas.lock);
	arena_drop(arena);
	pthread_mutex_unlock(&arenas.lock);
}

void pashm_sqlite_arena_close(void)
{
	pthread_mutex_lock(&arenas.lock);
	if (arenas.current && arenas.current->users == 1) {
		arena_drop(arenas.current);
		arenas.current = NULL;
	}
	pthread_mutex_unlock(&arenas.lock);
}

int pashm_sqlite_arena_purge(uint64_t *freed)
{
	struct arena *arena;
	int ret = 0;

	if (freed)
		*freed = 0;
	pthread_mutex_lock(&arenas.lock);
	arena = arenas.current;
	if (arena)
		arena->users++;
	pthread_mutex_unlock(&arenas.lock);
	if (!arena)
		return 0;
	ret = pashm_region_purge(arena->region, freed);
	pashm_sqlite_arena_put(arena);
	return ret;
}
