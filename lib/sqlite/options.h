/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_SQLITE_OPTIONS_H
#define LIB_SQLITE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct options - what the environment's PASHM_SQLITE says; constant
 * @flags:   PASHM_SQLITE_*, in addition to those of the program
 * @off:     the shared library installs nothing
 * @stats:   figures on stderr when the process exits
 * @verbose: say on stderr why something is not as it should be
 * @purge:   after so many misses of a cache take all that is unpinned; 0 for
 *           never
 */
struct options {
	uint32_t flags;
	bool off;
	bool stats;
	bool verbose;
	unsigned int purge;
};

/* Thread-safe; read from the environment once. Of no effect in setuid programs */
const struct options *pashm_sqlite_options(void);

/* Say something on stderr, if the user wants to know. errno stays what it was */
__attribute__((format(printf, 1, 2)))
void pashm_sqlite_complain(const char *format, ...);

#endif /* LIB_SQLITE_OPTIONS_H */
