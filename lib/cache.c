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
#include "cache_room.h"

/* 6 years: the clock has 13 */
#define EXPIRES_MOST_MS	(6ULL * 365 * 24 * 3600 * 1000)

static bool key_is_bad(size_t key_length)
{
	return key_length == 0 || key_length > PASHM_CACHE_KEY_MAX;
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
	uint32_t number;

	if (!shard->buckets || pthread_mutex_trylock(&shard->lock))
		return;
	/* Their keys */
	for (number = 1; number <= shard->made; number++)
		pashm_cache_entry_free(shard, number);
	pthread_mutex_unlock(&shard->lock);
	pashm_cache_table_free(shard);
}

PASHM_API void pashm_cache_destroy(struct pashm_cache *cache)
{
	uint32_t i;

	if (!cache)
		return;
	for (i = 0; i < CACHE_SHARDS; i++)
		shard_destroy(&cache->shards[i]);
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
	c->maximum = params->maximum;
	c->born = pashm_cache_clock();
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

PASHM_API int pashm_cache_get(struct pashm_cache *cache, const void *key,
			      size_t key_length,
			      struct pashm_cache_value *value)
{
	uint32_t number, list = 0;
	struct cache_shard *shard;
	uint64_t hash;
	int ret;

	if (cache->region->forked || key_is_bad(key_length))
		return -EINVAL;
	hash = pashm_cache_hash(cache, key, key_length);
	shard = shard_of(cache, hash);
	pthread_mutex_lock(&shard->lock);
	ret = pashm_cache_find(cache, shard, hash, key, key_length, &number,
			       &list);
	pashm_cache_found(cache, shard, ret, number, list, value);
	return ret;
}

PASHM_API int pashm_cache_release(struct pashm_cache *cache,
				  struct pashm_cache_value *value)
{
	struct pashm_cache_value released = *value;
	struct cache_shard *shard;
	uint32_t number;

	*value = (struct pashm_cache_value){ 0 };
	if (cache->region->forked ||
	    !pashm_cache_value_entry(cache, &released, &shard, &number))
		return -EINVAL;
	/* In this order: the extent can only be ended once it is unpinned */
	pashm_unpin(cache->region, entry_at(shard, number)->handle.page);
	pashm_cache_entry_put(cache, shard, number);
	return 0;
}

/* A value that was there before is given the notes of its last extent */
static void notes_hand_on(struct pashm_cache *cache, struct cache_shard *shard,
			  const struct cache_entry *entry)
{
	uint32_t *pin = &cache->region->view.pins[entry->handle.page];
	uint32_t now = __atomic_load_n(pin, __ATOMIC_RELAXED), notes;

	notes = pashm_cache_known_take(&shard->known, entry->hash);
	/* Of those that share an extent, the one that is used most counts */
	if (notes && pashm_pin_frequency(notes) >= pashm_pin_frequency(now))
		pashm_note_set(pin, notes);
}

/*
 * Where the key goes: behind a value that is smaller than a page, or if there is
 * room anyway; else to the heap, as the object would get a page for it.
 */
static int key_place(struct pashm_cache *cache, size_t key_length,
		     size_t length, struct cache_entry *entry)
{
	size_t page = 1UL << cache->region->view.page_shift;

	entry->state = 1;
	entry->sizes = (uint64_t)length << KEY_BITS | key_length;
	if (length < page || pashm_pool_size(cache->pool, entry->handle) >=
			     length + key_length)
		return 0;
	entry->key = malloc(offsetof(struct cache_key, key) + key_length);
	if (!entry->key)
		return -ENOMEM;
	entry->key->length = length;
	entry->key->key_length = (uint32_t)key_length;
	entry_mark(entry, ENTRY_KEY);
	return 0;
}

/* A place in the shard for an entry that is the writer's alone; 0: no memory */
static uint32_t entry_place(struct pashm_cache *cache,
			    const struct cache_entry *entry)
{
	struct cache_shard *shard = shard_of(cache, entry->hash);
	uint32_t number;

	pthread_mutex_lock(&shard->lock);
	number = pashm_cache_entry_new(shard);
	if (number) {
		*entry_at(shard, number) = *entry;
		notes_hand_on(cache, shard, entry);
	}
	pthread_mutex_unlock(&shard->lock);
	return number;
}

static int options_read(const struct pashm_cache *cache,
			const struct pashm_cache_options *options,
			uint32_t *priority, struct cache_entry *entry)
{
	*priority = PASHM_PRIORITY_REGION;
	if (!options)
		return 0;
	if (options->flags & ~PASHM_CACHE_PRIORITY ||
	    options->expires_ms > EXPIRES_MOST_MS)
		return -EINVAL;
	if (options->flags & PASHM_CACHE_PRIORITY)
		*priority = options->priority;
	else if (options->priority)
		return -EINVAL;
	if (*priority > PASHM_PRIORITY_MAX && *priority != PASHM_PRIORITY_REGION)
		return -EINVAL;
	entry->expires = pashm_cache_expiry(cache, options->expires_ms);
	return 0;
}

PASHM_API int pashm_cache_reserve(struct pashm_cache *cache, const void *key,
				  size_t key_length, size_t length,
				  const struct pashm_cache_options *options,
				  struct pashm_cache_value *value)
{
	size_t align, size = length + key_length;
	struct cache_entry entry = { 0 };
	uint32_t number, priority;
	int ret;

	if (cache->region->forked || key_is_bad(key_length) || length == 0)
		return -EINVAL;
	ret = options_read(cache, options, &priority, &entry);
	if (ret)
		return ret;
	if (size < length)
		return -EFBIG;
	align = 1UL << cache->region->view.page_shift;
	if (length < align)
		align = 1;
	else
		size = length;
	ret = pashm_cache_room_alloc(cache, align, size, priority,
				     &entry.handle);
	if (ret)
		return ret;
	entry.hash = pashm_cache_hash(cache, key, key_length);
	if (key_place(cache, key_length, length, &entry))
		goto no_memory;
	memcpy((void *)entry_key(cache, &entry), key, key_length);
	number = entry_place(cache, &entry);
	if (!number)
		goto no_memory;
	pashm_cache_value_set(cache, shard_of(cache, entry.hash), number,
			      value);
	return 0;

no_memory:
	if (entry_is(&entry, ENTRY_KEY))
		free(entry.key);
	pashm_pool_unpin(cache->pool, entry.handle);
	pashm_pool_free(cache->pool, entry.handle);
	return -ENOMEM;
}

/* A value that replaces another one is used as that was */
static void notes_inherit(struct pashm_cache *cache,
			  const struct cache_entry *entry,
			  const struct cache_entry *old)
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
	struct cache_shard *shard;
	struct cache_entry *entry;
	uint32_t number, old, list = 0;

	if (cache->region->forked ||
	    !pashm_cache_value_entry(cache, value, &shard, &number)) {
		*value = (struct pashm_cache_value){ 0 };
		return -EINVAL;
	}
	entry = entry_at(shard, number);
	/* The table's; the writer's becomes a reader's */
	entry_hold(entry);
	pthread_mutex_lock(&shard->lock);
	old = pashm_cache_take(cache, shard, entry->hash,
			       entry_key(cache, entry),
			       entry_key_length(entry), &list);
	if (old)
		notes_inherit(cache, entry, entry_at(shard, old));
	pashm_cache_insert(cache, shard, number);
	pashm_cache_room_keep(cache, shard, &list);
	pthread_mutex_unlock(&shard->lock);
	pashm_cache_entries_put(cache, shard, list);
	pashm_cache_room_limit(cache);
	return keep ? 0 : pashm_cache_release(cache, value);
}

/* It was not made anew after all */
static void notes_give_back(struct pashm_cache *cache,
			    const struct pashm_cache_value *value)
{
	struct cache_shard *shard;
	uint32_t number;

	if (!pashm_cache_value_entry(cache, value, &shard, &number))
		return;
	pthread_mutex_lock(&shard->lock);
	pashm_cache_room_remember(cache, shard, entry_at(shard, number));
	pthread_mutex_unlock(&shard->lock);
}

PASHM_API int pashm_cache_abort(struct pashm_cache *cache,
				struct pashm_cache_value *value)
{
	if (!cache->region->forked)
		notes_give_back(cache, value);
	return pashm_cache_release(cache, value);
}

PASHM_API int pashm_cache_put(struct pashm_cache *cache, const void *key,
			      size_t key_length, const void *data,
			      size_t length)
{
	struct pashm_cache_value value;
	int ret;

	ret = pashm_cache_reserve(cache, key, key_length, length, NULL, &value);
	if (ret)
		return ret;
	memcpy(value.data, data, length);
	return pashm_cache_commit(cache, &value, 0);
}

PASHM_API int pashm_cache_remove(struct pashm_cache *cache, const void *key,
				 size_t key_length)
{
	struct cache_shard *shard;
	uint32_t taken, list = 0;
	uint64_t hash;

	if (cache->region->forked || key_is_bad(key_length))
		return -EINVAL;
	hash = pashm_cache_hash(cache, key, key_length);
	shard = shard_of(cache, hash);
	pthread_mutex_lock(&shard->lock);
	taken = pashm_cache_take(cache, shard, hash, key, key_length, &list);
	pthread_mutex_unlock(&shard->lock);
	pashm_cache_entries_put(cache, shard, list);
	return taken ? 0 : -ENOENT;
}

PASHM_API void pashm_cache_stats(struct pashm_cache *cache,
				 struct pashm_cache_stats *stats)
{
	struct cache_shard *shard;
	uint32_t i;

	memset(stats, 0, sizeof(*stats));
	if (cache->region->forked)
		return;
	stats->heap = sizeof(*cache);
	for (i = 0; i < CACHE_SHARDS; i++) {
		shard = &cache->shards[i];
		pthread_mutex_lock(&shard->lock);
		stats->hits += shard->hits;
		stats->misses += shard->misses;
		stats->purged += shard->purged;
		stats->evicted += shard->evicted;
		stats->expired += shard->expired;
		stats->builds += shard->builds_made;
		stats->heap += pashm_cache_table_heap(shard);
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
