// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Each call that the library makes to get something fails in turn, until the
 * library's own call succeeds: then all have failed once. The error comes back,
 * and nothing is left: no descriptor, no mapping, no memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include "common.h"

#define WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__)

WRAP(void *, calloc, size_t count, size_t size);
WRAP(void *, malloc, size_t size);
WRAP(void *, aligned_alloc, size_t align, size_t size);
WRAP(void *, mmap, void *address, size_t size, int prot, int flags, int fd,
     off_t offset);
WRAP(int, memfd_create, const char *name, unsigned int flags);
WRAP(int, ftruncate, int fd, off_t size);
WRAP(int, open, const char *path, int flags, ...);
WRAP(int, fcntl, int fd, int command, ...);
WRAP(int, mprotect, void *address, size_t size, int prot);
WRAP(int, fallocate, int fd, int mode, off_t offset, off_t length);
WRAP(ssize_t, pread, int fd, void *buffer, size_t size, off_t offset);
WRAP(ssize_t, pwrite, int fd, const void *buffer, size_t size, off_t offset);
WRAP(int, eventfd, unsigned int value, int flags);
WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr,
     void *(*body)(void *), void *argument);

/*
 * The thread whose calls fail, and how many of them succeed before that; less
 * than 0: none fails. Allocations by others, such as the test's, do not count.
 */
static __thread int countdown = -1;
static __thread int answer;
/* No thread can be made */
static bool is_alone;

static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	errno = answer;
	return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(align, size);
}

void *__wrap_mmap(void *address, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	return fails() ? MAP_FAILED : __real_mmap(address, size, prot, flags,
						  fd, offset);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return fails() ? -1 : __real_memfd_create(name, flags);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return fails() ? -1 : __real_ftruncate(fd, size);
}

int __wrap_open(const char *path, int flags, ...)
{
	return fails() ? -1 : __real_open(path, flags);
}

int __wrap_fcntl(int fd, int command, ...)
{
	va_list args;
	void *argument;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	/* What is given back is given back */
	if (command == F_OFD_SETLK &&
	    ((struct flock *)argument)->l_type == F_UNLCK)
		return __real_fcntl(fd, command, argument);
	return fails() ? -1 : __real_fcntl(fd, command, argument);
}

int __wrap_mprotect(void *address, size_t size, int prot)
{
	return fails() ? -1 : __real_mprotect(address, size, prot);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
	return fails() ? -1 : __real_fallocate(fd, mode, offset, length);
}

ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset)
{
	return fails() ? -1 : __real_pread(fd, buffer, size, offset);
}

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
	return fails() ? -1 : __real_pwrite(fd, buffer, size, offset);
}

int __wrap_eventfd(unsigned int value, int flags)
{
	return fails() ? -1 : __real_eventfd(value, flags);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*body)(void *), void *argument)
{
	return is_alone || fails() ? EAGAIN :
	       __real_pthread_create(thread, attr, body, argument);
}

static unsigned int descriptors(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < 256; i++)
		count += __real_fcntl((int)i, F_GETFD) >= 0;
	return count;
}

/* Of regions: all have the same name */
static unsigned int mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	char line[1024];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "pashm:test") != NULL;
	fclose(file);
	return count;
}

/*
 * Returns how often @body failed before it did not. Now and then something else
 * than the error itself comes of it, but not always.
 */
static int each_fails(int (*body)(void *), void *argument, int error)
{
	unsigned int open_before = descriptors(), maps_before = mappings();
	bool told = false;
	int ret, calls;

	for (calls = 0; calls < 200; calls++) {
		countdown = calls;
		answer = error;
		ret = body(argument);
		/* It was not reached: all have failed */
		if (countdown >= 0) {
			countdown = -1;
			assert_int_equal(ret, 0);
			assert_true(told);
			return calls;
		}
		told |= ret == -error;
		assert_true(ret <= 0 && ret > -134);
		assert_int_equal(descriptors(), open_before);
		assert_int_equal(mappings(), maps_before);
	}
	fail();
	return 0;
}

static int create(void *flags)
{
	struct pashm_region_params params = {
		.length = PAGES * page_size(), .name = "test",
		.flags = *(uint32_t *)flags, .backend = PASHM_BACKEND_MEMFD,
	};
	struct pashm_region *region = NULL;
	int ret = pashm_region_create(&params, &region);

	if (!ret)
		pashm_region_close(region);
	return ret;
}

static void a_region_that_cannot_be_made_leaves_nothing(void **test)
{
	uint32_t flags = PASHM_REGION_NO_THREAD;

	(void)test;
	assert_in_range(each_fails(create, &flags, ENOMEM), 10, 60);
	assert_in_range(each_fails(create, &flags, EMFILE), 10, 60);
	assert_in_range(each_fails(create, &flags, ENFILE), 10, 60);
	flags |= PASHM_REGION_SOLE;
	assert_in_range(each_fails(create, &flags, EINVAL), 10, 60);
	flags = 0;
	assert_in_range(each_fails(create, &flags, EMFILE), 12, 80);
}

static int import(void *fd)
{
	struct pashm_region *region = NULL;
	int ret = pashm_region_import(*(int *)fd, &region);

	if (!ret)
		pashm_region_close(region);
	return ret;
}

static void a_region_that_cannot_be_imported_leaves_nothing(void **test)
{
	struct pashm_region_info info;
	int fd = pashm_region_fd(*test);

	assert_in_range(each_fails(import, &fd, ENOMEM), 10, 80);
	assert_in_range(each_fails(import, &fd, EIO), 10, 80);
	assert_in_range(each_fails(import, &fd, EMFILE), 10, 80);
	assert_in_range(each_fails(import, &fd, ENFILE), 10, 80);
	/* Nor any client, for those who come later */
	assert_int_equal(pashm_region_info(*test, &info), 0);
	assert_int_equal(info.clients, 1);
}

static void without_a_thread_there_is_no_region(void **test)
{
	uint32_t flags = 0, no_thread = PASHM_REGION_NO_THREAD;
	int fd = pashm_region_fd(*test);

	is_alone = true;
	assert_int_equal(create(&flags), -EAGAIN);
	assert_int_equal(import(&fd), -EAGAIN);
	assert_int_equal(create(&no_thread), 0);
	is_alone = false;
	assert_int_equal(import(&fd), 0);
}

static int map(void *region)
{
	return pashm_region_map(region, PROT_READ, NULL);
}

static void data_that_cannot_be_mapped_is_mapped_later(void **test)
{
	struct pashm_region *other;

	assert_int_equal(pashm_region_import(pashm_region_fd(*test), &other),
			 0);
	assert_int_equal(each_fails(map, other, ENOMEM), 1);
	pashm_region_close(other);
}

static int pool(void *region)
{
	struct pashm_handle handle;
	struct pashm_pool *made = NULL;
	int ret = pashm_pool_create(region, &made);

	if (ret)
		return ret;
	ret = pashm_pool_alloc(made, page_size(), 3, 0, &handle, NULL);
	if (!ret)
		ret = pashm_pool_unpin(made, handle);
	/* In its pool the object would be refused once more, and then freed */
	if (!ret)
		while (countdown >= 0 && pashm_pool_free(made, handle))
			countdown = -1;
	pashm_pool_destroy(made);
	return ret;
}

static void a_pool_that_cannot_be_made_leaves_nothing(void **test)
{
	assert_in_range(each_fails(pool, *test, ENOMEM), 3, 60);
}

static int alloc(void *pool)
{
	struct pashm_pool_info info;
	struct pashm_handle handle;
	int ret = pashm_pool_alloc(pool, page_size(), 3, 0, &handle, NULL);

	pashm_pool_info(pool, &info);
	assert_int_equal(info.objects, ret ? 0 : 1);
	return ret;
}

static void an_object_that_cannot_be_made_leaves_nothing(void **test)
{
	struct pashm_pool *pool;

	assert_int_equal(pashm_pool_create(*test, &pool), 0);
	assert_in_range(each_fails(alloc, pool, ENOMEM), 1, 60);
	pashm_pool_destroy(pool);
}

static int cache(void *unused)
{
	struct pashm_cache_params params = {
		.length = PAGES * page_size(), .name = "test",
		.backend = PASHM_BACKEND_MEMFD, .flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_cache *made = NULL;
	int ret = pashm_cache_create(&params, &made);

	(void)unused;
	if (ret)
		return ret;
	ret = pashm_cache_put(made, "key", 3, "value", 5);
	pashm_cache_destroy(made);
	return ret;
}

static void a_cache_that_cannot_be_made_leaves_nothing(void **test)
{
	(void)test;
	assert_in_range(each_fails(cache, NULL, ENOMEM), 40, 120);
}

/* Its key has no room beside the value */
static int put(void *cache)
{
	static const char data[65536];

	return pashm_cache_put(cache, "key", 3, data, page_size());
}

static int reserve(void *cache)
{
	struct pashm_cache_value value;
	int ret = pashm_cache_reserve(cache, "key", 3, 5, NULL, &value);

	return ret ? ret : pashm_cache_abort(cache, &value);
}

static void a_value_that_cannot_be_stored_leaves_nothing(void **test)
{
	struct pashm_cache_params params = {
		.length = PAGES * page_size(), .name = "test",
		.backend = PASHM_BACKEND_MEMFD, .flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_cache_value value;
	struct pashm_cache *cache;

	(void)test;
	assert_int_equal(pashm_cache_create(&params, &cache), 0);
	assert_in_range(each_fails(reserve, cache, ENOMEM), 1, 60);
	assert_int_equal(pashm_cache_get(cache, "key", 3, &value), -ENOENT);
	assert_in_range(each_fails(put, cache, ENOMEM), 1, 60);
	assert_int_equal(pashm_cache_get(cache, "key", 3, &value), 0);
	pashm_cache_release(cache, &value);
	pashm_cache_destroy(cache);
}

/* Extents that were there are there, and pins what they were */
static int reshape(void *region)
{
	struct pashm_handle handle;
	int ret = pashm_extent_create(region, 4, 4, 3, &handle);

	if (ret) {
		assert_int_equal(count_of(region, 4), 0);
		return ret;
	}
	ret = pashm_extent_destroy(region, 4, PASHM_EXTENT_DISCARD);
	assert_int_equal(count_of(region, 4), ret ? 1 : 0);
	if (ret)
		pashm_unpin(region, 4);
	return ret;
}

static void an_extent_that_cannot_be_changed_stays(void **test)
{
	struct pashm_handle other = extent_new(*test, 10, 2, 'o');

	/* In the way of the one to be made */
	unpin(*test, extent_new(*test, 6, 1, 'i'));
	assert_in_range(each_fails(reshape, *test, EIO), 2, 60);
	assert_true(filled(*test, 10, 2, 'o'));
	assert_int_equal(pin(*test, other), PASHM_INTACT);
}

/* What cannot be punched is not lost, and nobody is told that it was */
static int purge_all(void *region)
{
	uint64_t freed;

	return pashm_region_purge(region, &freed);
}

static void what_cannot_be_purged_is_not_lost(void **test)
{
	struct pashm_handle handle = extent_new(*test, 20, 2, 'p');
	struct pashm_region *region = *test;
	int calls;

	unpin(region, handle);
	for (calls = 0; pashm_generation(region, 20) == handle.generation;
	     calls++) {
		assert_true(filled(region, 20, 2, 'p'));
		assert_false(pashm_state_purging(region->view.states[20]));
		assert_in_range(calls, 0, 60);
		countdown = calls;
		answer = EIO;
		purge_all(region);
		countdown = -1;
	}
	assert_in_range(calls, 3, 60);
	assert_true(filled(region, 20, 2, 0));
	assert_int_equal(each_fails(purge_all, region, EIO) > 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_region_that_cannot_be_made_leaves_nothing),
		SHARED(a_region_that_cannot_be_imported_leaves_nothing),
		SHARED(without_a_thread_there_is_no_region),
		SHARED(data_that_cannot_be_mapped_is_mapped_later),
		BOTH(a_pool_that_cannot_be_made_leaves_nothing),
		BOTH(an_object_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(a_cache_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(a_value_that_cannot_be_stored_leaves_nothing),
		BOTH(an_extent_that_cannot_be_changed_stays),
		BOTH(what_cannot_be_purged_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
