// SPDX-License-Identifier: GPL-2.0-only
/* Strict regions through the library: the module has them, memfd has not. */
#include <kselftest_harness.h>

#include <pashm/cache.h>

#include "backend.h"
#include "sigbus.h"

#define PAGES	64
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(strict)
{
	struct pashm_region *region;
};

FIXTURE_VARIANT(strict)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(strict, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(strict, memfd) { .backend = PASHM_BACKEND_MEMFD };

FIXTURE_SETUP(strict)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
}

FIXTURE_TEARDOWN(strict)
{
	pashm_region_close(self->region);
}

/* All extents of one page but the first; written, unpinned */
static void fill(struct __test_metadata *_metadata,
		 struct _test_data_strict *self, uint32_t flags, char **data,
		 struct pashm_handle *handles)
{
	uint32_t page;

	ASSERT_EQ(0, backend_region(PASHM_BACKEND_MODULE, PAGES, flags,
				    &self->region));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, (void **)data));
	for (page = 1; page < PAGES; page++) {
		ASSERT_EQ(0, pashm_extent_create(self->region, page, 1, 3,
						 &handles[page]));
		(*data)[page * PAGE] = 0x5a;
		ASSERT_EQ(0, pashm_unpin(self->region, page));
	}
	catch_sigbus();
}

TEST_F(strict, a_strict_region_refuses_what_was_purged)
{
	struct pashm_handle handles[PAGES];
	enum pashm_verdict verdict;
	char *data;

	if (variant->backend == PASHM_BACKEND_MEMFD) {
		EXPECT_EQ(-EOPNOTSUPP,
			  backend_region(variant->backend, PAGES,
					 PASHM_REGION_STRICT, &self->region));
		return;
	}
	fill(_metadata, self, PASHM_REGION_STRICT, &data, handles);
	EXPECT_EQ(0x5a, peek(data + PAGE));
	ASSERT_EQ((PAGES - 1) * PAGE, backend_purge(self->region));
	EXPECT_EQ(REFUSED, peek(data + PAGE));
	EXPECT_EQ(0, peek(data));
	ASSERT_EQ(0, pashm_pin(self->region, handles[1], &verdict));
	EXPECT_EQ(PASHM_PURGED, verdict);
	EXPECT_EQ(0, peek(data + PAGE));
	EXPECT_EQ(REFUSED, peek(data + 2 * PAGE));
}

TEST_F(strict, the_debug_level_refuses_what_is_not_pinned)
{
	struct pashm_handle handles[PAGES];
	enum pashm_verdict verdict;
	int page;
	char *data;

	if (variant->backend == PASHM_BACKEND_MEMFD) {
		EXPECT_EQ(-EOPNOTSUPP,
			  backend_region(variant->backend, PAGES,
					 PASHM_REGION_STRICT_UNPINNED,
					 &self->region));
		return;
	}
	fill(_metadata, self, PASHM_REGION_SOLE |
	     PASHM_REGION_STRICT_UNPINNED, &data, handles);
	for (page = 1; page < PAGES; page++) {
		EXPECT_EQ(REFUSED, peek(data + page * PAGE));
		ASSERT_EQ(0, pashm_pin(self->region, handles[page], &verdict));
		EXPECT_EQ(PASHM_INTACT, verdict);
		EXPECT_EQ(0x5a, peek(data + page * PAGE));
		ASSERT_EQ(0, pashm_unpin(self->region, page));
		EXPECT_EQ(REFUSED, peek(data + page * PAGE));
	}
	EXPECT_EQ(0, peek(data));
}

TEST_F(strict, a_cache_can_be_strict)
{
	struct pashm_cache_params params = {
		.length = PAGES * PAGE, .backend = variant->backend,
		.flags = PASHM_REGION_STRICT_UNPINNED,
	};
	bool module = variant->backend == PASHM_BACKEND_MODULE;
	struct pashm_cache_value value;
	struct pashm_cache *cache;
	uint32_t key;

	ASSERT_EQ(module ? 0 : -EOPNOTSUPP,
		  pashm_cache_create(&params, &cache));
	if (!module)
		return;
	for (key = 0; key < 4 * PAGES; key++)
		ASSERT_EQ(0, pashm_cache_put(cache, &key, sizeof(key), &key,
					     sizeof(key)));
	for (key = 3 * PAGES; key < 4 * PAGES; key++) {
		if (key == 4 * PAGES - 8)
			ASSERT_LT(0, backend_purge(pashm_cache_region(cache)));
		if (!pashm_cache_get(cache, &key, sizeof(key), &value)) {
			EXPECT_EQ(key, *(uint32_t *)value.data);
			pashm_cache_release(cache, &value);
		}
	}
	pashm_cache_destroy(cache);
}

TEST_HARNESS_MAIN
