// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures for those who watch: debugfs has pashm/stats, sums since the module
 * was loaded, and pashm/regions, a line for each region and one for each place
 * where reclaim can find it. Formats are for people, and may change.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>

#include "compat.h"
#include "listing.h"
#include "region.h"
#include "stat.h"

DEFINE_PER_CPU(struct pashm_stats, pashm_stats);

/* Nanoseconds; raised by cmpxchg, reset by a write to stats */
static atomic64_t pashm_longest_scan = ATOMIC64_INIT(0);
static struct dentry *pashm_debug_dir;

static const char * const pashm_stat_names[PASHM_STATS] = {
	[PASHM_STAT_COUNTS] = "counts",
	[PASHM_STAT_SCANS] = "scans",
	[PASHM_STAT_STOPS] = "stops",
	[PASHM_STAT_REFUSED] = "refused",
	[PASHM_STAT_ASKED] = "asked",
	[PASHM_STAT_FREED] = "freed",
	[PASHM_STAT_ROUNDED] = "rounded",
	[PASHM_STAT_LACKED] = "lacked",
	[PASHM_STAT_TAKEN] = "taken",
	[PASHM_STAT_EXHAUSTED] = "exhausted",
	[PASHM_STAT_WAITED] = "waited",
	[PASHM_STAT_LOOKED] = "looked",
	[PASHM_STAT_OOMS] = "ooms",
	[PASHM_STAT_OOM_TAKEN] = "oom_taken",
	[PASHM_STAT_CLAIMS] = "claims",
	[PASHM_STAT_REVERTS] = "reverts",
	[PASHM_STAT_PURGES] = "purges",
	[PASHM_STAT_PINS] = "pins",
	[PASHM_STAT_WAITS] = "waits",
};

void pashm_stat_scan_took(u64 ns)
{
	s64 longest = atomic64_read(&pashm_longest_scan);

	while ((s64)ns > longest &&
	       !atomic64_try_cmpxchg(&pashm_longest_scan, &longest, ns))
		;
}

static int pashm_stats_show(struct seq_file *m, void *unused)
{
	int stat, cpu;

	for (stat = 0; stat < PASHM_STATS; stat++) {
		u64 sum = 0;

		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu(pashm_stats, cpu).number[stat]);
		seq_printf(m, "%-16s %llu\n", pashm_stat_names[stat], sum);
	}
	seq_printf(m, "%-16s %lld\n", "longest_scan_ns",
		   atomic64_read(&pashm_longest_scan));
	return 0;
}

static int pashm_stats_open(struct inode *inode, struct file *file)
{
	return single_open(file, pashm_stats_show, NULL);
}

/* Whatever is written, the longest scan is looked for anew */
static ssize_t pashm_stats_write(struct file *file, const char __user *user,
				 size_t bytes, loff_t *offset)
{
	atomic64_set(&pashm_longest_scan, 0);
	return bytes;
}

static const struct file_operations pashm_stats_fops = {
	.owner = THIS_MODULE,
	.open = pashm_stats_open,
	.read = seq_read,
	.write = pashm_stats_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static void pashm_listing_show(struct seq_file *m,
			       const struct pashm_listing *listing)
{
	seq_printf(m, "  memcg=%lu node=%d charged=%ld share=%u/%u threshold=%u hand=%ld\n",
		   pashm_memcg_ino(READ_ONCE(listing->memcg)),
		   READ_ONCE(listing->nid),
		   atomic_long_read(&listing->charged),
		   READ_ONCE(listing->share), PASHM_SHARE_ONE,
		   READ_ONCE(listing->steer.threshold),
		   atomic_long_read(&listing->hand));
}

static int pashm_regions_show(struct seq_file *m, void *item)
{
	struct pashm_region *region = list_entry(item, struct pashm_region,
						 all_link);
	struct pashm_header *header = region->header;
	struct pashm_listing *listing;

	seq_printf(m, "region=%llu pages=%lu resident=%lu purged=%lld purges=%lld epoch=%u clients=%u tables=%ld violations=%d name=",
		   (u64)region->inode->i_ino, region->pages,
		   pashm_region_resident(region),
		   atomic64_read((atomic64_t *)&header->purged),
		   atomic64_read((atomic64_t *)&header->purges),
		   READ_ONCE(header->epoch), READ_ONCE(region->nr_clients),
		   atomic_long_read(&region->table_pages),
		   atomic_read(&region->violations));
	seq_escape(m, region->name, " \t\n\\");
	seq_putc(m, '\n');
	rcu_read_lock();
	list_for_each_entry_rcu(listing, &region->listings, region_link)
		pashm_listing_show(m, listing);
	rcu_read_unlock();
	return 0;
}

/* Regions in the list have not been released, and are not while it is locked */
static void *pashm_regions_start(struct seq_file *m, loff_t *position)
	__acquires(&pashm_regions_lock)
{
	spin_lock(&pashm_regions_lock);
	return seq_list_start(&pashm_regions, *position);
}

static void *pashm_regions_next(struct seq_file *m, void *item,
				loff_t *position)
{
	return seq_list_next(item, &pashm_regions, position);
}

static void pashm_regions_stop(struct seq_file *m, void *item)
	__releases(&pashm_regions_lock)
{
	spin_unlock(&pashm_regions_lock);
}

static const struct seq_operations pashm_regions_sops = {
	.start = pashm_regions_start,
	.next = pashm_regions_next,
	.stop = pashm_regions_stop,
	.show = pashm_regions_show,
};

DEFINE_SEQ_ATTRIBUTE(pashm_regions);

/* Whether it works makes no difference to anything else */
void pashm_debug_init(void)
{
	pashm_debug_dir = debugfs_create_dir("pashm", NULL);
	debugfs_create_file("stats", 0600, pashm_debug_dir, NULL,
			    &pashm_stats_fops);
	debugfs_create_file("regions", 0400, pashm_debug_dir, NULL,
			    &pashm_regions_fops);
}

void pashm_debug_exit(void)
{
	debugfs_remove(pashm_debug_dir);
}
