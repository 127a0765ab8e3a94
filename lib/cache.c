// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Cache: key to value, over a pool of a region of its own.
 *
 * An entry is made by one writer, linked into its shard, read by any number of
 * readers, unlinked (removed, replaced, found purged, evicted), and freed by
 * whoever drops its last reference. Readers hold a pin each, so the value of an
 * entry that is referenced by a reader cannot be purged; and since nobody
 * refills a value, an entry whose generation has moved is dead for good.
 *
 * LOCKS: a shard's lock is taken with no other held, and the pool's is not
 * taken inside: entries are freed after the shard's lock is released. A pin
 * under the shard's lock may wait for a purge that is in flight.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <pashm/cache.h>
#include <pashm/pool.h>
#include "backend.h"
#include "cache_table.h"

#define SHARDS	32U

/* Purges to wait for before a shard is searched, in parts of its entries */
#define SEARCH_SHARE	4
#define SEARCH_LEAST	64

/**
 * struct pashm_cache
 * @region: constant, sole
 * @pool:   constant
 * @seed:   of the hash; constant. Keys may come from an adversary
 * @turn:   the shard to evict from next; atomic
 * @shards: by the hash's upper bits
 */
struct pashm_cache {
	struct pashm_region *region;
	struct pashm_pool *pool;
	uint64_t seed;
	uint32_t turn;
	struct cache_shard shards[SHARDS];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t key_hash(const struct pashm_cache *cache, const void *key,
			 size_t length)
{
	const unsigned char *bytes = key;
	uint64_t hash = cache->seed ^ length, word;

	for (; length >= 8; bytes += 8, length -= 8) {
		memcpy(&word, bytes, 8);
		hash = mix(hash ^ word, 0x9e3779b97f4a7c15) + cache->seed;
	}
	word = 0;
	memcpy(&word, bytes, length);
	hash = mix(hash ^ word, 0xd6e8feb86659fd93) ^ cache->seed;
	return mix(hash, 0xff51afd7ed558ccd);
}

static struct cache_shard *shard_of(struct pashm_cache *cache, uint64_t hash)
{
	return &cache->shards[(hash >> 59) % SHARDS];
}

static bool key_is_bad(size_t key_length)
{
	return key_length == 0 || key_length > PASHM_CACHE_KEY_MAX;
}

static uint64_t purges_now(const struct pashm_cache *cache)
{
	return __atomic_load_n(&cache->region->view.header->purges,
			       __ATOMIC_RELAXED);
}

/*
 * Drop a reference; the last one ends the extent. That can only fail where
 * another process is stopped in the middle of a purge, and a sole region has
 * no other process: so nothing is lost by ignoring it.
 */
static void entry_put(struct pashm_cache *cache,
		      struct pashm_cache_entry *entry)
{
	/* acq_rel: all readers are done when the last one frees */
	if (__atomic_sub_fetch(&entry->references, 1, __ATOMIC_ACQ_REL))
		return;
	pashm_pool_free(cache->pool, entry->handle);
	free(entry);
}

static void entry_list_put(struct pashm_cache *cache,
			   struct pashm_cache_entry *list)
{
	struct pashm_cache_entry *entry;

	while ((entry = list)) {
		list = entry->chain;
		entry_put(cache, entry);
	}
}

/* Take an entry out of its shard, onto a list that inherits its reference */
static void entry_unlink(struct cache_shard *shard,
			 struct pashm_cache_entry *entry,
			 struct pashm_cache_entry **list)
{
	pashm_cache_table_remove(shard, entry);
	entry->chain = *list;
	*list = entry;
}

static void value_set(struct pashm_cache *cache,
		      struct pashm_cache_entry *entry,
		      struct pashm_cache_value *value)
{
	value->data = pashm_address(cache->region, entry->handle.page);
	value->length = entry->length;
	value->entry = entry;
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
		shard->purged++;
		entry_unlink(shard, entry, list);
	}
}

/*
 * Keeps the number of dead entries in bounds: search when about a quarter of
 * the shard's entries may have died, so that a purge pays for four visits.
 */
static bool shard_search_is_due(const struct pashm_cache *cache,
				const struct cache_shard *shard)
{
	return purges_now(cache) - shard->purges >
	       SHARDS * (SEARCH_LEAST + shard->entries / SEARCH_SHARE);
}

/* Drop all entries that have lost their value; were there any? */
static bool cache_search(struct pashm_cache *cache)
{
	struct pashm_cache_entry *list = NULL;
	struct cache_shard *shard;
	uint32_t i;

	for (i = 0; i < SHARDS; i++) {
		shard = &cache->shards[i];
		pthread_mutex_lock(&shard->lock);
		if (purges_now(cache) != shard->purges)
			shard_search(cache, shard, &list);
		pthread_mutex_unlock(&shard->lock);
	}
	if (!list)
		return false;
	entry_list_put(cache, list);
	return true;
}

/* Throw out the least recently used entry of the next shard that has any */
static bool cache_evict(struct pashm_cache *cache)
{
	struct pashm_cache_entry *list = NULL;
	struct cache_shard *shard;
	uint32_t i, turn;

	for (i = 0; i < SHARDS && !list; i++) {
		turn = __atomic_fetch_add(&cache->turn, 1, __ATOMIC_RELAXED);
		shard = &cache->shards[turn % SHARDS];
		pthread_mutex_lock(&shard->lock);
		if (shard->oldest) {
			shard->evicted++;
			entry_unlink(shard, shard->oldest, &list);
		}
		pthread_mutex_unlock(&shard->lock);
	}
	if (!list)
		return false;
	entry_list_put(cache, list);
	return true;
}

/* An extent for a value, at the expense of others if need be */
static int value_alloc(struct pashm_cache *cache, size_t length,
		       struct pashm_handle *handle)
{
	bool searched = false;
	int ret;

	for (;;) {
		ret = pashm_pool_alloc(cache->pool, length,
				       PASHM_PRIORITY_DEFAULT, 0, handle, NULL);
		if (ret != -ENOSPC || length > cache->region->length)
			return ret;
		if (!searched) {
			searched = true;
			if (cache_search(cache))
				continue;
		}
		if (!cache_evict(cache))
			return ret;
	}
}

static int shards_init(struct pashm_cache *cache)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; i < SHARDS && !ret; i++)
		ret = pashm_cache_table_init(&cache->shards[i]);
	return ret;
}

PASHM_API void pashm_cache_destroy(struct pashm_cache *cache)
{
	struct pashm_cache_entry *entry;
	uint32_t i;

	if (!cache)
		return;
	for (i = 0; i < SHARDS; i++) {
		while ((entry = cache->shards[i].oldest)) {
			pashm_cache_table_remove(&cache->shards[i], entry);
			free(entry);
		}
		pashm_cache_table_free(&cache->shards[i]);
	}
	pashm_pool_destroy(cache->pool);
	pashm_region_close(cache->region);
	free(cache);
}

static uint64_t length_default(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) *
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

PASHM_API int pashm_cache_create(const struct pashm_cache_params *params,
				 struct pashm_cache **cache)
{
	static const struct pashm_cache_params defaults;
	struct pashm_region_params region;
	struct pashm_cache *c;
	int ret;

	if (!params)
		params = &defaults;
	region = (struct pashm_region_params){
		.length = params->length ? params->length : length_default(),
		.name = params->name,
		.flags = params->flags | PASHM_REGION_SOLE,
		.backend = params->backend,
	};
	c = aligned_alloc(64, sizeof(*c));
	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof(*c));
	/* Without entropy the hash is merely predictable */
	if (getrandom(&c->seed, sizeof(c->seed), GRND_NONBLOCK) < 0)
		c->seed = (uintptr_t)c;
	ret = shards_init(c);
	if (!ret)
		ret = pashm_region_create(&region, &c->region);
	if (!ret)
		ret = pashm_pool_create(c->region, &c->pool);
	if (ret) {
		pashm_cache_destroy(c);
		return ret;
	}
	*cache = c;
	return 0;
}

/*
 * Under the shard's lock: a reference with a pin. An entry that has lost its
 * value goes onto @list.
 */
static int entry_get(struct pashm_cache *cache, struct cache_shard *shard,
		     struct pashm_cache_entry *entry,
		     struct pashm_cache_entry **list)
{
	enum pashm_verdict verdict;
	int ret;

	ret = pashm_pin(cache->region, entry->handle, &verdict);
	if (ret)
		return ret;
	if (verdict == PASHM_INTACT) {
		__atomic_fetch_add(&entry->references, 1, __ATOMIC_RELAXED);
		pashm_cache_table_touch(shard, entry);
		return 0;
	}
	if (verdict == PASHM_PURGED)
		pashm_unpin(cache->region, entry->handle.page);
	shard->purged++;
	entry_unlink(shard, entry, list);
	return -ENOENT;
}

PASHM_API int pashm_cache_get(struct pashm_cache *cache, const void *key,
			      size_t key_length,
			      struct pashm_cache_value *value)
{
	struct pashm_cache_entry *entry, *list = NULL;
	struct cache_shard *shard;
	uint64_t hash;
	int ret = -ENOENT;

	if (key_is_bad(key_length))
		return -EINVAL;
	hash = key_hash(cache, key, key_length);
	shard = shard_of(cache, hash);
	pthread_mutex_lock(&shard->lock);
	entry = pashm_cache_table_find(shard, hash, key, key_length);
	if (entry)
		ret = entry_get(cache, shard, entry, &list);
	if (ret)
		shard->misses++;
	else
		shard->hits++;
	pthread_mutex_unlock(&shard->lock);
	entry_list_put(cache, list);
	if (!ret)
		value_set(cache, entry, value);
	return ret;
}

PASHM_API void pashm_cache_release(struct pashm_cache *cache,
				   struct pashm_cache_value *value)
{
	/* In this order: the extent can only be ended once it is unpinned */
	pashm_unpin(cache->region, value->entry->handle.page);
	entry_put(cache, value->entry);
	*value = (struct pashm_cache_value){ 0 };
}

PASHM_API int pashm_cache_reserve(struct pashm_cache *cache, const void *key,
				  size_t key_length, size_t length,
				  struct pashm_cache_value *value)
{
	struct pashm_cache_entry *entry;
	int ret;

	if (key_is_bad(key_length) || length == 0)
		return -EINVAL;
	entry = malloc(sizeof(*entry) + key_length);
	if (!entry)
		return -ENOMEM;
	ret = value_alloc(cache, length, &entry->handle);
	if (ret) {
		free(entry);
		return ret;
	}
	entry->hash = key_hash(cache, key, key_length);
	entry->length = length;
	entry->references = 1;
	entry->key_length = (uint32_t)key_length;
	memcpy(entry->key, key, key_length);
	value_set(cache, entry, value);
	return 0;
}

PASHM_API void pashm_cache_commit(struct pashm_cache *cache,
				  struct pashm_cache_value *value, int keep)
{
	struct pashm_cache_entry *entry = value->entry;
	struct cache_shard *shard = shard_of(cache, entry->hash);
	struct pashm_cache_entry *old, *list = NULL;

	/* The table's; the writer's becomes a reader's */
	__atomic_fetch_add(&entry->references, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&shard->lock);
	old = pashm_cache_table_find(shard, entry->hash, entry->key,
				     entry->key_length);
	if (old)
		entry_unlink(shard, old, &list);
	pashm_cache_table_insert(shard, entry);
	if (shard_search_is_due(cache, shard))
		shard_search(cache, shard, &list);
	pthread_mutex_unlock(&shard->lock);
	entry_list_put(cache, list);
	if (!keep)
		pashm_cache_release(cache, value);
}

PASHM_API void pashm_cache_abort(struct pashm_cache *cache,
				 struct pashm_cache_value *value)
{
	pashm_cache_release(cache, value);
}

PASHM_API int pashm_cache_put(struct pashm_cache *cache, const void *key,
			      size_t key_length, const void *data,
			      size_t length)
{
	struct pashm_cache_value value;
	int ret;

	ret = pashm_cache_reserve(cache, key, key_length, length, &value);
	if (ret)
		return ret;
	memcpy(value.data, data, length);
	pashm_cache_commit(cache, &value, 0);
	return 0;
}

PASHM_API int pashm_cache_remove(struct pashm_cache *cache, const void *key,
				 size_t key_length)
{
	struct pashm_cache_entry *entry, *list = NULL;
	struct cache_shard *shard;
	uint64_t hash;

	if (key_is_bad(key_length))
		return -EINVAL;
	hash = key_hash(cache, key, key_length);
	shard = shard_of(cache, hash);
	pthread_mutex_lock(&shard->lock);
	entry = pashm_cache_table_find(shard, hash, key, key_length);
	if (entry)
		entry_unlink(shard, entry, &list);
	pthread_mutex_unlock(&shard->lock);
	entry_list_put(cache, list);
	return entry ? 0 : -ENOENT;
}

PASHM_API void pashm_cache_stats(struct pashm_cache *cache,
				 struct pashm_cache_stats *stats)
{
	struct cache_shard *shard;
	uint32_t i;

	memset(stats, 0, sizeof(*stats));
	for (i = 0; i < SHARDS; i++) {
		shard = &cache->shards[i];
		pthread_mutex_lock(&shard->lock);
		stats->hits += shard->hits;
		stats->misses += shard->misses;
		stats->purged += shard->purged;
		stats->evicted += shard->evicted;
		stats->entries += shard->entries;
		stats->bytes += shard->bytes;
		pthread_mutex_unlock(&shard->lock);
	}
}

PASHM_API struct pashm_region *
pashm_cache_region(const struct pashm_cache *cache)
{
	return cache->region;
}
