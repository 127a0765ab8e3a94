/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_PIN_H
#define PASHM_PIN_H

#include <linux/types.h>

struct pashm_client;
struct pashm_pin;
struct pashm_reshape;
struct pashm_wait;

int pashm_pin_ranges(struct pashm_client *client, struct pashm_pin *args);
int pashm_unpin_ranges(struct pashm_client *client, struct pashm_pin *args);
int pashm_wait_extent(struct pashm_client *client, struct pashm_wait *args);
int pashm_reshape_range(struct pashm_client *client,
			struct pashm_reshape *args);

bool pashm_offset_to_index(struct pashm_client *client, u64 offset,
			   unsigned long *index);
int pashm_count_raise(atomic_t *word);
int pashm_count_lower(atomic_t *word);

#endif /* PASHM_PIN_H */
