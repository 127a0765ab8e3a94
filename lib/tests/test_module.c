// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What becomes of the module's answers, of a module that is missing, and of one
 * of another version. None is needed: see fake_module.h.
 */
#include "fake_module.h"

/* Without being asked for, the other backend does instead */
static void auto_takes_the_other(void)
{
	struct pashm_region *region;

	assert_int_equal(create(PASHM_BACKEND_AUTO, 0, &region), 0);
	assert_int_equal(pashm_region_backend(region), PASHM_BACKEND_MEMFD);
	pashm_region_close(region);
}

static void why_the_module_cannot_be_used_is_told(void **test)
{
	static const int errors[] = { ENOENT, EACCES, EPERM };
	size_t i;

	(void)test;
	for (i = 0; i < LENGTH(errors); i++) {
		module.open_error = errors[i];
		assert_int_equal(create_only(PASHM_BACKEND_MODULE), -errors[i]);
		auto_takes_the_other();
	}
}

static void a_module_of_another_version_is_not_used(void **test)
{
	uint32_t *versions[] = { &module.abi_version, &module.protocol };
	size_t i;

	for (i = 0; i < LENGTH(versions); i++) {
		++*versions[i];
		assert_int_equal(create_only(PASHM_BACKEND_MODULE), -EPROTO);
		assert_int_equal(import_only(*test), -EPROTO);
		auto_takes_the_other();
		*versions[i] -= 2;
		assert_int_equal(create_only(PASHM_BACKEND_MODULE), -EPROTO);
		assert_int_equal(import_only(*test), -EPROTO);
		++*versions[i];
		assert_int_equal(create_only(PASHM_BACKEND_MODULE), 0);
		assert_int_equal(import_only(*test), 0);
	}
}

/* As another driver answers, or the device itself, which nobody attaches to */
static void what_does_not_know_the_commands_is_no_region(void **test)
{
	refuse(PASHM_IOC_QUERY, ENOTTY);
	assert_int_equal(import_only(*test), -EINVAL);
	refuse(PASHM_IOC_ATTACH, ENOTTY);
	assert_int_equal(import_only(*test), -EINVAL);
}

static void a_region_that_is_refused_is_not_opened(void **test)
{
	static const int created[] = { EFBIG, EMFILE, ENFILE, ENOMEM };
	static const int attached[] = { EPERM, EUSERS, EMFILE, ENFILE, ENOMEM };
	size_t i;

	for (i = 0; i < LENGTH(created); i++) {
		refuse(PASHM_IOC_CREATE, created[i]);
		assert_int_equal(create_only(PASHM_BACKEND_MODULE),
				 -created[i]);
		/* It is there, and has said no: no reason for the other */
		assert_int_equal(create_only(PASHM_BACKEND_AUTO), -created[i]);
	}
	for (i = 0; i < LENGTH(attached); i++) {
		refuse(PASHM_IOC_ATTACH, attached[i]);
		assert_int_equal(import_only(*test), -attached[i]);
	}
}

static void data_that_cannot_be_mapped_may_be_tried_again(void **test)
{
	static const int errors[] = { EACCES, EPERM, ENOMEM };
	struct pashm_pool *pool;
	size_t i;

	for (i = 0; i < LENGTH(errors); i++) {
		module.map_error = errors[i];
		assert_int_equal(pashm_region_map(*test, READ_WRITE, NULL),
				 -errors[i]);
		assert_int_equal(pashm_pool_create(*test, &pool), -errors[i]);
	}
	module.map_error = 0;
	assert_int_equal(pashm_pool_create(*test, &pool), 0);
	pashm_pool_destroy(pool);
}

static void a_pin_that_is_interrupted_is_none(void **test)
{
	struct pashm_region *region = *test;
	enum pashm_verdict verdict;
	struct pashm_handle handle;

	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle), 0);
	region->view.states[8] |= PASHM_STATE_PURGING;
	refuse(PASHM_IOC_WAIT, EINTR);
	assert_int_equal(pashm_pin(region, handle, &verdict), -EINTR);
	assert_int_equal(count_of(region, 8), 1);
	unpin(region, handle);
	assert_int_equal(pashm_pin(region, handle, &verdict), -EINTR);
	assert_int_equal(count_of(region, 8), 0);
	refuse(0, 0);
	region->view.states[8] &= ~PASHM_STATE_PURGING;
	assert_int_equal(pin(region, handle), PASHM_INTACT);
}

static void an_extent_that_is_refused_is_not_made(void **test)
{
	static const int errors[] = {
		EINVAL, EBUSY, ERANGE, EAGAIN, EACCES, ENOMEM, EINTR,
	};
	struct pashm_region *region = *test;
	struct pashm_handle handle = { .page = 77 };
	size_t i;

	for (i = 0; i < LENGTH(errors); i++) {
		refuse(PASHM_IOC_RESHAPE, errors[i]);
		assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle),
				 -errors[i]);
		assert_int_equal(count_of(region, 8), 0);
		assert_int_equal(handle.page, 77);
	}
}

static void an_end_that_is_refused_leaves_the_extent(void **test)
{
	static const int errors[] = {
		EINVAL, EBUSY, ERANGE, EAGAIN, EACCES, EINTR,
	};
	struct pashm_region *region = *test;
	struct pashm_handle handle;
	size_t i;

	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle), 0);
	for (i = 0; i < LENGTH(errors); i++) {
		refuse(PASHM_IOC_RESHAPE, errors[i]);
		assert_int_equal(pashm_extent_destroy(region, 8, 0),
				 -errors[i]);
		assert_int_equal(count_of(region, 8), 1);
		assert_int_equal(pin(region, handle), PASHM_INTACT);
		unpin(region, handle);
	}
	refuse(0, 0);
	assert_int_equal(pashm_extent_destroy(region, 8, 0), 0);
	assert_int_equal(pin(region, handle), PASHM_STALE);
}

/* Without asking the module, but for the purge to come to an end */
static void a_change_that_is_interrupted_thaws_the_counts(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle, wide;

	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle), 0);
	region->view.states[8] |= PASHM_STATE_PURGING;
	refuse(PASHM_IOC_WAIT, EINTR);
	assert_int_equal(pashm_extent_destroy(region, 8, 0), -EINTR);
	assert_int_equal(count_of(region, 8), 1);
	assert_int_equal(pashm_extent_create(region, 8, 8, 3, &wide), -EINTR);
	assert_int_equal(count_of(region, 8), 1);
	unpin(region, handle);
	assert_int_equal(pashm_extent_create(region, 4, 8, 3, &wide), -EINTR);
	assert_int_equal(count_of(region, 4) + count_of(region, 8), 0);
	refuse(0, 0);
	region->view.states[8] &= ~PASHM_STATE_PURGING;
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	assert_int_equal(pashm_extent_destroy(region, 8, 0), 0);
}

static void a_client_that_may_not_write_changes_nothing(void **test)
{
	struct pashm_region *region = *test, *reader;
	struct pashm_handle handle, made;
	uint64_t freed;

	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle), 0);
	module.prot = PROT_READ;
	assert_int_equal(pashm_region_import(pashm_region_fd(region), &reader),
			 0);
	assert_int_equal(pashm_extent_create(reader, 8, 4, 3, &made), -EACCES);
	assert_int_equal(pashm_extent_destroy(reader, 8, 0), -EACCES);
	assert_int_equal(pashm_region_purge(reader, &freed), -EACCES);
	assert_int_equal(pin(reader, handle), PASHM_INTACT);
	pashm_region_close(reader);
}

static void a_purge_that_is_interrupted_says_what_it_took(void **test)
{
	uint64_t freed = 0;

	module.freed = 3 * page_size();
	refuse(PASHM_IOC_PURGE, EINTR);
	assert_int_equal(pashm_region_purge(*test, &freed), -EINTR);
	assert_int_equal(freed, 3 * page_size());
	assert_int_equal(pashm_region_purge(*test, NULL), -EINTR);
}

static void a_right_that_was_given_up_is_not_got_back(void **test)
{
	assert_int_equal(pashm_region_protect(*test, PROT_READ), 0);
	refuse(PASHM_IOC_PROT, EINVAL);
	assert_int_equal(pashm_region_protect(*test, READ_WRITE), -EINVAL);
}

/* Also by what does not ask the module */
static void a_right_that_was_given_up_is_not_used(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handle, made;

	assert_int_equal(pashm_extent_create(region, 8, 4, 3, &handle), 0);
	assert_int_equal(pashm_region_protect(region, READ_WRITE), 0);
	assert_int_equal(pashm_extent_create(region, 12, 4, 3, &made), 0);
	assert_int_equal(pashm_region_protect(region, PROT_READ), 0);
	assert_int_equal(pashm_extent_create(region, 16, 4, 3, &made), -EACCES);
	assert_int_equal(pashm_extent_destroy(region, 8, 0), -EACCES);
	assert_int_equal(pashm_region_purge(region, NULL), -EACCES);
	assert_int_equal(pin(region, handle), PASHM_INTACT);
}

static void a_region_is_refused_what_its_parent_may(void **test)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(!region_is_refused(*test));
	assert_int_equal(child_status(pid), 0);
	assert_int_equal(pashm_region_map(*test, PROT_READ, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODULE(why_the_module_cannot_be_used_is_told),
		MODULE(a_module_of_another_version_is_not_used),
		MODULE(what_does_not_know_the_commands_is_no_region),
		MODULE(a_region_that_is_refused_is_not_opened),
		MODULE(data_that_cannot_be_mapped_may_be_tried_again),
		MODULE(a_pin_that_is_interrupted_is_none),
		MODULE_SOLE(a_pin_that_is_interrupted_is_none),
		MODULE(an_extent_that_is_refused_is_not_made),
		MODULE(an_end_that_is_refused_leaves_the_extent),
		MODULE_SOLE(a_change_that_is_interrupted_thaws_the_counts),
		MODULE(a_client_that_may_not_write_changes_nothing),
		MODULE(a_purge_that_is_interrupted_says_what_it_took),
		MODULE(a_right_that_was_given_up_is_not_got_back),
		MODULE(a_right_that_was_given_up_is_not_used),
		MODULE_SOLE(a_right_that_was_given_up_is_not_used),
		MODULE(a_region_is_refused_what_its_parent_may),
	};

	unsetenv("PASHM_BACKEND");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
