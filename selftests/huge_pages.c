// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions whose data may be in huge pages: extents are lost and kept as in others,
 * whether they fill a huge page or share one.
 */
#include <kselftest_harness.h>

#include "backend.h"
#include "cgroup.h"
#include "shmem_huge.h"

#define HUGE	(2UL << 20)
#define WHOLE	(HUGE / PAGE)		/* pages of a huge one */
#define PAGES	(4 * WHOLE)
#define DROP	"/proc/sys/vm/drop_caches"

FIXTURE(huge_pages)
{
	struct pashm_region *region;
	unsigned char *data;
	struct shmem_huge setting;
};

FIXTURE_VARIANT(huge_pages)
{
	uint32_t backend;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(huge_pages, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(huge_pages, module_strict) {
	.backend = PASHM_BACKEND_MODULE, .flags = PASHM_REGION_STRICT,
};
FIXTURE_VARIANT_ADD(huge_pages, memfd) { .backend = PASHM_BACKEND_MEMFD };

static int make_region(struct _test_data_huge_pages *self, uint32_t backend,
		       size_t pages, uint32_t flags)
{
	void *data;
	int ret = backend_region(backend, pages, flags, &self->region);

	if (!ret)
		ret = pashm_region_map(self->region, RW, &data);
	self->data = ret ? NULL : data;
	return ret;
}

FIXTURE_SETUP(huge_pages)
{
	const char *why;

	SKIP_WITHOUT_BACKEND(variant->backend);
	why = shmem_huge_allow(&self->setting);
	if (why)
		SKIP(_exit(255), "%s", why);
	ASSERT_EQ(0, make_region(self, variant->backend, PAGES,
				 variant->flags | PASHM_REGION_HUGE));
}

FIXTURE_TEARDOWN(huge_pages)
{
	pashm_region_close(self->region);
	shmem_huge_restore(&self->setting);
}

/* Extents over all of the region, filled with their numbers and unpinned but @pinned */
static void fill_region(struct __test_metadata *_metadata,
			struct _test_data_huge_pages *self, uint32_t extent,
			uint32_t pinned, struct pashm_handle *handles)
{
	uint32_t head;

	for (head = 0; head < PAGES; head += extent) {
		ASSERT_EQ(0, pashm_extent_create(self->region, head, extent, 3,
						 &handles[head / extent]));
		memset(self->data + head * PAGE, (int)(head / extent) + 1,
		       extent * PAGE);
		if (head / extent != pinned)
			pashm_unpin(self->region, head);
	}
}

static bool all_bytes_are(const unsigned char *data, size_t bytes, int value)
{
	return data[0] == value && !memcmp(data, data + 1, bytes - 1);
}

/* Each extent but @pinned is told to be purged, and is zeros; that one is whole */
static void expect_lost(struct __test_metadata *_metadata,
			struct _test_data_huge_pages *self, uint32_t extent,
			uint32_t pinned, const struct pashm_handle *handles)
{
	uint32_t i;

	for (i = 0; i < PAGES / extent; i++) {
		unsigned char *data = self->data + i * extent * PAGE;
		enum pashm_verdict verdict;

		ASSERT_EQ(0, pashm_pin(self->region, handles[i], &verdict));
		EXPECT_EQ(i == pinned ? PASHM_INTACT : PASHM_PURGED, verdict);
		EXPECT_TRUE(all_bytes_are(data, extent * PAGE,
					  i == pinned ? (int)i + 1 : 0));
		pashm_unpin(self->region, i * extent);
	}
}

TEST_F(huge_pages, data_lie_where_huge_pages_fit)
{
	EXPECT_EQ(0, (uintptr_t)self->data % HUGE);
}

TEST_F(huge_pages, the_first_touch_brings_all_of_one)
{
	long long before = shmem_huge_pages();
	struct pashm_handle handle;

	ASSERT_EQ(0, pashm_extent_create(self->region, WHOLE, WHOLE, 3,
					 &handle));
	self->data[HUGE + 5 * PAGE] = 1;
	if (shmem_huge_pages() <= before)
		SKIP(return, "no huge page is to be had");
	EXPECT_EQ(HUGE, backend_info(self->region).resident);
}

TEST_F(huge_pages, who_does_not_ask_gets_none)
{
	struct pashm_handle handle;

	pashm_region_close(self->region);
	ASSERT_EQ(0, make_region(self, variant->backend, PAGES, variant->flags));
	ASSERT_EQ(0, pashm_extent_create(self->region, WHOLE, WHOLE, 3,
					 &handle));
	self->data[HUGE] = 1;
	EXPECT_EQ(PAGE, backend_info(self->region).resident);
}

/* As the only one of another process's mappings could be */
TEST_F(huge_pages, who_imports_the_region_gets_them)
{
	long long before = shmem_huge_pages();
	struct pashm_region *client;
	struct pashm_handle handle;
	void *data;

	ASSERT_EQ(0, pashm_region_import(pashm_region_fd(self->region),
					 &client));
	ASSERT_EQ(0, pashm_region_map(client, RW, &data));
	ASSERT_EQ(0, pashm_extent_create(client, 0, WHOLE, 3, &handle));
	*(char *)data = 1;
	if (shmem_huge_pages() <= before)
		SKIP(return, "no huge page is to be had");
	EXPECT_EQ(HUGE, backend_info(client).resident);
	pashm_region_close(client);
}

TEST_F_TIMEOUT(huge_pages, extents_as_large_are_taken_one_by_one, 120)
{
	struct pashm_handle handles[PAGES / WHOLE];

	fill_region(_metadata, self, WHOLE, 2, handles);
	EXPECT_EQ(3 * HUGE, backend_purge(self->region));
	EXPECT_EQ(HUGE, backend_info(self->region).resident);
	expect_lost(_metadata, self, WHOLE, 2, handles);
}

TEST_F_TIMEOUT(huge_pages, extents_that_share_one_are_taken_one_by_one, 120)
{
	struct pashm_handle handles[PAGES / 64];

	fill_region(_metadata, self, 64, 9, handles);
	EXPECT_EQ((PAGES - 64) * PAGE, backend_purge(self->region));
	EXPECT_EQ(64 * PAGE, backend_info(self->region).resident);
	expect_lost(_metadata, self, 64, 9, handles);
}

/* The last page of this region begins a huge page, most of which is beyond the end */
TEST_F(huge_pages, what_is_beyond_the_end_goes_with_the_rest)
{
	struct pashm_handle handle;

	pashm_region_close(self->region);
	ASSERT_EQ(0, make_region(self, variant->backend, WHOLE + 1,
				 variant->flags | PASHM_REGION_HUGE));
	ASSERT_EQ(0, pashm_extent_create(self->region, WHOLE, 1, 3, &handle));
	self->data[HUGE] = 1;
	pashm_unpin(self->region, WHOLE);
	EXPECT_LE(PAGE, backend_purge(self->region));
	EXPECT_EQ(0, backend_info(self->region).resident);
}

/* By the kernel's reclaim, in which the fallback has no part */
FIXTURE(huge_reclaim)
{
	struct shmem_huge setting;
	int fd;
};

FIXTURE_SETUP(huge_reclaim)
{
	const char *why;

	SKIP_WITHOUT_DEVICE();
	why = shmem_huge_allow(&self->setting);
	if (why)
		SKIP(_exit(255), "%s", why);
	why = make_groups();
	if (why)
		SKIP(_exit(255), "%s", why);
	self->fd = region_create(units(256) / PAGE, PASHM_CREATE_HUGE);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(huge_reclaim)
{
	close(self->fd);
	remove_groups();
	shmem_huge_restore(&self->setting);
}

TEST_F_TIMEOUT(huge_reclaim, they_are_taken, 240)
{
	long address = map_at(self->fd, 0, PAGES * PAGE, RW);
	int tries;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	ASSERT_EQ(0, region_fill(self->fd, (char *)address, PAGES, WHOLE));
	for (tries = 0; tries < 20 && region_info(self->fd).resident; tries++)
		ASSERT_EQ(0, file_write(DROP, "2"));
	EXPECT_EQ(0, region_info(self->fd).resident);
	EXPECT_TRUE(all_bytes_are((unsigned char *)address, PAGES * PAGE, 0));
	munmap((void *)address, PAGES * PAGE);
}

/* Extents of 16 pages, and room for half of the data: huge pages are cut up */
TEST_F_TIMEOUT(huge_reclaim, a_limit_takes_parts_of_them, 600)
{
	struct job job = { INNER, self->fd, units(256) / PAGE, 0 };

	EXPECT_EQ(0, in_child(fill_in_group, &job));
	TH_LOG("%llu of %zu KiB are left",
	       (unsigned long long)region_info(self->fd).resident / 1024,
	       units(256) / 1024);
	EXPECT_LE(units(LIMIT) / 4 * 3, region_info(self->fd).resident);
	EXPECT_EQ(0, oom_kills());
}

TEST_HARNESS_MAIN
