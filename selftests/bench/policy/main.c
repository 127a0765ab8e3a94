// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which policy should choose the victims? Replays traces against all policies
 * and prints their hit rates. Cold misses count: a trace is used from its first
 * use on, with an empty cache.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pashm.h"
#include "report.h"

static const struct policy *const policies[] = {
	&policy_opt, &policy_lru, &policy_fifo, &policy_clock, &policy_arc,
	&policy_sieve, &policy_s3fifo, &policy_home, &policy_cache,
	&policy_blind, NULL
};

static void list_names(void)
{
	size_t i;

	printf("\nTraces:\n");
	for (i = 0; i < workloads_count; i++)
		printf("  %-16s %s\n", workloads[i].name, workloads[i].what);
	printf("\nPolicies:\n");
	for (i = 0; policies[i]; i++)
		printf("  %-16s %s\n", policies[i]->name, policies[i]->what);
}

static void usage(void)
{
	printf("Usage: policy [OPTION]... [FILE]...\n\n"
"Prints the hit rates, in percent, of reclaim policies on traces that it makes,\n"
"the same each time, and on those in FILEs: a line for each use, with a word\n"
"for the object and, if it is larger than a page, its size in pages. Below that\n"
"stands how far pashm's policies are from what they should reach.\n\n"
"  --csv          the table as comma-separated values, without the targets\n"
"  --only NAME    only the traces whose name begins so\n"
"  --batch N      reclaim is asked for 1/N of the cache at a time (default 64)\n"
"  --clients N    so many processes use the region (1 to 4, default 1)\n"
"  --ghosts N     pashm_cache remembers so many times what the cache holds, by\n"
"                 its notes (new policy only, default 4)\n"
"  --help         this text\n");
	list_names();
}

static uint32_t number(const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || !value || value > most) {
		fprintf(stderr, "policy: '%s' is not a number from 1 to %lu\n",
			text, most);
		exit(2);
	}
	return (uint32_t)value;
}

static void run(struct report *report, struct trace *trace)
{
	static const unsigned int percent[] = { 1, 5, 10, 25 };
	size_t size, i, hits;
	uint32_t capacity;

	for (size = 0; size < sizeof(percent) / sizeof(percent[0]); size++) {
		fprintf(stderr, "\rpolicy: %-24s %2u %% ", trace->name,
			percent[size]);
		capacity = (uint32_t)(trace->footprint * percent[size] / 100);
		report_row(report, trace, percent[size]);
		for (i = 0; policies[i]; i++) {
			hits = policy_hits(policies[i], trace,
					   capacity ? capacity : 1);
			report_cell(report, i, 100.0 * (double)hits /
				    (double)trace->length);
		}
		report_row_end(report);
	}
	fprintf(stderr, "\r%50s\r", "");
	trace_free(trace);
}

/* A file's name without its directory */
static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "csv", no_argument, NULL, 'c' },
		{ "only", required_argument, NULL, 'o' },
		{ "batch", required_argument, NULL, 'b' },
		{ "clients", required_argument, NULL, 'n' },
		{ "ghosts", required_argument, NULL, 'g' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct report report = { .policies = policies };
	const char *only = "";
	int option;
	size_t i;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			report.csv = true;
			break;
		case 'o':
			only = optarg;
			break;
		case 'b':
			region_batch_share = number(optarg, 1UL << 20);
			break;
		case 'n':
			region_clients = number(optarg, REGION_CLIENTS_MAX);
			break;
		case 'g':
			region_ghosts = number(optarg, 64);
			break;
		case 'h':
			usage();
			return 0;
		default:
			fprintf(stderr, "policy: see policy --help\n");
			return 2;
		}
	}
	report_begin(&report);
	for (i = 0; i < workloads_count; i++)
		if (!strncmp(workloads[i].name, only, strlen(only)))
			run(&report, workload_make(&workloads[i]));
	for (; optind < argc; optind++)
		if (!strncmp(base(argv[optind]), only, strlen(only)))
			run(&report, trace_read(base(argv[optind]),
						argv[optind]));
	report_end(&report);
	return 0;
}
