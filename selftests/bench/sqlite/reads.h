/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_SQLITE_READS_H
#define BENCH_SQLITE_READS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct shared - what the reading process tells the one that measures
 * @reads:  point reads so far; atomic
 * @ready:  it has read all of the database once; atomic
 * @purged: figures of the page cache, see pashm_sqlite_stats(); atomic
 * @hits:   likewise
 * @misses: likewise
 */
struct shared {
	uint64_t reads;
	uint32_t ready;
	uint64_t purged;
	uint64_t hits;
	uint64_t misses;
};

void die(const char *what);

/* group.c: a cgroup with a limit; all of them end the program if they fail */
void group_make(void);
void group_enter(void);
void group_limit(unsigned long mib);
/* MiB that it uses */
unsigned long group_used(void);
/* How many of its processes were killed for want of memory */
unsigned long group_kills(void);
void group_remove(void);

#endif /* BENCH_SQLITE_READS_H */
