/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_SQLITE_PAGE_H
#define LIB_SQLITE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sqlite3.h>
#include "arena.h"

/*
 * SQLite may read a few bytes beyond a page of a corrupt database. In the region
 * another page is there; buffers on the heap are longer by this.
 */
#define PAGE_SLACK	64

/**
 * struct page - a page in a cache; under its connection's mutex, as all of a cache
 * @base:    what SQLite sees of it; first member
 * @chain:   next in the table's slot
 * @newer:   in the list of unpinned pages that count towards the limit
 * @older:   likewise
 * @key:     page number
 * @pinned:  SQLite has it
 * @heap:    its buffer is on the heap, and so cannot be purged
 * @listed:  it is in that list
 * @handle:  of the buffer, unless it is on the heap
 * @extra:   what SQLite keeps beside the page: structures
 */
struct page {
	sqlite3_pcache_page base;
	struct page *chain;
	struct page *newer;
	struct page *older;
	unsigned int key;
	bool pinned;
	bool heap;
	bool listed;
	struct pashm_handle handle;
	_Alignas(8) unsigned char extra[];
};

enum page_state {
	PAGE_INTACT,	/* pinned, the bytes are what they were */
	PAGE_PURGED,	/* pinned, the bytes are gone: refill */
	PAGE_LOST,	/* cannot be pinned, and has to be dropped */
};

/**
 * struct page_shape - what the pages of a cache are like; constant
 * @arena: where buffers are; NULL for the heap
 * @size:  bytes of a page
 * @extra: bytes beside it
 * @wipe:  overwrite pages before they are let go of
 */
struct page_shape {
	struct arena *arena;
	size_t size;
	size_t extra;
	bool wipe;
};

/* A new page, pinned, its extra bytes zero. NULL if there is no memory */
struct page *pashm_sqlite_page_new(const struct page_shape *shape,
				   unsigned int key);

/* As new, but the buffer is what it is; the page is pinned */
void pashm_sqlite_page_renew(const struct page_shape *shape, struct page *page);

/* Free a page, pinned or not */
void pashm_sqlite_page_free(const struct page_shape *shape, struct page *page);

/* An unpinned page's buffer: pin it, as far as it can be purged */
enum page_state pashm_sqlite_page_pin(const struct page_shape *shape,
				      struct page *page);

/* A pinned page may be purged from now on, if it is not on the heap */
void pashm_sqlite_page_unpin(const struct page_shape *shape, struct page *page);

/*
 * Is an unpinned page's buffer known to be purged? A hint if not. Without a pin,
 * as that would count as a use of the page. Nobody but the purger changes the
 * generation of an extent in this region, so another one means that it is gone.
 */
static inline bool pashm_sqlite_page_purged(const struct page_shape *shape,
					    const struct page *page)
{
	return !page->heap &&
	       pashm_generation(shape->arena->region, page->handle.page) !=
	       page->handle.generation;
}

#endif /* LIB_SQLITE_PAGE_H */
