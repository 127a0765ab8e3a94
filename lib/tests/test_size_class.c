// SPDX-License-Identifier: LGPL-2.1-or-later
/* Size classes: each size and alignment, for small pages and huge ones. */
#include "common.h"
#include "size_class.h"

#define SMALL	4096U
#define LARGE	(2U << 20)

static void classes_are_sound(size_t unit)
{
	struct size_classes classes;
	const struct size_class *class;
	size_t length, least = 0;
	uint32_t i;

	pashm_size_classes_init(&classes, unit);
	assert_in_range(classes.count, 10, CLASSES_MAX - 1);
	for (i = 0; i < classes.count; i++) {
		class = &classes.class[i];
		length = class->units * unit;
		assert_true(class->size > least);
		assert_int_equal(class->size % (1U << SLOT_SHIFT), 0);
		assert_in_range(class->slots, 2, SLOT_MAX);
		assert_int_equal(class->slots, length / class->size);
		assert_true((length % class->size) * 8 <= length);
		least = class->size;
	}
}

static void classes_are_sound_for_all_units(void **test)
{
	(void)test;
	classes_are_sound(SMALL);
	classes_are_sound(4 * SMALL);
	classes_are_sound(LARGE);
}

/* The slot, or the units, that an object of a size takes */
static size_t taken(const struct size_classes *classes, size_t size,
		    size_t align)
{
	uint32_t class = pashm_size_class(classes, size, align);

	if (class < classes->count)
		return classes->class[class].size;
	return (size + classes->unit - 1) / classes->unit * classes->unit;
}

static void every_size_fits_and_little_is_wasted(void **test)
{
	struct size_classes classes;
	size_t size, slot;

	(void)test;
	pashm_size_classes_init(&classes, SMALL);
	for (size = 1; size <= 4 * SMALL; size++) {
		slot = taken(&classes, size, 1);
		assert_true(slot >= size);
		/* Below two units: a fifth, or what rounding to 16 bytes costs */
		if (size <= 2 * SMALL && slot != SMALL && slot != 2 * SMALL)
			assert_true((slot - size) * 5 <= slot ||
				    slot - size < 16);
		/* Never more than pages of its own would be */
		assert_true(slot <= (size + SMALL - 1) / SMALL * SMALL);
	}
}

static void slots_are_aligned(void **test)
{
	struct size_classes classes;
	size_t align, size;
	uint32_t class;

	(void)test;
	pashm_size_classes_init(&classes, LARGE);
	for (align = 1; align <= LARGE; align *= 2) {
		for (size = 1; size < LARGE; size = size * 5 / 4 + 1) {
			class = pashm_size_class(&classes, size, align);
			if (class == classes.count)
				continue;
			assert_true(classes.class[class].size >= size);
			assert_int_equal(classes.class[class].size % align, 0);
		}
	}
	/* Where there is a slot that fits, it is found */
	assert_true(pashm_size_class(&classes, 1000, 1024) < classes.count);
	assert_int_equal(taken(&classes, 1000, 1024), 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_sound_for_all_units),
		cmocka_unit_test(every_size_fits_and_little_is_wasted),
		cmocka_unit_test(slots_are_aligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
