// SPDX-License-Identifier: GPL-2.0-only
#include "player.h"

/* --- regions --- */

void locks_init(void)
{
	pthread_mutexattr_t attr;
	int i, j;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (i = 0; i < REGIONS; i++)
		for (j = 0; j < WINDOWS; j++)
			pthread_mutex_init(&world->regions[i].locks[j], &attr);
}

/* Everything but the locks, which keep their place, to what it was at first */
static void region_clear(struct region *r)
{
	r->flags = 0;
	r->hostile = false;
	memset(r->clients, 0, sizeof(r->clients));
	memset(r->length, 0,
	       sizeof(*r) - offsetof(struct region, length));
}

/* Sizes at which a table page ends, and small ones where all is a border */
void region_params(struct stream *s, struct region *r)
{
	static const uint16_t pages[] = { 1, 2, 7, 64, 511, 512, 513, 1024,
					  1030, PAGES_MAX };
	static const uint8_t protections[] = { 0, RWX, RW, RW, RWX, 0, RW, RW,
					       PROT_READ, PROT_WRITE };

	region_clear(r);
	r->pages = pages[below(s, sizeof(pages) / sizeof(*pages))];
	r->window = (r->pages + WINDOWS - 1) / WINDOWS;
	if (once_in(s, 3))
		r->window = r->pages;
	r->flags = once_in(s, 4) ? PASHM_CREATE_SOLE : 0;
	r->hostile = once_in(s, 4);
	r->prot.upper = protections[below(s, sizeof(protections))];
	snprintf(r->name, sizeof(r->name), "fuzz %llu",
		 (unsigned long long)below(s, 1000));
}

static void *view_map(int fd, uint64_t offset, size_t bytes, int prot)
{
	long address = map_at(fd, offset, bytes, prot);

	if (MAP_FAILED_WITH(address))
		fail("a mapping for the model: %s", result_name(address));
	return (void *)address;
}

static void region_view(struct region *r)
{
	uint32_t prot = r->prot.upper & RW;
	struct view *v = view_of(r);

	v->writable = prot == RW;
	v->states = view_map(r->warden, PASHM_OFFSET_STATES, r->pages * 8UL,
			     PROT_READ);
	v->births = view_map(r->warden, PASHM_OFFSET_BIRTHS, r->pages * 4UL,
			     PROT_READ);
	v->data = prot & PROT_READ ?
		  view_map(r->warden, PASHM_OFFSET_DATA, r->pages * PAGE_BYTES,
			   (int)prot) : NULL;
}

/* @fd came from CREATE. What cannot be read by the model is as good as hostile */
void region_open(struct region *r, int fd)
{
	struct player *p;

	if (!r->prot.upper)
		r->prot.upper = RWX;
	r->prot.lower = r->prot.upper;
	if (!(r->prot.upper & PROT_READ))
		r->hostile = true;
	r->warden = fd;
	r->clients[0] = (struct client) {
		.life = LIVE, .owner = getpid(), .prot = r->prot,
	};
	region_view(r);
	r->inode = region_info(fd).inode;
	r->used = true;
	if (r->flags & PASHM_CREATE_SOLE) {
		p = player_add(r, 0, fd);
		if (p)
			p->keep = true;
	}
}

/* Set a region up that was described, without any spoiling */
int region_make(struct region *r)
{
	struct pashm_create create = {
		.size = sizeof(create), .flags = r->flags,
		.length = r->pages * PAGE_BYTES, .prot = r->prot.upper,
	};
	long fd;

	memcpy(create.name, r->name, sizeof(create.name));
	fd = command(self.device, PASHM_IOC_CREATE, &create);
	if (fd < 0)
		fail("CREATE: %s", result_name(fd));
	region_open(r, (int)fd);
	return (int)fd;
}

static void map_forget(struct map *m)
{
	munmap(m->address, m->pages * PAGE_BYTES);
	m->used = false;
}

/* Close everything that this process has of it. No child may be using it */
void region_retire(struct region *r)
{
	int number = region_number(r), i, j;
	struct view *v = view_of(r);

	for (i = 0; i < MAPS; i++)
		if (self.maps[i].used && self.maps[i].region == number)
			map_forget(&self.maps[i]);
	for (i = 0; i < PLAYERS; i++) {
		struct player *p = &self.players[i];

		if (!p->used || p->region != number)
			continue;
		for (j = 0; j < p->nfds; j++)
			close(p->fds[j]);
		if (p->pins)
			munmap(p->pins, r->pages * 4UL);
		p->used = false;
	}
	munmap(v->states, r->pages * 8UL);
	v->states = NULL;
	munmap(v->births, r->pages * 4UL);
	if (v->data)
		munmap(v->data, r->pages * PAGE_BYTES);
	if (!(r->flags & PASHM_CREATE_SOLE))
		close(r->warden);
	r->used = false;
}

/* A region that was there when this process began, or that it has made */
static bool region_mine(int number)
{
	return world->regions[number].used && self.views[number].states;
}

struct region *pick_region(struct stream *s, bool hostile)
{
	uint64_t start = below(s, REGIONS), i;

	for (i = 0; i < REGIONS; i++) {
		struct region *r = &world->regions[(start + i) % REGIONS];

		if (r->hostile == hostile && region_mine(region_number(r)))
			return r;
	}
	return NULL;
}

/* --- players --- */

static struct player *pick(struct stream *s, bool hostile, bool mine)
{
	uint64_t start = below(s, PLAYERS), i;

	for (i = 0; i < PLAYERS; i++) {
		struct player *p = &self.players[(start + i) % PLAYERS];

		if (p->used && p->nfds && region_of(p)->hostile == hostile &&
		    (p->mine || !mine))
			return p;
	}
	return NULL;
}

struct player *pick_player(struct stream *s, bool hostile)
{
	return pick(s, hostile, !once_in(s, 4));
}

struct player *pick_mine(struct stream *s, bool hostile)
{
	return pick(s, hostile, true);
}

int player_fd(struct stream *s, const struct player *p)
{
	return p->fds[below(s, (uint64_t)p->nfds)];
}

/* Any descriptor of the region: the warden's, or a player's */
int region_fd(struct stream *s, const struct region *r)
{
	struct player *p = pick_player(s, r->hostile);

	return p && region_of(p) == r ? player_fd(s, p) : r->warden;
}

struct player *player_free(void)
{
	int i;

	for (i = 0; i < PLAYERS; i++)
		if (!self.players[i].used)
			return &self.players[i];
	return NULL;
}

/*
 * Say that a child will be killed: from here on it makes no new clients, and
 * those that it has fade.
 */
void process_condemn(pid_t pid, int slot)
{
	int number = self.process * ASYNC_MAX + slot;

	__atomic_store_n(&world->condemned[number], pid, __ATOMIC_SEQ_CST);
	clients_of_process(pid, false);
}

static bool condemned(void)
{
	int i;

	for (i = 0; i < ASYNC_MAX; i++)
		if (__atomic_load_n(&world->condemned[self.process * ASYNC_MAX +
						      i], __ATOMIC_SEQ_CST) ==
		    getpid())
			return true;
	return false;
}

/* A slot of the model for a client of this process, or NOBODY */
int client_reserve(struct region *r)
{
	int i;

	region_lock_all(r);
	/* Under the locks: either this is seen, or the new client is */
	for (i = condemned() ? CLIENTS : 0; i < CLIENTS; i++)
		if (r->clients[i].life == FREE)
			break;
	if (i < CLIENTS)
		r->clients[i] = (struct client) {
			.life = LIVE, .owner = getpid(),
		};
	region_unlock_all(r);
	return i < CLIENTS ? i : NOBODY;
}

static void client_erase(struct region *r, int client)
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

struct player *player_add(struct region *r, int client, int fd)
{
	struct player *p = player_free();
	long pins;

	if (!p)
		return NULL;
	*p = (struct player) {
		.used = true, .mine = true, .region = region_number(r),
		.client = client, .fds = { fd }, .nfds = 1,
	};
	pins = map_at(fd, PASHM_OFFSET_PINS, r->pages * 4UL, RW);
	if (MAP_FAILED_WITH(pins))
		fail("a client's pin words: %s", result_name(pins));
	p->pins = (uint32_t *)pins;
	return p;
}

/* Is this process the only one that can hold the client's file? */
static bool exclusive(const struct client *client)
{
	int i;

	for (i = 0; i < ASYNC_MAX; i++)
		if (self.asyncs[i])
			return false;
	return !__atomic_load_n(&client->foreign, __ATOMIC_SEQ_CST);
}

/*
 * The owner's last hold on the file goes, by @fd or, if it is below 0, by what
 * the caller has just unmapped. All windows are locked, so that nobody relies
 * on the client's pins meanwhile.
 */
static void player_end(struct player *p, int fd)
{
	struct region *r = region_of(p);
	struct client *client = client_of(p);

	if (p->pins)
		munmap(p->pins, r->pages * 4UL);
	if (fd >= 0)
		close(fd);
	p->used = false;
	client->closed = true;
	if (exclusive(client))
		client_erase(r, p->client);
}

void player_close_one(struct player *p, int index)
{
	struct region *r = region_of(p);
	int fd = p->fds[index];
	bool last = p->nfds == 1 && !p->maps;

	p->fds[index] = p->fds[--p->nfds];
	if (!p->mine || !last) {
		close(fd);
		if (!p->mine && !p->nfds && !p->maps)
			p->used = false;
		return;
	}
	region_lock_all(r);
	client_of(p)->life = FADING;
	player_end(p, fd);
	region_unlock_all(r);
}

/* Unmap a table mapping, which may be what keeps the client alive */
int player_unmap(struct player *p, void *address, size_t bytes)
{
	bool last = p->mine && !p->nfds && p->maps == 1;
	struct region *r = region_of(p);
	int ret;

	p->maps--;
	if (!last) {
		ret = munmap(address, bytes);
		if (!p->mine && !p->nfds && !p->maps)
			p->used = false;
		return ret;
	}
	region_lock_all(r);
	client_of(p)->life = FADING;
	ret = munmap(address, bytes);
	player_end(p, -1);
	region_unlock_all(r);
	return ret;
}

/* Children and messages that held files have gone: so have closed clients */
void clients_settle(void)
{
	int i, j;

	for (i = 0; i < REGIONS; i++) {
		struct region *r = &world->regions[i];

		for (j = 0; region_mine(i) && j < CLIENTS; j++) {
			struct client *c = &r->clients[j];

			if (c->life == FADING && c->closed &&
			    c->owner == getpid() && exclusive(c))
				client_bury(r, j);
			else if (c->life == GONE && exclusive(c))
				client_bury(r, j);
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

/* In a child: what it has inherited is not its own, and pin words are gone */
void players_after_fork(void)
{
	int i;

	for (i = 0; i < PLAYERS; i++) {
		self.players[i].mine = false;
		self.players[i].pins = NULL;
	}
	memset(self.asyncs, 0, sizeof(self.asyncs));
	for (i = 0; i < MAPS; i++)
		if (self.maps[i].what != PINS && self.maps[i].fork_unsure)
			self.maps[i].used = false;
}
