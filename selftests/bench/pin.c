// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a pin and an unpin cost, beside a system call of the same run.
 *
 * Prints nanoseconds a pair: on a real machine time, in a VM that counts
 * instructions (scripts/vm --icount) instructions. The best of several passes,
 * because whatever disturbs a pass makes it slower.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/pashm.h>
#include <pashm/pashm.h>

#define PASSES	7
#define EXTENTS	1024U
#define PAGES	4U

struct bench {
	struct pashm_region *region;
	struct pashm_handle handles[EXTENTS];
	unsigned long rounds;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-error));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void run_getppid(struct bench *b)
{
	for (unsigned long i = 0; i < b->rounds; i++)
		syscall(SYS_getppid);
}

/* One extent again and again: what a loop over one object pays */
static void run_pin_same(struct bench *b)
{
	enum pashm_verdict verdict;

	for (unsigned long i = 0; i < b->rounds; i++) {
		if (pashm_pin(b->region, b->handles[7], &verdict) ||
		    verdict != PASHM_INTACT)
			die("pin", -EIO);
		pashm_unpin(b->region, b->handles[7].page);
	}
}

/* Another extent each time: words that are not in the first cache level */
static void run_pin_spread(struct bench *b)
{
	enum pashm_verdict verdict;

	for (unsigned long i = 0; i < b->rounds; i++) {
		struct pashm_handle handle = b->handles[i * 37 % EXTENTS];

		if (pashm_pin(b->region, handle, &verdict) ||
		    verdict != PASHM_INTACT)
			die("pin", -EIO);
		pashm_unpin(b->region, handle.page);
	}
}

static void pair_by_ioctl(struct bench *b, struct pashm_range *ranges,
			  uint32_t count)
{
	struct pashm_pin args = {
		.size = sizeof(args),
		.ranges = (uintptr_t)ranges,
		.count = count,
	};
	int fd = pashm_region_fd(b->region);

	if (ioctl(fd, PASHM_IOC_PIN, &args))
		die("PASHM_IOC_PIN", -errno);
	if (ioctl(fd, PASHM_IOC_UNPIN, &args))
		die("PASHM_IOC_UNPIN", -errno);
}

static void run_ioctl_batch(struct bench *b, uint32_t count)
{
	struct pashm_range ranges[64];

	for (uint32_t i = 0; i < count; i++)
		ranges[i] = (struct pashm_range){
			.offset = (uint64_t)b->handles[i].page * 4096,
			.generation = b->handles[i].generation,
		};
	for (unsigned long i = 0; i < b->rounds; i += count) {
		pair_by_ioctl(b, ranges, count);
		for (uint32_t k = 0; k < count; k++)
			ranges[k].length = 0;
	}
}

static void run_ioctl_one(struct bench *b)
{
	run_ioctl_batch(b, 1);
}

static void run_ioctl_64(struct bench *b)
{
	run_ioctl_batch(b, 64);
}

static double best(struct bench *b, void (*run)(struct bench *b))
{
	double least = 0;

	run(b);
	for (int pass = 0; pass < PASSES; pass++) {
		uint64_t start = now();
		double each;

		run(b);
		each = (double)(now() - start) / (double)b->rounds;
		if (!pass || each < least)
			least = each;
	}
	return least;
}

static void setup(struct bench *b)
{
	struct pashm_region_params params = {
		.length = (uint64_t)EXTENTS * PAGES * 4096,
		.name = "bench",
		.flags = PASHM_REGION_NO_THREAD,
	};
	int error = pashm_region_create(&params, &b->region);

	if (error)
		die("pashm_region_create", error);
	for (uint32_t i = 0; i < EXTENTS; i++) {
		error = pashm_extent_create(b->region, i * PAGES, PAGES,
					    PASHM_PRIORITY_DEFAULT,
					    &b->handles[i]);
		if (error)
			die("pashm_extent_create", error);
		pashm_unpin(b->region, b->handles[i].page);
	}
}

int main(int argc, char **argv)
{
	struct bench b = {
		.rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 200000,
	};
	int module;
	double syscall_cost;

	setup(&b);
	module = pashm_region_backend(b.region) == PASHM_BACKEND_MODULE;
	printf("backend %s, %lu rounds, best of %d passes\n",
	       module ? "module" : "memfd", b.rounds, PASSES);
	syscall_cost = best(&b, run_getppid);
	printf("%-34s %10s %12s\n", "", "ns a pair", "in getppid()");

	struct {
		const char *name;
		void (*run)(struct bench *b);
		int needs_module;
	} rows[] = {
		{ "pin + unpin, same extent", run_pin_same, 0 },
		{ "pin + unpin, 1024 extents", run_pin_spread, 0 },
		{ "PIN + UNPIN ioctls, 1 range", run_ioctl_one, 1 },
		{ "PIN + UNPIN ioctls, 64 ranges, each", run_ioctl_64, 1 },
	};

	printf("%-34s %10.1f %12.2f\n", "getppid()", syscall_cost, 1.0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double cost;

		if (rows[i].needs_module && !module)
			continue;
		cost = best(&b, rows[i].run);
		printf("%-34s %10.1f %12.2f\n", rows[i].name, cost,
		       cost / syscall_cost);
	}
	pashm_region_close(b.region);
	return 0;
}
