/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far this process is from running out of memory: of the machine's, and of
 * what each of its control groups (version 2) may use. Not thread-safe.
 */
#ifndef LIB_HEADROOM_H
#define LIB_HEADROOM_H

#include <stdint.h>

/* Control groups looked at, from the own one upwards */
#define HEADROOM_LEVELS	8

/**
 * struct headroom_level - one control group; descriptors are -1 where the file
 * is missing, as in the root
 */
struct headroom_level {
	int max;
	int high;
	int current;
	int stat;
};

/**
 * struct headroom
 * @meminfo: /proc/meminfo
 * @levels:  control groups
 * @count:   their number
 * @age:     readings since the control groups were looked up: the process may
 *           be moved
 */
struct headroom {
	int meminfo;
	struct headroom_level levels[HEADROOM_LEVELS];
	unsigned int count;
	unsigned int age;
};

void pashm_headroom_open(struct headroom *headroom);
void pashm_headroom_close(struct headroom *headroom);

/**
 * struct slack - the tightest place
 * @bytes:   that may be used before the reserve is touched; negative: that
 *           should be given back; INT64_MAX if nothing is known
 * @reserve: what is to be kept free there
 */
struct slack {
	int64_t bytes;
	int64_t reserve;
};

struct slack pashm_headroom_read(struct headroom *headroom);

/* The own control group's file @name; its path below the cgroup mount, or -1 */
int pashm_headroom_cgroup_path(char *path, int size, const char *name);

#endif /* LIB_HEADROOM_H */
