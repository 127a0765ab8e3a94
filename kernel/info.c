// SPDX-License-Identifier: GPL-2.0-only
/* A region's figures, for PASHM_IOC_INFO and /proc/PID/fdinfo. */
#include <linux/blk_types.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include <linux/pashm.h>

#include "client.h"
#include "info.h"
#include "purge.h"
#include "region.h"

/* What somebody else's look at fdinfo may cost: heads, times clients */
#define PASHM_FDINFO_BUDGET	65536UL

/*
 * Walk the extents. Bounded by the tables that exist, and by @budget. Returns
 * 0, -EINTR, or -E2BIG if the budget was too small.
 */
static int pashm_info_walk(struct pashm_region *region, struct pashm_info *info,
			   unsigned long budget)
{
	unsigned long head = 0;
	u64 state;

	for (;;) {
		struct pashm_census census = {};
		unsigned long length;

		head = pashm_region_next_head(region, head, region->pages,
					      &state, &budget);
		if (!state)
			return head < region->pages ? -E2BIG : 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		length = pashm_extent_length(region, head, state);
		if (!length) {
			head++;
			continue;
		}
		info->extents++;
		if (pashm_clients_pinned(region, head, NULL)) {
			info->pinned_extents++;
		} else {
			pashm_census_take(region, head, length, &census);
			info->unpinned += (u64)census.resident << PAGE_SHIFT;
		}
		head += length;
	}
}

/* The figures that need no walk; @info comes zeroed but for its size */
static void pashm_info_cheap(struct pashm_client *client,
			     struct pashm_info *info)
{
	struct pashm_region *region = client->region;
	struct pashm_header *header = region->header;
	u64 allocated = (u64)READ_ONCE(region->inode->i_blocks) << SECTOR_SHIFT;

	info->region_flags = region->flags;
	info->prot = pashm_client_prot(client);
	info->length = (u64)region->pages << PAGE_SHIFT;
	info->resident = (u64)pashm_region_resident(region) << PAGE_SHIFT;
	/* shmem's blocks are its pages in memory and in swap */
	info->swapped = allocated > info->resident ?
			allocated - info->resident : 0;
	info->purged = (u64)atomic64_read((atomic64_t *)&header->purged)
		       << PAGE_SHIFT;
	info->purges = atomic64_read((atomic64_t *)&header->purges);
	info->tables = (u64)atomic_long_read(&region->table_pages)
		       << PAGE_SHIFT;
	info->clients = READ_ONCE(region->nr_clients);
	info->violations = atomic_read(&region->violations);
	info->epoch = READ_ONCE(header->epoch);
	info->priority = header->priority;
	info->inode = region->inode->i_ino;
	memcpy(info->name, region->name, sizeof(info->name));
}

/* All figures; @info comes zeroed but for its size. Returns 0 or -EINTR */
int pashm_info_fill(struct pashm_client *client, struct pashm_info *info)
{
	pashm_info_cheap(client, info);
	return pashm_info_walk(client->region, info, ULONG_MAX);
}

/* The lines that need a walk are left out where it would take too long */
void pashm_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct pashm_client *client = pashm_client_from_file(file);
	struct pashm_info info = { .size = sizeof(info) };
	unsigned long budget = PASHM_FDINFO_BUDGET /
			       max(1U, READ_ONCE(client->region->nr_clients));

	pashm_info_cheap(client, &info);
	seq_puts(m, "pashm-name:\t");
	seq_escape(m, info.name, " \t\n\\");
	seq_printf(m, "\npashm-inode:\t%llu\n", info.inode);
	seq_printf(m, "pashm-length:\t%llu\n", info.length);
	seq_printf(m, "pashm-resident:\t%llu\n", info.resident);
	seq_printf(m, "pashm-swapped:\t%llu\n", info.swapped);
	seq_printf(m, "pashm-purged:\t%llu\n", info.purged);
	seq_printf(m, "pashm-purges:\t%llu\n", info.purges);
	seq_printf(m, "pashm-tables:\t%llu\n", info.tables);
	seq_printf(m, "pashm-clients:\t%u\n", info.clients);
	seq_printf(m, "pashm-violations:\t%u\n", info.violations);
	seq_printf(m, "pashm-epoch:\t%u\n", info.epoch);
	seq_printf(m, "pashm-priority:\t%u\n", info.priority);
	seq_printf(m, "pashm-flags:\t%u\n", info.region_flags);
	if (pashm_info_walk(client->region, &info, budget))
		return;
	seq_printf(m, "pashm-unpinned:\t%llu\n", info.unpinned);
	seq_printf(m, "pashm-extents:\t%llu\n", info.extents);
	seq_printf(m, "pashm-pinned-extents:\t%llu\n", info.pinned_extents);
}
