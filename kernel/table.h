/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_TABLE_H
#define PASHM_TABLE_H

#include <linux/mm.h>
#include <linux/types.h>
#include <linux/xarray.h>

/**
 * struct pashm_table - one word per page of a region, in pages made on demand
 * @pages:     table page number -> struct page. Entries are added by faults and
 *             ioctls, without a lock, and never removed while the table lives;
 *             readers need no lock either: once a lookup has found a word it
 *             stays valid until pashm_table_destroy()
 * @words:     number of words, one per page of the region
 * @shift:     log2 of the bytes of a word
 * @populated: counts table pages; shared by all tables of a region
 *
 * The pages are mapped into processes, so every word is untrusted.
 */
struct pashm_table {
	struct xarray pages;
	unsigned long words;
	unsigned int shift;
	atomic_long_t *populated;
};

void pashm_table_init(struct pashm_table *table, unsigned long words,
		      unsigned int shift, atomic_long_t *populated);
void pashm_table_destroy(struct pashm_table *table);

void *pashm_table_lookup(struct pashm_table *table, unsigned long index);
void *pashm_table_populate(struct pashm_table *table, unsigned long index);
bool pashm_table_next(struct pashm_table *table, unsigned long *index);
bool pashm_table_prev(struct pashm_table *table, unsigned long *index,
		      unsigned long floor);
vm_fault_t pashm_table_fault(struct pashm_table *table, struct vm_fault *vmf,
			     unsigned long number);

static inline unsigned long pashm_table_words_per_page(
						const struct pashm_table *table)
{
	return PAGE_SIZE >> table->shift;
}

/* Bytes that the table takes when mapped as a whole */
static inline unsigned long pashm_table_bytes(const struct pashm_table *table)
{
	return PAGE_ALIGN(table->words << table->shift);
}

#endif /* PASHM_TABLE_H */
