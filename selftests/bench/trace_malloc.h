/* SPDX-License-Identifier: GPL-2.0-only */
/* What a program has allocated and freed, in a file. */
#ifndef PASHM_SELFTESTS_TRACE_MALLOC_H
#define PASHM_SELFTESTS_TRACE_MALLOC_H

#include <stdint.h>

/**
 * struct trace_record
 * @object: number of the object; those that are freed are given out again. Of the
 *          first record: the greatest there is
 * @size:   bytes; 0: it is freed. One that is there gets another size
 */
struct trace_record {
	uint64_t object;
	uint64_t size;
};

#endif /* PASHM_SELFTESTS_TRACE_MALLOC_H */
