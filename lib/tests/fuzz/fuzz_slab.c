// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sequences of calls on a pool whose objects share extents, grow, shrink and
 * are aligned, on several CPUs, beside a model that knows what is in them and
 * when that was lost.
 */
#include <errno.h>
#include <string.h>
#include "fuzz.h"
#include "memfd.h"
#include <pashm/pool.h>

#define PAGES		96U
#define PAGE		4096U
#define OBJECTS		64U
#define CALLS		300

/**
 * struct object - as the model knows it
 * @handle: what has been seen
 * @size:   usable bytes; 0: there is no such object
 * @byte:   that all of it is full of
 * @pins:   of this object
 * @lost:   it was purged, and nobody has been told
 */
struct object {
	struct pashm_handle handle;
	size_t size;
	uint8_t byte;
	unsigned int pins;
	bool lost;
};

/**
 * struct model
 * @input:   bytes that decide
 * @region:  with one client
 * @pool:    what is tested
 * @objects: in no order
 * @bytes:   the last that was filled in
 */
struct model {
	struct fuzz_input input;
	struct pashm_region *region;
	struct pashm_pool *pool;
	struct object objects[OBJECTS];
	uint8_t bytes;
};

static unsigned char *address_of(const struct model *model,
				 const struct object *object)
{
	return pashm_pool_address(model->pool, object->handle);
}

static void fill(struct model *model, struct object *object)
{
	object->byte = ++model->bytes ? model->bytes : ++model->bytes;
	memset(address_of(model, object), object->byte, object->size);
}

static void contents_check(const struct model *model,
			   const struct object *object, size_t size)
{
	const unsigned char *data = address_of(model, object);

	fuzz_check(data[0] == object->byte &&
		   !memcmp(data, data + 1, size - 1));
}

static unsigned int pins_at(const struct model *model, uint32_t page)
{
	unsigned int i, pins = 0;

	for (i = 0; i < OBJECTS; i++) {
		if (model->objects[i].size &&
		    model->objects[i].handle.page == page)
			pins += model->objects[i].pins;
	}
	return pins;
}

static bool apart(const struct model *model, const struct object *a,
		  const struct object *b)
{
	return address_of(model, a) + a->size <= address_of(model, b) ||
	       address_of(model, b) + b->size <= address_of(model, a);
}

static void place_check(const struct model *model, const struct object *object)
{
	unsigned int i;

	fuzz_check(address_of(model, object) + object->size <=
		   (unsigned char *)pashm_address(model->region, PAGES));
	for (i = 0; i < OBJECTS; i++) {
		if (model->objects[i].size && &model->objects[i] != object)
			fuzz_check(apart(model, object, &model->objects[i]));
	}
}

static void figures_check(struct model *model)
{
	struct pashm_pool_info info;
	uint64_t objects = 0, bytes = 0;
	unsigned int i;

	FUZZ_VOID(pashm_pool_info(model->pool, &info));
	for (i = 0; i < OBJECTS; i++) {
		objects += model->objects[i].size != 0;
		bytes += model->objects[i].size;
	}
	fuzz_check(info.objects == objects);
	fuzz_check(info.bytes + info.free + info.untouched == PAGES * PAGE);
	/* What is not theirs is vacant, or the end of a slab: at most an eighth */
	fuzz_check(info.bytes >= bytes + info.vacant);
	fuzz_check((info.bytes - bytes - info.vacant) * 8 <= info.bytes);
}

static size_t size_any(struct model *model)
{
	static const size_t most[] = { 64, 256, 1024, 4096, 12288, 65536 };

	return fuzz_u16(&model->input) % most[fuzz_u8(&model->input) % 6] + 1;
}

static void object_set(struct model *model, struct object *object,
		       struct pashm_handle handle, size_t asked)
{
	object->handle = handle;
	object->size = FUZZ_CALL(pashm_pool_size(model->pool, handle));
	fuzz_check(object->size >= asked);
	place_check(model, object);
}

static void alloc(struct model *model, struct object *object)
{
	uint8_t options = fuzz_u8(&model->input);
	uint32_t flags = options & (PASHM_ALLOC_ZEROED | PASHM_ALLOC_ALONE);
	size_t size = size_any(model), align = 1U << (options >> 2 & 15);
	struct pashm_handle handle;
	void *address;
	int ret;

	ret = FUZZ_CALL(pashm_pool_alloc_aligned(model->pool, align, size,
						 options >> 6, flags, &handle,
						 &address));
	fuzz_check(!ret || ret == -ENOSPC || fuzz_has_failed());
	if (ret)
		return;
	fuzz_check((uintptr_t)address % align == 0);
	*object = (struct object){ .pins = 1 };
	object_set(model, object, handle, size);
	fuzz_check(address == address_of(model, object));
	if (flags & PASHM_ALLOC_ZEROED)
		contents_check(model, object, object->size);
	fill(model, object);
}

static void object_free(struct model *model, struct object *object)
{
	struct pashm_handle handle = object->handle;
	int ret;

	ret = FUZZ_CALL(pashm_pool_free(model->pool, handle));
	if (object->pins && !handle.inner)
		fuzz_check(ret == -EBUSY);
	else
		fuzz_check(!ret || fuzz_has_failed());
	if (ret)
		return;
	/* Pins are the extent's: whoever frees a pinned object has to give his up */
	for (; object->pins; object->pins--)
		fuzz_check(!pashm_pool_unpin(model->pool, handle));
	object->size = 0;
	fuzz_check(FUZZ_CALL(pashm_pool_free(model->pool, handle)) == -ESTALE);
	fuzz_check(FUZZ_CALL(pashm_pool_size(model->pool, handle)) == 0);
}

static void resize(struct model *model, struct object *object)
{
	struct pashm_handle handle = object->handle;
	size_t size = size_any(model), old = object->size;
	bool zeroed = fuzz_u8(&model->input) & 1;
	void *address;
	int ret;

	if (object->pins != 1 || object->lost)
		return;
	ret = FUZZ_CALL(pashm_pool_resize(model->pool, &handle, size,
					  zeroed ? PASHM_ALLOC_ZEROED : 0,
					  &address));
	fuzz_check(!ret || ret == -ENOSPC || fuzz_has_failed());
	if (ret == -ESTALE)
		object->size = 0;
	if (ret)
		return;
	object_set(model, object, handle, size);
	fuzz_check(address == address_of(model, object));
	contents_check(model, object, old < object->size ? old : object->size);
	if (zeroed && object->size > old) {
		object->byte = 0;
		memmove(address, (char *)address + old, object->size - old);
		contents_check(model, object, object->size - old);
	}
	fill(model, object);
}

static void pin(struct model *model, struct object *object)
{
	enum pashm_verdict verdict;
	int ret;

	ret = FUZZ_CALL(pashm_pool_pin(model->pool, object->handle, &verdict,
				       NULL));
	fuzz_check(!ret || fuzz_has_failed());
	if (ret)
		return;
	object->pins++;
	fuzz_check(verdict == (object->lost ? PASHM_PURGED : PASHM_INTACT));
	if (verdict == PASHM_PURGED) {
		object->lost = false;
		object->handle.generation =
			pashm_generation(model->region, object->handle.page);
		fill(model, object);
	}
	contents_check(model, object, object->size);
}

static void unpin(struct model *model, struct object *object)
{
	if (!object->pins)
		return;
	object->pins--;
	fuzz_check(!FUZZ_CALL(pashm_pool_unpin(model->pool, object->handle)));
}

/* All that is unpinned is gone, unless a call has failed half-way: then look */
static void purge(struct model *model)
{
	struct object *object;
	unsigned int i;
	int ret;

	ret = FUZZ_CALL(pashm_region_purge(model->region, NULL));
	fuzz_check(!ret || fuzz_has_failed());
	for (i = 0; i < OBJECTS; i++) {
		object = &model->objects[i];
		if (!object->size)
			continue;
		if (pins_at(model, object->handle.page))
			continue;
		if (!ret)
			object->lost = true;
		else if (pashm_generation(model->region, object->handle.page) !=
			 object->handle.generation)
			object->lost = true;
	}
}

static void trim(struct model *model)
{
	int ret = FUZZ_CALL(pashm_pool_trim(model->pool));

	fuzz_check(!ret || fuzz_has_failed());
}

static void call(struct model *model)
{
	uint8_t what = fuzz_u8(&model->input);
	struct object *object =
		&model->objects[fuzz_u8(&model->input) % OBJECTS];

	fuzz_has_failed();
	fuzz_cpu = what >> 4 & 3;
	if (what >= 0xf0)
		fuzz_fail_alloc();
	else if (what >= 0xe8)
		fuzz_fail_call(what & 1 ? ENOMEM : EINTR);
	if ((what & 15) == 14)
		purge(model);
	else if ((what & 15) == 15)
		trim(model);
	else if (!object->size)
		alloc(model, object);
	else if ((what & 15) < 4)
		object_free(model, object);
	else if ((what & 15) < 7)
		pin(model, object);
	else if ((what & 15) < 11)
		unpin(model, object);
	else
		resize(model, object);
	figures_check(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model model = { .input = { data, data + size } };
	struct pashm_region_params params = {
		.length = PAGES * PAGE, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	unsigned int calls;

	if (fuzz_u8(&model.input) & 1)
		params.flags |= PASHM_REGION_SOLE;
	fuzz_world_begin(NULL);
	fuzz_check(!FUZZ_CALL(pashm_region_create(&params, &model.region)));
	fuzz_check(!FUZZ_CALL(pashm_pool_create(model.region, &model.pool)));
	for (calls = 0; calls < CALLS && fuzz_left(&model.input); calls++)
		call(&model);
	FUZZ_VOID(pashm_pool_destroy(model.pool));
	FUZZ_VOID(pashm_region_close(model.region));
	fuzz_world_end();
	return 0;
}
