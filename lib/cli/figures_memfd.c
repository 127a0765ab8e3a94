// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The figures of a region without the module, counted by somebody who is not
 * one of its clients. Importing it for that would be refused for a region that
 * has a sole client, would make one more client, and could wait for a lock.
 *
 * Nothing is written and nothing allocated in the memfd: tables are read by
 * pread(), under which a hole stays one. What is found may be forged by any of
 * the clients, and change at any time; each word is read once and checked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../memfd_layout.h"
#include "figures.h"

#define WORDS		512	/* of the tables looked at together */
#define PIECE_PAGES	65536	/* of the data, likewise */

/**
 * struct memfd_view
 * @fd:      readable
 * @layout:  checked against the size of the file
 * @data:    the data mapped without any access right, for mincore()
 * @clients: numbers of the clients that live
 * @count:   number of these
 */
struct memfd_view {
	int fd;
	struct memfd_layout layout;
	unsigned char *data;
	uint32_t clients[MEMFD_CLIENTS];
	uint32_t count;
};

static uint64_t seek(const struct memfd_view *view, uint64_t from,
		     uint64_t limit, int whence)
{
	off_t at = lseek(view->fd, (off_t)from, whence);

	return at < 0 || (uint64_t)at > limit ? limit : (uint64_t)at;
}

/* Pages of the data in memory, from page number @page on */
static uint64_t count_incore(const struct memfd_view *view, uint64_t page,
			     uint64_t pages)
{
	static unsigned char present[PIECE_PAGES];
	uint32_t shift = view->layout.page_shift;
	uint64_t found = 0, piece, i;

	for (; pages; page += piece, pages -= piece) {
		piece = pages < PIECE_PAGES ? pages : PIECE_PAGES;
		if (mincore(view->data + (page << shift), piece << shift,
			    present))
			return found;
		for (i = 0; i < piece; i++)
			found += present[i] & 1;
	}
	return found;
}

/* Bytes of the data that exist in a range of pages, in memory or swapped out */
static void count_data(const struct memfd_view *view, uint64_t page,
		       uint64_t pages, uint64_t *resident, uint64_t *swapped)
{
	const struct memfd_layout *layout = &view->layout;
	uint64_t from = layout->data + (page << layout->page_shift), to;
	uint64_t end = from + (pages << layout->page_shift);
	uint64_t incore;

	for (;; from = to) {
		from = seek(view, from, end, SEEK_DATA);
		if (from >= end)
			return;
		to = seek(view, from, end, SEEK_HOLE);
		incore = count_incore(view, (from - layout->data) >>
					    layout->page_shift,
				      (to - from) >> layout->page_shift);
		incore <<= layout->page_shift;
		*resident += incore;
		*swapped += to - from - incore;
	}
}

/* Asks for the lock without taking it, unlike a purger */
static bool client_lives(const struct memfd_view *view, uint32_t client)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = MEMFD_LOCK_CLIENT(client), .l_len = 1,
	};

	return !fcntl(view->fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static void find_clients(struct memfd_view *view)
{
	struct memfd_entry entries[MEMFD_CLIENTS];
	uint32_t i;

	if (pread(view->fd, entries, sizeof(entries),
		  (off_t)view->layout.clients) != sizeof(entries))
		return;
	for (i = 0; i < MEMFD_CLIENTS; i++)
		if (entries[i].live && client_lives(view, i))
			view->clients[view->count++] = i;
}

/* Which of @count extents from @page on does any client have pinned? */
static void find_pinned(const struct memfd_view *view, uint64_t page,
			size_t count, bool *pinned)
{
	uint32_t words[WORDS];
	uint64_t offset;
	uint32_t client;
	size_t i;

	memset(pinned, 0, count * sizeof(*pinned));
	for (client = 0; client < view->count; client++) {
		offset = view->layout.pins +
			 view->clients[client] * view->layout.pins_size +
			 page * sizeof(*words);
		if (pread(view->fd, words, count * sizeof(*words),
			  (off_t)offset) != (ssize_t)(count * sizeof(*words)))
			continue;
		for (i = 0; i < count; i++)
			pinned[i] |= pashm_pin_count(words[i]) != 0;
	}
}

/* @next: where the last extent ended; what begins before that is no extent */
static void count_extents(const struct memfd_view *view, uint64_t page,
			  const uint64_t *states, size_t count,
			  uint64_t *next, struct pashm_region_info *info)
{
	uint64_t length, swapped = 0;
	bool pinned[WORDS];
	size_t i;

	find_pinned(view, page, count, pinned);
	for (i = 0; i < count; i++, page++) {
		length = pashm_state_length(states[i]);
		if (!length || page < *next ||
		    length > view->layout.pages - page)
			continue;
		*next = page + length;
		info->extents++;
		if (pinned[i])
			info->pinned_extents++;
		else
			count_data(view, page, length, &info->unpinned,
				   &swapped);
	}
}

/* Only the parts of the state table that exist */
static void count_states(const struct memfd_view *view,
			 struct pashm_region_info *info)
{
	const struct memfd_layout *layout = &view->layout;
	uint64_t end = layout->states + layout->pages * sizeof(uint64_t);
	uint64_t from = layout->states, next = 0;
	uint64_t states[WORDS];
	ssize_t length;

	for (; (from = seek(view, from, end, SEEK_DATA)) < end;
	     from += (uint64_t)length) {
		length = pread(view->fd, states,
			       end - from < sizeof(states) ? end - from :
			       sizeof(states), (off_t)from);
		if (length < (ssize_t)sizeof(*states))
			return;
		count_extents(view, (from - layout->states) / sizeof(*states),
			      states, (size_t)length / sizeof(*states), &next,
			      info);
	}
}

static void count_all(struct memfd_view *view, struct figures *figures)
{
	struct pashm_region_info *info = &figures->info;
	uint64_t bytes = info->resident;

	view->data = mmap(NULL, view->layout.data_size, PROT_NONE, MAP_SHARED,
			  view->fd, (off_t)view->layout.data);
	if (view->data == MAP_FAILED)
		return;
	info->resident = 0;
	find_clients(view);
	info->clients = view->count;
	count_data(view, 0, view->layout.pages, &info->resident,
		   &info->swapped);
	count_states(view, info);
	munmap(view->data, view->layout.data_size);
	if (bytes > info->resident + info->swapped)
		info->tables = bytes - info->resident - info->swapped;
	figures->depth = FIGURES_ALL;
}

void figures_read_memfd(int fd, struct figures *figures)
{
	struct pashm_region_info *info = &figures->info;
	struct memfd_view view = { .fd = fd };
	struct memfd_purge purge;
	struct memfd_header header;
	struct stat stat_buf;
	int ret;

	if (fstat(fd, &stat_buf) ||
	    pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return;
	figures->depth = FIGURES_FILE;
	info->length = (uint64_t)stat_buf.st_size;
	info->resident = (uint64_t)stat_buf.st_blocks * 512;
	/* EPERM: it has a sole client, which is no obstacle to looking */
	ret = pashm_memfd_header_check(&header, info->length, &view.layout);
	if (ret && ret != -EPERM)
		return;
	snprintf(info->name, sizeof(info->name), "%.*s",
		 (int)sizeof(info->name) - 1, header.name);
	info->length = view.layout.data_size;
	info->epoch = header.base.epoch;
	info->flags = header.base.flags;
	info->priority = pashm_header_priority(header.base.priority);
	info->purges = header.base.purges;
	info->purged = header.base.purged << view.layout.page_shift;
	if (pread(fd, &purge, sizeof(purge), (off_t)view.layout.purge) ==
	    sizeof(purge))
		info->violations = purge.violations;
	count_all(&view, figures);
}
