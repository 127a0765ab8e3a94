/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pool: a pinning allocator over the pages of one region.
 *
 * Large objects are extents of their own: whole pages. Smaller ones share an
 * extent, a slab, with others of about their size and of the same priority:
 * objects of a slab are purged together, and none of them while any of them is
 * pinned. So put what is used together into one object; what must come and go
 * alone is allocated with PASHM_ALLOC_ALONE.
 *
 * Pages that no object has any more become unpinned extents of priority 0, so
 * that they are what reclaim takes first, and are reused from the lowest address
 * up; but of each kind of slab, an empty one may be kept.
 * Objects never move. A region costs nothing until its pages are touched: a
 * pool that is to grow is made in a large one.
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
/* The object has an extent of its own, however small it is */
#define PASHM_ALLOC_ALONE	(1U << 1)

/* In a handle's inner: the object's offset in its extent, in units of 16 bytes */
#define PASHM_INNER_OFFSET_MASK	0x000fffffU
#define PASHM_INNER_OFFSET_SHIFT	4

/**
 * struct pashm_pool_info - what a pool has given out
 * @objects:   objects allocated now
 * @bytes:     bytes of the pages that they and the slabs have
 * @slabs:     slabs among these
 * @vacant:    bytes in slabs that are free for objects
 * @free_runs: runs of pages that were freed and not reused; neighbours are one
 * @free:      bytes of these
 * @untouched: bytes of the region that were never given out
 */
struct pashm_pool_info {
	uint64_t objects;
	uint64_t bytes;
	uint64_t slabs;
	uint64_t vacant;
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
 * Bookkeeping is on the heap of this process, so that it is there after a
 * purge, too: 52 bytes for each object with an extent of its own and for each
 * slab, 9 bits for each slot of a slab, and 2 KiB for each CPU. Of address
 * space it takes 36 bytes a page of the region.
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
 * @size:     bytes, at least 1. pashm_pool_size() may be more: by a fifth, or up to
 *            the next multiple of 16, or of whole pages if the object does not share
 *            an extent; up to four times as much if no other room is left. (In a
 *            region with PASHM_REGION_HUGE, PASHM_HUGE_BYTES are a page, and 512
 *            bytes are the least.)
 * @priority: 0 (taken first) to PASHM_PRIORITY_MAX, or PASHM_PRIORITY_REGION
 * @flags:    PASHM_ALLOC_*
 * @handle:   set on success; knows the contents as they are now
 * @address:  set on success if not NULL
 *
 * The caller fills the object and ends the pin with pashm_pool_unpin(). Its
 * address is a multiple of 16, or of the largest power of two that divides its
 * size if that is more, up to a page.
 *
 * Threads that run on different CPUs rarely wait for each other, unless there are
 * more than 64, or the object needs pages of its own.
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
 * pashm_pool_alloc_aligned - the same with an address that is a multiple
 * @pool, @size, @priority, @flags, @handle, @address: as pashm_pool_alloc()
 * @align: a power of two, in bytes
 *
 * Returns as pashm_pool_alloc(), and -EINVAL also if @align is no power of two
 * or larger than the region, -EOPNOTSUPP if the region has PASHM_REGION_HUGE,
 * @align is more than a page, and the system has not mapped the region at a
 * multiple of that. Thread-safe. Since: 0.1
 */
int pashm_pool_alloc_aligned(struct pashm_pool *pool, size_t align, size_t size,
			     uint32_t priority, uint32_t flags,
			     struct pashm_handle *handle, void **address);

/**
 * pashm_pool_resize - make an object larger or smaller
 * @pool:    the pool
 * @handle:  the object's, pinned once, by the caller, and still pinned
 *           afterwards; changed on success. Copies of the old one become stale
 * @size:    bytes, at least 1
 * @flags:   PASHM_ALLOC_ZEROED: bytes that it gets beyond those that
 *           pashm_pool_size() told are zeros
 * @address: set on success if not NULL; may be another one than before
 *
 * Contents stay, up to the smaller size. Priority stays, too, and what is alone in
 * its extent remains so; an alignment that was asked for does not stay, if the
 * object moves.
 *
 * Returns 0, or as pashm_pool_alloc(), or
 *   -EBUSY   pinned by somebody else, or more often (an object that is alone, and
 *            gets smaller or moves)
 *   -ESTALE  not an object, or another client has ended its extent, or keeps it
 *            from being made again: then the object is gone
 * If it fails otherwise, the object is what it was before, and still pinned.
 * Thread-safe. Since: 0.1
 */
int pashm_pool_resize(struct pashm_pool *pool, struct pashm_handle *handle,
		      size_t size, uint32_t flags, void **address);

/**
 * pashm_pool_free - end an object
 * @pool:   the pool that it came from
 * @handle: any copy of the object's handle; its generation need not be current
 *
 * The object may have been purged, and must not be pinned, not even by the
 * caller. If it is alone in its extent, that is looked at: so it cannot vanish
 * under a thread or a process that still uses it. Whose pins of a slab are meant
 * for which object cannot be told. Copies of the handle become stale; in a slab,
 * pashm_pool_pin() does not find out, but free, resize and size do, unless 255
 * objects have come and gone there.
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
 * pashm_pool_size - bytes that an object may use, 0 if the handle is stale
 * @pool:   the pool
 * @handle: an object's handle; the object is pinned by the caller
 *
 * At least what was asked for. Thread-safe. Since: 0.1
 */
size_t pashm_pool_size(struct pashm_pool *pool, struct pashm_handle handle);

/**
 * pashm_pool_trim - give the memory of freed objects to the system now
 * @pool: a pool
 *
 * For before a long pause: reclaim takes that memory before any other.
 *
 * Returns 0, -ENOMEM, or the first error of those that pashm_pool_free() has, but
 * for slabs that somebody has pinned: these stay. So does what failed, and all else
 * is given back. Thread-safe. Since: 0.1
 */
int pashm_pool_trim(struct pashm_pool *pool);

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
 * pashm_pool_address - where an object is, pinned or not
 * @pool:   the pool
 * @handle: its handle
 *
 * Constant as long as the object lives. Thread-safe. Since: 0.1
 */
static inline void *pashm_pool_address(const struct pashm_pool *pool,
				       struct pashm_handle handle)
{
	char *extent = (char *)pashm_address(pashm_pool_region(pool),
					     handle.page);

	return extent + ((size_t)(handle.inner & PASHM_INNER_OFFSET_MASK)
			 << PASHM_INNER_OFFSET_SHIFT);
}

/**
 * pashm_pool_pin - pin an object, with all that shares its extent
 * @pool:    the pool
 * @handle:  its handle
 * @verdict: as pashm_pin(); the object is not pinned if it is PASHM_STALE
 * @address: set if not NULL, and the object is pinned
 *
 * After PASHM_PURGED the caller refills the object and stores
 * pashm_generation() in its handle; the others in its slab have lost theirs,
 * too, and learn so from their own handles. Returns as pashm_pin(). Thread-safe; no
 * system call if the contents are intact. Since: 0.1
 */
static inline int pashm_pool_pin(struct pashm_pool *pool,
				 struct pashm_handle handle,
				 enum pashm_verdict *verdict, void **address)
{
	struct pashm_region *region = pashm_pool_region(pool);
	int ret = pashm_pin(region, handle, verdict);

	if (!ret && address && *verdict != PASHM_STALE)
		*address = pashm_pool_address(pool, handle);
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
