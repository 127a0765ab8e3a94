// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pages: a header on the heap, and a buffer that is an object of the pool, or on
 * the heap, too, if that is to be or the pool has none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "page.h"

/* Calls that a signal has interrupted (module) have changed nothing */
#define RETRY(call) \
	({ int ret_; do { ret_ = (call); } while (ret_ == -EINTR); ret_; })

static void pool_free(const struct arena *arena, struct pashm_handle handle)
{
	/*
	 * If it fails, in a child or since the program has closed our
	 * descriptors, an object is lost. It is not pinned: that costs
	 * address space and no memory.
	 */
	(void)RETRY(pashm_pool_free(arena->pool, handle));
}

/* Nothing lies behind the last page of the region that could be read */
static bool is_last(const struct page_shape *shape, const void *buffer)
{
	return (const unsigned char *)buffer + shape->size + PAGE_SLACK >
	       shape->arena->end;
}

/*
 * What is smaller than a page of memory shares it. All else comes and goes alone: pages
 * that SQLite keeps pinned, as the root of a table, are not to keep their neighbours.
 */
static uint32_t alloc_flags(const struct page_shape *shape)
{
	size_t least = (size_t)1 <<
		       pashm_view(shape->arena->region)->page_shift;

	return shape->size < least ? 0 : PASHM_ALLOC_ALONE;
}

static bool buffer_from_pool(const struct page_shape *shape, struct page *page)
{
	if (!shape->arena ||
	    RETRY(pashm_pool_alloc(shape->arena->pool, shape->size,
				   PASHM_PRIORITY_DEFAULT, alloc_flags(shape),
				   &page->handle, &page->base.pBuf)))
		return false;
	if (!is_last(shape, page->base.pBuf))
		return true;
	pashm_pool_unpin(shape->arena->pool, page->handle);
	pool_free(shape->arena, page->handle);
	return false;
}

static bool buffer_new(const struct page_shape *shape, struct page *page)
{
	if (buffer_from_pool(shape, page))
		return true;
	page->heap = true;
	page->base.pBuf = calloc(1, shape->size + PAGE_SLACK);
	return page->base.pBuf;
}

void pashm_sqlite_page_renew(const struct page_shape *shape, struct page *page)
{
	/* By its first bytes SQLite sees that it has not initialised the rest */
	memset(page->extra, 0, shape->extra);
	page->pinned = true;
}

struct page *pashm_sqlite_page_new(const struct page_shape *shape,
				   unsigned int key)
{
	struct page *page = malloc(sizeof(*page) + shape->extra);

	if (!page)
		return NULL;
	*page = (struct page){ .key = key };
	if (!buffer_new(shape, page)) {
		free(page);
		return NULL;
	}
	page->base.pExtra = page->extra;
	pashm_sqlite_page_renew(shape, page);
	return page;
}

/* Wiping needs a pin. What was purged is zero already */
static void page_wipe(const struct page_shape *shape, struct page *page)
{
	enum page_state state = PAGE_INTACT;

	if (!page->pinned)
		state = pashm_sqlite_page_pin(shape, page);
	page->pinned = state != PAGE_LOST;
	if (state == PAGE_INTACT)
		explicit_bzero(page->base.pBuf, shape->size);
}

void pashm_sqlite_page_free(const struct page_shape *shape, struct page *page)
{
	if (shape->wipe && (page->pinned || page->heap ||
			    !pashm_sqlite_page_purged(shape, page)))
		page_wipe(shape, page);
	if (page->heap) {
		free(page->base.pBuf);
	} else {
		if (page->pinned)
			pashm_pool_unpin(shape->arena->pool, page->handle);
		pool_free(shape->arena, page->handle);
	}
	free(page);
}

enum page_state pashm_sqlite_page_pin(const struct page_shape *shape,
				      struct page *page)
{
	enum pashm_verdict verdict;
	int ret;

	if (page->heap)
		return PAGE_INTACT;
	ret = RETRY(pashm_pool_pin(shape->arena->pool, page->handle, &verdict,
				   NULL));
	if (__builtin_expect(!ret && verdict == PASHM_INTACT, 1))
		return PAGE_INTACT;
	if (ret || verdict == PASHM_STALE)
		return PAGE_LOST;
	page->handle.generation = pashm_generation(shape->arena->region,
						   page->handle.page);
	return PAGE_PURGED;
}

void pashm_sqlite_page_unpin(const struct page_shape *shape, struct page *page)
{
	page->pinned = false;
	if (!page->heap)
		pashm_pool_unpin(shape->arena->pool, page->handle);
}
