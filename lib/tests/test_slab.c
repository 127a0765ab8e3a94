// SPDX-License-Identifier: LGPL-2.1-or-later
/* Objects of a pool that share extents. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/sysinfo.h>
#include "pool_fixture.h"

#define OBJECTS	200U

/* So that all that one thread makes is in one arena; threads it starts obey, too */
static void cpus_allow(bool all)
{
	static cpu_set_t before;
	cpu_set_t here;

	if (all) {
		sched_setaffinity(0, sizeof(before), &before);
		return;
	}
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
}

static struct pashm_pool_info info_of(struct fixture *f)
{
	struct pashm_pool_info info;

	pashm_pool_info(f->pool, &info);
	return info;
}

/* Of @size bytes, all of them @byte; pinned */
static struct pashm_handle make(struct fixture *f, size_t size, int byte)
{
	struct pashm_handle handle;
	void *address;

	assert_int_equal(pashm_pool_alloc(f->pool, size, 3, 0, &handle,
					  &address), 0);
	assert_ptr_equal(address, pashm_pool_address(f->pool, handle));
	memset(address, byte, pashm_pool_size(f->pool, handle));
	return handle;
}

static bool is(struct fixture *f, struct pashm_handle handle, int byte)
{
	const unsigned char *data = pashm_pool_address(f->pool, handle);
	size_t i, size = pashm_pool_size(f->pool, handle);

	for (i = 0; i < size && data[i] == byte; i++)
		;
	return size && i == size;
}

static enum pashm_verdict pin_again(struct fixture *f,
				    struct pashm_handle handle)
{
	enum pashm_verdict verdict;
	void *address;

	assert_int_equal(pashm_pool_pin(f->pool, handle, &verdict, &address),
			 0);
	if (verdict != PASHM_STALE)
		assert_ptr_equal(address, pashm_pool_address(f->pool, handle));
	return verdict;
}

/* Sizes of which several share an extent do not overlap, and none is moved */
static void objects_are_apart(void **test)
{
	static const size_t sizes[] = { 1, 16, 17, 100, 500, 1500, 2500, 6000 };
	struct fixture *f = *test;
	struct pashm_handle handles[24];
	unsigned int i;

	for (i = 0; i < 24; i++) {
		handles[i] = make(f, sizes[i % 8], (int)i + 1);
		assert_true(pashm_pool_size(f->pool, handles[i]) >=
			    sizes[i % 8]);
	}
	assert_int_equal(info_of(f).objects, 24);
	assert_int_equal(info_of(f).slabs, 8);
	for (i = 0; i < 24; i++)
		assert_true(is(f, handles[i], (int)i + 1));
	for (i = 0; i < 24; i++)
		release(f, handles[i]);
	assert_int_equal(info_of(f).objects, 0);
}

static void those_of_a_slab_are_pinned_and_purged_together(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle a = make(f, 100, 'a'), b = make(f, 100, 'b');

	assert_int_equal(a.page, b.page);
	assert_int_not_equal(a.inner, b.inner);
	assert_int_equal(pashm_pool_unpin(f->pool, a), 0);
	assert_int_equal(purge(f->region), 0);
	assert_int_equal(pin_again(f, a), PASHM_INTACT);
	assert_true(is(f, a, 'a'));
	assert_int_equal(pashm_pool_unpin(f->pool, a), 0);
	assert_int_equal(pashm_pool_unpin(f->pool, b), 0);
	assert_int_equal(purge(f->region), 1);
	/* Each is told, whoever comes first */
	assert_int_equal(pin_again(f, a), PASHM_PURGED);
	memset(pashm_pool_address(f->pool, a), 'A', 100);
	a.generation = pashm_generation(f->region, a.page);
	assert_int_equal(pin_again(f, b), PASHM_PURGED);
	assert_true(is(f, b, 0));
	assert_int_equal(pashm_pool_unpin(f->pool, a), 0);
	assert_int_equal(pashm_pool_unpin(f->pool, b), 0);
	assert_int_equal(pin_again(f, a), PASHM_INTACT);
}

static void an_object_can_be_alone(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle shared = make(f, 100, 'a'), alone;
	void *address;

	assert_int_equal(pashm_pool_alloc(f->pool, 100, 3, PASHM_ALLOC_ALONE,
					  &alone, &address), 0);
	assert_int_not_equal(alone.page, shared.page);
	assert_int_equal(alone.inner, 0);
	assert_int_equal(pashm_pool_size(f->pool, alone), page_size());
	assert_int_equal(pashm_pool_unpin(f->pool, alone), 0);
	assert_int_equal(purge(f->region), 0);
	memset(address, 'b', 100);
	assert_int_equal(purge(f->region), 1);
	assert_true(is(f, shared, 'a'));
}

static void priorities_do_not_mix(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handles[PASHM_PRIORITY_MAX + 1];
	uint32_t i, k;

	for (i = 0; i <= PASHM_PRIORITY_MAX; i++) {
		assert_int_equal(pashm_pool_alloc(f->pool, 64, i, 0,
						  &handles[i], NULL), 0);
		assert_int_equal(pashm_state_priority(
			f->region->view.states[handles[i].page]), i);
		for (k = 0; k < i; k++)
			assert_int_not_equal(handles[i].page, handles[k].page);
	}
}

/* Whatever happened to their contents, slots are reused, and slabs end */
static void purged_objects_do_not_leak(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handles[OBJECTS];
	unsigned int round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < OBJECTS; i++) {
			handles[i] = make(f, 300, 'x');
			assert_int_equal(pashm_pool_unpin(f->pool, handles[i]),
					 0);
		}
		assert_true(purge(f->region) > 0);
		for (i = 0; i < OBJECTS; i++)
			assert_int_equal(pashm_pool_free(f->pool, handles[i]),
					 0);
		assert_int_equal(info_of(f).objects, 0);
		/* One of each arena may stay for the next object */
		assert_in_range(info_of(f).slabs, 0, (uint64_t)get_nprocs());
	}
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	assert_int_equal(info_of(f).slabs, 0);
	assert_int_equal(info_of(f).vacant, 0);
	assert_int_equal(info_of(f).bytes, 0);
	assert_int_equal(info_of(f).free_runs, 1);
}

static void freeing_twice_is_told(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle first = make(f, 64, 'a'), kept = make(f, 64, 'b');
	struct pashm_handle again, wrong;

	release(f, first);
	assert_int_equal(pashm_pool_free(f->pool, first), -ESTALE);
	assert_int_equal(pashm_pool_size(f->pool, first), 0);
	again = make(f, 64, 'c');
	/* The same slot, but another object */
	assert_int_equal(again.page, first.page);
	assert_int_equal(again.inner & PASHM_INNER_OFFSET_MASK,
			 first.inner & PASHM_INNER_OFFSET_MASK);
	assert_int_equal(pashm_pool_free(f->pool, first), -ESTALE);
	assert_int_equal(pashm_pool_resize(f->pool, &first, 100, 0, NULL),
			 -ESTALE);
	wrong = kept;
	wrong.inner++;
	assert_int_equal(pashm_pool_free(f->pool, wrong), -ESTALE);
	wrong.inner = kept.inner | PASHM_INNER_OFFSET_MASK;
	assert_int_equal(pashm_pool_free(f->pool, wrong), -ESTALE);
	assert_true(is(f, again, 'c'));
	assert_true(is(f, kept, 'b'));
}

static void zeroed_means_zeros_in_used_slots(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = make(f, 200, 'a');

	release(f, handle);
	assert_int_equal(pashm_pool_alloc(f->pool, 200, 3, PASHM_ALLOC_ZEROED,
					  &handle, NULL), 0);
	assert_true(is(f, handle, 0));
}

/* Empty slabs of other sizes make room, and so do other threads' slots */
static void a_full_pool_uses_what_is_empty(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle small = make(f, 16, 'a'), large;

	release(f, small);
	assert_int_equal(info_of(f).slabs, 1);
	assert_int_equal(pashm_pool_alloc(f->pool, PAGES * page_size(), 3, 0,
					  &large, NULL), 0);
	assert_int_equal(info_of(f).slabs, 0);
	assert_int_equal(pashm_pool_alloc(f->pool, 16, 3, 0, &small, NULL),
			 -ENOSPC);
	release(f, large);
	small = make(f, 16, 'b');
	assert_true(is(f, small, 'b'));
}

static void a_slab_that_another_client_ends_is_left_alone(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle a = make(f, 100, 'a'), b;

	assert_int_equal(pashm_extent_destroy(f->region, a.page, 0), 0);
	b = make(f, 100, 'b');
	assert_int_not_equal(b.page, a.page);
	assert_int_equal(pin_again(f, a), PASHM_STALE);
	assert_int_equal(pashm_pool_free(f->pool, a), 0);
	assert_int_equal(pashm_pool_free(f->pool, a), -ESTALE);
	assert_true(is(f, b, 'b'));
	/* Nobody can know what is in its pages: they are not given out again */
	assert_int_equal(info_of(f).objects, 2);
}

static void a_slab_may_be_pinned_too_often(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle a = make(f, 100, 'a'), b;
	uint32_t i;

	for (i = 1; i < PASHM_COUNT_LIMIT - 1; i++)
		assert_int_equal(pin_again(f, a), PASHM_INTACT);
	b = make(f, 100, 'b');
	assert_int_not_equal(b.page, a.page);
	for (i = 0; i < PASHM_COUNT_LIMIT - 1; i++)
		assert_int_equal(pashm_pool_unpin(f->pool, a), 0);
	assert_int_equal(pashm_pool_free(f->pool, a), 0);
}

struct churn {
	struct fixture *f;
	uint32_t seed;
	struct pashm_handle held[32];
	unsigned char bytes[32];
	bool failed;
};

static bool step(struct churn *c, unsigned int k)
{
	enum pashm_verdict verdict;
	size_t size;
	void *address;

	if (c->bytes[k]) {
		if (pashm_pool_pin(c->f->pool, c->held[k], &verdict, &address))
			return false;
		if (verdict == PASHM_STALE ||
		    (verdict == PASHM_INTACT &&
		     !is(c->f, c->held[k], c->bytes[k])))
			return false;
		c->bytes[k] = 0;
		return !pashm_pool_unpin(c->f->pool, c->held[k]) &&
		       !pashm_pool_free(c->f->pool, c->held[k]);
	}
	size = 1 + (c->seed >> 8) % 700;
	if (pashm_pool_alloc(c->f->pool, size, 3, 0, &c->held[k], &address))
		return true;
	c->bytes[k] = (unsigned char)(1 + (c->seed >> 20) % 255);
	memset(address, c->bytes[k], pashm_pool_size(c->f->pool, c->held[k]));
	return !pashm_pool_unpin(c->f->pool, c->held[k]);
}

static void *churn(void *argument)
{
	struct churn *c = argument;
	unsigned int i;

	for (i = 0; i < 4000 && !c->failed; i++) {
		c->seed = c->seed * 1103515245 + 12345;
		c->failed = !step(c, c->seed >> 16 & 31);
	}
	return NULL;
}

static void threads_keep_what_is_theirs(void **test)
{
	static struct churn churns[4];
	pthread_t threads[4];
	struct fixture *f = *test;
	unsigned int i, k;

	cpus_allow(true);
	for (i = 0; i < 4; i++) {
		churns[i] = (struct churn){ .f = f, .seed = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, churn,
						&churns[i]), 0);
	}
	for (i = 0; i < 200; i++) {
		purge(f->region);
		sched_yield();
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(churns[i].failed);
	}
	/* Freed by another thread than the one that made them */
	for (i = 0; i < 4; i++) {
		for (k = 0; k < 32; k++) {
			if (churns[i].bytes[k])
				assert_int_equal(pashm_pool_free(
					f->pool, churns[i].held[k]), 0);
		}
	}
	assert_int_equal(info_of(f).objects, 0);
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	assert_int_equal(info_of(f).bytes, 0);
	cpus_allow(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL(objects_are_apart),
		POOL(those_of_a_slab_are_pinned_and_purged_together),
		POOL(an_object_can_be_alone),
		POOL(priorities_do_not_mix),
		POOL(purged_objects_do_not_leak),
		POOL(freeing_twice_is_told),
		POOL(zeroed_means_zeros_in_used_slots),
		POOL(a_full_pool_uses_what_is_empty),
		POOL(a_slab_that_another_client_ends_is_left_alone),
		POOL(a_slab_may_be_pinned_too_often),
		POOL(threads_keep_what_is_theirs),
	};

	cpus_allow(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
