// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Free runs of pages: a treap by address in which every node knows the longest
 * run below it. The random weights keep it balanced whatever the order of
 * frees; expected depth is logarithmic, so recursion is shallow.
 */
#include <errno.h>
#include <stdlib.h>
#include "runs.h"

/**
 * struct run - a node
 * @start:   first page
 * @pages:   length
 * @longest: greatest length in this subtree
 * @weight:  random; not smaller than those of the children
 * @left:    lower addresses; in a spare node: the next spare one
 * @right:   higher addresses
 */
struct run {
	uint32_t start;
	uint32_t pages;
	uint32_t longest;
	uint32_t weight;
	struct run *left;
	struct run *right;
};

static uint32_t longest(const struct run *run)
{
	return run ? run->longest : 0;
}

static void update(struct run *run)
{
	run->longest = run->pages;
	if (longest(run->left) > run->longest)
		run->longest = longest(run->left);
	if (longest(run->right) > run->longest)
		run->longest = longest(run->right);
}

/* Join two trees, all of @low below all of @high */
static struct run *join(struct run *low, struct run *high)
{
	if (!low)
		return high;
	if (!high)
		return low;
	if (low->weight >= high->weight) {
		low->right = join(low->right, high);
		update(low);
		return low;
	}
	high->left = join(low, high->left);
	update(high);
	return high;
}

/* Cut a tree into what starts below @start and the rest */
static void cut(struct run *run, uint32_t start, struct run **low,
		struct run **high)
{
	if (!run) {
		*low = NULL;
		*high = NULL;
	} else if (run->start < start) {
		cut(run->right, start, &run->right, high);
		update(run);
		*low = run;
	} else {
		cut(run->left, start, low, &run->left);
		update(run);
		*high = run;
	}
}

static struct run *node_get(struct runs *runs, uint32_t start, uint32_t pages)
{
	struct run *run = runs->spare;

	runs->spare = run->left;
	runs->count++;
	runs->pages += pages;
	/* xorshift: any full period will do, nobody attacks his own allocator */
	runs->seed ^= runs->seed << 13;
	runs->seed ^= runs->seed >> 17;
	runs->seed ^= runs->seed << 5;
	*run = (struct run){
		.start = start, .pages = pages, .longest = pages,
		.weight = runs->seed,
	};
	return run;
}

static void node_put(struct runs *runs, struct run *run)
{
	runs->count--;
	runs->pages -= run->pages;
	run->left = runs->spare;
	runs->spare = run;
}

void pashm_runs_init(struct runs *runs)
{
	*runs = (struct runs){ .seed = 0x9e3779b9 };
}

static void tree_free(struct run *run)
{
	if (!run)
		return;
	tree_free(run->left);
	tree_free(run->right);
	free(run);
}

void pashm_runs_clear(struct runs *runs)
{
	struct run *run;

	tree_free(runs->root);
	while ((run = runs->spare)) {
		runs->spare = run->left;
		free(run);
	}
	pashm_runs_init(runs);
}

int pashm_runs_reserve(struct runs *runs, uint64_t count)
{
	struct run *run;

	while (runs->nodes < count) {
		run = malloc(sizeof(*run));
		if (!run)
			return -ENOMEM;
		run->left = runs->spare;
		runs->spare = run;
		runs->nodes++;
	}
	return 0;
}

/* Remove the highest run of a tree if it ends at @end; its length, or 0 */
static uint32_t last_remove(struct runs *runs, struct run **link, uint32_t end)
{
	struct run *run = *link;
	uint32_t pages;

	if (!run)
		return 0;
	if (run->right) {
		pages = last_remove(runs, &run->right, end);
		update(run);
		return pages;
	}
	if (run->start + run->pages != end)
		return 0;
	pages = run->pages;
	*link = run->left;
	node_put(runs, run);
	return pages;
}

/* Remove the lowest run of a tree if it starts at @start; its length, or 0 */
static uint32_t first_remove(struct runs *runs, struct run **link,
			     uint32_t start)
{
	struct run *run = *link;
	uint32_t pages;

	if (!run)
		return 0;
	if (run->left) {
		pages = first_remove(runs, &run->left, start);
		update(run);
		return pages;
	}
	if (run->start != start)
		return 0;
	pages = run->pages;
	*link = run->right;
	node_put(runs, run);
	return pages;
}

/* @low and @high are what starts below @start and what does not */
static bool overlaps(const struct run *low, const struct run *high,
		     uint32_t start, uint32_t pages)
{
	while (low && low->right)
		low = low->right;
	while (high && high->left)
		high = high->left;
	return (low && (uint64_t)low->start + low->pages > start) ||
	       (high && high->start < (uint64_t)start + pages);
}

bool pashm_runs_give(struct runs *runs, uint32_t start, uint32_t pages)
{
	struct run *low, *high;
	uint32_t before;

	cut(runs->root, start, &low, &high);
	/* A neighbour's node would do, too, but nobody counts on that */
	if (!runs->spare || overlaps(low, high, start, pages)) {
		runs->root = join(low, high);
		return false;
	}
	before = last_remove(runs, &low, start);
	pages += first_remove(runs, &high, start + pages);
	low = join(low, node_get(runs, start - before, pages + before));
	runs->root = join(low, high);
	return true;
}

static uint32_t fit(const struct run *run, uint32_t align, uint32_t bias)
{
	return run->start + (-(run->start + bias) & (align - 1));
}

static const struct run *find(const struct run *run, uint32_t pages,
			      uint32_t align, uint32_t bias)
{
	const struct run *found;
	uint64_t end;

	if (longest(run) < pages)
		return NULL;
	found = find(run->left, pages, align, bias);
	if (found)
		return found;
	end = (uint64_t)fit(run, align, bias) + pages;
	if (end <= (uint64_t)run->start + run->pages)
		return run;
	return find(run->right, pages, align, bias);
}

bool pashm_runs_find(const struct runs *runs, uint32_t pages, uint32_t align,
		     uint32_t bias, uint32_t *start, uint32_t *first)
{
	const struct run *run = find(runs->root, pages, align, bias);

	if (!run)
		return false;
	*start = run->start;
	*first = fit(run, align, bias);
	return true;
}

bool pashm_runs_next(const struct runs *runs, uint32_t from, uint32_t *start,
		     uint32_t *pages)
{
	const struct run *run = runs->root, *found = NULL;

	while (run) {
		if ((uint64_t)run->start + run->pages <= from) {
			run = run->right;
			continue;
		}
		found = run;
		run = run->start > from ? run->left : NULL;
	}
	if (!found)
		return false;
	*start = found->start;
	*pages = found->pages;
	return true;
}

bool pashm_runs_take(struct runs *runs, uint32_t start, uint32_t pages)
{
	uint32_t first, length, before, rest;
	struct run *low, *high;

	if (!pashm_runs_next(runs, start, &first, &length) || first > start ||
	    (uint64_t)start + pages > (uint64_t)first + length)
		return false;
	before = start - first;
	rest = length - before - pages;
	if (before && rest && !runs->spare)
		return false;
	cut(runs->root, first, &low, &high);
	first_remove(runs, &high, first);
	if (before)
		low = join(low, node_get(runs, first, before));
	if (rest)
		high = join(node_get(runs, start + pages, rest), high);
	runs->root = join(low, high);
	return true;
}
