// SPDX-License-Identifier: GPL-2.0-only
/* Logarithms are to base 2, in units of 1/64 */
#include <string.h>

#include "steer.h"

#define LOG_ONE		64
/* Scores are coarser: 1/16 of a power of two */
#define LOG_SCORE	2
/* At first each class may live 1.4 times as long as the one below it */
#define LIFE_STEP	(LOG_ONE / 2)
/* No class lives less than 1/128 of the longest */
#define LIFE_LEAST	(-7 * LOG_ONE)
/* The difference in how many come back moves a span by a part, but not far */
#define GAIN_SHARE	4
#define GAIN_MOST	(LOG_ONE / 2)
/* An age that would soon wrap goes in any case */
#define AGE_LAST	230U
/* What was counted loses 1/32 with each lap */
#define FADE_SHIFT	5
/* Counts are in 1/256 page */
#define COUNT_SHIFT	8

/* 64 * log2(@value), good to 6 of 64; of 0 as of 1 */
static int log_of(uint64_t value)
{
	int power;

	if (!value)
		return 0;
	power = 63 - __builtin_clzll(value);
	/* The six bits below the highest */
	value = power > 6 ? value >> (power - 6) : value << (6 - power);
	return power * LOG_ONE + (int)(value & (LOG_ONE - 1));
}

/* An epoch is not over when it is noted: half a one is added to each age */
static unsigned int score(const struct steer *steer, unsigned int class,
			  unsigned int age)
{
	int value = log_of(2 * age + 1) - steer->life[class];

	if (age >= AGE_LAST || value >> LOG_SCORE >= (int)STEER_SCORES)
		return STEER_SCORES - 1;
	return (unsigned int)value >> LOG_SCORE;
}

static unsigned int class_of(unsigned int class)
{
	return class < STEER_CLASSES ? class : STEER_CLASSES - 1;
}

void steer_init(struct steer *steer)
{
	unsigned int class;

	memset(steer, 0, sizeof(*steer));
	steer->started = true;
	steer->threshold = STEER_SCORES;
	for (class = 0; class < STEER_CLASSES; class++) {
		steer->life[class] = ((int)class - (int)STEER_CLASSES + 1) *
				     LIFE_STEP;
		steer->cutoff[class] = 1;
	}
}

bool steer_pass(struct steer *steer, unsigned int class, unsigned int age,
		uint32_t pages)
{
	unsigned int value = score(steer, class_of(class), age);

	steer->passed[value] += pages;
	return value >= steer->threshold;
}

void steer_taken(struct steer *steer, unsigned int class, uint32_t pages)
{
	steer->taken[class_of(class)] += (uint64_t)pages << COUNT_SHIFT;
}

void steer_back(struct steer *steer, unsigned int class, unsigned int age,
		uint32_t pages)
{
	class = class_of(class);
	if (steer->started && age <= 2 * steer->cutoff[class])
		steer->back[class] += (uint64_t)pages << COUNT_SHIFT;
}

/*
 * Pages of a class that come back for each epoch of its life span. Of today's
 * span, though they came back at yesterday's: else this would swing.
 */
static uint64_t back_rate(const struct steer *steer, unsigned int class)
{
	return steer->back[class] / steer->cutoff[class];
}

/*
 * How much more of the class comes back soon than of all. As long as little
 * of it was taken, it is assumed to be like the rest: as if a third of all
 * pages in memory had been taken, and as many of them had come back.
 */
static int gain(const struct steer *steer, unsigned int class, uint64_t taken,
		uint64_t back)
{
	uint64_t assumed = (steer->pages << COUNT_SHIFT) / 3;
	int difference;

	difference = log_of(back_rate(steer, class) * taken + assumed * back) -
		     log_of((steer->taken[class] + assumed) * back);
	difference /= GAIN_SHARE;
	if (difference > GAIN_MOST)
		return GAIN_MOST;
	return difference < -GAIN_MOST ? -GAIN_MOST : difference;
}

static void steer_spans(struct steer *steer)
{
	uint64_t taken = 0, back = 0;
	unsigned int class;
	int longest = LIFE_LEAST * 2;

	for (class = 0; class < STEER_CLASSES; class++) {
		taken += steer->taken[class];
		back += back_rate(steer, class);
	}
	if (!taken || !back)
		return;
	for (class = 0; class < STEER_CLASSES; class++) {
		steer->life[class] += gain(steer, class, taken, back);
		if (steer->life[class] > longest)
			longest = steer->life[class];
	}
	for (class = 0; class < STEER_CLASSES; class++) {
		steer->life[class] -= longest;
		if (steer->life[class] < LIFE_LEAST)
			steer->life[class] = LIFE_LEAST;
		steer->taken[class] -= steer->taken[class] >> FADE_SHIFT;
		steer->back[class] -= steer->back[class] >> FADE_SHIFT;
	}
}

/* The highest threshold that one page of @share reaches */
static void threshold_set(struct steer *steer, unsigned int share)
{
	uint64_t wanted, sum = 0;
	unsigned int i;

	steer->pages = 0;
	for (i = 0; i < STEER_SCORES; i++)
		steer->pages += steer->passed[i];
	wanted = steer->pages / share + 1;
	for (i = STEER_SCORES; i-- > 1; ) {
		sum += steer->passed[i];
		if (sum >= wanted)
			break;
	}
	steer->threshold = i;
	memset(steer->passed, 0, sizeof(steer->passed));
}

void steer_lap(struct steer *steer, unsigned int share)
{
	unsigned int class, age;

	threshold_set(steer, share);
	steer_spans(steer);
	for (class = 0; class < STEER_CLASSES; class++) {
		age = 1;
		while (score(steer, class, age) < steer->threshold)
			age++;
		steer->cutoff[class] = age;
	}
}
