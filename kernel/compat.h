/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All differences between the supported kernels, and nothing else.
 *
 * Supported: 6.1 to 6.12, 7.2 and 7.3, 64-bit, little-endian. Tested on the
 * cloud kernels of Debian: 6.1, 6.12, 7.2 and 7.3, and 6.12 also on arm64. What
 * changed between 6.12 and 7.2 is said to be 7.2's.
 */
#ifndef PASHM_COMPAT_H
#define PASHM_COMPAT_H

#include <linux/fs.h>
#include <linux/list_lru.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "pashm needs Linux 6.1 or newer"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) && \
	LINUX_VERSION_CODE < KERNEL_VERSION(7, 2, 0)
#error "pashm supports Linux 6.1 to 6.12, 7.2 and 7.3; those between are not tested"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#error "pashm supports Linux up to 7.3; newer kernels are not tested yet"
#endif
#if !defined(CONFIG_64BIT) || !defined(CONFIG_SHMEM) || defined(__BIG_ENDIAN)
#error "pashm needs a 64-bit little-endian kernel with CONFIG_SHMEM"
#endif

/* 6.3: vm_flags became read-only, changed through functions */
static inline void pashm_vm_flags_set(struct vm_area_struct *vma,
				      unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static inline void pashm_vm_flags_clear(struct vm_area_struct *vma,
					unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

/* 7.2: takes flags of a type of their own */
static inline struct file *pashm_shmem_file(const char *name, loff_t bytes)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	return shmem_file_setup(name, bytes, mk_vma_flags(VMA_NORESERVE_BIT));
#else
	return shmem_file_setup(name, bytes, VM_NORESERVE);
#endif
}

/* 7.2: shmem has mmap_prepare, and a file must not have both */
static inline void pashm_fops_set_mmap(struct file_operations *fops,
				       int (*mmap)(struct file *file,
						   struct vm_area_struct *vma))
{
	fops->mmap = mmap;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	fops->mmap_prepare = NULL;
#endif
}

/* Do in an mmap what @fops, not those of @file, would do */
static inline int pashm_fops_mmap(const struct file_operations *fops,
				  struct file *file, struct vm_area_struct *vma)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	struct vm_area_desc desc;
	int ret;

	if (!fops->mmap_prepare)
		return fops->mmap(file, vma);
	compat_set_desc_from_vma(&desc, file, vma);
	ret = fops->mmap_prepare(&desc);
	if (ret)
		return ret;
	desc.action.hide_from_rmap_until_complete = false;
	return __compat_vma_mmap(&desc, vma);
#else
	return fops->mmap(file, vma);
#endif
}

/* 6.4: reclaim_state is written through a helper */
static inline void pashm_account_reclaimed(unsigned long pages)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	mm_account_reclaimed_pages(pages);
#else
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#endif
}

/* What shrinkers have freed in this reclaim and is not counted yet */
static inline unsigned long pashm_reclaimed(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	return current->reclaim_state->reclaimed;
#else
	return current->reclaim_state->reclaimed_slab;
#endif
}

/* Is memory limited by one counter only? In cgroup v1 swap has a say, too */
static inline bool pashm_memcg_limits(void)
{
#ifdef CONFIG_MEMCG
	return cgroup_subsys_on_dfl(memory_cgrp_subsys);
#else
	return false;
#endif
}

/* 6.4: reclaim for a memcg's limit is not told what shrinkers have freed */
#define PASHM_MEMCG_IS_CREDITED	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0))

/*
 * The memcg that @folio is charged to, as a key to compare with. Under RCU, with
 * a reference on the folio. 6.3: takes a folio.
 */
static inline struct mem_cgroup *pashm_folio_memcg(struct folio *folio)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return folio_memcg_check(folio);
#else
	return page_memcg_check(&folio->page);
#endif
}

/* What userspace knows a memcg by: the inode of its cgroup's directory. Under RCU */
static inline unsigned long pashm_memcg_ino(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	return memcg ? cgroup_ino(memcg->css.cgroup) : 0;
#else
	return 0;
#endif
}

/*
 * Are shrinkers called for a memcg's limit? With cgroup.memory=nokmem they are not. The
 * kernel does not say so, but it turns the charging of its own memory on with the first
 * memcg beside the root. 6.3: renamed.
 */
static inline bool pashm_memcg_shrinks(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	if (mem_cgroup_disabled())
		return false;
	if (!memcg || !parent_mem_cgroup(memcg))
		return true;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return memcg_kmem_online();
#else
	return memcg_kmem_enabled();
#endif
#else
	return false;
#endif
}

/* What a memcg has of memory, or NULL; linked to those above it */
static inline struct page_counter *pashm_memcg_counter(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	return memcg ? &memcg->memory : NULL;
#else
	return NULL;
#endif
}

/* The same of swap, or, with cgroup v1, of both together */
static inline struct page_counter *
pashm_memcg_swap_counter(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	return memcg ? &memcg->swap : NULL;
#else
	return NULL;
#endif
}

/* The memcg that faults of @mm are charged to, under RCU; NULL: ask again */
static inline struct mem_cgroup *pashm_mm_memcg_rcu(struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	if (mem_cgroup_disabled())
		return NULL;
	return mem_cgroup_from_task(rcu_dereference(mm->owner));
#else
	return NULL;
#endif
}

/*
 * @memcg's items have moved to @heir's list: if its pages are @heir's, too, get a
 * reference on @heir. 7.2: those of a removed memcg become its parent's. Before,
 * they stay its own, and keep it in memory.
 */
static inline bool pashm_memcg_inherit(struct mem_cgroup *heir,
				       struct mem_cgroup *memcg)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	return memcg_is_dying(memcg) && mem_cgroup_tryget(heir);
#else
	return false;
#endif
}

/* 6.8: list_lru_add() takes node and memcg; the old form is now _obj */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define pashm_list_lru_add(lru, item)	list_lru_add_obj(lru, item)
#define pashm_list_lru_del(lru, item)	list_lru_del_obj(lru, item)
#else
#define pashm_list_lru_add(lru, item)	list_lru_add(lru, item)
#define pashm_list_lru_del(lru, item)	list_lru_del(lru, item)
#endif

/* Parameters of a walk's callback. 6.13: the lock is not among them */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define PASHM_LRU_WALK_PARAMS \
	struct list_head *item, struct list_lru_one *one, void *arg
#else
#define PASHM_LRU_WALK_PARAMS \
	struct list_head *item, struct list_lru_one *one, spinlock_t *lock, \
	void *arg
#endif

/*
 * How long reclaim waits for another reclaimer. Before 6.7 it holds shrinker_rwsem
 * meanwhile: with somebody waiting to make a cgroup or to mount, other reclaimers
 * do not get that, and call no shrinker at all.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define PASHM_RECLAIM_WAIT	(HZ / 10)
#else
#define PASHM_RECLAIM_WAIT	DIV_ROUND_UP(HZ, 100)
#endif

typedef unsigned long pashm_shrinker_fn(struct shrinker *shrinker,
					struct shrink_control *sc);

/*
 * Pages that one call is asked for. A direct reclaim asks for a thousandth of what
 * there is when it begins; what is less than this is put off.
 */
#define PASHM_SHRINKER_BATCH	SWAP_CLUSTER_MAX

#define PASHM_SHRINKER_FLAGS \
	(SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE | SHRINKER_NONSLAB)

/*
 * Register the shrinker so that its id is known before list_lru_init_memcg().
 * 6.1 registers live: the callbacks must bear being called at once. From 6.7 on
 * pashm_shrinker_enable() makes it live.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *pashm_shrinker_new(pashm_shrinker_fn *count,
						  pashm_shrinker_fn *scan)
{
	struct shrinker *shrinker = shrinker_alloc(PASHM_SHRINKER_FLAGS,
						   "pashm");

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = 1;
	shrinker->batch = PASHM_SHRINKER_BATCH;
	return shrinker;
}

static inline void pashm_shrinker_enable(struct shrinker *shrinker)
{
	shrinker_register(shrinker);
}

static inline void pashm_shrinker_delete(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#else
static inline struct shrinker *pashm_shrinker_new(pashm_shrinker_fn *count,
						  pashm_shrinker_fn *scan)
{
	static struct shrinker shrinker;

	shrinker.count_objects = count;
	shrinker.scan_objects = scan;
	shrinker.seeks = 1;
	shrinker.batch = PASHM_SHRINKER_BATCH;
	shrinker.flags = PASHM_SHRINKER_FLAGS;
	return register_shrinker(&shrinker, "pashm") ? NULL : &shrinker;
}

static inline void pashm_shrinker_enable(struct shrinker *shrinker)
{
}

static inline void pashm_shrinker_delete(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
}
#endif

#endif /* PASHM_COMPAT_H */
