/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the library learns that memory runs short when it has to do without the
 * module: figures, and notifications of stalls.
 */
#ifndef CLI_PSI_H
#define CLI_PSI_H

#include <stdbool.h>

#define PSI_SOURCES	4

/**
 * struct psi_source
 * @name: what it is
 * @path: the file, or NULL if there is none; owned by the caller
 * @why:  NULL if this process may use it, else why not
 */
struct psi_source {
	const char *name;
	char *path;
	const char *why;
};

void psi_read(struct psi_source sources[PSI_SOURCES]);

#endif /* CLI_PSI_H */
