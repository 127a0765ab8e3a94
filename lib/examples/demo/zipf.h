/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Zipf's law: of many things, the one of rank r is asked for 1/r^s as often as
 * the first. Pages, files and records are asked for like that.
 */
#ifndef DEMO_ZIPF_H
#define DEMO_ZIPF_H

#include <stddef.h>
#include <stdint.h>

struct zipf;

/* NULL without memory. Constant afterwards, so threads may share it */
struct zipf *zipf_new(size_t count, double exponent);
void zipf_free(struct zipf *zipf);

/* A rank below the count; @random is the caller's state, not 0 */
size_t zipf_rank(const struct zipf *zipf, uint64_t *random);

/* Next pseudo-random number of a state that is not 0 */
static inline uint64_t random_next(uint64_t *random)
{
	/* xorshift64* */
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 0x2545f4914f6cdd1dULL;
}

#endif /* DEMO_ZIPF_H */
