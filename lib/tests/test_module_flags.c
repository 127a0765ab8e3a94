// SPDX-License-Identifier: LGPL-2.1-or-later
/* The flags of regions that only a module can do: see fake_module.h. */
#include "fake_module.h"

static void strict_regions_need_a_module_that_knows_them(void **test)
{
	static const uint32_t flags[] = {
		PASHM_REGION_STRICT, PASHM_REGION_STRICT_UNPINNED,
		PASHM_REGION_STRICT | PASHM_REGION_SOLE,
	};
	struct pashm_region *region;
	size_t i;

	(void)test;
	for (i = 0; i < LENGTH(flags); i++) {
		assert_int_equal(create(PASHM_BACKEND_AUTO, flags[i], &region),
				 0);
		assert_int_equal(module.flags, flags[i]);
		pashm_region_close(region);
		module.create_flags = PASHM_CREATE_SOLE;
		assert_int_equal(create(PASHM_BACKEND_AUTO, flags[i], &region),
				 -EOPNOTSUPP);
		module_reset();
		module.open_error = ENOENT;
		assert_int_equal(create(PASHM_BACKEND_AUTO, flags[i], &region),
				 -EOPNOTSUPP);
		module_reset();
	}
}

static void a_priority_needs_a_module_that_knows_it(void **test)
{
	struct pashm_region_params params = {
		.length = page_size(), .flags = PASHM_REGION_PRIORITY,
		.priority = 6,
	};
	struct pashm_region *region;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(module.flags, PASHM_CREATE_PRIORITY);
	assert_int_equal(module.priority, 6);
	pashm_region_close(region);
	module.create_flags &= ~PASHM_CREATE_PRIORITY;
	assert_int_equal(pashm_region_create(&params, &region), -EOPNOTSUPP);
}

static void huge_pages_need_a_module_that_knows_them(void **test)
{
	struct pashm_region *region;

	(void)test;
	assert_int_equal(create(PASHM_BACKEND_AUTO, PASHM_REGION_HUGE, &region),
			 0);
	assert_int_equal(module.flags, PASHM_CREATE_HUGE);
	pashm_region_close(region);
	module.create_flags &= ~PASHM_CREATE_HUGE;
	assert_int_equal(create(PASHM_BACKEND_AUTO, PASHM_REGION_HUGE, &region),
			 -EOPNOTSUPP);
}

/* Also after an import, which knows the flags from the module alone */
static void the_last_unpin_drops_the_mapping(struct pashm_region *region,
					     struct pashm_handle handle,
					     bool drops)
{
	void *data;

	assert_int_equal(pashm_region_map(region, READ_WRITE, &data), 0);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	module.dropped = NULL;
	errno = 0;
	unpin(region, handle);
	assert_null(module.dropped);
	unpin(region, handle);
	assert_int_equal(errno, 0);
	assert_ptr_equal(module.dropped,
			 drops ? pashm_address(region, handle.page) : NULL);
	assert_int_equal(module.dropped_size, drops ? 4 * page_size() : 0);
	module.dropped = NULL;
	assert_int_equal(pashm_unpin(region, handle.page), -ERANGE);
	assert_int_equal(count_of(region, handle.page), 0);
	assert_null(module.dropped);
}

static void only_the_debug_level_drops_mappings(void **test)
{
	static const uint32_t flags[] = {
		0, PASHM_REGION_STRICT, PASHM_REGION_STRICT_UNPINNED,
	};
	struct pashm_region *region, *other;
	struct pashm_handle handle;
	size_t i;

	(void)test;
	for (i = 0; i < LENGTH(flags); i++) {
		assert_int_equal(create(PASHM_BACKEND_MODULE, flags[i],
					&region), 0);
		assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle),
				 0);
		/* Nothing is mapped yet */
		unpin(region, handle);
		assert_null(module.dropped);
		the_last_unpin_drops_the_mapping(region, handle, i == 2);
		assert_int_equal(pashm_region_import(pashm_region_fd(region),
						     &other), 0);
		the_last_unpin_drops_the_mapping(other, handle, i == 2);
		pashm_region_close(other);
		pashm_region_close(region);
		module_reset();
	}
}

static void a_forged_length_drops_nothing(void **test)
{
	struct pashm_region *region;
	struct pashm_handle handle;

	(void)test;
	assert_int_equal(create(PASHM_BACKEND_MODULE,
				PASHM_REGION_STRICT_UNPINNED, &region), 0);
	assert_int_equal(pashm_region_map(region, READ_WRITE, NULL), 0);
	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle), 0);
	region->view.states[8] |= PASHM_EXTENT_PAGES_MAX;
	unpin(region, handle);
	assert_null(module.dropped);
	pashm_region_close(region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODULE(strict_regions_need_a_module_that_knows_them),
		MODULE(a_priority_needs_a_module_that_knows_it),
		MODULE(huge_pages_need_a_module_that_knows_them),
		MODULE(only_the_debug_level_drops_mappings),
		MODULE(a_forged_length_drops_nothing),
	};

	unsetenv("PASHM_BACKEND");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
