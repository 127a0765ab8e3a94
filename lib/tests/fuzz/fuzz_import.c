// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Importing a file that anybody may have made, and having pashmctl look at it.
 * The input is laid over a sound file by exclusive or, so zeros are sound.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "figures.h"
#include "fuzz.h"
#include "memfd.h"

#define SEALS_NEEDED	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SEALS_REFUSED	(F_SEAL_WRITE | 0x10 /* F_SEAL_FUTURE_WRITE */)

/**
 * struct forged - the file
 * @fd:     its descriptor
 * @header: what is in its first page
 * @size:   of the file
 * @seals:  as it has them
 */
struct forged {
	int fd;
	struct memfd_header header;
	uint64_t size;
	int seals;
};

static void header_forge(struct forged *forged, struct fuzz_input *input)
{
	static const uint64_t sizes[] = { 1, 64, 512, 513, 1ULL << 20,
					  1ULL << 30 };
	uint8_t *bytes = (uint8_t *)&forged->header;
	const struct pashm_region_params params = { .name = "forged" };
	struct memfd_layout layout;
	size_t i;

	pashm_memfd_layout(&layout, sizes[fuzz_u8(input) % 6], 12);
	pashm_memfd_header_init(&forged->header, &layout, &params);
	forged->size = layout.size;
	for (i = 0; i < sizeof(forged->header); i++)
		bytes[i] ^= fuzz_u8(input);
}

static void size_forge(struct forged *forged, uint8_t how)
{
	static const int64_t off[] = { 1, -1, 4096, -4096, 1 << 21 };

	if (how < 0xc0)
		return;
	if (how < 0xe0)
		forged->size += (uint64_t)off[how % 5];
	else
		forged->size = how & 1 ? 0 : (uint64_t)(how & 0x1f) << 9;
}

static const int seals_all[] = {
	F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_WRITE, 0x10,
};

static int seals_choose(uint8_t how)
{
	int seals = SEALS_NEEDED;
	size_t i;

	for (i = 0; i < sizeof(seals_all) / sizeof(seals_all[0]); i++)
		seals ^= how >> i & 1 ? seals_all[i] : 0;
	return seals;
}

static void forged_open(struct forged *forged, struct fuzz_input *input)
{
	uint8_t seals = fuzz_u8(input), size = fuzz_u8(input);
	uint8_t byte = fuzz_u8(input);
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	/* Seals, too, but a write fails, and pages are not what they seem */
	if (byte == 0xf1)
		flags |= MFD_HUGETLB;
	header_forge(forged, input);
	size_forge(forged, size);
	forged->fd = memfd_create("forged", flags);
	fuzz_check(forged->fd >= 0);
	fuzz_check(!ftruncate(forged->fd, (off_t)forged->size) ||
		   forged->size > INT64_MAX || flags & MFD_HUGETLB);
	if (pwrite(forged->fd, &forged->header, sizeof(forged->header), 0) < 0)
		memset(&forged->header, 0, sizeof(forged->header));
	fcntl(forged->fd, F_ADD_SEALS, seals_choose(seals));
	forged->seals = fcntl(forged->fd, F_GET_SEALS);
	forged->size = (uint64_t)lseek(forged->fd, 0, SEEK_END);
}

static uint64_t up(uint64_t value, uint64_t align)
{
	return (value + align - 1) / align * align;
}

/* Is it sound? The rules of memfd_layout.h once more, in other words */
static bool is_sound(const struct forged *forged)
{
	const struct pashm_header *base = &forged->header.base;
	uint64_t pages = base->pages, size;

	if ((forged->seals & SEALS_NEEDED) != SEALS_NEEDED ||
	    forged->seals & SEALS_REFUSED)
		return false;
	if (base->magic != PASHM_HEADER_MAGIC || base->version != 1 ||
	    base->page_shift != 12 ||
	    base->flags & ~(PASHM_REGION_PRIORITY | PASHM_REGION_HUGE) ||
	    forged->header.layout != 2 || forged->header.features)
		return false;
	if (pages == 0 || pages > 1ULL << 30)
		return false;
	if (base->flags & PASHM_REGION_HUGE && pages % 512)
		return false;
	size = up(3 * 4096 + up(pages * 8, 4096) + up(pages * 4, 4096),
		  2 << 20) + pages * 4096 + 256 * up(pages * 4, 4096);
	return size == forged->size && size == forged->header.size;
}

/* What was accepted can be used, and stays */
static void use(struct forged *forged, struct pashm_region *region,
		struct fuzz_input *input)
{
	struct pashm_region_info info;
	enum pashm_verdict verdict;
	struct pashm_handle handle;
	uint32_t unit = pashm_view_unit(&region->view);
	uint32_t page = fuzz_u16(input) % (uint32_t)region->view.pages;

	fuzz_check(ftruncate(forged->fd, 0) < 0);
	fuzz_check(region->view.pages == forged->header.base.pages);
	fuzz_check(!FUZZ_CALL(pashm_region_map(region, PROT_READ | PROT_WRITE,
					       NULL)));
	page = page / unit * unit;
	fuzz_check(!FUZZ_CALL(pashm_extent_create(region, page, unit,
						  page % 2 ? 3 :
						  PASHM_PRIORITY_REGION,
						  &handle)));
	*(char *)pashm_address(region, page) = 1;
	fuzz_check(!FUZZ_CALL(pashm_unpin(region, page)));
	fuzz_check(!FUZZ_CALL(pashm_pin(region, handle, &verdict)));
	fuzz_check(verdict == PASHM_INTACT);
	fuzz_check(!FUZZ_CALL(pashm_region_info(region, &info)));
	fuzz_check(info.pinned_extents == 1 && info.clients == 1);
	fuzz_check(!FUZZ_CALL(pashm_extent_destroy(region, page, 0)));
}

/* As pashmctl: without becoming a client, and whatever it is */
static void look(const struct forged *forged, bool sound)
{
	struct figures figures = { 0 };

	FUZZ_VOID(figures_read_memfd(forged->fd, &figures));
	fuzz_check(memchr(figures.info.name, 0, sizeof(figures.info.name)));
	fuzz_check(!sound || figures.depth == FIGURES_ALL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, data + size };
	struct pashm_region *region = NULL;
	struct forged forged = { 0 };
	bool sound;
	int ret;

	forged_open(&forged, &input);
	sound = is_sound(&forged);
	fuzz_world_begin(NULL);
	look(&forged, sound);
	ret = FUZZ_CALL(pashm_region_import(forged.fd, &region));
	fuzz_check(sound ? ret == 0 :
		   ret == -EINVAL || ret == -EPROTO || ret == -EPERM);
	if (!ret)
		use(&forged, region, &input);
	if (!ret)
		FUZZ_VOID(pashm_region_close(region));
	fuzz_world_end();
	close(forged.fd);
	return 0;
}
