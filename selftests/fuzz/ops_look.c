// SPDX-License-Identifier: GPL-2.0-only
/* What looks at a region as a whole: its figures, a purge of all, an audit. */
#include <dirent.h>

#include "figures.h"
#include "ops.h"

void op_info(struct stream *s)
{
	struct player *p = once_in(s, 2) ? pick_player(s, false) : NULL;
	struct region *r = p ? region_of(p) : pick_region(s, false);
	const struct client *client;
	struct pashm_info info = {};
	struct expect e = {};
	struct before before;

	if (!r || !region_mine(region_number(r)))
		return;
	client = p ? client_of(p) : &r->clients[0];
	/* What is answered does not matter before */
	if (once_in(s, 20))
		info.priority = (uint32_t)edge(s);
	region_lock_all(r);
	before = info_before(r, client);
	if (check(&e, call_command(s, p ? player_fd(s, p) : r->warden, INFO,
				   &info, &e, "region %ld", region_number(r),
				   0, 0, 0)))
		info_check(r, client, &before, &info);
	region_unlock_all(r);
}

/*
 * What was there for certain is gone, and was counted: here, or by whoever else
 * has taken it meanwhile.
 */
static void purge_check(struct region *r, uint64_t sure, uint64_t freed,
			const struct pashm_info *before)
{
	uint64_t purged = region_info(r->warden).purged - before->purged;

	if (freed > purged)
		fail("region %d: PURGE has freed %llu bytes, but INFO counts %llu",
		     region_number(r), (unsigned long long)freed,
		     (unsigned long long)purged);
	if (purged < sure * PAGE_BYTES &&
	    purged + pages_moved() * PAGE_BYTES < sure * PAGE_BYTES)
		fail("region %d: %llu pages were there to be taken, but %llu bytes were; %llu pages were moved",
		     region_number(r), (unsigned long long)sure,
		     (unsigned long long)purged,
		     (unsigned long long)pages_moved());
	/* Alone, nobody pins, unpins or touches anything meanwhile */
	if (!world->concurrent && purged != before->unpinned &&
	    (purged > before->unpinned ||
	     purged + pages_moved() * PAGE_BYTES < before->unpinned))
		fail("region %d: %llu bytes were unpinned, but %llu were purged",
		     region_number(r), (unsigned long long)before->unpinned,
		     (unsigned long long)purged);
	doom_unpinned(r);
}

/* With all windows locked, what must be gone is known; without, it is a race */
void op_purge(struct stream *s)
{
	struct player *p = pick_player(s, false);
	struct pashm_purge purge = { .freed = draw(s) };
	bool strict = !once_in(s, 3);
	struct expect e = {};
	struct census c = {};
	struct pashm_info before = {};
	struct region *r;
	long ret;

	if (!p)
		return;
	r = region_of(p);
	if (strict) {
		region_lock_all(r);
		/* First: what others take from here on is in the figures later */
		before = region_info(r->warden);
		losses_observe(r);
		c = census(r);
	}
	need(&e, &r->prot, &client_of(p)->prot, PROT_WRITE, EACCES);
	ret = call_command(s, player_fd(s, p), PURGE, &purge, &e,
			   "client %ld/%ld, %ld", p->region, p->client, strict,
			   0);
	if (!check(&e, ret))
		goto unlock;
	if (purge.freed % PAGE_BYTES || purge.freed > r->pages * PAGE_BYTES ||
	    (strict && purge.freed > c.unpinned_pages * PAGE_BYTES))
		fail("region %d: PURGE has freed %llu bytes", p->region,
		     (unsigned long long)purge.freed);
	if (strict)
		purge_check(r, c.sure_pages, purge.freed, &before);
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
