// SPDX-License-Identifier: GPL-2.0-only
/* What a pin says, and what it keeps. Both backends. */
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "backend.h"

#define PAGES	64
#define HEAD	8		/* the extent: pages 8 to 11 */
#define LENGTH	4
#define BYTES	(LENGTH * PAGE)
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(pin)
{
	struct pashm_region *region;
	struct pashm_handle handle;
	enum pashm_verdict verdict;
	char *bytes;			/* of the extent */
};

FIXTURE_VARIANT(pin)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(pin, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(pin, memfd) { .backend = PASHM_BACKEND_MEMFD };

/* The extent exists, is filled, and is pinned once */
FIXTURE_SETUP(pin)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, 0, &self->region));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, NULL));
	ASSERT_EQ(0, pashm_extent_create(self->region, HEAD, LENGTH,
					 PASHM_PRIORITY_DEFAULT,
					 &self->handle));
	self->bytes = pashm_address(self->region, HEAD);
	memset(self->bytes, 0x5a, BYTES);
	self->verdict = 99;
}

FIXTURE_TEARDOWN(pin)
{
	pashm_region_close(self->region);
}

static int pin(struct _test_data_pin *self)
{
	return pashm_pin(self->region, self->handle, &self->verdict);
}

static int unpin(struct _test_data_pin *self)
{
	return pashm_unpin(self->region, HEAD);
}

TEST_F(pin, a_new_extent_is_pinned_by_its_maker)
{
	EXPECT_EQ(HEAD, self->handle.page);
	EXPECT_EQ(self->handle.generation,
		  pashm_generation(self->region, HEAD));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0, unpin(self));
	EXPECT_EQ(-ERANGE, unpin(self));
}

TEST_F(pin, contents_that_were_not_taken_are_intact)
{
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_INTACT, self->verdict);
	EXPECT_EQ(0x5a, self->bytes[0]);
	EXPECT_EQ(0x5a, self->bytes[BYTES - 1]);
}

TEST_F(pin, pinned_contents_survive_a_purge)
{
	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0x5a, self->bytes[0]);
	EXPECT_EQ(0x5a, self->bytes[BYTES - 1]);
	EXPECT_EQ(self->handle.generation,
		  pashm_generation(self->region, HEAD));
}

TEST_F(pin, purged_contents_are_reported_and_zero)
{
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(BYTES, backend_purge(self->region));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_PURGED, self->verdict);
	EXPECT_EQ(0, self->bytes[0]);
	EXPECT_EQ(0, self->bytes[BYTES - 1]);
	EXPECT_EQ(self->handle.generation + 1,
		  pashm_generation(self->region, HEAD));
}

TEST_F(pin, what_was_reported_lost_is_pinned)
{
	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(BYTES, backend_purge(self->region));
	ASSERT_EQ(0, pin(self));
	memset(self->bytes, 0x5a, BYTES);
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0x5a, self->bytes[0]);
}

TEST_F(pin, a_loss_is_reported_once_to_who_learns_it)
{
	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(BYTES, backend_purge(self->region));
	ASSERT_EQ(0, pin(self));
	ASSERT_EQ(PASHM_PURGED, self->verdict);
	self->handle.generation = pashm_generation(self->region, HEAD);
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_INTACT, self->verdict);
}

TEST_F(pin, a_loss_is_reported_until_it_is_learnt)
{
	int i;

	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(BYTES, backend_purge(self->region));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, pin(self));
		EXPECT_EQ(PASHM_PURGED, self->verdict);
		EXPECT_EQ(0, unpin(self));
	}
}

TEST_F(pin, each_of_two_losses_is_reported)
{
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, unpin(self));
		ASSERT_EQ(BYTES, backend_purge(self->region));
		ASSERT_EQ(0, pin(self));
		EXPECT_EQ(PASHM_PURGED, self->verdict);
		memset(self->bytes, 0x5a, BYTES);
		self->handle.generation = pashm_generation(self->region, HEAD);
	}
}

TEST_F(pin, an_empty_extent_is_not_lost_again)
{
	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(BYTES, backend_purge(self->region));
	ASSERT_EQ(0, pin(self));
	self->handle.generation = pashm_generation(self->region, HEAD);
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_INTACT, self->verdict);
}

TEST_F(pin, an_extent_that_was_never_touched_is_not_lost)
{
	struct pashm_handle handle;

	ASSERT_EQ(0, pashm_extent_create(self->region, 40, 2, 3, &handle));
	ASSERT_EQ(0, pashm_unpin(self->region, 40));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0, pashm_pin(self->region, handle, &self->verdict));
	EXPECT_EQ(PASHM_INTACT, self->verdict);
}

TEST_F(pin, pins_nest)
{
	ASSERT_EQ(0, pin(self));
	ASSERT_EQ(0, pin(self));
	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0x5a, self->bytes[0]);
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(BYTES, backend_purge(self->region));
}

TEST_F(pin, one_unpin_too_many_is_erange_and_changes_nothing)
{
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(-ERANGE, unpin(self));
	EXPECT_EQ(-ERANGE, unpin(self));
	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0, unpin(self));
	EXPECT_EQ(BYTES, backend_purge(self->region));
}

TEST_F(pin, a_page_outside_the_region_is_einval)
{
	struct pashm_handle outside = { .page = PAGES };

	EXPECT_EQ(-EINVAL, pashm_pin(self->region, outside, &self->verdict));
	EXPECT_EQ(-EINVAL, pashm_unpin(self->region, PAGES));
	outside.page = UINT32_MAX;
	EXPECT_EQ(-EINVAL, pashm_pin(self->region, outside, &self->verdict));
	EXPECT_EQ(-EINVAL, pashm_unpin(self->region, UINT32_MAX));
}

TEST_F(pin, one_pin_too_many_is_eagain)
{
	unsigned int i;

	for (i = 1; i < PASHM_COUNT_LIMIT - 1; i++)
		ASSERT_EQ(0, pin(self));
	EXPECT_EQ(-EAGAIN, pin(self));
	EXPECT_EQ(-EAGAIN, pin(self));
	for (i = 0; i < PASHM_COUNT_LIMIT - 1; i++)
		ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(-ERANGE, unpin(self));
}

TEST_F(pin, unmanaged_pages_are_stale_and_not_pinned)
{
	struct pashm_handle handle = { .page = HEAD + 1 };

	EXPECT_EQ(0, pashm_pin(self->region, handle, &self->verdict));
	EXPECT_EQ(PASHM_STALE, self->verdict);
	EXPECT_EQ(-ERANGE, pashm_unpin(self->region, HEAD + 1));
}

TEST_F(pin, a_destroyed_extent_is_stale_and_not_pinned)
{
	ASSERT_EQ(0, pashm_extent_destroy(self->region, HEAD, 0));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_STALE, self->verdict);
	EXPECT_EQ(-ERANGE, unpin(self));
}

TEST_F(pin, an_extent_that_took_the_place_of_another_is_stale)
{
	struct pashm_handle handle;

	ASSERT_EQ(0, pashm_extent_destroy(self->region, HEAD, 0));
	ASSERT_EQ(0, pashm_extent_create(self->region, HEAD, LENGTH, 3,
					 &handle));
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_STALE, self->verdict);
	EXPECT_EQ(-ERANGE, unpin(self));
	/* Stale for ever, also when the new one has been purged since */
	ASSERT_EQ(BYTES, backend_purge(self->region));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_STALE, self->verdict);
	EXPECT_EQ(0, pashm_pin(self->region, handle, &self->verdict));
	EXPECT_EQ(PASHM_PURGED, self->verdict);
}

TEST_F(pin, a_loss_is_reported_to_each_client)
{
	struct pashm_region *other;
	struct pashm_handle theirs = self->handle;

	ASSERT_EQ(0, pashm_region_import(pashm_region_fd(self->region),
					 &other));
	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(BYTES, backend_purge(self->region));
	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_PURGED, self->verdict);
	memset(self->bytes, 0x77, BYTES);
	self->handle.generation = pashm_generation(self->region, HEAD);

	EXPECT_EQ(0, pashm_pin(other, theirs, &self->verdict));
	EXPECT_EQ(PASHM_PURGED, self->verdict);
	theirs.generation = pashm_generation(other, HEAD);
	EXPECT_EQ(0, pashm_unpin(other, HEAD));
	EXPECT_EQ(0, pashm_pin(other, theirs, &self->verdict));
	EXPECT_EQ(PASHM_INTACT, self->verdict);
	pashm_region_close(other);
}

TEST_F(pin, the_pin_of_another_client_is_enough)
{
	struct pashm_region *other;

	ASSERT_EQ(0, pashm_region_import(pashm_region_fd(self->region),
					 &other));
	ASSERT_EQ(0, pashm_pin(other, self->handle, &self->verdict));
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(-ERANGE, unpin(self));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0, backend_purge(other));
	EXPECT_EQ(0x5a, self->bytes[0]);
	pashm_region_close(other);
	EXPECT_EQ(BYTES, backend_purge(self->region));
}

/* In a child: import, and pin with what the parent knew; 100 and the verdict */
static int pin_in_child(void *arg)
{
	struct _test_data_pin *self = arg;
	struct pashm_region *own;

	if (pashm_region_import(pashm_region_fd(self->region), &own))
		return 1;
	if (pashm_pin(own, self->handle, &self->verdict))
		return 2;
	return 100 + (int)self->verdict;
}

TEST_F(pin, a_loss_is_reported_to_another_process)
{
	EXPECT_EQ(100 + PASHM_INTACT, in_child(pin_in_child, self));
	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(BYTES, backend_purge(self->region));
	EXPECT_EQ(100 + PASHM_PURGED, in_child(pin_in_child, self));
	EXPECT_EQ(100 + PASHM_PURGED, in_child(pin_in_child, self));
	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_PURGED, self->verdict);
}

static void *pin_in_thread(void *arg)
{
	return (void *)(long)(pin(arg) ? -1 : 0);
}

TEST_F(pin, a_sibling_is_told_too_until_the_refill_is_done)
{
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, unpin(self));
	ASSERT_EQ(BYTES, backend_purge(self->region));
	ASSERT_EQ(0, pin(self));
	self->verdict = 99;
	ASSERT_EQ(0, pthread_create(&thread, NULL, pin_in_thread, self));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(PASHM_PURGED, self->verdict);
	memset(self->bytes, 0x5a, BYTES);
	__atomic_store_n(&self->handle.generation,
			 pashm_generation(self->region, HEAD),
			 __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, pin_in_thread, self));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(PASHM_INTACT, self->verdict);
}

TEST_F(pin, an_intact_pin_makes_no_system_call)
{
	bool good = true;
	int i;

	ASSERT_EQ(0, unpin(self));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		SKIP(return, "the kernel has no CONFIG_SECCOMP");
	for (i = 0; i < 1000; i++) {
		good &= pin(self) == 0 && self->verdict == PASHM_INTACT;
		good &= unpin(self) == 0;
	}
	/* The only way out of strict mode: the case ends here */
	syscall(SYS_exit, good ? 0 : 1);
}

TEST_HARNESS_MAIN
