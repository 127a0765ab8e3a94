/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_SQLITE_TABLE_H
#define LIB_SQLITE_TABLE_H

#include <stdbool.h>
#include "page.h"

/**
 * struct page_table - the pages of a cache, by number
 * @slots:   chains; NULL as long as there are no pages
 * @size:    of @slots, a power of 2
 * @count:   pages
 * @highest: no page has a greater number
 */
struct page_table {
	struct page **slots;
	unsigned int size;
	unsigned int count;
	unsigned int highest;
};

/* Page numbers are dense: as they are, they spread over the slots evenly */
static inline struct page *page_table_slot(const struct page_table *table,
					   unsigned int slot)
{
	return table->size ? table->slots[slot & (table->size - 1)] : NULL;
}

static inline struct page *page_table_find(const struct page_table *table,
					   unsigned int key)
{
	struct page *page = page_table_slot(table, key);

	while (page && page->key != key)
		page = page->chain;
	return page;
}

/* Its number is not in the table. False if there is no memory for the first */
bool pashm_sqlite_table_add(struct page_table *table, struct page *page);

void pashm_sqlite_table_remove(struct page_table *table, struct page *page);

/*
 * Take out all pages from number @key on. Returns them, in a chain
 */
struct page *pashm_sqlite_table_cut(struct page_table *table, unsigned int key);

/* The table is empty */
void pashm_sqlite_table_clear(struct page_table *table);

#endif /* LIB_SQLITE_TABLE_H */
