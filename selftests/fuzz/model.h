/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shadow model of an honest region: what the kernel may answer, and what
 * the memory must hold. It is told only what the kernel has answered; an extent
 * that nobody has pinned may have been taken at any time since, which its
 * generation tells.
 *
 * All functions want the lock of the page's window.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "world.h"

enum certainty { NO, MAYBE, YES };

void region_lock(struct region *r, size_t first, size_t last);
void region_unlock(struct region *r, size_t first, size_t last);
void region_lock_all(struct region *r);
void region_unlock_all(struct region *r);

static inline int region_number(const struct region *r)
{
	return (int)(r - world->regions);
}

static inline struct view *view_of(const struct region *r)
{
	return &self.views[region_number(r)];
}

static inline size_t window_first(const struct region *r, size_t page)
{
	return page / r->window * r->window;
}

/* One past the window's last page */
static inline size_t window_end(const struct region *r, size_t page)
{
	size_t end = window_first(r, page) + r->window;

	return end < r->pages ? end : r->pages;
}

size_t extent_of(const struct region *r, size_t page);
enum certainty pinned(const struct region *r, size_t head, int except);
uint64_t state_word(const struct region *r, size_t page);
/* The same when no purge is in flight on it */
uint64_t settled_word(const struct region *r, size_t page);

/* The kernel has said @generation of this index; @gain of it is not by loss */
void observe(struct region *r, size_t page, uint32_t generation, uint32_t gain);

void page_check(struct region *r, size_t page);
void page_fill(struct region *r, size_t page, uint32_t stamp);
void extent_check(struct region *r, size_t head);
void extent_fill(struct stream *s, struct region *r, size_t head);
void window_audit(struct region *r, size_t page);
void doom_unpinned(struct region *r);
uint64_t word_of_pattern(const struct region *r, size_t page, uint32_t stamp,
			 size_t word);

#endif /* FUZZ_MODEL_H */
