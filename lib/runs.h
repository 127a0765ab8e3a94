/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of free runs of pages: neighbours are joined, requests are served from
 * the lowest address that fits. All in O(log n) expected. Not thread-safe.
 */
#ifndef LIB_RUNS_H
#define LIB_RUNS_H

#include <stdbool.h>
#include <stdint.h>

struct run;

/**
 * struct runs
 * @root:  the runs, a tree by address
 * @spare: nodes that the next runs will be made of
 * @nodes: all nodes, in the tree and spare
 * @count: nodes in the tree
 * @pages: sum of their lengths
 * @seed:  of the balance
 */
struct runs {
	struct run *root;
	struct run *spare;
	uint64_t nodes;
	uint64_t count;
	uint64_t pages;
	uint32_t seed;
};

void pashm_runs_init(struct runs *runs);
void pashm_runs_clear(struct runs *runs);

/*
 * Make sure that there may be @count runs: giving never fails then.
 * Returns 0 or -ENOMEM.
 */
int pashm_runs_reserve(struct runs *runs, uint64_t count);

/*
 * Add a run; a node has been reserved for it. False if it overlaps another, or if
 * none was reserved: then nothing was done, as lost pages are better than pages
 * with two owners.
 */
bool pashm_runs_give(struct runs *runs, uint32_t start, uint32_t pages);

/*
 * The lowest run that has @pages pages of which the first, with @bias added to its
 * number, is a multiple of @align, a power of two. Returns where the run starts,
 * and in *@first where these pages do; false if there is none
 */
bool pashm_runs_find(const struct runs *runs, uint32_t pages, uint32_t align,
		     uint32_t bias, uint32_t *start, uint32_t *first);

/* The run that has page @from, or else the next one; false if there is none */
bool pashm_runs_next(const struct runs *runs, uint32_t from, uint32_t *start,
		     uint32_t *pages);

/*
 * Remove @pages from @start on from the run that they are in; what is before and
 * behind them stays, for which a node more may be needed. False if they are not in
 * one run: then nothing was done
 */
bool pashm_runs_take(struct runs *runs, uint32_t start, uint32_t pages);

#endif /* LIB_RUNS_H */
