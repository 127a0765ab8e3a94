/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_CLIENT_H
#define PASHM_CLIENT_H

#include <linux/fs.h>
#include <linux/workqueue.h>

#include "steer.h"
#include "table.h"

struct pashm_region;

/**
 * struct pashm_client - one open of a region: a struct file and its pins
 * @region:  kept alive by @backing
 * @backing: a reference on the region's backing file
 * @mm:      the process that the pins belong to (mmgrab): compared, and asked
 *           whether it is alive
 * @pins:    this client's pin words
 * @prot:    protection mask, PROT_* bits; only ever cleared
 * @seen:    header->purges as of the last read; advanced by cmpxchg
 * @link:    in region->clients, RCU; removed under region->clients_lock
 * @free:    frees the table after a grace period
 *
 * A client is on the list from before its creator learns of it until its file
 * is released. Off the list, or with its process dead, its counts protect
 * nothing.
 */
struct pashm_client {
	struct pashm_region *region;
	struct file *backing;
	struct mm_struct *mm;
	struct pashm_table pins;
	atomic_t prot;
	atomic64_t seen;
	struct list_head link;
	struct rcu_work free;
};

extern const struct file_operations pashm_client_fops;

struct file *pashm_client_open(struct pashm_region *region,
			       struct file *backing, u32 prot);
struct pashm_client *pashm_client_from_file(struct file *file);
u32 pashm_client_prot(struct pashm_client *client);
bool pashm_client_is_owner(struct pashm_client *client);

/**
 * struct pashm_notes - what the clients say of an extent
 * @pinned: some client has it pinned
 * @noted:  some client has used it
 * @use:    the freshest recency, the highest frequency; if not @noted, of age 255
 */
struct pashm_notes {
	bool pinned;
	bool noted;
	struct pashm_use use;
};

bool pashm_clients_pinned(struct pashm_region *region, unsigned long head,
			  struct pashm_client *except);
struct pashm_notes pashm_clients_notes(struct pashm_region *region,
				       unsigned long head, u64 state);
void pashm_clients_forget(struct pashm_region *region, unsigned long head);

#endif /* PASHM_CLIENT_H */
