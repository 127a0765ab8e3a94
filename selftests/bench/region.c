// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a region of 1 TiB costs before anything is touched, and after one page
 * of it is: kernel memory, as the fall of MemFree over many regions, and time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <pashm/pashm.h>

#define REGIONS	64
#define LENGTH	(1ULL << 40)

static void die(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-error));
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static long mem_free_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;

	if (!file)
		die("/proc/meminfo", -errno);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "MemFree: %ld kB", &kib) == 1)
			break;
	}
	fclose(file);
	return kib;
}

static void report(const char *what, double start_us, long before_kib)
{
	printf("%-34s %10.1f %12.1f\n", what,
	       (now_us() - start_us) / REGIONS,
	       (double)(before_kib - mem_free_kib()) / REGIONS);
}

/* The last page of the region is the farthest from everything else */
static void touch(struct pashm_region *region)
{
	uint32_t page = (uint32_t)(LENGTH / 4096 - 1);
	struct pashm_handle handle;
	int error;

	error = pashm_extent_create(region, page, 1, PASHM_PRIORITY_DEFAULT,
				    &handle);
	if (error)
		die("pashm_extent_create", error);
	*(volatile char *)pashm_address(region, page) = 1;
}

int main(void)
{
	struct pashm_region_params params = {
		.length = LENGTH,
		.name = "bench",
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region *regions[REGIONS];
	struct pashm_region_info info;
	long kib = mem_free_kib();
	double start = now_us();
	int error;

	for (int i = 0; i < REGIONS; i++) {
		error = pashm_region_create(&params, &regions[i]);
		if (error)
			die("pashm_region_create", error);
	}
	printf("%-34s %10s %12s\n", "a region of 1 TiB", "us", "KiB");
	report("create, tables mapped", start, kib);

	kib = mem_free_kib();
	start = now_us();
	for (int i = 0; i < REGIONS; i++) {
		error = pashm_region_map(regions[i], PROT_READ | PROT_WRITE,
					 NULL);
		if (error)
			die("pashm_region_map", error);
		touch(regions[i]);
	}
	report("map data, one extent, one page", start, kib);

	error = pashm_region_info(regions[0], &info);
	if (error)
		die("pashm_region_info", error);
	printf("tables of one: %" PRIu64 " KiB, resident: %" PRIu64 " KiB\n",
	       info.tables / 1024, info.resident / 1024);
	for (int i = 0; i < REGIONS; i++)
		pashm_region_close(regions[i]);
	return 0;
}
