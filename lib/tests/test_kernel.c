// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel does, or the program does behind the library's back: pages
 * that migrate or are swapped out, a punch that fails, descriptors that are
 * closed, limits, cancellation, a fork at any moment. lseek(), mincore() and
 * fallocate() are replaced here, and lie when told to.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "common.h"

/* Bytes of a file that SEEK_DATA shall take for a hole */
static off_t hole_from, hole_to;
/* What shall not be in memory */
static const unsigned char *swapped_from, *swapped_to;
static int punch_error;

off_t lseek(int fd, off_t offset, int whence)
{
	off_t found = syscall(SYS_lseek, fd, offset, whence);

	if (whence == SEEK_DATA && found >= hole_from && found < hole_to)
		return syscall(SYS_lseek, fd, hole_to, whence);
	return found;
}

int mincore(void *address, size_t length, unsigned char *vec)
{
	int ret = (int)syscall(SYS_mincore, address, length, vec);
	const unsigned char *page = address;
	size_t i;

	for (i = 0; !ret && i < length / page_size(); i++) {
		if (page + i * page_size() >= swapped_from &&
		    page + i * page_size() < swapped_to)
			vec[i] = 0;
	}
	return ret;
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (punch_error) {
		errno = punch_error;
		return -1;
	}
	/* As the real one is, but syscall() is not */
	pthread_testcancel();
	return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

static void migrate(uint64_t offset, uint64_t size)
{
	hole_from = (off_t)offset;
	hole_to = (off_t)(offset + size);
}

static void a_pin_in_a_page_that_migrates_counts(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	const struct memfd_layout *layout = &memfd_region(region)->layout;
	struct pashm_handle handle = extent_new(region, 8, 4, 'a');
	struct pashm_handle idle = extent_new(region, 20, 4, 'b');

	assert_int_equal(pin(other, handle), PASHM_INTACT);
	unpin(region, handle);
	unpin(region, idle);
	migrate(layout->pins, MEMFD_CLIENTS * layout->pins_size);
	assert_int_equal(purge(region), 4);
	assert_int_equal(pashm_generation(region, 8), handle.generation);
	assert_true(filled(region, 8, 4, 'a'));
	assert_int_equal(reclaim(region, 4), 0);
	assert_int_equal(pashm_extent_create(region, 8, 8, 3, &handle),
			 -EBUSY);
	migrate(0, 0);
	pashm_region_close(other);
}

static void an_extent_in_a_page_that_migrates_has_its_borders(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	const struct memfd_layout *layout = &memfd_region(region)->layout;
	struct pashm_handle handle = extent_new(region, 8, 4, 'a'), wide;

	unpin(region, handle);
	migrate(layout->states, layout->states_size);
	assert_int_equal(pashm_extent_create(region, 10, 4, 3, &wide), -ERANGE);
	assert_int_equal(pashm_extent_create(region, 6, 4, 3, &wide), -ERANGE);
	assert_int_equal(pin(other, handle), PASHM_INTACT);
	assert_int_equal(pashm_extent_create(region, 0, 16, 3, &wide), -EBUSY);
	unpin(other, handle);
	assert_int_equal(pashm_extent_create(region, 0, 16, 3, &wide), 0);
	assert_int_equal(pin(region, handle), PASHM_STALE);
	migrate(0, 0);
	pashm_region_close(other);
}

/* It would cost the contents and give no memory back */
static void what_is_swapped_out_is_not_reclaimed(void **test)
{
	struct pashm_region *region = *test;
	uint32_t page;

	for (page = 0; page < 32; page++)
		unpin(region, extent_new(region, page, 1, 'a'));
	swapped_from = memfd_region(region)->data;
	swapped_to = swapped_from + 31 * page_size();
	assert_int_equal(reclaim(region, 8), 1);
	assert_int_equal(reclaim(region, 8), 0);
	for (page = 0; page < 31; page++)
		assert_true(filled(region, page, 1, 'a'));
	purge(region);
	swapped_to = swapped_from;
	for (page = 0; page < 32; page++)
		assert_true(filled(region, page, 1, 0));
}

static void an_entry_that_cannot_be_cleaned_is_not_used(void **test)
{
	struct pashm_region *region = *test, *other;

	punch_error = EPERM;
	assert_int_equal(pashm_region_import(pashm_region_fd(region), &other),
			 -EPERM);
	punch_error = 0;
	other = region_join(region);
	assert_int_equal(memfd_region(other)->client, 1);
	pashm_region_close(other);
}

/* As after closefrom(): the numbers mean a file of the program's now */
static void descriptors_of_the_programs_are_left_alone(void **test)
{
	struct pashm_region *region = region_new(0);
	int lock_fd = memfd_region(region)->lock_fd;
	int fd = pashm_region_fd(region), mine;
	struct pashm_region_info info;
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
	unsigned char bytes[4096];
	enum pashm_verdict verdict;
	struct pashm_handle handle;
	uint64_t freed;
	size_t i;

	(void)test;
	handle = extent_new(region, 0, PAGES, 'a');
	unpin(region, handle);
	mine = memfd_create("mine", MFD_CLOEXEC);
	assert_int_equal(ftruncate(mine, (off_t)memfd_region(region)->layout.size),
			 0);
	memset(bytes, 'm', sizeof(bytes));
	assert_int_equal(pwrite(mine, bytes, sizeof(bytes),
			 (off_t)memfd_region(region)->layout.data),
			 sizeof(bytes));
	assert_int_equal(dup2(mine, lock_fd), lock_fd);
	assert_int_equal(dup2(mine, fd), fd);
	assert_int_equal(pashm_region_purge(region, &freed), -EBADF);
	assert_int_equal(pashm_region_info(region, &info), -EBADF);
	assert_int_equal(reclaim(region, 1), 0);
	/* A pin needs them only to wait for a purge */
	assert_int_equal(pin(region, handle), PASHM_INTACT);
	unpin(region, handle);
	region->view.states[0] |= PASHM_STATE_PURGING;
	assert_int_equal(pashm_pin(region, handle, &verdict), -EBADF);
	assert_int_equal(count_of(region, 0), 0);
	assert_int_equal(pashm_extent_create(region, 0, 1, 3, &handle), -EBADF);
	pashm_region_close(region);
	assert_int_equal(fcntl(lock_fd, F_OFD_GETLK, &lock), 0);
	assert_int_equal(lock.l_type, F_UNLCK);
	assert_int_equal(close(lock_fd) | close(fd), 0);
	assert_int_equal(lseek(mine, 0, SEEK_CUR), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_true(pread(mine, bytes, sizeof(bytes), 2 << 20) >= 0);
	for (i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 'm');
	close(mine);
}

static void a_file_size_limit_is_an_error_and_no_signal(void **test)
{
	struct rlimit limit = { .rlim_cur = 1 << 20, .rlim_max = 1 << 20 };
	struct pashm_region_params params = {
		.length = 1 << 20, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region *region;
	pid_t pid = fork();

	(void)test;
	if (pid == 0) {
		if (setrlimit(RLIMIT_FSIZE, &limit))
			_exit(2);
		_exit(pashm_region_create(&params, &region) == -EFBIG ? 0 : 1);
	}
	assert_int_equal(child_status(pid), 0);
}

static void maps_tell_what_it_is(void **test)
{
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");

	(void)test;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, "/memfd:pashm:test") != NULL;
	fclose(maps);
	assert_true(found);
}

static void *work_main(void *argument)
{
	struct pashm_region *region = argument;
	struct pashm_region_info info;
	struct pashm_handle handle;
	uint64_t freed;
	uint32_t page;

	for (;;) {
		for (page = 0; page < PAGES; page++) {
			if (pashm_extent_create(region, page, 1, 3, &handle))
				continue;
			memset(pashm_address(region, page), 'a', 1);
			pashm_unpin(region, page);
		}
		pashm_region_info(region, &info);
		pashm_region_purge(region, &freed);
		pthread_testcancel();
	}
	return NULL;
}

static void a_cancelled_thread_does_not_keep_the_lock(void **test)
{
	struct timespec pause = { .tv_nsec = 300000 };
	struct pashm_region *region = *test;
	pthread_t thread;
	int i;

	for (i = 0; i < 30; i++) {
		assert_int_equal(pthread_create(&thread, NULL, work_main,
						region), 0);
		nanosleep(&pause, NULL);
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		assert_int_equal(pashm_memfd_lock(memfd_region(region), 0), 0);
		pashm_memfd_unlock(memfd_region(region));
	}
}

static bool is_done;

static void *open_main(void *argument)
{
	struct pashm_region_params params = {
		.length = 1 << 16, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region *region;

	while (!__atomic_load_n(&is_done, __ATOMIC_RELAXED)) {
		if (pashm_region_create(&params, &region))
			return NULL;
		pashm_region_close(region);
	}
	return argument;
}

/* The ticket is inherited, the lock's description is not: so one of each file */
static bool has_a_file_twice(void)
{
	struct stat a, b;
	int i, j;

	for (i = 3; i < 32; i++) {
		for (j = i + 1; j < 32 && !fstat(i, &a); j++) {
			if (S_ISREG(a.st_mode) && !fstat(j, &b) &&
			    a.st_dev == b.st_dev && a.st_ino == b.st_ino)
				return true;
		}
	}
	return false;
}

static void no_child_gets_a_lock_whenever_it_is_made(void **test)
{
	pthread_t thread;
	int i, twice = 0;
	pid_t pid;

	(void)test;
	is_done = false;
	assert_int_equal(pthread_create(&thread, NULL, open_main, NULL), 0);
	for (i = 0; i < 300; i++) {
		pid = fork();
		if (pid == 0)
			_exit(has_a_file_twice());
		twice += child_status(pid) != 0;
	}
	__atomic_store_n(&is_done, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(twice, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(a_pin_in_a_page_that_migrates_counts),
		SHARED(an_extent_in_a_page_that_migrates_has_its_borders),
		BOTH(what_is_swapped_out_is_not_reclaimed),
		SHARED(an_entry_that_cannot_be_cleaned_is_not_used),
		cmocka_unit_test(descriptors_of_the_programs_are_left_alone),
		cmocka_unit_test(a_file_size_limit_is_an_error_and_no_signal),
		BOTH(maps_tell_what_it_is),
		BOTH(a_cancelled_thread_does_not_keep_the_lock),
		cmocka_unit_test(no_child_gets_a_lock_whenever_it_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
