/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A region's figures, read from outside the processes that use it. */
#ifndef CLI_FIGURES_H
#define CLI_FIGURES_H

#include <stdint.h>
#include <sys/types.h>
#include <pashm/region.h>

struct use;

/**
 * enum figures_depth - how much could be found out
 * @FIGURES_NONE: nothing but the inode
 * @FIGURES_FILE: length and what is resident, perhaps a name
 * @FIGURES_ALL:  everything
 */
enum figures_depth {
	FIGURES_NONE,
	FIGURES_FILE,
	FIGURES_ALL,
};

/**
 * struct figures
 * @depth: which members of @info are valid, besides @backend and @inode
 * @info:  as from pashm_region_info()
 */
struct figures {
	enum figures_depth depth;
	struct pashm_region_info info;
};

/* Of the region behind @use */
void figures_read(const struct use *use, struct figures *figures);

/* figures_memfd.c: the same for a memfd, from the open descriptor @fd */
void figures_read_memfd(int fd, struct figures *figures);

/* Which region a descriptor of the module belongs to; 0 if that is hidden */
uint64_t figures_inode(pid_t pid, int fd);

#endif /* CLI_FIGURES_H */
