/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions, and the clients that this process has descriptors of: their making,
 * choice and end, in step with the model.
 */
#ifndef FUZZ_PLAYER_H
#define FUZZ_PLAYER_H

#include "call.h"
#include "model.h"
#include "world.h"

void locks_init(void);
void region_params(struct stream *s, struct region *r);
void region_open(struct region *r, int fd);
int region_make(struct region *r);
void region_retire(struct region *r);

/* NULL if there is none of the kind wanted */
struct region *pick_region(struct stream *s, bool hostile);
struct player *pick_player(struct stream *s, bool hostile);
struct player *pick_mine(struct stream *s, bool hostile);
int player_fd(struct stream *s, const struct player *p);
int region_fd(struct stream *s, const struct region *r);

static inline struct region *region_of(const struct player *p)
{
	return &world->regions[p->region];
}

static inline struct client *client_of(const struct player *p)
{
	return &region_of(p)->clients[p->client];
}

struct player *player_free(void);
int client_reserve(struct region *r);
void client_bury(struct region *r, int client);
struct player *player_add(struct region *r, int client, int fd);
void player_close_one(struct player *p, int index);
int player_unmap(struct player *p, void *address, size_t bytes);
void clients_settle(void);
void clients_of_process(pid_t pid, bool dead);
void process_condemn(pid_t pid, int slot);
void players_after_fork(void);

#endif /* FUZZ_PLAYER_H */
