// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A pool in a region that a hostile peer has sent, and goes on writing to. He
 * may make its calls fail, and take objects away. Whatever he does, no page has
 * two owners, and none is lost to the pool.
 */
#include <errno.h>
#include <string.h>
#include "fuzz.h"
#include "hostile.h"
#include "memfd.h"
#include <pashm/pool.h>

#define PAGES		64U
#define PAGE		4096U
#define OBJECTS		24U
#define CALLS		64

/**
 * struct object - one that the pool has given out
 * @handle: as given
 * @pages:  length; 0: there is none
 */
struct object {
	struct pashm_handle handle;
	uint32_t pages;
};

/**
 * struct victim - who uses the pool
 * @input:   bytes that decide
 * @region:  imported
 * @pool:    in it
 * @objects: given out
 * @used:    pages that belong to one
 */
struct victim {
	struct fuzz_input input;
	struct pashm_region *region;
	struct pashm_pool *pool;
	struct object objects[OBJECTS];
	bool used[PAGES];
};

static bool is_one_of(int ret, const int *errors)
{
	for (; *errors; errors++) {
		if (ret == -*errors)
			return true;
	}
	return false;
}

/* Failures that were injected may give any error */
#define ANSWERED(ret, ...) \
	fuzz_check((ret) == 0 || fuzz_has_failed() || \
		   is_one_of(ret, (const int[]){ __VA_ARGS__, 0 }))

static struct object *object_any(struct victim *victim)
{
	return &victim->objects[fuzz_u8(&victim->input) % OBJECTS];
}

/* One that exists, if there is any: else what is left of one */
static struct object *object_alive(struct victim *victim)
{
	uint32_t i, number = fuzz_u8(&victim->input);
	struct object *object = victim->objects;

	for (i = 0; i < OBJECTS; i++) {
		object = &victim->objects[(number + i) % OBJECTS];
		if (object->pages)
			break;
	}
	return object;
}

static void alloc(struct victim *victim)
{
	struct object *object = object_any(victim);
	uint32_t i, pages = fuzz_u8(&victim->input) % 20 + 1;
	uint32_t flags = fuzz_u8(&victim->input) & 1;
	struct pashm_handle handle;
	void *address;
	int ret;

	if (object->pages)
		return;
	ret = FUZZ_CALL(pashm_pool_alloc(victim->pool, pages * PAGE, 3, flags,
					 &handle, &address));
	ANSWERED(ret, ENOSPC, EBUSY, EAGAIN, ERANGE, ETIMEDOUT);
	if (ret)
		return;
	fuzz_check(handle.page < PAGES && pages <= PAGES - handle.page);
	fuzz_check(address == pashm_address(victim->region, handle.page));
	for (i = handle.page; i < handle.page + pages; i++) {
		fuzz_check(!victim->used[i]);
		victim->used[i] = true;
	}
	*object = (struct object){ .handle = handle, .pages = pages };
	memset(address, 0x33, pages * PAGE);
}

static void object_free(struct victim *victim)
{
	struct object *object = object_alive(victim);
	int ret;

	if (!object->pages)
		return;
	ret = FUZZ_CALL(pashm_pool_free(victim->pool, object->handle));
	ANSWERED(ret, ESTALE, EBUSY, EAGAIN, ETIMEDOUT);
	if (ret)
		return;
	memset(&victim->used[object->handle.page], false, object->pages);
	object->pages = 0;
}

static void pin(struct victim *victim)
{
	struct object *object = object_alive(victim);
	enum pashm_verdict verdict;
	void *address = NULL;
	int ret;

	ret = FUZZ_CALL(pashm_pool_pin(victim->pool, object->handle, &verdict,
				       &address));
	ANSWERED(ret, EAGAIN, ETIMEDOUT);
	if (ret)
		return;
	fuzz_check(!address == (verdict == PASHM_STALE));
	if (verdict == PASHM_PURGED)
		object->handle.generation =
			pashm_generation(victim->region, object->handle.page);
}

static void unpin(struct victim *victim)
{
	struct object *object = object_alive(victim);
	int ret = FUZZ_CALL(pashm_pool_unpin(victim->pool, object->handle));

	fuzz_check(ret == 0 || ret == -ERANGE);
}

static void size_check(struct victim *victim)
{
	struct object *object = object_any(victim);
	size_t size = FUZZ_CALL(pashm_pool_size(victim->pool, object->handle));

	fuzz_check(!size || !object->pages ||
		   size == (size_t)object->pages * PAGE);
	fuzz_check(size <= PAGES * PAGE);
}

static void figures_check(struct victim *victim)
{
	struct pashm_pool_info info;
	uint64_t objects = 0, pages = 0;
	unsigned int i;

	FUZZ_VOID(pashm_pool_info(victim->pool, &info));
	for (i = 0; i < OBJECTS; i++) {
		objects += victim->objects[i].pages != 0;
		pages += victim->objects[i].pages;
	}
	fuzz_check(info.objects == objects);
	fuzz_check(info.bytes == pages * PAGE);
	fuzz_check(info.bytes + info.free + info.untouched == PAGES * PAGE);
}

static void call(struct victim *victim)
{
	uint8_t what = fuzz_u8(&victim->input);
	uint64_t freed;

	fuzz_has_failed();
	if (what & 0x80)
		hostile_act();
	switch (what & 15) {
	case 0: case 1: case 2: case 3: alloc(victim); break;
	case 4: case 5: case 6: object_free(victim); break;
	case 7: case 8: pin(victim); break;
	case 9: case 10: case 11: case 12: unpin(victim); break;
	case 13:
		FUZZ_CALL(pashm_region_purge(victim->region, &freed));
		break;
	default: size_check(victim);
	}
	figures_check(victim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct victim victim = { .input = { data, data + size } };
	int fd = hostile_open(PAGES, &victim.input);
	unsigned int calls;

	fuzz_world_begin(hostile_poke);
	if (!FUZZ_CALL(pashm_region_import(fd, &victim.region)) &&
	    !FUZZ_CALL(pashm_pool_create(victim.region, &victim.pool))) {
		for (calls = 0; calls < CALLS && fuzz_left(&victim.input);
		     calls++)
			call(&victim);
	}
	if (victim.pool)
		FUZZ_VOID(pashm_pool_destroy(victim.pool));
	if (victim.region)
		FUZZ_VOID(pashm_region_close(victim.region));
	fuzz_world_end();
	hostile_close();
	return 0;
}
