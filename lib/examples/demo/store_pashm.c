// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The cache that shrinks. Nothing here deals with memory pressure: a value that
 * nobody has pinned may be taken at any time, and is a miss from then on.
 *
 * Whether the module or a thread of the library takes it is settled when the
 * cache is made; the environment's PASHM_BACKEND overrides.
 */
#include <stdlib.h>
#include <string.h>
#include <pashm/pashm.h>
#include "store.h"

struct pashm_store {
	struct store store;
	struct pashm_cache *cache;
};

static struct pashm_cache *cache_of(struct store *store)
{
	return ((struct pashm_store *)store)->cache;
}

/*
 * No limit: the cache has as much address space as the machine has memory, and
 * of that memory what others leave.
 */
static int store_pashm_open(size_t limit, struct store **store)
{
	struct pashm_cache_params params = { .name = "demo" };
	struct pashm_store *new = calloc(1, sizeof(*new));
	int ret;

	(void)limit;
	if (!new)
		return -ENOMEM;
	ret = pashm_cache_create(&params, &new->cache);
	if (ret) {
		free(new);
		return ret;
	}
	new->store.ops = &store_pashm;
	*store = &new->store;
	return 0;
}

static void store_pashm_close(struct store *store)
{
	pashm_cache_destroy(cache_of(store));
	free(store);
}

/* struct store_value names the members that the load needs */
static struct store_value value_from(const struct pashm_cache_value *value)
{
	return (struct store_value){
		.data = value->data,
		.length = value->length,
		.entry = value->entry,
	};
}

static struct pashm_cache_value value_to(const struct store_value *value)
{
	return (struct pashm_cache_value){
		.data = value->data,
		.length = value->length,
		.entry = value->entry,
	};
}

static int store_pashm_get(struct store *store, const char *key,
			   struct store_value *value)
{
	struct pashm_cache_value found;
	int ret = pashm_cache_get(cache_of(store), key, strlen(key), &found);

	if (!ret)
		*value = value_from(&found);
	return ret;
}

static int store_pashm_reserve(struct store *store, const char *key,
			       size_t length, struct store_value *value)
{
	struct pashm_cache_value reserved;
	int ret = pashm_cache_reserve(cache_of(store), key, strlen(key),
				      length, NULL, &reserved);

	if (!ret)
		*value = value_from(&reserved);
	return ret;
}

static void store_pashm_commit(struct store *store, struct store_value *value)
{
	struct pashm_cache_value filled = value_to(value);

	pashm_cache_commit(cache_of(store), &filled, 1);
	*value = value_from(&filled);
}

static void store_pashm_abort(struct store *store, struct store_value *value)
{
	struct pashm_cache_value reserved = value_to(value);

	pashm_cache_abort(cache_of(store), &reserved);
}

static void store_pashm_release(struct store *store, struct store_value *value)
{
	struct pashm_cache_value used = value_to(value);

	pashm_cache_release(cache_of(store), &used);
}

static int store_pashm_figures(struct store *store,
			       struct store_figures *figures)
{
	struct pashm_region *region = pashm_cache_region(cache_of(store));
	struct pashm_region_info info;
	int ret = pashm_region_info(region, &info);

	if (ret)
		return ret;
	figures->resident = info.resident;
	figures->purged = info.purged;
	figures->module = info.backend == PASHM_BACKEND_MODULE;
	return 0;
}

const struct store_ops store_pashm = {
	.name = "pashm",
	.open = store_pashm_open,
	.close = store_pashm_close,
	.get = store_pashm_get,
	.reserve = store_pashm_reserve,
	.commit = store_pashm_commit,
	.abort = store_pashm_abort,
	.release = store_pashm_release,
	.figures = store_pashm_figures,
};
