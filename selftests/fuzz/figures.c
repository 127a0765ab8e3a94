// SPDX-License-Identifier: GPL-2.0-only
/*
 * Purges are counted by the kernel, and found by the model as losses: each has
 * raised one generation. So the losses known before an INFO and those known
 * after it are the bounds of what it may say.
 */
#include "figures.h"

#define WORDS_STATES	(PAGE_BYTES / 8)
#define WORDS_OTHER	(PAGE_BYTES / 4)
/* The reclaim clock ticks once in so many pages purged, or more */
#define EPOCH_PAGES	64

static uint64_t sure_pages(const struct region *r, size_t head)
{
	uint64_t n = 0;
	size_t page;

	for (page = head; page < head + r->length[head]; page++)
		n += r->stamp[page] && !r->unknown[page];
	return n;
}

/* Does any of the next words say that their table page must be there? */
static bool pins_in(const struct region *r, int client, size_t first)
{
	size_t page;

	for (page = first; page < r->pages && page < first + WORDS_OTHER;
	     page++)
		if (r->count[client][page])
			return true;
	return false;
}

static bool heads_in(const struct region *r, size_t first, size_t n)
{
	size_t page;

	for (page = first; page < r->pages && page < first + n; page++)
		if (r->length[page])
			return true;
	return false;
}

/* Table pages that have been written */
static uint64_t tables_written(const struct region *r)
{
	uint64_t n = 0;
	size_t first;
	int i;

	for (first = 0; first < r->pages; first += WORDS_STATES)
		n += heads_in(r, first, WORDS_STATES);
	for (first = 0; first < r->pages; first += WORDS_OTHER) {
		n += heads_in(r, first, WORDS_OTHER);
		for (i = 0; i < CLIENTS; i++)
			n += r->clients[i].life == LIVE && pins_in(r, i, first);
	}
	return n;
}

struct census census(struct region *r)
{
	struct census c = { .tables_min = tables_written(r) };
	size_t head;
	int i;

	for (head = 0; head < r->pages; head++) {
		enum certainty held;

		if (!r->length[head])
			continue;
		held = pinned(r, head, NOBODY);
		c.extents++;
		c.pinned_min += held == YES;
		c.pinned_max += held != NO;
		if (held != YES)
			c.unpinned_pages += r->length[head];
		if (held == NO)
			c.sure_pages += sure_pages(r, head);
	}
	for (i = 0; i < CLIENTS; i++) {
		c.clients_min += r->clients[i].life == LIVE;
		c.clients_max += r->clients[i].life != FREE;
	}
	return c;
}

/* Learn of all losses there have been */
void losses_observe(struct region *r)
{
	size_t head;

	for (head = 0; head < r->pages; head++)
		if (r->length[head])
			observe(r, head, pashm_state_generation(
				settled_word(r, head)), 0);
}

struct before info_before(struct region *r, const struct client *client)
{
	losses_observe(r);
	return (struct before) {
		r->losses, r->lost_sure, mask_of(r, client).upper,
	};
}

static uint64_t vmstat(const char *key)
{
	long long n = file_number("/proc/vmstat", key);

	return n < 0 ? 0 : (uint64_t)n;
}

uint64_t pages_moved(void)
{
	return vmstat("pswpout") + vmstat("compact_isolated") - world->moved;
}

static void shape_check(struct region *r, const struct pashm_info *info,
			const struct census *c)
{
	uint64_t bytes = r->pages * PAGE_BYTES;

	if (info->region_flags != r->flags || info->length != bytes ||
	    info->inode != r->inode || strcmp(info->name, r->name) ||
	    info->resident > resident_max(r) || info->resident % PAGE_BYTES ||
	    info->unpinned > bytes || info->violations ||
	    info->extents != c->extents || info->priority != r->own_priority)
		fail("INFO of region %d: flags %#x, length %llu, inode %llu, name '%s', resident %llu, unpinned %llu, violations %u, extents %llu; the model has %#x, %llu, %llu, '%s', %llu extents",
		     region_number(r), info->region_flags,
		     (unsigned long long)info->length,
		     (unsigned long long)info->inode, info->name,
		     (unsigned long long)info->resident,
		     (unsigned long long)info->unpinned, info->violations,
		     (unsigned long long)info->extents, r->flags,
		     (unsigned long long)bytes, (unsigned long long)r->inode,
		     r->name, (unsigned long long)c->extents);
	if (info->pinned_extents < c->pinned_min ||
	    info->pinned_extents > c->pinned_max ||
	    info->unpinned > c->unpinned_pages * PAGE_BYTES)
		fail("INFO of region %d: %llu extents pinned, %llu bytes not; the model has %llu to %llu, at most %llu bytes",
		     region_number(r),
		     (unsigned long long)info->pinned_extents,
		     (unsigned long long)info->unpinned,
		     (unsigned long long)c->pinned_min,
		     (unsigned long long)c->pinned_max,
		     (unsigned long long)c->unpinned_pages * PAGE_BYTES);
	/* Others come and go without asking the model first */
	if (!world->concurrent && (info->clients < c->clients_min ||
				   info->clients > c->clients_max))
		fail("INFO of region %d: %u clients, the model has %u to %u",
		     region_number(r), info->clients, c->clients_min,
		     c->clients_max);
}

static void tables_check(const struct region *r, const struct pashm_info *info,
			 const struct census *c)
{
	uint64_t pages = info->tables / PAGE_BYTES;
	uint64_t states = (r->pages + WORDS_STATES - 1) / WORDS_STATES;
	uint64_t others = (r->pages + WORDS_OTHER - 1) / WORDS_OTHER;
	uint64_t clients = world->concurrent ? PASHM_CLIENTS_MAX :
			   info->clients;

	if (info->tables % PAGE_BYTES || pages < c->tables_min ||
	    pages > states + others * (1 + clients))
		fail("INFO of region %d: %llu bytes of tables, wanted %llu to %llu pages",
		     region_number(r), (unsigned long long)info->tables,
		     (unsigned long long)c->tables_min,
		     (unsigned long long)(states + others * (1 + clients)));
}

static void purges_check(struct region *r, const struct before *before,
			 const struct pashm_info *info)
{
	uint64_t purged = info->purged / PAGE_BYTES;
	bool missed = r->losses_missed;

	losses_observe(r);
	if (info->purges < before->losses || info->purges < r->purges ||
	    (!missed && info->purges > r->losses))
		fail("INFO of region %d: %llu purges after %llu, wanted %llu to %llu",
		     region_number(r), (unsigned long long)info->purges,
		     (unsigned long long)r->purges,
		     (unsigned long long)before->losses,
		     (unsigned long long)r->losses);
	if (info->purged % PAGE_BYTES || info->purged < r->purged ||
	    (!missed && purged > r->lost_pages) ||
	    (purged < before->lost_sure &&
	     purged + pages_moved() < before->lost_sure))
		fail("INFO of region %d: %llu bytes purged after %llu, wanted %llu to %llu pages, %llu were moved",
		     region_number(r), (unsigned long long)info->purged,
		     (unsigned long long)r->purged,
		     (unsigned long long)before->lost_sure,
		     (unsigned long long)r->lost_pages,
		     (unsigned long long)pages_moved());
	r->purges = info->purges;
	r->purged = info->purged;
}

/*
 * The clock has begun at 1, and leaves multiples of 256 out. Between two ticks
 * lie a sixteenth of the region and the last extent at most. To several who
 * purge at once, it is a hint that may go astray.
 */
static void epoch_check(const struct region *r, const struct pashm_info *info)
{
	uint64_t purged = info->purged / PAGE_BYTES;
	uint64_t ticks = info->epoch - 1 - info->epoch / 256;
	uint64_t turn = r->pages / 16 > EPOCH_PAGES ? r->pages / 16 :
						      EPOCH_PAGES;

	if (world->concurrent)
		return;
	if (info->epoch % 256 == 0 || ticks > purged / EPOCH_PAGES ||
	    ticks < purged / (turn + r->window))
		fail("INFO of region %d: epoch %u after %llu pages",
		     region_number(r), info->epoch,
		     (unsigned long long)purged);
}

/* Two counters that the kernel reads one after the other: they must settle */
static void swapped_check(const struct region *r, const struct pashm_info *info)
{
	uint64_t swapped = info->swapped;
	int tries;

	for (tries = 0; !world->swap && swapped && tries < 1000; tries++) {
		usleep(1000);
		swapped = region_info(r->warden).swapped;
	}
	if (swapped % PAGE_BYTES || swapped > r->pages * PAGE_BYTES ||
	    (swapped && !world->swap))
		fail("INFO of region %d: %llu bytes swapped out",
		     region_number(r), (unsigned long long)swapped);
}

void info_check(struct region *r, const struct client *client,
		const struct before *before, const struct pashm_info *info)
{
	struct census c = census(r);
	uint32_t lower = mask_of(r, client).lower;

	shape_check(r, info, &c);
	if (info->prot & ~before->prot_upper || lower & ~info->prot)
		fail("INFO of region %d: prot %#x, wanted %#x to %#x",
		     region_number(r), info->prot, lower, before->prot_upper);
	tables_check(r, info, &c);
	swapped_check(r, info);
	purges_check(r, before, info);
	epoch_check(r, info);
}
