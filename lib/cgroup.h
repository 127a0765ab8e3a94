/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control groups that bound this process's memory: its own and those above
 * it, of version 2 and, where the machine still has that, version 1. Not
 * thread-safe.
 */
#ifndef LIB_CGROUP_H
#define LIB_CGROUP_H

/* Groups looked at, from the own one upwards, of both versions together */
#define CGROUP_LEVELS	16
#define CGROUP_PLACES	2
#define CGROUP_PATH	512

/**
 * struct cgroup_level - one group's files; -1 where there is none
 */
struct cgroup_level {
	int max;
	int high;
	int current;
	int stat;
};

/**
 * struct cgroup
 * @self:   what says where the process is; constant
 * @mount:  below which the groups are; constant
 * @places: of the process, in version 2 and 1; empty if not there
 * @levels: its groups that have limits, and those above
 * @count:  their number
 * @moves:  how often @places were found changed
 */
struct cgroup {
	const char *self;
	const char *mount;
	char places[CGROUP_PLACES][CGROUP_PATH];
	struct cgroup_level levels[CGROUP_LEVELS];
	unsigned int count;
	unsigned int moves;
};

#define CGROUP_SELF	"/proc/self/cgroup"
#define CGROUP_MOUNT	"/sys/fs/cgroup"

void pashm_cgroup_open(struct cgroup *cgroup, const char *self,
		       const char *mount);
void pashm_cgroup_close(struct cgroup *cgroup);

/*
 * The process may have been moved. If the new groups' files cannot be opened
 * for want of descriptors, the old ones are kept until the next try.
 */
void pashm_cgroup_update(struct cgroup *cgroup);

/* Path of the own version 2 group's file @name; 0, or -1 if there is none */
int pashm_cgroup_path(const struct cgroup *cgroup, char *path, int size,
		      const char *name);

#endif /* LIB_CGROUP_H */
