/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Life spans of the classes of extents, steered by what comes back. Integers
 * only, and no more state than a listing can hold: it is to become kernel code.
 */
#ifndef POLICY_STEER_H
#define POLICY_STEER_H

#include <stdbool.h>
#include <stdint.h>

#define STEER_CLASSES	6U
#define STEER_SCORES	256U

/**
 * struct steer
 * @started:   there is a threshold
 * @threshold: extents of this score or a higher one go
 * @life:      of each class, the logarithm of its life span, relative to that
 *             of the longest
 * @cutoff:    the age at which this lap takes extents of a class
 * @passed:    pages that this lap has passed, by score
 * @taken:     of each class, pages purged lately
 * @back:      those that came back soon
 * @pages:     passed in the last lap
 */
struct steer {
	bool started;
	unsigned int threshold;
	int life[STEER_CLASSES];
	unsigned int cutoff[STEER_CLASSES];
	uint32_t passed[STEER_SCORES];
	uint64_t taken[STEER_CLASSES];
	uint64_t back[STEER_CLASSES];
	uint64_t pages;
};

void steer_init(struct steer *steer);

/* The hand passes an extent: is it to go? */
bool steer_pass(struct steer *steer, unsigned int class, unsigned int age,
		uint32_t pages);
void steer_taken(struct steer *steer, unsigned int class, uint32_t pages);

/* Pages of a class are filled in again, so many epochs after their last use */
void steer_back(struct steer *steer, unsigned int class, unsigned int age,
		uint32_t pages);

/* The hand has come round; the next lap is to take one page of @share */
void steer_lap(struct steer *steer, unsigned int share);

#endif /* POLICY_STEER_H */
