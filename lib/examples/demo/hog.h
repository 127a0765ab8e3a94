/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another program that needs memory, and knows nothing of any cache. */
#ifndef DEMO_HOG_H
#define DEMO_HOG_H

#include <stddef.h>
#include "board.h"

/*
 * Touch @size bytes, @pace of them a second, and tell the board. Then wait to
 * be killed. Returns only on failure, a negative errno.
 */
int hog_run(size_t size, size_t pace, struct board *board);

#endif /* DEMO_HOG_H */
