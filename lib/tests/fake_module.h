/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device, played for tests on a machine without the module: it refuses what it is
 * told to. A region of it is a sparse file in which each mapping has its place; all its
 * clients have one pin table. For one test program each.
 */
#ifndef LIB_TESTS_FAKE_MODULE_H
#define LIB_TESTS_FAKE_MODULE_H

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

static inline void module_reset(void)
{
	memset(&module, 0, sizeof(module));
	module.abi_version = PASHM_ABI_VERSION;
	module.protocol = PASHM_PROTOCOL_VERSION;
	module.create_flags = PASHM_CREATE_SOLE | PASHM_CREATE_STRICT |
			      PASHM_CREATE_STRICT_UNPINNED |
			      PASHM_CREATE_PRIORITY | PASHM_CREATE_HUGE;
	module.prot = READ_WRITE;
}

static inline void refuse(unsigned long command, int error)
{
	module.command = command;
	module.error = error;
}

static inline int file_new(void)
{
	int fd = memfd_create("module", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, PASHM_OFFSET_PINS * 2), 0);
	return fd;
}

/* As the module does it, but for what it checks */
static inline int reshape(int fd, struct pashm_reshape *r)
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

static inline int answer(int fd, unsigned long command, void *argument)
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

static inline int create(uint32_t backend, uint32_t flags,
			 struct pashm_region **region)
{
	struct pashm_region_params params = {
		.length = PAGES * page_size(), .name = "test",
		.backend = backend, .flags = flags | PASHM_REGION_NO_THREAD,
	};

	*region = NULL;
	return pashm_region_create(&params, region);
}

static inline int create_only(uint32_t backend)
{
	struct pashm_region *region;
	int ret = create(backend, 0, &region);

	pashm_region_close(region);
	return ret;
}

static inline int import_only(struct pashm_region *other)
{
	struct pashm_region *region = NULL;
	int ret = pashm_region_import(pashm_region_fd(other), &region);

	pashm_region_close(region);
	return ret;
}

static inline int setup_module(void **test)
{
	struct pashm_region *region;

	module_reset();
	assert_int_equal(create(PASHM_BACKEND_MODULE, 0, &region), 0);
	assert_int_equal(pashm_region_backend(region), PASHM_BACKEND_MODULE);
	*test = region;
	return 0;
}

static inline int setup_module_sole(void **test)
{
	struct pashm_region *region;

	module_reset();
	assert_int_equal(create(PASHM_BACKEND_MODULE, PASHM_REGION_SOLE,
				&region), 0);
	*test = region;
	return 0;
}

#define MODULE(f) \
	cmocka_unit_test_setup_teardown(f, setup_module, teardown_region)
#define MODULE_SOLE(f) \
	cmocka_unit_test_setup_teardown(f, setup_module_sole, teardown_region)

#endif /* LIB_TESTS_FAKE_MODULE_H */
