// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module should do: life spans that are steered.
 *
 * An extent is of a class: the number of epochs that it was used in, up to 5.
 * Its life span is how long it may be unused before it goes. Long spans for the
 * high classes are right where popularity lasts, equal ones (that is LRU) where
 * it does not; so they are learned. What is filled in again soon after it was
 * purged tells that a little more time would have saved it. Time should be given
 * where a page of memory saves most: the spans are steered until of each class
 * the same share comes back soon.
 *
 *   client, pin:   raises the frequency note if the epoch has moved since its
 *                  own last unpin, that is at most once an epoch. The note
 *                  outlives the purge, as does the recency note.
 *   client, unpin: notes the epoch, as ever.
 *   library:       where an object is made anew in another extent, hands the
 *                  notes of the old one on. It remembers them by the key's hash,
 *                  in 4 bytes an object, when it ends a purged entry.
 *   fault:         the first page of an extent is filled in: its notes still
 *                  tell the class, and when it was last used. Count it as back
 *                  if that was less than two life spans ago.
 *   hand:          counts scores; takes those that are not below the threshold;
 *                  forgets notes of purged extents before their age would wrap.
 *   lap:           sets the threshold so that the next one frees one page of
 *                  SHARE, and steers the spans.
 *
 * All logarithms are in 1/64 of a power of two.
 */
#include "pashm.h"
#include "steer.h"

static unsigned int new_pinned(unsigned int frequency, unsigned int age)
{
	return age && frequency < STEER_CLASSES - 1 ? frequency + 1 : frequency;
}

static unsigned int new_filled(unsigned int frequency, unsigned int age)
{
	(void)age;
	return frequency < STEER_CLASSES - 1 ? frequency + 1 : frequency;
}

static void new_back(struct region *region, unsigned int frequency,
		     unsigned int age, uint32_t pages)
{
	steer_back(&region->steer, frequency, age, pages);
}

/* Only counts, so that a threshold is there before anything is taken */
static void first_lap(struct region *region)
{
	unsigned int frequency, age;
	uint32_t head;

	steer_init(&region->steer);
	region->hand = 0;
	while ((head = region_hand(region)) != REGION_NONE) {
		region_notes(region, head, &frequency, &age);
		steer_pass(&region->steer, frequency, age,
			   region->extents[head].pages);
	}
	steer_lap(&region->steer, region->rules->share);
}

static void new_reclaim(struct region *region, uint32_t asked)
{
	struct steer *steer = &region->steer;
	unsigned int frequency, age;
	uint32_t freed = 0, head, pages;

	if (!steer->started)
		first_lap(region);
	while (freed < asked) {
		head = region_hand(region);
		if (head == REGION_NONE) {
			region_forget(region);
			steer_lap(steer, region->rules->share);
			continue;
		}
		region_notes(region, head, &frequency, &age);
		pages = region->extents[head].pages;
		if (!steer_pass(steer, frequency, age, pages))
			continue;
		region_purge(region, head);
		steer_taken(steer, frequency, pages);
		freed += pages;
	}
}

#define NEW(where) {				\
	.placement = where,			\
	.pinned = new_pinned,			\
	.filled = new_filled,			\
	.back = new_back,			\
	.reclaim = new_reclaim,			\
	.epochs = 16,				\
	.ghosts = 200,				\
	.share = 16,				\
}

static const struct rules new_home = NEW(PLACEMENT_HOME);
static const struct rules new_first = NEW(PLACEMENT_FIRST);

const struct policy policy_new_home =
	PASHM_POLICY("new/home", "steered life spans, objects keep their index",
		     &new_home);
const struct policy policy_new_first =
	PASHM_POLICY("new/first", "the same, objects move to free indexes",
		     &new_first);
