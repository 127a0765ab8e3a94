// SPDX-License-Identifier: GPL-2.0-only
/*
 * What do huge pages gain? The same region with and without: what its first touch costs,
 * and how fast it is given back. By the program's advice, so that extents may be smaller.
 *
 *   huge MIB PASSES
 *
 * Best of several passes. Columns: pages of an extent, of which pages it is made, how
 * many of these were huge, pages per ms at first touch, given back by request and by
 * reclaim, and all three in terms of small pages. Extents of less than 2 MiB share a
 * huge page, which is cut up when one of them goes. What it gains to read huge pages is
 * another matter: an emulated machine cannot tell.
 */
#include <math.h>

#include "../../pressure.h"
#include "../../shmem_huge.h"
#include "bench.h"

/* In pages per ms, the more the better */
struct rates {
	double touch, request, reclaim;
};

struct piece {
	size_t bytes;			/* of all */
	size_t extent;			/* pages */
	bool huge;
	size_t got;			/* huge pages */
};

static double since(const struct piece *piece, uint64_t start)
{
	return ratio((double)(piece->bytes / PAGE),
		     (double)(now_ns() - start) / 1e6);
}

static char *make(struct piece *piece, int *fd, struct rates *rates)
{
	uint64_t start;
	char *data;

	data = bench_region(piece->bytes, fd);
	if (piece->huge && madvise(data, piece->bytes, MADV_HUGEPAGE))
		die("no MADV_HUGEPAGE");
	start = now_ns();
	for (size_t at = 0; at < piece->bytes; at += PAGE)
		*(size_t *)(data + at) = at;
	rates->touch = fmax(rates->touch, since(piece, start));
	piece->got = (size_t)shmem_huge_pages();
	for (size_t page = 0; page < piece->bytes / PAGE; page += piece->extent)
		if (region_reshape(*fd, page, piece->extent, 0) ||
		    region_unpin(*fd, page))
			die("an extent cannot be made");
	return data;
}

static void by_request(struct piece *piece, struct rates *rates)
{
	uint64_t start;
	char *data;
	int fd;

	data = make(piece, &fd, rates);
	start = now_ns();
	if (region_purge(fd) != (long)piece->bytes)
		die("a request did not take all there was");
	rates->request = fmax(rates->request, since(piece, start));
	munmap(data, piece->bytes);
	close(fd);
}

static void by_reclaim(struct piece *piece, struct rates *rates)
{
	uint64_t start;
	char *data;
	int fd;

	/* Of what others have, first */
	if (file_write(DROP, "2"))
		die("caches cannot be dropped");
	data = make(piece, &fd, rates);
	start = now_ns();
	for (int i = 0; i < 20 && region_info(fd).resident; i++)
		if (file_write(DROP, "2"))
			die("caches cannot be dropped");
	if (region_info(fd).resident)
		die("reclaim did not take all there was");
	rates->reclaim = fmax(rates->reclaim, since(piece, start));
	munmap(data, piece->bytes);
	close(fd);
}

static void report(const struct piece *piece, const struct rates *rates,
		   const struct rates *small)
{
	printf("= %zu %s %zu %.0f %.0f %.0f %.2f %.2f %.2f\n",
	       piece->extent, piece->huge ? "huge" : "small", piece->got,
	       rates->touch, rates->request, rates->reclaim,
	       ratio(rates->touch, small->touch),
	       ratio(rates->request, small->request),
	       ratio(rates->reclaim, small->reclaim));
}

static void measure(size_t bytes, size_t extent, long passes)
{
	struct piece small = { .bytes = bytes, .extent = extent };
	struct piece huge = { .bytes = bytes, .extent = extent, .huge = true };
	struct rates of_small = { 0 }, of_huge = { 0 };

	/* In turn: what disturbs for a while disturbs both */
	for (long i = 0; i < passes; i++) {
		by_request(&small, &of_small);
		by_request(&huge, &of_huge);
		by_reclaim(&small, &of_small);
		by_reclaim(&huge, &of_huge);
	}
	report(&small, &of_small, &of_small);
	report(&huge, &of_huge, &of_small);
	printf("extents of %zu pages: done\n", extent);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const size_t extents[] = { 16, 128, 512, 2048 };
	size_t mib = argc > 1 ? strtoul(argv[1], NULL, 0) : 32;
	long passes = argc > 2 ? atol(argv[2]) : 1;
	struct shmem_huge setting = {};
	const char *why;

	if (mib < 8 || mib % 8)
		die("a multiple of 8 MiB");
	why = shmem_huge_allow(&setting);
	if (why)
		die(why);
	/* From now on silently: a console would take its time */
	if (file_write(DROP, "4"))
		die("caches cannot be dropped");
	for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++)
		measure(mib * MIB, extents[i], passes);
	return 0;
}
