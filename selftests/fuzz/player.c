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
	r->own_priority = PASHM_PRIORITY_DEFAULT;
	if (once_in(s, 3)) {
		r->flags |= PASHM_CREATE_PRIORITY;
		r->own_priority = (uint32_t)below(s, PASHM_PRIORITY_MAX + 1);
	}
	/* Extents that fit are as large as windows in other regions */
	if (r->pages % unit_of(PASHM_CREATE_HUGE) == 0 && once_in(s, 3)) {
		r->flags |= PASHM_CREATE_HUGE;
		r->window = r->pages;
	}
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

	if (r->flags & PASHM_CREATE_PRIORITY)
		create.priority = r->own_priority;
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
bool region_mine(int number)
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

struct map *map_pick(struct stream *s)
{
	uint64_t start = below(s, MAPS), i;

	for (i = 0; i < MAPS; i++)
		if (self.maps[(start + i) % MAPS].used)
			return &self.maps[(start + i) % MAPS];
	return NULL;
}

struct player *player_free(void)
{
	int i;

	for (i = 0; i < PLAYERS; i++)
		if (!self.players[i].used)
			return &self.players[i];
	return NULL;
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

/* Keep what was sent. It is counted as foreign already, and stays so */
struct player *player_receive(struct region *r, int client, int fd)
{
	struct player *p = region_mine(region_number(r)) ? player_free() : NULL;

	if (p)
		*p = (struct player) {
			.used = true, .foreign = true,
			.region = region_number(r), .client = client,
			.fds = { fd }, .nfds = 1,
		};
	return p;
}

/* Another's client: this process has no hold on its file any more */
static void player_forget(struct player *p)
{
	p->used = false;
	if (!p->foreign)
		return;
	__atomic_fetch_sub(&client_of(p)->foreign, 1, __ATOMIC_SEQ_CST);
	clients_settle();
}

/* Close @fd, or make it another name of descriptor @by */
static void descriptor_end(int fd, int by)
{
	if (by == NOBODY)
		close(fd);
	else if (dup3(by, fd, O_CLOEXEC) != fd)
		fail("dup3: %s", strerror(errno));
}

/*
 * The owner's last hold on the file goes, by @fd or, if it is below 0, by what
 * the caller has just unmapped. All windows are locked, so that nobody relies
 * on the client's pins meanwhile.
 */
static void player_end(struct player *p, int fd, int by)
{
	struct region *r = region_of(p);
	struct client *client = client_of(p);

	if (p->pins)
		munmap(p->pins, r->pages * 4UL);
	if (fd >= 0)
		descriptor_end(fd, by);
	p->used = false;
	client->closed = true;
	if (exclusive(client))
		client_erase(r, p->client);
}

void player_close_one(struct player *p, int index, int by)
{
	struct region *r = region_of(p);
	int fd = p->fds[index];
	bool last = p->nfds == 1 && !p->maps;

	p->fds[index] = p->fds[--p->nfds];
	if (!p->mine || !last) {
		descriptor_end(fd, by);
		if (!p->mine && !p->nfds && !p->maps)
			player_forget(p);
		return;
	}
	region_lock_all(r);
	client_of(p)->life = FADING;
	player_end(p, fd, by);
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
			player_forget(p);
		return ret;
	}
	region_lock_all(r);
	client_of(p)->life = FADING;
	ret = munmap(address, bytes);
	player_end(p, -1, NOBODY);
	region_unlock_all(r);
	return ret;
}

/* Let go of one that was received, with all that holds its file */
static void player_drop(struct player *p)
{
	int i;

	for (i = 0; i < MAPS; i++)
		if (self.maps[i].used &&
		    self.maps[i].player == (int)(p - self.players))
			map_forget(&self.maps[i]);
	for (i = 0; i < p->nfds; i++)
		close(p->fds[i]);
	p->used = false;
}

/* This process is about to end: what it has received is in nobody's hands */
void players_foreign_end(void)
{
	int i;

	for (i = 0; i < PLAYERS; i++) {
		struct player *p = &self.players[i];

		if (!p->used || !p->foreign)
			continue;
		player_drop(p);
		player_forget(p);
	}
}

/* In a child: what it has inherited is not its own, and pin words are gone */
void players_after_fork(void)
{
	int i;

	for (i = 0; i < PLAYERS; i++) {
		struct player *p = &self.players[i];

		/* The parent alone answers for what it has received */
		if (p->used && p->foreign)
			player_drop(p);
		p->mine = false;
		p->pins = NULL;
	}
	memset(self.asyncs, 0, sizeof(self.asyncs));
	for (i = 0; i < MAPS; i++)
		if (self.maps[i].what != PINS && self.maps[i].fork_unsure)
			self.maps[i].used = false;
}
