// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pool: objects of whole pages, each an extent.
 *
 * The region is cut in three: objects, free runs, and what lies above @fresh,
 * which was never used. All below @fresh is divided into segments: an object is
 * one, and a free run consists of one or more, each of them an extent of
 * priority 0 that nobody has pinned, or pages where making one has failed. So
 * the borders of runs and segments are borders of extents, but a request may
 * end inside a segment, which is then cut.
 *
 * The lengths of segments are on our own heap: what the state words say may
 * have been forged by any client of the region, and is good for its own
 * contents only, not for what the pool gives out.
 *
 * LOCKS: pool.lock is a leaf. Extents are changed without it: a run that was
 * taken out of the set belongs to the thread that took it, so runs are taken
 * out by whole segments.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <pashm/pool.h>
#include "backend.h"
#include "runs.h"

/* Of a segment's length: it is an object */
#define SEGMENT_OBJECT	(1U << 31)

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
 * @lengths: of segments, by their first pages; what is in between is garbage,
 *           but never an object. Sparse. Written under the lock, read without
 *           by who has the segment
 */
struct pashm_pool {
	struct pashm_region *region;
	pthread_mutex_t lock;
	struct runs runs;
	uint32_t fresh;
	uint64_t objects;
	uint64_t pages;
	uint32_t *lengths;
};

static size_t lengths_size(const struct pashm_pool *pool)
{
	return (size_t)(pool->region->length >> pool->region->view.page_shift) *
	       sizeof(*pool->lengths);
}

static uint32_t *lengths_new(const struct pashm_pool *pool)
{
	void *lengths = mmap(NULL, lengths_size(pool), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			     -1, 0);

	if (lengths == MAP_FAILED)
		return NULL;
	/* It is to cost what is used of it */
	madvise(lengths, lengths_size(pool), MADV_NOHUGEPAGE);
	return lengths;
}

static uint32_t segment(const struct pashm_pool *pool, uint32_t page)
{
	return __atomic_load_n(&pool->lengths[page], __ATOMIC_RELAXED);
}

static void segment_set(struct pashm_pool *pool, uint32_t page, uint32_t length)
{
	__atomic_store_n(&pool->lengths[page], length, __ATOMIC_RELAXED);
}

PASHM_API int pashm_pool_create(struct pashm_region *region,
				struct pashm_pool **pool)
{
	struct pashm_pool *p;
	int ret;

	if (region->forked)
		return -EINVAL;
	ret = pashm_region_map(region, PROT_READ | PROT_WRITE, NULL);
	if (ret)
		return ret;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->region = region;
	p->lengths = lengths_new(p);
	if (!p->lengths) {
		free(p);
		return -ENOMEM;
	}
	pthread_mutex_init(&p->lock, NULL);
	pashm_runs_init(&p->runs);
	*pool = p;
	return 0;
}

PASHM_API void pashm_pool_destroy(struct pashm_pool *pool)
{
	if (!pool)
		return;
	munmap(pool->lengths, lengths_size(pool));
	/* In a child, a thread of the parent may have been at work on the runs */
	if (!pthread_mutex_trylock(&pool->lock)) {
		pashm_runs_clear(&pool->runs);
		pthread_mutex_unlock(&pool->lock);
		pthread_mutex_destroy(&pool->lock);
	}
	free(pool);
}

PASHM_API struct pashm_region *pashm_pool_region(const struct pashm_pool *pool)
{
	return pool->region;
}

/**
 * struct piece - pages that a thread has taken out of the set
 * @start: first page of the object to be made
 * @pages: its length
 * @used:  how many of its pages were given out before
 * @split: first page of the segment that reaches beyond the object, and
 * @spare: how many of its pages are too many; 0 if there is none
 */
struct piece {
	uint32_t start;
	uint32_t pages;
	uint32_t used;
	uint32_t split;
	uint32_t spare;
};

/* The segment at the object's end belongs to the piece with all its pages */
static void piece_round(struct pashm_pool *pool, struct piece *piece)
{
	uint32_t end = piece->start + piece->pages;
	uint32_t page, length;

	for (page = piece->start; page < end; page += length) {
		length = segment(pool, page);
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
		segment_set(pool, pool->fresh, pages - last);
		pool->fresh += pages - last;
	}
	pool->objects++;
	pool->pages += pages;
	return 0;
}

/* The piece has become an object; what is too much, a segment of a free run */
static void piece_keep(struct pashm_pool *pool, const struct piece *piece)
{
	uint32_t end = piece->start + piece->pages;

	pthread_mutex_lock(&pool->lock);
	segment_set(pool, piece->start, piece->pages | SEGMENT_OBJECT);
	if (piece->spare) {
		segment_set(pool, end, piece->spare);
		pashm_runs_give(&pool->runs, end, piece->spare);
	}
	pthread_mutex_unlock(&pool->lock);
}

/* The piece has not become an object: its segments are what they were */
static void piece_return(struct pashm_pool *pool, const struct piece *piece)
{
	pthread_mutex_lock(&pool->lock);
	pashm_runs_give(&pool->runs, piece->start, piece->pages + piece->spare);
	pool->objects--;
	pool->pages -= piece->pages;
	pthread_mutex_unlock(&pool->lock);
}

/* An object is no more: it is a segment of a free run */
static void object_give(struct pashm_pool *pool, uint32_t start, uint32_t pages)
{
	pthread_mutex_lock(&pool->lock);
	segment_set(pool, start, pages);
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
		ret = pashm_extent_make(pool->region, page, pages, priority,
					handle);
	} while (busy_retry(ret, &tries));
	return ret;
}

/* Is the handle's extent there, with whatever contents? Updates the handle */
static bool extent_find(const struct pashm_pool *pool,
			struct pashm_handle *handle)
{
	const struct pashm_view *view = &pool->region->view;
	uint64_t state = __atomic_load_n(&view->states[handle->page],
					 __ATOMIC_ACQUIRE);
	/* Written before the word that made the extent, hence read after it */
	uint32_t birth = __atomic_load_n(&view->births[handle->page],
					 __ATOMIC_RELAXED);

	if (pashm_pin_verdict(state, handle->generation, birth) == PASHM_STALE)
		return false;
	handle->generation = pashm_state_generation(state);
	return true;
}

/*
 * End an extent, known or not, unless somebody has it pinned. The pin is made
 * with the current generation: nobody is going to refill what was purged.
 */
static int extent_end(struct pashm_pool *pool, struct pashm_handle handle)
{
	enum pashm_verdict verdict;
	unsigned int tries = 0;
	int ret;

	do {
		if (!extent_find(pool, &handle))
			return -ESTALE;
		ret = pashm_pin(pool->region, handle, &verdict);
		if (ret)
			return ret;
		if (verdict == PASHM_STALE)
			return -ESTALE;
		ret = pashm_extent_destroy(pool->region, handle.page, 0);
		if (ret)
			pashm_unpin(pool->region, handle.page);
	} while (busy_retry(ret, &tries));
	/* Our pin is gone, or the extent: somebody forges words */
	return ret == -ERANGE || ret == -EINVAL ? -ESTALE : ret;
}

/*
 * Leave free pages to reclaim. If that fails they stay unmanaged, which costs
 * memory until they are used again, and nothing else.
 */
static void extent_leave(struct pashm_pool *pool, uint32_t page, uint32_t pages)
{
	struct pashm_handle ignored;
	int ret;

	do {
		ret = extent_make(pool, page, pages, 0, &ignored);
	} while (ret == -EINTR);
	if (!ret)
		pashm_unpin(pool->region, page);
}

/* End the extent that the object's end is in. It may be there or not. */
static int split_end(struct pashm_pool *pool, uint32_t page)
{
	struct pashm_handle handle = {
		.page = page,
		.generation = pashm_generation(pool->region, page),
	};
	int ret = extent_end(pool, handle);

	return ret == -ESTALE ? 0 : ret;
}

static int object_make(struct pashm_pool *pool, const struct piece *piece,
		       uint32_t priority, struct pashm_handle *handle)
{
	uint32_t end = piece->start + piece->pages;
	int ret;

	if (piece->spare) {
		ret = split_end(pool, piece->split);
		if (ret)
			return ret;
	}
	ret = extent_make(pool, piece->start, piece->pages, priority, handle);
	if (!piece->spare)
		return ret;
	if (ret)
		extent_leave(pool, piece->split,
			     end + piece->spare - piece->split);
	else
		extent_leave(pool, end, piece->spare);
	return ret;
}

PASHM_API int pashm_pool_alloc(struct pashm_pool *pool, size_t size,
			       uint32_t priority, uint32_t flags,
			       struct pashm_handle *handle, void **address)
{
	const struct pashm_view *view = &pool->region->view;
	uint32_t unit = pashm_view_unit(view);
	struct piece piece;
	uint64_t pages;
	void *object;
	int ret;

	if (pool->region->forked || size == 0 ||
	    (priority > PASHM_PRIORITY_MAX &&
	     priority != PASHM_PRIORITY_REGION) || flags & ~PASHM_ALLOC_ZEROED)
		return -EINVAL;
	pages = (((uint64_t)size - 1) >> view->page_shift) + 1;
	pages = (pages + unit - 1) / unit * unit;
	if (pages > PASHM_EXTENT_PAGES_MAX)
		return -EFBIG;
	pthread_mutex_lock(&pool->lock);
	ret = piece_take(pool, (uint32_t)pages, &piece);
	pthread_mutex_unlock(&pool->lock);
	if (ret)
		return ret;
	ret = object_make(pool, &piece, priority, handle);
	if (ret) {
		piece_return(pool, &piece);
		return ret;
	}
	piece_keep(pool, &piece);
	/* It is pinned: what this takes back is other memory */
	pashm_pressure_charge(pool->region->pressure, pages << view->page_shift);
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
	pages = segment(pool, handle.page);
	if (!(pages & SEGMENT_OBJECT))
		return -ESTALE;
	ret = extent_end(pool, handle);
	if (ret)
		return ret;
	pages &= ~SEGMENT_OBJECT;
	extent_leave(pool, handle.page, pages);
	object_give(pool, handle.page, pages);
	return 0;
}

PASHM_API size_t pashm_pool_size(const struct pashm_pool *pool,
				 struct pashm_handle handle)
{
	uint32_t pages;

	if (handle.page >= pool->region->view.pages)
		return 0;
	pages = segment(pool, handle.page);
	if (!(pages & SEGMENT_OBJECT) || !extent_find(pool, &handle))
		return 0;
	return (size_t)(pages & ~SEGMENT_OBJECT)
	       << pool->region->view.page_shift;
}

PASHM_API void pashm_pool_info(struct pashm_pool *pool,
			       struct pashm_pool_info *info)
{
	const struct pashm_view *view = &pool->region->view;

	memset(info, 0, sizeof(*info));
	if (pool->region->forked)
		return;
	pthread_mutex_lock(&pool->lock);
	info->objects = pool->objects;
	info->bytes = pool->pages << view->page_shift;
	info->free_runs = pool->runs.count;
	info->free = pool->runs.pages << view->page_shift;
	info->untouched = (view->pages - pool->fresh) << view->page_shift;
	pthread_mutex_unlock(&pool->lock);
}
