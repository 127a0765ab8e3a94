/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test that the lists of operations in fault_*.c are put to: each of their
 * allocations fails once, is answered as documented, and leaves nothing behind.
 */
#ifndef PASHM_SELFTESTS_FAULT_INJECT_H
#define PASHM_SELFTESTS_FAULT_INJECT_H

#include <kselftest_harness.h>

#include "fault_world.h"

#define FAULT_NTH_MAX	5000U

FIXTURE(fault)
{
	struct fault_rig rig;
	long references;
	int next_fd;
};

/* The last of the next few descriptors: there is a hole if one was lost */
static inline int fault_next_fd(struct fault_rig *rig)
{
	int fds[16], i, last;

	for (i = 0; i < 16; i++)
		fds[i] = dup(rig->log);
	last = fds[15];
	while (i--)
		close(fds[i]);
	return last;
}

FIXTURE_SETUP(fault)
{
	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(_exit(255), "only root can inject faults");
	if (fault_missing())
		SKIP(_exit(255), "%s", fault_missing());
	self->references = module_references();
	ASSERT_EQ(0, fault_begin(&self->rig));
	self->next_fd = fault_next_fd(&self->rig);
}

FIXTURE_TEARDOWN(fault)
{
	fault_end(&self->rig);
}

/* The call has failed: as documented, without effect, and not for good */
static inline void fault_expect_refusal(struct __test_metadata *_metadata,
					const struct operation *operation,
					struct world *world, long ret,
					const struct world_view *before,
					const struct fault_tally *tally)
{
	struct world_view after;

	ASSERT_TRUE(operation_documents(operation, ret)) {
		TH_LOG("%s: %s", operation->name, strerror((int)-ret));
	}
	world_look(world, &after);
	if (!world_unchanged(before, &after, operation->charges)) {
		ASSERT_TRUE(operation->answers && ret == -EFAULT &&
			    fault_was_the_answer(tally)) {
			TH_LOG("%s: %s at '%s', but the region has changed",
			       operation->name, strerror((int)-ret),
			       tally->last);
		}
		return;
	}
	ret = operation->run(world);
	ASSERT_LE(0, ret) {
		TH_LOG("%s, again: %s", operation->name, strerror((int)-ret));
	}
}

/* One injection. Returns false when there was nothing left to fail */
static inline bool fault_inject(struct __test_metadata *_metadata,
				struct _test_data_fault *self,
				const struct operation *operation,
				unsigned int nth, bool burst,
				struct fault_tally *tally)
{
	struct world_view before;
	struct world world;
	bool fired;
	long ret;

	ASSERT_TRUE(world_make(&world));
	ASSERT_TRUE(!operation->prepare || operation->prepare(&world));
	world_look(&world, &before);
	world.rig = &self->rig;
	ASSERT_TRUE(fault_arm(&self->rig, nth, burst));
	ret = operation->run(&world);
	fired = fault_disarm(&self->rig);
	if (fired) {
		fault_count(&self->rig, tally);
		tally->refused += ret < 0;
		tally->tolerated += ret >= 0;
	} else {
		ASSERT_LE(0, ret) {
			TH_LOG("%s, without a fault: %s", operation->name,
			       strerror((int)-ret));
		}
	}
	if (ret < 0)
		fault_expect_refusal(_metadata, operation, &world, ret, &before,
				     tally);
	ASSERT_TRUE(operation->finish(&world)) {
		TH_LOG("%s, failure %u: what it did is not right",
		       operation->name, nth);
	}
	ASSERT_TRUE(world_is_well(&world)) {
		TH_LOG("%s, failure %u: the region is not well",
		       operation->name, nth);
	}
	world_free(&world);
	ASSERT_EQ(self->references, module_references()) {
		TH_LOG("%s, failure %u: a reference is lost", operation->name,
		       nth);
	}
	ASSERT_EQ(self->next_fd, fault_next_fd(&self->rig)) {
		TH_LOG("%s, failure %u: a descriptor is lost", operation->name,
		       nth);
	}
	return fired;
}

/* Single failures, then bursts */
static inline void fault_inject_all(struct __test_metadata *_metadata,
				    struct _test_data_fault *self,
				    const struct operation *operation)
{
	struct fault_tally tally = {};
	int burst, rounds = operation->stack ? 1 : 2;
	unsigned int nth;

	for (burst = 0; burst < rounds; burst++) {
		nth = 1;
		while (fault_inject(_metadata, self, operation, nth, burst,
				    &tally))
			ASSERT_GT(FAULT_NTH_MAX, ++nth);
	}
	fault_print(operation->name, &tally);
	EXPECT_LE(operation->injected, tally.injected / (unsigned int)rounds);
	EXPECT_LE(operation->sites, tally.sites);
}

/* A case for each of a list's operations */
#define FAULT_CASE(operation)						\
TEST_F_TIMEOUT(fault, operation, 3600)					\
{									\
	fault_inject_all(_metadata, self, &(operation));		\
}

#endif /* PASHM_SELFTESTS_FAULT_INJECT_H */
