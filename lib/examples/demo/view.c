// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include "view.h"

#define BAR_CELLS	29	/* and the line has 79 characters */
#define MIB(bytes)	((bytes) >> 20)

#define GREY	"\033[90m"
#define GREEN	"\033[32m"
#define RED	"\033[31m"
#define PLAIN	"\033[0m"

struct part {
	char cell;
	const char *colour;
	uint64_t size;
};

/* What is in use and neither the cache's nor the hog's */
static uint64_t other_size(const struct view_line *line)
{
	uint64_t known = line->cache + line->hog + line->available;

	return known < line->total ? line->total - known : 0;
}

/* Rounding sums, not parts, makes all bars the same length */
static void view_bar(const struct view_line *line, bool colour)
{
	const struct part parts[] = {
		{ '=', GREY, other_size(line) },
		{ '#', GREEN, line->cache },
		{ '*', RED, line->hog },
		{ '.', PLAIN, UINT64_MAX },
	};
	const struct part *part = parts;
	uint64_t sum = part->size;
	uint64_t total = line->total ? line->total : 1;

	putchar('[');
	if (colour)
		fputs(part->colour, stdout);
	for (unsigned int cell = 0; cell < BAR_CELLS; cell++) {
		while (part->size != UINT64_MAX &&
		       (2 * cell + 1) * total >= 2 * BAR_CELLS * sum) {
			sum += (++part)->size;
			if (colour)
				fputs(part->colour, stdout);
		}
		putchar(part->cell);
	}
	if (colour)
		fputs(PLAIN, stdout);
	putchar(']');
}

void view_head(bool colour)
{
	printf("in MB; reads each second, purged so far; memory: %s#%s cache, "
	       "%s*%s hog, = rest, . free\n",
	       colour ? GREEN : "", colour ? PLAIN : "",
	       colour ? RED : "", colour ? PLAIN : "");
	printf("time phase  cache hit %% reads purged  hog avail  memory\n");
}

void view_line(const struct view_line *line, bool colour)
{
	uint64_t reads = line->hits + line->misses;

	printf("%3us %-6s %5" PRIu64 " ", line->second, line->phase,
	       MIB(line->cache));
	if (reads)
		printf("%5.1f ", 100.0 * (double)line->hits / (double)reads);
	else
		printf("%5s ", "-");
	printf("%5" PRIu64 " %6" PRIu64 " %4" PRIu64 " %5" PRIu64 " ",
	       reads, MIB(line->purged), MIB(line->hog),
	       MIB(line->available));
	view_bar(line, colour);
	putchar('\n');
	/* A line a second, also into a file or a pipe */
	fflush(stdout);
}
