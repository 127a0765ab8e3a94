/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is where in the memfd of a region without the module.
 *
 *   page 0   struct memfd_header   set by the creator; epoch and counters by
 *                                  whoever purges
 *   page 1   struct memfd_purge    the purge in flight
 *   page 2   struct memfd_entry[]  who is a client
 *            state table           8 bytes a page
 *            birth table           4 bytes a page
 *            data                  from a multiple of 2 MiB
 *            pin tables            4 bytes a page, one table a client
 *
 * All of it is sparse. The size is sealed, so that nobody can cut it off under
 * a mapping (SIGBUS), and follows from the number of pages alone.
 *
 * Every process that has the memfd can write all of it. None trusts the others
 * further than that they may lose the contents of this region: indices and
 * lengths are read once and checked before use, loops are bounded by the
 * process's own idea of the region's size.
 */
#ifndef LIB_MEMFD_LAYOUT_H
#define LIB_MEMFD_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/pashm_pin.h>
#include <pashm/region.h>

#define MEMFD_LAYOUT_VERSION	2U
/* Of a region that others see */
#define MEMFD_FLAGS \
	(PASHM_REGION_SOLE | PASHM_REGION_PRIORITY | PASHM_REGION_HUGE)
#define MEMFD_CLIENTS		256U

/* OFD locks: byte 0 is the purge lock, byte 1 + n belongs to client n */
#define MEMFD_LOCK_PURGE	0
#define MEMFD_LOCK_CLIENT(n)	(1 + (long)(n))

/**
 * struct memfd_header - page 0
 * @base:     what the inline fast path reads
 * @layout:   MEMFD_LAYOUT_VERSION
 * @features: 0 for now; an importer refuses what it does not know
 * @size:     of the file; must agree with what @base.pages implies
 * @name:     of the region
 */
struct memfd_header {
	struct pashm_header base;
	uint32_t layout;
	uint32_t features;
	uint64_t size;
	char name[PASHM_REGION_NAME_MAX];
};

/**
 * enum memfd_phase - how far the purge in flight has got
 * @MEMFD_IDLE:   none
 * @MEMFD_CLAIM:  words in the range may have PURGING set, no page is lost. If
 *                the owner dies, PURGING is taken back
 * @MEMFD_PUNCH:  every extent in the range was claimed, and nobody had it pinned
 *                after (B); pages may be gone. If the owner dies, the purge is
 *                completed where PURGING is still set
 */
enum memfd_phase {
	MEMFD_IDLE = 0,
	MEMFD_CLAIM = 1,
	MEMFD_PUNCH = 2,
};

/**
 * struct memfd_purge - page 1: written under the purge lock only
 * @phase:       enum memfd_phase; set last on the way in, cleared last
 * @client:      who purges, and
 * @incarnation: of what incarnation; both for people who look
 * @violations:  state words found changed or forged
 * @page:        the range in flight
 * @pages:       its length
 * @volume:      pages taken since the epoch moved
 * @waiting:     set by anyone without the lock: somebody waits for it, so its
 *               holder should let go for a moment between two extents; who
 *               still waits then sets it again
 */
struct memfd_purge {
	uint32_t phase;
	uint32_t client;
	uint32_t incarnation;
	uint32_t violations;
	uint64_t page;
	uint64_t pages;
	uint64_t volume;
	uint32_t waiting;
};

/**
 * struct memfd_entry - page 2: one client
 * @live:        a client has or had this entry; written under the purge lock
 * @incarnation: raised each time that the entry is taken
 * @pid:         of the client, in its own pid namespace; for people who look
 *
 * Whether the client still exists is not written down: it does as long as its
 * OFD lock does, and the kernel drops that when the client's file description
 * goes. Only a process that has got hold of that lock clears @live, and the
 * pin table before it.
 */
struct memfd_entry {
	uint32_t live;
	uint32_t incarnation;
	uint32_t pid;
	uint32_t reserved;
};

/**
 * struct memfd_layout - byte offsets and sizes, computed from @pages
 */
struct memfd_layout {
	uint64_t pages;
	uint32_t page_shift;
	uint64_t purge;
	uint64_t clients;
	uint64_t control_size;		/* header, purge and clients */
	uint64_t states, states_size;
	uint64_t births, births_size;
	uint64_t data, data_size;
	uint64_t pins, pins_size;	/* of one client */
	uint64_t size;
};

void pashm_memfd_layout(struct memfd_layout *layout, uint64_t pages,
			uint32_t page_shift);

/* Fill in a new region's header */
void pashm_memfd_header_init(struct memfd_header *header,
			     const struct memfd_layout *layout,
			     const struct pashm_region_params *params);

/*
 * Is @header, a private copy, one that this process can work with, in a file
 * of @size bytes? Fills in @layout. Returns 0, -EINVAL, -EPROTO or -EPERM as
 * pashm_region_import().
 */
int pashm_memfd_header_check(const struct memfd_header *header, uint64_t size,
			     struct memfd_layout *layout);

#endif /* LIB_MEMFD_LAYOUT_H */
