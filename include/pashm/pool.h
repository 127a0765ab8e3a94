/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pool: a pinning allocator over the pages of one region.
 *
 * Each object is an extent of its own: whole pages, purged as a whole. (Small
 * objects that share pages are for a later version; until then put many of
 * them into one object.) What is freed becomes an unpinned extent of priority
 * 0, so that it is what reclaim takes first, and is reused from the lowest
 * address up; a region grows physically only when its pages are touched.
 *
 * All functions return 0 or a negative errno and do not set errno. A pool may
 * be used by all threads at once; only pashm_pool_destroy() must come last.
 * Two threads must not free the same object, nor use one that is freed.
 *
 * Other clients of the region can make objects lose their contents, or refuse
 * to be freed, but not make the pool give out a page twice: what it gave out is
 * on the heap of this process.
 *
 * Not inherited over fork: in a child all functions fail with -EINVAL, sizes
 * and figures are 0, and only pashm_pool_destroy() makes sense.
 */
#ifndef PASHM_POOL_H
#define PASHM_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <pashm/region.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pashm_pool;

/* The object's bytes are zeros; otherwise what the pool's owner left in them */
#define PASHM_ALLOC_ZEROED	(1U << 0)

/**
 * struct pashm_pool_info - what a pool has given out
 * @objects:   objects allocated now
 * @bytes:     bytes of their pages
 * @free_runs: runs of pages that were freed and not reused; neighbours are one
 * @free:      bytes of these
 * @untouched: bytes of the region that were never given out
 */
struct pashm_pool_info {
	uint64_t objects;
	uint64_t bytes;
	uint64_t free_runs;
	uint64_t free;
	uint64_t untouched;
};

/**
 * pashm_pool_create - make a pool of all pages of a region
 * @region: an open region without extents, which nobody else makes extents in;
 *          mapped readable and writable by this call. Must outlive the pool
 * @pool:   set on success; the caller frees it with pashm_pool_destroy()
 *
 * Bookkeeping is on the heap of this process: up to 52 bytes an object, and 4
 * bytes of address space a page of the region.
 * Other clients of the region may pin the objects by their handles.
 *
 * Returns 0, or -EACCES, -EPERM (the region cannot be written), -EBUSY (it is
 * mapped in another way), -EINVAL (in a child), -ENOMEM. Since: 0.1
 */
int pashm_pool_create(struct pashm_region *region, struct pashm_pool **pool);

/**
 * pashm_pool_destroy - forget a pool; its objects stay in the region
 * @pool: may be NULL. Since: 0.1
 */
void pashm_pool_destroy(struct pashm_pool *pool);

/**
 * pashm_pool_alloc - make an object, pinned and writable
 * @pool:     a pool
 * @size:     bytes, at least 1; rounded up to pages, or to PASHM_HUGE_BYTES in a region
 *            with PASHM_REGION_HUGE
 * @priority: 0 (taken first) to PASHM_PRIORITY_MAX, or PASHM_PRIORITY_REGION
 * @flags:    PASHM_ALLOC_*
 * @handle:   set on success; knows the contents as they are now
 * @address:  set on success if not NULL
 *
 * The caller fills the object and ends the pin with pashm_pool_unpin().
 *
 * Returns 0, or
 *   -EINVAL  size 0, priority too high, unknown flag, in a child
 *   -EFBIG   more than PASHM_EXTENT_PAGES_MAX pages
 *   -ENOSPC  no run of pages is long enough: free something
 *   -EBUSY   somebody has pinned free pages by a stale handle; -EAGAIN so
 *            often that the count is full
 *   -ERANGE  another client has made extents in the pool's region
 *   -EACCES  writing was given up by pashm_region_protect()
 *   -ENOMEM, -EINTR, -ETIMEDOUT (memfd)
 * The pool is as it was before. Thread-safe. Since: 0.1
 */
int pashm_pool_alloc(struct pashm_pool *pool, size_t size, uint32_t priority,
		     uint32_t flags, struct pashm_handle *handle,
		     void **address);

/**
 * pashm_pool_free - end an object
 * @pool:   the pool that it came from
 * @handle: any copy of the object's handle; its generation need not be current
 *
 * The object may have been purged, and must not be pinned, not even by the
 * caller: so it cannot vanish under a thread or a process that still uses it.
 * Copies of the handle become stale.
 *
 * Returns 0, or
 *   -EINVAL  not in the region, in a child
 *   -ESTALE  freed before, no object starts there, or another client has
 *            ended its extent
 *   -EBUSY   pinned
 *   -EAGAIN, -EINTR, -EACCES, -ETIMEDOUT (memfd)
 * If it fails, the object is what it was before.
 * Thread-safe. Since: 0.1
 */
int pashm_pool_free(struct pashm_pool *pool, struct pashm_handle handle);

/**
 * pashm_pool_size - bytes of an object's pages, 0 if the handle is stale
 * @pool:   the pool
 * @handle: an object's handle; the object is pinned by the caller
 *
 * Thread-safe. Since: 0.1
 */
size_t pashm_pool_size(const struct pashm_pool *pool,
		       struct pashm_handle handle);

/**
 * pashm_pool_region - the region that the pool hands out
 * @pool: a pool
 *
 * Thread-safe. Since: 0.1
 */
struct pashm_region *pashm_pool_region(const struct pashm_pool *pool);

/**
 * pashm_pool_info - figures of a pool
 * @pool: a pool
 * @info: filled in; a snapshot
 *
 * Thread-safe. Since: 0.1
 */
void pashm_pool_info(struct pashm_pool *pool, struct pashm_pool_info *info);

/**
 * pashm_pool_pin - pin an object
 * @pool:    the pool
 * @handle:  its handle
 * @verdict: as pashm_pin(); the object is not pinned if it is PASHM_STALE
 * @address: set if not NULL, and the object is pinned
 *
 * After PASHM_PURGED the caller refills the object and stores
 * pashm_generation() in its handle. Returns as pashm_pin(). Thread-safe; no
 * system call if the contents are intact. Since: 0.1
 */
static inline int pashm_pool_pin(struct pashm_pool *pool,
				 struct pashm_handle handle,
				 enum pashm_verdict *verdict, void **address)
{
	struct pashm_region *region = pashm_pool_region(pool);
	int ret = pashm_pin(region, handle, verdict);

	if (!ret && address && *verdict != PASHM_STALE)
		*address = pashm_address(region, handle.page);
	return ret;
}

/**
 * pashm_pool_unpin - allow an object to be purged again
 * @pool:   the pool
 * @handle: its handle
 *
 * Returns as pashm_unpin(). Thread-safe; no system call. Since: 0.1
 */
static inline int pashm_pool_unpin(struct pashm_pool *pool,
				   struct pashm_handle handle)
{
	return pashm_unpin(pashm_pool_region(pool), handle.page);
}

#ifdef __cplusplus
}
#endif

#endif /* PASHM_POOL_H */
