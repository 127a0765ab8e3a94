// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a region's descriptor maps: data, header, and the tables of words.
 *
 * Data mappings are shmem's, over the backing file, with two changes: the fault
 * first sees to it that the memcg that will be charged lists the region for
 * reclaim, and rights outside the protection mask are cut for good. Huge pages are
 * for those who ask: see pashm_fault_forward(). In a strict region faults may be refused
 * (strict.c).
 *
 * Table mappings hold the client's file; pin words are its owner's alone and
 * are not copied by fork.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>

#include "census.h"
#include "client.h"
#include "compat.h"
#include "listing.h"
#include "map.h"
#include "purge.h"
#include "region.h"
#include "strict.h"

#define PASHM_VM_RWX	(VM_READ | VM_WRITE | VM_EXEC)
#define PASHM_VM_MAYRWX	(VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)
#define PASHM_VM_MAY_SHIFT	4

/* So that a protection mask can be compared with, and cut, vm_flags */
static_assert(VM_READ == PROT_READ && VM_WRITE == PROT_WRITE &&
	      VM_EXEC == PROT_EXEC);
static_assert(PASHM_VM_MAYRWX == PASHM_VM_RWX << PASHM_VM_MAY_SHIFT);

/*
 * shmem's operations with the fault replaced: for regions that are not strict,
 * that are, and that are STRICT_UNPINNED. Written once, by the first mmap of data,
 * under the mutex; a mapping that uses them comes after.
 */
static DEFINE_MUTEX(pashm_data_vm_ops_mutex);
static struct vm_operations_struct pashm_data_vm_ops;
static struct vm_operations_struct pashm_strict_vm_ops;
static struct vm_operations_struct pashm_unpinned_vm_ops;
static vm_fault_t (*pashm_shmem_fault)(struct vm_fault *vmf);

/*
 * shmem's fault. A large folio is marked dirty before anybody else can lock it, as
 * nobody may do that later: one that is mapped after a read is written without another
 * fault. If a purge of a part of it meets it in the middle of its range, where shmem
 * does not mark it itself, as a fault has just brought it there, and it cannot be split,
 * as somebody else uses it, then shmem drops the whole if that is clean
 * (shmem_undo_range(), truncate_inode_partial_folio()), and with it what neighbours have
 * pinned. In a region for huge pages extents share none; but others may ask for them by
 * MADV_HUGEPAGE.
 */
static vm_fault_t pashm_fault_forward(struct vm_fault *vmf)
{
	vm_fault_t ret = pashm_shmem_fault(vmf);

	if (ret & VM_FAULT_LOCKED && folio_test_large(page_folio(vmf->page)))
		folio_mark_dirty(page_folio(vmf->page));
	return ret;
}

/* Give back the page that a fault has brought; @ret is what came with it */
static void pashm_fault_drop(struct vm_fault *vmf, vm_fault_t ret)
{
	if (ret & VM_FAULT_LOCKED)
		unlock_page(vmf->page);
	put_page(vmf->page);
	vmf->page = NULL;
}

/*
 * The page is on another node than was expected, for which the region is not listed: let
 * go of it, list the region, and begin again, now that it is there. If there is no
 * memory for that, the next fault tries again.
 */
static vm_fault_t pashm_fault_elsewhere(struct vm_fault *vmf,
					struct pashm_region *region,
					vm_fault_t ret)
{
	long pages = folio_nr_pages(page_folio(vmf->page));
	int nid = pashm_page_nid(vmf->page);
	struct pashm_listing *listing;

	pashm_fault_drop(vmf, ret);
	listing = pashm_listing_get(region, vmf->vma->vm_mm, nid);
	if (!IS_ERR(listing))
		atomic_long_add(pages, &listing->charged);
	return pashm_fault_forward(vmf);
}

/*
 * A folio has come that was nowhere: if it is an extent's first, that may be back. Of
 * several extents in a large folio, only the first is asked.
 */
static void pashm_fault_back(struct pashm_listing *listing,
			     const struct folio *folio)
{
	struct pashm_region *region = listing->region;
	unsigned long index = folio->index;
	atomic64_t *word = pashm_region_state(region, index);
	u64 state = word ? atomic64_read(word) : 0;
	unsigned long length = pashm_extent_length(region, index, state);
	struct pashm_notes notes;

	if (!length)
		return;
	notes = pashm_clients_notes(region, index, state);
	if (notes.noted)
		pashm_steer_back(&listing->steer, &notes.use, length);
}

/*
 * The listing is made before shmem is asked, because shmem returns with the
 * folio locked: an allocation then could enter our own shrinker and wait for
 * that folio. On which node the page will be can be guessed only: as a rule on
 * the nearest.
 *
 * After VM_FAULT_RETRY the mmap lock is gone, and region and listing may be.
 */
static vm_fault_t pashm_listed_fault(struct vm_fault *vmf)
{
	struct pashm_region *region = vmf->vma->vm_private_data;
	void *entry = xa_load(&region->inode->i_mapping->i_pages, vmf->pgoff);
	bool there = entry && !xa_is_value(entry);
	struct pashm_listing *listing;
	int nid = numa_mem_id();
	struct folio *folio;
	vm_fault_t ret;

	listing = pashm_listing_get(region, vmf->vma->vm_mm, nid);
	if (IS_ERR(listing))
		return VM_FAULT_OOM;
	ret = pashm_fault_forward(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_RETRY) || there)
		return ret;
	if (pashm_page_nid(vmf->page) != nid)
		listing = pashm_listing_lookup(region, vmf->vma->vm_mm,
					       pashm_page_nid(vmf->page));
	if (!listing)
		return pashm_fault_elsewhere(vmf, region, ret);
	folio = page_folio(vmf->page);
	atomic_long_add(folio_nr_pages(folio), &listing->charged);
	if (!entry)
		pashm_fault_back(listing, folio);
	return ret;
}

static vm_fault_t pashm_data_fault(struct vm_fault *vmf)
{
	int listings = pashm_listings_enter();
	vm_fault_t ret = pashm_listed_fault(vmf);

	pashm_listings_leave(listings);
	return ret;
}

/* After VM_FAULT_RETRY the region may be gone, and the fault begins again */
static vm_fault_t pashm_strict_fault(struct vm_fault *vmf)
{
	struct pashm_region *region = vmf->vma->vm_private_data;
	struct pashm_strict strict;
	vm_fault_t ret;

	if (!pashm_strict_begin(&strict, region, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	ret = pashm_data_fault(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_RETRY) ||
	    pashm_strict_end(&strict))
		return ret;
	pashm_fault_drop(vmf, ret);
	return VM_FAULT_SIGBUS;
}

/*
 * Around a fault, map_pages() maps pages that are there without asking: what a
 * strict region allows, and a STRICT_UNPINNED one does not. There, faults take
 * the mmap lock, as they do without map_pages().
 */
static void pashm_wrap_vm_ops(struct pashm_region *region,
			      struct vm_area_struct *vma)
{
	mutex_lock(&pashm_data_vm_ops_mutex);
	if (!pashm_shmem_fault) {
		pashm_shmem_fault = vma->vm_ops->fault;
		pashm_data_vm_ops = *vma->vm_ops;
		pashm_data_vm_ops.fault = pashm_data_fault;
		pashm_strict_vm_ops = pashm_data_vm_ops;
		pashm_strict_vm_ops.fault = pashm_strict_fault;
		pashm_unpinned_vm_ops = pashm_strict_vm_ops;
		pashm_unpinned_vm_ops.map_pages = NULL;
	}
	mutex_unlock(&pashm_data_vm_ops_mutex);
	if (region->flags & PASHM_CREATE_STRICT_UNPINNED)
		vma->vm_ops = &pashm_unpinned_vm_ops;
	else if (region->flags & PASHM_CREATE_STRICT)
		vma->vm_ops = &pashm_strict_vm_ops;
	else
		vma->vm_ops = &pashm_data_vm_ops;
}

static int pashm_mmap_data(struct pashm_client *client,
			   struct vm_area_struct *vma)
{
	struct pashm_region *region = client->region;
	unsigned long prot = pashm_client_prot(client);
	bool huge = region->flags & PASHM_CREATE_HUGE;
	int ret;

	if (vma->vm_pgoff >= region->pages ||
	    vma_pages(vma) > region->pages - vma->vm_pgoff)
		return -EINVAL;
	if (vma->vm_flags & PASHM_VM_RWX & ~prot)
		return -EACCES;
	ret = pashm_region_mmap_data(region, client->backing, vma);
	if (ret)
		return ret;
	pashm_wrap_vm_ops(region, vma);
	vma->vm_private_data = region;
	pashm_vm_flags_clear(vma, PASHM_VM_MAYRWX &
				  ~(prot << PASHM_VM_MAY_SHIFT));
	/* From 7.2 on, VM_DONTEXPAND is also what keeps userfaultfd off */
	pashm_vm_flags_set(vma, VM_DONTEXPAND |
				(huge ? VM_HUGEPAGE : VM_NOHUGEPAGE));
	return 0;
}

static struct pashm_client *pashm_vma_client(struct vm_area_struct *vma)
{
	return pashm_client_from_file(vma->vm_file);
}

static unsigned long pashm_fault_number(struct vm_fault *vmf, u64 offset)
{
	return vmf->pgoff - (offset >> PAGE_SHIFT);
}

static vm_fault_t pashm_header_fault(struct vm_fault *vmf)
{
	struct pashm_region *region = pashm_vma_client(vmf->vma)->region;

	if (pashm_fault_number(vmf, PASHM_OFFSET_HEADER))
		return VM_FAULT_SIGBUS;
	get_page(region->header_page);
	vmf->page = region->header_page;
	return 0;
}

static vm_fault_t pashm_states_fault(struct vm_fault *vmf)
{
	struct pashm_region *region = pashm_vma_client(vmf->vma)->region;

	return pashm_table_fault(&region->states, vmf,
				 pashm_fault_number(vmf, PASHM_OFFSET_STATES));
}

static vm_fault_t pashm_births_fault(struct vm_fault *vmf)
{
	struct pashm_region *region = pashm_vma_client(vmf->vma)->region;

	return pashm_table_fault(&region->births, vmf,
				 pashm_fault_number(vmf, PASHM_OFFSET_BIRTHS));
}

/* A child gets here if its parent has undone VM_DONTCOPY by MADV_DOFORK */
static vm_fault_t pashm_pins_fault(struct vm_fault *vmf)
{
	struct pashm_client *client = pashm_vma_client(vmf->vma);

	if (vmf->vma->vm_mm != client->mm)
		return VM_FAULT_SIGBUS;
	return pashm_table_fault(&client->pins, vmf,
				 pashm_fault_number(vmf, PASHM_OFFSET_PINS));
}

static const struct vm_operations_struct pashm_header_vm_ops = {
	.fault = pashm_header_fault,
};

static const struct vm_operations_struct pashm_states_vm_ops = {
	.fault = pashm_states_fault,
};

static const struct vm_operations_struct pashm_births_vm_ops = {
	.fault = pashm_births_fault,
};

static const struct vm_operations_struct pashm_pins_vm_ops = {
	.fault = pashm_pins_fault,
};

/*
 * Check and set up a mapping of @bytes that begin at file offset @offset.
 * @may_write: without it, a request to write is EACCES.
 */
static int pashm_mmap_words(struct vm_area_struct *vma, u64 offset,
			    unsigned long bytes, bool may_write,
			    const struct vm_operations_struct *ops)
{
	unsigned long start = vma->vm_pgoff - (offset >> PAGE_SHIFT);
	unsigned long pages = bytes >> PAGE_SHIFT;

	if (start >= pages || vma_pages(vma) > pages - start)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (!may_write && vma->vm_flags & VM_WRITE)
		return -EACCES;
	pashm_vm_flags_clear(vma, VM_MAYEXEC | (may_write ? 0 : VM_MAYWRITE));
	pashm_vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = ops;
	return 0;
}

static int pashm_mmap_pins(struct pashm_client *client,
			   struct vm_area_struct *vma)
{
	int ret;

	if (!pashm_client_is_owner(client))
		return -EPERM;
	ret = pashm_mmap_words(vma, PASHM_OFFSET_PINS,
			       pashm_table_bytes(&client->pins), true,
			       &pashm_pins_vm_ops);
	if (!ret)
		pashm_vm_flags_set(vma, VM_DONTCOPY);
	return ret;
}

int pashm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pashm_client *client = pashm_client_from_file(file);
	struct pashm_region *region = client->region;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	bool may_write = pashm_client_prot(client) & PROT_WRITE;

	if (offset < PASHM_OFFSET_HEADER)
		return pashm_mmap_data(client, vma);
	if (offset < PASHM_OFFSET_STATES)
		return pashm_mmap_words(vma, PASHM_OFFSET_HEADER, PAGE_SIZE,
					false, &pashm_header_vm_ops);
	if (offset < PASHM_OFFSET_BIRTHS)
		return pashm_mmap_words(vma, PASHM_OFFSET_STATES,
					pashm_table_bytes(&region->states),
					may_write, &pashm_states_vm_ops);
	if (offset < PASHM_OFFSET_PINS)
		return pashm_mmap_words(vma, PASHM_OFFSET_BIRTHS,
					pashm_table_bytes(&region->births),
					may_write, &pashm_births_vm_ops);
	return pashm_mmap_pins(client, vma);
}
