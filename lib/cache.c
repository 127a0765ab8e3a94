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
#include "cache_room.h"

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
	return &cache->shards[(hash >> 59) % CACHE_SHARDS];
}

static bool key_is_bad(size_t key_length)
{
	return key_length == 0 || key_length > PASHM_CACHE_KEY_MAX;
}

static void value_set(struct pashm_cache *cache,
		      struct pashm_cache_entry *entry,
		      struct pashm_cache_value *value)
{
	value->data = pashm_pool_address(cache->pool, entry->handle);
	value->length = entry->length;
	value->entry = entry;
}

static int shards_init(struct pashm_cache *cache)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; i < CACHE_SHARDS && !ret; i++)
		ret = pashm_cache_table_init(&cache->shards[i]);
	return ret;
}

/*
 * In a child, a thread of the parent may have been at work on the shard: what
 * cannot be relied on is not freed.
 */
static void shard_destroy(struct cache_shard *shard)
{
	struct pashm_cache_entry *entry;

	if (!shard->buckets || pthread_mutex_trylock(&shard->lock))
		return;
	while ((entry = shard->oldest)) {
		pashm_cache_table_remove(shard, entry);
		free(entry);
	}
	pthread_mutex_unlock(&shard->lock);
	pashm_cache_table_free(shard);
}

PASHM_API void pashm_cache_destroy(struct pashm_cache *cache)
{
	struct pashm_cache_entry *entry;
	uint32_t i;

	if (!cache)
		return;
	for (i = 0; i < CACHE_SHARDS; i++)
		shard_destroy(&cache->shards[i]);
	if (!pthread_mutex_trylock(&cache->lock)) {
		while ((entry = cache->stuck)) {
			cache->stuck = entry->chain;
			free(entry);
		}
		pthread_mutex_unlock(&cache->lock);
		pthread_mutex_destroy(&cache->lock);
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
		.priority = params->priority,
	};
	c = aligned_alloc(64, sizeof(*c));
	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
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
	enum pashm_verdict verdict = PASHM_STALE;
	int ret = 0;

	/* A pin of what was purged would have the pressure looked at */
	if (pashm_generation(cache->region, entry->handle.page) ==
	    entry->handle.generation)
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
	pashm_cache_room_lost(cache, shard, entry, list);
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

	if (cache->region->forked || key_is_bad(key_length))
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
	pashm_cache_entries_put(cache, list);
	if (!ret)
		value_set(cache, entry, value);
	return ret;
}

PASHM_API int pashm_cache_release(struct pashm_cache *cache,
				  struct pashm_cache_value *value)
{
	struct pashm_cache_entry *entry = value->entry;

	*value = (struct pashm_cache_value){ 0 };
	if (cache->region->forked || !entry)
		return -EINVAL;
	/* In this order: the extent can only be ended once it is unpinned */
	pashm_unpin(cache->region, entry->handle.page);
	pashm_cache_entry_put(cache, entry);
	return 0;
}

/* A value that was there before is given the notes of its last extent */
static void notes_hand_on(struct pashm_cache *cache,
			  const struct pashm_cache_entry *entry)
{
	struct cache_shard *shard = shard_of(cache, entry->hash);
	uint32_t *pin = &cache->region->view.pins[entry->handle.page];
	uint32_t now = __atomic_load_n(pin, __ATOMIC_RELAXED), notes;

	pthread_mutex_lock(&shard->lock);
	notes = pashm_cache_known_take(&shard->known, entry->hash);
	pthread_mutex_unlock(&shard->lock);
	/* Of those that share an extent, the one that is used most counts */
	if (notes && pashm_pin_frequency(notes) >= pashm_pin_frequency(now))
		pashm_note_set(pin, notes);
}

PASHM_API int pashm_cache_reserve(struct pashm_cache *cache, const void *key,
				  size_t key_length, size_t length,
				  struct pashm_cache_value *value)
{
	struct pashm_cache_entry *entry;
	int ret;

	if (cache->region->forked || key_is_bad(key_length) || length == 0)
		return -EINVAL;
	entry = malloc(offsetof(struct pashm_cache_entry, key) + key_length);
	if (!entry)
		return -ENOMEM;
	ret = pashm_cache_room_alloc(cache, length, &entry->handle);
	if (ret) {
		free(entry);
		return ret;
	}
	entry->hash = key_hash(cache, key, key_length);
	entry->length = length;
	entry->references = 1;
	entry->key_length = (uint32_t)key_length;
	memcpy(entry->key, key, key_length);
	notes_hand_on(cache, entry);
	value_set(cache, entry, value);
	return 0;
}

/* A value that replaces another one is used as that was */
static void notes_inherit(struct pashm_cache *cache,
			  const struct pashm_cache_entry *entry,
			  const struct pashm_cache_entry *old)
{
	uint32_t *pins = cache->region->view.pins;
	uint32_t before = __atomic_load_n(&pins[old->handle.page],
					  __ATOMIC_RELAXED);
	uint32_t now = __atomic_load_n(&pins[entry->handle.page],
				       __ATOMIC_RELAXED);

	if (pashm_pin_frequency(before) > pashm_pin_frequency(now))
		pashm_note_set(&pins[entry->handle.page], before);
}

PASHM_API int pashm_cache_commit(struct pashm_cache *cache,
				 struct pashm_cache_value *value, int keep)
{
	struct pashm_cache_entry *old, *entry = value->entry, *list = NULL;
	struct cache_shard *shard;

	if (cache->region->forked || !entry) {
		*value = (struct pashm_cache_value){ 0 };
		return -EINVAL;
	}
	shard = shard_of(cache, entry->hash);
	/* The table's; the writer's becomes a reader's */
	__atomic_fetch_add(&entry->references, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&shard->lock);
	old = pashm_cache_table_find(shard, entry->hash, entry->key,
				     entry->key_length);
	if (old) {
		notes_inherit(cache, entry, old);
		pashm_cache_table_take(shard, old, &list);
	}
	pashm_cache_table_insert(shard, entry);
	pashm_cache_room_keep(cache, shard, &list);
	pthread_mutex_unlock(&shard->lock);
	pashm_cache_entries_put(cache, list);
	return keep ? 0 : pashm_cache_release(cache, value);
}

/* It was not made anew after all */
static void notes_give_back(struct pashm_cache *cache,
			    const struct pashm_cache_entry *entry)
{
	struct cache_shard *shard = shard_of(cache, entry->hash);

	pthread_mutex_lock(&shard->lock);
	pashm_cache_room_remember(cache, shard, entry);
	pthread_mutex_unlock(&shard->lock);
}

PASHM_API int pashm_cache_abort(struct pashm_cache *cache,
				struct pashm_cache_value *value)
{
	if (value->entry && !cache->region->forked)
		notes_give_back(cache, value->entry);
	return pashm_cache_release(cache, value);
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
	return pashm_cache_commit(cache, &value, 0);
}

PASHM_API int pashm_cache_remove(struct pashm_cache *cache, const void *key,
				 size_t key_length)
{
	struct pashm_cache_entry *entry, *list = NULL;
	struct cache_shard *shard;
	uint64_t hash;

	if (cache->region->forked || key_is_bad(key_length))
		return -EINVAL;
	hash = key_hash(cache, key, key_length);
	shard = shard_of(cache, hash);
	pthread_mutex_lock(&shard->lock);
	entry = pashm_cache_table_find(shard, hash, key, key_length);
	if (entry)
		pashm_cache_table_take(shard, entry, &list);
	pthread_mutex_unlock(&shard->lock);
	pashm_cache_entries_put(cache, list);
	return entry ? 0 : -ENOENT;
}

PASHM_API void pashm_cache_stats(struct pashm_cache *cache,
				 struct pashm_cache_stats *stats)
{
	struct cache_shard *shard;
	uint32_t i;

	memset(stats, 0, sizeof(*stats));
	if (cache->region->forked)
		return;
	for (i = 0; i < CACHE_SHARDS; i++) {
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
