/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Size classes: into which slots small objects go, and how long the slabs are
 * that the slots are cut from. Pure functions.
 */
#ifndef LIB_SIZE_CLASS_H
#define LIB_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

/* Of sizes, and of the offsets of slots in their slabs */
#define SLOT_SHIFT	4
#define SLOT_MAX	4096U	/* in a slab: their pins share one count */
#define CLASSES_MAX	64U

/**
 * struct size_class
 * @size:  bytes of a slot
 * @slots: of a slab; at least 2
 * @units: of the region, that a slab is long
 */
struct size_class {
	uint32_t size;
	uint16_t slots;
	uint16_t units;
};

/**
 * struct size_classes
 * @unit:  bytes that extents are multiples of
 * @count: how many there are
 * @class: by size
 */
struct size_classes {
	size_t unit;
	uint32_t count;
	struct size_class class[CLASSES_MAX];
};

/* For a region whose extents are multiples of @unit bytes, a power of two */
void pashm_size_classes_init(struct size_classes *classes, size_t unit);

/*
 * The smallest class for objects of @size bytes whose address is a multiple of
 * @align, a power of two; @count of @classes if such objects get pages of their
 * own.
 */
uint32_t pashm_size_class(const struct size_classes *classes, size_t size,
			  size_t align);

#endif /* LIB_SIZE_CLASS_H */
