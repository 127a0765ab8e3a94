// SPDX-License-Identifier: LGPL-2.1-or-later
/* The set of free runs, against a bitmap that does the same slowly. */
#include "common.h"
#include "runs.h"

#define MODEL	512U

static bool is_free[MODEL];

/* First fit by address, as the model has it */
static uint32_t model_find(uint32_t pages)
{
	uint32_t i, length = 0;

	for (i = 0; i < MODEL; i++) {
		length = is_free[i] ? length + 1 : 0;
		if (length == pages)
			return i + 1 - pages;
	}
	return MODEL;
}

static uint64_t model_runs(uint64_t *pages)
{
	uint64_t count = 0;
	uint32_t i;

	*pages = 0;
	for (i = 0; i < MODEL; i++) {
		*pages += is_free[i];
		count += is_free[i] && (i == 0 || !is_free[i - 1]);
	}
	return count;
}

static void it_does_what_the_model_does(void **test)
{
	static struct { uint32_t start, pages; } held[MODEL];
	uint32_t i, first, start, pages, expect, holding = 0, seed = 7;
	struct runs runs;
	uint64_t sum;

	(void)test;
	pashm_runs_init(&runs);
	assert_int_equal(pashm_runs_reserve(&runs, MODEL), 0);
	assert_true(pashm_runs_give(&runs, 0, MODEL));
	memset(is_free, 1, sizeof(is_free));
	for (i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		pages = 1 + (seed >> 16) % 24;
		if (seed >> 30 && holding < MODEL) {
			expect = model_find(pages);
			assert_int_equal(pashm_runs_find(&runs, pages, 1, 0,
							 &first, &start),
					 expect != MODEL);
			if (expect == MODEL)
				continue;
			assert_int_equal(start, expect);
			assert_int_equal(first, expect);
			assert_true(pashm_runs_take(&runs, start, pages));
			memset(is_free + start, 0, pages);
			held[holding].start = start;
			held[holding++].pages = pages;
		} else if (holding) {
			uint32_t pick = (seed >> 8) % holding;

			assert_true(pashm_runs_give(&runs, held[pick].start,
						    held[pick].pages));
			memset(is_free + held[pick].start, 1,
			       held[pick].pages);
			held[pick] = held[--holding];
		}
		assert_int_equal(runs.count, model_runs(&sum));
		assert_int_equal(runs.pages, sum);
	}
	pashm_runs_clear(&runs);
}

static void a_part_of_a_run_can_be_taken(void **test)
{
	uint32_t start, pages;
	struct runs runs;

	(void)test;
	pashm_runs_init(&runs);
	assert_int_equal(pashm_runs_reserve(&runs, 3), 0);
	assert_true(pashm_runs_give(&runs, 4, 8));
	assert_false(pashm_runs_take(&runs, 3, 2));
	assert_false(pashm_runs_take(&runs, 11, 2));
	assert_false(pashm_runs_take(&runs, 12, 1));
	assert_true(pashm_runs_take(&runs, 6, 3));
	assert_int_equal(runs.count, 2);
	assert_int_equal(runs.pages, 5);
	assert_true(pashm_runs_next(&runs, 0, &start, &pages));
	assert_true(start == 4 && pages == 2);
	assert_true(pashm_runs_next(&runs, 5, &start, &pages));
	assert_true(start == 4 && pages == 2);
	assert_true(pashm_runs_next(&runs, 6, &start, &pages));
	assert_true(start == 9 && pages == 3);
	assert_false(pashm_runs_next(&runs, 12, &start, &pages));
	assert_false(pashm_runs_take(&runs, 5, 5));
	assert_true(pashm_runs_take(&runs, 4, 2));
	assert_true(pashm_runs_take(&runs, 9, 3));
	assert_int_equal(runs.count, 0);
	assert_int_equal(runs.pages, 0);
	pashm_runs_clear(&runs);
}

static void pages_can_be_aligned(void **test)
{
	uint32_t start, first;
	struct runs runs;

	(void)test;
	pashm_runs_init(&runs);
	assert_int_equal(pashm_runs_reserve(&runs, 4), 0);
	assert_true(pashm_runs_give(&runs, 1, 6));
	assert_true(pashm_runs_give(&runs, 9, 6));
	assert_true(pashm_runs_give(&runs, 17, 9));
	assert_true(pashm_runs_find(&runs, 3, 4, 0, &start, &first));
	assert_true(start == 1 && first == 4);
	/* The first that is long enough is too far from where it has to be */
	assert_true(pashm_runs_find(&runs, 4, 4, 0, &start, &first));
	assert_true(start == 17 && first == 20);
	assert_true(pashm_runs_find(&runs, 4, 4, 3, &start, &first));
	assert_true(start == 1 && first == 1);
	assert_true(pashm_runs_find(&runs, 6, 8, 15, &start, &first));
	assert_true(start == 1 && first == 1);
	assert_false(pashm_runs_find(&runs, 7, 8, 0, &start, &first));
	pashm_runs_clear(&runs);
}

static void who_has_reserved_none_gives_none(void **test)
{
	struct runs runs;

	(void)test;
	pashm_runs_init(&runs);
	assert_false(pashm_runs_give(&runs, 4, 8));
	assert_int_equal(pashm_runs_reserve(&runs, 1), 0);
	assert_true(pashm_runs_give(&runs, 4, 8));
	assert_false(pashm_runs_give(&runs, 20, 1));
	assert_int_equal(runs.pages, 8);
	pashm_runs_clear(&runs);
}

static void pages_never_get_a_second_owner(void **test)
{
	struct runs runs;

	(void)test;
	pashm_runs_init(&runs);
	assert_int_equal(pashm_runs_reserve(&runs, 3), 0);
	assert_true(pashm_runs_give(&runs, 10, 10));
	assert_true(pashm_runs_give(&runs, 30, 10));
	assert_false(pashm_runs_give(&runs, 5, 6));
	assert_false(pashm_runs_give(&runs, 19, 2));
	assert_false(pashm_runs_give(&runs, 12, 3));
	assert_false(pashm_runs_give(&runs, 0, 100));
	assert_false(pashm_runs_give(&runs, 30, 10));
	assert_false(pashm_runs_take(&runs, 10, 11));
	assert_false(pashm_runs_take(&runs, 20, 1));
	assert_int_equal(runs.count, 2);
	assert_int_equal(runs.pages, 20);
	assert_true(pashm_runs_give(&runs, 20, 10));
	assert_int_equal(runs.count, 1);
	assert_int_equal(runs.pages, 30);
	pashm_runs_clear(&runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_does_what_the_model_does),
		cmocka_unit_test(a_part_of_a_run_can_be_taken),
		cmocka_unit_test(pages_can_be_aligned),
		cmocka_unit_test(who_has_reserved_none_gives_none),
		cmocka_unit_test(pages_never_get_a_second_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
