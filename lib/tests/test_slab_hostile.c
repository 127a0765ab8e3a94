// SPDX-License-Identifier: LGPL-2.1-or-later
/* Slabs and stale handles, other clients, other CPUs, and threads that trim. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include "pool_fixture.h"
#include "pool.h"

static struct pashm_handle make(struct fixture *f, size_t size)
{
	struct pashm_handle handle;

	assert_int_equal(pashm_pool_alloc(f->pool, size, 3, 0, &handle, NULL),
			 0);
	memset(pashm_pool_address(f->pool, handle), 'x', size);
	return handle;
}

static struct pashm_pool_info info_of(struct fixture *f)
{
	struct pashm_pool_info info;

	pashm_pool_info(f->pool, &info);
	return info;
}

/* Number @index of those that this thread may use; false if there is none */
static bool cpu_choose(int index)
{
	static cpu_set_t all;
	cpu_set_t one;
	int cpu;

	if (!CPU_COUNT(&all))
		assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || index--)
			continue;
		CPU_SET(cpu, &one);
		return !sched_setaffinity(0, sizeof(one), &one);
	}
	return false;
}

static void a_slab_that_is_made_anew_knows_no_old_handles(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle old = make(f, 100), now;

	release(f, old);
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	now = make(f, 100);
	/* All is the same but for the generation */
	assert_int_equal(now.page, old.page);
	assert_int_equal(now.inner, old.inner);
	assert_int_equal(pashm_pool_size(f->pool, old), 0);
	assert_int_equal(pashm_pool_free(f->pool, old), -ESTALE);
	assert_int_equal(info_of(f).objects, 1);
	release(f, now);
}

static void a_handle_of_a_slab_frees_nothing_else(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle old = make(f, 100), now;

	release(f, old);
	assert_int_equal(pashm_pool_trim(f->pool), 0);
	now = make(f, page_size());
	assert_int_equal(now.page, old.page);
	old.generation = now.generation;
	assert_int_equal(pashm_pool_free(f->pool, old), -ESTALE);
	assert_int_equal(pashm_pool_size(f->pool, old), 0);
	release(f, now);
	/* Nor does one of pages free a slab */
	now = make(f, 100);
	old = (struct pashm_handle){
		.page = now.page, .generation = now.generation,
	};
	assert_int_equal(pashm_pool_unpin(f->pool, now), 0);
	assert_int_equal(pashm_pool_free(f->pool, old), -ESTALE);
	assert_int_equal(pashm_pool_size(f->pool, old), 0);
	assert_int_equal(pashm_pool_free(f->pool, now), 0);
}

static void an_empty_slab_that_looks_gone_is_not_lost(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle = make(f, 100);
	uint64_t *word = &f->region->view.states[handle.page], state;

	release(f, handle);
	state = *word;
	*word = 0;
	make(f, 100);
	*word = state;
	/* The one that he hid has ended, and its pages are not given out again */
	assert_int_equal(info_of(f).slabs, 1);
	assert_int_equal(info_of(f).bytes, 2 * page_size());
	assert_int_equal(info_of(f).objects, 2);
}

static void a_slab_can_be_retired(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle a = make(f, 100), b = make(f, 100), c;

	assert_int_equal(pashm_pool_unpin(f->pool, a), 0);
	assert_false(pashm_pool_retire(f->pool, a));
	assert_int_equal(pashm_pool_unpin(f->pool, b), 0);
	assert_true(pashm_pool_retire(f->pool, a));
	assert_int_equal(info_of(f).objects, 0);
	assert_int_equal(info_of(f).bytes, 0);
	assert_int_equal(pashm_pool_free(f->pool, b), -ESTALE);
	assert_int_equal(pin(f->region, b), PASHM_STALE);
	c = make(f, page_size());
	assert_int_equal(c.page, a.page);
	assert_false(pashm_pool_retire(f->pool, c));
}

/* Another client pins the slab in the last moment, while a neighbour is freed */
static struct backend_ops late;
static struct late_free {
	struct fixture *f;
	struct pashm_handle handle;
	pthread_t thread;
	int ret;
} late_free;

static void *free_late(void *unused)
{
	(void)unused;
	late_free.ret = pashm_pool_free(late_free.f->pool, late_free.handle);
	return NULL;
}

static int refuse_late(struct pashm_region *region,
		       struct backend_reshape *reshape)
{
	(void)region;
	(void)reshape;
	assert_int_equal(pthread_create(&late_free.thread, NULL, free_late,
					NULL), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	return -EBUSY;
}

static void frees_do_not_get_lost_in_a_retirement(void **test)
{
	struct fixture *f = *test;
	const struct backend_ops *real = f->region->ops;
	struct pashm_handle kept = make(f, 100), gone = make(f, 100);

	assert_int_equal(pashm_pool_unpin(f->pool, kept), 0);
	assert_int_equal(pashm_pool_unpin(f->pool, gone), 0);
	late_free = (struct late_free){ .f = f, .handle = gone, .ret = 1 };
	late = *real;
	late.reshape = refuse_late;
	f->region->ops = &late;
	assert_false(pashm_pool_retire(f->pool, kept));
	f->region->ops = real;
	assert_int_equal(pthread_join(late_free.thread, NULL), 0);
	assert_int_equal(late_free.ret, 0);
	assert_int_equal(info_of(f).objects, 1);
	assert_int_equal(pashm_pool_free(f->pool, kept), 0);
	assert_int_equal(info_of(f).objects, 0);
}

static void another_cpu_has_the_slots(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle first, rest, here;

	assert_true(cpu_choose(0));
	first = make(f, 100);
	rest = make(f, (PAGES - 1) * page_size());
	if (!cpu_choose(1))
		skip();
	here = make(f, 100);
	assert_int_equal(here.page, first.page);
	/* And larger ones, if need be; but not smaller ones */
	here = make(f, 40);
	assert_int_equal(here.page, first.page);
	assert_true(pashm_pool_size(f->pool, here) >= 100);
	assert_int_equal(pashm_pool_alloc_aligned(f->pool, 32, 32, 3, 0, &here,
						  NULL), -ENOSPC);
	assert_int_equal(pashm_pool_alloc(f->pool, 500, 3, 0, &here, NULL),
			 -ENOSPC);
	cpu_choose(0);
	release(f, rest);
}

/* A slab for five of them would take two pages */
static void what_has_no_slab_has_its_own_page(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handle;

	make(f, (PAGES - 1) * page_size());
	handle = make(f, 1500);
	assert_int_equal(handle.inner, 0);
	assert_int_equal(pashm_pool_size(f->pool, handle), page_size());
	release(f, handle);
}

/* Somebody has pinned all that is free: nothing is lost by trying */
static void an_aligned_object_that_fails_leaves_nothing(void **test)
{
	struct fixture *f = *test;
	struct pashm_handle handles[PAGES / 4], handle;
	struct pashm_region *other = region_join(f->region);
	size_t align = 4 * page_size();
	uint32_t i;

	for (i = 0; i < PAGES / 4; i++)
		handles[i] = make(f, 4 * page_size());
	for (i = 0; i < PAGES / 4; i++)
		release(f, handles[i]);
	for (i = 0; i < PAGES; i++)
		other->view.pins[i] += PASHM_PIN_COUNT_ONE;
	for (i = 0; i < 4; i++)
		assert_int_equal(pashm_pool_alloc_aligned(
			f->pool, align, align, 3, 0, &handle, NULL), -EBUSY);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(count_of(f->region, i), 0);
	pashm_region_close(other);
	assert_int_equal(info_of(f).objects, 0);
	assert_int_equal(info_of(f).bytes, 0);
	make(f, PAGES * page_size());
}

static void huge_units_align_or_say_no(void **test)
{
	struct pashm_region_params params = {
		.length = 8 * PASHM_HUGE_BYTES, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD | PASHM_REGION_HUGE,
	};
	struct pashm_region *region;
	struct pashm_handle handle;
	struct pashm_pool *pool;
	void *address;
	size_t align;
	int ret;

	(void)test;
	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_pool_create(region, &pool), 0);
	for (align = 1; align <= 2 * PASHM_HUGE_BYTES; align *= 2) {
		ret = pashm_pool_alloc_aligned(pool, align, align, 3, 0,
					       &handle, &address);
		if (ret == -EOPNOTSUPP) {
			assert_true(align > page_size());
			continue;
		}
		assert_int_equal(ret, 0);
		assert_int_equal((uintptr_t)address % align, 0);
		assert_int_equal(pashm_pool_unpin(pool, handle), 0);
		assert_int_equal(pashm_pool_free(pool, handle), 0);
	}
	pashm_pool_destroy(pool);
	pashm_region_close(region);
}

/* Each of four threads keeps what it makes apart, aligned and resized; two trim */
struct churn {
	struct fixture *f;
	uint32_t seed;
	bool failed;
};

static void *churn(void *argument)
{
	struct churn *c = argument;
	struct pashm_handle held[6];
	bool used[6] = { false };
	unsigned int i, k;
	char *address;

	for (i = 0; i < 3000 && !c->failed; i++) {
		c->seed = c->seed * 1103515245 + 12345;
		k = (c->seed >> 16) % 6;
		if (used[k]) {
			address = pashm_pool_address(c->f->pool, held[k]);
			c->failed |= *address != (char)k ||
				     pashm_pool_unpin(c->f->pool, held[k]) ||
				     pashm_pool_free(c->f->pool, held[k]);
			used[k] = false;
			continue;
		}
		used[k] = !pashm_pool_alloc_aligned(
			c->f->pool, page_size() << (c->seed >> 20 & 1),
			1 + (c->seed >> 8) % (3 * page_size()), 3, 0, &held[k],
			(void **)&address);
		if (used[k])
			*address = (char)k;
	}
	for (k = 0; k < 6; k++)
		if (used[k])
			c->failed |= pashm_pool_unpin(c->f->pool, held[k]) ||
				     pashm_pool_free(c->f->pool, held[k]);
	return NULL;
}

static void *trim(void *argument)
{
	struct churn *c = argument;
	int i, ret;

	for (i = 0; i < 300; i++) {
		ret = pashm_pool_trim(c->f->pool);
		c->failed |= ret && ret != -EBUSY;
	}
	return NULL;
}

static void trims_and_allocations_do_not_meet(void **test)
{
	static struct churn churns[7];
	pthread_t threads[7];
	unsigned int i;

	for (i = 0; i < 7; i++) {
		churns[i] = (struct churn){ .f = *test, .seed = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < 4 ? churn : trim,
						&churns[i]), 0);
	}
	for (i = 0; i < 7; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(churns[i].failed);
	}
	assert_int_equal(info_of(*test).objects, 0);
	assert_int_equal(info_of(*test).bytes, 0);
	make(*test, PAGES * page_size());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(huge_units_align_or_say_no),
		POOL(trims_and_allocations_do_not_meet),
		POOL_SHARED(frees_do_not_get_lost_in_a_retirement),
		POOL(another_cpu_has_the_slots),
		POOL(a_slab_that_is_made_anew_knows_no_old_handles),
		POOL(a_handle_of_a_slab_frees_nothing_else),
		POOL(an_empty_slab_that_looks_gone_is_not_lost),
		POOL(a_slab_can_be_retired),
		POOL(what_has_no_slab_has_its_own_page),
		POOL_SHARED(an_aligned_object_that_fails_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
