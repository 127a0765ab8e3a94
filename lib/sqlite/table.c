// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pages by number: chains in slots. There are as many slots as pages or more, if
 * there is memory for them; a table that cannot grow has longer chains.
 */
#include <stdlib.h>
#include "table.h"

#define SIZE_FIRST	256U
#define SIZE_LAST	(1U << 31)

static struct page **slot_of(const struct page_table *table, unsigned int key)
{
	return &table->slots[key & (table->size - 1)];
}

static void table_grow(struct page_table *table)
{
	struct page_table grown = *table;
	struct page *page, *next, **slot;
	unsigned int i;

	grown.size = table->size ? table->size * 2 : SIZE_FIRST;
	grown.slots = calloc(grown.size, sizeof(*grown.slots));
	if (!grown.slots)
		return;
	for (i = 0; i < table->size; i++) {
		for (page = table->slots[i]; page; page = next) {
			next = page->chain;
			slot = slot_of(&grown, page->key);
			page->chain = *slot;
			*slot = page;
		}
	}
	free(table->slots);
	*table = grown;
}

bool pashm_sqlite_table_add(struct page_table *table, struct page *page)
{
	struct page **slot;

	if (table->count >= table->size && table->size < SIZE_LAST)
		table_grow(table);
	if (!table->size)
		return false;
	slot = slot_of(table, page->key);
	page->chain = *slot;
	*slot = page;
	table->count++;
	if (page->key > table->highest)
		table->highest = page->key;
	return true;
}

void pashm_sqlite_table_remove(struct page_table *table, struct page *page)
{
	struct page **link = slot_of(table, page->key);

	while (*link != page)
		link = &(*link)->chain;
	*link = page->chain;
	table->count--;
}

/* Move what is to go from a slot to a list */
static void slot_cut(struct page_table *table, unsigned int slot,
		     unsigned int key, struct page **list)
{
	struct page **link = slot_of(table, slot);
	struct page *page;

	while ((page = *link)) {
		if (page->key < key) {
			link = &page->chain;
			continue;
		}
		*link = page->chain;
		page->chain = *list;
		*list = page;
		table->count--;
	}
}

struct page *pashm_sqlite_table_cut(struct page_table *table, unsigned int key)
{
	unsigned int i, slots;
	struct page *list = NULL;

	if (!table->count || key > table->highest)
		return NULL;
	/* If only few numbers are concerned, they are in few slots */
	slots = table->highest - key < table->size ?
		table->highest - key + 1 : table->size;
	for (i = 0; i < slots; i++)
		slot_cut(table, key + i, key, &list);
	table->highest = key ? key - 1 : 0;
	return list;
}

void pashm_sqlite_table_clear(struct page_table *table)
{
	free(table->slots);
	*table = (struct page_table){ 0 };
}
