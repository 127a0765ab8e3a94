/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host unit tests share. All of them run on the memfd backend. */
#ifndef LIB_TESTS_COMMON_H
#define LIB_TESTS_COMMON_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <pashm/pashm.h>
#include "memfd.h"

#define PAGES	64U

static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* A region of PAGES pages without a reclaimer, mapped */
static inline struct pashm_region *region_new(uint32_t flags)
{
	struct pashm_region_params params = {
		.length = PAGES * page_size(),
		.name = "test",
		.flags = flags | PASHM_REGION_NO_THREAD,
		.backend = PASHM_BACKEND_MEMFD,
	};
	struct pashm_region *region;

	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_WRITE,
					  NULL), 0);
	return region;
}

static inline struct pashm_region *region_join(struct pashm_region *other)
{
	struct pashm_region *region;

	assert_int_equal(pashm_region_import(pashm_region_fd(other), &region),
			 0);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_WRITE,
					  NULL), 0);
	return region;
}

/* An extent full of @byte, still pinned */
static inline struct pashm_handle extent_new(struct pashm_region *region,
					     uint32_t page, uint32_t pages,
					     int byte)
{
	struct pashm_handle handle;

	assert_int_equal(pashm_extent_create(region, page, pages,
					     PASHM_PRIORITY_DEFAULT, &handle),
			 0);
	memset(pashm_address(region, page), byte, pages * page_size());
	return handle;
}

static inline enum pashm_verdict pin(struct pashm_region *region,
				     struct pashm_handle handle)
{
	enum pashm_verdict verdict;

	assert_int_equal(pashm_pin(region, handle, &verdict), 0);
	return verdict;
}

static inline void unpin(struct pashm_region *region,
			 struct pashm_handle handle)
{
	assert_int_equal(pashm_unpin(region, handle.page), 0);
}

static inline uint64_t purge(struct pashm_region *region)
{
	uint64_t freed;

	assert_int_equal(pashm_region_purge(region, &freed), 0);
	return freed / page_size();
}

/* What the pressure thread does, in this region alone */
static inline uint64_t reclaim(struct pashm_region *region, uint64_t pages)
{
	uint32_t class, next;
	uint64_t taken = 0;

	for (class = 0; class < RECLAIM_CLASSES && taken < pages;
	     class = next) {
		next = RECLAIM_CLASSES;
		taken += pashm_reclaim_some(region, pages - taken, class,
					    &next);
	}
	return taken;
}

static inline uint32_t count_of(struct pashm_region *region, uint32_t page)
{
	return pashm_pin_count(region->view.pins[page]);
}

/* All bytes of an extent are @byte */
static inline bool filled(struct pashm_region *region, uint32_t page,
			  uint32_t pages, int byte)
{
	const unsigned char *data = pashm_address(region, page);
	size_t i;

	for (i = 0; i < pages * page_size(); i++) {
		if (data[i] != byte)
			return false;
	}
	return true;
}

/* A test with a fresh region, shared or sole, as its fixture */
#define SHARED(f) \
	{ #f " (shared)", f, setup_shared, teardown_region, NULL }
#define SOLE(f) \
	{ #f " (sole)", f, setup_sole, teardown_region, NULL }
#define BOTH(f)	SHARED(f), SOLE(f)

static inline int setup_shared(void **test)
{
	*test = region_new(0);
	return 0;
}

static inline int setup_sole(void **test)
{
	*test = region_new(PASHM_REGION_SOLE);
	return 0;
}

static inline int teardown_region(void **test)
{
	pashm_region_close(*test);
	return 0;
}

/* Run @body in a child that imports the region behind @fd and is then killed */
static inline void killed_client(int fd, void (*body)(struct pashm_region *))
{
	struct pashm_region *region;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (pashm_region_import(fd, &region))
			_exit(1);
		body(region);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static inline int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* In a child of fork: all but closing and importing fails */
static inline bool region_is_refused(struct pashm_region *region)
{
	struct pashm_region_info info;
	struct pashm_handle handle;
	uint64_t freed;

	return pashm_region_map(region, PROT_READ, NULL) == -EBADF &&
	       pashm_region_purge(region, &freed) == -EBADF &&
	       pashm_region_info(region, &info) == -EBADF &&
	       pashm_region_protect(region, PROT_READ) == -EBADF &&
	       pashm_extent_create(region, 0, 1, 0, &handle) == -EINVAL &&
	       pashm_extent_destroy(region, 0, 0) == -EINVAL &&
	       pashm_unpin(region, 0) == -EINVAL;
}

#endif /* LIB_TESTS_COMMON_H */
