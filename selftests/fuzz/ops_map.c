// SPDX-License-Identifier: GPL-2.0-only
/* Mappings made, split, moved, protected and unmapped. */
#include "ops.h"

/* x86 only */
#ifdef MAP_32BIT
#define LOW	MAP_32BIT
#else
#define LOW	0
#endif

static const uint64_t offsets[WHATS] = {
	[DATA] = PASHM_OFFSET_DATA, [HEADER] = PASHM_OFFSET_HEADER,
	[STATES] = PASHM_OFFSET_STATES, [BIRTHS] = PASHM_OFFSET_BIRTHS,
	[PINS] = PASHM_OFFSET_PINS,
};

static struct map *map_free(void)
{
	int i;

	for (i = 0; i < MAPS; i++)
		if (!self.maps[i].used)
			return &self.maps[i];
	return NULL;
}

static size_t pages_of(const struct region *r, enum what what)
{
	static const unsigned int word[WHATS] = {
		[STATES] = 8, [BIRTHS] = 4, [PINS] = 4,
	};

	if (what == DATA)
		return r->pages;
	if (what == HEADER)
		return 1;
	return (r->pages * word[what] + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* Where a mapping begins and how long it is; one in eight is wrong */
static void window_draw(struct stream *s, size_t pages, size_t *first,
			size_t *n)
{
	*first = once_in(s, 2) ? 0 : below(s, pages);
	*n = once_in(s, 2) ? pages - *first : small(s, pages - *first);
	if (once_in(s, 16))
		*first += small(s, pages + 2);
	if (once_in(s, 16))
		*n += small(s, pages + 2);
}

/* The rules of the interface, each with its error */
static void mmap_expect(struct expect *e, const struct player *p,
			enum what what, size_t first, size_t n, int prot,
			bool shared)
{
	const struct region *r = region_of(p);
	size_t pages = pages_of(r, what);
	uint32_t rights = (uint32_t)prot & RWX;

	must_if(e, first >= pages || n > pages - first, EINVAL);
	if (what == DATA) {
		need(e, &r->prot, &client_of(p)->prot, rights, EACCES);
	} else {
		must_if(e, !shared, EINVAL);
		must_if(e, prot & PROT_EXEC, EACCES);
		must_if(e, what == PINS && !p->mine, EPERM);
		if (what == HEADER)
			must_if(e, prot & PROT_WRITE, EACCES);
		/* Pin words are one's own, whatever the mask */
		else if (what != PINS)
			need(e, &r->prot, &client_of(p)->prot,
			     rights & PROT_WRITE, EACCES);
	}
	must_if(e, world->no_exec && prot & PROT_EXEC, EPERM);
}

/* What mprotect may make of it later */
static struct mask rights_later(const struct player *p, enum what what)
{
	const struct region *r = region_of(p);
	const struct client *c = client_of(p);
	struct mask own = {
		.upper = r->prot.upper & c->prot.upper,
		.lower = r->prot.lower & c->prot.lower,
	};

	switch (what) {
	case DATA:
		return own;
	case HEADER:
		return (struct mask) { PROT_READ, PROT_READ };
	case PINS:
		return (struct mask) { RW, RW };
	default:
		own.upper = PROT_READ | (own.upper & PROT_WRITE);
		own.lower = PROT_READ | (own.lower & PROT_WRITE);
		return own;
	}
}

static enum what what_draw(struct stream *s)
{
	return once_in(s, 2) ? DATA : (enum what)below(s, WHATS);
}

void op_mmap(struct stream *s)
{
	struct player *p = pick_player(s, once_in(s, 4));
	static const int prots[] = { PROT_NONE, PROT_READ, RW, RW, RW, PROT_WRITE,
				     RWX, PROT_READ | PROT_EXEC };
	int prot = prots[below(s, sizeof(prots) / sizeof(*prots))];
	static const int extra[] = { 0, 0, 0, MAP_POPULATE, MAP_NORESERVE,
				     MAP_LOCKED, LOW };
	bool shared = !once_in(s, 5);
	int flags = (shared ? MAP_SHARED : MAP_PRIVATE) |
		    extra[below(s, sizeof(extra) / sizeof(*extra))];
	struct map *m = map_free();
	enum what what = what_draw(s);
	struct expect e = {};
	size_t first, n;
	uint64_t offset;
	struct mask rights;
	long address;

	if (!p || !m)
		return;
	window_draw(s, pages_of(region_of(p), what), &first, &n);
	offset = offsets[what] + first * PAGE_BYTES;
	mmap_expect(&e, p, what, first, n, prot, shared);
	rights = rights_later(p, what);
	address = TRY(s, "mmap", "client %ld, %ld from offset %#lx, prot and flags %#lx",
		      p->region * 100 + p->client, (long)n, (long)offset,
		      prot << 24 | flags,
		      mmap(NULL, n * PAGE_BYTES, prot, flags,
			   player_fd(s, p), (off_t)offset));
	/* An address is no error, although it may look like one */
	if (!check(&e, MAP_FAILED_WITH(address) ? address : 0))
		return;
	rights.lower &= rights_later(p, what).lower;
	if (world->no_exec)
		rights.upper &= RW;
	*m = (struct map) {
		.used = true, .what = what, .region = p->region,
		.player = what == DATA ? NOBODY : (int)(p - self.players),
		.address = (char *)address, .first = first, .pages = n,
		.prot = prot, .may = rights, .shared = shared,
	};
	if (what != DATA)
		p->maps++;
	else if (once_in(s, 4))
		CALL(madvise(m->address, n * PAGE_BYTES, MADV_HUGEPAGE));
}

static long map_unmap_part(struct stream *s, struct map *m, size_t first,
			   size_t n)
{
	bool whole = first == 0 && n == m->pages;
	char *address = m->address + first * PAGE_BYTES;

	/*
	 * Entries of the model count, not the kernel's mappings. Not made to
	 * fail: a client's end depends on it.
	 */
	if (whole && m->player != NOBODY) {
		long ret;

		journal_call("munmap", "map %ld, all %ld pages of a table",
			     m - self.maps, (long)n, 0, 0);
		ret = CALL(player_unmap(&self.players[m->player], address,
					n * PAGE_BYTES));
		journal_return(ret);
		return ret;
	}
	return TRY(s, "munmap", "map %ld, %ld pages from page %ld",
		   m - self.maps, (long)n, (long)first, 0,
		   munmap(address, n * PAGE_BYTES));
}

/* Make an entry of its own for what is right of @page; NULL if none is free */
static struct map *map_split(struct map *m, size_t page)
{
	struct map *rest = map_free();

	if (!rest)
		return NULL;
	*rest = *m;
	rest->address += page * PAGE_BYTES;
	rest->first += page;
	rest->pages -= page;
	m->pages = page;
	if (m->player != NOBODY)
		self.players[m->player].maps++;
	return rest;
}

/* An entry for some of @m's pages, or for all; to the kernel, nothing happens */
static struct map *map_part(struct stream *s, struct map *m)
{
	size_t first = below(s, m->pages), n = small(s, m->pages - first);

	if (once_in(s, 2))
		return m;
	if (first)
		m = map_split(m, first) ?: m;
	if (n < m->pages)
		map_split(m, n);
	return m;
}

/* Cut pages out of an entry; what is right of them becomes another one */
static void map_cut(struct map *m, size_t first, size_t n)
{
	size_t right = m->pages - first - n;
	struct map *rest = right ? map_free() : NULL;

	if (rest) {
		*rest = *m;
		rest->address += (first + n) * PAGE_BYTES;
		rest->first += first + n;
		rest->pages = right;
		if (m->player != NOBODY)
			self.players[m->player].maps++;
	}
	m->pages = first;
	if (!first) {
		m->used = false;
		/* The whole was counted off by player_unmap() already */
		if (m->player != NOBODY && right)
			self.players[m->player].maps--;
	}
}

void op_munmap(struct stream *s)
{
	struct map *m = map_pick(s);
	size_t first = 0, n;
	struct expect e = {};
	long ret;

	if (!m)
		return;
	n = m->pages;
	if (once_in(s, 3)) {
		first = below(s, m->pages);
		n = small(s, m->pages - first);
		/* No entry is left for the rest: then there is none */
		if (!map_free())
			n = m->pages - first;
	}
	ret = map_unmap_part(s, m, first, n);
	/* A split needs memory, and without it nothing is unmapped */
	if (check(&e, ret))
		map_cut(m, first, n);
	else if (m->player != NOBODY && first == 0 && n == m->pages)
		fail("a whole mapping could not be unmapped: %s",
		     result_name(ret));
}

void op_mprotect(struct stream *s)
{
	struct map *m = map_pick(s);
	int prot = (int)below(s, 8);
	struct expect e = {};

	if (!m)
		return;
	m = map_part(s, m);
	must_if(&e, (uint32_t)prot & ~m->may.upper, EACCES);
	if ((uint32_t)prot & ~m->may.lower)
		may(&e, EACCES);
	if (check(&e, TRY(s, "mprotect", "map %ld of region %ld (%ld), prot %#lx",
			  m - self.maps, m->region, m->what, prot,
			  mprotect(m->address, m->pages * PAGE_BYTES, prot))))
		m->prot = prot;
	else if (faults_hit())
		/* Part of it may have been done */
		m->used = false, m->prot = 0;
}

void op_mremap(struct stream *s)
{
	struct map *m = map_pick(s);
	size_t bytes, wanted;
	struct expect e = {};
	int flags = once_in(s, 3) ? 0 : MREMAP_MAYMOVE;
	char *place = NULL;
	long ret;

	if (!m)
		return;
	m = map_part(s, m);
	bytes = m->pages * PAGE_BYTES;
	wanted = bytes;
	if (once_in(s, 3))
		wanted = small(s, m->pages) * PAGE_BYTES;
	else if (once_in(s, 2))
		wanted += small(s, 16) * PAGE_BYTES;
	if (flags && wanted <= bytes && once_in(s, 2)) {
		place = mmap(NULL, wanted, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (place == MAP_FAILED)
			return;
		flags |= MREMAP_FIXED;
	}
	/* To leave an empty mapping behind is for those that can be expanded */
	if (flags && wanted == bytes && once_in(s, 4)) {
		flags |= MREMAP_DONTUNMAP;
		must(&e, EINVAL);
	}
	if (wanted > bytes) {
		must(&e, EFAULT);
		may(&e, EINVAL);
	}
	if (m->split)
		may(&e, EFAULT);
	ret = TRY(s, "mremap", "map %ld of region %ld, %ld pages to %ld",
		  m - self.maps, m->region, (long)m->pages,
		  (long)(wanted / PAGE_BYTES),
		  mremap(m->address, bytes, wanted, flags, place));
	if (check(&e, MAP_FAILED_WITH(ret) ? ret : 0)) {
		m->address = (char *)ret;
		m->pages = wanted / PAGE_BYTES;
	} else if (place) {
		/* The tail may have been cut off before the move failed */
		munmap(place, wanted);
		if (wanted < bytes)
			munmap(m->address + wanted, bytes - wanted);
		m->pages = wanted / PAGE_BYTES;
	}
}

/*
 * Data mapped where other data is mapped already. Some kernels have unmapped
 * the old when the new is refused; so then it goes in any case.
 */
void op_mmap_over(struct stream *s)
{
	struct player *p = pick_player(s, once_in(s, 4));
	int prot = (int)below(s, 8), flags = MAP_SHARED | MAP_FIXED;
	struct map *m = map_pick(s);
	struct expect e = {};
	struct mask rights;
	size_t first, n;
	long address;

	if (!p || !m || m->what != DATA)
		return;
	m = map_part(s, m);
	window_draw(s, region_of(p)->pages, &first, &n);
	if (n < m->pages && !map_split(m, n))
		return;
	n = m->pages;
	if (once_in(s, 5))
		flags = MAP_PRIVATE | MAP_FIXED;
	mmap_expect(&e, p, DATA, first, n, prot, flags & MAP_SHARED);
	rights = rights_later(p, DATA);
	address = TRY(s, "mmap over", "client %ld, %ld from page %ld, map %ld",
		      p->region * 100 + p->client, (long)n, (long)first,
		      m - self.maps,
		      mmap(m->address, n * PAGE_BYTES, prot, flags,
			   player_fd(s, p), (off_t)(first * PAGE_BYTES)));
	if (!check(&e, MAP_FAILED_WITH(address) ? address : 0)) {
		munmap(m->address, n * PAGE_BYTES);
		m->used = false;
		return;
	}
	if ((char *)address != m->address)
		fail("a mapping is not where it was wanted");
	rights.lower &= rights_later(p, DATA).lower;
	if (world->no_exec)
		rights.upper &= RW;
	*m = (struct map) {
		.used = true, .region = p->region, .player = NOBODY,
		.address = (char *)address, .first = first, .pages = n,
		.prot = prot, .may = rights, .shared = flags & MAP_SHARED,
	};
}
