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
 * LOCKS: arena.lock, taken with nothing else held. Under it slabs are pinned and their
 * extents end, as far as nobody has to be waited for. Pages are taken and given back
 * without it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "own_extent.h"
#include "slab.h"
#include "sparse.h"

#define ARENAS_MAX	64
/* So much larger a slot may be: four times, as four classes double the size */
#define LARGER_CLASSES	8

int pashm_slabs_init(struct slabs *slabs, struct pages *pages)
{
	const struct pashm_view *view = &pages->region->view;
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
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
	const struct pages *pages = slabs->pages;
	uint32_t page, length;

	/* Slabs are segments: what is in between need not be looked at */
	for (page = 0; page < pages->fresh; page += length) {
		free(slabs->table[page].vacant);
		length = pashm_pages_segment(pages, page);
	}
	pashm_sparse_free(pages->region, slabs->table, sizeof(*slabs->table));
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
	/* A slab that was there before had no younger generations */
	if (__atomic_load_n(&slab->arena, __ATOMIC_RELAXED) == number &&
	    (int32_t)(handle.generation - slab->birth) >= 0 &&
	    pashm_slot_find(slabs, slab, handle.inner, slot))
		return slab;
	pthread_mutex_unlock(&slabs->arenas[number - 1].lock);
	return NULL;
}

static void slab_set(struct slab *slab, uint32_t arena)
{
	__atomic_store_n(&slab->arena, (uint16_t)arena, __ATOMIC_RELAXED);
}

/* Nobody finds the slab any more; under its arena's lock */
static void slab_take_out(struct slabs *slabs, struct arena *arena,
			  struct slab *slab)
{
	const struct size_class *class = class_of(slabs, slab);

	if (slab->linked)
		pashm_slab_unlink(slabs, slab);
	if (slab->used == 0)
		__atomic_fetch_sub(&arena->empty, 1, __ATOMIC_RELAXED);
	slab_set(slab, 0);
	arena->info.slabs--;
	arena->info.objects -= slab->used;
	arena->info.vacant -= (uint64_t)(class->slots - slab->used) *
			      class->size;
}

/**
 * struct ended - what is left of a slab, to be freed without the lock
 * @vacant: NULL: there is nothing
 * @page:   its pages are to be given back
 * @lost:   but not if somebody else has ended its extent
 */
struct ended {
	uint64_t *vacant;
	uint32_t page;
	bool lost;
};

/*
 * Under the arena's lock: end a slab, and what objects it has, unless somebody has it
 * pinned. It is found by their handles until that is certain: else who frees one of
 * them meanwhile would be told that it is gone, and the slot be lost.
 */
static bool slab_end(struct slabs *slabs, struct arena *arena,
		     struct slab *slab, struct ended *ended)
{
	struct pashm_region *region = slabs->pages->region;
	uint32_t page = page_of(slabs, slab);
	struct pashm_handle handle = {
		.page = page, .generation = pashm_generation(region, page),
	};
	int ret;

	do {
		ret = pashm_own_end(region, handle, false);
	} while (ret == -EINTR);
	if (ret && ret != -ESTALE)
		return false;
	slab_take_out(slabs, arena, slab);
	*ended = (struct ended){ slab->vacant, page, ret == -ESTALE };
	slab->vacant = NULL;
	return true;
}

static void ended_free(struct slabs *slabs, const struct ended *ended)
{
	if (ended->vacant && !ended->lost)
		pashm_pages_give(slabs->pages, ended->page);
	free(ended->vacant);
}

/*
 * Give a slot back; under the lock. An empty slab stays if it is the only one with free
 * slots, so that an object that comes and goes does not take a slab with it each time.
 */
static void slot_give(struct slabs *slabs, struct arena *arena,
		      struct slab *slab, uint32_t slot, struct ended *ended)
{
	pashm_slot_give(slabs, slab, slot);
	if (!slab->used && (slab->lost || slab->next || slab->previous))
		slab_end(slabs, arena, slab, ended);
}

/*
 * Pin the slab of an object that is being made, whatever is in it, and let the handle
 * know its contents.
 */
static int slab_pin(struct slabs *slabs, struct pashm_handle *handle)
{
	struct pashm_region *region = slabs->pages->region;
	enum pashm_verdict verdict;
	int ret;

	handle->generation = pashm_generation(region, handle->page);
	ret = pashm_pin(region, *handle, &verdict);
	if (ret)
		return ret;
	if (verdict == PASHM_STALE)
		return -ESTALE;
	handle->generation = pashm_generation(region, handle->page);
	return 0;
}

/* What was purged is going to be filled again */
static void slab_charge(struct slabs *slabs, struct slab *slab,
			uint32_t generation)
{
	const struct pashm_view *view = &slabs->pages->region->view;
	uint64_t unit = (uint64_t)pashm_view_unit(view) << view->page_shift;

	if (__atomic_load_n(&slab->seen, __ATOMIC_RELAXED) == generation)
		return;
	if (__atomic_exchange_n(&slab->seen, generation, __ATOMIC_RELAXED) !=
	    generation)
		pashm_pressure_charge(slabs->pages->region->pressure,
				      class_of(slabs, slab)->units * unit);
}

/* The same if that takes no waiting, and nobody is to be told */
static bool slab_pin_now(struct slabs *slabs, struct pashm_handle *handle)
{
	const struct pashm_view *view = &slabs->pages->region->view;
	uint32_t *pin = &view->pins[handle->page];
	uint64_t state;

	if (view->flags & PASHM_VIEW_CHECKED)
		return false;
	if (!pashm_count_overflows(pashm_count_raise_full(pin))) {
		/* acquire: as pashm_pin() */
		state = __atomic_load_n(&view->states[handle->page],
					__ATOMIC_ACQUIRE);
		handle->generation = pashm_state_generation(state);
		if (pashm_state_claimable(state))
			return true;
	}
	pashm_count_lower_release(pin);
	return false;
}

/*
 * A slot of the first slab of a bin; NULL if there is none. If it is not pinned by
 * that, the slab stays as long as an object of it is being made.
 */
static struct slab *bin_take(struct slabs *slabs, struct arena *arena,
			     uint32_t *bin, struct pashm_handle *handle,
			     bool *pinned)
{
	struct slab *slab = NULL;

	if (!__atomic_load_n(bin, __ATOMIC_RELAXED))
		return NULL;
	pthread_mutex_lock(&arena->lock);
	if (*bin) {
		slab = &slabs->table[*bin - 1];
		*handle = (struct pashm_handle){
			.page = page_of(slabs, slab),
			.inner = pashm_slot_take(slabs, slab),
		};
		*pinned = slab_pin_now(slabs, handle);
		if (!*pinned)
			__atomic_fetch_add(&slab->making, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&arena->lock);
	return slab;
}

/* The slab could not be pinned: the slot goes back. A lost one gives no more */
static void slot_return(struct slabs *slabs, struct arena *arena,
			struct slab *slab, uint32_t inner, bool lost)
{
	struct ended ended = { 0 };
	uint32_t slot;

	pthread_mutex_lock(&arena->lock);
	__atomic_fetch_sub(&slab->making, 1, __ATOMIC_RELAXED);
	if (lost && slab->linked)
		pashm_slab_unlink(slabs, slab);
	slab->lost |= lost;
	if (pashm_slot_find(slabs, slab, inner, &slot))
		slot_give(slabs, arena, slab, slot, &ended);
	pthread_mutex_unlock(&arena->lock);
	ended_free(slabs, &ended);
}

/*
 * From a slab that is there already; -ENOENT if there is none. Pins that may have to
 * wait for a purge are made without the lock.
 */
static int arena_alloc(struct slabs *slabs, struct arena *arena, uint32_t class,
		       uint32_t priority, struct pashm_handle *handle)
{
	uint32_t *bin = &arena->bins[class][priority];
	struct slab *slab;
	bool pinned;
	int ret;

	while ((slab = bin_take(slabs, arena, bin, handle, &pinned))) {
		ret = pinned ? 0 : slab_pin(slabs, handle);
		if (!ret) {
			slab_charge(slabs, slab, handle->generation);
			/* release: whoever ends the slab finds the pin */
			if (!pinned)
				__atomic_fetch_sub(&slab->making, 1,
						   __ATOMIC_RELEASE);
			return 0;
		}
		slot_return(slabs, arena, slab, handle->inner, ret == -ESTALE);
		/* It is pinned so often that no more pins fit: take another */
		if (ret != -ESTALE)
			return ret == -EAGAIN ? -ENOENT : ret;
	}
	return -ENOENT;
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
	slab->birth = handle->generation;
	__atomic_store_n(&slab->seen, handle->generation, __ATOMIC_RELAXED);
	slab_set(slab, (uint32_t)(arena - slabs->arenas) + 1);
	pashm_slab_link(slabs, slab);
	__atomic_fetch_add(&arena->empty, 1, __ATOMIC_RELAXED);
	arena->info.slabs++;
	arena->info.vacant += (uint64_t)class->slots * class->size;
	handle->inner = pashm_slot_take(slabs, slab);
	pthread_mutex_unlock(&arena->lock);
	pashm_pressure_charge(slabs->pages->region->pressure,
			      (uint64_t)request.pages << view->page_shift);
	return 0;
}

static struct arena *arena_here(const struct slabs *slabs)
{
	int cpu = sched_getcpu();

	return &slabs->arenas[cpu < 0 ? 0 : (uint32_t)cpu % slabs->count];
}

/* Slots that are larger than need be, or of other arenas: before giving up */
static int other_alloc(struct slabs *slabs, uint32_t *class, size_t align,
		       uint32_t priority, struct pashm_handle *handle)
{
	uint32_t i, most = *class + LARGER_CLASSES;
	int ret;

	for (; *class <= most && *class < slabs->classes.count; ++*class) {
		if (slabs->classes.class[*class].size & (align - 1))
			continue;
		for (i = 0; i < slabs->count; i++) {
			ret = arena_alloc(slabs, &slabs->arenas[i], *class,
					  priority, handle);
			if (ret != -ENOENT)
				return ret;
		}
	}
	return -ENOENT;
}

int pashm_slab_alloc(struct slabs *slabs, uint32_t *class, size_t align,
		     uint32_t priority, struct pashm_handle *handle)
{
	struct arena *arena = arena_here(slabs);
	int ret, other;

	ret = arena_alloc(slabs, arena, *class, priority, handle);
	if (ret != -ENOENT)
		return ret;
	ret = slab_new(slabs, arena, *class, priority, handle);
	if (ret == -ENOSPC && pashm_slabs_trim(slabs))
		ret = slab_new(slabs, arena, *class, priority, handle);
	if (!ret)
		return 0;
	other = other_alloc(slabs, class, align, priority, handle);
	return other == -ENOENT ? ret : other;
}

int pashm_slab_free(struct slabs *slabs, struct pashm_handle handle)
{
	struct ended ended = { 0 };
	struct arena *arena;
	struct slab *slab;
	uint32_t slot;

	slab = object_lock(slabs, handle, &slot);
	if (!slab)
		return -ESTALE;
	arena = arena_of(slabs, slab);
	slot_give(slabs, arena, slab, slot, &ended);
	pthread_mutex_unlock(&arena->lock);
	ended_free(slabs, &ended);
	return 0;
}

int pashm_slab_retire(struct slabs *slabs, struct pashm_handle handle)
{
	struct ended ended = { 0 };
	struct arena *arena;
	struct slab *slab;
	uint32_t slot;
	int ret = -EBUSY;

	slab = object_lock(slabs, handle, &slot);
	if (!slab)
		return -ESTALE;
	arena = arena_of(slabs, slab);
	/* acquire: pairs with the end of making an object */
	if (!__atomic_load_n(&slab->making, __ATOMIC_ACQUIRE) &&
	    slab_end(slabs, arena, slab, &ended))
		ret = 0;
	pthread_mutex_unlock(&arena->lock);
	ended_free(slabs, &ended);
	return ret;
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

/* End an empty slab of a bin; what cannot end now is left */
static bool bin_trim(struct slabs *slabs, struct arena *arena, uint32_t number,
		     struct ended *ended)
{
	struct slab *slab;

	for (; number; number = slab->next) {
		slab = &slabs->table[number - 1];
		if (!slab->used)
			return slab_end(slabs, arena, slab, ended);
	}
	return false;
}

/* There is one empty slab in a bin, rarely more */
static bool arena_trim(struct slabs *slabs, struct arena *arena)
{
	struct ended ended;
	bool any = false;
	uint32_t i;

	for (i = 0; i < CLASSES_MAX * PRIORITIES; i++) {
		if (!__atomic_load_n(&arena->empty, __ATOMIC_RELAXED))
			break;
		ended = (struct ended){ 0 };
		pthread_mutex_lock(&arena->lock);
		any |= bin_trim(slabs, arena,
				arena->bins[i / PRIORITIES][i % PRIORITIES],
				&ended);
		pthread_mutex_unlock(&arena->lock);
		ended_free(slabs, &ended);
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
