/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_PRESSURE_H
#define LIB_PRESSURE_H

#include <stdint.h>

struct pressure;

/*
 * The thread that takes memory back from the process's memfd regions before
 * the kernel has to. Called with the registry's lock held.
 * Returns 0 or -EAGAIN, -ENOMEM, -EMFILE, -ENFILE.
 */
int pashm_pressure_start(struct pressure **pressure);

/* End the thread and free it; not with the registry's lock held. */
void pashm_pressure_stop(struct pressure *pressure);

/* In a forked child, where the thread does not exist: close what it had. */
void pashm_pressure_forked(struct pressure *pressure);

/*
 * The caller is about to use @bytes of memory. If the process has used much
 * since somebody looked, look, and give back here what is too much: so whoever
 * fills a cache cannot outrun the thread. NULL is ignored.
 */
void pashm_pressure_charge(struct pressure *pressure, uint64_t bytes);

#endif /* LIB_PRESSURE_H */
