/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far this process is from running out of memory: of the machine's, and of
 * what each of its control groups may use. Not thread-safe.
 */
#ifndef LIB_HEADROOM_H
#define LIB_HEADROOM_H

#include <stdint.h>
#include "cgroup.h"

/**
 * struct headroom
 * @meminfo: /proc/meminfo
 * @cgroup:  control groups
 * @age:     readings since it was looked whether the process was moved
 */
struct headroom {
	int meminfo;
	struct cgroup cgroup;
	unsigned int age;
};

void pashm_headroom_open(struct headroom *headroom);
void pashm_headroom_close(struct headroom *headroom);

/* For tests: with other files than the system's */
void pashm_headroom_open_at(struct headroom *headroom, const char *meminfo,
			    const char *self, const char *mount);

/**
 * struct slack - the tightest place
 * @bytes:   that may be used before the reserve is touched; negative: that
 *           should be given back; INT64_MAX if nothing is known
 * @reserve: what is to be kept free there
 * @total:   all that can be had there
 */
struct slack {
	int64_t bytes;
	int64_t reserve;
	int64_t total;
};

struct slack pashm_headroom_read(struct headroom *headroom);

#endif /* LIB_HEADROOM_H */
