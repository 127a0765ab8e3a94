// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pool when calls fail, when words are forged, and in a child. */
#include "pool_fixture.h"

static struct pashm_handle alloc(struct fixture *f, uint32_t pages)
{
	struct pashm_handle handle;

	assert_int_equal(pashm_pool_alloc(f->pool, pages * page_size(), 3, 0,
					  &handle, NULL), 0);
	return handle;
}

static void foreign_pin(struct fixture *f, uint32_t page)
{
	__atomic_fetch_add(&f->region->view.pins[page], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
}

static void foreign_unpin(struct fixture *f, uint32_t page)
{
	__atomic_fetch_sub(&f->region->view.pins[page], PASHM_PIN_COUNT_ONE,
			   __ATOMIC_SEQ_CST);
}

static void length_forge(struct fixture *f, uint32_t page, uint64_t length)
{
	uint64_t *word = &f->region->view.states[page];

	*word = (*word & ~PASHM_STATE_LENGTH_MASK) | length;
}

static uint64_t pages_free(struct fixture *f)
{
	struct pashm_pool_info info;

	pashm_pool_info(f->pool, &info);
	return (info.free + info.untouched) / page_size();
}

/* Give out all that is left, page by page: none of it is in @kept's 4 pages */
static void rest_is_apart_from(struct fixture *f, uint32_t kept)
{
	bool owned[PAGES] = { false };
	struct pashm_handle handle;

	while (!pashm_pool_alloc(f->pool, page_size(), 3, 0, &handle, NULL)) {
		assert_in_range(handle.page, 0, PAGES - 1);
		assert_false(handle.page >= kept && handle.page < kept + 4);
		assert_false(owned[handle.page]);
		owned[handle.page] = true;
	}
}

static void a_failed_split_gives_back_what_it_took(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle a = alloc(f, 8), b = alloc(f, 8), c = alloc(f, 8);
	struct pashm_handle d = alloc(f, PAGES - 24), handle;

	release(f, a);
	release(f, b);
	release(f, c);
	foreign_pin(f, b.page);
	/* The extent to be cut is pinned; then one before it */
	assert_int_equal(pashm_pool_alloc(f->pool, 12 * page_size(), 3, 0,
					  &handle, NULL), -EBUSY);
	assert_int_equal(pages_free(f), 24);
	assert_int_equal(pashm_pool_alloc(f->pool, 20 * page_size(), 3, 0,
					  &handle, NULL), -EBUSY);
	assert_int_equal(pages_free(f), 24);
	/* All is left to reclaim again */
	assert_int_equal(pashm_state_length(f->region->view.states[c.page]), 8);
	foreign_unpin(f, b.page);
	handle = alloc(f, 20);
	assert_int_equal(handle.page, 0);
	assert_int_equal(alloc(f, 4).page, 20);
	assert_int_equal(pages_free(f), 0);
	release(f, d);
	release(f, handle);
	assert_int_equal(pages_free(f), PAGES - 4);
}

static void a_failed_first_use_gives_back_what_it_took(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle first = alloc(f, 4), foreign, handle;

	assert_int_equal(pashm_extent_create(f->region, 10, 20, 3, &foreign),
			 0);
	assert_int_equal(pashm_pool_alloc(f->pool, 10 * page_size(), 3, 0,
					  &handle, NULL), -ERANGE);
	assert_int_equal(pages_free(f), PAGES - 4);
	assert_int_equal(pashm_extent_destroy(f->region, 10, 0), 0);
	assert_int_equal(alloc(f, 10).page, 4);
	rest_is_apart_from(f, first.page);
}

static void a_forged_length_moves_no_page_to_another_object(void **test)
{
	static const uint64_t forged[] = { 0, 1, 8, PAGES };
	struct fixture *f = *test;
	struct pashm_handle object, kept, handle;
	unsigned int i;

	for (i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		teardown(test);
		setup(test, i % 2 ? PASHM_REGION_SOLE : 0);
		f = *test;
		object = alloc(f, 4);
		kept = alloc(f, 4);
		length_forge(f, object.page, forged[i]);
		assert_int_equal(pashm_pool_size(f->pool, object),
				 forged[i] ? 4 * page_size() : 0);
		assert_int_equal(pashm_pool_unpin(f->pool, object), 0);
		if (pashm_pool_free(f->pool, object))
			assert_int_equal(pages_free(f), PAGES - 8);
		else
			assert_int_equal(pages_free(f), PAGES - 4);
		rest_is_apart_from(f, kept.page);
	}
	/* The same for a free extent that is to be cut */
	for (i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		teardown(test);
		setup(test, i % 2 ? PASHM_REGION_SOLE : 0);
		f = *test;
		object = alloc(f, 4);
		kept = alloc(f, 4);
		release(f, object);
		length_forge(f, object.page, forged[i]);
		if (!pashm_pool_alloc(f->pool, 3 * page_size(), 3, 0, &handle,
				      NULL))
			release(f, handle);
		assert_int_equal(pages_free(f), PAGES - 4);
		rest_is_apart_from(f, kept.page);
	}
}

static void only_the_start_of_an_object_can_be_freed(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle whole = alloc(f, 8), parts[2], made;

	release(f, whole);
	parts[0] = alloc(f, 4);
	parts[1] = alloc(f, 4);
	release(f, parts[0]);
	release(f, parts[1]);
	alloc(f, 8);
	assert_int_equal(pashm_pool_free(f->pool, parts[1]), -ESTALE);
	assert_int_equal(pashm_pool_size(f->pool, parts[1]), 0);
	/* Nor an extent that somebody has made inside of one, or elsewhere */
	assert_int_equal(pashm_extent_create(f->region, 32, 1, 3, &made), 0);
	assert_int_equal(pashm_unpin(f->region, 32), 0);
	assert_int_equal(pashm_pool_free(f->pool, made), -ESTALE);
}

static void a_stale_handle_has_no_address(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = alloc(f, 4);
	enum pashm_verdict verdict;
	void *address = test;

	release(f, handle);
	assert_int_equal(pashm_pool_size(f->pool, handle), 0);
	assert_int_equal(pashm_pool_pin(f->pool, handle, &verdict, &address),
			 0);
	assert_int_equal(verdict, PASHM_STALE);
	assert_ptr_equal(address, test);
}

static void an_object_whose_extent_was_ended_is_stale(void **test)
{
	struct fixture *f = *test;
	struct pashm_region *other = region_join(f->region);
	struct pashm_handle handle = alloc(f, 4);

	assert_int_equal(pashm_pool_unpin(f->pool, handle), 0);
	assert_int_equal(pin(other, handle), PASHM_INTACT);
	assert_int_equal(pashm_extent_destroy(other, handle.page, 0), 0);
	assert_int_equal(pashm_pool_free(f->pool, handle), -ESTALE);
	pashm_region_close(other);
}

static void pin_most(struct fixture *f, struct pashm_handle handle)
{
	while (count_of(f->region, handle.page) < PASHM_COUNT_LIMIT - 1)
		assert_int_equal(pin(f->region, handle), PASHM_INTACT);
}

static void unpin_all(struct fixture *f, struct pashm_handle handle)
{
	while (count_of(f->region, handle.page))
		assert_int_equal(pashm_pool_unpin(f->pool, handle), 0);
}

static void what_is_pinned_too_often_is_left_alone(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = alloc(f, 1), stale, again;
	enum pashm_verdict verdict;

	pin_most(f, handle);
	assert_int_equal(pashm_pool_pin(f->pool, handle, &verdict, NULL),
			 -EAGAIN);
	assert_int_equal(pashm_pool_free(f->pool, handle), -EAGAIN);
	assert_int_equal(count_of(f->region, handle.page),
			 PASHM_COUNT_LIMIT - 1);
	assert_int_equal(pashm_pool_size(f->pool, handle), page_size());
	unpin_all(f, handle);
	assert_int_equal(pashm_pool_free(f->pool, handle), 0);

	/* Now by a handle of the free extent */
	stale.page = handle.page;
	stale.generation = pashm_generation(f->region, handle.page);
	pin_most(f, stale);
	assert_int_equal(pashm_pool_alloc(f->pool, page_size(), 3, 0, &again, NULL),
			 -EAGAIN);
	assert_int_equal(pages_free(f), PAGES);
	unpin_all(f, stale);
	assert_int_equal(alloc(f, 1).page, handle.page);
}

/* Outlives a test that fails */
static struct backend_ops refusing;
static int refusal;

static int reshape_refused(struct pashm_region *region,
			   struct backend_reshape *reshape)
{
	(void)region;
	(void)reshape;
	return refusal;
}

static int wait_refused(struct pashm_region *region, uint32_t page)
{
	(void)region;
	(void)page;
	return refusal;
}

static void refusing_begin(struct pashm_region *region)
{
	refusing = *region->ops;
	refusing.reshape = reshape_refused;
	refusing.wait = wait_refused;
	region->ops = &refusing;
}

static void an_object_that_is_refused_is_not_made(void **test)
{
	static const int errors[] = {
		-EBUSY, -EAGAIN, -ERANGE, -EACCES, -ENOMEM, -EINTR, -ETIMEDOUT,
	};
	struct fixture *f = *test;
	const struct backend_ops *old = f->region->ops;
	struct pashm_handle handle;
	size_t i;

	refusing_begin(f->region);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		refusal = errors[i];
		assert_int_equal(pashm_pool_alloc(f->pool, page_size(), 3, 0, &handle,
						  NULL), errors[i]);
		assert_int_equal(pages_free(f), PAGES);
	}
	f->region->ops = old;
	assert_int_equal(alloc(f, PAGES).page, 0);
}

static void an_object_whose_end_is_refused_stays(void **test)
{
	static const int errors[] = {
		-EBUSY, -EAGAIN, -EACCES, -EINTR, -ETIMEDOUT,
	};
	struct fixture *f = *test;
	const struct backend_ops *old = f->region->ops;
	struct pashm_handle handle = alloc(f, 4);
	size_t i;

	assert_int_equal(pashm_pool_unpin(f->pool, handle), 0);
	refusing_begin(f->region);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		refusal = errors[i];
		assert_int_equal(pashm_pool_free(f->pool, handle), errors[i]);
		assert_int_equal(count_of(f->region, handle.page), 0);
		assert_int_equal(pages_free(f), PAGES - 4);
	}
	f->region->ops = old;
	assert_int_equal(pin(f->region, handle), PASHM_INTACT);
	release(f, handle);
}

/* An object, and then free pages, that are being purged */
static void a_wait_that_fails_changes_nothing(void **test)
{
	static const int errors[] = { -EINTR, -ETIMEDOUT };
	struct fixture *f = *test;
	const struct backend_ops *old = f->region->ops;
	struct pashm_handle gone = alloc(f, 1), kept = alloc(f, 1), handle;
	uint64_t *states = f->region->view.states;
	enum pashm_verdict verdict;
	size_t i;

	release(f, gone);
	assert_int_equal(pashm_pool_unpin(f->pool, kept), 0);
	/* With several clients it would wait for the lock instead */
	refusing_begin(f->region);
	states[gone.page] |= PASHM_STATE_PURGING;
	states[kept.page] |= PASHM_STATE_PURGING;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		refusal = errors[i];
		assert_int_equal(pashm_pool_pin(f->pool, kept, &verdict, NULL),
				 errors[i]);
		assert_int_equal(pashm_pool_free(f->pool, kept), errors[i]);
		assert_int_equal(pashm_pool_alloc(f->pool, page_size(), 3, 0, &handle,
						  NULL), errors[i]);
		assert_int_equal(count_of(f->region, kept.page), 0);
		assert_int_equal(count_of(f->region, gone.page), 0);
		assert_int_equal(pages_free(f), PAGES - 1);
	}
	f->region->ops = old;
	states[gone.page] &= ~PASHM_STATE_PURGING;
	states[kept.page] &= ~PASHM_STATE_PURGING;
	assert_int_equal(alloc(f, 1).page, gone.page);
	assert_int_equal(pashm_pool_free(f->pool, kept), 0);
}

static void a_region_mapped_for_reading_makes_no_pool(void **test)
{
	struct fixture *f = *test;
	struct pashm_region *other = NULL;
	struct pashm_pool *pool;

	assert_int_equal(pashm_region_import(pashm_region_fd(f->region),
					     &other), 0);
	assert_int_equal(pashm_region_map(other, PROT_READ, NULL), 0);
	assert_int_equal(pashm_pool_create(other, &pool), -EBUSY);
	pashm_region_close(other);
}

static bool child_is_refused(struct fixture *f, struct pashm_handle handle)
{
	struct pashm_pool_info info;
	struct pashm_handle made;
	struct pashm_pool *pool;

	pashm_pool_info(f->pool, &info);
	return pashm_pool_alloc(f->pool, page_size(), 3, 0, &made, NULL) == -EINVAL &&
	       pashm_pool_free(f->pool, handle) == -EINVAL &&
	       pashm_pool_size(f->pool, handle) == 0 &&
	       pashm_pool_unpin(f->pool, handle) == -EINVAL &&
	       pashm_pool_create(f->region, &pool) == -EINVAL &&
	       info.objects == 0 && info.untouched == 0;
}

static void a_child_is_refused(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = alloc(f, 4);
	pid_t pid = fork();

	if (pid == 0) {
		if (!child_is_refused(f, handle))
			_exit(1);
		pashm_pool_destroy(f->pool);
		pashm_region_close(f->region);
		_exit(0);
	}
	assert_int_equal(child_status(pid), 0);
	release(f, handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL(a_failed_split_gives_back_what_it_took),
		POOL(a_failed_first_use_gives_back_what_it_took),
		POOL(a_forged_length_moves_no_page_to_another_object),
		POOL(only_the_start_of_an_object_can_be_freed),
		POOL(a_stale_handle_has_no_address),
		POOL_SHARED(an_object_whose_extent_was_ended_is_stale),
		POOL(what_is_pinned_too_often_is_left_alone),
		POOL_SHARED(an_object_that_is_refused_is_not_made),
		POOL_SHARED(an_object_whose_end_is_refused_stays),
		POOL(a_wait_that_fails_changes_nothing),
		POOL_SHARED(a_region_mapped_for_reading_makes_no_pool),
		POOL(a_child_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
