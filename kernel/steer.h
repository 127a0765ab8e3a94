/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long an extent may be unused before it goes: see steer.c. Nothing in here is of
 * the kernel alone, so that selftests/bench/policy runs the very same code.
 */
#ifndef PASHM_STEER_H
#define PASHM_STEER_H

#include <linux/pashm_pin.h>
#include <linux/types.h>

#define PASHM_STEER_CLASSES	(PASHM_FREQUENCY_MAX + 1)
/* Scores of a priority; those of the next lower one are above them */
#define PASHM_STEER_BAND	64U
#define PASHM_STEER_SCORES	((PASHM_PRIORITY_MAX + 1) * PASHM_STEER_BAND)
/* A lap is to free one of so many pages */
#define PASHM_STEER_SHARE	16U
/* Notes this old, in epochs, are cleared before their age wraps */
#define PASHM_STEER_FORGET	200U

/**
 * struct pashm_steer - the life spans of a listing's extents, and what they rest on
 * @started:   there is a threshold
 * @threshold: extents of this score or a higher one go; 0: all do
 * @life:      of each class, the logarithm of its life span relative to that of the
 *             longest
 * @cutoff:    the age at which extents of a class go now; at least 1
 * @passed:    pages that the hand has passed in this lap, by score
 * @taken:     of each class, pages taken lately, in 1/256
 * @back:      those that came back soon
 * @pages:     passed in the last lap
 *
 * All are hints. Reclaimers and faults read and write them at once, with neither a
 * lock nor atomic operations: what is lost is a count now and then.
 */
struct pashm_steer {
	bool started;
	unsigned int threshold;
	int life[PASHM_STEER_CLASSES];
	unsigned int cutoff[PASHM_STEER_CLASSES];
	unsigned int passed[PASHM_STEER_SCORES];
	unsigned long taken[PASHM_STEER_CLASSES];
	unsigned long back[PASHM_STEER_CLASSES];
	unsigned long pages;
};

/**
 * struct pashm_use - what is known of the use of an extent
 * @frequency: epochs that it was used in, as far as that is noted: its class
 * @age:       epochs since it was used last
 * @priority:  PASHM_STATE_PRIORITY of its state word
 */
struct pashm_use {
	unsigned int frequency;
	unsigned int age;
	unsigned int priority;
};

void pashm_steer_init(struct pashm_steer *steer);
unsigned int pashm_steer_score(const struct pashm_steer *steer,
			       const struct pashm_use *use);
void pashm_steer_pass(struct pashm_steer *steer, unsigned int score,
		      unsigned long pages);
void pashm_steer_taken(struct pashm_steer *steer, unsigned int frequency,
		       unsigned long pages);
void pashm_steer_back(struct pashm_steer *steer, const struct pashm_use *use,
		      unsigned long pages);
void pashm_steer_lap(struct pashm_steer *steer);

#endif /* PASHM_STEER_H */
