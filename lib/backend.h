/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a backend provides, and the part of a region that both share.
 *
 * region.c validates arguments and dispatches; a backend may rely on ranges
 * being inside the region and on flags being known.
 */
#ifndef LIB_BACKEND_H
#define LIB_BACKEND_H

#include <pthread.h>
#include <stdbool.h>
#include <pashm/region.h>
#include "pressure.h"

#define PASHM_API __attribute__((visibility("default")))

#define PASHM_STRICT_FLAGS \
	(PASHM_REGION_STRICT | PASHM_REGION_STRICT_UNPINNED)
#define PASHM_REGION_FLAGS \
	(PASHM_REGION_SOLE | PASHM_REGION_NO_THREAD | PASHM_STRICT_FLAGS | \
	 PASHM_REGION_PRIORITY | PASHM_REGION_HUGE)

/**
 * struct backend_reshape - a change of geometry
 * @page:       first page of the range
 * @pages:      its length
 * @priority:   of the extent to be made
 * @free:       make the range unmanaged instead, and drop the caller's pin
 * @discard:    with @free: give the pages back, too
 * @generation: out: of the word at @page afterwards
 */
struct backend_reshape {
	uint32_t page;
	uint32_t pages;
	uint32_t priority;
	bool free;
	bool discard;
	uint32_t generation;
};

/**
 * struct backend_ops - a backend; const, one object each
 * @id:      which one
 * @create:  new region, opened; @params are valid
 * @import:  open the region behind a descriptor; -EINVAL if it is none of ours
 * @close:   give up and free everything; also in a child after fork
 * @hold:    open what keeps the client's pins alive as long as it exists. Under
 *           the registry's lock, so no fork gets in between; NULL for nothing
 * @drop:    close it, if it is open; under the registry's lock, too, or in the
 *           child of a fork, which must not keep the parent's pins alive
 * @map:     make the data accessible at an address that is returned
 * @wait:    the count at @page is raised and PURGING was seen: return 0 once
 *           the purges that were in flight then are over
 * @reshape: change the geometry whatever the number of clients
 * @purge:   take all that is unpinned
 * @reclaim: take about @pages pages of extents up to @class, return the number
 *           taken; lower *@next to the lowest class left out. Does not wait
 *           for others. NULL if somebody else looks after that
 * @info:    fill in the figures (@backend is done by the caller)
 * @protect: drop access rights
 */
struct backend_ops {
	enum pashm_backend id;
	int (*create)(const struct pashm_region_params *params,
		      struct pashm_region **region);
	int (*import)(int fd, struct pashm_region **region);
	void (*close)(struct pashm_region *region);
	int (*hold)(struct pashm_region *region);
	void (*drop)(struct pashm_region *region);
	int (*map)(struct pashm_region *region, int prot, void **data);
	int (*wait)(struct pashm_region *region, uint32_t page);
	int (*reshape)(struct pashm_region *region,
		       struct backend_reshape *reshape);
	int (*purge)(struct pashm_region *region, uint64_t *freed);
	uint64_t (*reclaim)(struct pashm_region *region, uint64_t pages,
			    uint32_t class, uint32_t *next);
	int (*info)(struct pashm_region *region,
		    struct pashm_region_info *info);
	int (*protect)(struct pashm_region *region, int prot);
};

extern const struct backend_ops pashm_backend_dev;
extern const struct backend_ops pashm_backend_memfd;

/**
 * struct pashm_region - what all backends need; embedded first in theirs
 * @view:     public half, for the inline fast path; constant while open, but
 *            @view.data is written once under @map_lock, and a forked child
 *            sets @view.pages to 0, so that its pins fail
 * @ops:      constant
 * @fd:       the ticket that pashm_region_fd() hands out; constant
 * @length:   bytes; constant
 * @writable: the state words may be written by this client; any thread may take
 *            that back, see pashm_writable()
 * @poison_lock: with PASHM_VIEW_CHECKED, pins are made under it; nothing is locked
 *            inside but by a wait for a purge
 * @poison_end: no page from here on was ever poisoned; under @poison_lock
 * @map_lock: guards the first mapping; taken with nothing else held
 * @map_prot: what the data was mapped with; under @map_lock
 * @next:     registry's list; under the registry's lock
 * @busy:     threads of the registry that use the region without the lock;
 *            under the registry's lock
 * @linked:   it is in the registry's list; under the registry's lock
 * @watched:  the pressure thread may use it; under the registry's lock
 * @forked:   this is the copy in a child: only closing it makes sense
 * @pressure: thread that looks after the region, NULL if none; constant while
 *            open, as the thread lives while any region that wants it
 */
struct pashm_region {
	struct pashm_view view;
	const struct backend_ops *ops;
	int fd;
	uint64_t length;
	bool writable;
	pthread_mutex_t poison_lock;
	uint64_t poison_end;
	pthread_mutex_t map_lock;
	int map_prot;
	struct pashm_region *next;
	unsigned int busy;
	bool linked;
	bool watched;
	bool forked;
	struct pressure *pressure;
};

/* Pages: extents are multiples of that, and begin at one */
static inline uint32_t pashm_view_unit(const struct pashm_view *view)
{
	return view->flags & PASHM_REGION_HUGE ?
	       PASHM_HUGE_BYTES >> view->page_shift : 1;
}

/* extent.c: the region's priority, also if the other side has forged it */
uint32_t pashm_view_priority(const struct pashm_view *view);

/*
 * As pashm_extent_create(), but for pages that are not going to be filled now:
 * pashm_pressure_charge() is the caller's
 */
int pashm_extent_make(struct pashm_region *region, uint32_t page,
		      uint32_t pages, uint32_t priority,
		      struct pashm_handle *handle);

/* A hint that an operation is in vain; relaxed, as nothing depends on it */
static inline bool pashm_writable(const struct pashm_region *region)
{
	return __atomic_load_n(&region->writable, __ATOMIC_RELAXED);
}

/* The notes of a pin word are those of @notes now: a racing unpin's may get lost */
static inline void pashm_note_set(uint32_t *pin, uint32_t notes)
{
	uint8_t *bytes = (uint8_t *)pin;

	__atomic_store_n(&bytes[PASHM_PIN_FREQUENCY_BYTE],
			 (uint8_t)pashm_pin_frequency(notes), __ATOMIC_RELAXED);
	__atomic_store_n(&bytes[PASHM_PIN_RECENCY_BYTE],
			 pashm_pin_recency(notes), __ATOMIC_RELAXED);
}

/* Another extent starts here now */
static inline void pashm_note_forget(uint32_t *pin)
{
	pashm_note_set(pin, 0);
}

#endif /* LIB_BACKEND_H */
