// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lazily populated tables of words, mapped into processes.
 *
 * A page is published by xa_cmpxchg() before the fault that made it returns. So
 * a client's first store to a word comes after the publication, and a purger
 * that passes barrier (B) after that store finds the page; a missing page
 * really means "all words are zero".
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "table.h"

void pashm_table_init(struct pashm_table *table, unsigned long words,
		      unsigned int shift, atomic_long_t *populated)
{
	xa_init_flags(&table->pages, XA_FLAGS_ACCOUNT);
	table->words = words;
	table->shift = shift;
	table->populated = populated;
}

/* The caller sees to it that nobody looks words up any more */
void pashm_table_destroy(struct pashm_table *table)
{
	struct page *page;
	unsigned long number;

	xa_for_each(&table->pages, number, page)
		put_page(page);
	xa_destroy(&table->pages);
}

static struct page *pashm_table_make(struct pashm_table *table,
				     unsigned long number)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	struct page *old;

	if (!page)
		return NULL;
	old = xa_cmpxchg(&table->pages, number, NULL, page, GFP_KERNEL_ACCOUNT);
	if (!old) {
		atomic_long_inc(table->populated);
		return page;
	}
	put_page(page);
	return xa_is_err(old) ? NULL : old;
}

static void *pashm_table_word(struct pashm_table *table, struct page *page,
			      unsigned long index)
{
	unsigned long slot = index & (pashm_table_words_per_page(table) - 1);

	return page_address(page) + (slot << table->shift);
}

/* The word at @index, or NULL if it was never touched and so is zero */
void *pashm_table_lookup(struct pashm_table *table, unsigned long index)
{
	struct page *page;

	page = xa_load(&table->pages,
		       index / pashm_table_words_per_page(table));
	return page ? pashm_table_word(table, page, index) : NULL;
}

/* As lookup, but makes the page. May sleep and reclaim. NULL: no memory */
void *pashm_table_populate(struct pashm_table *table, unsigned long index)
{
	unsigned long number = index / pashm_table_words_per_page(table);
	struct page *page = xa_load(&table->pages, number);

	if (!page)
		page = pashm_table_make(table, number);
	return page ? pashm_table_word(table, page, index) : NULL;
}

/*
 * Move @index forward to the first word at or after it that has a page.
 * Returns false when there is none.
 */
bool pashm_table_next(struct pashm_table *table, unsigned long *index)
{
	unsigned long per_page = pashm_table_words_per_page(table);
	unsigned long number = *index / per_page;
	unsigned long first = number;

	if (*index >= table->words)
		return false;
	if (!xa_find(&table->pages, &number, (table->words - 1) / per_page,
		     XA_PRESENT))
		return false;
	if (number != first)
		*index = number * per_page;
	return true;
}

/* Is there a table page in [first, end)? */
static bool pashm_table_any(struct pashm_table *table, unsigned long first,
			    unsigned long end)
{
	return xa_find(&table->pages, &first, end - 1, XA_PRESENT);
}

/*
 * Move @index back to just behind the last word, in table pages before that of
 * @index and from that of @floor on, that has a page. Returns false when there
 * is none. Halves the range: an xarray is searched forwards only.
 */
bool pashm_table_prev(struct pashm_table *table, unsigned long *index,
		      unsigned long floor)
{
	unsigned long per_page = pashm_table_words_per_page(table);
	unsigned long first = floor / per_page;
	unsigned long end = *index / per_page;

	if (first >= end || !pashm_table_any(table, first, end))
		return false;
	while (end - first > 1) {
		unsigned long middle = first + (end - first) / 2;

		if (pashm_table_any(table, middle, end))
			first = middle;
		else
			end = middle;
	}
	*index = end * per_page;
	return true;
}

/* Fault in table page @number; the mapping gets a reference of its own */
vm_fault_t pashm_table_fault(struct pashm_table *table, struct vm_fault *vmf,
			     unsigned long number)
{
	struct page *page;

	if (number >= pashm_table_bytes(table) >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	page = xa_load(&table->pages, number);
	if (!page)
		page = pashm_table_make(table, number);
	if (!page)
		return VM_FAULT_OOM;
	get_page(page);
	vmf->page = page;
	return 0;
}
