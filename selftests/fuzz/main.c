// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer for the module: operations on regions, drawn at random and checked
 * against a shadow model (model.h). Without arguments it is a kselftest; with
 * them, the tool behind scripts/fuzz.
 */
#include <getopt.h>

#include <kselftest.h>

#include "../shmem_huge.h"
#include "journal.h"
#include "run.h"

/* Operations of a case of the kselftest, in all its processes together */
#define CASE_OPERATIONS	24000UL
#define CASE_SECONDS	6
#define FIXED_SEED	20
#define FOREVER		UINT64_MAX

static const char usage[] =
"Usage: fuzz_module [OPTION...]\n"
"\n"
"Without options: a kselftest. $PASHM_TEST_SCALE multiplies the number of\n"
"operations and the time, at most 12 seconds a case.\n"
"\n"
"  --seed N        default: a new one\n"
"  --processes N   default 4, at most 8; one alone does the same each time\n"
"  --seconds N     time for the run\n"
"  --ops N         operations of each process\n"
"  --huge          huge pages for regions that ask; the setting stays\n"
"  --faults        make allocations fail (needs CONFIG_FAULT_INJECTION)\n"
"  --process P     replay process P of a run alone, without the others;\n"
"                  with its --seed and --processes\n"
"  --from A, --until B  only these operations of it\n"
"  --trace         print each call\n"
"  --reduce        after a failure of one process, find a shorter way to it\n";

static uint64_t new_seed(void)
{
	return mix(now_ns() ^ (uint64_t)getpid() << 40) % 1000000000;
}

static bool run_and_report(const struct plan *plan)
{
	uint64_t start = now_ns(), ms;
	bool good;

	printf("# seed %llu, %d processes%s%s\n",
	       (unsigned long long)plan->seed, plan->processes,
	       plan->huge ? ", huge pages" : "",
	       plan->faults ? ", allocations fail" : "");
	fflush(stdout);
	good = run(plan);
	ms = (now_ns() - start) / 1000000 + 1;
	journal_print_results();
	printf("# %s: %llu operations in %llu.%llu s, %llu a second\n",
	       good ? "good" : "FAILED",
	       (unsigned long long)journal_executions(),
	       (unsigned long long)ms / 1000,
	       (unsigned long long)ms % 1000 / 100,
	       (unsigned long long)journal_executions() * 1000 / ms);
	fflush(stdout);
	return good;
}

static void kselftest_case(const char *name, uint64_t seed, int processes,
			   bool faults, bool huge)
{
	struct plan plan = {
		.seed = seed, .processes = processes, .only = -1,
		.seconds = (uint64_t)scaled(CASE_SECONDS) + CASE_SECONDS,
		.faults = faults, .huge = huge,
	};

	plan.until = (uint64_t)scaled(CASE_OPERATIONS) / (uint64_t)processes;
	if (faults && !faults_available())
		ksft_test_result_skip("%s: no fault injection\n", name);
	else
		ksft_test_result(run_and_report(&plan), "%s\n", name);
}

static int kselftest(void)
{
	const char *why = device_missing();
	struct shmem_huge setting = {};
	bool huge;

	ksft_print_header();
	if (why)
		ksft_exit_skip("%s\n", why);
	ksft_set_plan(4);
	kselftest_case("one process with a seed of old", FIXED_SEED, 1, false,
		       false);
	huge = !shmem_huge_allow(&setting);
	kselftest_case("one process with a new seed", new_seed(), 1, false,
		       huge);
	kselftest_case("four processes with a new seed", new_seed(), 4, false,
		       huge);
	shmem_huge_restore(&setting);
	kselftest_case("allocations that fail", new_seed(), 2, true, false);
	ksft_print_cnts();
	return ksft_get_fail_cnt() ? KSFT_FAIL : KSFT_PASS;
}

static bool plan_parse(struct plan *plan, int argc, char **argv, bool *reducing)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "processes", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "ops", required_argument, NULL, 'o' },
		{ "huge", no_argument, NULL, 'h' },
		{ "faults", no_argument, NULL, 'f' },
		{ "process", required_argument, NULL, 'p' },
		{ "from", required_argument, NULL, 'a' },
		{ "until", required_argument, NULL, 'b' },
		{ "trace", no_argument, NULL, 'v' },
		{ "reduce", no_argument, NULL, 'r' },
		{}
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (option) {
		case 's': plan->seed = number; break;
		case 'n': plan->processes = (int)number; break;
		case 't': plan->seconds = number; break;
		case 'o':
		case 'b': plan->until = number; break;
		case 'a': plan->from = number; break;
		case 'p': plan->only = (int)number; break;
		case 'h': plan->huge = true; break;
		case 'f': plan->faults = true; break;
		case 'v': plan->trace = true; break;
		case 'r': *reducing = true; break;
		default: return false;
		}
	}
	return optind == argc && plan->processes > 0 &&
	       plan->processes <= PROCESSES_MAX &&
	       plan->only < plan->processes;
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.seed = new_seed(), .processes = 4, .only = -1,
		.until = FOREVER,
	};
	bool reducing = false, good;
	struct shmem_huge setting = {};

	if (argc == 1)
		return kselftest();
	if (!plan_parse(&plan, argc, argv, &reducing)) {
		fputs(usage, stderr);
		return 2;
	}
	if (plan.huge && shmem_huge_allow(&setting)) {
		fputs("fuzz_module: huge pages cannot be allowed\n", stderr);
		return 4;
	}
	if (plan.faults && !faults_available()) {
		fputs("fuzz_module: this kernel cannot make allocations fail\n",
		      stderr);
		return 4;
	}
	good = run_and_report(&plan);
	if (!good && reducing && (plan.processes == 1 || plan.only >= 0))
		reduce(plan);
	return good ? 0 : 1;
}
