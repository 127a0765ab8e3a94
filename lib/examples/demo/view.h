/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line a second: numbers, and the machine's memory as a bar. */
#ifndef DEMO_VIEW_H
#define DEMO_VIEW_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct view_line - what a line shows; sizes in bytes
 * @second:    since the start
 * @phase:     a word
 * @hits:      of this second
 * @misses:    likewise
 * @cache:     memory that the cache has
 * @purged:    taken from the cache so far
 * @hog:       memory that the hog has
 * @total:     memory of the machine
 * @available: of this, available
 */
struct view_line {
	unsigned int second;
	const char *phase;
	uint64_t hits;
	uint64_t misses;
	uint64_t cache;
	uint64_t purged;
	uint64_t hog;
	uint64_t total;
	uint64_t available;
};

void view_head(bool colour);
void view_line(const struct view_line *line, bool colour);

#endif /* DEMO_VIEW_H */
