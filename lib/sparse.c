// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sparse tables, by page of a region. */
#include <sys/mman.h>
#include "sparse.h"

static size_t table_size(const struct pashm_region *region, size_t size)
{
	return (size_t)region->length / (1UL << region->view.page_shift) * size;
}

void *pashm_sparse_new(const struct pashm_region *region, size_t size)
{
	size_t bytes = table_size(region, size);
	void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (table == MAP_FAILED)
		return NULL;
	/* It is to cost what is used of it */
	madvise(table, bytes, MADV_NOHUGEPAGE);
	return table;
}

void pashm_sparse_free(const struct pashm_region *region, void *table,
		       size_t size)
{
	munmap(table, table_size(region, size));
}
