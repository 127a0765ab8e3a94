/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The play: a cache fills, a hog comes, stays for a while, and goes. */
#ifndef DEMO_RUN_H
#define DEMO_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include "store.h"

/**
 * struct run_params - what to play; sizes in bytes
 * @store:    kind of cache
 * @corpus:   directory of the files
 * @size:     of the files to read, and the limit of a cache that has one
 * @hog:      that the hog wants
 * @pace:     of this, a second
 * @seconds:  before the hog comes, that it stays, and twice as long after it
 * @threads:  of the load
 * @exponent: of Zipf's law
 * @colour:   the terminal has colours
 */
struct run_params {
	const struct store_ops *store;
	const char *corpus;
	size_t size;
	size_t hog;
	size_t pace;
	unsigned int seconds;
	unsigned int threads;
	double exponent;
	bool colour;
};

/*
 * Plays, and prints a line of "result NAME=VALUE..." at the end. Returns 0, a
 * negative errno if it could not be played, or -ECHILD if the cache process
 * ended with an error of its own. That it was killed is a result.
 */
int run_play(const struct run_params *params);

#endif /* DEMO_RUN_H */
