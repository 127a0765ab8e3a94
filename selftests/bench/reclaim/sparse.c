// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long is a scan of a region of 16M pages that has memory only at its end? Extents
 * without memory are made as a sole client may: by words written into the table.
 *
 *   sparse LAYOUT
 *
 *   packed   a million extents of 1 to 16 pages
 *   spread   an extent in each page of the table, the other words are zero
 *   bare     all pages of the table are there, and no extent is in them
 *
 * Columns: layout, extents, MiB of tables, pages asked for, freed, scans, of these
 * with their budget used up, looked (what scans have used of it), looked a scan,
 * longest scan in ms.
 */
#include "../../pressure.h"
#include "bench.h"

#define PAGES		(16UL << 20)
#define DATA		(128 * MIB)
#define DATA_FIRST	(PAGES - DATA / PAGE)
#define EXTENTS		(1UL << 20)
#define MARGIN		(64 * MIB)	/* taken beyond what is available */
#define WORDS		(PAGE / sizeof(uint64_t))

struct sparse {
	int fd;
	uint64_t *states;
	size_t extents;
};

static void extent_write(struct sparse *sparse, size_t page, uint32_t length)
{
	uint64_t old = __atomic_load_n(&sparse->states[page], __ATOMIC_RELAXED);

	__atomic_store_n(&sparse->states[page],
			 pashm_state_reshaped(old, length,
					      PASHM_PRIORITY_DEFAULT),
			 __ATOMIC_RELEASE);
	sparse->extents++;
}

static void lay_packed(struct sparse *sparse)
{
	uint64_t seed = 1;
	size_t page = 0;

	while (sparse->extents < EXTENTS) {
		uint32_t length = 1 + random_next(&seed) % 16;

		extent_write(sparse, page, length);
		page += length;
	}
}

static void lay_spread(struct sparse *sparse)
{
	for (size_t page = WORDS / 2; page < DATA_FIRST; page += WORDS)
		extent_write(sparse, page, 1);
}

static void lay_bare(struct sparse *sparse)
{
	for (size_t page = 0; page < DATA_FIRST; page += WORDS)
		__atomic_store_n(&sparse->states[page], 0, __ATOMIC_RELAXED);
}

static void lay(struct sparse *sparse, const char *layout)
{
	if (!strcmp(layout, "packed"))
		lay_packed(sparse);
	else if (!strcmp(layout, "spread"))
		lay_spread(sparse);
	else if (!strcmp(layout, "bare"))
		lay_bare(sparse);
	else
		die("packed, spread or bare");
}

static char *open_sparse(struct sparse *sparse)
{
	long states, data;

	sparse->fd = region_create(PAGES, PASHM_CREATE_SOLE);
	if (sparse->fd < 0)
		die("no region: is the module loaded?");
	states = map_at(sparse->fd, PASHM_OFFSET_STATES,
			PAGES * sizeof(uint64_t), RW);
	data = map_at(sparse->fd, DATA_FIRST * PAGE, DATA, RW);
	if (MAP_FAILED_WITH(states) || MAP_FAILED_WITH(data))
		die("the region cannot be mapped");
	sparse->states = (uint64_t *)states;
	return (char *)data;
}

int main(int argc, char **argv)
{
	const char *layout = argc > 1 ? argv[1] : "packed";
	struct stats before, sum = { 0 };
	struct sparse sparse = { 0 };
	char *data = open_sparse(&sparse);
	long long tables;
	size_t bytes;
	int status;

	lay(&sparse, layout);
	bench_fill(sparse.fd, data, DATA_FIRST, DATA, EXTENT);
	sparse.extents += DATA / PAGE / EXTENT;
	tables = (long long)(region_info(sparse.fd).tables / MIB);
	printf("%s: %zu extents, %lld MiB of tables\n", layout, sparse.extents,
	       tables);
	fflush(stdout);
	bytes = (size_t)meminfo_kib("MemAvailable") * 1024 + MARGIN;
	before = stats_read();
	stat_reset_longest();
	status = in_child(hog, &bytes);
	stats_add_since(&sum, &before);
	printf("= %s %zu %lld %lld %lld %lld %lld %lld %.0f %.2f\n", layout,
	       sparse.extents, tables, sum.asked, sum.freed, sum.scans,
	       sum.exhausted, sum.looked,
	       ratio((double)sum.looked, (double)sum.scans),
	       (double)stat_number("longest_scan_ns") / 1e6);
	if (status)
		die("the neighbour did not get its memory");
	return 0;
}
