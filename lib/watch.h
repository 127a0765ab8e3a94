/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_WATCH_H
#define LIB_WATCH_H

#include <poll.h>
#include <stdbool.h>

/*
 * The source of memory pressure that the service manager has named in
 * $MEMORY_PRESSURE_WATCH, and prepared as $MEMORY_PRESSURE_WRITE says. False if
 * there is none, or if it cannot be used. True with @watch->fd -1 if it was
 * told that pressure is none of this process's business.
 */
bool pashm_watch_open(struct pollfd *watch);

#endif /* LIB_WATCH_H */
