// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The cache as it is usually written: blocks from malloc(), a hash table, and
 * the least recently used value goes when a limit is reached. Its author had to
 * choose that limit without knowing what else the machine would run.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "store.h"

#define BUCKETS	16384	/* a power of two */

/**
 * struct item - a value and its key
 * @bucket: items whose keys have the same hash; under the lock
 * @use:    all items, the most recently used first; under the lock
 * @users:  those who read the value, and one for being in the table; under
 *          the lock
 * @size:   bytes of the block; constant
 * @key:    at the end of the block, after the value; constant
 */
struct item {
	LIST_ENTRY(item) bucket;
	TAILQ_ENTRY(item) use;
	unsigned int users;
	size_t size;
	char *key;
	unsigned char data[];
};

LIST_HEAD(bucket, item);
TAILQ_HEAD(use_list, item);

struct heap_store {
	struct store store;
	pthread_mutex_t lock;		/* all below */
	size_t limit;
	size_t size;
	struct use_list use;
	struct bucket buckets[BUCKETS];
};

static struct heap_store *heap_store(struct store *store)
{
	return (struct heap_store *)store;
}

/* FNV-1a */
static struct bucket *bucket_of(struct heap_store *h, const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	while (*key)
		hash = (hash ^ (unsigned char)*key++) * 0x100000001b3ULL;
	return &h->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static int store_heap_open(size_t limit, struct store **store)
{
	struct heap_store *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->store.ops = &store_heap;
	h->limit = limit;
	TAILQ_INIT(&h->use);
	pthread_mutex_init(&h->lock, NULL);
	*store = &h->store;
	return 0;
}

static void item_put(struct heap_store *h, struct item *item)
{
	if (--item->users)
		return;
	h->size -= item->size;
	free(item);
}

static void item_unlink(struct heap_store *h, struct item *item)
{
	LIST_REMOVE(item, bucket);
	TAILQ_REMOVE(&h->use, item, use);
	item_put(h, item);
}

static void store_heap_close(struct store *store)
{
	struct heap_store *h = heap_store(store);

	while (!TAILQ_EMPTY(&h->use))
		item_unlink(h, TAILQ_FIRST(&h->use));
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static struct item *item_find(struct heap_store *h, const char *key)
{
	struct item *item;

	LIST_FOREACH(item, bucket_of(h, key), bucket)
		if (!strcmp(item->key, key))
			return item;
	return NULL;
}

static int store_heap_get(struct store *store, const char *key,
			  struct store_value *value)
{
	struct heap_store *h = heap_store(store);
	struct item *item;

	pthread_mutex_lock(&h->lock);
	item = item_find(h, key);
	if (item) {
		item->users++;
		TAILQ_REMOVE(&h->use, item, use);
		TAILQ_INSERT_HEAD(&h->use, item, use);
		value->data = item->data;
		value->length = (size_t)(item->key - (char *)item->data);
		value->entry = (uintptr_t)item;
	}
	pthread_mutex_unlock(&h->lock);
	return item ? 0 : -ENOENT;
}

static int store_heap_reserve(struct store *store, const char *key,
			      size_t length, struct store_value *value)
{
	struct heap_store *h = heap_store(store);
	size_t size = sizeof(struct item) + length + strlen(key) + 1;
	struct item *item;

	if (size > h->limit)
		return -ENOSPC;
	pthread_mutex_lock(&h->lock);
	while (h->size + size > h->limit && !TAILQ_EMPTY(&h->use))
		item_unlink(h, TAILQ_LAST(&h->use, use_list));
	h->size += size;
	pthread_mutex_unlock(&h->lock);

	item = malloc(size);
	if (!item) {
		pthread_mutex_lock(&h->lock);
		h->size -= size;
		pthread_mutex_unlock(&h->lock);
		return -ENOMEM;
	}
	item->users = 1;
	item->size = size;
	item->key = (char *)item->data + length;
	strcpy(item->key, key);
	value->data = item->data;
	value->length = length;
	value->entry = (uintptr_t)item;
	return 0;
}

/* The later of two who filled the same key replaces the earlier */
static void store_heap_commit(struct store *store, struct store_value *value)
{
	struct heap_store *h = heap_store(store);
	struct item *item = (struct item *)value->entry;
	struct item *former;

	pthread_mutex_lock(&h->lock);
	former = item_find(h, item->key);
	if (former)
		item_unlink(h, former);
	item->users++;
	LIST_INSERT_HEAD(bucket_of(h, item->key), item, bucket);
	TAILQ_INSERT_HEAD(&h->use, item, use);
	pthread_mutex_unlock(&h->lock);
}

static void store_heap_release(struct store *store, struct store_value *value)
{
	struct heap_store *h = heap_store(store);

	pthread_mutex_lock(&h->lock);
	item_put(h, (struct item *)value->entry);
	pthread_mutex_unlock(&h->lock);
}

static int store_heap_figures(struct store *store,
			      struct store_figures *figures)
{
	struct heap_store *h = heap_store(store);

	pthread_mutex_lock(&h->lock);
	*figures = (struct store_figures){ .resident = h->size };
	pthread_mutex_unlock(&h->lock);
	return 0;
}

const struct store_ops store_heap = {
	.name = "heap",
	.open = store_heap_open,
	.close = store_heap_close,
	.get = store_heap_get,
	.reserve = store_heap_reserve,
	.commit = store_heap_commit,
	.abort = store_heap_release,
	.release = store_heap_release,
	.figures = store_heap_figures,
};
