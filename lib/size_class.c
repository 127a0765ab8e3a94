// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Four classes for each doubling of the size, so that at most a fifth of a slot
 * is unused; below 128 bytes, each multiple of 16.
 *
 * A slab is as short as can be, as all that is in it is pinned and purged
 * together: one unit of the region, or as many more as it takes to waste at
 * most an eighth at its end. Where such a slab would have one slot, and above
 * two units, where what is lost by whole units is little, there is no class.
 * Nor is a slot used that is not smaller than whole units would be.
 */
#include "size_class.h"

#define SLOT_LEAST	(1U << SLOT_SHIFT)
#define WASTE_SHARE	8
#define UNITS_MOST	8
/* Classes of a doubling, and the step up to the first one */
#define STEPS		4

/* @size is a class; the one after it */
static size_t size_next(size_t size)
{
	size_t step = SLOT_LEAST;

	while (step * STEPS * 2 <= size)
		step *= 2;
	return size + step;
}

static void class_add(struct size_classes *classes, size_t size, size_t unit)
{
	size_t units, slots;

	for (units = 1; units <= UNITS_MOST; units++) {
		slots = units * unit / size;
		if (slots && (units * unit - slots * size) * WASTE_SHARE <=
			     units * unit)
			break;
	}
	if (units > UNITS_MOST || slots < 2 || slots > SLOT_MAX)
		return;
	classes->class[classes->count++] = (struct size_class){
		.size = (uint32_t)size,
		.slots = (uint16_t)slots,
		.units = (uint16_t)units,
	};
}

void pashm_size_classes_init(struct size_classes *classes, size_t unit)
{
	size_t size;

	classes->unit = unit;
	classes->count = 0;
	for (size = SLOT_LEAST; size < 2 * unit; size = size_next(size)) {
		if (classes->count < CLASSES_MAX)
			class_add(classes, size, unit);
	}
}

/* Slots begin at multiples of their size, and slabs at multiples of a page */
uint32_t pashm_size_class(const struct size_classes *classes, size_t size,
			  size_t align)
{
	size_t whole = (size + classes->unit - 1) & ~(classes->unit - 1);
	uint32_t low = 0, high = classes->count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (classes->class[middle].size < size)
			low = middle + 1;
		else
			high = middle;
	}
	while (low < classes->count && classes->class[low].size & (align - 1))
		low++;
	if (low < classes->count && classes->class[low].size >= whole)
		return classes->count;
	return low;
}
