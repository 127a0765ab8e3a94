// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which extents of a memfd region to take: a clock hand over the state words.
 *
 * Every unpinned extent is of a class: its priority, and within that how long
 * nobody has used it, in steps. The hand takes extents up to a class and goes
 * round; while it does, it looks which class is the lowest of the others, so
 * that whoever needs more asks for a class that exists. An extent used since the
 * last epoch is of a higher class than before: that is its second chance.
 *
 * Who asks (registry.c) begins with the lowest class each time, as extents of it
 * may have been made or unpinned since; a pass that finds none costs two loads
 * an extent.
 */
#include <time.h>
#include "memfd.h"
#include "reclaim.h"

/* Between two looks at who waits for the purge lock */
#define BATCH_EXTENTS	256
#define BATCH_PAGES	1024

/* Neighbours to take together, unless one is larger by itself */
#define RUN_EXTENTS	128
#define RUN_PAGES	256

/*
 * Reclaim serves all regions of the process, and some come from peers that are
 * stopped, or hold the lock to harm us: wait for them no longer than an honest
 * holder needs to make room, and not at all for a while after that was in vain.
 */
#define PATIENCE_MS	20
#define SULK_MS		200

/* Lowest goes first: by priority, then oldest first */
static uint32_t victim_class(uint64_t state, uint32_t age)
{
	static const uint8_t oldest[RECLAIM_AGES - 1] = { 8, 3, 1 };
	uint32_t step = 0;

	while (step < RECLAIM_AGES - 1 && age < oldest[step])
		step++;
	return pashm_state_priority(state) * RECLAIM_AGES + step;
}

/**
 * struct round - one pass over a range of extents
 * @most:    class of the highest extents to take
 * @swapped: take extents, too, of which nothing is in memory: it gives back
 *           swap space, but no memory
 * @wait:    ms to wait for the purge lock after it was let go of
 * @wanted:  pages to take
 * @taken:   pages taken
 * @next:    lowest class above @most that was passed; RECLAIM_CLASSES if none
 * @looked:  extents since the last look at who waits
 * @batch:   @taken then
 * @run:     victims that follow each other, to be taken together
 * @count:   their number
 * @pages:   their pages
 */
struct round {
	uint32_t most;
	bool swapped;
	int wait;
	uint64_t wanted;
	uint64_t taken;
	uint32_t next;
	uint32_t looked;
	uint64_t batch;
	struct memfd_extent run[RUN_EXTENTS];
	uint32_t count;
	uint64_t pages;
};

static void run_take(struct memfd_region *m, struct round *round)
{
	if (round->count)
		round->taken += pashm_memfd_purge_extents(m, round->run,
							  round->count);
	round->count = 0;
	round->pages = 0;
}

static void run_add(struct memfd_region *m, struct round *round,
		    const struct memfd_extent *extent)
{
	const struct memfd_extent *first = round->run;

	/* No longer than an extent can be: see pashm_memfd_recover() */
	if (round->count && (first->page + round->pages != extent->page ||
			     round->pages + extent->pages >
			     PASHM_EXTENT_PAGES_MAX))
		run_take(m, round);
	round->run[round->count++] = *extent;
	round->pages += extent->pages;
	if (round->count == RUN_EXTENTS || round->pages >= RUN_PAGES ||
	    round->taken + round->pages >= round->wanted)
		run_take(m, round);
}

static int round_relax(struct memfd_region *m, struct round *round)
{
	if (++round->looked < BATCH_EXTENTS &&
	    round->taken - round->batch < BATCH_PAGES)
		return 0;
	run_take(m, round);
	round->looked = 0;
	round->batch = round->taken;
	return pashm_memfd_relax(m, round->wait);
}

static void round_visit(struct memfd_region *m, struct round *round,
			struct memfd_walk *walk,
			const struct memfd_extent *extent)
{
	uint32_t epoch = __atomic_load_n(&m->header->base.epoch,
					 __ATOMIC_RELAXED);
	uint32_t age, class;

	if (pashm_memfd_pinned_or_age(m, extent->page, epoch, &age))
		return;
	class = victim_class(extent->state, age);
	/*
	 * Whether memory is there costs a system call: not asked of what is
	 * only counted. A class that turns out to be empty costs a sweep.
	 */
	if (class > round->most) {
		if (class < round->next)
			round->next = class;
		return;
	}
	/* Not resident: no generation is spent on what cannot be lost */
	if (!pashm_memfd_walk_resident(m, walk, extent) ||
	    (!round->swapped &&
	     !pashm_memfd_incore(m, extent->page, extent->pages)))
		return;
	run_add(m, round, extent);
}

/*
 * Under the purge lock, which is let go of now and then; if it cannot be had
 * again, the error is returned and it is not held.
 */
static int round_sweep(struct memfd_region *m, struct round *round,
		       uint64_t from, uint64_t to)
{
	struct memfd_extent extent;
	struct memfd_walk walk;
	int ret;

	pashm_memfd_walk_init(&walk, from, to);
	while (round->taken < round->wanted &&
	       pashm_memfd_walk_next(m, &walk, &extent)) {
		round_visit(m, round, &walk, &extent);
		m->reclaim.hand = (uint64_t)extent.page + extent.pages;
		ret = round_relax(m, round);
		if (ret)
			return ret;
	}
	run_take(m, round);
	return 0;
}

int pashm_reclaim_all(struct pashm_region *region, uint64_t *freed)
{
	struct memfd_region *m = memfd_region(region);
	struct round round = {
		.most = RECLAIM_CLASSES, .swapped = true,
		.wait = MEMFD_TIMEOUT_MS, .wanted = UINT64_MAX,
	};
	uint64_t hand;
	int ret;

	*freed = 0;
	ret = pashm_memfd_lock(m, MEMFD_TIMEOUT_MS);
	if (ret)
		return ret;
	hand = m->reclaim.hand;
	ret = round_sweep(m, &round, 0, m->layout.pages);
	*freed = round.taken << m->layout.page_shift;
	if (ret)
		return ret;
	m->reclaim.hand = hand;
	pashm_memfd_unlock(m);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Nobody else's: what a region cannot give now, the others have to */
static int lock_impatiently(struct memfd_region *m)
{
	int64_t now = now_ms();
	bool sulks = now < __atomic_load_n(&m->reclaim.sulk, __ATOMIC_RELAXED);
	int ret = pashm_memfd_lock(m, sulks ? 0 : PATIENCE_MS);

	if (ret && !sulks)
		__atomic_store_n(&m->reclaim.sulk, now + SULK_MS,
				 __ATOMIC_RELAXED);
	return ret;
}

uint64_t pashm_reclaim_some(struct pashm_region *region, uint64_t pages,
			    uint32_t class, uint32_t *next)
{
	struct memfd_region *m = memfd_region(region);
	struct round round = {
		.most = class, .wait = PATIENCE_MS, .wanted = pages,
		.next = *next,
	};
	uint64_t start;
	int ret;

	if (lock_impatiently(m))
		return 0;
	start = m->reclaim.hand < m->layout.pages ? m->reclaim.hand : 0;
	ret = round_sweep(m, &round, start, m->layout.pages);
	if (!ret && round.taken < pages)
		ret = round_sweep(m, &round, 0, start);
	if (!ret)
		pashm_memfd_unlock(m);
	*next = round.next;
	return round.taken;
}
