// SPDX-License-Identifier: GPL-2.0-only
/* What looks at a region as a whole: its figures, a purge of all, an audit. */
#include <dirent.h>

#include "ops.h"

/* What INFO should count, as far as the model can tell */
struct census {
	uint64_t extents;
	uint64_t pinned_min;
	uint64_t pinned_max;
	uint64_t unpinned_pages;	/* at most */
	uint32_t clients_min;
	uint32_t clients_max;
};

static struct census census(const struct region *r)
{
	struct census c = {};
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
	}
	for (i = 0; i < CLIENTS; i++) {
		c.clients_min += r->clients[i].life == LIVE;
		c.clients_max += r->clients[i].life != FREE;
	}
	return c;
}

static void info_check(const struct region *r, const struct pashm_info *info)
{
	uint64_t bytes = r->pages * PAGE_BYTES;
	struct census c = census(r);

	if (info->region_flags != r->flags || info->length != bytes ||
	    info->inode != r->inode || strcmp(info->name, r->name) ||
	    info->resident > bytes || info->resident % PAGE_BYTES ||
	    info->unpinned > bytes || info->violations ||
	    info->extents != c.extents || info->reserved)
		fail("INFO of region %d: flags %#x, length %llu, inode %llu, name '%s', resident %llu, unpinned %llu, violations %u, extents %llu; the model has %#x, %llu, %llu, '%s', %llu extents",
		     region_number(r), info->region_flags,
		     (unsigned long long)info->length,
		     (unsigned long long)info->inode, info->name,
		     (unsigned long long)info->resident,
		     (unsigned long long)info->unpinned, info->violations,
		     (unsigned long long)info->extents, r->flags,
		     (unsigned long long)bytes, (unsigned long long)r->inode,
		     r->name, (unsigned long long)c.extents);
	if (info->pinned_extents < c.pinned_min ||
	    info->pinned_extents > c.pinned_max ||
	    info->unpinned > c.unpinned_pages * PAGE_BYTES)
		fail("INFO of region %d: %llu extents pinned, %llu bytes not; the model has %llu to %llu, at most %llu bytes",
		     region_number(r),
		     (unsigned long long)info->pinned_extents,
		     (unsigned long long)info->unpinned,
		     (unsigned long long)c.pinned_min,
		     (unsigned long long)c.pinned_max,
		     (unsigned long long)c.unpinned_pages * PAGE_BYTES);
	/* Others come and go without asking the model first */
	if (!world->concurrent && (info->clients < c.clients_min ||
				   info->clients > c.clients_max))
		fail("INFO of region %d: %u clients, the model has %u to %u",
		     region_number(r), info->clients, c.clients_min,
		     c.clients_max);
}

void op_info(struct stream *s)
{
	struct region *r = pick_region(s, false);
	struct pashm_info info = {};
	struct expect e = {};

	if (!r)
		return;
	if (once_in(s, 20))
		info.reserved = (uint32_t)edge(s);
	must_if(&e, info.reserved, EINVAL);
	region_lock_all(r);
	if (check(&e, call_command(s, region_fd(s, r), INFO, &info, &e,
				   "region %ld", region_number(r), 0, 0, 0)))
		info_check(r, &info);
	region_unlock_all(r);
}

static uint64_t unpinned_pages(const struct region *r)
{
	return census(r).unpinned_pages;
}

/* With all windows locked, what must be gone is known; without, it is a race */
void op_purge(struct stream *s)
{
	struct player *p = pick_player(s, false);
	struct pashm_purge purge = { .freed = draw(s) };
	bool strict = !once_in(s, 3);
	struct expect e = {};
	struct region *r;
	long ret;

	if (!p)
		return;
	r = region_of(p);
	if (strict)
		region_lock_all(r);
	need(&e, &r->prot, &client_of(p)->prot, PROT_WRITE, EACCES);
	ret = call_command(s, player_fd(s, p), PURGE, &purge, &e,
			   "client %ld/%ld, %ld", p->region, p->client, strict,
			   0);
	if (!check(&e, ret))
		goto unlock;
	if (purge.freed % PAGE_BYTES || purge.freed > r->pages * PAGE_BYTES ||
	    (strict && purge.freed > unpinned_pages(r) * PAGE_BYTES))
		fail("region %d: PURGE has freed %llu bytes", p->region,
		     (unsigned long long)purge.freed);
	if (strict)
		doom_unpinned(r);
unlock:
	if (strict)
		region_unlock_all(r);
}

/* One purge after the other, for those who pin meanwhile */
void op_purge_storm(struct stream *s)
{
	struct region *r = pick_region(s, false);
	uint64_t n = small(s, 64), i;

	if (!r || !world->concurrent)
		return;
	journal_call("purge storm", "region %ld, %ld", region_number(r),
		     (long)n, 0, 0);
	for (i = 0; i < n; i++)
		region_purge(r->warden);
	journal_return(0);
}

void op_audit(struct stream *s)
{
	struct region *r = pick_region(s, false);
	size_t page;

	if (!r)
		return;
	page = below(s, r->pages);
	region_lock(r, page, page);
	journal_call("audit", "region %ld, window of page %ld",
		     region_number(r), (long)page, 0, 0);
	window_audit(r, page);
	journal_return(0);
	region_unlock(r, page, page);
}

/* --- files in /proc --- */

static long number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? atol(at + strlen(key)) : -1;
}

void op_fdinfo(struct stream *s)
{
	struct region *r = pick_region(s, once_in(s, 2));
	char path[64], text[4096];
	int fd;

	if (!r)
		return;
	fd = region_fd(s, r);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	journal_call("read fdinfo", "region %ld, fd %ld", region_number(r), fd,
		     0, 0);
	faults_arm(s);
	file_contents(path, text, sizeof(text));
	faults_disarm();
	journal_return(0);
	if (!text[0] && faults_hit())
		return;
	if (number_after(text, "pashm-length:\t") !=
	    (long)(r->pages * PAGE_BYTES) ||
	    number_after(text, "pashm-inode:\t") != (long)r->inode ||
	    (!r->hostile && number_after(text, "pashm-violations:\t") != 0))
		fail("fdinfo of region %d: '%s'", region_number(r), text);
}

/* Other ways to look at one's memory: they walk the mappings */
void op_proc_files(struct stream *s)
{
	static const char *const files[] = {
		"/proc/self/maps", "/proc/self/smaps", "/proc/self/numa_maps",
		"/proc/self/smaps_rollup", "/proc/self/stat",
	};
	const char *path = files[below(s, 5)];
	static char text[65536];

	if (!once_in(s, 4))
		return;
	journal_call("read /proc", "%s", (long)path, 0, 0, 0);
	faults_arm(s);
	file_contents(path, text, sizeof(text));
	faults_disarm();
	journal_return(text[0] || faults_hit() ? 0 : -ENOENT);
}

/* Numbers that nobody knows, next to those that somebody does */
void op_unknown_ioctl(struct stream *s)
{
	struct region *r = pick_region(s, once_in(s, 2));
	int fd = r && !once_in(s, 4) ? region_fd(s, r) : self.device;
	unsigned int dir = (unsigned int)below(s, 4);
	unsigned int size = once_in(s, 2) ? 0 : (unsigned int)below(s, 16384);
	unsigned int nr = (unsigned int)(once_in(s, 2) ? below(s, 16) :
					 below(s, 256));
	unsigned long cmd = _IOC(dir, PASHM_IOC_MAGIC, nr, size);
	struct expect e = {};

	if (!dir && !size && nr <= _IOC_NR(PASHM_IOC_RESHAPE)) {
		/* Known: but the device knows two only, a region not CREATE */
		if (fd == self.device ? nr < 2 : nr != 1)
			return;
	}
	must(&e, ENOTTY);
	check(&e, TRY(s, "unknown ioctl", "fd %ld, %#lx", fd, (long)cmd, 0, 0,
		      ioctl(fd, cmd, arena_tail(STRUCTS, 64))));
}
