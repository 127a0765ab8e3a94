// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a hostile peer does. Blind garbage is rarely worth anything in a table
 * of 64-bit words, so most of what he writes is nearly right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "hostile.h"
#include "memfd.h"

/* Clients that he pretends there are: each costs calls, of which 255 take long */
#define PEERS	8

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/**
 * struct hostile
 * @fd:     the ticket
 * @locks:  another open of the file, for locks of his own
 * @base:   all of the file, mapped
 * @layout: of the file
 * @input:  bytes that decide
 * @skip:   turns until he does something
 */
static struct hostile {
	int fd;
	int locks;
	unsigned char *base;
	struct memfd_layout layout;
	struct fuzz_input *input;
	unsigned int skip;
} hostile;

static uint8_t next(void)
{
	return fuzz_back_u8(hostile.input);
}

/* Data, or a whole pin table: never what describes the region */
static bool may_punch(uint64_t offset, uint64_t length)
{
	const struct memfd_layout *layout = &hostile.layout;

	if (offset < layout->data)
		return false;
	if (offset < layout->pins)
		return length <= layout->pins - offset;
	return (offset - layout->pins) % layout->pins_size == 0 &&
	       length == layout->pins_size && offset < layout->size;
}

int hostile_open(uint64_t pages, struct fuzz_input *input)
{
	const struct pashm_region_params params = { .name = "hostile" };
	struct memfd_header header = { 0 };

	pashm_memfd_layout(&hostile.layout, pages,
			   (uint32_t)__builtin_ctzl(
				(unsigned long)sysconf(_SC_PAGESIZE)));
	pashm_memfd_header_init(&header, &hostile.layout, &params);
	hostile.input = input;
	hostile.skip = 0;
	fuzz_may_punch = may_punch;
	hostile.fd = pashm_memfd_ticket("hostile");
	fuzz_check(hostile.fd >= 0);
	fuzz_check(!ftruncate(hostile.fd, (off_t)hostile.layout.size));
	hostile.base = mmap(NULL, hostile.layout.size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, hostile.fd, 0);
	fuzz_check(hostile.base != MAP_FAILED);
	memcpy(hostile.base, &header, sizeof(header));
	fuzz_check(!fcntl(hostile.fd, F_ADD_SEALS, SEALS));
	hostile.locks = pashm_memfd_reopen(hostile.fd);
	fuzz_check(hostile.locks >= 0);
	return hostile.fd;
}

void hostile_close(void)
{
	munmap(hostile.base, hostile.layout.size);
	close(hostile.locks);
	close(hostile.fd);
}

/* Mostly one of the few that the victim is likely to use, too */
static uint64_t page_any(void)
{
	uint8_t byte = next();
	uint64_t page = byte < 0xc0 ? byte % 8 : byte * 61ULL;

	return page % hostile.layout.pages;
}

/* A number of pages or an index: often at a border */
static uint64_t number_any(uint64_t page)
{
	uint64_t pages = hostile.layout.pages;

	switch (next() % 10) {
	case 0: return 0;
	case 1: return 1;
	case 2: return pages - page;
	case 3: return pages - page + 1;
	case 4: return pages;
	case 5: return PASHM_EXTENT_PAGES_MAX;
	case 6: return 1ULL << next() % 64;
	case 7: return 0 - (uint64_t)next();
	default: return next() % 16;
	}
}

static uint64_t state_any(uint64_t page)
{
	uint8_t bits = next();
	uint64_t state = number_any(page) & PASHM_STATE_LENGTH_MASK;

	state |= (uint64_t)(bits & 7) << PASHM_STATE_PRIORITY_SHIFT;
	if (bits & 8)
		state |= PASHM_STATE_PURGING;
	if (bits & 16)
		return state | (fuzz_back_u64(hostile.input) << 32);
	return state | (uint64_t)next() % 4 << PASHM_STATE_GEN_SHIFT;
}

static void store(uint64_t offset, uint64_t value, size_t size)
{
	if (offset <= hostile.layout.size - size)
		memcpy(hostile.base + offset, &value, size);
}

/* Neighbours with memory, which are taken together: more than fit in a run */
static void row_forge(uint64_t page)
{
	const struct memfd_layout *layout = &hostile.layout;
	uint32_t i, count = 100U + next();

	for (i = 0; i < count && page < layout->pages; i++, page++) {
		store(layout->states + page * 8, 1, 8);
		store(layout->data + page * 4096, 1, 1);
	}
}

static uint32_t pin_any(void)
{
	static const uint32_t counts[] = {
		0, 1, 2, PASHM_COUNT_LIMIT / 2, PASHM_COUNT_LIMIT - 1,
		PASHM_COUNT_LIMIT, PASHM_COUNT_LIMIT + 1, 0xffff,
	};

	return counts[next() % 8] << PASHM_PIN_COUNT_SHIFT |
	       (uint32_t)next() << 8 | next();
}

static void purge_forge(void)
{
	struct memfd_purge *purge = (void *)(hostile.base +
					     hostile.layout.purge);

	/* Mostly as an owner would have left it that died */
	purge->page = page_any();
	purge->pages = number_any(purge->page);
	purge->phase = next() % 4;
	if (next() & 1)
		purge->volume = fuzz_back_u64(hostile.input);
	purge->waiting = next();
}

static void entry_forge(void)
{
	struct memfd_entry *entries = (void *)(hostile.base +
					       hostile.layout.clients);
	uint32_t i, from = next(), count = next() & 1 ? 1 : MEMFD_CLIENTS;

	for (i = 0; i < count; i++)
		entries[(from + i) % MEMFD_CLIENTS].live = next() % 3;
}

static void header_forge(void)
{
	struct memfd_header *header = (void *)hostile.base;
	uint64_t value = number_any(0);

	switch (next() % 8) {
	case 0: header->base.epoch = (uint32_t)value; break;
	case 1: header->base.pages = value; break;
	case 2: header->base.purges = value; break;
	case 3: header->base.purged = value; break;
	case 4: header->base.flags = (uint32_t)value; break;
	case 5: header->base.page_shift = (uint32_t)value; break;
	case 6: memset(header->name, 'x', sizeof(header->name)); break;
	default: header->size = value; break;
	}
}

static void lock_toggle(void)
{
	static const long bytes[] = { 0, 0, 1, 2, 3, 4 };
	struct flock lock = {
		.l_type = next() & 1 ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET,
		.l_start = bytes[next() % 6], .l_len = next() & 1 ? 1 : PEERS,
	};

	fcntl(hostile.locks, F_OFD_SETLK, &lock);
}

static void hole_punch(void)
{
	const uint64_t starts[] = {
		0, hostile.layout.states, hostile.layout.births,
		hostile.layout.data, hostile.layout.pins,
	};
	uint64_t start = starts[next() % 5] + (uint64_t)(next() % 8) * 4096;

	fallocate(hostile.locks, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)start, (off_t)(1 + next()) * 4096);
}

/* Not his doing: the system's */
static void call_fail(void)
{
	static const int errors[] = { EINTR, ENOMEM, ENOSPC, ENOLCK, EIO };
	uint8_t byte = next();

	if (byte & 0x80)
		fuzz_fail_alloc();
	else
		fuzz_fail_call(errors[byte % 5]);
}

/* The very word that is about to be loaded */
static bool word_forge(const void *address)
{
	const struct memfd_layout *layout = &hostile.layout;
	uint64_t offset, page;

	if (!address || fuzz_mapped(address, &offset) < 0)
		return false;
	if (offset >= layout->states && offset < layout->births) {
		page = (offset - layout->states) / sizeof(uint64_t);
		store(layout->states + page * sizeof(uint64_t),
		      state_any(page), sizeof(uint64_t));
	} else if (offset >= layout->pins) {
		store(offset & ~3ULL, pin_any(), sizeof(uint32_t));
	} else {
		store(offset & ~7ULL, number_any(page_any()),
		      sizeof(uint64_t));
	}
	return true;
}

static void act(const void *address)
{
	const struct memfd_layout *layout = &hostile.layout;
	uint8_t what = next();
	uint64_t page;

	if (what & 0x80 && word_forge(address))
		return;
	page = page_any();
	if (what == 0x10 || what == 0x11)
		row_forge(page);
	switch (what % 16) {
	case 0: case 1: case 2: case 3:
		store(layout->states + page * 8, state_any(page), 8);
		break;
	case 4:
		store(layout->births + page * 4, number_any(0), 4);
		break;
	case 5: case 6:
		store(layout->pins + (next() & 3) * layout->pins_size +
		      page * 4, pin_any(), 4);
		break;
	case 7: case 8: purge_forge(); break;
	case 9: entry_forge(); break;
	case 10: header_forge(); break;
	case 11: lock_toggle(); break;
	case 12: hole_punch(); break;
	case 13: call_fail(); break;
	case 14:
		store(layout->data + page * 4096, fuzz_back_u64(hostile.input),
		      8);
		break;
	default:
		store((fuzz_back_u64(hostile.input) & ~3ULL) % layout->data,
		      fuzz_back_u64(hostile.input), 4);
	}
}

void hostile_act(void)
{
	act(NULL);
}

void hostile_poke(const void *address)
{
	if (!fuzz_left(hostile.input))
		return;
	if (hostile.skip) {
		hostile.skip--;
		return;
	}
	act(address);
	hostile.skip = next();
}
