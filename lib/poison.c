// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Poison, where somebody sees it. A library that was compiled without a sanitizer
 * finds that of the program by its weak symbols.
 *
 * With poison, pins and unpins are made under a lock of the region: else the last
 * unpin of one thread could poison what another has just pinned.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND	0
#define VALGRIND_MAKE_MEM_NOACCESS(address, size)	((void)(size))
#define VALGRIND_MAKE_MEM_DEFINED(address, size)	((void)(size))
#endif
#include "poison.h"

void __asan_poison_memory_region(void const volatile *address, size_t size)
	__attribute__((weak));
void __asan_unpoison_memory_region(void const volatile *address, size_t size)
	__attribute__((weak));

void pashm_poison_begin(struct pashm_region *region)
{
	const char *wish = secure_getenv("PASHM_POISON");

	if (wish && !strcmp(wish, "0"))
		return;
	if (__asan_poison_memory_region || RUNNING_ON_VALGRIND)
		region->view.flags |= PASHM_VIEW_CHECKED;
}

/* Where the pages are mapped; false if they are not, or nobody looks */
static bool range_of(const struct pashm_region *region, uint32_t page,
		     uint32_t pages, unsigned char **start, size_t *size)
{
	const struct pashm_view *view = &region->view;

	/* What another client has written there may be too long */
	if (!pashm_poisons(region) || !view->data || page >= view->pages ||
	    pages > view->pages - page)
		return false;
	*start = view->data + ((uint64_t)page << view->page_shift);
	*size = (size_t)pages << view->page_shift;
	return true;
}

void pashm_poison_on(struct pashm_region *region, uint32_t page, uint32_t pages)
{
	unsigned char *start;
	size_t size;

	if (!range_of(region, page, pages, &start, &size))
		return;
	if (region->poison_end < (uint64_t)page + pages)
		region->poison_end = (uint64_t)page + pages;
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(start, size);
	VALGRIND_MAKE_MEM_NOACCESS(start, size);
}

static void off(unsigned char *start, size_t size)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(start, size);
	VALGRIND_MAKE_MEM_DEFINED(start, size);
}

void pashm_poison_off(struct pashm_region *region, uint32_t page,
		      uint32_t pages)
{
	unsigned char *start;
	size_t size;

	if (range_of(region, page, pages, &start, &size))
		off(start, size);
}

/*
 * In a child, too, where the region has no pages any more. Of address space that was
 * never used there is so much that to tell would cost more than to use it.
 */
void pashm_poison_end(struct pashm_region *region)
{
	if (region->poison_end)
		off(region->view.data, (size_t)region->poison_end
				       << region->view.page_shift);
}
