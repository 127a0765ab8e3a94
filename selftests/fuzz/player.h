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

bool region_mine(int number);
/* NULL if there is none of the kind wanted */
struct region *pick_region(struct stream *s, bool hostile);
struct player *pick_player(struct stream *s, bool hostile);
struct player *pick_mine(struct stream *s, bool hostile);
struct map *map_pick(struct stream *s);
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

/* What a client, or one attached by it, may have at this moment */
static inline struct mask mask_of(const struct region *r,
				  const struct client *client)
{
	return (struct mask) {
		__atomic_load_n(&client->prot.upper, __ATOMIC_SEQ_CST) &
		__atomic_load_n(&r->prot.upper, __ATOMIC_SEQ_CST),
		__atomic_load_n(&client->prot.lower, __ATOMIC_SEQ_CST) &
		__atomic_load_n(&r->prot.lower, __ATOMIC_SEQ_CST),
	};
}

struct player *player_free(void);
struct player *player_add(struct region *r, int client, int fd);
/* @by: NOBODY, or a descriptor that takes the place of the one closed */
void player_close_one(struct player *p, int index, int by);
struct player *player_receive(struct region *r, int client, int fd);
void players_foreign_end(void);
int player_unmap(struct player *p, void *address, size_t bytes);
void players_after_fork(void);

/* clients.c */
void process_condemn(pid_t pid, int journal);
bool condemned(pid_t pid, int journal);
int client_reserve(struct region *r);
void client_erase(struct region *r, int client);
void client_bury(struct region *r, int client);
bool exclusive(const struct client *client);
void clients_settle(void);
void clients_of_process(pid_t pid, bool dead);

#endif /* FUZZ_PLAYER_H */
