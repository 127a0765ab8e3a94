// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The shortest use of pashm: make an extent, let go of it, lose it, refill it.
 *
 *   cc hello.c $(pkg-config --cflags --libs pashm) && ./a.out
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <pashm/pashm.h>

static void check(int ret, const char *what)
{
	if (ret == 0)
		return;
	fprintf(stderr, "hello: %s: %s\n", what, strerror(-ret));
	exit(1);
}

/* What a real program would decompress, compute or fetch */
static void fill(char *text)
{
	strcpy(text, "hello, world");
}

int main(void)
{
	struct pashm_region_params params = { .length = 1 << 20, .name = "hello" };
	struct pashm_region *region;
	struct pashm_handle handle;
	enum pashm_verdict verdict;
	char *text;

	check(pashm_region_create(&params, &region), "create");
	check(pashm_region_map(region, PROT_READ | PROT_WRITE, NULL), "map");

	/* Four pages from page 0 become an extent, pinned for us to fill */
	check(pashm_extent_create(region, 0, 4, PASHM_PRIORITY_DEFAULT, &handle),
	      "make an extent");
	text = pashm_address(region, handle.page);
	fill(text);
	check(pashm_unpin(region, handle.page), "unpin");

	/* Memory was plentiful: the text is still there, no system call needed */
	check(pashm_pin(region, handle, &verdict), "pin");
	printf("before: %s, \"%s\"\n",
	       verdict == PASHM_INTACT ? "intact" : "purged", text);
	check(pashm_unpin(region, handle.page), "unpin");

	/* Under pressure this happens by itself */
	check(pashm_region_purge(region, NULL), "purge");

	check(pashm_pin(region, handle, &verdict), "pin");
	printf("after:  %s, \"%s\"\n",
	       verdict == PASHM_INTACT ? "intact" : "purged", text);
	if (verdict == PASHM_PURGED) {
		fill(text);
		handle.generation = pashm_generation(region, handle.page);
	}
	printf("refill: \"%s\"\n", text);
	check(pashm_unpin(region, handle.page), "unpin");
	pashm_region_close(region);
	return 0;
}
