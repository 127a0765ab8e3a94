// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * All calls on a region that a hostile peer has sent, while he writes what he
 * likes into it: between any two of the library's system calls, and before any
 * of its loads. He may make calls fail, and contents of his region wrong. He
 * must not be able to do anything to another region of the process.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "figures.h"
#include "fuzz.h"
#include "hostile.h"
#include "memfd.h"

#define CLIENTS		3
#define OWN_PAGES	4
#define CALLS		64

/**
 * struct victim - a process that has imported the region
 * @input:   bytes that decide
 * @fd:      the region's descriptor
 * @clients: regions imported; NULL if not
 */
struct victim {
	struct fuzz_input input;
	int fd;
	struct pashm_region *clients[CLIENTS];
};

/* The process's own region, from its first input to its last, unpinned */
static struct pashm_region *own;
static struct pashm_handle own_handle;

/* One of the errors that the header names; @errors ends with 0 */
static void answered(int ret, const int *errors)
{
	/* What the system says when its calls are made to fail */
	if (ret == 0 || fuzz_has_failed())
		return;
	for (; *errors; errors++) {
		if (ret == -*errors)
			return;
	}
	fuzz_check(!"an error that is documented");
}

#define ANSWERED(ret, ...) answered(ret, (const int[]){ __VA_ARGS__, 0 })

static void own_open(void)
{
	struct pashm_region_params params = {
		.length = OWN_PAGES * 4096, .backend = PASHM_BACKEND_MEMFD,
		.flags = PASHM_REGION_NO_THREAD,
	};

	if (own)
		return;
	fuzz_check(!pashm_region_create(&params, &own));
	fuzz_check(!pashm_region_map(own, PROT_READ | PROT_WRITE, NULL));
	fuzz_check(!pashm_extent_create(own, 0, OWN_PAGES, 3, &own_handle));
	memset(pashm_address(own, 0), 0x77, OWN_PAGES * 4096);
	fuzz_check(!pashm_unpin(own, 0));
}

static void own_check(void)
{
	const unsigned char *data = pashm_address(own, 0);
	enum pashm_verdict verdict;
	size_t i;

	fuzz_check(!pashm_pin(own, own_handle, &verdict));
	fuzz_check(verdict == PASHM_INTACT);
	for (i = 0; i < OWN_PAGES * 4096; i += 512)
		fuzz_check(data[i] == 0x77);
	fuzz_check(!pashm_unpin(own, 0));
}

static void import(struct victim *victim, unsigned int client)
{
	struct pashm_region **region = &victim->clients[client];
	int ret;

	if (*region)
		return;
	ret = FUZZ_CALL(pashm_region_import(victim->fd, region));
	ANSWERED(ret, EINVAL, EPERM, EUSERS, EPROTO, ETIMEDOUT);
	if (ret)
		*region = NULL;
}

static void close_client(struct victim *victim, unsigned int client)
{
	FUZZ_VOID(pashm_region_close(victim->clients[client]));
	victim->clients[client] = NULL;
	fuzz_has_failed();
}

/* Mostly one of a few, so that calls and forgeries meet; some not in the region */
static uint32_t page_any(struct fuzz_input *input)
{
	uint8_t byte = fuzz_u8(input);

	return byte < 0xc0 ? byte % 8 : byte * 61U;
}

/* Whatever the verdict: what is said to be pinned can be touched */
static void pin(struct pashm_region *region, struct fuzz_input *input)
{
	enum pashm_verdict verdict = PASHM_STALE;
	struct pashm_handle handle = {
		.page = page_any(input), .generation = fuzz_u8(input),
	};
	int ret = FUZZ_CALL(pashm_pin(region, handle, &verdict));

	ANSWERED(ret, EINVAL, EAGAIN, ETIMEDOUT);
	fuzz_check(verdict <= PASHM_STALE);
	if (ret || verdict == PASHM_STALE || !region->view.data)
		return;
	*(volatile unsigned char *)pashm_address(region, handle.page);
}

static void create(struct pashm_region *region, struct fuzz_input *input)
{
	uint32_t page = page_any(input), pages = page_any(input);
	struct pashm_handle handle;
	int ret;

	ret = FUZZ_CALL(pashm_extent_create(region, page, pages,
					    fuzz_u8(input) % 9, &handle));
	ANSWERED(ret, EINVAL, EBUSY, ERANGE, EAGAIN, ETIMEDOUT);
	fuzz_check(ret || (handle.page == page &&
			   page + pages <= region->view.pages));
}

static void info(struct pashm_region *region)
{
	struct pashm_region_info info;
	int ret = FUZZ_CALL(pashm_region_info(region, &info));

	ANSWERED(ret, ETIMEDOUT);
	if (ret)
		return;
	fuzz_check(memchr(info.name, 0, sizeof(info.name)));
	fuzz_check(info.length == region->length);
	fuzz_check(info.extents <= region->view.pages);
	fuzz_check(info.pinned_extents <= info.extents);
	fuzz_check(info.clients >= 1 && info.clients <= MEMFD_CLIENTS);
}

/* As pashmctl: from outside */
static void look(int fd)
{
	struct figures figures = { 0 };

	FUZZ_VOID(figures_read_memfd(fd, &figures));
	fuzz_check(memchr(figures.info.name, 0, sizeof(figures.info.name)));
	fuzz_check(figures.info.pinned_extents <= figures.info.extents);
	fuzz_has_failed();
}

static void reclaim(struct pashm_region *region, struct fuzz_input *input)
{
	uint32_t next = RECLAIM_CLASSES, class = fuzz_u8(input) %
						 RECLAIM_CLASSES;

	FUZZ_CALL(pashm_reclaim_some(region, fuzz_u16(input), class, &next));
	/* Else whoever asks class by class would never come to the end */
	fuzz_check(next > class && next <= RECLAIM_CLASSES);
	fuzz_has_failed();
}

static void map(struct pashm_region *region)
{
	void *data;
	int ret = FUZZ_CALL(pashm_region_map(region, PROT_READ | PROT_WRITE,
					     &data));

	fuzz_check(ret == 0 && data == region->view.data);
}

static void call(struct victim *victim)
{
	struct fuzz_input *input = &victim->input;
	uint8_t what = fuzz_u8(input);
	struct pashm_region *region = victim->clients[what >> 4 & 1];
	uint64_t freed = 0;
	int ret;

	if (!region) {
		import(victim, what >> 4 & 1);
		return;
	}
	switch (what & 15) {
	case 0: case 1: case 2:
		pin(region, input);
		break;
	case 3: case 4:
		ret = FUZZ_CALL(pashm_unpin(region, page_any(input)));
		ANSWERED(ret, EINVAL, ERANGE);
		break;
	case 5: case 6: case 7:
		create(region, input);
		break;
	case 8: case 9:
		ret = FUZZ_CALL(pashm_extent_destroy(region, page_any(input),
						     what >> 6 & 1));
		ANSWERED(ret, EINVAL, EBUSY, ERANGE, EAGAIN, ETIMEDOUT);
		break;
	case 10:
		ret = FUZZ_CALL(pashm_region_purge(region, &freed));
		ANSWERED(ret, ETIMEDOUT);
		fuzz_check(freed <= region->length);
		break;
	case 11: info(region); break;
	case 12: reclaim(region, input); break;
	case 13: import(victim, 2); break;
	case 14: close_client(victim, what >> 5 & 1 ? 2 : what >> 4 & 1); break;
	default:
		if (what & 0x20)
			look(victim->fd);
		else
			map(region);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = { 1, 64, 512, 513, 1200, 4096 };
	struct victim victim = { .input = { data, data + size } };
	unsigned int i, calls;

	own_open();
	victim.fd = hostile_open(sizes[fuzz_u8(&victim.input) % 6],
				 &victim.input);
	fuzz_world_begin(hostile_poke);
	for (calls = 0; calls < CALLS && fuzz_left(&victim.input); calls++) {
		if (fuzz_u8(&victim.input) & 1)
			hostile_act();
		call(&victim);
	}
	for (i = 0; i < CLIENTS; i++)
		close_client(&victim, i);
	fuzz_world_end();
	hostile_close();
	own_check();
	return 0;
}
