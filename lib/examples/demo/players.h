/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two processes that are watched: the cache with its load, and the hog. */
#ifndef DEMO_PLAYERS_H
#define DEMO_PLAYERS_H

#include <stdbool.h>
#include <sys/types.h>
#include "board.h"
#include "run.h"

/**
 * struct players - the processes
 * @params:       what they are to do
 * @board:        where they write their figures
 * @cache:        process, 0 if it has ended
 * @hog:          process, 0 if there is none
 * @cache_status: of a cache that has ended, as waitpid() tells
 * @hog_killed:   the hog has ended by itself or by the kernel
 */
struct players {
	const struct run_params *params;
	struct board *board;
	pid_t cache;
	pid_t hog;
	int cache_status;
	bool hog_killed;
};

/* These return 0 or a negative errno */
int players_start_cache(struct players *players);
int players_start_hog(struct players *players);

/* Wait until it has ended; nothing happens if it has already */
void players_end_cache(struct players *players);
void players_end_hog(struct players *players);

/* Find out who was killed since the last look */
void players_reap(struct players *players);

#endif /* DEMO_PLAYERS_H */
