/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A region of pashm as its reclaim sees it: extents by index, some of them in
 * memory, notes in the pin words of the clients, and a clock hand.
 */
#ifndef POLICY_REGION_H
#define POLICY_REGION_H

#include "../../../lib/runs.h"
#include "policy.h"
#include "../../../kernel/steer.h"

#define REGION_CLIENTS_MAX	4U
#define REGION_NONE		UINT32_MAX

/**
 * enum placement - where an object is filled in again
 * @PLACEMENT_HOME:  where it was: the extent is kept, purged or not
 * @PLACEMENT_FIRST: in the first free pages that fit: pashm_cache
 */
enum placement { PLACEMENT_HOME, PLACEMENT_FIRST };

/**
 * struct notes - the two bytes in a client's pin word
 */
struct notes {
	uint8_t recency;
	uint8_t frequency;
};

/**
 * struct rules - what one use of a region does
 * @placement: where an object goes that is filled in again
 * @ghosts:    epochs since the last use after which the notes of what was purged are
 *             forgotten; 0: none are kept where objects move
 */
struct rules {
	enum placement placement;
	unsigned int ghosts;
};

/**
 * struct extent
 * @key:   the object that is in it
 * @pages: its size; 0: no extent starts here
 * @notes: of each client
 */
struct extent {
	uint32_t key;
	uint32_t pages;
	struct notes notes[REGION_CLIENTS_MAX];
};

/**
 * struct ghost - what pashm_cache remembers of an object that it has not got
 * @key:   the object, plus 1; a real one would keep a few bits of its hash
 * @notes: of all clients, when its extent was ended
 */
struct ghost {
	uint32_t key;
	struct notes notes;
};

/**
 * struct region
 * @extents:  by index
 * @size:     indexes
 * @resident: a bit for each index: a head of an extent that is in memory
 * @purged:   the same of extents that are not
 * @home:     of each object, its index or REGION_NONE
 * @free:     indexes that are in no extent
 * @ghosts:   by the hash of their keys; a new one overwrites an old one
 * @ghosts_mask: their number less 1
 * @pages:    in memory
 * @entries:  extents, @gone of which are purged
 * @looked:   extents looked at by the hand, in all
 * @taken:    extents purged, in all
 * @searched: @taken when the library last looked for purged entries
 * @volume:   pages purged since the epoch has changed
 * @forgotten: epoch in which old notes were last cleared
 * @epoch:    as in the region's header
 * @hand:     next index to look at
 */
struct region {
	const struct rules *rules;
	const struct trace *trace;
	uint32_t capacity;
	uint32_t batch;
	uint32_t clients;
	struct extent *extents;
	uint32_t size;
	uint64_t *resident;
	uint64_t *purged;
	uint32_t *home;
	struct runs free;
	struct ghost *ghosts;
	uint32_t ghosts_mask;
	uint32_t pages;
	uint32_t entries;
	uint32_t gone;
	uint64_t looked;
	uint64_t taken;
	uint64_t searched;
	uint32_t volume;
	uint32_t forgotten;
	uint32_t epoch;
	uint32_t hand;

	struct pashm_steer steer;
};

/* Set from the command line, for all regions */
extern unsigned int region_batch_share;
extern unsigned int region_clients;
extern unsigned int region_ghosts;

void *region_create(const struct policy *policy, const struct trace *trace,
		    uint32_t capacity);
bool region_use(void *memory, size_t at);
void region_destroy(void *memory);

/* The next extent in memory, the hand moves past it; NONE: it came round */
uint32_t region_hand(struct region *region);

/* All clients' notes combined, as pashm_clients_notes() does */
void region_notes(const struct region *region, uint32_t head,
		  struct pashm_use *use);

void region_purge(struct region *region, uint32_t head);

/* Clear the notes of purged extents whose age would wrap before long */
void region_forget(struct region *region);

#endif /* POLICY_REGION_H */
