// SPDX-License-Identifier: LGPL-2.1-or-later
/* The layout of a region's memfd: computing it, and checking a foreign one. */
#include <string.h>
#include <unistd.h>
#include <linux/pashm.h>
#include "memfd_layout.h"

#define DATA_ALIGN	(2ULL << 20)

_Static_assert(sizeof(struct memfd_header) <= 4096, "header is one page");
_Static_assert(sizeof(struct memfd_purge) <= 4096, "purge record is one page");
_Static_assert(sizeof(struct memfd_entry) * MEMFD_CLIENTS <= 4096,
	       "client directory is one page");

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

void pashm_memfd_layout(struct memfd_layout *layout, uint64_t pages,
			uint32_t page_shift)
{
	uint64_t page = 1ULL << page_shift;

	*layout = (struct memfd_layout){
		.pages = pages,
		.page_shift = page_shift,
		.purge = page,
		.clients = 2 * page,
		.control_size = 3 * page,
		.states = 3 * page,
		.states_size = align_up(pages * sizeof(uint64_t), page),
		.births_size = align_up(pages * sizeof(uint32_t), page),
		.data_size = pages << page_shift,
		.pins_size = align_up(pages * sizeof(uint32_t), page),
	};
	layout->births = layout->states + layout->states_size;
	layout->data = align_up(layout->births + layout->births_size,
				DATA_ALIGN);
	layout->pins = layout->data + layout->data_size;
	layout->size = layout->pins + MEMFD_CLIENTS * layout->pins_size;
}

void pashm_memfd_header_init(struct memfd_header *header,
			     const struct memfd_layout *layout,
			     const struct pashm_region_params *params)
{
	bool own = params->flags & PASHM_REGION_PRIORITY;

	header->base = (struct pashm_header){
		.magic = PASHM_HEADER_MAGIC,
		.version = PASHM_PROTOCOL_VERSION,
		.page_shift = layout->page_shift,
		.flags = params->flags & MEMFD_FLAGS,
		.pages = layout->pages,
		.epoch = pashm_epoch_next(0),
		.priority = own ? params->priority : PASHM_PRIORITY_DEFAULT,
	};
	header->layout = MEMFD_LAYOUT_VERSION;
	header->size = layout->size;
	if (params->name)
		strncpy(header->name, params->name, sizeof(header->name) - 1);
}

int pashm_memfd_header_check(const struct memfd_header *header, uint64_t size,
			     struct memfd_layout *layout)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	uint32_t page_shift = (uint32_t)__builtin_ctzll(page_size);

	if (header->base.magic != PASHM_HEADER_MAGIC)
		return -EINVAL;
	if (header->base.version != PASHM_PROTOCOL_VERSION ||
	    header->layout != MEMFD_LAYOUT_VERSION || header->features ||
	    header->base.flags & ~MEMFD_FLAGS)
		return -EPROTO;
	if (header->base.page_shift != page_shift || header->base.pages == 0 ||
	    header->base.pages > PASHM_SIZE_MAX >> page_shift)
		return -EINVAL;
	pashm_memfd_layout(layout, header->base.pages, page_shift);
	if (header->base.flags & PASHM_REGION_HUGE &&
	    layout->data_size % PASHM_HUGE_BYTES)
		return -EINVAL;
	if (header->size != layout->size || size != layout->size)
		return -EINVAL;
	if (header->base.flags & PASHM_CREATE_SOLE)
		return -EPERM;
	return 0;
}
