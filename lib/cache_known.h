/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How values that are gone were used. An entry that is made anew gets another extent,
 * of which reclaim knows nothing; so it is given the notes of the old one.
 */
#ifndef LIB_CACHE_KNOWN_H
#define LIB_CACHE_KNOWN_H

#include <stdint.h>

/**
 * struct cache_known - notes by the hash of the key
 * @slots:  of 16 bits of the hash, and a pin word's notes; 0: empty. A new one takes
 *          the place of an old one
 * @mask:   number of slots - 1
 * @cursor: the slot that is looked at next, whether it is too old
 *
 * All zero: empty, and without memory. The caller holds the shard's lock.
 */
struct cache_known {
	uint32_t *slots;
	uint64_t mask;
	uint64_t cursor;
};

/*
 * Remember the notes of a value, from its pin word. There is room for 4 to 8 times
 * @entries, of 4 bytes each; less as long as there is no memory for that, and more after
 * there were many more entries. @epoch: the reclaim clock.
 */
void pashm_cache_known_keep(struct cache_known *known, uint64_t hash,
			    uint32_t pin, uint32_t epoch, uint64_t entries);

/* The notes of that value, as in a pin word; 0 if there are none. Forgets them */
uint32_t pashm_cache_known_take(struct cache_known *known, uint64_t hash);

void pashm_cache_known_free(struct cache_known *known);

#endif /* LIB_CACHE_KNOWN_H */
