/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile peer: whoever made the memfd and sent it. He can do to it what its
 * seals allow, at any time, and he knows the layout.
 */
#ifndef LIB_TESTS_FUZZ_HOSTILE_H
#define LIB_TESTS_FUZZ_HOSTILE_H

#include <stdint.h>
#include "fuzz.h"

/* A sound file for a region of so many pages. What he does is in @input's back */
int hostile_open(uint64_t pages, struct fuzz_input *input);
void hostile_close(void);

/* For fuzz_world_begin(): he does something whenever his input says that it is
 * time
 */
void hostile_poke(const void *address);

/* He does one thing now */
void hostile_act(void);

#endif /* LIB_TESTS_FUZZ_HOSTILE_H */
