// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading the module, with each allocation made to fail in turn:
 * what could not be loaded has left nothing behind, and can be loaded then.
 * The module file is $PASHM_KO, by default where scripts/vm puts it.
 *
 * The kernel's own part of a load comes first and allocates some hundred times.
 * It is left alone: nothing of ours has run yet that could leave something
 * behind, and the kernel itself warns if it cannot describe a trace event. So
 * the failures go backwards, from the end of a load to the start of our part.
 * Objects and pages fail in passes of their own: some of our sites allocate one
 * object, which is missed if the count shifts by one between two loads.
 */
#include <kselftest_harness.h>

#include "fault.h"
#include "module.h"

#define NTH_MAX	20000U
/* A failure's place is not always told: so many were outside, and we are there */
#define OUTSIDE	32U
/* By how much the length of a load may be told too small */
#define MARGIN	16U

FIXTURE(fault_module)
{
	struct fault_rig rig;
};

FIXTURE_SETUP(fault_module)
{
	SKIP_WITHOUT_MODULE();
	if (fault_missing())
		SKIP(_exit(255), "%s", fault_missing());
	ASSERT_EQ(0, fault_begin(&self->rig));
	ASSERT_EQ(0, module_unload());
}

FIXTURE_TEARDOWN(fault_module)
{
	fault_end(&self->rig);
	if (!module_loaded())
		EXPECT_EQ(0, module_load());
}

/* It is there, and does what it should */
static void expect_sound(struct __test_metadata *_metadata, unsigned int nth)
{
	int fd = region_create(16, 0);
	long address = map_at(fd, 0, PAGE, PROT_READ | PROT_WRITE);

	ASSERT_LE(0, fd) {
		TH_LOG("failure %u", nth);
	}
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	*(volatile char *)address = 1;
	ASSERT_EQ(0, munmap((void *)address, PAGE));
	close(fd);
}

static void expect_loadable(struct __test_metadata *_metadata, unsigned int nth)
{
	ASSERT_STREQ("", module_traces()) {
		TH_LOG("failure %u", nth);
	}
	ASSERT_EQ(0, module_load());
}

/* Fails the load's @nth allocation. Returns false if it has not so many */
static bool fail_load(struct __test_metadata *_metadata,
		      struct _test_data_fault_module *self, unsigned int nth,
		      bool burst, struct fault_tally *tally)
{
	int fd = open(module_path(), O_RDONLY | O_CLOEXEC);
	bool fired;
	long ret;

	ASSERT_LE(0, fd);
	ASSERT_TRUE(fault_arm(&self->rig, nth, burst));
	ret = module_load_from(fd);
	fired = fault_disarm(&self->rig);
	close(fd);
	if (fired) {
		fault_count(&self->rig, tally);
		tally->refused += ret < 0;
		tally->tolerated += ret == 0;
	}
	ASSERT_TRUE(ret == 0 || (fired && (ret == -ENOMEM ||
					   ret == -EFAULT))) {
		TH_LOG("failure %u at '%s': %s", nth, tally->last,
		       strerror((int)-ret));
	}
	if (ret)
		expect_loadable(_metadata, nth);
	expect_sound(_metadata, nth);
	ASSERT_EQ(0, module_unload());
	return fired;
}

/* How many allocations and copies a load takes, give or take a few */
static unsigned int load_length(struct __test_metadata *_metadata,
				struct _test_data_fault_module *self)
{
	bool fired;
	long ret;

	ASSERT_TRUE(fault_arm(&self->rig, NTH_MAX, false));
	ret = module_load();
	fired = fault_disarm(&self->rig);
	ASSERT_EQ(0, ret);
	ASSERT_FALSE(fired);
	ASSERT_EQ(0, module_unload());
	return NTH_MAX - self->rig.left;
}

static void fail_loads(struct __test_metadata *_metadata,
		       struct _test_data_fault_module *self, bool burst,
		       struct fault_tally *tally)
{
	unsigned int nth = load_length(_metadata, self) + MARGIN, outside = 0;

	for (; nth && outside < OUTSIDE; nth--) {
		if (!fail_load(_metadata, self, nth, burst, tally))
			continue;
		outside = *tally->last ? 0 : outside + 1;
	}
}

TEST_F_TIMEOUT(fault_module, a_failed_load_leaves_nothing_behind, 7200)
{
	struct fault_tally tally = {}, pages = {};

	ASSERT_EQ(0, fault_choose(true, false));
	fail_loads(_metadata, self, false, &tally);
	if (scaled(10) > 10)
		fail_loads(_metadata, self, true, &tally);
	fault_print("load", &tally);
	/* shmem, workqueue, shrinker, cache, list, debugfs, device */
	EXPECT_LE(7, tally.sites);
	EXPECT_LE(30, tally.inside);

	ASSERT_EQ(0, fault_choose(false, true));
	fail_loads(_metadata, self, false, &pages);
	fault_print("load, pages", &pages);
	/* How many are inside depends on how full the slabs are */
	EXPECT_NE(0, pages.injected);
}

/* There is nothing that an unload could fail of but the copy of the name */
TEST_F_TIMEOUT(fault_module, an_unload_does_not_fail, 3600)
{
	struct fault_tally tally = {};
	unsigned int nth = 1;
	bool fired = true;

	while (fired) {
		long ret;

		ASSERT_EQ(0, module_load());
		expect_sound(_metadata, nth);
		ASSERT_TRUE(fault_arm(&self->rig, nth++, true));
		ret = module_unload();
		fired = fault_disarm(&self->rig);
		if (fired) {
			fault_count(&self->rig, &tally);
			tally.refused += ret < 0;
			tally.tolerated += ret == 0;
		}
		ASSERT_TRUE(!ret || (fired && ret == -EFAULT)) {
			TH_LOG("failure %u at '%s': %ld", nth, tally.last, ret);
		}
		if (ret)
			ASSERT_EQ(0, module_unload());
		ASSERT_STREQ("", module_traces());
	}
	fault_print("unload", &tally);
	EXPECT_NE(0, tally.injected);
}

TEST_F_TIMEOUT(fault_module, no_load_has_leaked, 900)
{
	int leaks = fault_leaks();

	if (leaks < 0)
		SKIP(return, "this kernel has no kmemleak");
	EXPECT_EQ(0, leaks);
}

TEST_HARNESS_MAIN
