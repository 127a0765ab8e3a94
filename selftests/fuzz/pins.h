/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_PINS_H
#define FUZZ_PINS_H

#include "player.h"

struct player *pick_with_pins(struct stream *s);
struct player *lock_idle_extent(struct stream *s, size_t *page);
size_t pick_page(struct stream *s, const struct region *r);
size_t pick_pinned(struct stream *s, const struct player *p);
uint32_t pick_known(struct stream *s, const struct region *r, size_t page);

uint16_t *count_of(const struct player *p, size_t page);
void count_check(const struct player *p, size_t page);
bool count_full(uint16_t count);
bool count_empty(uint16_t count);
enum pashm_verdict wanted_verdict(const struct region *r,
				  const struct pashm_range *in,
				  uint32_t generation);
void pin_answered(struct player *p, const struct pashm_range *in,
		  const struct pashm_range *out);
void pin_raise(const struct player *p, size_t page);
void pin_lower(const struct player *p, size_t page);
bool fading(const struct player *p);

#endif /* FUZZ_PINS_H */
