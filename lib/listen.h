/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Those whom the pressure thread asks for memory that is not in regions. */
#ifndef LIB_LISTEN_H
#define LIB_LISTEN_H

#include <stdint.h>

/* Ask for @bytes; returns what was given back. The pressure thread's */
uint64_t pashm_listen_ask(uint64_t bytes);

/* Around fork, after the registry's lock: nobody is asked in the child */
void pashm_listen_fork_prepare(void);
void pashm_listen_fork_parent(void);
void pashm_listen_fork_child(void);

#endif /* LIB_LISTEN_H */
