/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers from a seed: the same on every machine and in every run */
#ifndef POLICY_RANDOM_H
#define POLICY_RANDOM_H

#include <stdint.h>

/* splitmix64: a counter whose bits are mixed well */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Uniform in [0, 1): 53 bits are what a double holds exactly */
static inline double random_unit(uint64_t *state)
{
	return (double)(random_next(state) >> 11) * 0x1p-53;
}

/* Uniform in 0..@below-1; the bias of the modulo is far below what matters */
static inline uint32_t random_below(uint64_t *state, uint32_t below)
{
	return (uint32_t)(random_next(state) % below);
}

#endif /* POLICY_RANDOM_H */
