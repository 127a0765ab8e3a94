/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzer's processes know: of all regions together, in shared memory,
 * and each of its own descriptors and mappings.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../common.h"
#include "random.h"

#define PROCESSES_MAX	8
#define ASYNC_MAX	2		/* children at work beside a process */
#define JOURNALS	(PROCESSES_MAX * (1 + ASYNC_MAX))
#define SHARED_REGIONS	3
#define OWN_REGIONS	4		/* of each process */
#define REGIONS		(SHARED_REGIONS + PROCESSES_MAX * OWN_REGIONS)
#define CLIENTS		20		/* that the model follows, of a region */
#define WINDOWS		8
#define PAGES_MAX	2048U
#define PLAYERS		24
#define PLAYER_FDS	3
#define MAPS		32
#define RW		(PROT_READ | PROT_WRITE)
#define RWX		(RW | PROT_EXEC)
#define NOBODY		(-1)

/* Pages that extents are multiples of, in a region with such flags */
static inline size_t unit_of(uint32_t flags)
{
	return flags & PASHM_CREATE_HUGE ? PASHM_HUGE_SIZE / 4096 : 1;
}

/*
 * A protection mask that others may be shrinking. @upper: bits that nobody has
 * taken away for certain; @lower: bits that nobody has begun to take away.
 */
struct mask {
	uint32_t upper;
	uint32_t lower;
};

/*
 * A client's counts protect (LIVE), protect nothing (FREE), or, while its
 * process dies or others still hold its file, may do either (FADING). When its
 * process is dead, but its file is with others or on its way to them, they
 * protect nothing, and it is still counted (GONE).
 */
enum life { FREE, LIVE, FADING, GONE };

struct client {
	enum life life;
	pid_t owner;
	struct mask prot;
	unsigned int foreign;		/* others have it, or it is on its way */
	bool closed;			/* the owner has given it up */
};

/*
 * The shadow of a region. What is per page is protected by the lock of the
 * page's window; extents of honest regions stay inside one window. To change a
 * client's life, all windows are locked.
 */
struct region {
	bool used;
	bool hostile;			/* somebody forges its tables */
	uint32_t flags;
	uint32_t pages;
	uint32_t window;		/* pages */
	uint64_t inode;
	uint32_t own_priority;
	char name[PASHM_NAME_MAX];
	int warden;			/* descriptor that is kept open */
	struct mask prot;
	struct client clients[CLIENTS];
	pthread_mutex_t locks[WINDOWS];

	uint32_t length[PAGES_MAX];	/* of the extent that starts here */
	uint32_t generation[PAGES_MAX];	/* as last seen */
	uint32_t birth[PAGES_MAX];
	uint32_t stamp[PAGES_MAX];	/* of the contents; 0: zeros */
	bool unknown[PAGES_MAX];	/* contents are anything */
	bool doomed[PAGES_MAX];		/* head: cannot have its contents */
	uint8_t priority[PAGES_MAX];
	uint16_t count[CLIENTS][PAGES_MAX];

	/* Losses found, each of which was one purge; changed atomically */
	uint64_t losses;
	uint64_t lost_pages;		/* at most, of these */
	uint64_t lost_sure;		/* at least */
	bool losses_missed;		/* somebody died: there were others */
	uint64_t purges, purged;	/* as INFO has last said */
};

/* A client that this process has descriptors of */
struct player {
	bool used;
	bool mine;			/* not a parent's, nor a sender's */
	bool foreign;			/* received: one of the client's @foreign */
	bool keep;			/* the only client of its region */
	int region;
	int client;
	int fds[PLAYER_FDS];
	int nfds;
	int maps;			/* table mappings: they hold the file */
	uint32_t *pins;			/* not among @maps */
};

enum what { DATA, HEADER, STATES, BIRTHS, PINS, WHATS };

/* A mapping made by an operation, or what is left of it */
struct map {
	bool used;
	enum what what;
	int region;
	int player;			/* NOBODY for data: it holds no client */
	char *address;
	size_t first;			/* page of the data, or of the table */
	size_t pages;
	int prot;
	struct mask may;
	bool shared;
	bool split;			/* may be several mappings to the kernel */
	bool fork_unsure;		/* a child may lack it */
};

/* Mappings for the model's own eyes, held by the warden */
struct view {
	uint64_t *states;
	uint32_t *births;
	char *data;
	bool writable;
};

struct world {
	uint64_t seed;
	bool failed;			/* somebody has reported */
	uint64_t failed_at;		/* operation, not a child's */
	bool stop;
	bool concurrent;		/* others are at work beside this one */
	bool faults;			/* make allocations fail */
	bool trace;
	bool no_exec;			/* nothing here can be mapped to run */
	bool swap;			/* memory may be swapped out */
	bool huge;			/* huge pages for those who ask */
	uint64_t moved;			/* pages_moved() at the beginning */
	uint64_t deadline;
	/* Of those that share a journal, the one that is meant to die next */
	pid_t condemned[JOURNALS];
	struct region regions[REGIONS];
};

/* This process */
struct self {
	int process;
	int journal;
	int depth;			/* of forks */
	uint64_t operation;
	uint64_t root;			/* operation of the first process */
	uint64_t seed;
	int device;
	int sockets[2];
	pid_t asyncs[ASYNC_MAX];
	struct player players[PLAYERS];
	struct map maps[MAPS];
	struct view views[REGIONS];
};

extern struct world *world;
extern struct self self;

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

#define PAGE_BYTES	((size_t)4096)

#endif /* FUZZ_WORLD_H */
