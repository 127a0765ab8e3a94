// SPDX-License-Identifier: LGPL-2.1-or-later
/* A shard of a cache: entries, hash table and order. */
#include <stdlib.h>
#include <string.h>
#include "cache_table.h"

#define BUCKETS_FIRST	64

static uint64_t array_length(uint32_t array)
{
	return array ? (uint64_t)ENTRIES_FIRST << (array - 1) : ENTRIES_FIRST;
}

int pashm_cache_table_init(struct cache_shard *shard)
{
	shard->buckets = calloc(BUCKETS_FIRST, sizeof(*shard->buckets));
	if (!shard->buckets)
		return -ENOMEM;
	shard->mask = BUCKETS_FIRST - 1;
	pthread_mutex_init(&shard->lock, NULL);
	pthread_cond_init(&shard->built, NULL);
	return 0;
}

void pashm_cache_table_free(struct cache_shard *shard)
{
	uint32_t i;

	if (!shard->buckets)
		return;
	for (i = 0; i < ARRAYS; i++)
		free(shard->arrays[i]);
	free(shard->buckets);
	pashm_cache_known_free(&shard->known);
	pthread_cond_destroy(&shard->built);
	pthread_mutex_destroy(&shard->lock);
}

static bool array_new(struct cache_shard *shard)
{
	uint64_t length = 0;
	uint32_t array;

	for (array = 0; array < ARRAYS && length <= shard->made; array++) {
		length += array_length(array);
		if (length <= shard->made || shard->arrays[array])
			continue;
		/* Pages of it that are not used yet are not touched either */
		shard->arrays[array] = calloc(array_length(array),
					      sizeof(struct cache_entry));
		return shard->arrays[array];
	}
	return length > shard->made;
}

uint32_t pashm_cache_entry_new(struct cache_shard *shard)
{
	uint32_t number = shard->unused;

	if (number) {
		shard->unused = entry_at(shard, number)->chain;
		return number;
	}
	return array_new(shard) ? ++shard->made : 0;
}

void pashm_cache_entry_free(struct cache_shard *shard, uint32_t number)
{
	struct cache_entry *entry = entry_at(shard, number);

	if (entry_is(entry, ENTRY_KEY))
		free(entry->key);
	*entry = (struct cache_entry){ .chain = shard->unused };
	shard->unused = number;
}

/* Twice the buckets; without memory for them, chains get longer instead */
static void table_grow(struct cache_shard *shard)
{
	uint64_t i, mask = shard->mask * 2 + 1;
	uint32_t *buckets, number, next;
	struct cache_entry *entry;

	buckets = calloc(mask + 1, sizeof(*buckets));
	if (!buckets)
		return;
	for (i = 0; i <= shard->mask; i++) {
		for (number = shard->buckets[i]; number; number = next) {
			entry = entry_at(shard, number);
			next = entry->chain;
			entry->chain = buckets[entry->hash & mask];
			buckets[entry->hash & mask] = number;
		}
	}
	free(shard->buckets);
	shard->buckets = buckets;
	shard->mask = mask;
}

void pashm_cache_table_insert(struct cache_shard *shard, uint32_t number)
{
	struct cache_entry *entry = entry_at(shard, number);
	uint32_t *bucket;

	if (shard->entries > shard->mask / 2)
		table_grow(shard);
	bucket = &shard->buckets[entry->hash & shard->mask];
	entry->chain = *bucket;
	*bucket = number;
	entry->newer = 0;
	entry->older = shard->newest;
	if (shard->newest)
		entry_at(shard, shard->newest)->newer = number;
	else
		shard->oldest = number;
	shard->newest = number;
	entry_mark(entry, ENTRY_LINKED);
	shard->entries++;
	shard->bytes += entry_length(entry);
}

static void order_remove(struct cache_shard *shard, uint32_t number)
{
	const struct cache_entry *entry = entry_at(shard, number);

	if (shard->hand == number)
		shard->hand = entry->newer;
	if (entry->older)
		entry_at(shard, entry->older)->newer = entry->newer;
	else
		shard->oldest = entry->newer;
	if (entry->newer)
		entry_at(shard, entry->newer)->older = entry->older;
	else
		shard->newest = entry->older;
}

void pashm_cache_table_take(struct cache_shard *shard, uint32_t number,
			    uint32_t *list)
{
	struct cache_entry *entry = entry_at(shard, number);
	uint32_t *link = &shard->buckets[entry->hash & shard->mask];

	while (*link != number)
		link = &entry_at(shard, *link)->chain;
	*link = entry->chain;
	order_remove(shard, number);
	entry_unmark(entry, ENTRY_LINKED);
	shard->entries--;
	shard->bytes -= entry_length(entry);
	entry->chain = *list;
	*list = number;
}

uint32_t pashm_cache_table_victim(struct cache_shard *shard)
{
	struct cache_entry *entry;
	uint32_t number;

	number = shard->hand ? shard->hand : shard->oldest;
	for (; number; number = entry->newer) {
		entry = entry_at(shard, number);
		if (!entry_is(entry, ENTRY_VISITED))
			break;
		entry_unmark(entry, ENTRY_VISITED);
	}
	shard->hand = number;
	return number;
}

uint64_t pashm_cache_table_heap(const struct cache_shard *shard)
{
	return shard->made * sizeof(struct cache_entry) +
	       (shard->mask + 1) * sizeof(*shard->buckets) +
	       (shard->known.slots ? (shard->known.mask + 1) *
				     sizeof(*shard->known.slots) : 0);
}
