/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_REGION_H
#define PASHM_REGION_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/pashm.h>

#include "slot.h"
#include "table.h"

struct pashm_client;

/**
 * struct pashm_region - anonymous memory that can be pinned
 * @refs:         one for the backing file, one for each reclaimer at work, and for the
 *                workers of available.c and tidy.c while they look at it
 * @inode:        of the backing file; our own reference
 * @pages:        size
 * @flags:        PASHM_CREATE_*
 * @prot:         region-wide protection mask, PROT_* bits; only ever cleared
 * @name:         as given by the creator
 * @states:       state words, shared by all clients
 * @births:       birth generations, shared by all clients
 * @header_page:  what clients map read-only
 * @header:       its address. Only this module can write it, so it is trusted;
 *                each counter is atomic, @epoch and @clients are plain hints
 * @table_pages:  pages of all tables of the region and its clients
 * @clients_lock: protects @clients and @nr_clients against writers
 * @clients:      struct pashm_client.link; walked under RCU
 * @slots:        purges in flight
 * @listings_lock: protects @listings against writers; outside list_lru's lock
 * @listings:     struct pashm_listing.region_link, walked under RCU
 * @released:     no listing may come any more; under @listings_lock
 * @tidied:       jiffies when useless listings were last looked for
 * @tidy_work:    looks for them; holds a reference while it is queued
 * @strict_head:  head of the extent that strict.c found last; a hint
 * @available:    pages that could be taken, as available.c has seen last; its own
 * @epoch_purged: pages purged at the last turn of the epoch; a lost update
 *                makes one epoch longer, nothing else
 * @reclaimed:    extents that reclaim has taken: what reclaimers do for each other
 * @violations:   state words found changed under a purge
 * @purged_wait:  those who wait for another purge; nothing else is under its lock
 * @all_link:     in pashm_regions, until the backing file is released
 * @free_work:    last put by a reclaimer: eviction is not for its context
 */
struct pashm_region {
	refcount_t refs;
	struct inode *inode;
	unsigned long pages;
	u32 flags;
	atomic_t prot;
	char name[PASHM_NAME_MAX];

	struct pashm_table states;
	struct pashm_table births;
	struct page *header_page;
	struct pashm_header *header;
	atomic_long_t table_pages;

	spinlock_t clients_lock;	/* writers of clients, nr_clients */
	struct list_head clients;
	unsigned int nr_clients;

	struct pashm_slots slots;

	spinlock_t listings_lock;	/* writers of listings */
	struct list_head listings;
	bool released;
	unsigned long tidied;
	struct work_struct tidy_work;

	unsigned long strict_head;
	unsigned long available;
	u64 epoch_purged;
	atomic_long_t reclaimed;
	atomic_t violations;
	wait_queue_head_t purged_wait;
	struct list_head all_link;
	struct work_struct free_work;
};

/* Runs what must not run in reclaim or in RCU callbacks; flushed at unload */
extern struct workqueue_struct *pashm_wq;

/* All that have a backing file; see also pashm_region_in_turn() */
extern spinlock_t pashm_regions_lock;
extern struct list_head pashm_regions;

int pashm_region_init(void);
void pashm_region_exit(void);

/* Bytes: extents are multiples of that, and begin at one */
static inline u64 pashm_extent_unit(u32 flags)
{
	return flags & PASHM_CREATE_HUGE ? PASHM_HUGE_SIZE : PAGE_SIZE;
}

struct file *pashm_region_create(const struct pashm_create *args);
bool pashm_region_tryget(struct pashm_region *region);
void pashm_region_put(struct pashm_region *region);
struct pashm_region *pashm_region_in_turn(void);
unsigned long pashm_regions_number(void);

int pashm_region_mmap_data(struct pashm_region *region, struct file *backing,
			   struct vm_area_struct *vma);

atomic64_t *pashm_region_state(struct pashm_region *region,
			       unsigned long index);
unsigned long pashm_region_next_head(struct pashm_region *region,
				     unsigned long index, unsigned long end,
				     u64 *state, unsigned long *budget);
unsigned long pashm_region_end(struct pashm_region *region);
int pashm_region_prev_head(struct pashm_region *region, unsigned long index,
			   unsigned long *head, u64 *state);

void pashm_region_tidy_work(struct work_struct *work);

/* An extent has been taken, and header->purges says so: tell who waits for it */
static inline void pashm_region_notify(struct pashm_region *region)
{
	/* Has a full barrier: pairs with pashm_client_poll(), prepare_to_wait() */
	if (wq_has_sleeper(&region->purged_wait))
		wake_up_interruptible_poll(&region->purged_wait,
					   EPOLLIN | EPOLLRDNORM);
}

static inline unsigned long pashm_region_resident(struct pashm_region *region)
{
	return READ_ONCE(region->inode->i_mapping->nrpages);
}

#endif /* PASHM_REGION_H */
