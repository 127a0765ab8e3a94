/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables by page of a region, all zeros at first; cost what is used of them. */
#ifndef LIB_SPARSE_H
#define LIB_SPARSE_H

#include "backend.h"

/* Of @size bytes a page; NULL if there is no address space */
void *pashm_sparse_new(const struct pashm_region *region, size_t size);

void pashm_sparse_free(const struct pashm_region *region, void *table,
		       size_t size);

#endif /* LIB_SPARSE_H */
