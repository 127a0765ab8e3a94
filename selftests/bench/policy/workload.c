// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traces that are made: each stands for one habit of programs that is known to
 * be hard for some policy.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "trace.h"

#define OBJECTS	40000U
#define USES	400000U

/* below[r]: the probability of a rank up to r */
static double *zipf_new(uint32_t count, double exponent)
{
	double *below = must_calloc(count, sizeof(*below));
	double sum = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		sum += pow(i + 1, -exponent);
		below[i] = sum;
	}
	for (i = 0; i < count; i++)
		below[i] /= sum;
	return below;
}

static uint32_t zipf_rank(const double *below, uint32_t count, uint64_t *seed)
{
	double u = random_unit(seed);
	uint32_t low = 0, high = count - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (below[middle] < u)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Which object is of which rank: else neighbours would be alike */
static uint32_t *shuffled(uint32_t count, uint64_t *seed)
{
	uint32_t *order = must_calloc(count, sizeof(*order));
	uint32_t i, other, swap;

	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i; i--) {
		other = random_below(seed, i + 1);
		swap = order[i];
		order[i] = order[other];
		order[other] = swap;
	}
	return order;
}

/*
 * Zipf; with @scan, after each @period uses so many objects are used once that
 * were never used before and never will be again.
 */
static struct trace *make_zipf(const struct workload *w)
{
	uint32_t cycle = w->scan ? w->period + w->scan : USES;
	uint32_t scanned = USES / cycle * w->scan, next = OBJECTS;
	struct trace *trace = trace_new(w->name, USES, OBJECTS + scanned +
					w->scan);
	uint64_t seed = 1;
	double *below = zipf_new(OBJECTS, w->exponent);
	uint32_t *order = shuffled(OBJECTS, &seed);
	size_t i;

	for (i = 0; i < USES; i++)
		if (w->scan && i % cycle >= w->period)
			trace->key[i] = next++;
		else
			trace->key[i] = order[zipf_rank(below, OBJECTS, &seed)];
	trace->footprint = OBJECTS;
	free(below);
	free(order);
	return trace;
}

/* The scans go over the same objects: a table is read through */
static struct trace *make_rescan(const struct workload *w)
{
	struct trace *trace = trace_new(w->name, USES, OBJECTS);
	uint32_t next = 0;
	uint64_t seed = 2;
	double *below = zipf_new(OBJECTS, w->exponent);
	uint32_t *order = shuffled(OBJECTS, &seed);
	size_t i;

	for (i = 0; i < USES; i++)
		if (i % (w->period + w->scan) >= w->period)
			trace->key[i] = next++ % OBJECTS;
		else
			trace->key[i] = order[zipf_rank(below, OBJECTS, &seed)];
	free(below);
	free(order);
	return trace;
}

/* Over and over, a little more than fits; for each cache size in its turn */
static struct trace *make_loop(const struct workload *w)
{
	struct trace *trace = trace_new(w->name, USES, OBJECTS);
	uint32_t part, at[4] = { 0 };
	/* Each a tenth more than one of the cache sizes */
	static const uint32_t share[4] = { 100, 20, 10, 4 };
	uint32_t start[4], length[4], i;
	size_t use;

	for (i = 0; i < 4; i++) {
		start[i] = i ? start[i - 1] + length[i - 1] : 0;
		length[i] = OBJECTS / share[i] + OBJECTS / share[i] / 10;
	}
	for (use = 0; use < USES; use++) {
		part = (uint32_t)(use / (USES / 4));
		trace->key[use] = start[part] + at[part]++ % length[part];
	}
	return trace;
}

/* Every @period uses, a quarter of the ranks goes to other objects */
static struct trace *make_shift(const struct workload *w)
{
	struct trace *trace = trace_new(w->name, USES, OBJECTS);
	uint64_t seed = 3;
	double *below = zipf_new(OBJECTS, w->exponent);
	uint32_t *order = shuffled(OBJECTS, &seed), moves, a, b, swap;
	size_t i;

	for (i = 0; i < USES; i++) {
		for (moves = i % w->period ? 0 : OBJECTS / 4; moves; moves--) {
			a = zipf_rank(below, OBJECTS, &seed);
			b = random_below(&seed, OBJECTS);
			swap = order[a];
			order[a] = order[b];
			order[b] = swap;
		}
		trace->key[i] = order[zipf_rank(below, OBJECTS, &seed)];
	}
	free(below);
	free(order);
	return trace;
}

/* Popularity wanders: every @period uses the ranks move on by one object */
static struct trace *make_drift(const struct workload *w)
{
	struct trace *trace = trace_new(w->name, USES, OBJECTS);
	uint64_t seed = 4;
	double *below = zipf_new(OBJECTS, w->exponent);
	uint32_t *order = shuffled(OBJECTS, &seed);
	size_t i;

	for (i = 0; i < USES; i++)
		trace->key[i] = order[(zipf_rank(below, OBJECTS, &seed) +
				       i / w->period) % OBJECTS];
	free(below);
	free(order);
	return trace;
}

/*
 * Locality in time: the next use is of the object that was used so many others
 * ago, the distance being drawn: half of all within 1/64 of the objects, and so
 * on. What LRU is made for.
 */
static struct trace *make_stack(const struct workload *w)
{
	struct trace *trace = trace_new(w->name, USES, OBJECTS);
	uint32_t *stack = must_calloc(OBJECTS, sizeof(*stack));
	uint64_t seed = 5;
	uint32_t depth, key, i;
	size_t use;

	for (i = 0; i < OBJECTS; i++)
		stack[i] = i;
	for (use = 0; use < USES; use++) {
		depth = (uint32_t)(pow(random_unit(&seed), w->exponent) *
				   OBJECTS);
		key = stack[depth];
		memmove(stack + 1, stack, depth * sizeof(*stack));
		stack[0] = key;
		trace->key[use] = key;
	}
	free(stack);
	return trace;
}

/* Zipf over objects of 1 to 64 pages, small ones more often */
static struct trace *make_sizes(const struct workload *w)
{
	struct trace *trace = make_zipf(w);
	uint64_t seed = 6;
	uint32_t i;

	trace->footprint = 0;
	for (i = 0; i < trace->keys; i++) {
		trace->pages[i] = 1U << (uint32_t)
				  (7 * pow(random_unit(&seed), 2));
		trace->footprint += i < OBJECTS ? trace->pages[i] : 0;
	}
	return trace;
}

/* One program after the other: each a loop, a scan, or Zipf, for a while */
static struct trace *make_phases(const struct workload *w)
{
	struct trace *trace = trace_new(w->name, USES, OBJECTS);
	uint64_t seed = 7;
	double *below = zipf_new(OBJECTS / 4, w->exponent);
	uint32_t kind = 0, start = 0, length = 1, next = 0;
	size_t i;

	for (i = 0; i < USES; i++) {
		if (i % w->period == 0) {
			kind = random_below(&seed, 3);
			start = random_below(&seed, OBJECTS);
			length = 200 + random_below(&seed, OBJECTS / 8);
		}
		if (kind == 0)
			next = next % length + 1;
		else if (kind == 1)
			next = next % (8 * length) + 1;
		else
			next = zipf_rank(below, OBJECTS / 4, &seed);
		trace->key[i] = (start + next) % OBJECTS;
	}
	free(below);
	return trace;
}

#define WORKLOAD(kind, heading, text, maker, ...) \
	{ heading, text, TRACE_##kind, make_##maker, __VA_ARGS__ }

const struct workload workloads[] = {
	WORKLOAD(ZIPF, "zipf-0.7", "Zipf", zipf, 0.7, 0, 0),
	WORKLOAD(ZIPF, "zipf-0.9", "Zipf", zipf, 0.9, 0, 0),
	WORKLOAD(ZIPF, "zipf-1.0", "Zipf", zipf, 1.0, 0, 0),
	WORKLOAD(ZIPF, "zipf-1.2", "Zipf", zipf, 1.2, 0, 0),
	WORKLOAD(ZIPF, "sizes-0.9", "Zipf, objects of 1 to 64 pages", sizes,
		 0.9, 0, 0),
	WORKLOAD(SCAN, "scan-0.9-400", "Zipf, often scans of 1 %: new objects",
		 zipf, 0.9, 400, 1600),
	WORKLOAD(SCAN, "scan-0.9-4000", "Zipf, at times scans of 10 %", zipf,
		 0.9, 4000, 12000),
	WORKLOAD(SCAN, "scan-0.9-20000", "Zipf, rarely scans of 50 %", zipf,
		 0.9, 20000, 40000),
	WORKLOAD(SCAN, "scan-1.0-4000", "Zipf, at times scans of 10 %", zipf,
		 1.0, 4000, 12000),
	WORKLOAD(SCAN, "sizes-scan-0.9", "the same, objects of 1 to 64 pages",
		 sizes, 0.9, 4000, 12000),
	WORKLOAD(SCAN, "rescan-0.9", "Zipf, scans of the same objects", rescan,
		 0.9, 8000, 24000),
	WORKLOAD(OTHER, "loop", "loops, 10 % larger than each of the caches",
		 loop, 0, 0, 0),
	WORKLOAD(OTHER, "shift-0.9", "Zipf, popularity changes abruptly", shift,
		 0.9, 0, 50000),
	WORKLOAD(OTHER, "drift-0.9", "Zipf, popularity wanders slowly", drift,
		 0.9, 0, 40),
	WORKLOAD(OTHER, "drift-1.0-fast", "Zipf, popularity wanders fast",
		 drift, 1.0, 0, 4),
	WORKLOAD(OTHER, "stack-4", "stack distances: locality in time", stack,
		 4, 0, 0),
	WORKLOAD(OTHER, "stack-8", "stack distances: more so", stack, 8, 0, 0),
	WORKLOAD(OTHER, "phases", "loops, scans and Zipf by turns", phases,
		 0.9, 0, 20000),
};

const size_t workloads_count = sizeof(workloads) / sizeof(workloads[0]);

struct trace *workload_make(const struct workload *workload)
{
	struct trace *trace = workload->make(workload);

	trace->kind = workload->kind;
	return trace;
}
