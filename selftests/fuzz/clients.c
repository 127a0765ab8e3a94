// SPDX-License-Identifier: GPL-2.0-only
/* The lives of clients in the model: reserved, fading with their process, gone. */
#include "player.h"

/*
 * Say that a process will be killed: from here on it makes no new clients, and
 * those that it has fade.
 */
void process_condemn(pid_t pid, int journal)
{
	__atomic_store_n(&world->condemned[journal], pid, __ATOMIC_SEQ_CST);
	clients_of_process(pid, false);
}

bool condemned(pid_t pid, int journal)
{
	return __atomic_load_n(&world->condemned[journal], __ATOMIC_SEQ_CST) ==
	       pid;
}

/* A slot of the model for a client of this process, or NOBODY */
int client_reserve(struct region *r)
{
	int i;

	region_lock_all(r);
	/* Under the locks: either this is seen, or the new client is */
	for (i = condemned(getpid(), self.journal) ? CLIENTS : 0; i < CLIENTS; i++)
		if (r->clients[i].life == FREE)
			break;
	if (i < CLIENTS)
		r->clients[i] = (struct client) {
			.life = LIVE, .owner = getpid(),
		};
	region_unlock_all(r);
	return i < CLIENTS ? i : NOBODY;
}

/* All windows are locked */
void client_erase(struct region *r, int client)
{
	memset(r->count[client], 0, sizeof(r->count[client]));
	r->clients[client].life =
		__atomic_load_n(&r->clients[client].foreign,
				__ATOMIC_SEQ_CST) ? GONE : FREE;
}

/* It is gone for certain */
void client_bury(struct region *r, int client)
{
	region_lock_all(r);
	client_erase(r, client);
	region_unlock_all(r);
}

/* Is this process the only one that can hold the client's file? */
bool exclusive(const struct client *client)
{
	int i;

	for (i = 0; i < ASYNC_MAX; i++)
		if (self.asyncs[i])
			return false;
	return !__atomic_load_n(&client->foreign, __ATOMIC_SEQ_CST);
}

static bool settled(const struct client *c)
{
	return exclusive(c) &&
	       (c->life == GONE || (c->life == FADING && c->closed &&
				    c->owner == getpid()));
}

/* Children and messages that held files have gone: so have closed clients */
void clients_settle(void)
{
	int i, j;

	for (i = 0; i < REGIONS; i++) {
		struct region *r = &world->regions[i];

		for (j = 0; region_mine(i) && j < CLIENTS; j++) {
			if (!settled(&r->clients[j]))
				continue;
			region_lock_all(r);
			/* Others settle, too, and reserve what has become free */
			if (settled(&r->clients[j]))
				client_erase(r, j);
			region_unlock_all(r);
		}
	}
}

/* A process is about to die, or is dead: its clients fade, or are gone */
void clients_of_process(pid_t pid, bool dead)
{
	int i, j;

	for (i = 0; i < REGIONS; i++) {
		struct region *r = &world->regions[i];

		if (!region_mine(i))
			continue;
		region_lock_all(r);
		for (j = 0; j < CLIENTS; j++) {
			if (r->clients[j].life == FREE ||
			    r->clients[j].owner != pid)
				continue;
			if (dead)
				client_erase(r, j);
			else
				r->clients[j].life = FADING;
		}
		region_unlock_all(r);
	}
}
