/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pin and unpin: the fast path. Two atomic operations and no system call a
 * pair. The protocol is argued in <linux/pashm_pin.h>; labels (A) here and (B)
 * there name the two barriers that meet.
 */
#ifndef PASHM_PIN_H
#define PASHM_PIN_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/pashm_pin.h>

#ifdef __cplusplus
extern "C" {
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pashm supports little-endian hosts only"
#endif

struct pashm_region;

/* In a view's flags: the last unpin drops the mapping (..._STRICT_UNPINNED) */
#define PASHM_VIEW_DROPS	(1U << 3)
/* There is a checker that is told what may not be touched */
#define PASHM_VIEW_CHECKED	(1U << 31)

/**
 * struct pashm_view - the mapped tables of a region, as this process sees them
 *
 * Set when the region is opened, constant until pashm_region_close(). Programs
 * use the functions below; the members are public for the inline code only.
 * Since: 0.1
 */
struct pashm_view {
	uint64_t *states;			/* shared by all clients */
	uint32_t *births;			/* shared by all clients */
	uint32_t *pins;				/* this client's own */
	const struct pashm_header *header;	/* written by the purger */
	uint64_t limit;				/* below it, the inline code will do */
	uint64_t pages;
	uint32_t page_shift;
	uint32_t flags;				/* PASHM_REGION_* */
	unsigned char *data;			/* NULL until mapped */
};

/**
 * struct pashm_handle - names an extent and the contents known of it
 * @page:       index of the extent's first page
 * @generation: of the contents that the owner of the handle has filled or seen
 * @inner:      of a pool's object that shares its extent with others: which one
 *              it is, for pashm_pool_*(); else 0
 *
 * A plain value; copy it freely. Threads that share one must store a new
 * generation only after they have refilled the extent (release), and load it
 * before they pin (acquire). Since: 0.1
 */
struct pashm_handle {
	uint32_t page;
	uint32_t generation;
	uint32_t inner;
};

static inline const struct pashm_view *
pashm_view(const struct pashm_region *region)
{
	return (const struct pashm_view *)region;
}

/*
 * Slow half of pashm_pin(): the count is raised and the fast path did not find
 * the contents intact. Not for direct use.
 */
int pashm_pin_slow(struct pashm_region *region, struct pashm_handle handle,
		   enum pashm_verdict *verdict);

/*
 * Pin and unpin at the view's limit or above: there is no such page, or there is more
 * to do. Not for direct use.
 */
int pashm_pin_beyond(struct pashm_region *region, struct pashm_handle handle,
		     enum pashm_verdict *verdict);
int pashm_unpin_beyond(struct pashm_region *region, uint32_t page);

/*
 * Full barrier after a sequentially consistent read-modify-write. On x86 the
 * locked instruction is one; elsewhere such an operation does not order a later
 * plain load against a foreign smp_mb(), hence the fence.
 */
static inline void pashm_barrier_full(void)
{
#if !defined(__x86_64__)
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/*
 * Raise the count: full barrier (A), pairs with (B) in the purger between its
 * claim and its reading of the counts.
 */
static inline uint32_t pashm_count_raise_full(uint32_t *pin)
{
	uint32_t before = __atomic_fetch_add(pin, PASHM_PIN_COUNT_ONE,
					     __ATOMIC_SEQ_CST);

	pashm_barrier_full();
	return pashm_pin_count(before) + 1;
}

/* Lower the count: what was written under the pin is visible before (release) */
static inline uint32_t pashm_count_lower_release(uint32_t *pin)
{
	return pashm_pin_count(__atomic_fetch_sub(pin, PASHM_PIN_COUNT_ONE,
						  __ATOMIC_RELEASE));
}

/*
 * Notes for the reclaim policy: in which epoch this client used the extent last, and in
 * how many. Single bytes; racing writers lose one note.
 */
static inline void pashm_note_use(uint32_t *pin,
				  const struct pashm_header *header)
{
	uint8_t *recency = (uint8_t *)pin + PASHM_PIN_RECENCY_BYTE;
	uint8_t *frequency = (uint8_t *)pin + PASHM_PIN_FREQUENCY_BYTE;
	uint8_t epoch = (uint8_t)__atomic_load_n(&header->epoch,
						 __ATOMIC_RELAXED);
	uint8_t value;

	if (__builtin_expect(__atomic_load_n(recency, __ATOMIC_RELAXED) ==
			     epoch, 1))
		return;
	__atomic_store_n(recency, epoch, __ATOMIC_RELAXED);
	value = __atomic_load_n(frequency, __ATOMIC_RELAXED);
	if (value < PASHM_FREQUENCY_MAX)
		__atomic_store_n(frequency, (uint8_t)(value + 1),
				 __ATOMIC_RELAXED);
}

/**
 * pashm_pin - keep an extent from being purged, and learn whether it was
 * @region:  an open region
 * @handle:  the extent, and what is known of its contents
 * @verdict: set on success:
 *           PASHM_INTACT: pinned, contents are those of @handle.generation;
 *           PASHM_PURGED: pinned, contents are gone: refill, then take the new
 *           generation with pashm_generation();
 *           PASHM_STALE: not pinned: the extent was freed or replaced
 *
 * Pins nest: each needs its own pashm_unpin(). A pin that finds the contents
 * intact makes no system call. Otherwise waits for a purge in flight.
 * Thread-safe. Not inherited over fork: a child must open its own client.
 *
 * Returns 0, or
 *   -EINVAL     @handle.page is not in the region, or this is the child of a
 *               fork
 *   -EAGAIN     the extent is pinned too often by this process, or one of its
 *               threads is just ending or changing it
 *   -ETIMEDOUT  (memfd only) another process holds a purge and is stopped
 *   -EBADF      (memfd only) the program has closed the region's descriptors
 *   -EINTR      module: a signal came while waiting for a purge: not pinned
 * Since: 0.1
 */
__attribute__((warn_unused_result))
static inline int pashm_pin(struct pashm_region *region,
			    struct pashm_handle handle,
			    enum pashm_verdict *verdict)
{
	const struct pashm_view *view = pashm_view(region);
	uint32_t *pin;
	uint64_t state;

	if (__builtin_expect(handle.page >= view->limit, 0))
		return pashm_pin_beyond(region, handle, verdict);
	pin = &view->pins[handle.page];
	if (__builtin_expect(pashm_count_overflows(pashm_count_raise_full(pin)),
			     0)) {
		pashm_count_lower_release(pin);
		return -EAGAIN;
	}
	/* acquire: pairs with the purger's release of the new generation */
	state = __atomic_load_n(&view->states[handle.page], __ATOMIC_ACQUIRE);
	if (__builtin_expect(pashm_state_claimable(state) &&
			     pashm_state_generation(state) == handle.generation,
			     1)) {
		*verdict = PASHM_INTACT;
		return 0;
	}
	return pashm_pin_slow(region, handle, verdict);
}

/**
 * pashm_unpin - allow an extent to be purged again
 * @region: an open region
 * @page:   the handle's page
 *
 * The last unpin of the last client makes the extent reclaimable. Do not touch
 * it afterwards: AddressSanitizer and valgrind report it, unless the environment
 * has PASHM_POISON=0. Thread-safe; no system call, unless the region was created with
 * PASHM_REGION_STRICT_UNPINNED.
 *
 * Returns 0, or
 *   -EINVAL  @page is not in the region
 *   -ERANGE  the extent was not pinned by this client; nothing has changed
 * Since: 0.1
 */
static inline int pashm_unpin(struct pashm_region *region, uint32_t page)
{
	const struct pashm_view *view = pashm_view(region);
	uint32_t *pin;

	if (__builtin_expect(page >= view->limit, 0))
		return pashm_unpin_beyond(region, page);
	pin = &view->pins[page];
	pashm_note_use(pin, view->header);
	if (__builtin_expect(
		pashm_count_underflows(pashm_count_lower_release(pin)), 0)) {
		__atomic_fetch_add(pin, PASHM_PIN_COUNT_ONE, __ATOMIC_RELAXED);
		return -ERANGE;
	}
	return 0;
}

/**
 * pashm_generation - generation of a pinned extent's contents
 * @region: an open region
 * @page:   the handle's page, pinned by the caller: so the answer stays true
 *
 * What to store in a handle after a refill. Thread-safe. Since: 0.1
 */
static inline uint32_t pashm_generation(const struct pashm_region *region,
					uint32_t page)
{
	const struct pashm_view *view = pashm_view(region);

	return pashm_state_generation(__atomic_load_n(&view->states[page],
						      __ATOMIC_ACQUIRE));
}

/**
 * pashm_address - where an extent's bytes are mapped in this process
 * @region: a region whose data was mapped by pashm_region_map()
 * @page:   the handle's page
 *
 * Since: 0.1
 */
static inline void *pashm_address(const struct pashm_region *region,
				  uint32_t page)
{
	const struct pashm_view *view = pashm_view(region);

	return view->data + ((uint64_t)page << view->page_shift);
}

#ifdef __cplusplus
}
#endif

#endif /* PASHM_PIN_H */
