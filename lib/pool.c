// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pool: objects in slabs (slabs.c), or in pages of their own (pages.c).
 *
 * LOCKS: none of its own.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <pashm/pool.h>
#include "own_extent.h"
#include "pool.h"
#include "slabs.h"

/**
 * struct pashm_pool
 * @region: constant
 * @pages:  all pages of the region
 * @slabs:  made of some of them
 */
struct pashm_pool {
	struct pashm_region *region;
	struct pages pages;
	struct slabs slabs;
};

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
	ret = pashm_pages_init(&p->pages, region);
	if (ret)
		goto no_pages;
	ret = pashm_slabs_init(&p->slabs, &p->pages);
	if (ret)
		goto no_slabs;
	*pool = p;
	return 0;

no_slabs:
	pashm_pages_clear(&p->pages);
no_pages:
	free(p);
	return ret;
}

PASHM_API void pashm_pool_destroy(struct pashm_pool *pool)
{
	if (!pool)
		return;
	pashm_slabs_clear(&pool->slabs);
	pashm_pages_clear(&pool->pages);
	free(pool);
}

PASHM_API struct pashm_region *pashm_pool_region(const struct pashm_pool *pool)
{
	return pool->region;
}

/**
 * struct shape - what an object is to be like
 * @class: of slabs, or the number of classes: pages of its own
 * @pages: then, their number
 * @align: of its address, in bytes
 */
struct shape {
	uint32_t class;
	uint32_t pages;
	size_t align;
};

static bool in_slab(const struct pashm_pool *pool, const struct shape *shape)
{
	return shape->class < pool->slabs.classes.count;
}

/* An alignment in pages */
static uint32_t pages_of(const struct pashm_pool *pool, size_t align)
{
	size_t pages = align >> pool->region->view.page_shift;

	return pages ? (uint32_t)pages : 1;
}

static int shape_for(const struct pashm_pool *pool, size_t align, size_t size,
		     bool alone, struct shape *shape)
{
	const struct pashm_view *view = &pool->region->view;
	uint32_t unit = pashm_view_unit(view);
	uint64_t pages;

	if (size == 0 || align == 0 || align & (align - 1) ||
	    align > pool->region->length)
		return -EINVAL;
	pages = (((uint64_t)size - 1) >> view->page_shift) + 1;
	pages = (pages + unit - 1) / unit * unit;
	if (pages > PASHM_EXTENT_PAGES_MAX)
		return -EFBIG;
	shape->align = align;
	if (!pashm_pages_can_align(&pool->pages, pages_of(pool, align)))
		return -EOPNOTSUPP;
	shape->class = pool->slabs.classes.count;
	if (!alone)
		shape->class = pashm_size_class(&pool->slabs.classes, size,
						align);
	shape->pages = (uint32_t)pages;
	return 0;
}

/* Bytes of an object of this shape */
static size_t shape_size(const struct pashm_pool *pool,
			 const struct shape *shape)
{
	if (in_slab(pool, shape))
		return pool->slabs.classes.class[shape->class].size;
	return (size_t)shape->pages << pool->region->view.page_shift;
}

static int alone_alloc(struct pashm_pool *pool, const struct shape *shape,
		       uint32_t priority, struct pashm_handle *handle,
		       size_t *dirty)
{
	struct pages_request request = {
		.pages = shape->pages,
		.align = pages_of(pool, shape->align),
		.priority = priority,
	};
	unsigned int shift = pool->region->view.page_shift;
	uint32_t used;
	int ret;

	ret = pashm_pages_alloc(&pool->pages, &request, handle);
	if (ret == -ENOSPC && pashm_slabs_trim(&pool->slabs))
		ret = pashm_pages_alloc(&pool->pages, &request, handle);
	if (ret)
		return ret;
	used = request.used < shape->pages ? request.used : shape->pages;
	*dirty = (size_t)used << shift;
	/* It is pinned: what this takes back is other memory */
	pashm_pressure_charge(pool->region->pressure,
			      (uint64_t)shape->pages << shift);
	return 0;
}

/*
 * @dirty: how many of its first bytes may be something else than zeros. What belongs
 * into a slab has pages of its own if there are enough of these, but not for a slab.
 */
static int object_alloc(struct pashm_pool *pool, const struct shape *shape,
			uint32_t priority, struct pashm_handle *handle,
			size_t *dirty)
{
	uint32_t unit = pashm_view_unit(&pool->region->view);
	struct shape made = *shape;
	int ret = -ENOSPC;

	if (in_slab(pool, shape))
		ret = pashm_slab_alloc(&pool->slabs, &made.class, shape->align,
				       priority, handle);
	if (!ret)
		*dirty = shape_size(pool, &made);
	if (ret != -ENOSPC ||
	    (in_slab(pool, shape) && shape->pages >=
		pool->slabs.classes.class[shape->class].units * unit))
		return ret;
	return alone_alloc(pool, shape, priority, handle, dirty);
}

PASHM_API int pashm_pool_alloc_aligned(struct pashm_pool *pool, size_t align,
				       size_t size, uint32_t priority,
				       uint32_t flags,
				       struct pashm_handle *handle,
				       void **address)
{
	struct shape shape;
	void *object;
	size_t dirty;
	int ret;

	if (priority == PASHM_PRIORITY_REGION)
		priority = pashm_view_priority(&pool->region->view);
	if (pool->region->forked || priority > PASHM_PRIORITY_MAX ||
	    flags & ~(PASHM_ALLOC_ZEROED | PASHM_ALLOC_ALONE))
		return -EINVAL;
	ret = shape_for(pool, align, size, flags & PASHM_ALLOC_ALONE, &shape);
	if (!ret)
		ret = object_alloc(pool, &shape, priority, handle, &dirty);
	if (ret)
		return ret;
	object = pashm_pool_address(pool, *handle);
	if (flags & PASHM_ALLOC_ZEROED)
		memset(object, 0, dirty);
	if (address)
		*address = object;
	return 0;
}

PASHM_API int pashm_pool_alloc(struct pashm_pool *pool, size_t size,
			       uint32_t priority, uint32_t flags,
			       struct pashm_handle *handle, void **address)
{
	return pashm_pool_alloc_aligned(pool, 1, size, priority, flags, handle,
					address);
}

PASHM_API int pashm_pool_free(struct pashm_pool *pool,
			      struct pashm_handle handle)
{
	if (handle.page >= pool->region->view.pages)
		return -EINVAL;
	if (handle.inner)
		return pashm_slab_free(&pool->slabs, handle);
	if (pashm_slab_at(&pool->slabs, handle.page))
		return -ESTALE;
	return pashm_pages_free(&pool->pages, handle);
}

/* The shape and the priority of an object that is there */
static bool shape_of(struct pashm_pool *pool, struct pashm_handle handle,
		     struct shape *shape, uint32_t *priority)
{
	const struct pashm_view *view = &pool->region->view;

	if (handle.page >= view->pages)
		return false;
	*shape = (struct shape){
		.class = pool->slabs.classes.count, .align = 1,
	};
	if (handle.inner)
		return pashm_slab_find(&pool->slabs, handle, &shape->class,
				       priority);
	if (pashm_slab_at(&pool->slabs, handle.page))
		return false;
	shape->pages = pashm_pages_length(&pool->pages, handle.page);
	*priority = pashm_state_priority(__atomic_load_n(
		&view->states[handle.page], __ATOMIC_RELAXED));
	return shape->pages && pashm_own_find(pool->region, &handle);
}

PASHM_API size_t pashm_pool_size(struct pashm_pool *pool,
				 struct pashm_handle handle)
{
	struct shape shape;
	uint32_t priority;

	if (!shape_of(pool, handle, &shape, &priority))
		return 0;
	return shape_size(pool, &shape);
}

/* The object goes elsewhere; it stays pinned until its contents are there */
static int object_move(struct pashm_pool *pool, const struct shape *from,
		       const struct shape *to, uint32_t priority,
		       struct pashm_handle *handle, size_t *dirty)
{
	size_t old = shape_size(pool, from), size;
	struct pashm_handle made;
	int ret;

	ret = object_alloc(pool, to, priority, &made, dirty);
	if (ret)
		return ret;
	/* Perhaps more than was asked for */
	size = pashm_pool_size(pool, made);
	memcpy(pashm_pool_address(pool, made),
	       pashm_pool_address(pool, *handle), old < size ? old : size);
	if (in_slab(pool, from)) {
		pashm_unpin(pool->region, handle->page);
		pashm_slab_free(&pool->slabs, *handle);
	} else {
		ret = pashm_pages_free_pinned(&pool->pages, handle->page);
	}
	/* Objects do not get smaller by moving: @made is not in a slab then */
	if (ret)
		pashm_pages_abandon(&pool->pages, made.page);
	else
		*handle = made;
	return ret;
}

static int object_resize(struct pashm_pool *pool, const struct shape *from,
			 const struct shape *to, uint32_t priority,
			 struct pashm_handle *handle, size_t *dirty)
{
	struct pages_request request = {
		.pages = to->pages, .align = 1, .priority = priority,
	};
	int ret;

	if (shape_size(pool, from) == shape_size(pool, to))
		return 0;
	if (in_slab(pool, from) || in_slab(pool, to))
		return object_move(pool, from, to, priority, handle, dirty);
	ret = pashm_pages_resize(&pool->pages, &request, handle);
	if (ret == -ENOSPC)
		return object_move(pool, from, to, priority, handle, dirty);
	*dirty = (size_t)request.used << pool->region->view.page_shift;
	return ret;
}

PASHM_API int pashm_pool_resize(struct pashm_pool *pool,
				struct pashm_handle *handle, size_t size,
				uint32_t flags, void **address)
{
	struct shape from, to;
	uint32_t priority;
	size_t old, dirty = 0;
	char *object;
	int ret;

	if (pool->region->forked || flags & ~PASHM_ALLOC_ZEROED)
		return -EINVAL;
	if (!shape_of(pool, *handle, &from, &priority))
		return -ESTALE;
	ret = shape_for(pool, 1, size, !in_slab(pool, &from), &to);
	if (!ret)
		ret = object_resize(pool, &from, &to, priority, handle,
				    &dirty);
	if (ret)
		return ret;
	object = pashm_pool_address(pool, *handle);
	old = shape_size(pool, &from);
	if (flags & PASHM_ALLOC_ZEROED && dirty > old)
		memset(object + old, 0, dirty - old);
	if (address)
		*address = object;
	return 0;
}

bool pashm_pool_retire(struct pashm_pool *pool, struct pashm_handle handle)
{
	return handle.inner && !pashm_slab_retire(&pool->slabs, handle);
}

size_t pashm_pool_usable(const struct pashm_pool *pool, size_t align,
			 size_t size)
{
	struct shape shape;

	return shape_for(pool, align, size, false, &shape) ?
		       0 : shape_size(pool, &shape);
}

PASHM_API int pashm_pool_trim(struct pashm_pool *pool)
{
	if (pool->region->forked)
		return -EINVAL;
	pashm_slabs_trim(&pool->slabs);
	return pashm_pages_trim(&pool->pages);
}

PASHM_API void pashm_pool_info(struct pashm_pool *pool,
			       struct pashm_pool_info *info)
{
	const struct pashm_view *view = &pool->region->view;
	struct slabs_info slabs;

	memset(info, 0, sizeof(*info));
	if (pool->region->forked)
		return;
	pashm_slabs_info(&pool->slabs, &slabs);
	info->slabs = slabs.slabs;
	info->vacant = slabs.vacant;
	pthread_mutex_lock(&pool->pages.lock);
	/* Slabs may have come and gone since they were counted */
	info->objects = slabs.objects;
	if (pool->pages.given > slabs.slabs)
		info->objects += pool->pages.given - slabs.slabs;
	info->bytes = pool->pages.used << view->page_shift;
	info->free_runs = pool->pages.runs.count;
	info->free = pool->pages.runs.pages << view->page_shift;
	info->untouched = (view->pages - pool->pages.fresh) << view->page_shift;
	pthread_mutex_unlock(&pool->pages.lock);
}
