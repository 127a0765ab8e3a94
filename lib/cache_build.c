// SPDX-License-Identifier: LGPL-2.1-or-later
/* One builder for each key: see pashm_cache_get_or_build(). */
#include <string.h>
#include "cache_room.h"

/**
 * struct cache_build - on the builder's stack; under the shard's lock
 * @next:       of the shard's
 * @key:        the builder's caller's
 * @key_length: bytes
 * @thread:     who builds
 */
struct cache_build {
	struct cache_build *next;
	const void *key;
	size_t key_length;
	pthread_t thread;
};

static struct cache_build *build_find(const struct cache_shard *shard,
				      const void *key, size_t key_length)
{
	struct cache_build *build;

	for (build = shard->builds; build; build = build->next) {
		if (build->key_length == key_length &&
		    !memcmp(build->key, key, key_length))
			break;
	}
	return build;
}

static void build_end(struct cache_shard *shard, struct cache_build *build)
{
	struct cache_build **link = &shard->builds;

	pthread_mutex_lock(&shard->lock);
	while (*link != build)
		link = &(*link)->next;
	*link = build->next;
	shard->builds_made++;
	pthread_cond_broadcast(&shard->built);
	pthread_mutex_unlock(&shard->lock);
}

/*
 * Find the value, or become the one who builds it: -ENOENT. The shard's lock is
 * given up while others build.
 */
static int find_or_claim(struct pashm_cache *cache, struct cache_shard *shard,
			 uint64_t hash, uint32_t flags,
			 struct cache_build *mine, uint32_t *number,
			 uint32_t *list)
{
	struct cache_build *other;
	int ret;

	for (;;) {
		ret = pashm_cache_find(cache, shard, hash, mine->key,
				       mine->key_length, number, list);
		if (ret != -ENOENT)
			return ret;
		other = build_find(shard, mine->key, mine->key_length);
		if (!other)
			break;
		if (pthread_equal(other->thread, mine->thread))
			return -EDEADLK;
		if (flags & PASHM_CACHE_PASS)
			return -EBUSY;
		pthread_cond_wait(&shard->built, &shard->lock);
	}
	mine->next = shard->builds;
	shard->builds = mine;
	return -ENOENT;
}

PASHM_API int pashm_cache_get_or_build(struct pashm_cache *cache,
				       const void *key, size_t key_length,
				       pashm_cache_build *build, void *context,
				       uint32_t flags,
				       struct pashm_cache_value *value)
{
	struct cache_build mine = {
		.key = key, .key_length = key_length, .thread = pthread_self(),
	};
	struct cache_shard *shard;
	uint32_t number, list = 0;
	uint64_t hash;
	int ret;

	if (cache->region->forked || key_length == 0 ||
	    key_length > PASHM_CACHE_KEY_MAX || flags & ~PASHM_CACHE_PASS)
		return -EINVAL;
	hash = pashm_cache_hash(cache, key, key_length);
	shard = shard_of(cache, hash);
	pthread_mutex_lock(&shard->lock);
	ret = find_or_claim(cache, shard, hash, flags, &mine, &number, &list);
	pashm_cache_found(cache, shard, ret, number, list, value);
	if (ret != -ENOENT)
		return ret;
	*value = (struct pashm_cache_value){ 0 };
	ret = build(cache, key, key_length, value, context);
	if (!ret)
		ret = pashm_cache_commit(cache, value, 1);
	build_end(shard, &mine);
	return ret;
}
