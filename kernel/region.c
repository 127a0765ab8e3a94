// SPDX-License-Identifier: GPL-2.0-only
/*
 * DOC: lifetime
 *
 * A region lives as long as its backing shmem file. Each client holds a
 * reference on that file, and so does each mapping of the data, which therefore
 * outlives all descriptors and stays purgeable. The file's operations are a
 * copy of shmem's with our own release and with mmap refused; they are owned by
 * this module, so the module cannot go while a region exists.
 *
 * When the backing file is released, the region leaves the reclaim lists and
 * loses its first reference. A reclaimer at work holds one of its own; if its
 * is the last, the rest is done by a worker, because evicting an inode is not
 * for reclaim.
 *
 * Lock order:
 *
 *   pashm_regions_lock
 *   region->clients_lock
 *   region->listings_lock > list_lru's node lock
 *   region->slots.lock
 *   region->purged_wait.lock > what pollers take
 *
 * Those of different lines are not nested in each other. All are spinlocks under
 * which nothing is allocated and nothing sleeps; reclaim may take any of them.
 */
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "available.h"
#include "client.h"
#include "compat.h"
#include "listing.h"
#include "region.h"

struct workqueue_struct *pashm_wq;

/* All regions whose backing file is open; the next to serve comes first */
DEFINE_SPINLOCK(pashm_regions_lock);
LIST_HEAD(pashm_regions);
static unsigned long pashm_regions_count;

/* shmem's operations with mmap and release replaced; written once at load */
static struct file_operations pashm_backing_fops __ro_after_init;
static const struct file_operations *pashm_shmem_fops __ro_after_init;

static void pashm_region_free(struct pashm_region *region)
{
	pashm_listings_free(region);
	pashm_table_destroy(&region->states);
	pashm_table_destroy(&region->births);
	put_page(region->header_page);
	iput(region->inode);
	kfree(region);
}

static void pashm_region_free_work(struct work_struct *work)
{
	pashm_region_free(container_of(work, struct pashm_region, free_work));
}

/* For a reclaimer that has found the region on a list */
bool pashm_region_tryget(struct pashm_region *region)
{
	return refcount_inc_not_zero(&region->refs);
}

/* Counterpart of tryget: may be called in reclaim, never frees in place */
void pashm_region_put(struct pashm_region *region)
{
	if (refcount_dec_and_test(&region->refs))
		queue_work(pashm_wq, &region->free_work);
}

static void pashm_region_enlist(struct pashm_region *region)
{
	spin_lock(&pashm_regions_lock);
	list_add_tail(&region->all_link, &pashm_regions);
	WRITE_ONCE(pashm_regions_count, pashm_regions_count + 1);
	spin_unlock(&pashm_regions_lock);
	pashm_available_begin();
}

static void pashm_region_delist(struct pashm_region *region)
{
	spin_lock(&pashm_regions_lock);
	list_del(&region->all_link);
	WRITE_ONCE(pashm_regions_count, pashm_regions_count - 1);
	spin_unlock(&pashm_regions_lock);
	pashm_available_changed();
}

unsigned long pashm_regions_number(void)
{
	return READ_ONCE(pashm_regions_count);
}

/*
 * The region whose turn it is, with a reference, or NULL if there is none. One in
 * the list has not lost its last reference yet.
 */
struct pashm_region *pashm_region_in_turn(void)
{
	struct pashm_region *region;

	spin_lock(&pashm_regions_lock);
	region = list_first_entry_or_null(&pashm_regions, struct pashm_region,
					  all_link);
	if (region && !pashm_region_tryget(region))
		region = NULL;
	if (region)
		list_move_tail(&region->all_link, &pashm_regions);
	spin_unlock(&pashm_regions_lock);
	return region;
}

/* The last mapping and the last client are gone */
static int pashm_backing_release(struct inode *inode, struct file *file)
{
	struct pashm_region *region = file->private_data;

	if (pashm_shmem_fops->release)
		pashm_shmem_fops->release(inode, file);
	if (!region)
		return 0;
	pashm_region_delist(region);
	pashm_listings_unlink(region);
	if (refcount_dec_and_test(&region->refs))
		pashm_region_free(region);
	return 0;
}

/*
 * The backing file can be reached without its region's descriptor, through
 * remap_file_pages(); there it cannot be mapped, so the protection mask holds.
 * Privileged processes can also open its inode anew, by /proc/PID/map_files: an
 * immutable one is not opened for writing or truncated by anybody.
 */
static int pashm_backing_mmap(struct file *file, struct vm_area_struct *vma)
{
	return -EPERM;
}

/* When shmem gets no inode, it says that there is no space on a device */
static struct file *pashm_shmem_open(const char *name, unsigned long bytes)
{
	struct file *file = pashm_shmem_file(name, bytes);

	return file == ERR_PTR(-ENOSPC) ? ERR_PTR(-ENOMEM) : file;
}

static struct file *pashm_backing_open(const char *name, unsigned long bytes)
{
	char full[sizeof("dev/pashm/") + PASHM_NAME_MAX];
	struct file *file;

	snprintf(full, sizeof(full), "dev/pashm/%s", name);
	file = pashm_shmem_open(full, bytes);
	if (IS_ERR(file))
		return file;
	/* Dropped by fput(), which puts the owner of the operations */
	__module_get(THIS_MODULE);
	file->f_op = &pashm_backing_fops;
	file->private_data = NULL;
	file_inode(file)->i_flags |= S_IMMUTABLE;
	return file;
}

static int pashm_header_init(struct pashm_region *region,
			     const struct pashm_create *args)
{
	struct pashm_header *header;

	region->header_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!region->header_page)
		return -ENOMEM;
	header = page_address(region->header_page);
	header->magic = PASHM_HEADER_MAGIC;
	header->version = PASHM_PROTOCOL_VERSION;
	header->page_shift = PAGE_SHIFT;
	header->flags = region->flags;
	header->pages = region->pages;
	header->epoch = pashm_epoch_next(0);
	header->priority = args->priority;
	region->header = header;
	return 0;
}

static struct pashm_region *pashm_region_alloc(const struct pashm_create *args)
{
	struct pashm_region *region;

	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return ERR_PTR(-ENOMEM);
	refcount_set(&region->refs, 1);
	region->pages = args->length >> PAGE_SHIFT;
	region->flags = args->flags;
	atomic_set(&region->prot, args->prot ?: PROT_READ | PROT_WRITE |
						PROT_EXEC);
	strscpy(region->name, args->name, sizeof(region->name));
	if (pashm_header_init(region, args)) {
		kfree(region);
		return ERR_PTR(-ENOMEM);
	}
	pashm_table_init(&region->states, region->pages, 3,
			 &region->table_pages);
	pashm_table_init(&region->births, region->pages, 2,
			 &region->table_pages);
	spin_lock_init(&region->clients_lock);
	INIT_LIST_HEAD(&region->clients);
	pashm_slots_init(&region->slots);
	spin_lock_init(&region->listings_lock);
	INIT_LIST_HEAD(&region->listings);
	region->tidied = jiffies;
	INIT_WORK(&region->tidy_work, pashm_region_tidy_work);
	init_waitqueue_head(&region->purged_wait);
	INIT_WORK(&region->free_work, pashm_region_free_work);
	return region;
}

/*
 * Make a region and its first client. @args was validated by the caller.
 * Returns the client's file, which holds everything else.
 */
struct file *pashm_region_create(const struct pashm_create *args)
{
	struct pashm_region *region;
	struct file *backing, *client;

	backing = pashm_backing_open(args->name, args->length);
	if (IS_ERR(backing))
		return backing;
	region = pashm_region_alloc(args);
	if (IS_ERR(region)) {
		fput(backing);
		return ERR_CAST(region);
	}
	region->inode = file_inode(backing);
	ihold(region->inode);
	backing->private_data = region;
	pashm_region_enlist(region);

	client = pashm_client_open(region, backing, atomic_read(&region->prot));
	fput(backing);
	return client;
}

/*
 * Let shmem map its file, past the refusal of the backing file's own mmap. The
 * vma holds the backing file afterwards and no longer the client.
 */
int pashm_region_mmap_data(struct pashm_region *region, struct file *backing,
			   struct vm_area_struct *vma)
{
	vma_set_file(vma, backing);
	return pashm_fops_mmap(pashm_shmem_fops, backing, vma);
}

/* The state word at @index, or NULL if nobody has touched it: length 0 */
atomic64_t *pashm_region_state(struct pashm_region *region, unsigned long index)
{
	return pashm_table_lookup(&region->states, index);
}

/*
 * Find the next word with a length, at or after @index and before @end.
 *
 * Returns its index and its value in @state; or, with @state 0, @end when there
 * is none, or the place reached when @budget ran out. Budget: one for each
 * head, one for each table page without any. May sleep.
 */
unsigned long pashm_region_next_head(struct pashm_region *region,
				     unsigned long index, unsigned long end,
				     u64 *state, unsigned long *budget)
{
	unsigned long per_page = pashm_table_words_per_page(&region->states);

	*state = 0;
	while (index < end && *budget) {
		unsigned long stop;
		atomic64_t *word;

		if (!pashm_table_next(&region->states, &index) || index >= end)
			return end;
		word = pashm_region_state(region, index);
		stop = min(end, (index / per_page + 1) * per_page);
		(*budget)--;
		cond_resched();
		for (; index < stop; index++, word++) {
			u64 value = atomic64_read(word);

			if (!pashm_state_length(value))
				continue;
			*state = value;
			return index;
		}
	}
	return index;
}

/* Behind the last word that may have been written; 0: there is none */
unsigned long pashm_region_end(struct pashm_region *region)
{
	unsigned long end = region->pages +
			    pashm_table_words_per_page(&region->states);

	if (!pashm_table_prev(&region->states, &end, 0))
		return 0;
	return min(end, region->pages);
}

/*
 * Find the nearest word with a length before @index. Looks no further back than
 * an extent can reach, so that what it costs is bounded, whatever userspace has
 * written.
 *
 * Returns 0, with its index in @head and its value in @state, which is 0 if there
 * is none; or -EINTR. May sleep.
 */
int pashm_region_prev_head(struct pashm_region *region, unsigned long index,
			   unsigned long *head, u64 *state)
{
	unsigned long per_page = pashm_table_words_per_page(&region->states);
	unsigned long floor = index > PASHM_EXTENT_PAGES_MAX ?
			      index - PASHM_EXTENT_PAGES_MAX : 0;

	*head = 0;
	*state = 0;
	while (index > floor) {
		unsigned long first = (index - 1) / per_page * per_page;
		atomic64_t *words = pashm_region_state(region, first);

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		if (!words) {
			index = first;
			if (!pashm_table_prev(&region->states, &index, floor))
				return 0;
			continue;
		}
		for (; index > first; index--) {
			u64 value = atomic64_read(&words[index - 1 - first]);

			if (!pashm_state_length(value))
				continue;
			*head = index - 1;
			*state = value;
			return 0;
		}
	}
	return 0;
}

int pashm_region_init(void)
{
	struct file *probe;

	probe = pashm_shmem_open("pashm", PAGE_SIZE);
	if (IS_ERR(probe))
		return PTR_ERR(probe);
	pashm_shmem_fops = probe->f_op;
	pashm_backing_fops = *pashm_shmem_fops;
	pashm_backing_fops.owner = THIS_MODULE;
	pashm_fops_set_mmap(&pashm_backing_fops, pashm_backing_mmap);
	pashm_backing_fops.release = pashm_backing_release;
	fput(probe);

	pashm_wq = alloc_workqueue("pashm", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return pashm_wq ? 0 : -ENOMEM;
}

void pashm_region_exit(void)
{
	/* Deferred frees first enter the workqueue, then leave it */
	rcu_barrier();
	destroy_workqueue(pashm_wq);
}
