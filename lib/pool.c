// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pool: objects of whole pages, each an extent.
 *
 * The region is cut in three: objects, free runs, and what lies above @fresh,
 * which was never used. A free run is made of whole extents of priority 0 that
 * nobody has pinned, one for each object that was freed there, or of unmanaged
 * pages where making such an extent has failed. So its borders are borders of
 * extents, but a request may end inside one of them, which is then cut.
 *
 * LOCKS: pool.lock is a leaf. Extents are changed without it: a run that was
 * taken out of the set belongs to the thread that took it, so runs are taken
 * out by whole extents.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <pashm/pool.h>
#include "backend.h"
#include "runs.h"

/*
 * An extent of ours may look busy for a moment: a purger takes it, or somebody
 * tries a stale handle.
 */
#define BUSY_TRIES	20
#define BUSY_NAP_NS	20000

/**
 * struct pashm_pool
 * @region:  constant
 * @lock:    guards the rest
 * @runs:    free runs; may hold @objects + 2, as an object lies between any two
 * @fresh:   first page that was never given out
 * @objects: objects alive or being made
 * @pages:   their pages
 */
struct pashm_pool {
	struct pashm_region *region;
	pthread_mutex_t lock;
	struct runs runs;
	uint32_t fresh;
	uint64_t objects;
	uint64_t pages;
};

PASHM_API int pashm_pool_create(struct pashm_region *region,
				struct pashm_pool **pool)
{
	struct pashm_pool *p;
	int ret;

	ret = pashm_region_map(region, PROT_READ | PROT_WRITE, NULL);
	if (ret)
		return ret;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->region = region;
	pthread_mutex_init(&p->lock, NULL);
	pashm_runs_init(&p->runs);
	*pool = p;
	return 0;
}

PASHM_API void pashm_pool_destroy(struct pashm_pool *pool)
{
	if (!pool)
		return;
	pashm_runs_clear(&pool->runs);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

PASHM_API struct pashm_region *pashm_pool_region(const struct pashm_pool *pool)
{
	return pool->region;
}

static uint32_t extent_length(const struct pashm_pool *pool, uint32_t page)
{
	return pashm_state_length(__atomic_load_n(
		&pool->region->view.states[page], __ATOMIC_RELAXED));
}

/**
 * struct piece - pages that a thread has taken out of the set
 * @start: first page of the object to be made
 * @pages: its length
 * @used:  how many of its pages were given out before
 * @split: head of the free extent that reaches beyond the object, and
 * @spare: how many of its pages are too many; 0 if there is none
 */
struct piece {
	uint32_t start;
	uint32_t pages;
	uint32_t used;
	uint32_t split;
	uint32_t spare;
};

/* The free extent at the object's end belongs to the piece with all its pages */
static void piece_round(struct pashm_pool *pool, struct piece *piece)
{
	uint32_t end = piece->start + piece->pages;
	uint32_t page, length;

	for (page = piece->start; page < end; page += length ? length : 1) {
		length = extent_length(pool, page);
		if (length <= end - page)
			continue;
		piece->split = page;
		piece->spare = length - (end - page);
		pashm_runs_trim(&pool->runs, end, piece->spare);
		return;
	}
}

static int piece_take(struct pashm_pool *pool, uint32_t pages,
		      struct piece *piece)
{
	uint64_t fresh = pool->region->view.pages - pool->fresh;
	uint32_t last;
	int ret;

	*piece = (struct piece){ .pages = pages, .used = pages };
	ret = pashm_runs_reserve(&pool->runs, pool->objects + 3);
	if (ret)
		return ret;
	if (pashm_runs_take(&pool->runs, pages, &piece->start)) {
		piece_round(pool, piece);
	} else {
		last = pashm_runs_take_last(&pool->runs, pool->fresh);
		if (pages - last > fresh) {
			if (last)
				pashm_runs_give(&pool->runs,
						pool->fresh - last, last);
			return -ENOSPC;
		}
		piece->start = pool->fresh - last;
		piece->used = last;
		pool->fresh += pages - last;
	}
	pool->objects++;
	pool->pages += pages;
	return 0;
}

static void run_give(struct pashm_pool *pool, uint32_t start, uint32_t pages)
{
	pthread_mutex_lock(&pool->lock);
	pashm_runs_give(&pool->runs, start, pages);
	pthread_mutex_unlock(&pool->lock);
}

/* An object is no more: its pages are a free run */
static void object_give(struct pashm_pool *pool, uint32_t start, uint32_t pages)
{
	pthread_mutex_lock(&pool->lock);
	pashm_runs_give(&pool->runs, start, pages);
	pool->objects--;
	pool->pages -= pages;
	pthread_mutex_unlock(&pool->lock);
}

static bool busy_retry(int ret, unsigned int *tries)
{
	struct timespec nap = { .tv_nsec = BUSY_NAP_NS };

	if (ret != -EBUSY || ++*tries >= BUSY_TRIES)
		return false;
	nanosleep(&nap, NULL);
	return true;
}

static int extent_make(struct pashm_pool *pool, uint32_t page, uint32_t pages,
		       uint32_t priority, struct pashm_handle *handle)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = pashm_extent_create(pool->region, page, pages, priority,
					  handle);
	} while (busy_retry(ret, &tries));
	return ret;
}

/* End an extent, known or not, unless somebody has it pinned */
static int extent_end(struct pashm_pool *pool, struct pashm_handle handle)
{
	enum pashm_verdict verdict;
	unsigned int tries = 0;
	int ret;

	do {
		ret = pashm_pin(pool->region, handle, &verdict);
		if (ret)
			return ret;
		if (verdict == PASHM_STALE)
			return -ESTALE;
		ret = pashm_extent_destroy(pool->region, handle.page, 0);
		if (ret)
			pashm_unpin(pool->region, handle.page);
	} while (busy_retry(ret, &tries));
	return ret;
}

/*
 * Leave free pages to reclaim. If that fails they stay unmanaged, which costs
 * memory until they are used again, and nothing else.
 */
static void extent_leave(struct pashm_pool *pool, uint32_t page, uint32_t pages)
{
	struct pashm_handle ignored;

	if (!extent_make(pool, page, pages, 0, &ignored))
		pashm_unpin(pool->region, page);
}

static int object_make(struct pashm_pool *pool, const struct piece *piece,
		       uint32_t priority, struct pashm_handle *handle)
{
	uint32_t end = piece->start + piece->pages;
	int ret = 0;

	if (piece->spare) {
		handle->page = piece->split;
		handle->generation = pashm_generation(pool->region,
						      piece->split);
		ret = extent_end(pool, *handle);
	}
	if (!ret)
		ret = extent_make(pool, piece->start, piece->pages, priority,
				  handle);
	if (!piece->spare)
		return ret;
	if (extent_length(pool, piece->split) <= end - piece->split)
		extent_leave(pool, end, piece->spare);
	run_give(pool, end, piece->spare);
	return ret;
}

PASHM_API int pashm_pool_alloc(struct pashm_pool *pool, size_t size,
			       uint32_t priority, uint32_t flags,
			       struct pashm_handle *handle, void **address)
{
	const struct pashm_view *view = &pool->region->view;
	struct piece piece;
	uint64_t pages;
	void *object;
	int ret;

	if (size == 0 || priority > PASHM_PRIORITY_MAX ||
	    flags & ~PASHM_ALLOC_ZEROED)
		return -EINVAL;
	pages = (((uint64_t)size - 1) >> view->page_shift) + 1;
	if (pages > PASHM_EXTENT_PAGES_MAX)
		return -ENOSPC;
	pthread_mutex_lock(&pool->lock);
	ret = piece_take(pool, (uint32_t)pages, &piece);
	pthread_mutex_unlock(&pool->lock);
	if (ret)
		return ret;
	ret = object_make(pool, &piece, priority, handle);
	if (ret) {
		object_give(pool, piece.start, piece.pages);
		return ret;
	}
	object = pashm_address(pool->region, piece.start);
	if (flags & PASHM_ALLOC_ZEROED)
		memset(object, 0, (size_t)piece.used << view->page_shift);
	if (address)
		*address = object;
	return 0;
}

PASHM_API int pashm_pool_free(struct pashm_pool *pool,
			      struct pashm_handle handle)
{
	uint32_t pages;
	int ret;

	if (handle.page >= pool->region->view.pages)
		return -EINVAL;
	pages = extent_length(pool, handle.page);
	ret = extent_end(pool, handle);
	if (ret)
		return ret;
	extent_leave(pool, handle.page, pages);
	object_give(pool, handle.page, pages);
	return 0;
}

PASHM_API size_t pashm_pool_size(const struct pashm_pool *pool,
				 struct pashm_handle handle)
{
	if (handle.page >= pool->region->view.pages)
		return 0;
	return (size_t)extent_length(pool, handle.page)
	       << pool->region->view.page_shift;
}

PASHM_API void pashm_pool_info(struct pashm_pool *pool,
			       struct pashm_pool_info *info)
{
	const struct pashm_view *view = &pool->region->view;

	pthread_mutex_lock(&pool->lock);
	info->objects = pool->objects;
	info->bytes = pool->pages << view->page_shift;
	info->free_runs = pool->runs.count;
	info->free = pool->runs.pages << view->page_shift;
	info->untouched = (view->pages - pool->fresh) << view->page_shift;
	pthread_mutex_unlock(&pool->lock);
}
