// SPDX-License-Identifier: GPL-2.0-only
/* Regions whose data may be in huge pages: extents are lost and kept as in others. */
#include <pashm/pool.h>

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
	long long before = shmem_huge_pages();
	uint32_t head;

	for (head = 0; head < PAGES; head += extent) {
		ASSERT_EQ(0, pashm_extent_create(self->region, head, extent, 3,
						 &handles[head / extent]));
		memset(self->data + head * PAGE, (int)(head / extent) + 1,
		       extent * PAGE);
		if (head / extent != pinned)
			pashm_unpin(self->region, head);
	}
	EXPECT_LT(before, shmem_huge_pages()) {
		TH_LOG("no huge page was to be had: this tells nothing");
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
	ASSERT_LT(before, shmem_huge_pages());
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

/* The flag is the region's, not its creator's */
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
	ASSERT_LT(before, shmem_huge_pages());
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

/* A huge page that extents share could not be given back with one of them */
TEST_F(huge_pages, smaller_extents_are_refused)
{
	struct pashm_handle handle;

	EXPECT_EQ(-EINVAL, pashm_extent_create(self->region, 0, WHOLE / 2, 3,
					       &handle));
	EXPECT_EQ(-EINVAL, pashm_extent_create(self->region, 16, WHOLE, 3,
					       &handle));
	EXPECT_EQ(-EINVAL, pashm_extent_create(self->region, 0, WHOLE + 1, 3,
					       &handle));
	EXPECT_EQ(0, backend_info(self->region).extents);
	EXPECT_EQ(0, pashm_extent_create(self->region, WHOLE, 2 * WHOLE, 3,
					 &handle));
}

TEST_F(huge_pages, the_length_is_rounded_up)
{
	pashm_region_close(self->region);
	ASSERT_EQ(0, make_region(self, variant->backend, WHOLE + 1,
				 variant->flags | PASHM_REGION_HUGE));
	EXPECT_EQ(2 * HUGE, pashm_region_length(self->region));
}

TEST_F(huge_pages, so_are_the_objects_of_a_pool)
{
	struct pashm_handle small, large;
	struct pashm_pool *pool;

	ASSERT_EQ(0, pashm_pool_create(self->region, &pool));
	ASSERT_EQ(0, pashm_pool_alloc(pool, 1, 3, PASHM_ALLOC_ALONE, &small,
				      NULL));
	ASSERT_EQ(0, pashm_pool_alloc(pool, HUGE + 1, 3, PASHM_ALLOC_ALONE,
				      &large, NULL));
	EXPECT_EQ(HUGE, pashm_pool_size(pool, small));
	EXPECT_EQ(2 * HUGE, pashm_pool_size(pool, large));
	EXPECT_EQ(0, large.page % WHOLE);
	pashm_unpin(self->region, small.page);
	EXPECT_EQ(0, pashm_pool_free(pool, small));
	/* Small ones share one */
	ASSERT_EQ(0, pashm_pool_alloc(pool, 5000, 3, 0, &small, NULL));
	ASSERT_EQ(0, pashm_pool_alloc(pool, 5000, 3, 0, &large, NULL));
	EXPECT_EQ(0, small.page % WHOLE);
	EXPECT_EQ(small.page, large.page);
	pashm_pool_destroy(pool);
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

/* Fills the region, which is twice the limit, and looks at what it was told is whole */
static int fill_in_limit(void *arg)
{
	int fd = region_attach(*(int *)arg, 0);
	size_t pages = units(256) / PAGE, page;
	char *data = (char *)map_at(fd, 0, pages * PAGE, RW);

	if (enter(INNER) || MAP_FAILED_WITH((long)data))
		return 10;
	for (page = 0; page < pages; page += WHOLE) {
		if (region_reshape(fd, page, WHOLE, 0))
			return 11;
		memset(data + page * PAGE, (int)(page / WHOLE) % 255 + 1, HUGE);
		if (region_unpin(fd, page))
			return 12;
	}
	for (page = 0; page < pages; page += WHOLE) {
		uint32_t generation = 1, verdict;

		if (region_pin(fd, page, &generation, &verdict))
			return 13;
		if (verdict == PASHM_INTACT &&
		    !all_bytes_are((unsigned char *)data + page * PAGE, HUGE,
				   (int)(page / WHOLE) % 255 + 1))
			return 14;
		if (region_unpin(fd, page))
			return 15;
	}
	return 0;
}

TEST_F_TIMEOUT(huge_reclaim, a_limit_takes_as_many_as_it_needs, 600)
{
	long long splits = file_number("/proc/vmstat", "thp_split_page");

	EXPECT_EQ(0, in_child(fill_in_limit, &self->fd));
	TH_LOG("%llu of %zu KiB are left",
	       (unsigned long long)region_info(self->fd).resident / 1024,
	       units(256) / 1024);
	EXPECT_LE(units(LIMIT) / 4 * 3, region_info(self->fd).resident);
	EXPECT_EQ(0, oom_kills());
	/* They go whole; only what is swapped out may be split for that */
	if (file_number("/proc/meminfo", "SwapTotal") == 0)
		EXPECT_EQ(splits, file_number("/proc/vmstat", "thp_split_page"));
}

TEST_HARNESS_MAIN
