/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trace: which objects a program uses, one after the other, and their sizes.
 */
#ifndef POLICY_TRACE_H
#define POLICY_TRACE_H

#include <stddef.h>
#include <stdint.h>

/**
 * enum trace_kind - which targets count
 * @TRACE_OTHER: not to be worse than true LRU
 * @TRACE_ZIPF:  that, and near S3-FIFO and SIEVE
 * @TRACE_SCAN:  that, and clearly better than true LRU
 */
enum trace_kind { TRACE_OTHER, TRACE_ZIPF, TRACE_SCAN };

/**
 * struct trace
 * @name:      what the table calls it
 * @kind:      which targets count
 * @key:       the object of each use: 0..@keys-1
 * @length:    number of uses
 * @pages:     size of each object
 * @keys:      number of objects
 * @footprint: pages that cache sizes are a share of: all that is used, but
 *             without what is used by scans only
 */
struct trace {
	char name[32];
	enum trace_kind kind;
	uint32_t *key;
	size_t length;
	uint32_t *pages;
	uint32_t keys;
	uint64_t footprint;
};

/* calloc() that ends the program when there is no memory */
void *must_calloc(size_t count, size_t size);

/* With room for @length uses of @keys objects of one page each */
struct trace *trace_new(const char *name, size_t length, uint32_t keys);
void trace_free(struct trace *trace);

/*
 * From a text file of one use a line: a key, which may be any word, and its
 * size in pages if that is not 1. Ends the program if it cannot be read.
 */
struct trace *trace_read(const char *name, const char *path);

/**
 * struct workload - a trace that is made, not read
 * @name: what the table calls it
 * @what: one line for --help
 * @kind: which targets count
 * @make: makes it, the same each time
 * @exponent: of Zipf, or of what takes its place
 * @scan:     uses in a scan
 * @period:   uses between two scans or changes
 */
struct workload {
	const char *name;
	const char *what;
	enum trace_kind kind;
	struct trace *(*make)(const struct workload *workload);
	double exponent;
	uint32_t scan;
	uint32_t period;
};

struct trace *workload_make(const struct workload *workload);

extern const struct workload workloads[];
extern const size_t workloads_count;

#endif /* POLICY_TRACE_H */
