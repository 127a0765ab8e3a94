// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cache beside a hash of heap blocks: GLib's table under one lock, whose values
 * are copied out, as somebody else may free them. Times are of this machine; what
 * counts are the ratios in one run.
 *
 * usage: cache ENTRIES VALUE-BYTES [THREADS]
 */
#include <glib.h>
#include <pashm/pashm.h>
#include <pthread.h>
#include <unistd.h>

#include "bench.h"

#define KEY_BYTES	16

/**
 * struct kind - something that finds values
 * @name: of the row
 * @put:  stores the value of a key
 * @get:  reads it, all of it; its sum, or 0 if it is not there
 */
struct kind {
	const char *name;
	void (*put)(const char *key, const void *data, size_t length);
	uint64_t (*get)(const char *key, size_t length);
};

static struct pashm_cache *cache;
static GHashTable *table;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t entries, value_bytes;
static volatile uint64_t sink;

static uint64_t sum(const void *data, size_t length)
{
	const uint64_t *words = data;
	uint64_t total = 1;
	size_t i;

	for (i = 0; i < length / sizeof(*words); i++)
		total += words[i];
	return total;
}

static void cache_put(const char *key, const void *data, size_t length)
{
	int ret = pashm_cache_put(cache, key, KEY_BYTES, data, length);

	if (ret)
		die("put", ret);
}

static uint64_t cache_get(const char *key, size_t length)
{
	struct pashm_cache_value value;
	uint64_t total;

	if (pashm_cache_get(cache, key, KEY_BYTES, &value))
		return 0;
	total = sum(value.data, length);
	pashm_cache_release(cache, &value);
	return total;
}

static guint key_hash(gconstpointer key)
{
	uint64_t words[2];

	memcpy(words, key, sizeof(words));
	return (guint)((words[0] ^ words[1]) * 0x9e3779b97f4a7c15 >> 32);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	return !memcmp(a, b, KEY_BYTES);
}

/* Key and value in one block */
static void table_put(const char *key, const void *data, size_t length)
{
	char *block = g_malloc(KEY_BYTES + length);

	memcpy(block, key, KEY_BYTES);
	memcpy(block + KEY_BYTES, data, length);
	pthread_mutex_lock(&table_lock);
	g_hash_table_replace(table, block, block);
	pthread_mutex_unlock(&table_lock);
}

static uint64_t table_get(const char *key, size_t length)
{
	static __thread char *copy;
	const char *block;

	if (!copy)
		copy = g_malloc(length);
	pthread_mutex_lock(&table_lock);
	block = g_hash_table_lookup(table, key);
	if (block)
		memcpy(copy, block + KEY_BYTES, length);
	pthread_mutex_unlock(&table_lock);
	return block ? sum(copy, length) : 0;
}

static const struct kind kinds[] = {
	{ "GLib's hash, copied out", table_put, table_get },
	{ "pashm_cache", cache_put, cache_get },
};

static void key_of(char *key, uint64_t number)
{
	uint64_t words[2] = { number * 0x9e3779b97f4a7c15, number };

	memcpy(key, words, KEY_BYTES);
}

static double fill(const struct kind *kind)
{
	char *data = calloc(1, value_bytes), key[KEY_BYTES];
	uint64_t i, start = now_ns();

	for (i = 0; i < entries; i++) {
		key_of(key, i);
		memcpy(data, &i, sizeof(i) < value_bytes ? sizeof(i) :
							   value_bytes);
		kind->put(key, data, value_bytes);
	}
	free(data);
	return (double)(now_ns() - start) / (double)entries;
}

struct reader {
	pthread_t thread;
	const struct kind *kind;
	uint64_t seed;
	uint64_t gets;
	uint64_t found;
};

static void *read_some(void *argument)
{
	struct reader *r = argument;
	char key[KEY_BYTES];
	uint64_t i, total;

	for (i = 0; i < r->gets; i++) {
		key_of(key, random_next(&r->seed) % entries);
		total = r->kind->get(key, value_bytes);
		r->found += total != 0;
		sink = total;
	}
	return NULL;
}

/* Gets of all threads a second */
static double read_by(const struct kind *kind, unsigned int threads)
{
	struct reader readers[64];
	uint64_t start, found = 0, gets = 20000000 / (value_bytes / 64 + 1);
	unsigned int i;

	if (gets > 2000000)
		gets = 2000000;
	start = now_ns();
	for (i = 0; i < threads; i++) {
		readers[i] = (struct reader){
			.kind = kind, .seed = i * 7919 + 1, .gets = gets,
		};
		if (pthread_create(&readers[i].thread, NULL, read_some,
				   &readers[i]))
			die("thread", -EAGAIN);
	}
	for (i = 0; i < threads; i++) {
		pthread_join(readers[i].thread, NULL);
		found += readers[i].found;
	}
	if (found < gets * threads)
		printf("  # %s: %.1f %% found\n", kind->name,
		       100. * (double)found / (double)(gets * threads));
	return (double)gets * threads * 1e9 / (double)(now_ns() - start);
}

static void row(const struct kind *kind, unsigned int threads,
		double *one_before, double *many_before)
{
	uint64_t before = status_bytes("VmRSS:"), used;
	double put = fill(kind), one, many;

	used = status_bytes("VmRSS:") - before;
	one = read_by(kind, 1);
	many = read_by(kind, threads);
	printf("%-26s %9.0f %12.0f %6.2f %12.0f %6.2f %10.1f\n", kind->name,
	       put, one, *one_before ? one / *one_before : 1, many,
	       *many_before ? many / *many_before : 1,
	       (double)used / (double)entries - (double)value_bytes);
	*one_before = *one_before ? *one_before : one;
	*many_before = *many_before ? *many_before : many;
}

int main(int argc, char **argv)
{
	unsigned int i, threads = argc > 3 ? (unsigned int)atoi(argv[3]) : 2;
	struct pashm_cache_stats stats;
	double one = 0, many = 0;
	int ret;

	entries = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	value_bytes = argc > 2 ? strtoull(argv[2], NULL, 0) : 64;
	if (!entries || !value_bytes || !threads || threads > 64) {
		fputs("usage: cache ENTRIES VALUE-BYTES [THREADS]\n", stderr);
		return 2;
	}
	ret = pashm_cache_create(NULL, &cache);
	if (ret)
		die("cache", ret);
	table = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
	printf("%zu entries, keys of %d bytes, values of %zu\n", entries,
	       KEY_BYTES, value_bytes);
	printf("%-26s %9s %12s %6s %9s %2u %6s %10s\n", "", "put, ns", "gets/s",
	       "ratio", "by", threads, "ratio", "B beside");
	for (i = 0; i < 2; i++) {
		row(&kinds[i], threads, &one, &many);
		if (i == 0)
			g_hash_table_destroy(table);
	}
	pashm_cache_stats(cache, &stats);
	printf("on the heap: %.1f bytes an entry\n",
	       (double)stats.heap / (double)stats.entries);
	pashm_cache_destroy(cache);
	return 0;
}
