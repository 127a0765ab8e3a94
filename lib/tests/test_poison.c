// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What AddressSanitizer is told. Where it is not there, this program plays its part
 * and remembers by the byte, so that the same is tested in each build.
 */
#include <pthread.h>
#include "common.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

static bool is_poisoned(const void *address)
{
	return __asan_address_is_poisoned(address);
}
#else
void __asan_poison_memory_region(void const volatile *address, size_t size);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);

/* By page: that is what extents are made of. Of one region at a time */
static const char *base;
static unsigned char poisoned[PAGES];

static void mark(const volatile void *address, size_t size, unsigned char how)
{
	size_t page = (size_t)((const char *)address - base) / page_size();
	size_t end = page + size / page_size();

	assert_true(base && end <= PAGES);
	for (; page < end; page++)
		__atomic_store_n(&poisoned[page], how, __ATOMIC_RELAXED);
}

void __asan_poison_memory_region(void const volatile *address, size_t size)
{
	mark(address, size, 1);
}

void __asan_unpoison_memory_region(void const volatile *address, size_t size)
{
	if (base)
		mark(address, size, 0);
}

static bool is_poisoned(const void *address)
{
	size_t page = (size_t)((const char *)address - base) / page_size();

	return __atomic_load_n(&poisoned[page], __ATOMIC_RELAXED);
}
#endif

static int setup(void **test)
{
	setenv("PASHM_POISON", "1", 1);
	*test = region_new(PASHM_REGION_SOLE);
#ifndef __SANITIZE_ADDRESS__
	base = pashm_address(*test, 0);
	memset(poisoned, 0, sizeof(poisoned));
#endif
	return 0;
}

static int teardown(void **test)
{
	pashm_region_close(*test);
#ifndef __SANITIZE_ADDRESS__
	base = NULL;
#endif
	return 0;
}

static bool touchable(struct pashm_region *region, uint32_t page)
{
	return !is_poisoned(pashm_address(region, page));
}

static void unpinned_memory_is_poisoned(void **test)
{
	struct pashm_handle handle = extent_new(*test, 4, 3, 'a');

	assert_true(touchable(*test, 4) && touchable(*test, 6));
	unpin(*test, handle);
	assert_false(touchable(*test, 4) || touchable(*test, 5) ||
		     touchable(*test, 6));
	/* What is no extent's is nobody's business */
	assert_true(touchable(*test, 3) && touchable(*test, 7));
	assert_int_equal(pin(*test, handle), PASHM_INTACT);
	assert_int_equal(pin(*test, handle), PASHM_INTACT);
	assert_true(filled(*test, 4, 3, 'a'));
	unpin(*test, handle);
	assert_true(touchable(*test, 4) && touchable(*test, 6));
	unpin(*test, handle);
	assert_false(touchable(*test, 4) || touchable(*test, 6));
	assert_int_equal(pashm_unpin(*test, 4), -ERANGE);
}

static void what_is_purged_can_be_filled_again(void **test)
{
	struct pashm_handle handle = extent_new(*test, 4, 3, 'a');

	unpin(*test, handle);
	assert_int_equal(purge(*test), 3);
	assert_false(touchable(*test, 4));
	assert_int_equal(pin(*test, handle), PASHM_PURGED);
	assert_true(filled(*test, 4, 3, 0));
	assert_int_equal(pashm_extent_destroy(*test, 4, 0), 0);
	assert_true(touchable(*test, 4));
	assert_int_equal(pin(*test, handle), PASHM_STALE);
	assert_true(touchable(*test, 4));
}

static void extents_that_end_free_what_was_poisoned(void **test)
{
	unpin(*test, extent_new(*test, 8, 2, 'a'));
	unpin(*test, extent_new(*test, 10, 2, 'b'));
	assert_false(touchable(*test, 9) || touchable(*test, 11));
	extent_new(*test, 8, 4, 'c');
	assert_true(filled(*test, 8, 4, 'c'));
}

static void a_region_takes_its_poison_with_it(void **test)
{
	struct pashm_region *region = *test;
	char *address = pashm_address(region, 4);

	unpin(region, extent_new(region, 4, 3, 'a'));
	assert_true(is_poisoned(address));
	pashm_region_close(region);
	assert_false(is_poisoned(address));
#ifndef __SANITIZE_ADDRESS__
	base = NULL;
#endif
	*test = NULL;
}

/* 1 TiB: telling of all of it would take 128 GiB of a sanitizer's memory */
static void what_was_never_used_is_not_told(void **test)
{
	struct pashm_region_params params = {
		.length = 1ULL << 40, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region *region;

	(void)test;
	setenv("PASHM_POISON", "1", 1);
	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_WRITE, NULL),
			 0);
#ifndef __SANITIZE_ADDRESS__
	base = pashm_address(region, 0);
#endif
	unpin(region, extent_new(region, 1, 2, 'a'));
	assert_false(touchable(region, 1));
	pashm_region_close(region);
#ifndef __SANITIZE_ADDRESS__
	base = NULL;
#endif
}

static void who_does_not_want_it_need_not(void **test)
{
	struct pashm_region *region;

	(void)test;
	setenv("PASHM_POISON", "0", 1);
	region = region_new(0);
	unpin(region, extent_new(region, 4, 3, 'a'));
	assert_true(filled(region, 4, 3, 'a'));
	pashm_region_close(region);
}

/* One thread's last unpin does not poison what another has just pinned */
static void *pin_often(void *argument)
{
	struct pashm_region *region = argument;
	struct pashm_handle handle = {
		.page = 4, .generation = pashm_generation(region, 4),
	};
	enum pashm_verdict verdict;
	int i;

	for (i = 0; i < 20000; i++) {
		if (pashm_pin(region, handle, &verdict) ||
		    verdict != PASHM_INTACT || !touchable(region, 4) ||
		    !touchable(region, 6) || pashm_unpin(region, 4))
			return region;
	}
	return NULL;
}

static void threads_do_not_poison_each_other(void **test)
{
	pthread_t threads[3];
	void *failed;
	int i;

	unpin(*test, extent_new(*test, 4, 3, 'a'));
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pin_often,
						*test), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_false(touchable(*test, 4));
}

#define POISON(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		POISON(unpinned_memory_is_poisoned),
		POISON(what_is_purged_can_be_filled_again),
		POISON(extents_that_end_free_what_was_poisoned),
		POISON(a_region_takes_its_poison_with_it),
		cmocka_unit_test(what_was_never_used_is_not_told),
		cmocka_unit_test(who_does_not_want_it_need_not),
		POISON(threads_do_not_poison_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
