// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/meminfo says of 200 MB that could be taken at any time: those who kill
 * by MemAvailable, as earlyoom does, go by it.
 *
 * Columns: state, MiB of MemFree, MemAvailable, Shmem, Cached.
 */
#include "../../pressure.h"
#include "bench.h"

#define SIZE	(200 * MIB)

static void report(const char *state)
{
	static const char * const keys[] = { "MemFree", "MemAvailable", "Shmem",
					     "Cached" };

	/* The module looks once a second */
	sleep(3);
	printf("= %s", state);
	for (size_t i = 0; i < 4; i++)
		printf(" %lld", meminfo_kib(keys[i]) / 1024);
	printf("\n");
	fflush(stdout);
}

static void pin_all(int fd)
{
	for (size_t page = 0; page < SIZE / PAGE; page += EXTENT) {
		uint32_t generation = 1, verdict;

		if (region_pin(fd, page, &generation, &verdict) ||
		    verdict != PASHM_INTACT)
			die("an extent cannot be pinned");
	}
}

static void unpin_all(int fd)
{
	for (size_t page = 0; page < SIZE / PAGE; page += EXTENT)
		if (region_unpin(fd, page))
			die("an extent cannot be unpinned");
}

int main(void)
{
	char *data;
	int fd;

	report("before");
	data = bench_region(SIZE, &fd);
	bench_fill(fd, data, 0, SIZE, EXTENT);
	pin_all(fd);
	report("pinned");
	unpin_all(fd);
	report("unpinned");
	if (region_purge(fd) != (long)SIZE)
		die("a request did not take all there was");
	report("purged");
	munmap(data, SIZE);
	close(fd);
	return 0;
}
