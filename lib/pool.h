/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a pool does for the cache alone. */
#ifndef LIB_POOL_H
#define LIB_POOL_H

#include <pashm/pool.h>

/*
 * End all objects that share the extent of this one, which is what makes room when
 * each of them alone would only leave a slot. Their handles are stale then. False if
 * it is alone, or if any of them is pinned.
 */
bool pashm_pool_retire(struct pashm_pool *pool, struct pashm_handle handle);

/* What pashm_pool_size() would be; 0 if there is no such object */
size_t pashm_pool_usable(const struct pashm_pool *pool, size_t align,
			 size_t size);

#endif /* LIB_POOL_H */
