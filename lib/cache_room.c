// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Room in a cache: finding entries whose values were purged, and throwing out
 * others when the address space is full.
 */
#include <stdlib.h>
#include "cache_room.h"

/* Purges to wait for before a shard is searched, in parts of its entries */
#define SEARCH_SHARE	4
#define SEARCH_LEAST	64

/*
 * acquire: what these purges took is found by a search that begins afterwards.
 * Pairs with the release in pashm_publish() of the module, and in account() of
 * the fallback.
 */
static uint64_t purges_now(const struct pashm_cache *cache)
{
	return __atomic_load_n(&cache->region->view.header->purges,
			       __ATOMIC_ACQUIRE);
}

/*
 * End an entry's extent, and the entry. That can fail for a while: somebody has
 * pinned the extent through the cache's region, or a purge does not end. Then
 * the entry is kept for later, as else its address space would be lost.
 */
static bool entry_free(struct pashm_cache *cache,
		       struct pashm_cache_entry *entry)
{
	int ret;

	do {
		ret = pashm_pool_free(cache->pool, entry->handle);
	} while (ret == -EINTR);
	if (ret == 0 || ret == -ESTALE) {
		free(entry);
		return true;
	}
	pthread_mutex_lock(&cache->lock);
	entry->chain = cache->stuck;
	cache->stuck = entry;
	pthread_mutex_unlock(&cache->lock);
	return false;
}

/* Try again; was there any that could be freed now? */
static bool stuck_free(struct pashm_cache *cache)
{
	struct pashm_cache_entry *entry, *list;
	bool any = false;

	pthread_mutex_lock(&cache->lock);
	list = cache->stuck;
	cache->stuck = NULL;
	pthread_mutex_unlock(&cache->lock);
	while ((entry = list)) {
		list = entry->chain;
		any |= entry_free(cache, entry);
	}
	return any;
}

void pashm_cache_entry_put(struct pashm_cache *cache,
			   struct pashm_cache_entry *entry)
{
	/* acq_rel: all readers are done when the last one frees */
	if (__atomic_sub_fetch(&entry->references, 1, __ATOMIC_ACQ_REL) == 0)
		entry_free(cache, entry);
}

void pashm_cache_entries_put(struct pashm_cache *cache,
			     struct pashm_cache_entry *list)
{
	struct pashm_cache_entry *entry;

	while ((entry = list)) {
		list = entry->chain;
		pashm_cache_entry_put(cache, entry);
	}
}

void pashm_cache_room_remember(struct pashm_cache *cache,
			       struct cache_shard *shard,
			       const struct pashm_cache_entry *entry)
{
	const struct pashm_view *view = &cache->region->view;
	uint32_t pin = __atomic_load_n(&view->pins[entry->handle.page],
				       __ATOMIC_RELAXED);
	uint32_t epoch = __atomic_load_n(&view->header->epoch,
					 __ATOMIC_RELAXED);

	pashm_cache_known_keep(&shard->known, entry->hash, pin, epoch,
			       shard->entries);
}

void pashm_cache_room_lost(struct pashm_cache *cache,
			   struct cache_shard *shard,
			   struct pashm_cache_entry *entry,
			   struct pashm_cache_entry **list)
{
	shard->purged++;
	pashm_cache_room_remember(cache, shard, entry);
	pashm_cache_table_take(shard, entry, list);
}

/* Under the shard's lock; entries whose values are gone go onto @list */
static void shard_search(struct pashm_cache *cache, struct cache_shard *shard,
			 struct pashm_cache_entry **list)
{
	struct pashm_cache_entry *entry, *next;

	shard->purges = purges_now(cache);
	for (entry = shard->oldest; entry; entry = next) {
		next = entry->newer;
		if (pashm_generation(cache->region, entry->handle.page) ==
		    entry->handle.generation)
			continue;
		pashm_cache_room_lost(cache, shard, entry, list);
	}
}

/* How many values a purge takes, as those that share an extent go together */
static uint64_t values_of_a_purge(const struct pashm_cache *cache,
				  const struct cache_shard *shard)
{
	uint64_t page = 1ULL << cache->region->view.page_shift;
	uint64_t bytes = shard->bytes ? shard->bytes : 1;
	uint64_t values = shard->entries * page / bytes;

	return values > 1 ? values : 1;
}

/*
 * Search when about a quarter of the shard's entries may have died, so that a
 * purged value pays for four visits.
 */
void pashm_cache_room_keep(struct pashm_cache *cache,
			   struct cache_shard *shard,
			   struct pashm_cache_entry **list)
{
	uint64_t purged = (purges_now(cache) - shard->purges) *
			  values_of_a_purge(cache, shard);

	if (purged > CACHE_SHARDS * (SEARCH_LEAST +
				     shard->entries / SEARCH_SHARE))
		shard_search(cache, shard, list);
}

/* Drop all entries that have lost their value; were there any? */
static bool cache_search(struct pashm_cache *cache)
{
	struct pashm_cache_entry *list = NULL;
	struct cache_shard *shard;
	uint32_t i;

	for (i = 0; i < CACHE_SHARDS; i++) {
		shard = &cache->shards[i];
		pthread_mutex_lock(&shard->lock);
		if (purges_now(cache) != shard->purges)
			shard_search(cache, shard, &list);
		pthread_mutex_unlock(&shard->lock);
	}
	if (!list)
		return false;
	pashm_cache_entries_put(cache, list);
	return true;
}

/* Throw out the least recently used entry of the next shard that has any */
static bool cache_evict(struct pashm_cache *cache)
{
	struct pashm_cache_entry *list = NULL;
	struct cache_shard *shard;
	uint32_t i, turn;

	for (i = 0; i < CACHE_SHARDS && !list; i++) {
		turn = __atomic_fetch_add(&cache->turn, 1, __ATOMIC_RELAXED);
		shard = &cache->shards[turn % CACHE_SHARDS];
		pthread_mutex_lock(&shard->lock);
		if (shard->oldest) {
			shard->evicted++;
			pashm_cache_table_take(shard, shard->oldest, &list);
		}
		pthread_mutex_unlock(&shard->lock);
	}
	if (!list)
		return false;
	pashm_cache_entries_put(cache, list);
	return true;
}

int pashm_cache_room_alloc(struct pashm_cache *cache, size_t length,
			   struct pashm_handle *handle)
{
	bool searched = false, found;
	int ret;

	for (;;) {
		ret = pashm_pool_alloc(cache->pool, length,
				       PASHM_PRIORITY_REGION, 0, handle, NULL);
		if (ret != -ENOSPC || length > cache->region->length)
			return ret;
		if (!searched) {
			searched = true;
			found = stuck_free(cache);
			if (cache_search(cache) || found)
				continue;
		}
		if (!cache_evict(cache))
			return ret;
	}
}
