/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The version of the library: at build time, and of the one that is loaded. */
#ifndef PASHM_VERSION_H
#define PASHM_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define PASHM_VERSION_MAJOR	0
#define PASHM_VERSION_MINOR	1
#define PASHM_VERSION_PATCH	0
#define PASHM_VERSION		"0.1.0"

/**
 * pashm_version - version of the library in use
 *
 * Returns a constant string such as "0.1.0". Thread-safe. Since: 0.1
 */
const char *pashm_version(void);

#ifdef __cplusplus
}
#endif

#endif /* PASHM_VERSION_H */
