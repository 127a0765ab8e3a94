// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the module keep what is worth keeping? Replays a trace of selftests/bench/policy
 * in a cgroup whose limit is a part of what the trace uses, each object an extent, with
 * pins as a program does them. Then the simulated policies do the same, with as much
 * memory as the region had in the mean.
 *
 *   hits TRACE PERCENT
 *
 * Columns: trace, percent, pages (mean), hit rates in percent: of LRU, S3-FIFO, SIEVE,
 * of the module's policy as simulated, and of the module.
 */
#include <pashm/pashm.h>

#include "../../cgroup.h"
#include "../policy/policy.h"
#include "bench.h"

/* Uses between two looks at how much there is */
#define SAMPLE_USES	1000
/* What the limit must hold beside the data: tables, page tables, the program */
#define TABLE_BYTES	32		/* for each page */
#define PROGRAM_BYTES	(2 * MIB)

struct replay {
	struct pashm_region *region;
	const struct trace *trace;
	uint32_t *page;
	struct pashm_handle *handle;
	bool *made;
	size_t hits;
	uint64_t sampled;
	uint64_t samples;
	uint64_t most;
};

static struct trace *trace_named(const char *name)
{
	size_t i;

	for (i = 0; i < workloads_count; i++)
		if (!strcmp(workloads[i].name, name))
			return workload_make(&workloads[i]);
	die("no such trace");
	return NULL;
}

static void must(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-ret));
	exit(1);
}

/* Objects lie in the order of their keys. Returns pages in all */
static uint64_t replay_place(struct replay *replay)
{
	const struct trace *trace = replay->trace;
	uint64_t pages = 0;
	uint32_t key;

	replay->page = must_calloc(trace->keys, sizeof(*replay->page));
	replay->handle = must_calloc(trace->keys, sizeof(*replay->handle));
	replay->made = must_calloc(trace->keys, sizeof(*replay->made));
	for (key = 0; key < trace->keys; key++) {
		replay->page[key] = (uint32_t)pages;
		pages += trace->pages[key];
	}
	/* All that is ours is there before the limit is */
	memset(replay->handle, 1, trace->keys * sizeof(*replay->handle));
	memset(replay->made, 0, trace->keys * sizeof(*replay->made));
	return pages;
}

static void replay_open(struct replay *replay, uint64_t pages)
{
	struct pashm_region_params params = {
		.length = pages * PAGE, .name = "hits",
		.flags = PASHM_REGION_SOLE, .backend = PASHM_BACKEND_MODULE,
	};

	must(pashm_region_create(&params, &replay->region), "create");
	must(pashm_region_map(replay->region, PROT_READ | PROT_WRITE, NULL),
	     "map");
}

/* A miss: a program would fetch the object now */
static void replay_fill(struct replay *replay, uint32_t key)
{
	char *data = pashm_address(replay->region, replay->page[key]);
	uint32_t page;

	for (page = 0; page < replay->trace->pages[key]; page++)
		*(uint32_t *)(data + page * PAGE) = key + 1;
	replay->handle[key].generation =
		pashm_generation(replay->region, replay->page[key]);
}

static void replay_use(struct replay *replay, uint32_t key)
{
	enum pashm_verdict verdict = PASHM_PURGED;
	uint32_t page = replay->page[key];

	if (replay->made[key]) {
		must(pashm_pin(replay->region, replay->handle[key], &verdict),
		     "pin");
	} else {
		must(pashm_extent_create(replay->region, page,
					 replay->trace->pages[key],
					 PASHM_PRIORITY_DEFAULT,
					 &replay->handle[key]), "make");
		replay->made[key] = true;
	}
	if (verdict == PASHM_STALE)
		die("an extent has become stale");
	if (verdict == PASHM_PURGED)
		replay_fill(replay, key);
	else if (*(uint32_t *)pashm_address(replay->region, page) != key + 1)
		die("an intact extent has not kept its contents");
	replay->hits += verdict == PASHM_INTACT;
	must(pashm_unpin(replay->region, page), "unpin");
}

/* How much is there, from when it was full for the first time */
static void replay_sample(struct replay *replay)
{
	uint64_t resident =
		region_info(pashm_region_fd(replay->region)).resident / PAGE;

	if (resident < replay->most) {
		replay->sampled += resident;
		replay->samples++;
	} else {
		replay->most = resident;
	}
}

static void replay_all(struct replay *replay)
{
	size_t at;

	for (at = 0; at < replay->trace->length; at++) {
		replay_use(replay, replay->trace->key[at]);
		if (at % SAMPLE_USES)
			continue;
		replay_sample(replay);
		if (at % (replay->trace->length / 4) < SAMPLE_USES) {
			printf("%s: %zu of %zu uses\n", replay->trace->name,
			       at, replay->trace->length);
			fflush(stdout);
		}
	}
}

static double rate(size_t hits, const struct trace *trace)
{
	return 100 * ratio((double)hits, (double)trace->length);
}

int main(int argc, char **argv)
{
	static const struct policy *const peers[] = {
		&policy_lru, &policy_s3fifo, &policy_sieve, &policy_home
	};
	struct replay replay = { 0 };
	uint64_t pages, capacity;
	const char *why;
	long percent;
	size_t i;

	if (argc != 3)
		die("hits TRACE PERCENT");
	percent = strtol(argv[2], NULL, 10);
	replay.trace = trace_named(argv[1]);
	pages = replay_place(&replay);
	why = make_groups();
	if (why)
		die(why);
	if (file_write(OUTER "/memory.max", "max") || enter(INNER))
		die("the group cannot be entered");
	capacity = replay.trace->footprint * (uint64_t)percent / 100;
	replay_open(&replay, pages);
	if (group_set(INNER, "memory.max", capacity * PAGE +
		      pages * TABLE_BYTES + PROGRAM_BYTES))
		die("the limit cannot be set");
	replay_all(&replay);
	if (!replay.samples)
		die("the limit was never met");
	capacity = replay.sampled / replay.samples;
	printf("= %s %ld %llu", replay.trace->name, percent,
	       (unsigned long long)capacity);
	for (i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		printf(" %.2f", rate(policy_hits(peers[i], replay.trace,
						 (uint32_t)capacity),
				     replay.trace));
	printf(" %.2f\n", rate(replay.hits, replay.trace));
	return 0;
}
