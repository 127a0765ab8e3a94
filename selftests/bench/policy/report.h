/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of hit rates, and how far pashm's policies are from the targets */
#ifndef POLICY_REPORT_H
#define POLICY_REPORT_H

#include "policy.h"

#define REPORT_COLUMNS	16

/**
 * struct delta - differences of one column to others, over all rows that count
 * @worst: the smallest
 * @where: the row that it is of
 * @sum:   of all of them
 * @count: rows
 */
struct delta {
	double worst;
	char where[48];
	double sum;
	unsigned int count;
};

/**
 * struct report
 * @policies: the columns, ended by NULL
 * @csv:      for programs
 * @trace:    of the row that is being printed
 * @percent:  its cache, in percent of the footprint
 * @cell:     its hit rates
 * @sum:      of all rows, for each column
 * @rows:     their number
 * @lru:      to true LRU, on all traces
 * @scans:    to true LRU, on Zipf with scans
 * @modern:   to the better of S3-FIFO and SIEVE, on all that is Zipf
 */
struct report {
	const struct policy *const *policies;
	bool csv;
	const struct trace *trace;
	unsigned int percent;
	double cell[REPORT_COLUMNS];
	double sum[REPORT_COLUMNS];
	unsigned int rows;
	struct delta lru[REPORT_COLUMNS];
	struct delta scans[REPORT_COLUMNS];
	struct delta modern[REPORT_COLUMNS];
};

void report_begin(struct report *report);
void report_row(struct report *report, const struct trace *trace,
		unsigned int percent);
void report_cell(struct report *report, size_t column, double rate);
void report_row_end(struct report *report);
void report_end(struct report *report);

#endif /* POLICY_REPORT_H */
