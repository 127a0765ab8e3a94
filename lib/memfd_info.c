// SPDX-License-Identifier: LGPL-2.1-or-later
/* The figures of a memfd region, counted from its tables and its file. */
#include <stdio.h>
#include "memfd.h"

/* Look whether somebody waits for the lock each time so many were counted */
#define BATCH	4096

/* Data pages that exist, and those of them that are in memory */
static void data_count(const struct memfd_region *m, uint64_t *pages,
		       uint64_t *incore)
{
	const struct memfd_layout *layout = &m->layout;
	uint64_t offset = layout->data, end;

	*pages = 0;
	*incore = 0;
	for (;;) {
		offset = pashm_memfd_seek_data(m, offset, layout->pins);
		if (offset >= layout->pins)
			return;
		end = pashm_memfd_seek_hole(m, offset, layout->pins);
		*pages += (end - offset) >> layout->page_shift;
		*incore += pashm_memfd_incore(m,
				(offset - layout->data) >> layout->page_shift,
				(end - offset) >> layout->page_shift);
		offset = end;
	}
}

/* Under the purge lock, but lets go of it now and then */
static int extents_count(struct memfd_region *m, struct pashm_region_info *info)
{
	struct memfd_extent extent;
	struct memfd_walk walk;
	uint64_t incore;
	int ret;

	pashm_memfd_walk_init(&walk, 0, m->layout.pages);
	while (pashm_memfd_walk_next(m, &walk, &extent)) {
		info->extents++;
		if (pashm_memfd_pinned(m, extent.page, false)) {
			info->pinned_extents++;
		} else if (pashm_memfd_walk_resident(m, &walk, &extent)) {
			incore = pashm_memfd_incore(m, extent.page,
						    extent.pages);
			info->unpinned += incore << m->layout.page_shift;
		}
		if (info->extents % BATCH)
			continue;
		ret = pashm_memfd_relax(m, MEMFD_TIMEOUT_MS);
		if (ret)
			return ret;
	}
	return 0;
}

int pashm_memfd_info(struct pashm_region *region,
		     struct pashm_region_info *info)
{
	struct memfd_region *m = memfd_region(region);
	const struct pashm_header *header = &m->header->base;
	uint64_t pages, incore, bytes;
	struct stat stat;
	int ret;

	ret = pashm_memfd_stat(m, &stat);
	if (ret)
		return ret;
	data_count(m, &pages, &incore);
	ret = pashm_memfd_lock(m, MEMFD_TIMEOUT_MS);
	if (ret)
		return ret;
	ret = extents_count(m, info);
	if (ret)
		return ret;
	info->clients = m->peer_count;
	pashm_memfd_unlock(m);

	info->length = region->length;
	info->resident = incore << m->layout.page_shift;
	if (pages > incore)
		info->swapped = (pages - incore) << m->layout.page_shift;
	bytes = (uint64_t)stat.st_blocks * 512;
	if (bytes > info->resident + info->swapped)
		info->tables = bytes - info->resident - info->swapped;
	info->purged = __atomic_load_n(&header->purged, __ATOMIC_RELAXED)
		       << m->layout.page_shift;
	info->purges = __atomic_load_n(&header->purges, __ATOMIC_RELAXED);
	info->epoch = __atomic_load_n(&header->epoch, __ATOMIC_RELAXED);
	info->flags = __atomic_load_n(&header->flags, __ATOMIC_RELAXED) &
		      MEMFD_FLAGS;
	info->priority = pashm_view_priority(&region->view);
	info->violations = __atomic_load_n(&m->purge->violations,
					   __ATOMIC_RELAXED);
	info->inode = stat.st_ino;
	/* Anybody may have overwritten the name, and its end, too */
	snprintf(info->name, sizeof(info->name), "%.*s",
		 (int)sizeof(info->name) - 1, m->header->name);
	return 0;
}
