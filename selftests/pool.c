// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools and caches, on both backends: objects that share extents and such that do
 * not, while all that is unpinned is taken again and again.
 */
#include <pthread.h>

#include <pashm/cache.h>
#include <pashm/pool.h>

#include <kselftest_harness.h>

#include "backend.h"

#define PAGES		512
#define THREADS		4
#define HELD		24
#define KEYS		200

FIXTURE(pool)
{
	struct pashm_region *region;
	struct pashm_pool *pool;
};

FIXTURE_VARIANT(pool)
{
	uint32_t backend;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(pool, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(pool, module_sole) {
	.backend = PASHM_BACKEND_MODULE, .flags = PASHM_REGION_SOLE,
};
FIXTURE_VARIANT_ADD(pool, memfd) { .backend = PASHM_BACKEND_MEMFD };
FIXTURE_VARIANT_ADD(pool, memfd_sole) {
	.backend = PASHM_BACKEND_MEMFD, .flags = PASHM_REGION_SOLE,
};

FIXTURE_SETUP(pool)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, variant->flags,
				    &self->region));
	ASSERT_EQ(0, pashm_pool_create(self->region, &self->pool));
}

FIXTURE_TEARDOWN(pool)
{
	pashm_pool_destroy(self->pool);
	pashm_region_close(self->region);
}

static struct pashm_pool_info pool_info(struct pashm_pool *pool)
{
	struct pashm_pool_info info;

	pashm_pool_info(pool, &info);
	return info;
}

static bool is_full_of(const void *data, size_t size, int byte)
{
	const unsigned char *bytes = data;

	return bytes[0] == byte && !memcmp(bytes, bytes + 1, size - 1);
}

static int make(struct pashm_pool *pool, size_t size, int byte,
		struct pashm_handle *handle)
{
	void *address;
	int ret;

	ret = pashm_pool_alloc(pool, size, PASHM_PRIORITY_DEFAULT, 0, handle,
			       &address);
	if (!ret)
		memset(address, byte, size);
	return ret;
}

TEST_F(pool, neighbours_are_pinned_and_lost_together)
{
	enum pashm_verdict verdict;
	struct pashm_handle a, b;
	uint64_t freed;
	void *data;

	ASSERT_EQ(0, make(self->pool, 100, 'a', &a));
	ASSERT_EQ(0, make(self->pool, 3 * PAGE, 'b', &b));
	ASSERT_EQ(0, pashm_pool_unpin(self->pool, b));
	ASSERT_EQ(0, pashm_region_purge(self->region, &freed));
	EXPECT_EQ(3 * PAGE, freed);
	EXPECT_TRUE(is_full_of(pashm_pool_address(self->pool, a), 100, 'a'));
	ASSERT_EQ(0, pashm_pool_unpin(self->pool, a));
	ASSERT_EQ(0, pashm_region_purge(self->region, &freed));
	EXPECT_EQ(PAGE, freed);
	ASSERT_EQ(0, pashm_pool_pin(self->pool, a, &verdict, &data));
	EXPECT_EQ(PASHM_PURGED, verdict);
	EXPECT_TRUE(is_full_of(data, 100, 0));
	ASSERT_EQ(0, pashm_pool_unpin(self->pool, a));
	EXPECT_EQ(0, pashm_pool_free(self->pool, a));
	EXPECT_EQ(0, pashm_pool_free(self->pool, b));
}

TEST_F(pool, objects_grow_where_they_are_or_move)
{
	struct pashm_handle handle, other;
	void *data;
	size_t size, old = 16;

	ASSERT_EQ(0, make(self->pool, old, 'x', &handle));
	for (size = 100; size < 40 * PAGE; size *= 3) {
		ASSERT_EQ(0, pashm_pool_resize(self->pool, &handle, size,
					       PASHM_ALLOC_ZEROED, &data));
		EXPECT_TRUE(is_full_of(data, old, 'x'));
		memset(data, 'x', size);
		old = size;
		if (size > PAGE)
			ASSERT_EQ(0, make(self->pool, PAGE, 'y', &other));
	}
	ASSERT_EQ(0, pashm_pool_resize(self->pool, &handle, PAGE, 0, &data));
	EXPECT_TRUE(is_full_of(data, PAGE, 'x'));
	EXPECT_EQ(1, pashm_pin_count(pashm_view(self->region)->pins[handle.page]));
}

TEST_F(pool, trimming_leaves_only_what_is_alive)
{
	struct pashm_handle kept, gone[20];
	struct pashm_region_info info;
	unsigned int i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, make(self->pool, i * 1000 + 1, 'g', &gone[i]));
	ASSERT_EQ(0, make(self->pool, 5 * PAGE, 'k', &kept));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pashm_pool_unpin(self->pool, gone[i]));
		ASSERT_EQ(0, pashm_pool_free(self->pool, gone[i]));
	}
	ASSERT_EQ(0, pashm_pool_trim(self->pool));
	ASSERT_EQ(0, pashm_region_info(self->region, &info));
	EXPECT_EQ(5 * PAGE, info.resident);
	EXPECT_EQ(1, pool_info(self->pool).objects);
	EXPECT_EQ(0, pool_info(self->pool).slabs);
}

/* Of a thread, which itself takes all now and then: others may get no turn */
#define ROUNDS		8000
#define PURGE_EVERY	100

/**
 * struct churn - a thread that makes, reads and frees objects
 * @seed:  of what it does
 * @bytes: that its objects are full of; 0: there is none
 * @lost:  objects that were purged
 * @wrong: what should not have happened
 */
struct churn {
	pthread_t thread;
	struct pashm_pool *pool;
	uint32_t seed;
	struct pashm_handle handles[HELD];
	size_t sizes[HELD];
	unsigned char bytes[HELD];
	long lost;
	long wrong;
};

static void churn_read(struct churn *c, unsigned int k)
{
	enum pashm_verdict verdict;
	void *data;

	if (pashm_pool_pin(c->pool, c->handles[k], &verdict, &data) ||
	    verdict == PASHM_STALE) {
		c->wrong++;
		return;
	}
	if (verdict == PASHM_PURGED)
		c->lost++;
	else
		c->wrong += !is_full_of(data, c->sizes[k], c->bytes[k]);
	c->wrong += pashm_pool_unpin(c->pool, c->handles[k]) != 0;
}

static void *churn(void *argument)
{
	struct churn *c = argument;
	long rounds = scaled(ROUNDS), i;
	unsigned int k;

	for (i = 0; i < rounds; i++) {
		c->seed = c->seed * 1103515245 + 12345;
		k = (c->seed >> 16) % HELD;
		if (i % PURGE_EVERY == PURGE_EVERY / 2)
			c->wrong += pashm_region_purge(
				pashm_pool_region(c->pool), NULL) != 0;
		if (c->bytes[k]) {
			churn_read(c, k);
			c->wrong += pashm_pool_free(c->pool, c->handles[k]) != 0;
			c->bytes[k] = 0;
			continue;
		}
		c->sizes[k] = 1 + (c->seed >> 8) % (c->seed >> 29 ? 600 : 20000);
		if (make(c->pool, c->sizes[k], (int)k + 1, &c->handles[k]))
			continue;
		c->bytes[k] = (unsigned char)(k + 1);
		c->wrong += pashm_pool_unpin(c->pool, c->handles[k]) != 0;
	}
	for (k = 0; k < HELD; k++)
		if (c->bytes[k])
			c->wrong += pashm_pool_free(c->pool, c->handles[k]) != 0;
	return NULL;
}

TEST_F_TIMEOUT(pool, threads_keep_what_is_theirs_while_all_is_purged, 300)
{
	static struct churn churns[THREADS];
	long lost = 0, wrong = 0, purges = 0;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		churns[i] = (struct churn){ .pool = self->pool, .seed = i + 1 };
		ASSERT_EQ(0, pthread_create(&churns[i].thread, NULL, churn,
					    &churns[i]));
	}
	for (i = 0; i < THREADS; i++) {
		while (pthread_tryjoin_np(churns[i].thread, NULL)) {
			EXPECT_EQ(0, pashm_region_purge(self->region, NULL));
			purges++;
		}
		lost += churns[i].lost;
		wrong += churns[i].wrong;
	}
	TH_LOG("%ld purges, %ld objects found lost", purges, lost);
	EXPECT_EQ(0, wrong);
	EXPECT_LT(0, lost);
	EXPECT_EQ(0, pashm_pool_trim(self->pool));
	EXPECT_EQ(0, pool_info(self->pool).objects);
	EXPECT_EQ(0, pool_info(self->pool).bytes);
}

FIXTURE(cache)
{
	struct pashm_cache *cache;
};

FIXTURE_VARIANT(cache)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(cache, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(cache, memfd) { .backend = PASHM_BACKEND_MEMFD };

FIXTURE_SETUP(cache)
{
	struct pashm_cache_params params = {
		.length = PAGES * PAGE, .name = "selftest",
		.backend = variant->backend,
		.flags = variant->backend == PASHM_BACKEND_MEMFD ?
				 PASHM_REGION_NO_THREAD : 0,
	};

	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, pashm_cache_create(&params, &self->cache));
}

FIXTURE_TEARDOWN(cache)
{
	pashm_cache_destroy(self->cache);
}

static size_t length_of(unsigned int key)
{
	return key % 5 ? 50 + key : PAGE + key;
}

static int build(struct pashm_cache *cache, const void *key, size_t key_length,
		 struct pashm_cache_value *value, void *context)
{
	unsigned int number = *(const unsigned int *)key;
	int ret;

	ret = pashm_cache_reserve(cache, key, key_length, length_of(number),
				  NULL, value);
	if (!ret) {
		memset(value->data, (int)number, value->length);
		__atomic_fetch_add((long *)context, 1, __ATOMIC_RELAXED);
	}
	return ret;
}

/**
 * struct reader - a thread that uses a cache
 * @builds: values that it has made
 * @wrong:  what should not have happened
 */
struct reader {
	pthread_t thread;
	struct pashm_cache *cache;
	uint32_t seed;
	long builds;
	long wrong;
};

static void *read_all(void *argument)
{
	struct reader *r = argument;
	long rounds = scaled(ROUNDS), i;
	struct pashm_cache_value value;
	unsigned int key;

	for (i = 0; i < rounds; i++) {
		r->seed = r->seed * 1103515245 + 12345;
		key = (r->seed >> 16) % KEYS;
		if (i % PURGE_EVERY == PURGE_EVERY / 2)
			r->wrong += pashm_region_purge(
				pashm_cache_region(r->cache), NULL) != 0;
		if (pashm_cache_get_or_build(r->cache, &key, sizeof(key), build,
					     &r->builds, 0, &value)) {
			r->wrong++;
			continue;
		}
		r->wrong += value.length != length_of(key) ||
			    !is_full_of(value.data, value.length,
					(unsigned char)key);
		r->wrong += pashm_cache_release(r->cache, &value) != 0;
	}
	return NULL;
}

TEST_F_TIMEOUT(cache, nobody_sees_a_purged_byte, 300)
{
	struct pashm_region *region = pashm_cache_region(self->cache);
	static struct reader readers[THREADS];
	struct pashm_cache_stats stats;
	long builds = 0, wrong = 0;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){
			.cache = self->cache, .seed = i + 1,
		};
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL, read_all,
					    &readers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		while (pthread_tryjoin_np(readers[i].thread, NULL))
			EXPECT_EQ(0, pashm_region_purge(region, NULL));
		builds += readers[i].builds;
		wrong += readers[i].wrong;
	}
	pashm_cache_stats(self->cache, &stats);
	TH_LOG("%ld builds, %llu hits, %llu found purged", builds,
	       (unsigned long long)stats.hits, (unsigned long long)stats.purged);
	EXPECT_EQ(0, wrong);
	EXPECT_LT(KEYS, builds);
	EXPECT_EQ(builds, (long)stats.builds);
	EXPECT_LT(0, stats.purged);
	EXPECT_GE(KEYS, stats.entries);
	EXPECT_EQ(0, stats.evicted);
}

TEST_HARNESS_MAIN
