// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a region's descriptor maps: data, header, and the tables of words.
 *
 * Data mappings are shmem's, over the backing file, with two changes: the fault
 * first sees to it that the memcg that will be charged lists the region for
 * reclaim, and rights outside the protection mask are cut for good. Huge pages
 * are kept off as far as a mapping can: splitting one allocates with the folio
 * locked.
 *
 * Table mappings hold the client's file; pin words are its owner's alone and
 * are not copied by fork.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>

#include "client.h"
#include "compat.h"
#include "listing.h"
#include "map.h"
#include "region.h"

#define PASHM_VM_RWX	(VM_READ | VM_WRITE | VM_EXEC)
#define PASHM_VM_MAYRWX	(VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)
#define PASHM_VM_MAY_SHIFT	4

/* So that a protection mask can be compared with, and cut, vm_flags */
static_assert(VM_READ == PROT_READ && VM_WRITE == PROT_WRITE &&
	      VM_EXEC == PROT_EXEC);
static_assert(PASHM_VM_MAYRWX == PASHM_VM_RWX << PASHM_VM_MAY_SHIFT);

/*
 * shmem's operations with the fault replaced. Written once, by the first mmap
 * of data, under the mutex; a mapping that uses it comes after.
 */
static DEFINE_MUTEX(pashm_data_vm_ops_mutex);
static struct vm_operations_struct pashm_data_vm_ops;
static vm_fault_t (*pashm_shmem_fault)(struct vm_fault *vmf);

/*
 * The listing is made before shmem is asked, because shmem returns with the
 * folio locked: an allocation then could enter our own shrinker and wait for
 * that folio.
 *
 * After VM_FAULT_RETRY the mmap lock is gone, and region and listing may be.
 */
static vm_fault_t pashm_data_fault(struct vm_fault *vmf)
{
	struct pashm_region *region = vmf->vma->vm_private_data;
	unsigned long before = pashm_region_resident(region);
	struct pashm_listing *listing;
	vm_fault_t ret;

	listing = pashm_listing_get(region, vmf->vma->vm_mm);
	if (IS_ERR(listing))
		return VM_FAULT_OOM;
	ret = pashm_shmem_fault(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_RETRY))
		return ret;
	if (pashm_region_resident(region) > before)
		atomic_long_inc(&listing->charged);
	return ret;
}

static void pashm_wrap_vm_ops(struct vm_area_struct *vma)
{
	mutex_lock(&pashm_data_vm_ops_mutex);
	if (!pashm_shmem_fault) {
		pashm_shmem_fault = vma->vm_ops->fault;
		pashm_data_vm_ops = *vma->vm_ops;
		pashm_data_vm_ops.fault = pashm_data_fault;
	}
	mutex_unlock(&pashm_data_vm_ops_mutex);
	vma->vm_ops = &pashm_data_vm_ops;
}

static int pashm_mmap_data(struct pashm_client *client,
			   struct vm_area_struct *vma)
{
	struct pashm_region *region = client->region;
	unsigned long prot = pashm_client_prot(client);
	int ret;

	if (vma->vm_pgoff >= region->pages ||
	    vma_pages(vma) > region->pages - vma->vm_pgoff)
		return -EINVAL;
	if (vma->vm_flags & PASHM_VM_RWX & ~prot)
		return -EACCES;
	ret = pashm_region_mmap_data(region, client->backing, vma);
	if (ret)
		return ret;
	pashm_wrap_vm_ops(vma);
	vma->vm_private_data = region;
	pashm_vm_flags_clear(vma, PASHM_VM_MAYRWX &
				  ~(prot << PASHM_VM_MAY_SHIFT));
	/* From 7.2 on, VM_DONTEXPAND is also what keeps userfaultfd off */
	pashm_vm_flags_set(vma, VM_DONTEXPAND | VM_NOHUGEPAGE);
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
