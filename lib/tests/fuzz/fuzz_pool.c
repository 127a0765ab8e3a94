// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sequences of calls on a pool, of whose objects each is alone, beside a model that knows which object has
 * which pages, what is in them, and what each client has to be told. While one
 * client purges, the other may pin, before any load and any system call.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "fuzz.h"
#include "memfd.h"
#include <pashm/pool.h>

#define PAGES		64U
#define PAGE		4096U
#define OBJECTS		32U
#define DEAD		16U
#define CALLS		200

/**
 * struct object - as the model knows it
 * @handles:    of each client: what that has seen
 * @generation: of the contents
 * @pages:      length; 0: there is no such object
 * @byte:       that all of it is full of
 * @resident:   it has been touched since it was made or purged
 * @pins:       of each client
 */
struct object {
	struct pashm_handle handles[2];
	uint32_t generation;
	uint32_t pages;
	uint8_t byte;
	bool resident;
	unsigned int pins[2];
};

/**
 * struct model
 * @input:   bytes that decide
 * @clients: the pool's region, and another client's or NULL
 * @pool:    what is tested
 * @objects: in no order
 * @used:    pages that belong to an object
 * @fresh:   first page that was never given out
 * @dead:    handles that are stale
 * @buried:  number of these that there have been
 * @bytes:   the last that was filled in
 * @purging: the client that does; -1: none
 */
struct model {
	struct fuzz_input input;
	struct pashm_region *clients[2];
	struct pashm_pool *pool;
	struct object objects[OBJECTS];
	bool used[PAGES];
	uint32_t fresh;
	struct pashm_handle dead[DEAD];
	unsigned int buried;
	uint8_t bytes;
	int purging;
};

static bool is_pinned(const struct object *object)
{
	return object->pins[0] || object->pins[1];
}

/* A byte of each half page will do */
static void fill(struct model *model, struct object *object)
{
	unsigned char *data = pashm_address(model->clients[0],
					    object->handles[0].page);

	object->byte = ++model->bytes ? model->bytes : ++model->bytes;
	memset(data, object->byte, (size_t)object->pages * PAGE);
	object->resident = true;
}

static void contents_check(struct model *model, struct object *object,
			   unsigned int client)
{
	unsigned char *data = pashm_address(model->clients[client],
					    object->handles[0].page);
	size_t i;

	for (i = 0; i < (size_t)object->pages * PAGE; i += 256)
		fuzz_check(data[i] == object->byte);
	object->resident = true;
}

/* Where a request must end up: at the lowest address that fits */
static bool place_find(const struct model *model, uint32_t pages,
		       uint32_t *page)
{
	uint32_t i, length = 0;

	for (i = 0; i < PAGES; i++) {
		length = model->used[i] ? 0 : length + 1;
		if (length == pages) {
			*page = i + 1 - pages;
			return true;
		}
	}
	return false;
}

static void figures_check(struct model *model)
{
	uint64_t objects = 0, pages = 0, runs = 0, free = 0;
	struct pashm_pool_info info;
	uint32_t i;

	FUZZ_VOID(pashm_pool_info(model->pool, &info));
	/* A request that failed may have moved the border, but not back */
	fuzz_check(PAGES - info.untouched / PAGE >= model->fresh);
	model->fresh = (uint32_t)(PAGES - info.untouched / PAGE);
	for (i = 0; i < OBJECTS; i++) {
		objects += model->objects[i].pages != 0;
		pages += model->objects[i].pages;
	}
	for (i = 0; i < model->fresh; i++) {
		free += !model->used[i];
		runs += !model->used[i] && (i == 0 || model->used[i - 1]);
	}
	fuzz_check(info.objects == objects);
	fuzz_check(info.bytes == pages * PAGE);
	fuzz_check(info.free == free * PAGE);
	fuzz_check(info.free_runs == runs);
}

static struct object *object_any(struct model *model)
{
	return &model->objects[fuzz_u8(&model->input) % OBJECTS];
}

/* One that exists, counted from there; NULL if there is none */
static struct object *object_alive(struct model *model, uint32_t number)
{
	struct object *object;
	uint32_t i;

	for (i = 0; i < OBJECTS; i++) {
		object = &model->objects[(number + i) % OBJECTS];
		if (object->pages)
			return object;
	}
	return NULL;
}

static void object_made(struct model *model, struct object *object,
			struct pashm_handle handle, uint32_t pages)
{
	*object = (struct object){
		.handles = { handle, handle }, .pages = pages, .pins = { 1 },
		.generation = handle.generation,
	};
	memset(&model->used[handle.page], true, pages);
	if (model->fresh < handle.page + pages)
		model->fresh = handle.page + pages;
	fill(model, object);
}

static bool is_zero(const unsigned char *data, size_t size)
{
	return data[0] == 0 && !memcmp(data, data + 1, size - 1);
}

static void alloc(struct model *model)
{
	uint32_t size = fuzz_u8(&model->input) * 512U + fuzz_u8(&model->input);
	uint32_t options = fuzz_u8(&model->input);
	uint32_t flags = (options & PASHM_ALLOC_ZEROED) | PASHM_ALLOC_ALONE;
	uint32_t priority = options >> 1 & 7;
	struct object *object = object_any(model);
	uint32_t pages = (size + PAGE - 1) / PAGE, page;
	struct pashm_handle handle;
	void *address = NULL;
	int ret;

	if (object->pages)
		return;
	if (options == 0xff)
		flags = 4;
	if (options == 0xfe)
		priority = 8;
	ret = FUZZ_CALL(pashm_pool_alloc(model->pool, size, priority, flags,
					 &handle, &address));
	if (size == 0 || flags > 3 || priority > 7)
		fuzz_check(ret == -EINVAL);
	else if (fuzz_has_failed() && ret)
		fuzz_check(ret < 0);
	else if (!place_find(model, pages, &page))
		fuzz_check(ret == -ENOSPC);
	else
		fuzz_check(ret == 0 && handle.page == page);
	if (ret)
		return;
	fuzz_check(address == pashm_address(model->clients[0], handle.page));
	fuzz_check(!(flags & PASHM_ALLOC_ZEROED) ||
		   is_zero(address, (size_t)pages * PAGE));
	object_made(model, object, handle, pages);
}

static void object_free(struct model *model)
{
	struct object *object = object_alive(model,
					     fuzz_u8(&model->input));
	int ret;

	if (!object)
		return;
	ret = FUZZ_CALL(pashm_pool_free(model->pool, object->handles[0]));
	if (fuzz_has_failed() && ret)
		fuzz_check(ret < 0);
	else
		fuzz_check(ret == (is_pinned(object) ? -EBUSY : 0));
	if (ret)
		return;
	model->dead[model->buried++ % DEAD] = object->handles[0];
	memset(&model->used[object->handles[0].page], false, object->pages);
	object->pages = 0;
}

static void pin(struct model *model, unsigned int client)
{
	struct pashm_region *region = model->clients[client];
	struct object *object = object_alive(model,
					     fuzz_u8(&model->input));
	struct pashm_handle *handle;
	enum pashm_verdict verdict;
	int ret;

	if (!object || !region)
		return;
	handle = &object->handles[client];
	ret = FUZZ_CALL(pashm_pin(region, *handle, &verdict));
	if (ret && fuzz_has_failed())
		return;
	fuzz_check(ret == 0);
	object->pins[client]++;
	fuzz_check(verdict == (object->generation == handle->generation ?
			       PASHM_INTACT : PASHM_PURGED));
	contents_check(model, object, client);
	handle->generation = object->generation;
	if (verdict == PASHM_PURGED && fuzz_u8(&model->input) & 1)
		fill(model, object);
}

static void unpin(struct model *model, unsigned int client)
{
	struct pashm_region *region = model->clients[client];
	struct object *object = object_alive(model,
					     fuzz_u8(&model->input));
	int ret;

	if (!object || !region)
		return;
	ret = FUZZ_CALL(pashm_unpin(region, object->handles[0].page));
	fuzz_check(ret == (object->pins[client] ? 0 : -ERANGE));
	object->pins[client] -= !ret;
}

static bool is_lost(const struct model *model, const struct object *object)
{
	return pashm_generation(model->clients[0], object->handles[0].page) !=
	       object->generation;
}

/* Was it taken? Then nobody had it pinned, and there was something to take */
static bool loss_note(struct model *model, struct object *object)
{
	if (!is_lost(model, object))
		return false;
	fuzz_check(object->resident && !is_pinned(object));
	object->generation++;
	fuzz_check(!is_lost(model, object));
	object->byte = 0;
	object->resident = false;
	return true;
}

/* Something was taken, or all that could be: the generations tell what */
static void losses_note(struct model *model, bool all)
{
	struct object *object;
	uint32_t i;

	for (i = 0; i < OBJECTS; i++) {
		object = &model->objects[i];
		if (object->pages && !loss_note(model, object))
			fuzz_check(!all || !object->resident ||
				   is_pinned(object));
	}
}

static struct model *pinner;
static unsigned int skip;

/*
 * The other client's turn in the middle of a purge: it may have to wait for one
 * that cannot go on meanwhile, and gives up, or it has what it pinned.
 */
static void pin_between(const void *address)
{
	struct model *model = pinner;
	struct pashm_region *region;
	struct pashm_handle *handle;
	enum pashm_verdict verdict;
	struct object *object;
	int ret;

	(void)address;
	if (model->purging < 0 || !fuzz_left(&model->input) || skip--)
		return;
	skip = fuzz_back_u8(&model->input);
	region = model->clients[!model->purging];
	object = object_alive(model, fuzz_back_u8(&model->input));
	if (!region || !object)
		return;
	handle = &object->handles[!model->purging];
	ret = pashm_pin(region, *handle, &verdict);
	fuzz_check(ret == 0 || ret == -ETIMEDOUT);
	/* What was taken before was not pinned then */
	loss_note(model, object);
	if (ret)
		return;
	object->pins[!model->purging]++;
	fuzz_check(verdict == (object->generation == handle->generation ?
			       PASHM_INTACT : PASHM_PURGED));
	handle->generation = object->generation;
}

static void nothing_is_lost(struct model *model)
{
	uint32_t i;

	for (i = 0; i < OBJECTS; i++)
		fuzz_check(!model->objects[i].pages ||
			   !is_lost(model, &model->objects[i]));
}

static void purge(struct model *model, unsigned int client)
{
	uint64_t freed;
	int ret;

	if (!model->clients[client])
		return;
	model->purging = (int)client;
	ret = FUZZ_CALL(pashm_region_purge(model->clients[client], &freed));
	model->purging = -1;
	losses_note(model, !fuzz_has_failed());
	fuzz_check(ret <= 0 && freed <= PAGES * PAGE);
}

static void reclaim(struct model *model, unsigned int client)
{
	uint32_t next = RECLAIM_CLASSES, class = fuzz_u8(&model->input) %
						 RECLAIM_CLASSES;

	if (!model->clients[client])
		return;
	model->purging = (int)client;
	FUZZ_CALL(pashm_reclaim_some(model->clients[client],
				     fuzz_u8(&model->input), class, &next));
	model->purging = -1;
	losses_note(model, false);
}

/* Nor with what was never an object, even if it is an extent */
static void no_object(struct model *model)
{
	uint32_t i, page = fuzz_u8(&model->input) % PAGES;
	struct pashm_handle handle = {
		.page = page,
		.generation = pashm_generation(model->clients[0], page),
	};

	for (i = 0; i < OBJECTS; i++) {
		if (model->objects[i].pages &&
		    model->objects[i].handles[0].page == page)
			return;
	}
	fuzz_check(pashm_pool_size(model->pool, handle) == 0);
	fuzz_check(FUZZ_CALL(pashm_pool_free(model->pool, handle)) == -ESTALE);
}

/* Nothing can be done with what was freed, whatever is there by now */
static void stale(struct model *model, unsigned int client)
{
	struct pashm_handle handle;
	enum pashm_verdict verdict;
	int ret;

	if (!model->buried || !model->clients[client])
		return;
	handle = model->dead[fuzz_u8(&model->input) % model->buried % DEAD];
	fuzz_check(pashm_pool_size(model->pool, handle) == 0);
	ret = FUZZ_CALL(pashm_pool_free(model->pool, handle));
	fuzz_check(ret == -ESTALE);
	ret = FUZZ_CALL(pashm_pin(model->clients[client], handle, &verdict));
	fuzz_check(ret == 0 && verdict == PASHM_STALE);
}

static void fail_next(struct model *model)
{
	static const int errors[] = { EINTR, ENOMEM, ENOSPC, EIO };
	uint8_t byte = fuzz_u8(&model->input);

	fuzz_has_failed();
	if (byte & 0x80)
		fuzz_fail_alloc();
	else
		fuzz_fail_call(errors[byte % 4]);
}

static void call(struct model *model)
{
	uint8_t what = fuzz_u8(&model->input);
	unsigned int client = what >> 4 & 1;

	fuzz_has_failed();
	if (what >= 0xe0)
		fail_next(model);
	switch (what & 15) {
	case 0: case 1: case 2: alloc(model); break;
	case 3: case 4: object_free(model); break;
	case 5: case 6: pin(model, client); break;
	case 7: case 8: case 9: case 10: unpin(model, client); break;
	case 11: purge(model, client); break;
	case 12: reclaim(model, client); break;
	case 13: case 14: stale(model, client); break;
	default: no_object(model);
	}
	nothing_is_lost(model);
	figures_check(model);
}

static void clients_open(struct model *model)
{
	uint8_t how = fuzz_u8(&model->input);
	struct pashm_region_params params = {
		.length = PAGES * PAGE, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD |
			 (how & 1 ? PASHM_REGION_SOLE : 0),
	};
	struct pashm_region **clients = model->clients;

	fuzz_check(!FUZZ_CALL(pashm_region_create(&params, &clients[0])));
	fuzz_check(!FUZZ_CALL(pashm_pool_create(clients[0], &model->pool)));
	if ((how & 3) != 2)
		return;
	fuzz_check(!FUZZ_CALL(pashm_region_import(pashm_region_fd(clients[0]),
						  &clients[1])));
	fuzz_check(!FUZZ_CALL(pashm_region_map(clients[1],
					       PROT_READ | PROT_WRITE,
					       NULL)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model model = { .input = { data, data + size }, .purging = -1 };
	unsigned int calls;

	pinner = &model;
	skip = 0;
	fuzz_poke_always = true;
	fuzz_world_begin(pin_between);
	clients_open(&model);
	for (calls = 0; calls < CALLS && fuzz_left(&model.input); calls++)
		call(&model);
	FUZZ_VOID(pashm_region_close(model.clients[1]));
	FUZZ_VOID(pashm_pool_destroy(model.pool));
	FUZZ_VOID(pashm_region_close(model.clients[0]));
	fuzz_world_end();
	return 0;
}
