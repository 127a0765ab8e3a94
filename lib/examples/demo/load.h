/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The load: threads that read files through the cache and check every byte. */
#ifndef DEMO_LOAD_H
#define DEMO_LOAD_H

#include <stddef.h>
#include "board.h"
#include "corpus.h"
#include "store.h"

/**
 * struct load_params - what to do
 * @corpus:   the files
 * @store:    the cache
 * @board:    where the figures go
 * @size:     bytes of the files to read; the others are left alone
 * @threads:  how many read
 * @exponent: of Zipf's law
 */
struct load_params {
	const struct corpus *corpus;
	struct store *store;
	struct board *board;
	size_t size;
	unsigned int threads;
	double exponent;
};

/*
 * Reads each file once, says filled, then reads by Zipf's law until the board
 * says stop. Returns 0 or a negative errno.
 */
int load_run(const struct load_params *params);

#endif /* DEMO_LOAD_H */
