// SPDX-License-Identifier: LGPL-2.1-or-later
/* A shard of a cache: hash table and order of use. */
#include <stdlib.h>
#include <string.h>
#include "cache_table.h"

#define BUCKETS_FIRST	64

int pashm_cache_table_init(struct cache_shard *shard)
{
	shard->buckets = calloc(BUCKETS_FIRST, sizeof(*shard->buckets));
	if (!shard->buckets)
		return -ENOMEM;
	shard->mask = BUCKETS_FIRST - 1;
	pthread_mutex_init(&shard->lock, NULL);
	return 0;
}

void pashm_cache_table_free(struct cache_shard *shard)
{
	if (!shard->buckets)
		return;
	free(shard->buckets);
	pashm_cache_known_free(&shard->known);
	pthread_mutex_destroy(&shard->lock);
}

struct pashm_cache_entry *
pashm_cache_table_find(const struct cache_shard *shard, uint64_t hash,
		       const void *key, size_t key_length)
{
	struct pashm_cache_entry *entry = shard->buckets[hash & shard->mask];

	for (; entry; entry = entry->chain) {
		if (entry->hash == hash && entry->key_length == key_length &&
		    !memcmp(entry->key, key, key_length))
			return entry;
	}
	return NULL;
}

/* Twice the buckets; without memory for them, chains get longer instead */
static void table_grow(struct cache_shard *shard)
{
	uint64_t i, mask = shard->mask * 2 + 1;
	struct pashm_cache_entry **buckets, *entry, *next;

	buckets = calloc(mask + 1, sizeof(*buckets));
	if (!buckets)
		return;
	for (i = 0; i <= shard->mask; i++) {
		for (entry = shard->buckets[i]; entry; entry = next) {
			next = entry->chain;
			entry->chain = buckets[entry->hash & mask];
			buckets[entry->hash & mask] = entry;
		}
	}
	free(shard->buckets);
	shard->buckets = buckets;
	shard->mask = mask;
}

static void order_append(struct cache_shard *shard,
			 struct pashm_cache_entry *entry)
{
	entry->newer = NULL;
	entry->older = shard->newest;
	if (shard->newest)
		shard->newest->newer = entry;
	else
		shard->oldest = entry;
	shard->newest = entry;
}

static void order_remove(struct cache_shard *shard,
			 struct pashm_cache_entry *entry)
{
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		shard->oldest = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		shard->newest = entry->older;
}

void pashm_cache_table_insert(struct cache_shard *shard,
			      struct pashm_cache_entry *entry)
{
	struct pashm_cache_entry **bucket;

	if (shard->entries > shard->mask)
		table_grow(shard);
	bucket = &shard->buckets[entry->hash & shard->mask];
	entry->chain = *bucket;
	*bucket = entry;
	order_append(shard, entry);
	shard->entries++;
	shard->bytes += entry->length;
}

void pashm_cache_table_remove(struct cache_shard *shard,
			      struct pashm_cache_entry *entry)
{
	struct pashm_cache_entry **link;

	link = &shard->buckets[entry->hash & shard->mask];
	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	order_remove(shard, entry);
	shard->entries--;
	shard->bytes -= entry->length;
}

void pashm_cache_table_take(struct cache_shard *shard,
			    struct pashm_cache_entry *entry,
			    struct pashm_cache_entry **list)
{
	pashm_cache_table_remove(shard, entry);
	entry->chain = *list;
	*list = entry;
}

void pashm_cache_table_touch(struct cache_shard *shard,
			     struct pashm_cache_entry *entry)
{
	if (shard->newest == entry)
		return;
	order_remove(shard, entry);
	order_append(shard, entry);
}
