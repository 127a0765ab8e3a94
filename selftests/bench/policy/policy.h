/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy: which objects a cache of so many pages holds.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

/**
 * struct policy
 * @name:    heads its column
 * @what:    one line for --help
 * @create:  a cache of @capacity pages; the policy may look ahead in the trace
 * @use:     the use at this place in the trace: was the object there?
 * @destroy: frees the cache
 * @rules:   for those of pashm: what is particular about this one
 */
struct policy {
	const char *name;
	const char *what;
	void *(*create)(const struct policy *policy, const struct trace *trace,
			uint32_t capacity);
	bool (*use)(void *cache, size_t at);
	void (*destroy)(void *cache);
	const void *rules;
};

extern const struct policy policy_lru;
extern const struct policy policy_fifo;
extern const struct policy policy_clock;
extern const struct policy policy_sieve;
extern const struct policy policy_s3fifo;
extern const struct policy policy_arc;
extern const struct policy policy_opt;

/* pashm's own, on different uses of a region */
extern const struct policy policy_home;
extern const struct policy policy_blind;
extern const struct policy policy_cache;

/* Hits of a whole trace */
size_t policy_hits(const struct policy *policy, const struct trace *trace,
		   uint32_t capacity);

#endif /* POLICY_POLICY_H */
