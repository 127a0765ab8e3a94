// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "report.h"

void report_begin(struct report *report)
{
	size_t i;

	printf(report->csv ? "trace,cache" : "%-20s cache", "trace");
	for (i = 0; report->policies[i]; i++)
		printf(report->csv ? ",%s" : " %9s", report->policies[i]->name);
	putchar('\n');
}

void report_row(struct report *report, const struct trace *trace,
		unsigned int percent)
{
	report->trace = trace;
	report->percent = percent;
}

void report_cell(struct report *report, size_t column, double rate)
{
	report->cell[column] = rate;
	report->sum[column] += rate;
}

static double cell_of(const struct report *report, const struct policy *policy)
{
	size_t i = 0;

	while (report->policies[i] != policy)
		i++;
	return report->cell[i];
}

static void delta_add(const struct report *report, struct delta *delta,
		      double value)
{
	delta->sum += value;
	if (delta->count++ && value >= delta->worst)
		return;
	delta->worst = value;
	snprintf(delta->where, sizeof(delta->where), "%s %u %%",
		 report->trace->name, report->percent);
}

void report_row_end(struct report *report)
{
	double lru = cell_of(report, &policy_lru);
	double s3fifo = cell_of(report, &policy_s3fifo);
	double sieve = cell_of(report, &policy_sieve);
	enum trace_kind kind = report->trace->kind;
	size_t i;

	printf(report->csv ? "%s,%u" : "%-20s %3u %%", report->trace->name,
	       report->percent);
	for (i = 0; report->policies[i]; i++) {
		printf(report->csv ? ",%.2f" : " %9.2f", report->cell[i]);
		delta_add(report, &report->lru[i], report->cell[i] - lru);
		if (kind == TRACE_SCAN)
			delta_add(report, &report->scans[i],
				  report->cell[i] - lru);
		if (kind != TRACE_OTHER)
			delta_add(report, &report->modern[i], report->cell[i] -
				  (s3fifo > sieve ? s3fifo : sieve));
	}
	report->rows++;
	putchar('\n');
	fflush(stdout);
}

static double mean(const struct delta *delta)
{
	return delta->count ? delta->sum / delta->count : 0;
}

static void print_delta(const struct delta *delta)
{
	if (delta->count)
		printf(" %8.2f %8.2f  %-20s", mean(delta), delta->worst,
		       delta->where);
}

void report_end(struct report *report)
{
	size_t i;

	if (report->csv || !report->rows)
		return;
	printf("%-26s", "mean");
	for (i = 0; report->policies[i]; i++)
		printf(" %9.2f", report->sum[i] / report->rows);
	printf("\n\nTo true LRU, all traces; to true LRU, Zipf with scans; to "
	       "the better of S3-FIFO\nand SIEVE, all that is Zipf. Targets: "
	       "worst >= -1; mean >= 5; worst >= -2.\n\n%-10s", "");
	for (i = 0; i < 3; i++)
		printf(" %8s %8s  %-20s", "mean", "worst", "on");
	putchar('\n');
	for (i = 0; report->policies[i]; i++) {
		printf("%-10s", report->policies[i]->name);
		print_delta(&report->lru[i]);
		print_delta(&report->scans[i]);
		print_delta(&report->modern[i]);
		putchar('\n');
	}
}
