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
#define SEARCH_SMALL	1024

/*
 * acquire: what these purges took is found by a search that begins afterwards.
 * Pairs with the release in pashm_publish() of the module, and in account() of
 * the fallback.
 */
static uint64_t purges_now(const struct pashm_cache *cache)
{
	return __atomic_load_n(&cache->region->view.header->purges,
			       __ATOMIC_ACQUIRE) +
	       __atomic_load_n(&cache->retired, __ATOMIC_RELAXED);
}

static void entry_recycle(struct cache_shard *shard, uint32_t number)
{
	pthread_mutex_lock(&shard->lock);
	pashm_cache_entry_free(shard, number);
	pthread_mutex_unlock(&shard->lock);
}

/*
 * Free an entry's object, and the entry. That can fail for a while: somebody has
 * pinned the extent through the cache's region, or a purge does not end. Then
 * the entry is kept for later, as else its address space would be lost.
 */
static bool entry_free(struct pashm_cache *cache, struct cache_shard *shard,
		       uint32_t number)
{
	struct cache_entry *entry = entry_at(shard, number);
	int ret;

	do {
		ret = pashm_pool_free(cache->pool, entry->handle);
	} while (ret == -EINTR);
	if (ret == 0 || ret == -ESTALE) {
		entry_recycle(shard, number);
		return true;
	}
	pthread_mutex_lock(&shard->lock);
	entry->chain = shard->stuck;
	shard->stuck = number;
	pthread_mutex_unlock(&shard->lock);
	return false;
}

/* Try again; was there any that could be freed now? */
static bool stuck_free(struct pashm_cache *cache, struct cache_shard *shard)
{
	uint32_t number, list;
	bool any = false;

	pthread_mutex_lock(&shard->lock);
	list = shard->stuck;
	shard->stuck = 0;
	pthread_mutex_unlock(&shard->lock);
	while ((number = list)) {
		list = entry_at(shard, number)->chain;
		any |= entry_free(cache, shard, number);
	}
	return any;
}

void pashm_cache_entry_put(struct pashm_cache *cache, struct cache_shard *shard,
			   uint32_t number)
{
	struct cache_entry *entry = entry_at(shard, number);
	/* acq_rel: all readers are done when the last one frees */
	uint32_t before = __atomic_fetch_sub(&entry->state, 1,
					     __ATOMIC_ACQ_REL);

	if ((before & ENTRY_REFERENCES) == 1)
		entry_free(cache, shard, number);
}

void pashm_cache_entries_put(struct pashm_cache *cache,
			     struct cache_shard *shard, uint32_t list)
{
	uint32_t number;

	while ((number = list)) {
		list = entry_at(shard, number)->chain;
		pashm_cache_entry_put(cache, shard, number);
	}
}

void pashm_cache_insert(struct pashm_cache *cache, struct cache_shard *shard,
			uint32_t number)
{
	pashm_cache_table_insert(shard, number);
	__atomic_fetch_add(&cache->bytes, entry_length(entry_at(shard, number)),
			   __ATOMIC_RELAXED);
}

void pashm_cache_drop(struct pashm_cache *cache, struct cache_shard *shard,
		      uint32_t number, uint32_t *list)
{
	__atomic_fetch_sub(&cache->bytes, entry_length(entry_at(shard, number)),
			   __ATOMIC_RELAXED);
	pashm_cache_table_take(shard, number, list);
}

void pashm_cache_room_remember(struct pashm_cache *cache,
			       struct cache_shard *shard,
			       const struct cache_entry *entry)
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
			   struct cache_shard *shard, uint32_t number,
			   uint32_t *list)
{
	shard->purged++;
	pashm_cache_room_remember(cache, shard, entry_at(shard, number));
	pashm_cache_drop(cache, shard, number, list);
}

/* Under the shard's lock; entries whose values are gone go onto @list */
static void shard_search(struct pashm_cache *cache, struct cache_shard *shard,
			 uint32_t *list)
{
	const struct cache_entry *entry;
	uint32_t number, next;

	shard->purges = purges_now(cache);
	for (number = shard->oldest; number; number = next) {
		entry = entry_at(shard, number);
		next = entry->newer;
		if (pashm_generation(cache->region, entry->handle.page) !=
		    entry->handle.generation)
			pashm_cache_room_lost(cache, shard, number, list);
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
 * A search is worth it when about a quarter of the shard's entries may have died,
 * so that a purged value pays for four visits; or for any, if it takes no time and
 * room is needed.
 */
static bool is_worth_it(const struct pashm_cache *cache,
			const struct cache_shard *shard, bool needed)
{
	uint64_t purges = purges_now(cache) - shard->purges;

	if (needed && purges && shard->entries <= SEARCH_SMALL)
		return true;
	return purges * values_of_a_purge(cache, shard) >
	       CACHE_SHARDS * (SEARCH_LEAST + shard->entries / SEARCH_SHARE);
}

void pashm_cache_room_keep(struct pashm_cache *cache,
			   struct cache_shard *shard, uint32_t *list)
{
	if (is_worth_it(cache, shard, false))
		shard_search(cache, shard, list);
}

/* Drop entries that have lost their value; is there more room now? */
static bool cache_search(struct pashm_cache *cache)
{
	struct cache_shard *shard;
	bool any = false;
	uint32_t i, list;

	for (i = 0; i < CACHE_SHARDS; i++) {
		shard = &cache->shards[i];
		any |= stuck_free(cache, shard);
		list = 0;
		pthread_mutex_lock(&shard->lock);
		if (is_worth_it(cache, shard, true))
			shard_search(cache, shard, &list);
		pthread_mutex_unlock(&shard->lock);
		any |= list;
		pashm_cache_entries_put(cache, shard, list);
	}
	return any;
}

/*
 * An entry that was thrown out is to make room for @size bytes: if it has a slot of
 * another size, only its whole slab helps. Those who are in there too have lost their
 * values then, and are found to.
 */
static void entry_retire(struct pashm_cache *cache,
			 const struct cache_entry *entry, size_t size)
{
	if (size && entry->handle.inner &&
	    pashm_pool_size(cache->pool, entry->handle) != size &&
	    pashm_pool_retire(cache->pool, entry->handle))
		__atomic_fetch_add(&cache->retired, 1, __ATOMIC_RELAXED);
}

/*
 * Throw out an entry of the next shard that has one to spare. In the second round
 * none counts as used any more. @size: of the object that there is no room for; 0 if
 * it is not for that
 */
static bool cache_evict(struct pashm_cache *cache, size_t size)
{
	struct cache_shard *shard;
	uint32_t i, turn, number, list = 0;

	for (i = 0; i < 2 * CACHE_SHARDS && !list; i++) {
		turn = __atomic_fetch_add(&cache->turn, 1, __ATOMIC_RELAXED);
		shard = &cache->shards[turn % CACHE_SHARDS];
		pthread_mutex_lock(&shard->lock);
		number = pashm_cache_table_victim(shard);
		if (number) {
			shard->evicted++;
			pashm_cache_drop(cache, shard, number, &list);
		}
		pthread_mutex_unlock(&shard->lock);
		if (list)
			entry_retire(cache, entry_at(shard, number), size);
		pashm_cache_entries_put(cache, shard, list);
	}
	return list;
}

int pashm_cache_room_alloc(struct pashm_cache *cache, size_t align, size_t size,
			   uint32_t priority, struct pashm_handle *handle)
{
	bool searched = false;
	int ret;

	for (;;) {
		ret = pashm_pool_alloc_aligned(cache->pool, align, size,
					       priority, 0, handle, NULL);
		if (ret != -ENOSPC || size > cache->region->length)
			return ret;
		if (!searched) {
			searched = true;
			if (cache_search(cache))
				continue;
		}
		if (!cache_evict(cache, pashm_pool_usable(cache->pool, align,
							  size)))
			return ret;
	}
}

static bool too_much(const struct pashm_cache *cache)
{
	return cache->maximum &&
	       __atomic_load_n(&cache->bytes, __ATOMIC_RELAXED) >
	       cache->maximum;
}

void pashm_cache_room_limit(struct pashm_cache *cache)
{
	if (!too_much(cache) || (cache_search(cache) && !too_much(cache)))
		return;
	while (too_much(cache) && cache_evict(cache, 0))
		;
}
