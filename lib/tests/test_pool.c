// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pinning allocator. */
#include <pthread.h>
#include "pool_fixture.h"

static struct pashm_handle alloc(struct fixture *fixture, uint32_t pages,
				 int byte)
{
	struct pashm_handle handle;
	void *address;

	assert_int_equal(pashm_pool_alloc(fixture->pool, pages * page_size(),
					  3, 0, &handle, &address), 0);
	memset(address, byte, pages * page_size());
	return handle;
}

static void bad_requests_are_refused(void **test)
{
	struct fixture *f = *test;
	enum pashm_verdict verdict;
	struct pashm_handle handle;

	assert_int_equal(pashm_pool_alloc(f->pool, 0, 3, 0, &handle, NULL),
			 -EINVAL);
	assert_int_equal(pashm_pool_alloc(f->pool, 1, 8, 0, &handle, NULL),
			 -EINVAL);
	assert_int_equal(pashm_pool_alloc(f->pool, 1, 3, ~0U, &handle, NULL),
			 -EINVAL);
	assert_int_equal(pashm_pool_alloc(f->pool, SIZE_MAX, 3, 0, &handle,
					  NULL), -EFBIG);
	assert_int_equal(pashm_pool_alloc(f->pool, PAGES * page_size() + 1, 3,
					  0, &handle, NULL), -ENOSPC);
	handle.page = PAGES;
	assert_int_equal(pashm_pool_free(f->pool, handle), -EINVAL);
	assert_int_equal(pashm_pool_pin(f->pool, handle, &verdict, NULL),
			 -EINVAL);
	assert_int_equal(pashm_pool_unpin(f->pool, handle), -EINVAL);
	handle.page = 0;
	assert_int_equal(pashm_pool_unpin(f->pool, handle), -ERANGE);
}

static void an_object_is_pinned_until_it_is_not(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = alloc(f, 3, 'a');
	enum pashm_verdict verdict;
	void *address;

	assert_int_equal(pashm_pool_size(f->pool, handle), 3 * page_size());
	assert_int_equal(purge(f->region), 0);
	assert_int_equal(pashm_pool_unpin(f->pool, handle), 0);
	assert_int_equal(pashm_pool_pin(f->pool, handle, &verdict, &address),
			 0);
	assert_int_equal(verdict, PASHM_INTACT);
	assert_true(filled(f->region, handle.page, 3, 'a'));
	assert_int_equal(pashm_pool_unpin(f->pool, handle), 0);
	assert_int_equal(purge(f->region), 3);
	assert_int_equal(pashm_pool_pin(f->pool, handle, &verdict, NULL), 0);
	assert_int_equal(verdict, PASHM_PURGED);
}

static void freeing_needs_an_unpinned_object_and_happens_once(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = alloc(f, 1, 'a');

	assert_int_equal(pashm_pool_free(f->pool, handle), -EBUSY);
	assert_int_equal(count_of(f->region, handle.page), 1);
	release(f, handle);
	assert_int_equal(pashm_pool_free(f->pool, handle), -ESTALE);
	assert_int_equal(pin(f->region, handle), PASHM_STALE);
}

static void a_purged_object_can_be_freed(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = alloc(f, 4, 'a');

	assert_int_equal(pashm_pool_unpin(f->pool, handle), 0);
	assert_int_equal(purge(f->region), 4);
	assert_int_equal(pashm_pool_free(f->pool, handle), 0);
}

static void freed_memory_is_the_first_to_go(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle kept = alloc(f, 4, 'a'), gone = alloc(f, 4, 'b');

	release(f, gone);
	assert_int_equal(pashm_pool_unpin(f->pool, kept), 0);
	assert_int_equal(reclaim(f->region, 1), 4);
	assert_int_equal(pin(f->region, kept), PASHM_INTACT);
	unpin(f->region, kept);
}

static void freed_pages_are_reused_from_the_lowest(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle a = alloc(f, 8, 'a'), b = alloc(f, 8, 'b'), c;

	release(f, a);
	c = alloc(f, 3, 'c');
	assert_int_equal(c.page, a.page);
	a = alloc(f, 5, 'd');
	assert_int_equal(a.page, c.page + 3);
	assert_true(filled(f->region, b.page, 8, 'b'));
	assert_true(filled(f->region, c.page, 3, 'c'));
}

static void neighbours_become_one_run(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handles[PAGES / 4], whole;
	struct pashm_pool_info info;
	unsigned int i;

	for (i = 0; i < PAGES / 4; i++)
		handles[i] = alloc(f, 4, 'a');
	for (i = 0; i < PAGES / 4; i += 2)
		release(f, handles[i]);
	for (i = 1; i < PAGES / 4; i += 2)
		release(f, handles[i]);
	pashm_pool_info(f->pool, &info);
	assert_int_equal(info.objects, 0);
	assert_int_equal(info.free_runs, 1);
	assert_int_equal(info.free, PAGES * page_size());
	whole = alloc(f, PAGES, 'b');
	assert_int_equal(whole.page, 0);
	assert_int_equal(pashm_pool_unpin(f->pool, whole), 0);
	assert_int_equal(purge(f->region), PAGES);
}

static void zeroed_means_zeros_even_in_used_pages(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = alloc(f, 4, 'a');

	release(f, handle);
	assert_int_equal(pashm_pool_alloc(f->pool, 6 * page_size(), 3,
					  PASHM_ALLOC_ZEROED, &handle, NULL),
			 0);
	assert_int_equal(handle.page, 0);
	assert_true(filled(f->region, 0, 6, 0));
}

static void a_full_pool_says_so_and_recovers(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle all = alloc(f, PAGES - 1, 'a'), handle;

	assert_int_equal(pashm_pool_alloc(f->pool, 2 * page_size(), 3, 0,
					  &handle, NULL), -ENOSPC);
	release(f, all);
	alloc(f, PAGES, 'b');
}

/* Objects know who they are, whatever is allocated and freed around them */
static void random_use_keeps_objects_apart(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handles[16];
	uint32_t pages[16] = { 0 };
	unsigned int i, k, seed = 3;

	for (i = 0; i < 4000; i++) {
		seed = seed * 1103515245 + 12345;
		k = seed >> 16 & 15;
		if (pages[k]) {
			assert_true(filled(f->region, handles[k].page,
					   pages[k], (int)k + 1));
			release(f, handles[k]);
			pages[k] = 0;
		} else {
			pages[k] = 1 + (seed >> 24) % 7;
			if (pashm_pool_alloc(f->pool, pages[k] * page_size(), 3,
					     0, &handles[k], NULL)) {
				pages[k] = 0;
				continue;
			}
			memset(pashm_address(f->region, handles[k].page),
			       (int)k + 1, pages[k] * page_size());
		}
		if (i % 64 == 0)
			purge(f->region);
	}
}

static void *churn(void *argument)
{
	struct fixture *f = argument;
	struct pashm_handle handle;
	unsigned int i, seed = (unsigned int)(uintptr_t)&handle;
	uint32_t pages;
	int byte;

	for (i = 0; i < 1500; i++) {
		seed = seed * 1103515245 + 12345;
		pages = 1 + (seed >> 16) % 5;
		byte = (int)(seed >> 24);
		if (pashm_pool_alloc(f->pool, pages * page_size(), 3, 0,
				     &handle, NULL))
			continue;
		memset(pashm_address(f->region, handle.page), byte,
		       pages * page_size());
		if (!filled(f->region, handle.page, pages, byte) ||
		    pashm_pool_unpin(f->pool, handle) ||
		    pashm_pool_free(f->pool, handle))
			return (void *)1;
	}
	return NULL;
}

static void threads_can_share_a_pool(void **test)
{
	struct fixture *f = *test;
	struct pashm_pool_info info;
	pthread_t threads[4];
	void *failed;
	int i;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, f),
				 0);
	for (i = 0; i < 100; i++)
		purge(f->region);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	pashm_pool_info(f->pool, &info);
	assert_int_equal(info.objects, 0);
	assert_int_equal(info.bytes, 0);
	assert_true(info.free_runs <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL(bad_requests_are_refused),
		POOL(an_object_is_pinned_until_it_is_not),
		POOL(freeing_needs_an_unpinned_object_and_happens_once),
		POOL(a_purged_object_can_be_freed),
		POOL(freed_memory_is_the_first_to_go),
		POOL(freed_pages_are_reused_from_the_lowest),
		POOL(neighbours_become_one_run),
		POOL(zeroed_means_zeros_even_in_used_pages),
		POOL(a_full_pool_says_so_and_recovers),
		POOL(random_use_keeps_objects_apart),
		POOL(threads_can_share_a_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
