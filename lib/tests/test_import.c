// SPDX-License-Identifier: LGPL-2.1-or-later
/* Importing what somebody else made, soundly or not, and garbage in tables. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "common.h"

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int import(int fd)
{
	struct pashm_region *region = NULL;
	int ret = pashm_region_import(fd, &region);

	pashm_region_close(region);
	return ret;
}

static void sound_header(struct memfd_header *header)
{
	const struct pashm_region_params params = { .name = "forged" };
	struct memfd_layout layout;

	memset(header, 0, sizeof(*header));
	pashm_memfd_layout(&layout, PAGES,
			   (uint32_t)__builtin_ctzl(page_size()));
	pashm_memfd_header_init(header, &layout, &params);
}

/* Import a file with that header, of a size that is @off by so much */
static int import_forged(const struct memfd_header *header, int64_t off,
			 int seals)
{
	int ret, fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct memfd_layout layout;

	assert_true(fd >= 0);
	pashm_memfd_layout(&layout, PAGES,
			   (uint32_t)__builtin_ctzl(page_size()));
	assert_int_equal(ftruncate(fd, (off_t)layout.size + off), 0);
	assert_int_equal(pwrite(fd, header, sizeof(*header), 0),
			 sizeof(*header));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	ret = import(fd);
	close(fd);
	return ret;
}

static int import_header(const struct memfd_header *header)
{
	return import_forged(header, 0, SEALS);
}

static void a_sound_header_is_accepted(void **test)
{
	struct memfd_header header;

	(void)test;
	sound_header(&header);
	assert_int_equal(import_header(&header), 0);
}

static void descriptors_of_other_things_are_refused(void **test)
{
	int pipes[2], fd;

	(void)test;
	assert_int_equal(import(-1), -EBADF);
	assert_int_equal(import(12345), -EBADF);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(import(pipes[0]), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	fd = open("/dev/null", O_RDWR);
	assert_int_equal(import(fd), -EINVAL);
	close(fd);
	fd = open("/proc/self/status", O_RDONLY);
	assert_int_equal(import(fd), -EINVAL);
	close(fd);
}

static void a_file_that_could_be_truncated_is_refused(void **test)
{
	struct memfd_header header;

	(void)test;
	sound_header(&header);
	assert_int_equal(import_forged(&header, 0, 0), -EINVAL);
	assert_int_equal(import_forged(&header, 0, SEALS & ~F_SEAL_SHRINK),
			 -EINVAL);
	assert_int_equal(import_forged(&header, 0, SEALS & ~F_SEAL_SEAL),
			 -EINVAL);
	assert_int_equal(import_forged(&header, 0, SEALS | F_SEAL_WRITE),
			 -EINVAL);
}

static void a_size_that_does_not_fit_is_refused(void **test)
{
	struct memfd_header header;

	(void)test;
	sound_header(&header);
	assert_int_equal(import_forged(&header, -1, SEALS), -EINVAL);
	assert_int_equal(import_forged(&header, 1, SEALS), -EINVAL);
	header.size++;
	assert_int_equal(import_header(&header), -EINVAL);
}

static void an_empty_file_is_refused(void **test)
{
	int fd = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)test;
	assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	assert_int_equal(import(fd), -EINVAL);
	close(fd);
}

/* From here on, the file's mode counts for this process, too */
static bool privileges_drop(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capset, &header, none);
}

static void a_file_that_may_not_be_written_is_refused(void **test)
{
	int fd = pashm_region_fd(*test);
	pid_t pid = fork();

	if (pid == 0) {
		if (!privileges_drop() || import(fd))
			_exit(2);
		_exit(fchmod(fd, 0400) || import(fd) != -EACCES);
	}
	assert_int_equal(child_status(pid), 0);
}

static void what_is_not_known_is_refused(void **test)
{
	struct memfd_header header;

	(void)test;
	sound_header(&header);
	header.base.magic++;
	assert_int_equal(import_header(&header), -EINVAL);
	sound_header(&header);
	header.base.version++;
	assert_int_equal(import_header(&header), -EPROTO);
	sound_header(&header);
	header.layout++;
	assert_int_equal(import_header(&header), -EPROTO);
	sound_header(&header);
	header.features = 1;
	assert_int_equal(import_header(&header), -EPROTO);
	sound_header(&header);
	header.base.flags = 2;
	assert_int_equal(import_header(&header), -EPROTO);
	sound_header(&header);
	header.base.flags = PASHM_REGION_SOLE;
	assert_int_equal(import_header(&header), -EPERM);
}

static void impossible_sizes_are_refused(void **test)
{
	static const uint64_t pages[] = {
		0, PAGES - 1, PAGES + 1, UINT32_MAX, 1ULL << 40, 1ULL << 63,
		UINT64_MAX,
	};
	struct memfd_header header;
	size_t i;

	(void)test;
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		sound_header(&header);
		header.base.pages = pages[i];
		assert_int_equal(import_header(&header), -EINVAL);
	}
	sound_header(&header);
	header.base.page_shift++;
	assert_int_equal(import_header(&header), -EINVAL);
	header.base.page_shift = 255;
	assert_int_equal(import_header(&header), -EINVAL);
}

static void a_name_without_an_end_is_cut(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_region_info info;

	memset(memfd_region(region)->header->name, 'x', PASHM_REGION_NAME_MAX);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(strlen(info.name), PASHM_REGION_NAME_MAX - 1);
}

static unsigned int seed;

static uint64_t random64(void)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < 5; i++) {
		seed = seed * 1103515245 + 12345;
		value = value << 13 ^ seed >> 13;
	}
	return value;
}

/* Whatever one client writes, the other's calls come to an end */
static void garbage_in_the_tables_harms_nobody(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	struct memfd_region *m = memfd_region(other);
	struct pashm_region_info info;
	struct pashm_handle handle;
	unsigned int round, i;
	uint64_t freed;

	for (seed = round = 0; round < 300; round++) {
		for (i = 0; i < PAGES; i++) {
			other->view.states[i] = random64();
			other->view.births[i] = (uint32_t)random64();
			if (round & 1)
				other->view.states[i] &= ~0xfffff0ULL;
		}
		m->purge->phase = round & 4 ? (uint32_t)random64() & 3 : 0;
		m->purge->page = random64() >> (round % 64);
		m->purge->pages = random64() >> (random64() % 64);
		m->purge->volume = random64();
		memset(other->view.pins, 0, PAGES * sizeof(uint32_t));
		assert_int_equal(pashm_region_purge(region, &freed), 0);
		assert_int_equal(pashm_region_info(region, &info), 0);
		if (!pashm_extent_create(region, round % PAGES, 1, 3, &handle))
			pashm_extent_destroy(region, handle.page,
					     PASHM_EXTENT_DISCARD);
		memset(region->view.pins, 0, PAGES * sizeof(uint32_t));
	}
	pashm_region_close(other);
}

/* A range longer than an extent can be is none that a purger has left */
static void a_forged_record_does_not_make_a_long_walk(void **test)
{
	struct pashm_region_params params = {
		.length = 1ULL << 38, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};
	struct pashm_region *region;
	struct memfd_region *m;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	m = memfd_region(region);
	m->purge->pages = PASHM_EXTENT_PAGES_MAX + 1;
	m->purge->phase = MEMFD_CLAIM;
	assert_int_equal(purge(region), 0);
	assert_int_equal(m->purge->phase, MEMFD_IDLE);
	assert_int_equal(m->purge->violations, 1);
	pashm_region_close(region);
}

static void a_forged_directory_invents_no_clients(void **test)
{
	struct pashm_region *region = *test;
	struct memfd_region *m = memfd_region(region);
	struct pashm_handle handle = extent_new(region, 0, 1, 'a');
	uint32_t i;

	unpin(region, handle);
	for (i = 0; i < MEMFD_CLIENTS; i++)
		m->clients[i].live = 0xdeadbeef;
	assert_int_equal(purge(region), 1);
	for (i = 1; i < MEMFD_CLIENTS; i++)
		assert_int_equal(m->clients[i].live, 0);
	m->clients[0].live = 0;
	assert_int_equal(pin(region, handle), PASHM_PURGED);
	memset(pashm_address(region, 0), 'b', 1);
	assert_int_equal(purge(region), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_header_is_accepted),
		cmocka_unit_test(descriptors_of_other_things_are_refused),
		cmocka_unit_test(a_file_that_could_be_truncated_is_refused),
		cmocka_unit_test(a_size_that_does_not_fit_is_refused),
		cmocka_unit_test(an_empty_file_is_refused),
		SHARED(a_file_that_may_not_be_written_is_refused),
		cmocka_unit_test(what_is_not_known_is_refused),
		cmocka_unit_test(impossible_sizes_are_refused),
		SHARED(a_name_without_an_end_is_cut),
		SHARED(garbage_in_the_tables_harms_nobody),
		cmocka_unit_test(a_forged_record_does_not_make_a_long_walk),
		SHARED(a_forged_directory_invents_no_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
