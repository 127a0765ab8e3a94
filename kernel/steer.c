// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which extents are worth keeping: life spans that are steered by what comes back.
 *
 * An extent's class is the number of epochs that it was used in, up to 6. A class has a
 * life span: how long its extents may be unused. Long spans for the high classes are
 * right where popularity lasts, equal ones (that is LRU) where it does not, so they
 * are learned. What is filled in again soon after it was taken tells that a little more
 * time would have saved it. Time should be given where a page of memory saves most: the
 * spans are steered until of each class the same part comes back soon.
 *
 * An extent's score is its age over its life span, as a logarithm; that of any lower
 * priority is higher. The hand counts the scores that it passes; when it has come
 * round, the threshold is set so that in the next lap one of PASHM_STEER_SHARE pages
 * goes: those with the highest scores. The clock ticks about once in such a lap.
 *
 * Logarithms are to base 2, in units of 1/64. Integers only; every loop is bounded.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/pashm_pin.h>

#include "steer.h"

#define PASHM_LOG_ONE		64
#define PASHM_LOG_BITS		6
/* Scores are coarser: 1/4 of a power of two */
#define PASHM_LOG_SCORE		4
/* At first each class may live 1.4 times as long as the one below it */
#define PASHM_LIFE_STEP		(PASHM_LOG_ONE / 2)
/* No class lives less than 1/128 of the longest */
#define PASHM_LIFE_LEAST	(-7 * PASHM_LOG_ONE)
/* The difference in how many come back moves a span by a part, but not far */
#define PASHM_GAIN_SHARE	4
#define PASHM_GAIN_MOST		(PASHM_LOG_ONE / 2)
/* An age that would soon wrap is the last to be told from others */
#define PASHM_AGE_LAST		230U
/* What was counted loses 1/32 with each lap */
#define PASHM_FADE_SHIFT	5
#define PASHM_COUNT_SHIFT	8
/* Bits of a factor, so that the sum of two products fits */
#define PASHM_FACTOR_BITS	31

/* 64 * log2(@value), good to 6 of 64; of 0 as of 1 */
static int pashm_log(unsigned long value)
{
	int power = fls64(value) - 1;

	if (power < 0)
		return 0;
	/* The bits below the highest */
	value = power > PASHM_LOG_BITS ? value >> (power - PASHM_LOG_BITS) :
					 value << (PASHM_LOG_BITS - power);
	return power * PASHM_LOG_ONE + (int)(value & (PASHM_LOG_ONE - 1));
}

static unsigned int pashm_class(unsigned int frequency)
{
	return min(frequency, PASHM_STEER_CLASSES - 1);
}

static void pashm_hint_add(unsigned long *hint, unsigned long value)
{
	WRITE_ONCE(*hint, READ_ONCE(*hint) + value);
}

void pashm_steer_init(struct pashm_steer *steer)
{
	int class;

	*steer = (struct pashm_steer){};
	for (class = 0; class < (int)PASHM_STEER_CLASSES; class++) {
		steer->life[class] = PASHM_LIFE_STEP *
				     (class + 1 - (int)PASHM_STEER_CLASSES);
		steer->cutoff[class] = 1;
	}
}

/* An epoch is not over when it is noted: half a one is added to each age */
unsigned int pashm_steer_score(const struct pashm_steer *steer,
			       const struct pashm_use *use)
{
	unsigned int band = (PASHM_PRIORITY_MAX - use->priority) *
			    PASHM_STEER_BAND;
	int life = READ_ONCE(steer->life[pashm_class(use->frequency)]);
	int score = (pashm_log(2 * use->age + 1) - life) >> PASHM_LOG_SCORE;

	if (use->age >= PASHM_AGE_LAST)
		score = PASHM_STEER_BAND - 1;
	return band + (unsigned int)clamp(score, 0, (int)PASHM_STEER_BAND - 1);
}

/* The hand has passed an extent that could be taken */
void pashm_steer_pass(struct pashm_steer *steer, unsigned int score,
		      unsigned long pages)
{
	unsigned int *passed = &steer->passed[score];

	WRITE_ONCE(*passed, READ_ONCE(*passed) + (unsigned int)pages);
}

void pashm_steer_taken(struct pashm_steer *steer, unsigned int frequency,
		       unsigned long pages)
{
	pashm_hint_add(&steer->taken[pashm_class(frequency)],
		       pages << PASHM_COUNT_SHIFT);
}

/* An extent is filled in again; @use is what was noted before */
void pashm_steer_back(struct pashm_steer *steer, const struct pashm_use *use,
		      unsigned long pages)
{
	unsigned int class = pashm_class(use->frequency);

	if (READ_ONCE(steer->started) &&
	    use->age <= 2 * READ_ONCE(steer->cutoff[class]))
		pashm_hint_add(&steer->back[class], pages << PASHM_COUNT_SHIFT);
}

/**
 * struct pashm_steered - a consistent copy of what the spans are steered by
 * @taken:     of each class
 * @rate:      of each class, pages that come back for each epoch of its life span
 * @all_taken: sum of @taken
 * @all_rate:  sum of @rate
 * @assumed:   what is taken of a class by assumption
 */
struct pashm_steered {
	unsigned long taken[PASHM_STEER_CLASSES];
	unsigned long rate[PASHM_STEER_CLASSES];
	unsigned long all_taken;
	unsigned long all_rate;
	unsigned long assumed;
};

/*
 * The rate is for today's span, though pages came back at yesterday's: else this
 * would swing. As long as little of a class was taken, it is assumed to be like the
 * rest: as if a third of all pages had been taken, and as many had come back.
 */
static void pashm_steered_read(const struct pashm_steer *steer,
			       struct pashm_steered *read)
{
	unsigned int class, taken_shift, rate_shift;

	read->assumed = (READ_ONCE(steer->pages) << PASHM_COUNT_SHIFT) / 3;
	read->all_taken = 0;
	read->all_rate = 0;
	for (class = 0; class < PASHM_STEER_CLASSES; class++) {
		read->taken[class] = READ_ONCE(steer->taken[class]);
		read->rate[class] = READ_ONCE(steer->back[class]) /
				    READ_ONCE(steer->cutoff[class]);
		read->all_taken += read->taken[class];
		read->all_rate += read->rate[class];
	}
	taken_shift = fls64(read->all_taken + read->assumed);
	rate_shift = fls64(read->all_rate);
	taken_shift -= min_t(unsigned int, taken_shift, PASHM_FACTOR_BITS);
	rate_shift -= min_t(unsigned int, rate_shift, PASHM_FACTOR_BITS);
	for (class = 0; class < PASHM_STEER_CLASSES; class++) {
		read->taken[class] >>= taken_shift;
		read->rate[class] >>= rate_shift;
	}
	read->all_taken >>= taken_shift;
	read->assumed >>= taken_shift;
	read->all_rate >>= rate_shift;
}

/* How much more of the class comes back soon than of all */
static int pashm_gain(const struct pashm_steered *read, unsigned int class)
{
	int gain = pashm_log(read->rate[class] * read->all_taken +
			     read->all_rate * read->assumed) -
		   pashm_log(read->all_rate *
			     (read->taken[class] + read->assumed));

	return clamp(gain / PASHM_GAIN_SHARE, -PASHM_GAIN_MOST,
		     PASHM_GAIN_MOST);
}

static void pashm_steer_spans(struct pashm_steer *steer)
{
	int life[PASHM_STEER_CLASSES], longest = 2 * PASHM_LIFE_LEAST;
	struct pashm_steered read;
	unsigned int class;

	pashm_steered_read(steer, &read);
	if (!read.all_taken || !read.all_rate)
		return;
	for (class = 0; class < PASHM_STEER_CLASSES; class++) {
		life[class] = READ_ONCE(steer->life[class]) +
			      pashm_gain(&read, class);
		longest = max(longest, life[class]);
	}
	for (class = 0; class < PASHM_STEER_CLASSES; class++) {
		unsigned long *taken = &steer->taken[class];
		unsigned long *back = &steer->back[class];

		WRITE_ONCE(steer->life[class],
			   max(life[class] - longest, PASHM_LIFE_LEAST));
		WRITE_ONCE(*taken, READ_ONCE(*taken) -
				   (READ_ONCE(*taken) >> PASHM_FADE_SHIFT));
		WRITE_ONCE(*back, READ_ONCE(*back) -
				  (READ_ONCE(*back) >> PASHM_FADE_SHIFT));
	}
}

/* The highest threshold that a share of @pages, which were passed, reaches; or 0 */
static unsigned int pashm_steer_threshold(struct pashm_steer *steer,
					  unsigned long pages)
{
	unsigned long sum = 0;
	unsigned int score, i;

	for (score = PASHM_STEER_SCORES - 1; score; score--) {
		sum += READ_ONCE(steer->passed[score]);
		if (sum > pages / PASHM_STEER_SHARE)
			break;
	}
	for (i = 0; i < PASHM_STEER_SCORES; i++)
		WRITE_ONCE(steer->passed[i], 0);
	return score;
}

/* At which age extents of each class go, of the priority that is being taken */
static void pashm_steer_cutoffs(struct pashm_steer *steer,
				unsigned int threshold)
{
	struct pashm_use use = {
		.priority = PASHM_PRIORITY_MAX - threshold / PASHM_STEER_BAND,
	};

	for (use.frequency = 0; use.frequency < PASHM_STEER_CLASSES;
	     use.frequency++) {
		for (use.age = 1; use.age < PASHM_AGE_LAST; use.age++)
			if (pashm_steer_score(steer, &use) >= threshold)
				break;
		WRITE_ONCE(steer->cutoff[use.frequency], use.age);
	}
}

/* The hand has come round. Of a lap that has passed nothing, nothing is learned */
void pashm_steer_lap(struct pashm_steer *steer)
{
	unsigned int threshold = 0, i;
	unsigned long pages = 0;

	for (i = 0; i < PASHM_STEER_SCORES; i++)
		pages += READ_ONCE(steer->passed[i]);
	if (pages) {
		WRITE_ONCE(steer->pages, pages);
		threshold = pashm_steer_threshold(steer, pages);
		pashm_steer_spans(steer);
		pashm_steer_cutoffs(steer, threshold);
	}
	WRITE_ONCE(steer->threshold, threshold);
	WRITE_ONCE(steer->started, true);
}
