// SPDX-License-Identifier: LGPL-2.1-or-later
/* Extents: geometry, its errors, and what handles learn of changes. */
#include "common.h"

static int make(struct pashm_region *region, uint32_t page, uint32_t pages)
{
	struct pashm_handle handle;

	return pashm_extent_create(region, page, pages, 3, &handle);
}

static void a_new_extent_is_pinned_once(void **test)
{
	struct pashm_region *region = *test;

	assert_int_equal(make(region, 5, 3), 0);
	assert_int_equal(count_of(region, 5), 1);
	assert_int_equal(pashm_state_length(region->view.states[5]), 3);
}

static void bad_ranges_are_refused(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle;

	assert_int_equal(make(region, PAGES, 1), -EINVAL);
	assert_int_equal(make(region, 0, 0), -EINVAL);
	assert_int_equal(make(region, 0, PAGES + 1), -EINVAL);
	assert_int_equal(make(region, PAGES - 1, 2), -EINVAL);
	assert_int_equal(make(region, 1, UINT32_MAX), -EINVAL);
	assert_int_equal(pashm_extent_create(region, 0, 1,
					     PASHM_PRIORITY_MAX + 1, &handle),
			 -EINVAL);
	assert_int_equal(pashm_extent_destroy(region, PAGES, 0), -EINVAL);
	assert_int_equal(pashm_extent_destroy(region, 0, 0), -EINVAL);
	assert_int_equal(make(region, 0, 1), 0);
	assert_int_equal(pashm_extent_destroy(region, 0, ~0U), -EINVAL);
}

static void borders_are_respected_on_both_sides(void **test)
{
	struct pashm_region *region = *test;

	unpin(region, extent_new(region, 10, 4, 'a'));
	assert_int_equal(make(region, 12, 1), -ERANGE);
	assert_int_equal(make(region, 13, 4), -ERANGE);
	assert_int_equal(make(region, 8, 3), -ERANGE);
	assert_int_equal(make(region, 10, 3), -ERANGE);
	assert_int_equal(make(region, 9, 1), 0);
	assert_int_equal(make(region, 14, 1), 0);
	assert_int_equal(count_of(region, 8) + count_of(region, 10) +
			 count_of(region, 12) + count_of(region, 13), 0);
}

static void a_pinned_extent_inside_the_range_is_busy(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 4, 2, 'a');

	assert_int_equal(make(region, 0, 8), -EBUSY);
	assert_int_equal(count_of(region, 0), 0);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	unpin(region, handle);
	unpin(region, handle);
	assert_int_equal(make(region, 0, 8), 0);
	assert_int_equal(pin(region, handle), PASHM_STALE);
}

static void the_callers_pins_on_the_first_page_do_not_matter(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle old = extent_new(region, 0, 2, 'a'), handle;

	assert_int_equal(pin(region, old), PASHM_INTACT);
	assert_int_equal(pashm_extent_create(region, 0, 4, 1, &handle), 0);
	assert_int_equal(count_of(region, 0), 3);
	assert_true(filled(region, 0, 2, 'a'));
	assert_int_equal(pin(region, old), PASHM_STALE);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_int_equal(pashm_state_priority(region->view.states[0]), 1);
}

static int priority_got(struct pashm_region *region)
{
	struct pashm_handle handle;

	assert_int_equal(pashm_extent_create(region, 0, 1,
					     PASHM_PRIORITY_REGION, &handle), 0);
	return (int)pashm_state_priority(region->view.states[0]);
}

/* The header can be written by whoever has the region */
static void a_regions_priority_is_one_whatever_its_header_says(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_header *header =
		(struct pashm_header *)(uintptr_t)region->view.header;

	assert_int_equal(priority_got(region), PASHM_PRIORITY_DEFAULT);
	header->priority = 6;
	assert_int_equal(priority_got(region), PASHM_PRIORITY_DEFAULT);
	header->flags |= PASHM_REGION_PRIORITY;
	assert_int_equal(priority_got(region), 6);
	header->priority = UINT32_MAX;
	assert_int_equal(priority_got(region), PASHM_PRIORITY_DEFAULT);
}

static void extents_merge_and_split_with_their_contents(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle a, b, whole;

	a = extent_new(region, 0, 2, 'a');
	b = extent_new(region, 2, 2, 'b');
	unpin(region, a);
	unpin(region, b);
	assert_int_equal(pashm_extent_create(region, 0, 4, 3, &whole), 0);
	assert_true(filled(region, 0, 2, 'a'));
	assert_true(filled(region, 2, 2, 'b'));
	assert_int_equal(pashm_extent_destroy(region, 0, 0), 0);
	assert_int_equal(make(region, 0, 2), 0);
	assert_int_equal(make(region, 2, 2), 0);
	assert_true(filled(region, 0, 2, 'a'));
	assert_true(filled(region, 2, 2, 'b'));
	assert_int_equal(pin(region, whole), PASHM_STALE);
}

static void unmanaged_pages_are_never_taken(void **test)
{
	struct pashm_region *region = *test;

	extent_new(region, 0, 4, 'a');
	assert_int_equal(pashm_extent_destroy(region, 0, 0), 0);
	assert_int_equal(purge(region), 0);
	assert_true(filled(region, 0, 4, 'a'));
	assert_int_equal(count_of(region, 0), 0);
}

static void discarding_gives_the_pages_back(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_region_info info;

	extent_new(region, 0, 4, 'a');
	assert_int_equal(pashm_extent_destroy(region, 0, PASHM_EXTENT_DISCARD),
			 0);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.resident, 0);
	assert_int_equal(info.extents, 0);
	assert_int_equal(count_of(region, 0), 0);
}

static void ending_needs_exactly_one_pin(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');

	assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_int_equal(pashm_extent_destroy(region, 0, 0), -EBUSY);
	unpin(region, handle);
	unpin(region, handle);
	assert_int_equal(pashm_extent_destroy(region, 0, 0), -ERANGE);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_int_equal(pashm_extent_destroy(region, 0, 0), 0);
	assert_int_equal(pin(region, handle), PASHM_STALE);
}

static void another_clients_pin_keeps_an_extent_as_it_is(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	struct pashm_handle handle = extent_new(region, 4, 2, 'a');

	assert_int_equal(pin(other, handle), PASHM_INTACT);
	assert_int_equal(pashm_extent_destroy(region, 4, 0), -EBUSY);
	unpin(region, handle);
	assert_int_equal(make(region, 4, 2), -EBUSY);
	assert_int_equal(make(region, 0, 8), -EBUSY);
	assert_int_equal(count_of(region, 0) + count_of(region, 4), 0);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	unpin(other, handle);
	assert_int_equal(pashm_extent_destroy(region, 4, 0), 0);
	assert_int_equal(pin(other, handle), PASHM_STALE);
	pashm_region_close(other);
}

/* Purged and replaced must differ: the first may be refilled, the second not */
static void reuse_of_purged_pages_makes_handles_stale(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle old = extent_new(region, 0, 1, 'a'), handle;

	unpin(region, old);
	assert_int_equal(purge(region), 1);
	assert_int_equal(pashm_extent_create(region, 0, 1, 3, &handle), 0);
	assert_int_equal(pin(region, old), PASHM_STALE);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
}

static void a_generation_is_never_set_back(void **test)
{
	struct pashm_region *region = *test;
	uint32_t last[8] = { 0 }, now;
	unsigned int i, page, seed = 1;

	for (i = 0; i < 2000; i++) {
		page = (seed = seed * 1103515245 + 12345) >> 16 & 7;
		if (!make(region, page, 1 + (seed >> 20) % (8 - page)) &&
		    seed >> 30 & 1)
			assert_int_equal(pashm_extent_destroy(region, page, 0),
					 count_of(region, page) == 1 ? 0 :
					 -EBUSY);
		while (count_of(region, page))
			assert_int_equal(pashm_unpin(region, page), 0);
		purge(region);
		for (page = 0; page < 8; page++) {
			now = pashm_generation(region, page);
			assert_true(now - last[page] < 100);
			last[page] = now;
		}
	}
}

/* A head whose length leads out of the region, as another client may write */
static void a_forged_length_is_refused(void **test)
{
	struct pashm_region *region = *test;

	extent_new(region, PAGES - 4, 2, 'a');
	region->view.states[PAGES - 4] |= PASHM_STATE_LENGTH_MASK;
	assert_int_equal(pashm_extent_destroy(region, PAGES - 4, 0), -EINVAL);
	assert_int_equal(pashm_extent_destroy(region, PAGES - 4,
					      PASHM_EXTENT_DISCARD), -EINVAL);
	assert_int_equal(purge(region), 0);
}

static void a_forged_purging_does_not_stand_in_the_way(void **test)
{
	struct pashm_region *region = *test;

	unpin(region, extent_new(region, 8, 4, 'a'));
	region->view.states[8] |= PASHM_STATE_PURGING;
	assert_int_equal(make(region, 8, 4), 0);
	assert_int_equal(count_of(region, 8), 1);
}

static void count_set(struct pashm_region *region, uint32_t page,
		      uint32_t count)
{
	region->view.pins[page] = count << PASHM_PIN_COUNT_SHIFT;
}

/* A thread may unpin while another has the count frozen */
static void an_unpin_of_a_frozen_count_is_none_too_many(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 8, 4, 'a');
	enum pashm_verdict verdict;

	count_set(region, 8, PASHM_COUNT_LIMIT + 2);
	assert_int_equal(pashm_pin(region, handle, &verdict), -EAGAIN);
	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle),
			 -EAGAIN);
	assert_int_equal(pashm_extent_destroy(region, 8, 0), -EAGAIN);
	assert_int_equal(pashm_unpin(region, 8), 0);
	assert_int_equal(pashm_unpin(region, 8), 0);
	assert_int_equal(pashm_unpin(region, 8), -ERANGE);
	assert_int_equal(count_of(region, 8), PASHM_COUNT_LIMIT);
	count_set(region, 8, PASHM_COUNT_LIMIT / 2);
	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle),
			 -EAGAIN);
	assert_int_equal(count_of(region, 8), PASHM_COUNT_LIMIT / 2);
	count_set(region, 8, PASHM_COUNT_LIMIT / 2 - 1);
	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle), 0);
	assert_int_equal(count_of(region, 8), PASHM_COUNT_LIMIT / 2);
}

static void what_is_pinned_too_often_is_not_made_anew(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 8, 4, 'a'), made;

	while (count_of(region, 8) < PASHM_COUNT_LIMIT - 1)
		assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &made), -EAGAIN);
	assert_int_equal(count_of(region, 8), PASHM_COUNT_LIMIT - 1);
	unpin(region, handle);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
}

static void what_is_busy_half_way_ends_nothing(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle first = extent_new(region, 2, 2, 'a');
	struct pashm_handle pinned = extent_new(region, 6, 2, 'b');

	unpin(region, first);
	assert_int_equal(make(region, 0, 16), -EBUSY);
	assert_int_equal(count_of(region, 0) + count_of(region, 2), 0);
	assert_int_equal(count_of(region, 6), 1);
	assert_int_equal(pin(region, first), PASHM_INTACT);
	assert_int_equal(pin(region, pinned), PASHM_INTACT);
}

/* How often it was used is the number of epochs that it was used in */
static void a_new_extent_has_not_been_used_often(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');
	uint32_t *word = &region->view.pins[0];
	unsigned int i;

	for (i = 1; i < 2 * PASHM_FREQUENCY_MAX; i++) {
		/* As if the last use had been in an epoch that is over */
		((uint8_t *)word)[PASHM_PIN_RECENCY_BYTE] ^= 0x80;
		assert_int_equal(pin(region, handle), PASHM_INTACT);
		unpin(region, handle);
		assert_int_equal(pin(region, handle), PASHM_INTACT);
		unpin(region, handle);
		assert_int_equal(pashm_pin_frequency(*word),
				 i < PASHM_FREQUENCY_MAX ? i :
				 PASHM_FREQUENCY_MAX);
	}
	assert_int_equal(pashm_extent_destroy(region, 0, 0), 0);
	assert_int_equal(make(region, 0, 1), 0);
	assert_int_equal(pashm_pin_frequency(*word), 0);
	assert_int_equal(pashm_pin_recency(*word), 0);
}

static void a_border_far_away_is_found(void **test)
{
	struct pashm_region_params params = {
		.length = 1ULL << 36, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD | PASHM_REGION_SOLE,
	};
	struct pashm_region *region;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(make(region, 1000, 1U << 23), 0);
	assert_int_equal(make(region, 1U << 23, 1), -ERANGE);
	assert_int_equal(make(region, 1000 + (1U << 23), 1), 0);
	assert_int_equal(make(region, 0, 1U << 20), -ERANGE);
	assert_int_equal(make(region, 0, 1000), 0);
	pashm_region_close(region);
}

static void table_pages_are_crossed_without_harm(void **test)
{
	struct pashm_region_params params = {
		.length = 64 << 20, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD | PASHM_REGION_SOLE,
	};
	struct pashm_region *region;
	uint32_t page;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	for (page = 0; page + 7 <= 16384; page += 7)
		assert_int_equal(make(region, page, 7), 0);
	for (page = 1; page + 7 <= 16384; page += 7)
		assert_int_equal(make(region, page, 1), -ERANGE);
	pashm_region_close(region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_new_extent_is_pinned_once),
		BOTH(bad_ranges_are_refused),
		BOTH(borders_are_respected_on_both_sides),
		BOTH(a_pinned_extent_inside_the_range_is_busy),
		BOTH(the_callers_pins_on_the_first_page_do_not_matter),
		BOTH(a_regions_priority_is_one_whatever_its_header_says),
		BOTH(extents_merge_and_split_with_their_contents),
		BOTH(unmanaged_pages_are_never_taken),
		BOTH(discarding_gives_the_pages_back),
		BOTH(ending_needs_exactly_one_pin),
		SHARED(another_clients_pin_keeps_an_extent_as_it_is),
		BOTH(reuse_of_purged_pages_makes_handles_stale),
		BOTH(a_generation_is_never_set_back),
		BOTH(a_forged_length_is_refused),
		BOTH(a_forged_purging_does_not_stand_in_the_way),
		SOLE(an_unpin_of_a_frozen_count_is_none_too_many),
		BOTH(what_is_pinned_too_often_is_not_made_anew),
		BOTH(what_is_busy_half_way_ends_nothing),
		BOTH(a_new_extent_has_not_been_used_often),
		cmocka_unit_test(a_border_far_away_is_found),
		cmocka_unit_test(table_pages_are_crossed_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
