/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_POOL_FIXTURE_H
#define TESTS_POOL_FIXTURE_H

/* A pool in a region of its own, shared or sole. */
#include "common.h"

struct fixture {
	struct pashm_region *region;
	struct pashm_pool *pool;
};

static inline int setup(void **test, uint32_t flags)
{
	struct fixture *fixture = malloc(sizeof(*fixture));

	fixture->region = region_new(flags);
	assert_int_equal(pashm_pool_create(fixture->region, &fixture->pool), 0);
	*test = fixture;
	return 0;
}

static inline int setup_pool_shared(void **test)
{
	return setup(test, 0);
}

static inline int setup_pool_sole(void **test)
{
	return setup(test, PASHM_REGION_SOLE);
}

static inline int teardown(void **test)
{
	struct fixture *fixture = *test;

	pashm_pool_destroy(fixture->pool);
	pashm_region_close(fixture->region);
	free(fixture);
	return 0;
}

static inline void release(struct fixture *f, struct pashm_handle handle)
{
	assert_int_equal(pashm_pool_unpin(f->pool, handle), 0);
	assert_int_equal(pashm_pool_free(f->pool, handle), 0);
}

/* A test with a pool in a fresh region, shared or sole */
#define POOL_SHARED(f) \
	{ #f " (shared)", f, setup_pool_shared, teardown, NULL }
#define POOL_SOLE(f) \
	{ #f " (sole)", f, setup_pool_sole, teardown, NULL }
#define POOL(f)	POOL_SHARED(f), POOL_SOLE(f)

#endif /* TESTS_POOL_FIXTURE_H */
