// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "hog.h"

#define PAGE	4096
#define STEP	(1024 * 1024)	/* between two looks at the clock */

/* When @done bytes should have been touched */
static struct timespec due(const struct timespec *start, size_t done,
			   size_t pace)
{
	struct timespec when = *start;

	when.tv_sec += (time_t)(done / pace);
	when.tv_nsec += (long)((done % pace) * 1e9 / pace);
	if (when.tv_nsec >= 1000000000L) {
		when.tv_nsec -= 1000000000L;
		when.tv_sec++;
	}
	return when;
}

int hog_run(size_t size, size_t pace, struct board *board)
{
	struct timespec start, when;
	unsigned char *memory;

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t done = 0; done < size; done += PAGE) {
		if (!(done % STEP)) {
			when = due(&start, done, pace);
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when,
					NULL);
			board->hog = done;
		}
		memory[done] = 1;
	}
	board->hog = size;
	for (;;)
		pause();
}
