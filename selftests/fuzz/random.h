/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams of random numbers. Each operation has its own, derived from the seed,
 * the process and the operation's number. So it begins the same whatever the
 * ones before it have drawn, and a run can be replayed with some left out.
 */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct stream {
	uint64_t state;
};

/* A bijection of 64 bits that leaves no pattern (Stafford's 13th variant) */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline uint64_t mix3(uint64_t a, uint64_t b, uint64_t c)
{
	return mix(mix(mix(a + 0x9e3779b97f4a7c15ULL) ^ b) + c);
}

static inline uint64_t draw(struct stream *s)
{
	s->state += 0x9e3779b97f4a7c15ULL;
	return mix(s->state);
}

/* 0 to @n - 1; @n is small, so that a remainder is uniform enough */
static inline uint64_t below(struct stream *s, uint64_t n)
{
	return draw(s) % n;
}

/* Once in @n times */
static inline bool once_in(struct stream *s, uint64_t n)
{
	return below(s, n) == 0;
}

/* Small numbers are likelier: 1 to @max */
static inline uint64_t small(struct stream *s, uint64_t max)
{
	uint64_t bound = 1 + below(s, max);

	return 1 + below(s, once_in(s, 2) ? bound : bound < 4 ? bound : 4);
}

/* Numbers at which arithmetic goes wrong, and their neighbours */
static inline uint64_t edge(struct stream *s)
{
	uint64_t base = once_in(s, 3) ? 0 : 1ULL << below(s, 64);

	return base + below(s, 5) - 2;
}

#endif /* FUZZ_RANDOM_H */
