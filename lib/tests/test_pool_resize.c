// SPDX-License-Identifier: LGPL-2.1-or-later
/* Objects that are aligned, that grow and shrink, and memory that is trimmed. */
#include "pool_fixture.h"

static struct pashm_handle make(struct fixture *f, size_t size, int byte)
{
	struct pashm_handle handle;
	void *address;

	assert_int_equal(pashm_pool_alloc(f->pool, size, 3, 0, &handle,
					  &address), 0);
	memset(address, byte, pashm_pool_size(f->pool, handle));
	return handle;
}

static bool begins(struct fixture *f, struct pashm_handle handle, size_t size,
		   int byte)
{
	const unsigned char *data = pashm_pool_address(f->pool, handle);
	size_t i;

	for (i = 0; i < size && data[i] == byte; i++)
		;
	return i == size;
}

static uint64_t pages_in_use(struct fixture *f)
{
	struct pashm_pool_info info;

	pashm_pool_info(f->pool, &info);
	assert_int_equal(info.bytes + info.free + info.untouched,
			 PAGES * page_size());
	return info.bytes / page_size();
}

static void addresses_are_aligned(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handles[2];
	size_t align, size;
	void *address;
	int k;

	for (align = 1; align <= 16 * page_size(); align *= 2) {
		for (size = 1; size <= 8 * page_size(); size = size * 7 + 1) {
			for (k = 0; k < 2; k++) {
				assert_int_equal(pashm_pool_alloc_aligned(
					f->pool, align, size, 3, 0, &handles[k],
					&address), 0);
				assert_int_equal((uintptr_t)address % align, 0);
				assert_true(pashm_pool_size(f->pool, handles[k])
					    >= size);
				memset(address, k + 1, size);
			}
			assert_true(begins(f, handles[0], size, 1));
			assert_true(begins(f, handles[1], size, 2));
			release(f, handles[0]);
			release(f, handles[1]);
		}
	}
	/* What was in front of them is not lost */
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	assert_int_equal(pages_in_use(f), 0);
	make(f, PAGES * page_size(), 'a');
}

static void bad_alignments_are_refused(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle;

	assert_int_equal(pashm_pool_alloc_aligned(f->pool, 0, 1, 3, 0, &handle,
						  NULL), -EINVAL);
	assert_int_equal(pashm_pool_alloc_aligned(f->pool, 48, 1, 3, 0, &handle,
						  NULL), -EINVAL);
	assert_int_equal(pashm_pool_alloc_aligned(f->pool,
						  2 * PAGES * page_size(), 1, 3,
						  0, &handle, NULL), -EINVAL);
	handle = make(f, 100, 'a');
	assert_int_equal(pashm_pool_resize(f->pool, &handle, 0, 0, NULL),
			 -EINVAL);
	assert_int_equal(pashm_pool_resize(f->pool, &handle, 1,
					   PASHM_ALLOC_ALONE, NULL), -EINVAL);
	handle.page = PAGES;
	assert_int_equal(pashm_pool_resize(f->pool, &handle, 1, 0, NULL),
			 -ESTALE);
}

/* Resize, and see that contents stay, and what comes behind them */
static void resize(struct fixture *f, struct pashm_handle *handle, size_t size,
		   int byte)
{
	size_t old = pashm_pool_size(f->pool, *handle), now, i;
	const char *data;
	void *address;

	assert_int_equal(pashm_pool_resize(f->pool, handle, size,
					   PASHM_ALLOC_ZEROED, &address), 0);
	assert_ptr_equal(address, pashm_pool_address(f->pool, *handle));
	now = pashm_pool_size(f->pool, *handle);
	assert_true(now >= size);
	assert_true(begins(f, *handle, old < now ? old : now, byte));
	data = address;
	for (i = old; i < now; i++)
		assert_int_equal(data[i], 0);
	memset(address, byte, now);
	/* It is still pinned, once */
	assert_true(count_of(f->region, handle->page) > 0);
	purge(f->region);
	assert_true(begins(f, *handle, now, byte));
}

static void objects_grow_and_shrink(void **test)
{
	static const size_t sizes[] = {
		1, 100, 3000, 5000, 12000, 40000, 20000, 8192, 4097, 100, 60000,
	};
	struct fixture *f = *test;
	struct pashm_handle handle = make(f, 16, 'x'), other;
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* In the way, half of the time */
		if (i % 2)
			other = make(f, page_size(), 'y');
		resize(f, &handle, sizes[i], 'x');
		if (i % 2)
			release(f, other);
	}
	release(f, handle);
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	assert_int_equal(pages_in_use(f), 0);
}

static void growing_in_place_moves_nothing(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle a = make(f, 2 * page_size(), 'a'), b, old = a;

	resize(f, &a, 6 * page_size(), 'a');
	assert_int_equal(a.page, old.page);
	b = make(f, 4 * page_size(), 'b');
	assert_int_equal(b.page, a.page + 6);
	/* Into a freed extent, of which a part is left */
	make(f, 54 * page_size(), 'c');
	release(f, b);
	resize(f, &a, 7 * page_size(), 'a');
	assert_int_equal(a.page, old.page);
	assert_int_equal(pages_in_use(f), 61);
	b = make(f, 3 * page_size(), 'd');
	assert_int_equal(b.page, a.page + 7);
	/* There is no room at all now */
	assert_int_equal(pashm_pool_resize(f->pool, &a, 8 * page_size(), 0,
					   NULL), -ENOSPC);
	assert_true(begins(f, a, 7 * page_size(), 'a'));
	assert_int_equal(count_of(f->region, a.page), 1);
	/* The end of it becomes free */
	resize(f, &a, 1, 'a');
	assert_int_equal(pashm_pool_size(f->pool, a), page_size());
	assert_int_equal(make(f, 6 * page_size(), 'e').page, a.page + 1);
	assert_int_equal(pin(f->region, old), PASHM_STALE);
}

static void what_others_have_pinned_is_not_resized(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = make(f, 4 * page_size(), 'a');

	assert_int_equal(pin(f->region, handle), PASHM_INTACT);
	assert_int_equal(pashm_pool_resize(f->pool, &handle, page_size(), 0,
					   NULL), -EBUSY);
	/* Nothing behind it is free: it would have to move */
	make(f, 30 * page_size(), 'b');
	assert_int_equal(pashm_pool_resize(f->pool, &handle, 8 * page_size(), 0,
					   NULL), -EBUSY);
	assert_int_equal(pages_in_use(f), 34);
	assert_true(begins(f, handle, 4 * page_size(), 'a'));
	unpin(f->region, handle);
	resize(f, &handle, page_size(), 'a');
}

/* Made anew by what the backend does the next time, and the time after that */
static int refusals;
static struct backend_ops replaced;
static const struct backend_ops *real;

static int refuse(struct pashm_region *region, struct backend_reshape *reshape)
{
	if (!reshape->free && refusals > 0) {
		refusals--;
		return -ENOMEM;
	}
	return real->reshape(region, reshape);
}

static void refusals_begin(struct pashm_region *region, int count)
{
	real = region->ops;
	replaced = *real;
	replaced.reshape = refuse;
	region->ops = &replaced;
	refusals = count;
}

static void a_resize_that_fails_changes_nothing(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = make(f, 4 * page_size(), 'a');

	refusals_begin(f->region, 1);
	assert_int_equal(pashm_pool_resize(f->pool, &handle, page_size(), 0,
					   NULL), -ENOMEM);
	assert_int_equal(pashm_pool_size(f->pool, handle), 4 * page_size());
	assert_int_equal(count_of(f->region, handle.page), 1);
	refusals = 1;
	assert_int_equal(pashm_pool_resize(f->pool, &handle, 8 * page_size(), 0,
					   NULL), -ENOMEM);
	assert_true(begins(f, handle, 4 * page_size(), 'a'));
	assert_int_equal(pages_in_use(f), 4);
	/* Neither the smaller extent nor the old one again: it is lost */
	refusals = 2;
	assert_int_equal(pashm_pool_resize(f->pool, &handle, page_size(), 0,
					   NULL), -ESTALE);
	assert_int_equal(pages_in_use(f), 0);
	f->region->ops = real;
	make(f, PAGES * page_size(), 'b');
}

static void trimming_gives_memory_back(void **test)
{
	struct fixture *f = *test;
	struct pashm_region_info info;
	struct pashm_handle kept = make(f, 3 * page_size(), 'a');
	struct pashm_handle gone = make(f, 20 * page_size(), 'b');
	struct pashm_handle small = make(f, 100, 'c');

	release(f, gone);
	release(f, small);
	assert_int_equal(pashm_pool_unpin(f->pool, kept), 0);
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	assert_int_equal(pashm_region_info(f->region, &info), 0);
	assert_int_equal(info.resident, 3 * page_size());
	/* Objects are not concerned, and what was trimmed can be used again */
	assert_int_equal(pin(f->region, kept), PASHM_INTACT);
	assert_true(begins(f, kept, 3 * page_size(), 'a'));
	make(f, (PAGES - 3) * page_size(), 'd');
}

static void trimming_goes_on_after_an_error(void **test)
{
	struct fixture *f = *test;
	struct pashm_region_info info;
	struct pashm_handle a = make(f, 4 * page_size(), 'a');
	struct pashm_handle b = make(f, 4 * page_size(), 'b');
	uint32_t *count = &f->region->view.pins[a.page];

	release(f, a);
	release(f, b);
	__atomic_fetch_add(count, PASHM_PIN_COUNT_ONE * 2, __ATOMIC_SEQ_CST);
	assert_int_equal(pashm_pool_trim(f->pool), -EBUSY);
	assert_int_equal(pashm_region_info(f->region, &info), 0);
	assert_int_equal(info.resident, 4 * page_size());
	__atomic_fetch_sub(count, PASHM_PIN_COUNT_ONE * 2, __ATOMIC_SEQ_CST);
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	make(f, PAGES * page_size(), 'c');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL(addresses_are_aligned),
		POOL(bad_alignments_are_refused),
		POOL(objects_grow_and_shrink),
		POOL(growing_in_place_moves_nothing),
		POOL(what_others_have_pinned_is_not_resized),
		POOL_SHARED(a_resize_that_fails_changes_nothing),
		POOL(trimming_gives_memory_back),
		POOL(trimming_goes_on_after_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
