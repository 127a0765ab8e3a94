/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's memory, as the kernel tells it. */
#ifndef DEMO_MACHINE_H
#define DEMO_MACHINE_H

#include <stdint.h>

/**
 * struct machine - memory in bytes
 * @total:     that the kernel manages
 * @available: that could be had without taking anything from anybody
 * @oom_kills: processes killed for want of memory since boot
 */
struct machine {
	uint64_t total;
	uint64_t available;
	uint64_t oom_kills;
};

/* What cannot be read is 0 */
void machine_read(struct machine *machine);

#endif /* DEMO_MACHINE_H */
