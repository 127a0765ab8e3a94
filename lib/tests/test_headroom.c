// SPDX-License-Identifier: LGPL-2.1-or-later
/* Limits of control groups, in a tree of files that looks like theirs. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "common.h"
#include "headroom.h"

#define MIB	(1LL << 20)

/**
 * struct fixture - a machine
 * @root:  directory of all that follows
 * @mount: where control groups are mounted
 */
struct fixture {
	char root[64];
	char self[96];
	char meminfo[96];
	char mount[96];
	struct headroom headroom;
};

static void put(struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void directory(struct fixture *f, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int setup(void **test)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->root, "/tmp/pashm-headroom-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	snprintf(f->self, sizeof(f->self), "%s/self", f->root);
	snprintf(f->meminfo, sizeof(f->meminfo), "%s/meminfo", f->root);
	snprintf(f->mount, sizeof(f->mount), "%s/cgroup", f->root);
	directory(f, "cgroup");
	*test = f;
	return 0;
}

static int teardown(void **test)
{
	struct fixture *f = *test;
	char command[128];

	pashm_headroom_close(&f->headroom);
	snprintf(command, sizeof(command), "rm -r %s", f->root);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int64_t slack_of(struct fixture *f)
{
	return pashm_headroom_read(&f->headroom).bytes;
}

static void look(struct fixture *f)
{
	pashm_headroom_open_at(&f->headroom, f->meminfo, f->self, f->mount);
}

/* 100 MiB, of which a quarter is reserve and 90 are used */
static void tight(struct fixture *f, const char *group)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/memory.max", group);
	put(f, name, "104857600\n");
	snprintf(name, sizeof(name), "%s/memory.current", group);
	put(f, name, "94371840\n");
}

static void without_figures_there_is_no_limit(void **test)
{
	put(*test, "self", "0::/\n");
	look(*test);
	assert_int_equal(slack_of(*test), INT64_MAX);
}

static void a_private_namespace_is_limited_by_its_root(void **test)
{
	put(*test, "self", "0::/\n");
	tight(*test, "cgroup");
	look(*test);
	assert_int_equal(slack_of(*test), -15 * MIB);
}

static void the_tightest_group_above_counts(void **test)
{
	put(*test, "self", "12:cpu:/else\n0::/a/b\n");
	directory(*test, "cgroup/a");
	directory(*test, "cgroup/a/b");
	tight(*test, "cgroup/a");
	put(*test, "cgroup/a/b/memory.max", "max\n");
	put(*test, "cgroup/a/b/memory.high", "209715200\n");
	put(*test, "cgroup/a/b/memory.current", "0\n");
	look(*test);
	assert_int_equal(slack_of(*test), -15 * MIB);
	put(*test, "cgroup/a/memory.max", "max\n");
	/* 200 MiB less an eighth, but at least 32 */
	assert_int_equal(slack_of(*test), 168 * MIB);
}

static void page_cache_counts_as_free(void **test)
{
	put(*test, "self", "0::/\n");
	tight(*test, "cgroup");
	put(*test, "cgroup/memory.stat",
	    "anon 1\ninactive_file 10485760\nactive_file 5242880\n");
	look(*test);
	assert_int_equal(slack_of(*test), 0);
}

static void version_1_is_limited_by_what_is_mounted(void **test)
{
	put(*test, "self", "3:cpuset:/y\n4:memory:/docker/x\n0::/\n");
	directory(*test, "cgroup/memory");
	put(*test, "cgroup/memory/memory.limit_in_bytes", "104857600\n");
	put(*test, "cgroup/memory/memory.usage_in_bytes", "94371840\n");
	put(*test, "cgroup/memory/memory.stat",
	    "cache 1\ninactive_file 0\nactive_file 0\n"
	    "total_inactive_file 10485760\ntotal_active_file 0\n");
	look(*test);
	assert_int_equal(slack_of(*test), -5 * MIB);
	/* Its way to say none */
	put(*test, "cgroup/memory/memory.limit_in_bytes",
	    "9223372036854771712\n");
	assert_int_equal(slack_of(*test), INT64_MAX);
}

static void a_path_outside_is_the_root(void **test)
{
	put(*test, "self", "0::/../../elsewhere\n");
	tight(*test, "cgroup");
	look(*test);
	assert_int_equal(slack_of(*test), -15 * MIB);
}

static void a_path_too_long_is_the_root(void **test)
{
	struct fixture *f = *test;
	char text[2 * CGROUP_PATH + 16] = "0::/";

	memset(text + 4, 'x', 2 * CGROUP_PATH);
	put(f, "self", text);
	tight(f, "cgroup");
	look(f);
	assert_string_equal(f->headroom.cgroup.places[0], "/");
	assert_string_equal(f->headroom.cgroup.places[1], "");
	assert_int_equal(slack_of(f), -15 * MIB);
}

static void a_last_line_needs_no_end(void **test)
{
	put(*test, "self", "3:cpuset:/y\n12:cpu:/else");
	tight(*test, "cgroup");
	look(*test);
	assert_int_equal(slack_of(*test), INT64_MAX);
}

/* Under UBSan: sums of such figures are not computed */
static void figures_of_no_machine_do_not_overflow(void **test)
{
	static const char most[] = "9223372036854775807";
	struct fixture *f = *test;
	char text[256];

	put(f, "self", "0::/\n");
	snprintf(text, sizeof(text), "MemTotal: %s kB\nMemAvailable: %s kB\n",
		 most, most);
	put(f, "meminfo", text);
	put(f, "cgroup/memory.max", "9223372036854771712\n");
	put(f, "cgroup/memory.high", "1073741824\n");
	put(f, "cgroup/memory.current", "-9223372036854775808\n");
	snprintf(text, sizeof(text), "x\ninactive_file %s\nactive_file %s\n",
		 most, most);
	put(f, "cgroup/memory.stat", text);
	look(f);
	assert_int_equal(slack_of(f), 896 * MIB);
	put(f, "cgroup/memory.current", most);
	assert_true(slack_of(f) > 1LL << 59);
	put(f, "cgroup/memory.stat", "x\n");
	assert_true(slack_of(f) < -(1LL << 59));
	put(f, "cgroup/memory.high", "max\n");
	assert_true(slack_of(f) > 1LL << 59);
}

static void a_large_machine_keeps_no_eighth_free(void **test)
{
	struct fixture *f = *test;
	struct slack slack;

	put(f, "self", "0::/\n");
	put(f, "meminfo", "MemTotal:       1073741824 kB\n"
			  "MemFree:  0 kB\nMemAvailable:   4194304 kB\n");
	look(f);
	slack = pashm_headroom_read(&f->headroom);
	assert_int_equal(slack.reserve, 2048 * MIB);
	assert_int_equal(slack.bytes, 2048 * MIB);
	assert_int_equal(slack.total, 1LL << 40);
}

static void a_move_is_followed_and_nothing_else_reopened(void **test)
{
	struct fixture *f = *test;
	int i, fd;

	put(f, "self", "0::/a\n");
	directory(f, "cgroup/a");
	directory(f, "cgroup/b");
	tight(f, "cgroup/a");
	look(f);
	fd = f->headroom.cgroup.levels[0].max;
	for (i = 0; i < 200; i++)
		assert_int_equal(slack_of(f), -15 * MIB);
	assert_int_equal(f->headroom.cgroup.moves, 1);
	assert_int_equal(f->headroom.cgroup.levels[0].max, fd);
	put(f, "self", "0::/b\n");
	for (i = 0; i < 200; i++)
		slack_of(f);
	assert_int_equal(slack_of(f), INT64_MAX);
	assert_int_equal(f->headroom.cgroup.moves, 2);
}

static void limits_stay_when_descriptors_run_out(void **test)
{
	struct fixture *f = *test;
	struct rlimit limit, few;
	int fd;

	put(f, "self", "0::/a\n");
	directory(f, "cgroup/a");
	directory(f, "cgroup/b");
	tight(f, "cgroup/a");
	look(f);
	put(f, "self", "0::/b\n");
	put(f, "cgroup/b/memory.max", "max\n");
	put(f, "cgroup/b/memory.current", "0\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	fd = dup(0);
	close(fd);
	/* One is enough to find out where we are, not for the limits there */
	for (few = limit, few.rlim_cur = (rlim_t)fd; few.rlim_cur <= (rlim_t)fd + 1;
	     few.rlim_cur++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		pashm_cgroup_update(&f->headroom.cgroup);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_int_equal(slack_of(f), -15 * MIB);
	}
	pashm_cgroup_update(&f->headroom.cgroup);
	assert_int_equal(slack_of(f), INT64_MAX);
}

#define HEADROOM(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HEADROOM(without_figures_there_is_no_limit),
		HEADROOM(a_private_namespace_is_limited_by_its_root),
		HEADROOM(the_tightest_group_above_counts),
		HEADROOM(page_cache_counts_as_free),
		HEADROOM(version_1_is_limited_by_what_is_mounted),
		HEADROOM(a_path_outside_is_the_root),
		HEADROOM(a_path_too_long_is_the_root),
		HEADROOM(a_last_line_needs_no_end),
		HEADROOM(figures_of_no_machine_do_not_overflow),
		HEADROOM(a_large_machine_keeps_no_eighth_free),
		HEADROOM(a_move_is_followed_and_nothing_else_reopened),
		HEADROOM(limits_stay_when_descriptors_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
