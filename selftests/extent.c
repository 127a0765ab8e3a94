// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making, splitting, merging and ending extents. Regions with a sole client do
 * that without a call, others by the kernel or under the fallback's lock: the
 * same results.
 */
#include <pashm/cache.h>

#include <kselftest_harness.h>

#include "backend.h"

#define PAGES	64
#define HEAD	8		/* the extent: pages 8 to 11, priority 5 */
#define LENGTH	4
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(extent)
{
	struct pashm_region *region;
	const struct pashm_view *view;
	struct pashm_handle handle;
	struct pashm_handle made;
	enum pashm_verdict verdict;
};

FIXTURE_VARIANT(extent)
{
	uint32_t backend;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(extent, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(extent, module_sole) {
	.backend = PASHM_BACKEND_MODULE, .flags = PASHM_REGION_SOLE,
};
FIXTURE_VARIANT_ADD(extent, memfd) { .backend = PASHM_BACKEND_MEMFD };
FIXTURE_VARIANT_ADD(extent, memfd_sole) {
	.backend = PASHM_BACKEND_MEMFD, .flags = PASHM_REGION_SOLE,
};

/* All pages are filled; the extent is pinned once */
FIXTURE_SETUP(extent)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, variant->flags,
				    &self->region));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, NULL));
	self->view = pashm_view(self->region);
	memset(self->view->data, 0x5a, PAGES * PAGE);
	ASSERT_EQ(0, pashm_extent_create(self->region, HEAD, LENGTH, 5,
					 &self->handle));
}

FIXTURE_TEARDOWN(extent)
{
	pashm_region_close(self->region);
}

static int make(struct _test_data_extent *self, uint32_t page, uint32_t pages)
{
	return pashm_extent_create(self->region, page, pages, 3, &self->made);
}

static int destroy(struct _test_data_extent *self, uint32_t page)
{
	return pashm_extent_destroy(self->region, page, 0);
}

/* The extent as it was made, with @count pins: an error has changed nothing */
static void expect_unchanged(struct __test_metadata *_metadata,
			     struct _test_data_extent *self, uint32_t count)
{
	uint64_t state = self->view->states[HEAD];

	EXPECT_EQ(LENGTH, pashm_state_length(state));
	EXPECT_EQ(5, pashm_state_priority(state));
	EXPECT_EQ(self->handle.generation, pashm_state_generation(state));
	EXPECT_FALSE(pashm_state_purging(state));
	EXPECT_EQ(count, pashm_pin_count(self->view->pins[HEAD]));
}

TEST_F(extent, length_priority_and_birth_are_stored)
{
	expect_unchanged(_metadata, self, 1);
	EXPECT_EQ(self->handle.generation, self->view->births[HEAD]);
	EXPECT_EQ(0, pashm_state_length(self->view->states[HEAD + 1]));
}

TEST_F(extent, each_priority_is_accepted)
{
	uint32_t priority;

	for (priority = 0; priority <= PASHM_PRIORITY_MAX; priority++) {
		ASSERT_EQ(0, pashm_extent_create(self->region, 20 + priority, 1,
						 priority, &self->made));
		EXPECT_EQ(priority, pashm_state_priority(
					self->view->states[20 + priority]));
	}
}

TEST_F(extent, its_priority_may_be_that_of_the_region)
{
	struct pashm_region_params params = {
		.length = PAGE, .backend = variant->backend, .priority = 6,
		.flags = variant->flags | PASHM_REGION_PRIORITY,
	};
	struct pashm_region *region, *client;
	struct pashm_handle handle;

	ASSERT_EQ(0, pashm_extent_create(self->region, 20, 1,
					 PASHM_PRIORITY_REGION, &handle));
	EXPECT_EQ(PASHM_PRIORITY_DEFAULT,
		  pashm_state_priority(self->view->states[20]));
	ASSERT_EQ(0, pashm_region_create(&params, &region));
	if (variant->flags & PASHM_REGION_SOLE)
		client = region;
	else
		ASSERT_EQ(0, pashm_region_import(pashm_region_fd(region),
						 &client));
	ASSERT_EQ(0, pashm_extent_create(client, 0, 1, PASHM_PRIORITY_REGION,
					 &handle));
	EXPECT_EQ(6, pashm_state_priority(pashm_view(client)->states[0]));
	EXPECT_EQ(6, backend_info(client).priority);
	EXPECT_EQ(params.flags, backend_info(client).flags);
	if (client != region)
		pashm_region_close(client);
	pashm_region_close(region);
}

/* That of the only extent in a new cache */
static uint32_t priority_in_cache(const struct pashm_cache_params *params)
{
	const struct pashm_view *view;
	struct pashm_cache *cache;
	uint32_t priority = UINT32_MAX;
	size_t page;

	if (pashm_cache_create(params, &cache))
		return priority;
	view = pashm_view(pashm_cache_region(cache));
	if (!pashm_cache_put(cache, "key", 3, "value", 5))
		for (page = 0; page < view->pages; page++)
			if (pashm_state_length(view->states[page]) == 1)
				priority = pashm_state_priority(
						view->states[page]);
	pashm_cache_destroy(cache);
	return priority;
}

TEST_F(extent, a_caches_priority_is_that_of_its_region)
{
	struct pashm_cache_params params = {
		.length = PAGE, .backend = variant->backend,
		.flags = variant->flags | PASHM_REGION_NO_THREAD,
	};

	EXPECT_EQ(PASHM_PRIORITY_DEFAULT, priority_in_cache(&params));
	params.flags |= PASHM_REGION_PRIORITY;
	params.priority = 6;
	EXPECT_EQ(6, priority_in_cache(&params));
}

TEST_F(extent, its_bytes_are_what_they_were)
{
	EXPECT_EQ(0x5a, self->view->data[HEAD * PAGE]);
	EXPECT_EQ(0x5a, self->view->data[(HEAD + LENGTH) * PAGE - 1]);
}

TEST_F(extent, one_over_the_whole_region_is_accepted)
{
	ASSERT_EQ(0, destroy(self, HEAD));
	EXPECT_EQ(0, make(self, 0, PAGES));
	EXPECT_EQ(0, pashm_unpin(self->region, 0));
	EXPECT_EQ(PAGES * PAGE, backend_purge(self->region));
}

TEST_F(extent, a_length_of_zero_is_einval)
{
	EXPECT_EQ(-EINVAL, make(self, 20, 0));
}

TEST_F(extent, a_start_outside_the_region_is_einval)
{
	EXPECT_EQ(-EINVAL, make(self, PAGES, 1));
	EXPECT_EQ(-EINVAL, make(self, UINT32_MAX, 1));
}

TEST_F(extent, an_end_outside_the_region_is_einval)
{
	EXPECT_EQ(-EINVAL, make(self, PAGES - 1, 2));
	EXPECT_EQ(-EINVAL, make(self, 1, UINT32_MAX));
}

TEST_F(extent, a_priority_beyond_the_last_is_einval)
{
	EXPECT_EQ(-EINVAL, pashm_extent_create(self->region, 20, 1,
					       PASHM_PRIORITY_MAX + 1,
					       &self->made));
}

TEST_F(extent, one_that_reaches_in_from_the_left_is_erange)
{
	EXPECT_EQ(-ERANGE, make(self, HEAD + LENGTH - 1, 4));
	expect_unchanged(_metadata, self, 1);
	EXPECT_EQ(-ERANGE, pashm_unpin(self->region, HEAD + LENGTH - 1));
}

TEST_F(extent, one_that_reaches_out_to_the_right_is_erange)
{
	EXPECT_EQ(-ERANGE, make(self, HEAD - 2, 4));
	expect_unchanged(_metadata, self, 1);
	EXPECT_EQ(-ERANGE, pashm_unpin(self->region, HEAD - 2));
}

TEST_F(extent, one_inside_another_is_erange)
{
	EXPECT_EQ(-ERANGE, make(self, HEAD + 1, 1));
	expect_unchanged(_metadata, self, 1);
}

TEST_F(extent, neighbours_may_touch)
{
	EXPECT_EQ(0, make(self, HEAD - 2, 2));
	EXPECT_EQ(0, make(self, HEAD + LENGTH, 2));
	expect_unchanged(_metadata, self, 1);
	EXPECT_EQ(3, backend_info(self->region).extents);
}

TEST_F(extent, a_pinned_one_in_the_middle_is_ebusy)
{
	EXPECT_EQ(-EBUSY, make(self, HEAD - 1, LENGTH + 2));
	expect_unchanged(_metadata, self, 1);
}

TEST_F(extent, one_over_itself_ends_the_old_one)
{
	ASSERT_EQ(0, make(self, HEAD, LENGTH));
	EXPECT_NE(self->handle.generation, self->made.generation);
	EXPECT_EQ(2, pashm_pin_count(self->view->pins[HEAD]));
	EXPECT_EQ(0, pashm_pin(self->region, self->handle, &self->verdict));
	EXPECT_EQ(PASHM_STALE, self->verdict);
	EXPECT_EQ(0x5a, self->view->data[HEAD * PAGE]);
}

TEST_F(extent, two_neighbours_merge)
{
	struct pashm_handle right;

	ASSERT_EQ(0, pashm_extent_create(self->region, HEAD + LENGTH, 2, 3,
					 &right));
	ASSERT_EQ(0, pashm_unpin(self->region, HEAD + LENGTH));
	ASSERT_EQ(0, pashm_unpin(self->region, HEAD));
	ASSERT_EQ(0, make(self, HEAD, LENGTH + 2));
	EXPECT_EQ(1, backend_info(self->region).extents);
	EXPECT_EQ(0, pashm_pin(self->region, right, &self->verdict));
	EXPECT_EQ(PASHM_STALE, self->verdict);
	EXPECT_EQ(0, pashm_pin(self->region, self->handle, &self->verdict));
	EXPECT_EQ(PASHM_STALE, self->verdict);
	EXPECT_EQ(0x5a, self->view->data[(HEAD + LENGTH) * PAGE]);
	ASSERT_EQ(0, pashm_unpin(self->region, HEAD));
	EXPECT_EQ((LENGTH + 2) * PAGE, backend_purge(self->region));
}

TEST_F(extent, one_splits_in_two)
{
	struct pashm_handle left, right;

	ASSERT_EQ(0, destroy(self, HEAD));
	ASSERT_EQ(0, pashm_extent_create(self->region, HEAD, 2, 3, &left));
	ASSERT_EQ(0, pashm_extent_create(self->region, HEAD + 2, 2, 3, &right));
	EXPECT_EQ(2, backend_info(self->region).extents);
	ASSERT_EQ(0, pashm_unpin(self->region, HEAD + 2));
	EXPECT_EQ(2 * PAGE, backend_purge(self->region));
	EXPECT_EQ(0x5a, self->view->data[HEAD * PAGE]);
	EXPECT_EQ(0, self->view->data[(HEAD + 2) * PAGE]);
	EXPECT_EQ(0, pashm_pin(self->region, right, &self->verdict));
	EXPECT_EQ(PASHM_PURGED, self->verdict);
}

TEST_F(extent, unmanaged_pages_are_never_purged)
{
	ASSERT_EQ(0, pashm_unpin(self->region, HEAD));
	EXPECT_EQ(LENGTH * PAGE, backend_purge(self->region));
	EXPECT_EQ(0x5a, self->view->data[HEAD * PAGE - 1]);
	EXPECT_EQ(0x5a, self->view->data[(HEAD + LENGTH) * PAGE]);
	EXPECT_EQ((PAGES - LENGTH) * PAGE,
		  backend_info(self->region).resident);
}

TEST_F(extent, a_destroyed_one_leaves_its_bytes)
{
	ASSERT_EQ(0, destroy(self, HEAD));
	EXPECT_EQ(0, backend_info(self->region).extents);
	EXPECT_EQ(-ERANGE, pashm_unpin(self->region, HEAD));
	EXPECT_EQ(0, backend_purge(self->region));
	EXPECT_EQ(0x5a, self->view->data[HEAD * PAGE]);
}

TEST_F(extent, a_discarded_one_gives_its_pages_back)
{
	ASSERT_EQ(0, pashm_extent_destroy(self->region, HEAD,
					  PASHM_EXTENT_DISCARD));
	EXPECT_EQ((PAGES - LENGTH) * PAGE,
		  backend_info(self->region).resident);
	EXPECT_EQ(0, self->view->data[HEAD * PAGE]);
	EXPECT_EQ(0x5a, self->view->data[HEAD * PAGE - 1]);
	EXPECT_EQ(0x5a, self->view->data[(HEAD + LENGTH) * PAGE]);
}

TEST_F(extent, destroying_with_an_unknown_flag_is_einval)
{
	EXPECT_EQ(-EINVAL, pashm_extent_destroy(self->region, HEAD, 1U << 1));
	expect_unchanged(_metadata, self, 1);
}

TEST_F(extent, destroying_where_none_starts_is_einval)
{
	EXPECT_EQ(-EINVAL, destroy(self, HEAD + 1));
	EXPECT_EQ(-EINVAL, destroy(self, 0));
	EXPECT_EQ(-EINVAL, destroy(self, PAGES));
}

TEST_F(extent, destroying_an_unpinned_one_is_erange)
{
	ASSERT_EQ(0, pashm_unpin(self->region, HEAD));
	EXPECT_EQ(-ERANGE, destroy(self, HEAD));
	expect_unchanged(_metadata, self, 0);
}

TEST_F(extent, destroying_one_that_is_pinned_twice_is_ebusy)
{
	ASSERT_EQ(0, pashm_pin(self->region, self->handle, &self->verdict));
	EXPECT_EQ(-EBUSY, destroy(self, HEAD));
	expect_unchanged(_metadata, self, 2);
}

TEST_F(extent, a_full_count_is_eagain)
{
	uint32_t full = (PASHM_COUNT_LIMIT - 1) << PASHM_PIN_COUNT_SHIFT;

	self->view->pins[HEAD] = full;
	EXPECT_EQ(-EAGAIN, make(self, HEAD, LENGTH));
	expect_unchanged(_metadata, self, PASHM_COUNT_LIMIT - 1);
}

FIXTURE(shared)
{
	struct pashm_region *region;
	struct pashm_region *other;
	struct pashm_handle handle;
	enum pashm_verdict verdict;
};

FIXTURE_VARIANT(shared)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(shared, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(shared, memfd) { .backend = PASHM_BACKEND_MEMFD };

/* Two clients; the first has made the extent, the second has it pinned */
FIXTURE_SETUP(shared)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, 0, &self->region));
	ASSERT_EQ(0, pashm_region_import(pashm_region_fd(self->region),
					 &self->other));
	ASSERT_EQ(0, pashm_extent_create(self->region, HEAD, LENGTH, 3,
					 &self->handle));
	ASSERT_EQ(0, pashm_pin(self->other, self->handle, &self->verdict));
	ASSERT_EQ(PASHM_INTACT, self->verdict);
}

FIXTURE_TEARDOWN(shared)
{
	pashm_region_close(self->other);
	pashm_region_close(self->region);
}

TEST_F(shared, destroying_what_another_client_has_pinned_is_ebusy)
{
	EXPECT_EQ(-EBUSY, pashm_extent_destroy(self->region, HEAD, 0));
	EXPECT_EQ(-EBUSY, pashm_extent_destroy(self->region, HEAD,
					       PASHM_EXTENT_DISCARD));
	ASSERT_EQ(0, pashm_unpin(self->other, HEAD));
	EXPECT_EQ(0, pashm_extent_destroy(self->region, HEAD, 0));
}

TEST_F(shared, replacing_what_another_client_has_pinned_is_ebusy)
{
	struct pashm_handle made;

	EXPECT_EQ(-EBUSY, pashm_extent_create(self->region, HEAD, LENGTH, 3,
					      &made));
	EXPECT_EQ(-EBUSY, pashm_extent_create(self->region, HEAD - 2,
					      LENGTH + 4, 3, &made));
	ASSERT_EQ(0, pashm_unpin(self->other, HEAD));
	EXPECT_EQ(0, pashm_extent_create(self->region, HEAD, LENGTH, 3, &made));
}

TEST_F(shared, what_one_client_made_another_may_destroy)
{
	ASSERT_EQ(0, pashm_unpin(self->region, HEAD));
	EXPECT_EQ(0, pashm_extent_destroy(self->other, HEAD, 0));
	EXPECT_EQ(0, pashm_pin(self->region, self->handle, &self->verdict));
	EXPECT_EQ(PASHM_STALE, self->verdict);
}

TEST_F(shared, the_pin_of_a_closed_client_no_longer_counts)
{
	pashm_region_close(self->other);
	self->other = NULL;
	EXPECT_EQ(0, pashm_extent_destroy(self->region, HEAD, 0));
}

TEST_HARNESS_MAIN
