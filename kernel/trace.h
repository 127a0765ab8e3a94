/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, in tracefs under events/pashm. Regions are named by the number of
 * their inode, as in fdinfo and PASHM_IOC_INFO; memcgs by that of their cgroup's
 * directory; places and lengths are in pages.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pashm

#if !defined(PASHM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PASHM_TRACE_H

#include <linux/tracepoint.h>

#include "compat.h"
#include "purge.h"
#include "region.h"

#ifndef PASHM_TRACE_ONCE
#define PASHM_TRACE_ONCE
/**
 * struct pashm_scanned - one call of the shrinker, for those who watch
 * @memcg:  that reclaims
 * @nid:    node that is short
 * @asked:  pages
 * @freed:  pages that @memcg was charged for
 * @taken:  all pages
 * @looked: budget that it used: heads, mostly
 * @ns:     time that it took
 * @result: what the VM was told: pages, or SHRINK_STOP
 */
struct pashm_scanned {
	struct mem_cgroup *memcg;
	int nid;
	unsigned long asked;
	unsigned long freed;
	unsigned long taken;
	unsigned long looked;
	u64 ns;
	unsigned long result;
};
#endif

/* A pin by ioctl, or the wait of one that has met a purge */
TRACE_EVENT(pashm_pin_slow,
	TP_PROTO(const struct pashm_region *region, unsigned long index,
		 u32 known, u32 generation, int verdict),
	TP_ARGS(region, index, known, generation, verdict),
	TP_STRUCT__entry(
		__field(unsigned long, region)
		__field(unsigned long, index)
		__field(u32, known)
		__field(u32, generation)
		__field(int, verdict)
	),
	TP_fast_assign(
		__entry->region = region->inode->i_ino;
		__entry->index = index;
		__entry->known = known;
		__entry->generation = generation;
		__entry->verdict = verdict;
	),
	TP_printk("region=%lu index=%lu known=%u generation=%u verdict=%s",
		  __entry->region, __entry->index, __entry->known,
		  __entry->generation,
		  __print_symbolic(__entry->verdict,
				   { PASHM_INTACT, "intact" },
				   { PASHM_PURGED, "purged" },
				   { PASHM_STALE, "stale" }))
);

TRACE_EVENT(pashm_wait,
	TP_PROTO(const struct pashm_region *region, unsigned long index,
		 u32 generation, int ret),
	TP_ARGS(region, index, generation, ret),
	TP_STRUCT__entry(
		__field(unsigned long, region)
		__field(unsigned long, index)
		__field(u32, generation)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->region = region->inode->i_ino;
		__entry->index = index;
		__entry->generation = generation;
		__entry->ret = ret;
	),
	TP_printk("region=%lu index=%lu generation=%u ret=%d",
		  __entry->region, __entry->index, __entry->generation,
		  __entry->ret)
);

DECLARE_EVENT_CLASS(pashm_extent,
	TP_PROTO(const struct pashm_region *region, unsigned long index,
		 unsigned long length, enum pashm_purger purger, int slot),
	TP_ARGS(region, index, length, purger, slot),
	TP_STRUCT__entry(
		__field(unsigned long, region)
		__field(unsigned long, index)
		__field(unsigned long, length)
		__field(int, purger)
		__field(int, slot)
	),
	TP_fast_assign(
		__entry->region = region->inode->i_ino;
		__entry->index = index;
		__entry->length = length;
		__entry->purger = purger;
		__entry->slot = slot;
	),
	TP_printk("region=%lu index=%lu length=%lu by=%s slot=%d",
		  __entry->region, __entry->index, __entry->length,
		  __print_symbolic(__entry->purger,
				   { PASHM_PURGER_RECLAIM, "reclaim" },
				   { PASHM_PURGER_REQUEST, "request" }),
		  __entry->slot)
);

/* PURGING is set, and nobody has the extent pinned */
DEFINE_EVENT(pashm_extent, pashm_claim,
	TP_PROTO(const struct pashm_region *region, unsigned long index,
		 unsigned long length, enum pashm_purger purger, int slot),
	TP_ARGS(region, index, length, purger, slot)
);

/* A claim is taken back: pinned just then, a locked folio, or nothing to gain */
DEFINE_EVENT(pashm_extent, pashm_revert,
	TP_PROTO(const struct pashm_region *region, unsigned long index,
		 unsigned long length, enum pashm_purger purger, int slot),
	TP_ARGS(region, index, length, purger, slot)
);

/* The pages are gone, and the new generation is out */
TRACE_EVENT(pashm_purge,
	TP_PROTO(const struct pashm_region *region, unsigned long index,
		 unsigned long length, enum pashm_purger purger,
		 const struct pashm_census *census, u32 generation),
	TP_ARGS(region, index, length, purger, census, generation),
	TP_STRUCT__entry(
		__field(unsigned long, region)
		__field(unsigned long, index)
		__field(unsigned long, length)
		__field(int, purger)
		__field(unsigned long, resident)
		__field(unsigned long, matching)
		__field(u32, generation)
	),
	TP_fast_assign(
		__entry->region = region->inode->i_ino;
		__entry->index = index;
		__entry->length = length;
		__entry->purger = purger;
		__entry->resident = census->resident;
		__entry->matching = census->matching;
		__entry->generation = generation;
	),
	TP_printk("region=%lu index=%lu length=%lu by=%s freed=%lu ours=%lu generation=%u",
		  __entry->region, __entry->index, __entry->length,
		  __print_symbolic(__entry->purger,
				   { PASHM_PURGER_RECLAIM, "reclaim" },
				   { PASHM_PURGER_REQUEST, "request" }),
		  __entry->resident, __entry->matching, __entry->generation)
);

TRACE_EVENT(pashm_count,
	TP_PROTO(const struct shrink_control *sc, unsigned long listings,
		 unsigned long pages),
	TP_ARGS(sc, listings, pages),
	TP_STRUCT__entry(
		__field(unsigned long, memcg)
		__field(int, nid)
		__field(unsigned long, listings)
		__field(unsigned long, pages)
	),
	TP_fast_assign(
		__entry->memcg = pashm_memcg_ino(sc->memcg);
		__entry->nid = sc->nid;
		__entry->listings = listings;
		__entry->pages = pages;
	),
	TP_printk("memcg=%lu node=%d regions=%lu pages=%lu", __entry->memcg,
		  __entry->nid, __entry->listings, __entry->pages)
);

TRACE_EVENT(pashm_scan,
	TP_PROTO(const struct pashm_scanned *scanned),
	TP_ARGS(scanned),
	TP_STRUCT__entry(
		__field(unsigned long, memcg)
		__field(int, nid)
		__field(unsigned long, asked)
		__field(unsigned long, freed)
		__field(unsigned long, taken)
		__field(unsigned long, looked)
		__field(u64, ns)
		__field(unsigned long, result)
	),
	TP_fast_assign(
		__entry->memcg = pashm_memcg_ino(scanned->memcg);
		__entry->nid = scanned->nid;
		__entry->asked = scanned->asked;
		__entry->freed = scanned->freed;
		__entry->taken = scanned->taken;
		__entry->looked = scanned->looked;
		__entry->ns = scanned->ns;
		__entry->result = scanned->result;
	),
	TP_printk("memcg=%lu node=%d asked=%lu freed=%lu taken=%lu looked=%lu us=%llu%s",
		  __entry->memcg, __entry->nid, __entry->asked, __entry->freed,
		  __entry->taken, __entry->looked, __entry->ns / 1000,
		  __entry->result == SHRINK_STOP ? " stop" : "")
);

#endif /* PASHM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
