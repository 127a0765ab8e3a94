// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients: who holds pins, and when they end.
 *
 * A client belongs to the process that made it, known by its address space. Any
 * other process that gets the descriptor, by fork or by SCM_RIGHTS, can use it
 * to attach, to map the data and to ask, but neither to pin nor to see the pin
 * words. So a descriptor in flight, or in a child, cannot keep a dead owner's
 * pins: they end when the file is released, or when the address space has no
 * user left (exit, kill, exec), whichever is first. The second needs no hook:
 * whoever reads a raised count also looks at mm_users, which never leaves zero
 * once it is there. A short-lived foreign user (a reader of /proc/PID/mem, say)
 * only delays the end.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "client.h"
#include "info.h"
#include "ioctl.h"
#include "map.h"
#include "region.h"

/*
 * A note that seems older than this was made since the clock was read: at the next tick,
 * or, as no epoch ends in 0, at the one that is two further
 */
#define PASHM_AGE_NEW	254U

static void pashm_client_free(struct work_struct *work)
{
	struct pashm_client *client = container_of(to_rcu_work(work),
						   struct pashm_client, free);

	pashm_table_destroy(&client->pins);
	mmdrop(client->mm);
	kfree(client);
}

/* From now on this client's counts protect nothing */
static void pashm_client_delist(struct pashm_client *client)
{
	struct pashm_region *region = client->region;

	spin_lock(&region->clients_lock);
	list_del_rcu(&client->link);
	WRITE_ONCE(region->nr_clients, region->nr_clients - 1);
	WRITE_ONCE(region->header->clients, region->nr_clients);
	spin_unlock(&region->clients_lock);
}

static int pashm_client_enlist(struct pashm_client *client)
{
	struct pashm_region *region = client->region;
	int ret = -EUSERS;

	spin_lock(&region->clients_lock);
	if (region->nr_clients < PASHM_CLIENTS_MAX) {
		list_add_tail_rcu(&client->link, &region->clients);
		WRITE_ONCE(region->nr_clients, region->nr_clients + 1);
		WRITE_ONCE(region->header->clients, region->nr_clients);
		ret = 0;
	}
	spin_unlock(&region->clients_lock);
	return ret;
}

/*
 * Free the client when no purger can be reading its words or its mm any more.
 * The region may be gone by then: take the table's pages off its count first.
 */
static void pashm_client_free_deferred(struct pashm_client *client)
{
	struct page *page;
	unsigned long number;
	long pages = 0;

	xa_for_each(&client->pins.pages, number, page)
		pages++;
	atomic_long_sub(pages, &client->region->table_pages);
	INIT_RCU_WORK(&client->free, pashm_client_free);
	queue_rcu_work(pashm_wq, &client->free);
}

static int pashm_client_release(struct inode *inode, struct file *file)
{
	struct pashm_client *client = file->private_data;
	struct file *backing = client->backing;

	pashm_client_delist(client);
	pashm_client_free_deferred(client);
	fput(backing);
	return 0;
}

/* Acquire: who is told of a purge finds it, by a pin */
static u64 pashm_client_news(struct pashm_client *client, s64 *seen)
{
	struct pashm_header *header = client->region->header;

	*seen = atomic64_read(&client->seen);
	return atomic64_read_acquire((atomic64_t *)&header->purges) - *seen;
}

static __poll_t pashm_client_poll(struct file *file, poll_table *wait)
{
	struct pashm_client *client = pashm_client_from_file(file);
	s64 seen;

	poll_wait(file, &client->region->purged_wait, wait);
	/* Pairs with pashm_region_notify(); part of poll_wait() from 6.14 on */
	smp_mb();
	return pashm_client_news(client, &seen) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* As of an eventfd: how many extents were taken since the last read */
static ssize_t pashm_client_read(struct file *file, char __user *user,
				 size_t bytes, loff_t *offset)
{
	struct pashm_client *client = pashm_client_from_file(file);
	u64 news;
	s64 seen;
	int ret;

	if (bytes < sizeof(news))
		return -EINVAL;
	do {
		news = pashm_client_news(client, &seen);
		if (!news && file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(client->region->purged_wait,
					       (news = pashm_client_news(client,
									 &seen)));
		if (ret)
			return ret;
		if (put_user(news, (u64 __user *)user))
			return -EFAULT;
	} while (!atomic64_try_cmpxchg(&client->seen, &seen, seen + news));
	return sizeof(news);
}

const struct file_operations pashm_client_fops = {
	.owner = THIS_MODULE,
	.release = pashm_client_release,
	.read = pashm_client_read,
	.poll = pashm_client_poll,
	.mmap = pashm_mmap,
	/* Long mappings at a multiple of what a huge page has */
	.get_unmapped_area = thp_get_unmapped_area,
	.unlocked_ioctl = pashm_region_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = pashm_show_fdinfo,
	.llseek = noop_llseek,
};

/*
 * Make a client of @region for the calling process. Takes a reference of its
 * own on @backing. Returns its file.
 */
struct file *pashm_client_open(struct pashm_region *region,
			       struct file *backing, u32 prot)
{
	struct pashm_client *client;
	struct file *file;
	int ret;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return ERR_PTR(-ENOMEM);
	client->region = region;
	client->backing = get_file(backing);
	client->mm = current->mm;
	mmgrab(client->mm);
	atomic_set(&client->prot, prot);
	atomic64_set(&client->seen,
		     atomic64_read((atomic64_t *)&region->header->purges));
	pashm_table_init(&client->pins, region->pages, 2,
			 &region->table_pages);
	ret = pashm_client_enlist(client);
	if (ret)
		goto free;
	file = anon_inode_getfile("[pashm]", &pashm_client_fops, client,
				  O_RDWR);
	if (!IS_ERR(file))
		return file;
	ret = PTR_ERR(file);
	pashm_client_delist(client);
free:
	pashm_client_free_deferred(client);
	fput(backing);
	return ERR_PTR(ret);
}

struct pashm_client *pashm_client_from_file(struct file *file)
{
	return file->private_data;
}

/* What later mappings through this client may do */
u32 pashm_client_prot(struct pashm_client *client)
{
	return atomic_read(&client->prot) & atomic_read(&client->region->prot);
}

bool pashm_client_is_owner(struct pashm_client *client)
{
	return current->mm == client->mm;
}

/* This client's pin word at @head; 0 if it has none, or if its owner is dead */
static u32 pashm_client_pin(struct pashm_client *client, unsigned long head)
{
	atomic_t *word = pashm_table_lookup(&client->pins, head);
	u32 pin = word ? atomic_read(word) : 0;

	return pin && atomic_read(&client->mm->mm_users) ? pin : 0;
}

/*
 * Does any client but @except have the extent at @head pinned? After barrier
 * (B) the answer "no" is final for a claimed extent: whoever raises a count
 * later sees PURGING.
 */
bool pashm_clients_pinned(struct pashm_region *region, unsigned long head,
			  struct pashm_client *except)
{
	struct pashm_client *client;
	bool pinned = false;

	rcu_read_lock();
	list_for_each_entry_rcu(client, &region->clients, link) {
		if (client != except &&
		    pashm_pin_count(pashm_client_pin(client, head))) {
			pinned = true;
			break;
		}
	}
	rcu_read_unlock();
	return pinned;
}

/*
 * Epochs since a note. The clock may have ticked since it was read: then the note is of
 * the next epoch, and new.
 */
static u32 pashm_pin_age(u32 epoch, u32 pin)
{
	u32 age = pashm_note_age(epoch, pashm_pin_recency(pin));

	return age < PASHM_AGE_NEW ? age : 0;
}

/* The clients' notes of the extent that @state describes, combined */
struct pashm_notes pashm_clients_notes(struct pashm_region *region,
				       unsigned long head, u64 state)
{
	struct pashm_notes notes = {
		.use = { .age = 255, .priority = pashm_state_priority(state) },
	};
	u32 epoch = READ_ONCE(region->header->epoch);
	struct pashm_client *client;

	rcu_read_lock();
	list_for_each_entry_rcu(client, &region->clients, link) {
		u32 pin = pashm_client_pin(client, head);

		if (pashm_pin_count(pin))
			notes.pinned = true;
		if (!pashm_pin_recency(pin))
			continue;
		notes.noted = true;
		notes.use.age = min(notes.use.age,
				    pashm_pin_age(epoch, pin));
		notes.use.frequency = max(notes.use.frequency,
					  pashm_pin_frequency(pin));
	}
	rcu_read_unlock();
	return notes;
}

/*
 * Clear what was noted of an extent so long ago that it would soon look fresh. Not if
 * the owner is just writing there.
 */
void pashm_clients_forget(struct pashm_region *region, unsigned long head)
{
	u32 epoch = READ_ONCE(region->header->epoch);
	struct pashm_client *client;

	rcu_read_lock();
	list_for_each_entry_rcu(client, &region->clients, link) {
		atomic_t *word = pashm_table_lookup(&client->pins, head);
		u32 pin = word ? atomic_read(word) : 0;

		if (pashm_pin_recency(pin) && !pashm_pin_count(pin) &&
		    pashm_pin_age(epoch, pin) >= PASHM_STEER_FORGET)
			atomic_cmpxchg_relaxed(word, pin, 0);
	}
	rcu_read_unlock();
}
