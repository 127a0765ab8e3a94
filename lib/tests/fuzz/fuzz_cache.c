// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sequences of calls on a cache, beside a model that knows what each key's
 * value must be if there is one, and whether there has to be one. All that is
 * not in use may be purged in the middle of a call, as if by another thread.
 */
#include <errno.h>
#include <string.h>
#include "fuzz.h"
#include "memfd.h"
#include <pashm/cache.h>

#define PAGES		64U
#define PAGE		4096U
#define KEYS		24U
#define HELD		6U
#define CALLS		200
#define KEY_MOST	300U

/**
 * enum presence - of a key's value
 * @ABSENT: there is none, or nobody can see it
 * @DEAD:   it was purged, and may not have been missed yet
 * @UNSURE: it may have been evicted, or purged in the middle of a call
 * @LIVE:   a get must find it
 */
enum presence { ABSENT, DEAD, UNSURE, LIVE };

/**
 * struct key
 * @presence: of its value
 * @byte:     that the value is full of
 * @length:   of the value
 * @version:  of the value: no two values have the same
 */
struct key {
	enum presence presence;
	uint8_t byte;
	size_t length;
	unsigned int version;
};

/**
 * struct held - a value that is read or written
 * @value:   as the cache has filled it in; no entry: not in use
 * @key:     whose it is
 * @writing: it has been reserved, and not been committed
 * @byte:    as of struct key
 * @version: likewise
 */
struct held {
	struct pashm_cache_value value;
	unsigned int key;
	bool writing;
	uint8_t byte;
	unsigned int version;
};

/**
 * struct model
 * @input:    bytes that decide
 * @cache:    what is tested
 * @keys:     by number
 * @held:     values in use
 * @versions: number of values that there were
 * @gets:     number of gets
 * @found:    those of them that found one
 * @evicted:  the cache's counter, when last looked at
 * @between:  there was a purge in the middle of a call that is not noted yet
 */
struct model {
	struct fuzz_input input;
	struct pashm_cache *cache;
	struct key keys[KEYS];
	struct held held[HELD];
	unsigned int versions;
	uint64_t gets;
	uint64_t found;
	uint64_t evicted;
	bool between;
};

/* Of all kinds of lengths, and alike but for the last byte */
static size_t key_bytes(unsigned int key, unsigned char *bytes)
{
	static const size_t lengths[] = { 1, 7, 8, 9, 64, 300 };
	size_t length = lengths[key % 6];

	memset(bytes, 'k', length);
	bytes[length - 1] = (unsigned char)key;
	return length;
}

static bool is_full_of(const void *data, size_t length, uint8_t byte)
{
	const unsigned char *bytes = data;

	return bytes[0] == byte && !memcmp(bytes, bytes + 1, length - 1);
}

static struct held *held_any(struct model *model)
{
	return &model->held[fuzz_u8(&model->input) % HELD];
}

static size_t length_any(struct model *model)
{
	uint8_t byte = fuzz_u8(&model->input);

	if (byte == 0xff)
		return (PAGES + 1) * PAGE;
	if (byte == 0xfe)
		return 0;
	return (byte % 24U) * (PAGE / 2) + 1;
}

static bool is_held(const struct model *model, const struct key *key)
{
	unsigned int i;

	for (i = 0; i < HELD; i++) {
		if (model->held[i].value.entry && !model->held[i].writing &&
		    model->held[i].version == key->version)
			return true;
	}
	return false;
}

static struct model *purged;
static unsigned int skip;

static void purge_between(const void *address)
{
	uint64_t freed;

	(void)address;
	if (!purged->cache || !fuzz_left(&purged->input) || skip--)
		return;
	skip = fuzz_back_u8(&purged->input) * 64U;
	purged->between = true;
	pashm_region_purge(pashm_cache_region(purged->cache), &freed);
}

/* Something was thrown out, or purged: what the model cannot know */
static void losses_note(struct model *model)
{
	struct pashm_cache_stats stats;
	unsigned int i;

	FUZZ_VOID(pashm_cache_stats(model->cache, &stats));
	fuzz_check(stats.evicted >= model->evicted);
	for (i = 0; i < KEYS; i++) {
		if (model->keys[i].presence == LIVE &&
		    (stats.evicted != model->evicted ||
		     (model->between && !is_held(model, &model->keys[i]))))
			model->keys[i].presence = UNSURE;
	}
	model->evicted = stats.evicted;
}

static void value_made(struct model *model, const struct held *made)
{
	model->keys[made->key] = (struct key){
		.presence = model->between ? UNSURE : LIVE,
		.byte = made->byte, .length = made->value.length, .version = made->version,
	};
}

static void reserve(struct model *model)
{
	unsigned int key = fuzz_u8(&model->input) % KEYS;
	unsigned char bytes[KEY_MOST];
	struct held *held = held_any(model);
	size_t length = length_any(model), size = key_bytes(key, bytes);
	int ret;

	if (held->value.entry)
		return;
	ret = FUZZ_CALL(pashm_cache_reserve(model->cache, bytes, size, length,
					    NULL, &held->value));
	losses_note(model);
	if (ret) {
		fuzz_check(ret == (length ? -ENOSPC : -EINVAL) ||
			   fuzz_has_failed());
		held->value.entry = 0;
		return;
	}
	fuzz_check(held->value.length == length);
	held->key = key;
	held->writing = true;
	held->version = ++model->versions;
	held->byte = (uint8_t)held->version;
	memset(held->value.data, held->byte, length);
}

/* Nothing of a value in use changes until it is released */
static void held_check(const struct held *held)
{
	fuzz_check(is_full_of(held->value.data, held->value.length,
			      held->byte));
}

static void end(struct model *model, struct held *held, uint8_t how)
{
	struct held copy = *held;

	if (!held->value.entry)
		return;
	held_check(held);
	if (!held->writing) {
		fuzz_check(!FUZZ_CALL(pashm_cache_release(model->cache,
							  &held->value)));
	} else if (how & 1) {
		fuzz_check(!FUZZ_CALL(pashm_cache_abort(model->cache,
							&held->value)));
	} else {
		fuzz_check(!FUZZ_CALL(pashm_cache_commit(model->cache,
							 &held->value,
							 how & 2)));
		losses_note(model);
		value_made(model, &copy);
		held->writing = false;
		fuzz_check(!held->value.entry == !(how & 2));
	}
}

static void get(struct model *model)
{
	unsigned int number = fuzz_u8(&model->input) % KEYS;
	struct key *key = &model->keys[number];
	unsigned char bytes[KEY_MOST];
	struct held *held = held_any(model);
	size_t size = key_bytes(number, bytes);
	int ret;

	if (held->value.entry)
		return;
	ret = FUZZ_CALL(pashm_cache_get(model->cache, bytes, size,
					&held->value));
	losses_note(model);
	model->gets++;
	model->found += !ret;
	fuzz_check(ret == 0 || ret == -ENOENT);
	fuzz_check(ret == 0 ? key->presence >= UNSURE : key->presence != LIVE);
	key->presence = ret ? ABSENT : LIVE;
	if (ret)
		return;
	fuzz_check(held->value.length == key->length);
	held->key = number;
	held->writing = false;
	held->byte = key->byte;
	held->version = key->version;
	held_check(held);
}

static void put(struct model *model)
{
	unsigned int number = fuzz_u8(&model->input) % KEYS;
	static unsigned char data[(PAGES + 1) * PAGE];
	struct held made = { .key = number, .value = {
		.length = length_any(model),
	} };
	unsigned char bytes[KEY_MOST];
	size_t size = key_bytes(number, bytes);
	int ret;

	made.version = ++model->versions;
	made.byte = (uint8_t)made.version;
	memset(data, made.byte, made.value.length);
	ret = FUZZ_CALL(pashm_cache_put(model->cache, bytes, size, data,
					made.value.length));
	losses_note(model);
	if (!ret)
		value_made(model, &made);
	else
		fuzz_check(ret == (made.value.length ? -ENOSPC : -EINVAL) ||
			   fuzz_has_failed());
}

static void cache_remove(struct model *model)
{
	unsigned int number = fuzz_u8(&model->input) % KEYS;
	struct key *key = &model->keys[number];
	unsigned char bytes[KEY_MOST];
	size_t size = key_bytes(number, bytes);
	int ret = FUZZ_CALL(pashm_cache_remove(model->cache, bytes, size));

	losses_note(model);
	fuzz_check(ret == 0 || ret == -ENOENT);
	fuzz_check(ret == 0 ? key->presence > ABSENT : key->presence != LIVE);
	key->presence = ABSENT;
}

/*
 * All that nobody reads is gone, and nothing else; but what is smaller than a page
 * may be beside something that is being read
 */
static void purge(struct model *model)
{
	struct pashm_region *region = pashm_cache_region(model->cache);
	bool failed;
	unsigned int i;
	uint64_t freed;

	FUZZ_CALL(pashm_region_purge(region, &freed));
	failed = fuzz_has_failed();
	for (i = 0; i < KEYS; i++) {
		if (model->keys[i].presence < UNSURE ||
		    is_held(model, &model->keys[i]))
			continue;
		model->keys[i].presence =
			failed || model->keys[i].length < PAGE ? UNSURE : DEAD;
	}
}

static void lengths_are_checked(struct model *model)
{
	static const unsigned char bytes[PASHM_CACHE_KEY_MAX + 1];
	struct pashm_cache_value value = { 0 };
	size_t bad = fuzz_u8(&model->input) & 1 ? sizeof(bytes) : 0;

	fuzz_check(pashm_cache_get(model->cache, bytes, bad, &value) ==
		   -EINVAL);
	fuzz_check(pashm_cache_put(model->cache, bytes, bad, bytes, 1) ==
		   -EINVAL);
	fuzz_check(pashm_cache_remove(model->cache, bytes, bad) == -EINVAL);
	fuzz_check(pashm_cache_release(model->cache, &value) == -EINVAL);
}

static void figures_check(struct model *model)
{
	uint64_t live = 0, most = 0, bytes = 0;
	struct pashm_cache_stats stats;
	unsigned int i;

	FUZZ_VOID(pashm_cache_stats(model->cache, &stats));
	for (i = 0; i < KEYS; i++) {
		most += model->keys[i].presence > ABSENT;
		if (model->keys[i].presence != LIVE)
			continue;
		live++;
		bytes += model->keys[i].length;
	}
	fuzz_check(stats.hits == model->found);
	fuzz_check(stats.hits + stats.misses == model->gets);
	fuzz_check(stats.entries >= live && stats.entries <= most);
	fuzz_check(stats.bytes >= bytes);
	fuzz_check(live < most || stats.bytes == bytes);
	/* All of it is looked at when it is released */
	for (i = 0; i < HELD; i++) {
		if (model->held[i].value.entry)
			fuzz_check(*(uint8_t *)model->held[i].value.data ==
				   model->held[i].byte);
	}
}

static void call(struct model *model)
{
	uint8_t what = fuzz_u8(&model->input);

	fuzz_has_failed();
	if (what >= 0xf0)
		fuzz_fail_alloc();
	else if (what >= 0xe0)
		fuzz_fail_call(EIO);
	switch (what & 15) {
	case 0: case 1: case 2: case 3: put(model); break;
	case 4: case 5: reserve(model); break;
	case 6: case 7: case 8: end(model, held_any(model), what >> 4); break;
	case 9: case 10: case 11: get(model); break;
	case 12: cache_remove(model); break;
	case 13: purge(model); break;
	case 14: lengths_are_checked(model); break;
	default: break;
	}
	losses_note(model);
	model->between = false;
	figures_check(model);
}

/* Only if no page was lost can a value be as long as the region */
static void all_pages_are_left(struct model *model)
{
	struct pashm_cache_value value;
	unsigned int i;

	for (i = 0; i < HELD; i++)
		end(model, &model->held[i], 1);
	fuzz_check(!FUZZ_CALL(pashm_cache_reserve(model->cache, "all", 3,
						  PAGES * PAGE, NULL, &value)));
	fuzz_check(!FUZZ_CALL(pashm_cache_abort(model->cache, &value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pashm_cache_params params = {
		.length = PAGES * PAGE, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct model model = { .input = { data, data + size } };
	struct pashm_cache *cache;
	unsigned int calls;

	purged = &model;
	skip = 0;
	fuzz_poke_always = true;
	fuzz_world_begin(purge_between);
	fuzz_check(!FUZZ_CALL(pashm_cache_create(&params, &model.cache)));
	for (calls = 0; calls < CALLS && fuzz_left(&model.input); calls++)
		call(&model);
	all_pages_are_left(&model);
	cache = model.cache;
	/* Nobody uses a cache that is going */
	model.cache = NULL;
	FUZZ_VOID(pashm_cache_destroy(cache));
	fuzz_world_end();
	return 0;
}
