// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What becomes of the module's answers, of a module that is missing, and of one
 * of another version. None is needed: the device is played here, and refuses
 * what it is told to. A region of it is a sparse file in which each mapping has
 * its place; all its clients have one pin table.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <linux/pashm.h>
#include "common.h"

#define WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__)

WRAP(int, open, const char *path, int flags, ...);
WRAP(int, ioctl, int fd, unsigned long command, ...);
WRAP(int, fcntl, int fd, int command, ...);
WRAP(void *, mmap, void *address, size_t size, int prot, int flags, int fd,
     off_t offset);
WRAP(int, madvise, void *address, size_t size, int advice);

#define LENGTH(list)	(sizeof(list) / sizeof((list)[0]))
#define READ_WRITE	(PROT_READ | PROT_WRITE)

/* The command that is refused, and how; the same for open() and mmap() */
static struct {
	unsigned long command;
	int error;
	int open_error;
	int map_error;
	uint32_t abi_version;
	uint32_t protocol;
	uint32_t create_flags;
	uint32_t flags;
	uint32_t prot;
	uint32_t priority;
	uint64_t length;
	uint64_t freed;
	void *dropped;
	size_t dropped_size;
} module;

static void module_reset(void)
{
	memset(&module, 0, sizeof(module));
	module.abi_version = PASHM_ABI_VERSION;
	module.protocol = PASHM_PROTOCOL_VERSION;
	module.create_flags = PASHM_CREATE_SOLE | PASHM_CREATE_STRICT |
			      PASHM_CREATE_STRICT_UNPINNED |
			      PASHM_CREATE_PRIORITY;
	module.prot = READ_WRITE;
}

static void refuse(unsigned long command, int error)
{
	module.command = command;
	module.error = error;
}

static int file_new(void)
{
	int fd = memfd_create("module", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, PASHM_OFFSET_PINS * 2), 0);
	return fd;
}

/* As the module does it, but for what it checks */
static int reshape(int fd, struct pashm_reshape *r)
{
	off_t page = (off_t)(r->offset / page_size());
	off_t word = (off_t)PASHM_OFFSET_STATES + page * 8;
	off_t birth = (off_t)PASHM_OFFSET_BIRTHS + page * 4;
	off_t pin = (off_t)PASHM_OFFSET_PINS + page * 4;
	bool free = r->flags & PASHM_RESHAPE_FREE;
	uint32_t pins;
	uint64_t state;

	assert_int_equal(pread(fd, &state, 8, word), 8);
	assert_int_equal(pread(fd, &pins, 4, pin), 4);
	state = pashm_state_reshaped(state, free ? 0 : (uint32_t)(r->length /
				     page_size()), r->priority);
	r->generation = pashm_state_generation(state);
	pins += free ? -PASHM_PIN_COUNT_ONE : PASHM_PIN_COUNT_ONE;
	if (!free)
		assert_int_equal(pwrite(fd, &r->generation, 4, birth), 4);
	assert_int_equal(pwrite(fd, &state, 8, word), 8);
	assert_int_equal(pwrite(fd, &pins, 4, pin), 4);
	return 0;
}

static int answer(int fd, unsigned long command, void *argument)
{
	struct pashm_query *query = argument;
	struct pashm_info *info = argument;

	switch (command) {
	case PASHM_IOC_QUERY:
		query->abi_version = module.abi_version;
		query->protocol = module.protocol;
		query->create_flags = module.create_flags;
		return 0;
	case PASHM_IOC_CREATE:
		module.length = ((struct pashm_create *)argument)->length;
		module.flags = ((struct pashm_create *)argument)->flags;
		module.priority = ((struct pashm_create *)argument)->priority;
		return file_new();
	case PASHM_IOC_ATTACH:
		return __real_fcntl(fd, F_DUPFD_CLOEXEC, (void *)3);
	case PASHM_IOC_INFO:
		info->length = module.length;
		info->prot = module.prot;
		info->region_flags = module.flags;
		return 0;
	case PASHM_IOC_RESHAPE:
		return reshape(fd, argument);
	default:
		return 0;
	}
}

int __wrap_ioctl(int fd, unsigned long command, ...)
{
	void *argument;
	va_list args;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	if (command == PASHM_IOC_PURGE)
		((struct pashm_purge *)argument)->freed = module.freed;
	if (command != module.command)
		return answer(fd, command, argument);
	errno = module.error;
	return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, PASHM_DEVICE))
		return __real_open(path, flags);
	errno = module.open_error;
	return errno ? -1 : __real_open("/dev/null", flags);
}

/* The file must not look like a region of the other backend */
int __wrap_fcntl(int fd, int command, ...)
{
	void *argument;
	va_list args;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	if (command != F_GET_SEALS)
		return __real_fcntl(fd, command, argument);
	errno = EINVAL;
	return -1;
}

void *__wrap_mmap(void *address, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	if (fd < 0 || offset != PASHM_OFFSET_DATA || !module.map_error)
		return __real_mmap(address, size, prot, flags, fd, offset);
	errno = module.map_error;
	return MAP_FAILED;
}

/* As on shared memory with nothing that could be read ahead: no effect */
int __wrap_madvise(void *address, size_t size, int advice)
{
	if (advice != MADV_DONTNEED)
		return __real_madvise(address, size, advice);
	module.dropped = address;
	module.dropped_size = size;
	errno = ENOMEM;
	return -1;
}

static int create(uint32_t backend, uint32_t flags, struct pashm_region **region)
{
	struct pashm_region_params params = {
		.length = PAGES * page_size(), .name = "test",
		.backend = backend, .flags = flags | PASHM_REGION_NO_THREAD,
	};

	*region = NULL;
	return pashm_region_create(&params, region);
}

static int create_only(uint32_t backend)
{
	struct pashm_region *region;
	int ret = create(backend, 0, &region);

	pashm_region_close(region);
	return ret;
}

static int import_only(struct pashm_region *other)
{
	struct pashm_region *region = NULL;
	int ret = pashm_region_import(pashm_region_fd(other), &region);

	pashm_region_close(region);
	return ret;
}

static int setup_module(void **test)
{
	struct pashm_region *region;

	module_reset();
	assert_int_equal(create(PASHM_BACKEND_MODULE, 0, &region), 0);
	assert_int_equal(pashm_region_backend(region), PASHM_BACKEND_MODULE);
	*test = region;
	return 0;
}

static int setup_module_sole(void **test)
{
	struct pashm_region *region;

	module_reset();
	assert_int_equal(create(PASHM_BACKEND_MODULE, PASHM_REGION_SOLE,
				&region), 0);
	*test = region;
	return 0;
}

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

#define MODULE(f) \
	cmocka_unit_test_setup_teardown(f, setup_module, teardown_region)
#define MODULE_SOLE(f) \
	cmocka_unit_test_setup_teardown(f, setup_module_sole, teardown_region)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODULE(why_the_module_cannot_be_used_is_told),
		MODULE(a_module_of_another_version_is_not_used),
		MODULE(what_does_not_know_the_commands_is_no_region),
		MODULE(a_region_that_is_refused_is_not_opened),
		MODULE(strict_regions_need_a_module_that_knows_them),
		MODULE(a_priority_needs_a_module_that_knows_it),
		MODULE(only_the_debug_level_drops_mappings),
		MODULE(a_forged_length_drops_nothing),
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
