// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which extents go first, how many, and the thread that takes them. */
#include <time.h>
#include "common.h"
#include "registry.h"

static struct pashm_handle extent_at(struct pashm_region *region,
				     uint32_t page, uint32_t priority)
{
	struct pashm_handle handle;

	assert_int_equal(pashm_extent_create(region, page, 1, priority,
					     &handle), 0);
	memset(pashm_address(region, page), 'a', page_size());
	unpin(region, handle);
	return handle;
}

/* Without letting a pin freshen it */
static bool is_lost(struct pashm_region *region, struct pashm_handle handle)
{
	return pashm_generation(region, handle.page) != handle.generation;
}

static void epoch_advance(struct pashm_region *region, uint32_t epochs)
{
	__atomic_fetch_add(&memfd_region(region)->header->base.epoch, epochs,
			   __ATOMIC_RELAXED);
}

static void the_lowest_priority_goes_first(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handles[8];
	uint32_t i, left;

	for (i = 0; i < 8; i++)
		handles[i] = extent_at(region, i * 8, 7 - i);
	for (left = 8; left--; ) {
		assert_int_equal(reclaim(region, 1), 1);
		for (i = 0; i < 8; i++)
			assert_int_equal(is_lost(region, handles[i]),
					 i >= left);
	}
	assert_int_equal(reclaim(region, 1), 0);
}

static void the_longest_unused_goes_first(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle old, middle, young;

	young = extent_at(region, 0, 3);
	middle = extent_at(region, 1, 3);
	old = extent_at(region, 2, 3);
	epoch_advance(region, 20);
	assert_int_equal(pin(region, middle), PASHM_INTACT);
	unpin(region, middle);
	epoch_advance(region, 5);
	assert_int_equal(pin(region, young), PASHM_INTACT);
	unpin(region, young);
	assert_int_equal(reclaim(region, 1), 1);
	assert_true(is_lost(region, old));
	assert_int_equal(reclaim(region, 1), 1);
	assert_true(is_lost(region, middle));
	assert_false(is_lost(region, young));
}

static void often_used_counts_as_younger(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle often, once;
	int i;

	often = extent_at(region, 0, 3);
	for (i = 0; i < 5; i++) {
		epoch_advance(region, 1);
		assert_int_equal(pin(region, often), PASHM_INTACT);
		unpin(region, often);
	}
	once = extent_at(region, 1, 3);
	epoch_advance(region, 9);
	assert_int_equal(reclaim(region, 1), 1);
	assert_true(is_lost(region, once));
	assert_false(is_lost(region, often));
}

static void no_more_is_taken_than_asked_rounded_up_to_extents(void **test)
{
	struct pashm_region *region = *test;
	uint32_t page;

	for (page = 0; page < PAGES; page += 4)
		unpin(region, extent_new(region, page, 4, 'a'));
	assert_int_equal(reclaim(region, 1), 4);
	assert_int_equal(reclaim(region, 9), 12);
	assert_int_equal(reclaim(region, PAGES), PAGES - 16);
	assert_int_equal(reclaim(region, 1), 0);
}

static void the_hand_goes_round(void **test)
{
	struct pashm_region *region = *test;
	uint32_t page;
	int round;

	for (round = 0; round < 5; round++) {
		for (page = 0; page < PAGES; page++)
			extent_at(region, page, 3);
		for (page = 0; page < PAGES; page += 16)
			assert_int_equal(reclaim(region, 16), 16);
	}
}

static void the_epoch_moves_while_memory_is_replaced(void **test)
{
	struct pashm_region *region = *test;
	const struct pashm_header *header = region->view.header;
	uint32_t page, first, i;

	for (page = 0; page < PAGES; page++)
		extent_at(region, page, 3);
	first = header->epoch;
	for (i = 0; i < PAGES; i += 4)
		assert_int_equal(reclaim(region, 4), 4);
	assert_true(header->epoch - first >= 8);
	assert_true(header->epoch - first <= 16);
}

/* What comes last may be what should go first, wherever the hand is */
static void a_low_priority_that_comes_later_goes_first(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle high[8], low;
	uint32_t i;

	for (i = 0; i < 8; i++)
		high[i] = extent_at(region, 8 + i, 5);
	assert_int_equal(reclaim(region, 1), 1);
	assert_true(is_lost(region, high[0]));
	low = extent_at(region, 0, 1);
	assert_int_equal(reclaim(region, 1), 1);
	assert_true(is_lost(region, low));
	for (i = 1; i < 8; i++)
		assert_false(is_lost(region, high[i]));
}

static void a_note_is_never_taken_for_none(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_header *header = &memfd_region(region)->header->base;
	uint32_t page;

	header->epoch = 0x1ff;
	for (page = 0; page < PAGES; page++)
		extent_at(region, page, 3);
	assert_int_equal(purge(region), PAGES);
	assert_true(header->epoch > 0x1ff);
	assert_true(header->epoch & 0xff);
}

static struct pashm_region *watched_new(uint32_t flags)
{
	struct pashm_region_params params = {
		.length = PAGES * page_size(), .backend = PASHM_BACKEND_MEMFD,
		.flags = flags,
	};
	struct pashm_region *region;

	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_WRITE,
					  NULL), 0);
	return region;
}

/* Who goes first does not depend on the region that it is in */
static void priorities_hold_across_regions(void **test)
{
	struct pashm_region *regions[3];
	struct pashm_handle low, high[3];
	int i;

	(void)test;
	for (i = 0; i < 3; i++) {
		regions[i] = watched_new(PASHM_REGION_SOLE);
		high[i] = extent_at(regions[i], 0, 7);
	}
	for (i = 0; i < 3; i++) {
		low = extent_at(regions[i], 8, 0);
		assert_int_equal(pashm_registry_reclaim(1), 1);
		assert_true(is_lost(regions[i], low));
	}
	for (i = 0; i < 3; i++) {
		assert_false(is_lost(regions[i], high[i]));
		pashm_region_close(regions[i]);
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One of several regions has a purge lock that does not become free */
static void a_stopped_peer_does_not_stop_the_others_reclaim(void **test)
{
	struct pashm_region *stuck = watched_new(0), *free_one;
	struct pashm_region *peer = region_join(stuck);
	struct pashm_handle handle;
	int64_t start;
	int i;

	(void)test;
	free_one = watched_new(0);
	assert_int_equal(pashm_memfd_lock(memfd_region(peer), 0), 0);
	start = now_ms();
	for (i = 0; i < 20; i++) {
		handle = extent_at(free_one, 0, 3);
		pashm_registry_reclaim(1);
		assert_true(is_lost(free_one, handle));
	}
	assert_true(now_ms() - start < 2000);
	pashm_memfd_unlock(memfd_region(peer));
	pashm_region_close(free_one);
	pashm_region_close(peer);
	pashm_region_close(stuck);
}

static void regions_take_turns(void **test)
{
	struct pashm_region_params params = {
		.length = page_size(), .backend = PASHM_BACKEND_MEMFD,
	};
	struct pashm_region *regions[4];
	struct pashm_handle handles[4];
	int i, lost = 0;

	(void)test;
	for (i = 0; i < 4; i++) {
		assert_int_equal(pashm_region_create(&params, &regions[i]), 0);
		assert_int_equal(pashm_region_map(regions[i],
						  PROT_READ | PROT_WRITE,
						  NULL), 0);
		handles[i] = extent_at(regions[i], 0, 3);
	}
	/* The thread may take them, too, if this machine is short of memory */
	pashm_registry_reclaim(2);
	for (i = 0; i < 4; i++)
		lost += is_lost(regions[i], handles[i]);
	assert_true(lost >= 2);
	pashm_registry_reclaim(100);
	for (i = 0; i < 4; i++)
		assert_true(is_lost(regions[i], handles[i]));
	for (i = 0; i < 4; i++)
		pashm_region_close(regions[i]);
}

static void the_thread_comes_and_goes_with_the_regions(void **test)
{
	struct pashm_region_params params = {
		.length = page_size(), .backend = PASHM_BACKEND_MEMFD,
	};
	struct pashm_region *first, *second;
	int i;

	(void)test;
	for (i = 0; i < 50; i++) {
		assert_int_equal(pashm_region_create(&params, &first), 0);
		assert_non_null(first->pressure);
		assert_int_equal(pashm_region_create(&params, &second), 0);
		assert_ptr_equal(first->pressure, second->pressure);
		pashm_region_close(first);
		pashm_region_close(second);
	}
}

/* ThreadSanitizer gives up on threads of a child of a process with threads */
#if !defined(__SANITIZE_THREAD__)
static void a_child_starts_a_thread_of_its_own(void **test)
{
	struct pashm_region_params params = {
		.length = page_size(), .backend = PASHM_BACKEND_MEMFD,
	};
	struct pashm_region *region, *own;
	pid_t pid;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	pid = fork();
	if (pid == 0) {
		if (pashm_region_import(pashm_region_fd(region), &own) ||
		    !own->pressure || region->pressure)
			_exit(1);
		pashm_region_close(region);
		pashm_region_close(own);
		_exit(0);
	}
	assert_int_equal(child_status(pid), 0);
	pashm_region_close(region);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(the_lowest_priority_goes_first),
		BOTH(the_longest_unused_goes_first),
		SHARED(often_used_counts_as_younger),
		BOTH(no_more_is_taken_than_asked_rounded_up_to_extents),
		BOTH(the_hand_goes_round),
		BOTH(the_epoch_moves_while_memory_is_replaced),
		BOTH(a_low_priority_that_comes_later_goes_first),
		BOTH(a_note_is_never_taken_for_none),
		cmocka_unit_test(priorities_hold_across_regions),
		cmocka_unit_test(a_stopped_peer_does_not_stop_the_others_reclaim),
		cmocka_unit_test(regions_take_turns),
		cmocka_unit_test(the_thread_comes_and_goes_with_the_regions),
#if !defined(__SANITIZE_THREAD__)
		cmocka_unit_test(a_child_starts_a_thread_of_its_own),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
