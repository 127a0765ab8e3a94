/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /dev/pashm: is it there, may we open it, what does the module offer? */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <linux/pashm.h>

/**
 * struct device - the node and what stands behind it
 * @present: a character device is there; then @stat is valid
 * @stat:    of the node
 * @error:   0, or the negative errno of opening or of asking it
 * @query:   the module's answer, if @error is 0
 */
struct device {
	bool present;
	struct stat stat;
	int error;
	struct pashm_query query;
};

void device_read(struct device *device);

/* Read it again and again until it works, for @seconds at most */
void device_wait(struct device *device, int seconds);

/* Say on standard error why it cannot be used, and what to do */
void device_explain(const struct device *device);

/* "memcg" or "none"; the caller frees it */
char *device_features(uint64_t features);

#endif /* CLI_DEVICE_H */
