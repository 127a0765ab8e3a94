/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The pin protocol of pashm: two tables, one handshake.
 *
 * Shared by the kernel module, the library and the memfd fallback. This file
 * holds the layout of the shared words and the pure transitions on their
 * values; it performs no memory access. Each side brings its own atomics.
 *
 * THE TABLES, both indexed by page number within the region
 *
 *   state[]   8 bytes a page, one table per region, shared by all clients.
 *             The word at an extent's first page (its head) describes the
 *             extent; the words at its other pages have length 0.
 *   birth[]   4 bytes a page, one table per region: the generation at which
 *             the extent that starts here was made. Read on slow paths only.
 *   pins[]    4 bytes a page, one table per client, written by its owner, and
 *             by the kernel for it (see below), never by another client.
 *             The word at an extent's head holds how often this client has
 *             pinned it, and two notes for the reclaim policy.
 *
 * THE HANDSHAKE
 *
 *   pin (client)                          purge (kernel or reclaimer thread)
 *     pins[h] += COUNT_ONE                  reserve an in-flight slot {h, len}
 *     full barrier                   (A)    cmpxchg state[h]: s -> s | PURGING
 *     s = state[h]                          full barrier                   (B)
 *     s has PURGING: wait, reload s         any client's pins[h] count != 0 ?
 *     verdict(s, known, birth[h])             clear PURGING, give the slot up
 *   unpin                                   unmap and free the pages
 *     note recency and frequency            state[h] += GEN_ONE      (release)
 *     pins[h] -= COUNT_ONE (release)        state[h] &= ~PURGING     (release)
 *                                           give the slot up, wake the waiters
 *
 *   (A) pairs with (B): store buffering. Either the purger sees the raised
 *   count and takes PURGING back, or the client sees PURGING and waits; both
 *   may happen, neither cannot. So no page is freed between a pin that
 *   answered "intact" and the matching unpin.
 *
 *   The generation moves before PURGING clears, and after the last page is
 *   gone: a client that sees PURGING clear sees the new generation, too.
 *
 *   unpin's release pairs with the purger's reading of the counts: what the
 *   client wrote while it held the pin is in memory before its pages can go.
 *
 * WHO MAY WRITE A STATE WORD
 *
 *   The purger: as above, while it owns the slot. Userspace: by cmpxchg from a
 *   value without PURGING, while it holds a pin on the head, and only in a
 *   region with a sole client; every other region is reshaped by the kernel
 *   (PASHM_IOC_RESHAPE) or under the fallback's purge lock. Each change of
 *   geometry (make, free, split, merge) raises the generation of every head it
 *   touches, in the same cmpxchg; a generation is never set back.
 *   birth[h] is written before the word that makes the extent.
 *
 *   The kernel trusts none of these words. It reads each once, checks lengths
 *   against the region and against the slots in flight, and can be made to
 *   lose only memory of this region.
 *
 * WHAT A HANDLE KNOWS
 *
 *   The reader of an extent remembers its head and the generation of the
 *   contents that it has filled or seen ("known"). Threads that share one
 *   handle store a new known generation (release) only after the refill, so
 *   that a sibling does not read zeros as "intact".
 */
#ifndef _UAPI_LINUX_PASHM_PIN_H
#define _UAPI_LINUX_PASHM_PIN_H

#include <linux/types.h>

/*
 * State word.
 *
 *   63..32  generation: +1 by each purge and each change of geometry
 *   31      PURGING: a purge is in flight; only its owner may clear this
 *   30..27  zero
 *   26..24  priority: 0 goes first, 7 last
 *   23..0   length in pages; 0: no extent starts here, nothing is taken
 *
 * The generation is on top so that adding GEN_ONE can never carry into
 * another field, whatever a hostile writer left in the word.
 */
#define PASHM_STATE_LENGTH_MASK		0x0000000000ffffffULL
#define PASHM_STATE_PRIORITY_SHIFT	24
#define PASHM_STATE_PRIORITY_MASK	0x0000000007000000ULL
#define PASHM_STATE_PURGING		0x0000000080000000ULL
#define PASHM_STATE_GEN_SHIFT		32
#define PASHM_STATE_GEN_ONE		0x0000000100000000ULL

#define PASHM_EXTENT_PAGES_MAX		0x00ffffffU
#define PASHM_PRIORITY_MAX		7U
#define PASHM_PRIORITY_DEFAULT		3U
/*
 * The region's, in place of one, where RESHAPE or the library makes an extent. It is no
 * value for a state word: who writes that takes pashm_header_priority()
 */
#define PASHM_PRIORITY_REGION		0xffU

/*
 * Pin word (little-endian hosts; the two notes are single bytes in memory).
 *
 *   31..16  count of pins this client holds; the owner's threads add and
 *           subtract atomically; the kernel reads, and also adds and subtracts
 *           on PASHM_IOC_PIN, _UNPIN and _RESHAPE of the owner
 *   15..8   frequency note, 0..6: epochs in which the owner has used the
 *           extent; raised when an unpin changes the recency note; a plain
 *           byte store, byte 1
 *   7..0    recency note: the low byte of the header's epoch at the last
 *           unpin; a plain byte store, byte 0
 *
 * Both notes outlive a purge: what is filled in again is known from before. As it
 * purges, the kernel looks for those that are so old that their age would soon
 * wrap, and clears them.
 *
 * The count is on top so that overflow and underflow cannot reach the notes. A
 * count of PASHM_COUNT_LIMIT or more counts as pinned; a pin that reaches it is
 * taken back and fails with EAGAIN.
 */
#define PASHM_PIN_COUNT_SHIFT		16
#define PASHM_PIN_COUNT_ONE		0x00010000U
#define PASHM_PIN_RECENCY_BYTE		0
#define PASHM_PIN_FREQUENCY_BYTE	1
#define PASHM_COUNT_LIMIT		0x8000U
#define PASHM_FREQUENCY_MAX		6U

/**
 * enum pashm_verdict - what a pin found
 * @PASHM_INTACT: the contents are those of the known generation
 * @PASHM_PURGED: same extent, but its contents were taken: it reads as zeros,
 *                or as what another client has refilled since
 * @PASHM_STALE:  the extent that the handle meant is gone, or another one
 *                starts here now: do not touch, do not refill
 */
enum pashm_verdict {
	PASHM_INTACT = 0,
	PASHM_PURGED = 1,
	PASHM_STALE = 2,
};

/**
 * struct pashm_header - the region's header page, read-only for clients
 * @magic:      PASHM_HEADER_MAGIC
 * @version:    PASHM_PROTOCOL_VERSION
 * @page_shift: log2 of the page size that all indices mean
 * @flags:      PASHM_CREATE_* flags of the region
 * @pages:      size of the region in pages
 * @epoch:      the reclaim clock; clients copy its low byte as recency note.
 *              Written by the purger, read relaxed: a note, not a lock. The
 *              low byte is never 0: that is a word that nobody has noted in
 * @clients:    clients attached now; informational
 * @purged:     pages of memory freed by purges so far; only grows
 * @purges:     extents taken so far; only grows. Lets a client see without a
 *              syscall that something was taken
 * @priority:   of extents that are made with PASHM_PRIORITY_REGION, if @flags has
 *              PASHM_CREATE_PRIORITY; else PASHM_PRIORITY_DEFAULT is
 * @reserved:   0
 */
struct pashm_header {
	__u32 magic;
	__u32 version;
	__u32 page_shift;
	__u32 flags;
	__u64 pages;
	__u32 epoch;
	__u32 clients;
	__u64 purged;
	__u64 purges;
	__u32 priority;
	__u32 reserved;
};

#define PASHM_HEADER_MAGIC	0x6873616dU
#define PASHM_PROTOCOL_VERSION	1U

static inline __u32 pashm_state_length(__u64 state)
{
	return (__u32)(state & PASHM_STATE_LENGTH_MASK);
}

static inline __u32 pashm_state_generation(__u64 state)
{
	return (__u32)(state >> PASHM_STATE_GEN_SHIFT);
}

static inline __u32 pashm_state_priority(__u64 state)
{
	return (__u32)((state & PASHM_STATE_PRIORITY_MASK) >>
		       PASHM_STATE_PRIORITY_SHIFT);
}

static inline int pashm_state_purging(__u64 state)
{
	return (state & PASHM_STATE_PURGING) != 0;
}

/* A purge may start from this word: an extent starts here, none is in flight */
static inline int pashm_state_claimable(__u64 state)
{
	return pashm_state_length(state) != 0 && !pashm_state_purging(state);
}

/* The word that claims @state for a purge */
static inline __u64 pashm_state_claimed(__u64 state)
{
	return state | PASHM_STATE_PURGING;
}

/*
 * The word after a change of geometry: next generation, PURGING clear, the
 * given length (0: no extent starts here any more) and priority.
 */
static inline __u64 pashm_state_reshaped(__u64 state, __u32 length,
					 __u32 priority)
{
	__u32 generation = pashm_state_generation(state) + 1;

	return ((__u64)generation << PASHM_STATE_GEN_SHIFT) |
	       ((__u64)(priority & PASHM_PRIORITY_MAX) <<
		PASHM_STATE_PRIORITY_SHIFT) |
	       (length & PASHM_STATE_LENGTH_MASK);
}

static inline __u32 pashm_pin_count(__u32 pin)
{
	return pin >> PASHM_PIN_COUNT_SHIFT;
}

static inline __u8 pashm_pin_recency(__u32 pin)
{
	return (__u8)(pin >> (8 * PASHM_PIN_RECENCY_BYTE));
}

/* Whatever a hostile owner has left there */
static inline __u32 pashm_pin_frequency(__u32 pin)
{
	__u32 frequency = pin >> (8 * PASHM_PIN_FREQUENCY_BYTE) & 0xff;

	return frequency < PASHM_FREQUENCY_MAX ? frequency :
						 PASHM_FREQUENCY_MAX;
}

/* @count is the result of a pin's addition: must it be taken back? */
static inline int pashm_count_overflows(__u32 count)
{
	return count >= PASHM_COUNT_LIMIT;
}

/*
 * @count is the value that an unpin found: was there nothing to give back?
 *
 * A client may freeze its own count by adding COUNT_LIMIT, so that its threads
 * cannot pin while it changes an extent. Pins that were there before stay, and
 * may end meanwhile: up to half a limit of them, so that a frozen count and one
 * that went below zero can be told apart.
 */
static inline int pashm_count_underflows(__u32 count)
{
	return count == 0 || count == PASHM_COUNT_LIMIT ||
	       count > PASHM_COUNT_LIMIT + PASHM_COUNT_LIMIT / 2;
}

/*
 * The verdict of a pin, from a state word without PURGING that was read after
 * the raised count. Distances are taken modulo 2^32 backwards from the current
 * generation, so wrapping is harmless: a handle is stale when what it knows is
 * older than the extent's birth.
 */
static inline enum pashm_verdict pashm_pin_verdict(__u64 state, __u32 known,
						   __u32 birth)
{
	__u32 generation = pashm_state_generation(state);

	if (pashm_state_length(state) == 0)
		return PASHM_STALE;
	if (generation == known)
		return PASHM_INTACT;
	if (generation - known > generation - birth)
		return PASHM_STALE;
	return PASHM_PURGED;
}

/* The epoch after this one; skips those whose low byte would be no note */
static inline __u32 pashm_epoch_next(__u32 epoch)
{
	return (epoch & 0xff) == 0xff ? epoch + 2 : epoch + 1;
}

/* @priority was read, once, from a header that may be a hostile peer's */
static inline __u32 pashm_header_priority(__u32 priority)
{
	return priority > PASHM_PRIORITY_MAX ? PASHM_PRIORITY_DEFAULT :
					       priority;
}

/* Epochs since the note was taken, modulo 256 */
static inline __u32 pashm_note_age(__u32 epoch, __u8 recency)
{
	return (epoch - recency) & 0xff;
}

#endif /* _UAPI_LINUX_PASHM_PIN_H */
