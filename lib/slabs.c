// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Slabs. What is known of them is on our own heap, not in the slabs: it
 * outlives their purges, and other clients of the region cannot forge it.
 *
 * Each slab belongs to an arena, of which there is one for each CPU: threads
 * that run at the same time allocate from different slabs, under locks that
 * nobody else has. Only who frees what was allocated elsewhere takes the lock of
 * another arena.
 *
 * LOCKS: arena.lock, taken with nothing else held. Pins are made under it, which
 * may wait for a purge in flight, and no purge needs it; slabs are made and
 * ended without it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "slab.h"
#include "sparse.h"

#define ARENAS_MAX	64

int pashm_slabs_init(struct slabs *slabs, struct pages *pages)
{
	const struct pashm_view *view = &pages->region->view;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t size;
	uint32_t i;

	*slabs = (struct slabs){ .pages = pages };
	slabs->count = cpus < 1 ? 1 : cpus > ARENAS_MAX ? ARENAS_MAX :
							  (uint32_t)cpus;
	size = slabs->count * sizeof(*slabs->arenas);
	pashm_size_classes_init(&slabs->classes, (size_t)pashm_view_unit(view)
							 << view->page_shift);
	slabs->table = pashm_sparse_new(pages->region, sizeof(*slabs->table));
	if (!slabs->table)
		return -ENOMEM;
	slabs->arenas = aligned_alloc(ARENA_ALIGN, size);
	if (!slabs->arenas) {
		pashm_sparse_free(pages->region, slabs->table,
				  sizeof(*slabs->table));
		return -ENOMEM;
	}
	memset(slabs->arenas, 0, size);
	for (i = 0; i < slabs->count; i++)
		pthread_mutex_init(&slabs->arenas[i].lock, NULL);
	return 0;
}

void pashm_slabs_clear(struct slabs *slabs)
{
	uint32_t page;

	for (page = 0; page < slabs->pages->fresh; page++)
		free(slabs->table[page].vacant);
	pashm_sparse_free(slabs->pages->region, slabs->table,
			  sizeof(*slabs->table));
	free(slabs->arenas);
}

/* The object's slab, with its arena locked; NULL if there is no such object */
static struct slab *object_lock(struct slabs *slabs, struct pashm_handle handle,
				uint32_t *slot)
{
	struct slab *slab = &slabs->table[handle.page];
	uint16_t number = __atomic_load_n(&slab->arena, __ATOMIC_RELAXED);

	if (!number)
		return NULL;
	pthread_mutex_lock(&slabs->arenas[number - 1].lock);
	if (__atomic_load_n(&slab->arena, __ATOMIC_RELAXED) == number &&
	    pashm_slot_find(slabs, slab, handle.inner, slot))
		return slab;
	pthread_mutex_unlock(&slabs->arenas[number - 1].lock);
	return NULL;
}

/* Pin a slab, whatever is in it, and let the handle know its contents */
static int slab_pin(struct slabs *slabs, const struct slab *slab,
		    struct pashm_handle *handle)
{
	struct pashm_region *region = slabs->pages->region;
	uint32_t page = page_of(slabs, slab);
	enum pashm_verdict verdict;
	int ret;

	*handle = (struct pashm_handle){
		.page = page, .generation = pashm_generation(region, page),
	};
	ret = pashm_pin(region, *handle, &verdict);
	if (ret)
		return ret;
	if (verdict == PASHM_STALE)
		return -ESTALE;
	handle->generation = pashm_generation(region, page);
	return 0;
}

static void slab_set(struct slab *slab, uint32_t arena)
{
	__atomic_store_n(&slab->arena, (uint16_t)arena, __ATOMIC_RELAXED);
}

/* From a slab that is there already; -ENOENT if there is none */
static int arena_alloc(struct slabs *slabs, struct arena *arena, uint32_t class,
		       uint32_t priority, struct pashm_handle *handle)
{
	uint32_t *bin = &arena->bins[class][priority];
	struct slab *slab;
	int ret = -ENOENT;

	pthread_mutex_lock(&arena->lock);
	while (*bin) {
		slab = &slabs->table[*bin - 1];
		ret = slab_pin(slabs, slab, handle);
		if (ret != -ESTALE)
			break;
		pashm_slab_unlink(slabs, slab);
		slab->lost = true;
		ret = -ENOENT;
	}
	if (!ret)
		handle->inner = pashm_slot_take(slabs, slab);
	pthread_mutex_unlock(&arena->lock);
	/* It is pinned so often that no more pins fit: take another */
	return ret == -EAGAIN ? -ENOENT : ret;
}

/* From a new slab */
static int slab_new(struct slabs *slabs, struct arena *arena, uint32_t number,
		    uint32_t priority, struct pashm_handle *handle)
{
	const struct size_class *class = &slabs->classes.class[number];
	const struct pashm_view *view = &slabs->pages->region->view;
	struct pages_request request = {
		.pages = class->units * pashm_view_unit(view),
		.align = 1, .priority = priority,
	};
	uint64_t *vacant = pashm_slab_vacant(class);
	struct slab *slab;
	int ret;

	if (!vacant)
		return -ENOMEM;
	ret = pashm_pages_alloc(slabs->pages, &request, handle);
	if (ret) {
		free(vacant);
		return ret;
	}
	slab = &slabs->table[handle->page];
	pthread_mutex_lock(&arena->lock);
	slab->vacant = vacant;
	slab->used = 0;
	slab->class = (uint8_t)number;
	slab->priority = (uint8_t)priority;
	slab->lost = false;
	slab_set(slab, (uint32_t)(arena - slabs->arenas) + 1);
	pashm_slab_link(slabs, slab);
	arena->info.slabs++;
	arena->info.vacant += (uint64_t)class->slots * class->size;
	handle->inner = pashm_slot_take(slabs, slab);
	pthread_mutex_unlock(&arena->lock);
	pashm_pressure_charge(slabs->pages->region->pressure,
			      (uint64_t)request.pages << view->page_shift);
	return 0;
}

/* Nobody finds the slab any more; under its arena's lock */
static void slab_take_out(struct slabs *slabs, struct arena *arena,
			  struct slab *slab)
{
	const struct size_class *class = class_of(slabs, slab);

	if (slab->linked)
		pashm_slab_unlink(slabs, slab);
	slab_set(slab, 0);
	arena->info.slabs--;
	arena->info.vacant -= (uint64_t)class->slots * class->size;
}

/* An empty slab that was taken out ends, or comes back if its extent cannot */
static bool slab_end(struct slabs *slabs, struct arena *arena,
		     struct slab *slab)
{
	const struct size_class *class = class_of(slabs, slab);
	uint64_t *vacant = slab->vacant;
	uint32_t page = page_of(slabs, slab);
	struct pashm_handle handle = {
		.page = page,
		.generation = pashm_generation(slabs->pages->region, page),
	};
	int ret;

	slab->vacant = NULL;
	do {
		ret = pashm_pages_free(slabs->pages, handle, false);
	} while (ret == -EINTR);
	/* From here on the pages may be another slab of somebody else's */
	if (!ret || ret == -ESTALE) {
		free(vacant);
		return true;
	}
	pthread_mutex_lock(&arena->lock);
	slab->vacant = vacant;
	slab_set(slab, (uint32_t)(arena - slabs->arenas) + 1);
	pashm_slab_link(slabs, slab);
	arena->info.slabs++;
	arena->info.vacant += (uint64_t)class->slots * class->size;
	pthread_mutex_unlock(&arena->lock);
	return false;
}

static struct arena *arena_here(const struct slabs *slabs)
{
	int cpu = sched_getcpu();

	return &slabs->arenas[cpu < 0 ? 0 : (uint32_t)cpu % slabs->count];
}

int pashm_slab_alloc(struct slabs *slabs, uint32_t class, uint32_t priority,
		     struct pashm_handle *handle)
{
	struct arena *arena = arena_here(slabs);
	uint32_t i;
	int ret;

	ret = arena_alloc(slabs, arena, class, priority, handle);
	if (ret != -ENOENT)
		return ret;
	ret = slab_new(slabs, arena, class, priority, handle);
	if (ret != -ENOSPC)
		return ret;
	for (i = 0; i < slabs->count; i++) {
		ret = arena_alloc(slabs, &slabs->arenas[i], class, priority,
				  handle);
		if (ret != -ENOENT)
			return ret;
	}
	if (!pashm_slabs_trim(slabs))
		return -ENOSPC;
	return slab_new(slabs, arena, class, priority, handle);
}

/*
 * An empty slab stays if it is the only one with free slots, so that an object
 * that comes and goes does not take a slab with it each time.
 */
int pashm_slab_free(struct slabs *slabs, struct pashm_handle handle)
{
	struct arena *arena;
	struct slab *slab;
	uint32_t slot;
	bool ends;

	slab = object_lock(slabs, handle, &slot);
	if (!slab)
		return -ESTALE;
	arena = &slabs->arenas[slab->arena - 1];
	pashm_slot_give(slabs, slab, slot);
	ends = slab->used == 0 &&
	       (slab->lost || slab->next || slab->previous);
	if (ends)
		slab_take_out(slabs, arena, slab);
	pthread_mutex_unlock(&arena->lock);
	if (ends)
		slab_end(slabs, arena, slab);
	return 0;
}

bool pashm_slab_find(struct slabs *slabs, struct pashm_handle handle,
		     uint32_t *class, uint32_t *priority)
{
	struct slab *slab;
	uint32_t slot;

	slab = object_lock(slabs, handle, &slot);
	if (!slab)
		return false;
	*class = slab->class;
	*priority = slab->priority;
	pthread_mutex_unlock(&slabs->arenas[slab->arena - 1].lock);
	return true;
}

bool pashm_slab_at(const struct slabs *slabs, uint32_t page)
{
	return __atomic_load_n(&slabs->table[page].arena, __ATOMIC_RELAXED);
}

/* An empty slab of a bin, taken out; NULL if there is none */
static struct slab *empty_take(struct slabs *slabs, struct arena *arena,
			       uint32_t page)
{
	struct slab *slab;

	for (; page; page = slab->next) {
		slab = &slabs->table[page - 1];
		if (slab->used)
			continue;
		slab_take_out(slabs, arena, slab);
		return slab;
	}
	return NULL;
}

/* There is one empty slab in a bin, rarely more: what cannot end now is left */
static bool arena_trim(struct slabs *slabs, struct arena *arena)
{
	struct slab *slab;
	bool any = false;
	uint32_t i;

	for (i = 0; i < CLASSES_MAX * PRIORITIES; i++) {
		pthread_mutex_lock(&arena->lock);
		slab = empty_take(slabs, arena,
				  arena->bins[i / PRIORITIES][i % PRIORITIES]);
		pthread_mutex_unlock(&arena->lock);
		any |= slab && slab_end(slabs, arena, slab);
	}
	return any;
}

bool pashm_slabs_trim(struct slabs *slabs)
{
	bool any = false;
	uint32_t i;

	for (i = 0; i < slabs->count; i++)
		any |= arena_trim(slabs, &slabs->arenas[i]);
	return any;
}

void pashm_slabs_info(struct slabs *slabs, struct slabs_info *info)
{
	struct arena *arena;
	uint32_t i;

	*info = (struct slabs_info){ 0 };
	for (i = 0; i < slabs->count; i++) {
		arena = &slabs->arenas[i];
		pthread_mutex_lock(&arena->lock);
		info->slabs += arena->info.slabs;
		info->objects += arena->info.objects;
		info->vacant += arena->info.vacant;
		pthread_mutex_unlock(&arena->lock);
	}
}
