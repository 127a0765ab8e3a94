// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast is memory given back? A region of extents of one size, purged by request
 * and by reclaim, beside a memfd of the same size whose owner gives such pieces back
 * itself.
 *
 *   throughput MIB PASSES
 *
 * The best of several passes, because whatever disturbs a pass makes it slower.
 * Columns: pages of an extent, mapped or not, pages per ms by request, by reclaim, of
 * the memfd, and the first two in terms of the third.
 */
#include <math.h>

#include "../../pressure.h"
#include "bench.h"

struct piece {
	size_t bytes;			/* of all */
	size_t extent;			/* pages */
	bool mapped;			/* while it is given back */
};

static double pages_per_ms(const struct piece *piece, uint64_t ns)
{
	return ratio((double)(piece->bytes / PAGE), (double)ns / 1e6);
}

static char *make_region(const struct piece *piece, int *fd)
{
	char *data = bench_region(piece->bytes, fd);

	bench_fill(*fd, data, 0, piece->bytes, piece->extent);
	if (!piece->mapped)
		munmap(data, piece->bytes);
	return data;
}

static void drop_region(const struct piece *piece, char *data, int fd)
{
	if (piece->mapped)
		munmap(data, piece->bytes);
	close(fd);
}

static double by_request(const struct piece *piece)
{
	uint64_t start, took;
	long freed;
	char *data;
	int fd;

	data = make_region(piece, &fd);
	start = now_ns();
	freed = region_purge(fd);
	took = now_ns() - start;
	if (freed != (long)piece->bytes)
		die("a request did not take all there was");
	drop_region(piece, data, fd);
	return pages_per_ms(piece, took);
}

/* The first call has emptied all other caches; the time of this one is ours */
static double by_reclaim(const struct piece *piece)
{
	uint64_t start, took = 0;
	char *data;
	int fd;

	if (file_write(DROP, "2"))
		die("caches cannot be dropped");
	data = make_region(piece, &fd);
	for (int i = 0; i < 20 && region_info(fd).resident; i++) {
		start = now_ns();
		if (file_write(DROP, "2"))
			die("caches cannot be dropped");
		took += now_ns() - start;
	}
	if (region_info(fd).resident)
		die("reclaim did not take all there was");
	drop_region(piece, data, fd);
	return pages_per_ms(piece, took);
}

static char *make_memfd(const struct piece *piece, int *fd)
{
	char *data;

	*fd = memfd_create("bench", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)piece->bytes))
		die("no memfd");
	data = mmap(NULL, piece->bytes, RW, MAP_SHARED, *fd, 0);
	if (data == MAP_FAILED)
		die("the memfd cannot be mapped");
	for (size_t at = 0; at < piece->bytes; at += PAGE)
		*(size_t *)(data + at) = at + 1;
	if (!piece->mapped)
		munmap(data, piece->bytes);
	return data;
}

static double by_owner(const struct piece *piece)
{
	size_t step = piece->extent * PAGE, at;
	uint64_t start, took;
	char *data;
	int fd;

	data = make_memfd(piece, &fd);
	start = now_ns();
	for (at = 0; at < piece->bytes; at += step) {
		if (piece->mapped && madvise(data + at, step, MADV_DONTNEED))
			die("no MADV_DONTNEED");
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)at, (off_t)step))
			die("no FALLOC_FL_PUNCH_HOLE");
	}
	took = now_ns() - start;
	drop_region(piece, data, fd);
	return pages_per_ms(piece, took);
}

static void measure(const struct piece *piece, long passes)
{
	double request = 0, reclaim = 0, owner = 0;
	const char *how = piece->mapped ? "mapped" : "unmapped";

	/* In turn: what disturbs for a while disturbs all three */
	for (long i = 0; i < passes; i++) {
		request = fmax(request, by_request(piece));
		reclaim = fmax(reclaim, by_reclaim(piece));
		owner = fmax(owner, by_owner(piece));
	}
	printf("= %zu %s %.0f %.0f %.0f %.2f %.2f\n", piece->extent, how,
	       request, reclaim, owner, ratio(request, owner),
	       ratio(reclaim, owner));
	printf("extents of %zu pages, %s: done\n", piece->extent, how);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const size_t extents[] = { 1, 4, 16, 64, 256 };
	size_t mib = argc > 1 ? strtoul(argv[1], NULL, 0) : 32;
	long passes = argc > 2 ? atol(argv[2]) : 1;

	if (!mib)
		die("1 MiB at least");
	/* From now on silently: a console would take its time */
	if (file_write(DROP, "4"))
		die("caches cannot be dropped");
	for (int mapped = 1; mapped >= 0; mapped--) {
		for (size_t i = 0; i < 5; i++) {
			struct piece piece = {
				.bytes = mib * MIB,
				.extent = extents[i],
				.mapped = mapped,
			};

			measure(&piece, passes);
		}
	}
	return 0;
}
