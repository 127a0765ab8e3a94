// SPDX-License-Identifier: GPL-2.0-only
/* Regions and clients: made, protected, filled up, and given up. */
#include "ops.h"

void op_query(struct stream *s)
{
	struct region *r = pick_region(s, once_in(s, 2));
	struct pashm_query query = { .abi_version = (uint32_t)draw(s) };
	int fd = r && once_in(s, 2) ? region_fd(s, r) : self.device;
	struct expect e = {};

	if (!check(&e, call_command(s, fd, QUERY, &query, &e, "fd %ld", fd, 0,
				    0, 0)))
		return;
	if (query.abi_version != PASHM_ABI_VERSION ||
	    query.protocol != PASHM_PROTOCOL_VERSION ||
	    query.create_flags != CREATE_FLAGS ||
	    query.page_size != PAGE_BYTES)
		fail("QUERY answers version %u, protocol %u, flags %#x, page %u",
		     query.abi_version, query.protocol, query.create_flags,
		     query.page_size);
}

static struct region *own_region_free(void)
{
	int first = SHARED_REGIONS + self.process * OWN_REGIONS, i;

	for (i = 0; self.depth == 0 && i < OWN_REGIONS; i++)
		if (!world->regions[first + i].used)
			return &world->regions[first + i];
	return NULL;
}

/* One that stays, and that the model follows from here on */
void op_create(struct stream *s)
{
	struct region *r = own_region_free();
	struct pashm_create create = {};
	struct expect e = {};
	long fd;

	if (!r || !player_free())
		return;
	region_params(s, r);
	create.flags = r->flags;
	create.length = r->pages * PAGE_BYTES;
	create.prot = r->prot.upper;
	if (r->flags & PASHM_CREATE_PRIORITY)
		create.priority = r->own_priority;
	memcpy(create.name, r->name, sizeof(create.name));
	fd = call_command(s, self.device, CREATE, &create, &e,
			  "region %ld, %ld pages, flags %#lx, prot %#lx",
			  region_number(r), r->pages, r->flags,
			  r->prot.upper);
	if (check(&e, fd))
		region_open(r, (int)fd);
}

/* Sizes, names, masks that are at or beyond what is allowed */
void op_create_badly(struct stream *s)
{
	struct pashm_create create = { .length = PAGE_BYTES };
	struct expect e = {};
	long fd;

	if (once_in(s, 2))
		create.length = edge(s) & ~(once_in(s, 2) ? 4095ULL : 0ULL);
	if (once_in(s, 4))
		create.prot = (uint32_t)edge(s);
	if (once_in(s, 8))
		create.priority = (uint32_t)edge(s);
	if (once_in(s, 4))
		create.flags = (uint32_t)below(s, 64);
	memset(create.name, 'n', below(s, sizeof(create.name)));
	if (once_in(s, 6))
		memset(create.name, 0xff, sizeof(create.name));
	must_if(&e, create.priority > (create.flags & PASHM_CREATE_PRIORITY ?
				       PASHM_PRIORITY_MAX : 0), EINVAL);
	must_if(&e, create.prot & ~(uint32_t)RWX, EINVAL);
	must_if(&e, !create.length ||
		create.length % (unit_of(create.flags) * PAGE_BYTES), EINVAL);
	must_if(&e, create.length > PASHM_SIZE_MAX, EFBIG);
	must_if(&e, !memchr(create.name, 0, sizeof(create.name)),
		ENAMETOOLONG);
	fd = call_command(s, self.device, CREATE, &create, &e,
			  "length %#lx, prot %#lx, flags %#lx, priority %ld",
			  (long)create.length, create.prot, create.flags,
			  create.priority);
	if (!check(&e, fd))
		return;
	if (fcntl((int)fd, F_GETFD) != FD_CLOEXEC)
		fail("a new descriptor is not closed on exec");
	close((int)fd);
}

void op_attach(struct stream *s)
{
	struct player *from = pick_player(s, once_in(s, 4));
	struct region *r = from ? region_of(from) :
			   pick_region(s, once_in(s, 4));
	const struct client *ticket;
	struct pashm_attach attach = {};
	struct expect e = {};
	struct mask mask;
	int client;
	long fd;

	if (!r || !player_free())
		return;
	if (once_in(s, 3))
		from = NULL;
	ticket = from ? client_of(from) : &r->clients[0];
	client = client_reserve(r);
	if (client == NOBODY)
		return;
	if (once_in(s, 8))
		attach.prot = (uint32_t)below(s, 8);
	if (once_in(s, 20))
		attach.prot = (uint32_t)edge(s);
	if (once_in(s, 20))
		attach.reserved = (uint32_t)edge(s);
	must_if(&e, attach.reserved || attach.prot & ~(uint32_t)RWX, EINVAL);
	must_if(&e, r->flags & PASHM_CREATE_SOLE, EPERM);
	need(&e, &r->prot, &ticket->prot, attach.prot & RWX, EACCES);
	mask = mask_of(r, ticket);
	fd = call_command(s, from ? player_fd(s, from) : r->warden, ATTACH,
			  &attach, &e, "region %ld, prot %#lx as client %ld",
			  region_number(r), attach.prot, client, 0);
	if (!check(&e, fd)) {
		client_bury(r, client);
		return;
	}
	mask.lower = mask_of(r, ticket).lower;
	if (attach.prot)
		mask.upper = mask.lower = attach.prot;
	r->clients[client].prot = mask;
	player_add(r, client, (int)fd);
}

/* Shared regions must stay usable: they keep their right to be written */
static uint32_t prot_to_keep(struct stream *s, const struct region *r,
			     uint32_t flags)
{
	uint32_t keep = (uint32_t)below(s, 8);

	/* With too few rights left, there is little to do */
	if (!once_in(s, 8))
		keep |= RW;
	if (once_in(s, 20))
		keep = (uint32_t)edge(s);
	if (flags && (region_number(r) < SHARED_REGIONS || !once_in(s, 4)))
		keep |= RW;
	return keep;
}

void op_protect(struct stream *s)
{
	struct player *p = pick_player(s, once_in(s, 4));
	struct pashm_prot args = {};
	struct expect e = {};
	struct mask *mask;
	struct region *r;
	uint32_t prot, lower;

	if (!p)
		return;
	r = region_of(p);
	args.flags = once_in(s, 3) ? PASHM_PROT_REGION : 0;
	prot = prot_to_keep(s, r, args.flags);
	args.prot = prot;
	if (once_in(s, 20))
		args.reserved = (uint32_t)edge(s);
	must_if(&e, args.reserved || prot & ~(uint32_t)RWX, EINVAL);
	must_if(&e, !p->mine, EPERM);
	/* A right that is lost already cannot be kept, nor given up for all */
	need(&e, &r->prot, &client_of(p)->prot, prot & RWX, EINVAL);
	if (args.flags && !(r->prot.upper & client_of(p)->prot.upper &
			    PROT_WRITE))
		must(&e, EACCES);
	if (args.flags && !(r->prot.lower & client_of(p)->prot.lower &
			    PROT_WRITE))
		may(&e, EACCES);
	mask = args.flags ? &r->prot : &client_of(p)->prot;
	/* Another process may take the right to ask for it away meanwhile */
	if (args.flags && world->concurrent)
		may(&e, EACCES);
	lower = __atomic_fetch_and(&mask->lower, prot, __ATOMIC_SEQ_CST);
	if (check(&e, call_command(s, player_fd(s, p), PROTECT, &args, &e,
				   "client %ld/%ld, keep %#lx, flags %#lx",
				   p->region, p->client, prot, args.flags)))
		__atomic_fetch_and(&mask->upper, prot, __ATOMIC_SEQ_CST);
	else if (!world->concurrent)
		mask->lower = lower;
}

static bool asyncs_any(void)
{
	int i;

	for (i = 0; i < ASYNC_MAX; i++)
		if (self.asyncs[i])
			return true;
	return false;
}

/* Give a region of one's own up, with whatever is pinned and mapped there */
void op_retire(struct stream *s)
{
	uint64_t first = (uint64_t)(SHARED_REGIONS + self.process * OWN_REGIONS);
	struct region *r = &world->regions[first + below(s, OWN_REGIONS)];

	if (!r->used || self.depth || asyncs_any())
		return;
	journal_call("retire", "region %ld", region_number(r), 0, 0, 0);
	region_retire(r);
	journal_return(0);
}

/* As many clients as a region bears, and one more */
void op_crowd(struct stream *s)
{
	static int fds[PASHM_CLIENTS_MAX];
	long fd = region_create(small(s, 600), 0);
	unsigned int i, n;

	if (fd < 0)
		fail("CREATE: %s", result_name(fd));
	fds[0] = (int)fd;
	for (n = 1; n < PASHM_CLIENTS_MAX; n++) {
		fd = region_attach(fds[below(s, n)], 0);
		if (fd < 0)
			fail("ATTACH of client %u: %s", n, result_name(fd));
		fds[n] = (int)fd;
	}
	for (i = 0; i < 2; i++) {
		struct pashm_attach attach = {};
		struct expect e = {};

		must(&e, EUSERS);
		check(&e, call_command(s, fds[0], ATTACH, &attach, &e,
				       "to a full region", 0, 0, 0, 0));
	}
	if (region_info(fds[0]).clients != PASHM_CLIENTS_MAX)
		fail("%u clients, wanted %u", region_info(fds[0]).clients,
		     PASHM_CLIENTS_MAX);
	for (i = 0; i < n; i++)
		close(fds[i]);
}
