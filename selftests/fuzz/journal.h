/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was done and what came of it: the last operations of each process, to
 * be printed on a failure, and how often each call had which result.
 */
#ifndef FUZZ_JOURNAL_H
#define FUZZ_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "world.h"

void journal_init(void);
void journal_operation(const char *name);

/*
 * A call begins; @format prints the four numbers. The strings are kept as
 * pointers: they must be constants.
 */
void journal_call(const char *call, const char *format, long a, long b, long c,
		  long d);
void journal_return(long ret);

/* Report and end this process; the others stop soon */
void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

const char *result_name(long ret);
uint64_t journal_executions(void);
uint64_t journal_progress(int journal);
void journal_print_last(int journal);
void journal_print_results(void);

#endif /* FUZZ_JOURNAL_H */
