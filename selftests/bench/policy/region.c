// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module and the library do around the choice of victims: the clock
 * that ticks with the volume purged, notes on pin and unpin, batches, and where
 * an object goes that is filled in again. The pin that a use holds is over
 * before the next one begins, so nothing that the hand meets is pinned.
 */
#include <stdio.h>
#include <stdlib.h>

#include <linux/pashm_pin.h>
#include "pashm.h"

/* Reclaim is asked for one of so many pages of the cache at a time */
unsigned int region_batch_share = 64;
/* PASHM_EPOCHS_PER_TURN, PASHM_FORGET_EVERY */
#define EPOCHS		16U
#define FORGET_EPOCHS	16U
/* Processes that use the region, each with notes of its own */
unsigned int region_clients = 1;
/* What pashm_cache remembers at least, as a multiple of what is in memory */
unsigned int region_ghosts = 4;

static void bit_set(uint64_t *bits, uint32_t at)
{
	bits[at / 64] |= 1ULL << at % 64;
}

static void bit_clear(uint64_t *bits, uint32_t at)
{
	bits[at / 64] &= ~(1ULL << at % 64);
}

static bool bit_test(const uint64_t *bits, uint32_t at)
{
	return bits[at / 64] >> at % 64 & 1;
}

/* The first bit at or after @from, or NONE */
static uint32_t bit_next(const uint64_t *bits, uint32_t from, uint32_t size)
{
	uint32_t at = from / 64, words = (size + 63) / 64;
	uint64_t word;

	if (from >= size)
		return REGION_NONE;
	word = bits[at] & ~0ULL << from % 64;
	while (!word)
		if (++at == words)
			return REGION_NONE;
		else
			word = bits[at];
	return at * 64 + (uint32_t)__builtin_ctzll(word);
}

static uint32_t largest(const struct trace *trace)
{
	uint32_t key, pages = 0;

	for (key = 0; key < trace->keys; key++)
		if (trace->pages[key] > pages)
			pages = trace->pages[key];
	return pages;
}

/* Where every object has a place of its own, they lie in order of their keys */
static void place_all(struct region *region)
{
	uint32_t key, head = 0;

	for (key = 0; key < region->trace->keys; key++) {
		region->home[key] = head;
		region->extents[head].key = key;
		region->extents[head].pages = region->trace->pages[key];
		bit_set(region->purged, head);
		head += region->trace->pages[key];
	}
}

void *region_create(const struct policy *policy, const struct trace *trace,
		    uint32_t capacity)
{
	struct region *region = must_calloc(1, sizeof(*region));
	uint32_t key;
	uint64_t sum = 0;

	region->rules = policy->rules;
	region->trace = trace;
	region->capacity = capacity;
	region->batch = capacity / region_batch_share ?
			capacity / region_batch_share : 1;
	region->clients = region_clients;
	region->epoch = pashm_epoch_next(0);
	for (key = 0; key < trace->keys; key++)
		sum += trace->pages[key];
	if (region->rules->placement == PLACEMENT_FIRST)
		sum = 4ULL * capacity + 2 * largest(trace);
	region->size = (uint32_t)sum;
	region->extents = must_calloc(sum, sizeof(*region->extents));
	region->resident = must_calloc(sum / 64 + 1, sizeof(uint64_t));
	region->purged = must_calloc(sum / 64 + 1, sizeof(uint64_t));
	region->home = must_calloc(trace->keys, sizeof(*region->home));
	pashm_runs_init(&region->free);
	if (region->rules->placement == PLACEMENT_HOME) {
		place_all(region);
		return region;
	}
	for (key = 0; key < trace->keys; key++)
		region->home[key] = REGION_NONE;
	if (region->rules->ghosts) {
		while (region->ghosts_mask < region_ghosts * capacity)
			region->ghosts_mask = 2 * region->ghosts_mask + 1;
		region->ghosts = must_calloc(region->ghosts_mask + 1ULL,
					     sizeof(*region->ghosts));
	}
	if (pashm_runs_reserve(&region->free, sum) ||
	    !pashm_runs_give(&region->free, 0, region->size))
		abort();
	return region;
}

void region_destroy(void *memory)
{
	struct region *region = memory;

	pashm_runs_clear(&region->free);
	free(region->extents);
	free(region->resident);
	free(region->purged);
	free(region->home);
	free(region->ghosts);
	free(region);
}

uint32_t region_hand(struct region *region)
{
	uint32_t head = bit_next(region->resident, region->hand, region->size);

	region->hand = 0;
	if (head == REGION_NONE)
		return head;
	region->hand = head + region->extents[head].pages;
	region->looked++;
	return head;
}

void region_notes(const struct region *region, uint32_t head,
		  struct pashm_use *use)
{
	const struct notes *notes = region->extents[head].notes;
	uint32_t i, age;

	*use = (struct pashm_use){
		.age = 255, .priority = PASHM_PRIORITY_DEFAULT,
	};
	for (i = 0; i < region->clients; i++, notes++) {
		/* A word that nobody has noted in */
		if (!notes->recency)
			continue;
		age = pashm_note_age(region->epoch, notes->recency);
		if (age < use->age)
			use->age = age;
		if (notes->frequency > use->frequency)
			use->frequency = notes->frequency;
	}
}

void region_purge(struct region *region, uint32_t head)
{
	uint32_t pages = region->extents[head].pages, turn;

	turn = region->pages / EPOCHS;
	bit_clear(region->resident, head);
	bit_set(region->purged, head);
	region->pages -= pages;
	region->gone++;
	region->taken++;
	region->volume += pages;
	if (region->volume < turn)
		return;
	region->volume = 0;
	region->epoch = pashm_epoch_next(region->epoch);
}

static struct ghost *ghost_at(const struct region *region, uint32_t key)
{
	uint32_t hash = key * 0x9e3779b1U;

	return &region->ghosts[(hash ^ hash >> 15) & region->ghosts_mask];
}

static void ghost_make(struct region *region, uint32_t head)
{
	uint32_t key = region->extents[head].key;
	struct ghost *ghost = ghost_at(region, key);
	struct pashm_use use;

	region_notes(region, head, &use);
	*ghost = (struct ghost){ .key = key + 1, .notes = {
		.recency = (uint8_t)(region->epoch - use.age),
		.frequency = (uint8_t)use.frequency,
	} };
}

static bool ghost_is_old(const struct region *region,
			 const struct notes *notes)
{
	return pashm_note_age(region->epoch, notes->recency) >=
	       PASHM_STEER_FORGET;
}

void region_forget(struct region *region)
{
	uint32_t head = 0, i;
	struct notes *notes;

	/*
	 * The module looks at some with each page that it takes. Here all are looked at
	 * now and then: it may forget later, and then does a little worse.
	 */
	if (region->epoch - region->forgotten < FORGET_EPOCHS)
		return;
	region->forgotten = region->epoch;
	for (i = 0; region->ghosts && i <= region->ghosts_mask; i++)
		if (ghost_is_old(region, &region->ghosts[i].notes))
			region->ghosts[i].key = 0;
	for (;; head++) {
		head = bit_next(region->purged, head, region->size);
		if (head == REGION_NONE)
			return;
		notes = region->extents[head].notes;
		for (i = 0; i < REGION_CLIENTS_MAX; i++)
			if (ghost_is_old(region, &notes[i]))
				notes[i] = (struct notes){ 0 };
	}
}

/* The library ends an extent: its pages can be used for another */
static void extent_free(struct region *region, uint32_t head)
{
	struct extent *extent = &region->extents[head];

	if (region->ghosts)
		ghost_make(region, head);
	bit_clear(region->purged, head);
	region->home[extent->key] = REGION_NONE;
	region->gone--;
	region->entries--;
	if (!pashm_runs_give(&region->free, head, extent->pages))
		abort();
	extent->pages = 0;
}

/* pashm_cache ends the extents of all entries that were purged */
static void library_search(struct region *region)
{
	uint32_t head = 0;

	region->searched = region->taken;
	while ((head = bit_next(region->purged, head, region->size)) !=
	       REGION_NONE)
		extent_free(region, head);
}

/*
 * It does so when about a quarter of all entries may have been purged, and when
 * the address space is full.
 */
static uint32_t library_place(struct region *region, uint32_t pages)
{
	uint32_t run, head;

	if (region->taken - region->searched > region->entries / 4)
		library_search(region);
	while (!pashm_runs_find(&region->free, pages, 1, 0, &run, &head)) {
		if (!region->gone) {
			/* In pieces: as cache_evict() */
			head = region_hand(region);
			if (head != REGION_NONE)
				region_purge(region, head);
		}
		library_search(region);
	}
	if (!pashm_runs_take(&region->free, head, pages))
		abort();
	return head;
}

/* pashm_note_use() */
static void note_use(const struct region *region, struct notes *notes)
{
	if (notes->recency == (uint8_t)region->epoch)
		return;
	notes->recency = (uint8_t)region->epoch;
	if (notes->frequency < PASHM_FREQUENCY_MAX)
		notes->frequency++;
}

static void fill(struct region *region, uint32_t key, struct notes *notes,
		 struct notes known)
{
	uint32_t pages = region->trace->pages[key], head;
	struct extent *extent;

	while (region->pages + pages > region->capacity)
		pashm_reclaim(region, region->batch);
	if (region->rules->placement == PLACEMENT_FIRST) {
		head = library_place(region, pages);
		region->home[key] = head;
		extent = &region->extents[head];
		*extent = (struct extent){ .key = key, .pages = pages };
		notes = extent->notes;
		*notes = known;
		region->entries++;
	} else {
		head = region->home[key];
		bit_clear(region->purged, head);
	}
	note_use(region, notes);
	bit_set(region->resident, head);
	region->pages += pages;
}

/*
 * An object is filled in again: what is known of it, from where it was or by its
 * ghost, and tell, as the fault does, which looks at the notes of all clients.
 */
static struct notes known_back(struct region *region, uint32_t key,
			       const struct notes *notes)
{
	struct pashm_use use;

	if (!notes && region->ghosts && ghost_at(region, key)->key == key + 1)
		notes = &ghost_at(region, key)->notes;
	if (!notes || !notes->recency)
		return (struct notes){ 0 };
	use.frequency = notes->frequency;
	use.age = pashm_note_age(region->epoch, notes->recency);
	if (region->home[key] != REGION_NONE)
		region_notes(region, region->home[key], &use);
	pashm_steer_back(&region->steer, &use, region->trace->pages[key]);
	return *notes;
}

bool region_use(void *memory, size_t at)
{
	struct region *region = memory;
	uint32_t key = region->trace->key[at], head = region->home[key];
	struct notes *notes = NULL, known;

	/* Which client's turn it is has nothing to do with the object */
	if (head != REGION_NONE)
		notes = &region->extents[head].notes
			[(at * 0x9e3779b97f4a7c15 >> 32) % region->clients];
	if (notes && bit_test(region->resident, head)) {
		note_use(region, notes);
		return true;
	}
	known = known_back(region, key, notes);
	if (region->trace->pages[key] > region->capacity)
		return false;
	if (region->rules->placement == PLACEMENT_FIRST &&
	    head != REGION_NONE) {
		extent_free(region, head);
		if (!region->ghosts)
			known = (struct notes){ 0 };
	}
	fill(region, key, notes, known);
	return false;
}
