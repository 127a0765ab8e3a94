// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: creating, importing, mapping, pins, purges and figures. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/resource.h>
#include "common.h"

static int create(struct pashm_region_params params)
{
	struct pashm_region *region = NULL;
	int ret;

	if (params.backend == PASHM_BACKEND_AUTO)
		params.backend = PASHM_BACKEND_MEMFD;
	params.flags |= PASHM_REGION_NO_THREAD;
	ret = pashm_region_create(&params, &region);
	pashm_region_close(region);
	return ret;
}

static void bad_parameters_are_refused(void **test)
{
	char name[PASHM_REGION_NAME_MAX + 1] = { 0 };

	(void)test;
	memset(name, 'n', PASHM_REGION_NAME_MAX);
	assert_int_equal(create((struct pashm_region_params){ 0 }), -EINVAL);
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .flags = 1U << 31 }), -EINVAL);
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .backend = 77 }), -EINVAL);
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .flags = PASHM_REGION_STRICT }), -EOPNOTSUPP);
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .flags = PASHM_REGION_STRICT_UNPINNED }),
		-EOPNOTSUPP);
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .priority = 1 }), -EINVAL);
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .flags = PASHM_REGION_PRIORITY,
		.priority = PASHM_PRIORITY_MAX + 1 }), -EINVAL);
	assert_int_equal(create((struct pashm_region_params){
		.length = UINT64_MAX }), -EFBIG);
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .name = name }), -ENAMETOOLONG);
	name[PASHM_REGION_NAME_MAX - 1] = '\0';
	assert_int_equal(create((struct pashm_region_params){
		.length = 1, .name = name }), 0);
}

static void the_environment_chooses_only_for_auto(void **test)
{
	struct pashm_region_params params = {
		.length = 1, .flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region *region;

	(void)test;
	setenv("PASHM_BACKEND", "memfd", 1);
	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_region_backend(region), PASHM_BACKEND_MEMFD);
	pashm_region_close(region);
	setenv("PASHM_BACKEND", "nonsense", 1);
	assert_int_equal(pashm_region_create(&params, &region), -EINVAL);
	setenv("PASHM_BACKEND", "", 1);
	assert_int_equal(pashm_region_create(&params, &region), 0);
	pashm_region_close(region);
	setenv("PASHM_BACKEND", "nonsense", 1);
	params.backend = PASHM_BACKEND_MEMFD;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	pashm_region_close(region);
	unsetenv("PASHM_BACKEND");
}

static void a_length_is_rounded_up_to_pages(void **test)
{
	struct pashm_region_params params = {
		.length = page_size() + 1, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region *region;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_region_length(region), 2 * page_size());
	pashm_region_close(region);
}

static void a_second_mapping_must_be_like_the_first(void **test)
{
	struct pashm_region *region = *test;
	void *data;

	assert_int_equal(pashm_region_map(region, PROT_READ, &data), -EBUSY);
	assert_int_equal(pashm_region_map(region, PROT_WRITE, &data), -EINVAL);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_EXEC,
					  &data), -EINVAL);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_WRITE,
					  &data), 0);
	assert_ptr_equal(data, pashm_address(region, 0));
}

static void a_pin_finds_contents_intact(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 3, 2, 'a');

	unpin(region, handle);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_true(filled(region, 3, 2, 'a'));
	unpin(region, handle);
}

static void pinned_memory_survives_a_purge(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 0, 4, 'a');

	assert_int_equal(purge(region), 0);
	assert_true(filled(region, 0, 4, 'a'));
	unpin(region, handle);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	unpin(region, handle);
}

static void a_loss_is_told_until_the_handle_is_renewed(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 0, 4, 'a');

	unpin(region, handle);
	assert_int_equal(purge(region), 4);
	assert_int_equal(pin(region, handle), PASHM_PURGED);
	assert_true(filled(region, 0, 4, 0));
	unpin(region, handle);
	assert_int_equal(pin(region, handle), PASHM_PURGED);
	handle.generation = pashm_generation(region, handle.page);
	unpin(region, handle);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	unpin(region, handle);
}

static void what_is_not_resident_keeps_its_generation(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle, empty;

	assert_int_equal(pashm_extent_create(region, 8, 8, 3, &empty), 0);
	unpin(region, empty);
	handle = extent_new(region, 0, 4, 'a');
	unpin(region, handle);
	assert_int_equal(purge(region), 4);
	assert_int_equal(purge(region), 0);
	assert_int_equal(pashm_generation(region, 0), handle.generation + 1);
	assert_int_equal(pashm_generation(region, 8), empty.generation);
	assert_int_equal(pin(region, empty), PASHM_INTACT);
	unpin(region, empty);
}

static void every_client_learns_of_a_loss(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');

	unpin(region, handle);
	assert_int_equal(pin(other, handle), PASHM_INTACT);
	assert_true(filled(other, 0, 1, 'a'));
	unpin(other, handle);
	assert_int_equal(purge(other), 1);
	assert_int_equal(pin(region, handle), PASHM_PURGED);
	unpin(region, handle);
	assert_int_equal(pin(other, handle), PASHM_PURGED);
	unpin(other, handle);
	pashm_region_close(other);
}

static void one_pin_of_any_client_is_enough(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');

	assert_int_equal(pin(other, handle), PASHM_INTACT);
	unpin(region, handle);
	assert_int_equal(purge(region), 0);
	assert_int_equal(purge(other), 0);
	pashm_region_close(other);
	assert_int_equal(purge(region), 1);
}

static void unpinning_too_often_is_an_error_and_changes_nothing(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');

	unpin(region, handle);
	assert_int_equal(pashm_unpin(region, 0), -ERANGE);
	assert_int_equal(count_of(region, 0), 0);
	assert_int_equal(purge(region), 1);
}

static void pinning_too_often_is_an_error_and_changes_nothing(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');
	enum pashm_verdict verdict;
	uint32_t i;

	for (i = 1; i < PASHM_COUNT_LIMIT - 1; i++)
		assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_int_equal(pashm_pin(region, handle, &verdict), -EAGAIN);
	assert_int_equal(count_of(region, 0), PASHM_COUNT_LIMIT - 1);
	for (i = 0; i < PASHM_COUNT_LIMIT - 1; i++)
		unpin(region, handle);
	assert_int_equal(count_of(region, 0), 0);
}

static void pages_outside_the_region_are_refused(void **test)
{
	struct pashm_handle handle = { .page = PAGES };
	enum pashm_verdict verdict;

	assert_int_equal(pashm_pin(*test, handle, &verdict), -EINVAL);
	assert_int_equal(pashm_unpin(*test, PAGES), -EINVAL);
}

static void a_stale_pin_leaves_no_count(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle = { .page = 7 };

	assert_int_equal(pin(region, handle), PASHM_STALE);
	assert_int_equal(count_of(region, 7), 0);
}

static void figures_add_up(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_region_info info;
	struct pashm_handle handle;

	extent_new(region, 0, 4, 'a');
	handle = extent_new(region, 8, 2, 'b');
	unpin(region, handle);
	handle = extent_new(region, 16, 1, 'c');
	unpin(region, handle);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.length, PAGES * page_size());
	assert_int_equal(info.resident, 7 * page_size());
	assert_int_equal(info.unpinned, 3 * page_size());
	assert_int_equal(info.extents, 3);
	assert_int_equal(info.pinned_extents, 1);
	assert_int_equal(info.clients, 1);
	assert_int_equal(info.backend, PASHM_BACKEND_MEMFD);
	assert_string_equal(info.name, "test");
	assert_int_equal(purge(region), 3);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.resident, 4 * page_size());
	assert_int_equal(info.unpinned, 0);
	assert_int_equal(info.purged, 3 * page_size());
	assert_int_equal(info.purges, 2);
	assert_int_equal(info.violations, 0);
}

/* ThreadSanitizer leaves less address space than that */
#ifdef __SANITIZE_THREAD__
#define HUGE_PAGES	(1U << 26)
#else
#define HUGE_PAGES	(1U << 28)
#endif

static void a_huge_region_costs_next_to_nothing(void **test)
{
	struct pashm_region_params params = {
		.length = HUGE_PAGES * page_size(), .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region_info info;
	struct pashm_handle handle;
	struct pashm_region *region;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_extent_create(region, HUGE_PAGES - 4, 4, 3,
					     &handle), 0);
	unpin(region, handle);
	assert_int_equal(purge(region), 0);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.extents, 1);
	assert_true(info.tables <= 16 * page_size());
	pashm_region_close(region);
}

static void a_sole_region_has_one_client(void **test)
{
	struct pashm_region *region;

	assert_int_equal(pashm_region_import(pashm_region_fd(*test), &region),
			 -EPERM);
}

static void clients_have_a_limit(void **test)
{
	struct pashm_region *regions[MEMFD_CLIENTS];
	struct rlimit limit;
	uint32_t i;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 1; i < MEMFD_CLIENTS; i++)
		assert_int_equal(pashm_region_import(pashm_region_fd(*test),
						     &regions[i]), 0);
	assert_int_equal(pashm_region_import(pashm_region_fd(*test),
					     &regions[0]), -EUSERS);
	pashm_region_close(regions[1]);
	assert_int_equal(pashm_region_import(pashm_region_fd(*test),
					     &regions[1]), 0);
	for (i = 1; i < MEMFD_CLIENTS; i++)
		pashm_region_close(regions[i]);
}

static void memory_outlives_the_one_who_made_it(void **test)
{
	struct pashm_region *region = region_new(0), *other;
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');

	(void)test;
	other = region_join(region);
	pashm_region_close(region);
	assert_int_equal(pin(other, handle), PASHM_INTACT);
	assert_true(filled(other, 0, 1, 'a'));
	pashm_region_close(other);
}

static void protection_cannot_shrink_on_a_memfd(void **test)
{
	assert_int_equal(pashm_region_protect(*test, PROT_READ), -EOPNOTSUPP);
	assert_int_equal(pashm_region_protect(*test, 0x100), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_parameters_are_refused),
		cmocka_unit_test(the_environment_chooses_only_for_auto),
		cmocka_unit_test(a_length_is_rounded_up_to_pages),
		SHARED(a_second_mapping_must_be_like_the_first),
		SHARED(a_pin_finds_contents_intact),
		SOLE(a_pin_finds_contents_intact),
		SHARED(pinned_memory_survives_a_purge),
		SOLE(pinned_memory_survives_a_purge),
		SHARED(a_loss_is_told_until_the_handle_is_renewed),
		SOLE(a_loss_is_told_until_the_handle_is_renewed),
		SHARED(what_is_not_resident_keeps_its_generation),
		SOLE(what_is_not_resident_keeps_its_generation),
		SHARED(every_client_learns_of_a_loss),
		SHARED(one_pin_of_any_client_is_enough),
		SHARED(unpinning_too_often_is_an_error_and_changes_nothing),
		SHARED(pinning_too_often_is_an_error_and_changes_nothing),
		SHARED(pages_outside_the_region_are_refused),
		SHARED(a_stale_pin_leaves_no_count),
		SHARED(figures_add_up),
		SOLE(figures_add_up),
		cmocka_unit_test(a_huge_region_costs_next_to_nothing),
		SOLE(a_sole_region_has_one_client),
		SHARED(clients_have_a_limit),
		cmocka_unit_test(memory_outlives_the_one_who_made_it),
		SHARED(protection_cannot_shrink_on_a_memfd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
