/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regions: anonymous shared memory made of extents that can be pinned.
 *
 * All functions return 0 or a negative errno and do not set errno. A region
 * may be used by all threads at once; only pashm_region_close() must come last.
 *
 * A program that closes descriptors which are not its own (closefrom) must
 * close its regions first. If it does not, calls fail with -EBADF and memory is
 * no longer taken back; whatever has got the descriptors' numbers since is left
 * alone.
 *
 * A child of fork() shares the data that was mapped, but is not a client: there
 * the region can be closed, or imported again from its descriptor, and all else
 * fails: pins and extents with -EINVAL, the rest with -EBADF.
 */
#ifndef PASHM_REGION_H
#define PASHM_REGION_H

#include <stddef.h>
#include <stdint.h>
#include <pashm/pin.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum pashm_backend - who takes memory back
 * @PASHM_BACKEND_AUTO:   the module if /dev/pashm can be opened, else memfd;
 *                        the environment's PASHM_BACKEND=module|memfd overrides.
 *                        Any other value is an error (EINVAL); empty is none
 * @PASHM_BACKEND_MODULE: the kernel module
 * @PASHM_BACKEND_MEMFD:  a thread of this library, driven by memory pressure
 */
enum pashm_backend {
	PASHM_BACKEND_AUTO = 0,
	PASHM_BACKEND_MODULE = 1,
	PASHM_BACKEND_MEMFD = 2,
};

/* Region is for this process alone: no import; making extents needs no call */
#define PASHM_REGION_SOLE	(1U << 0)
/* memfd only: no reclaimer thread; the program calls pashm_region_purge() */
#define PASHM_REGION_NO_THREAD	(1U << 1)
/*
 * Module only: who touches memory that was purged, or never written, and that no
 * client has pinned, gets SIGBUS instead of zeros; a system call that is given
 * such memory fails with EFAULT. Memory of no extent is not concerned. Without
 * the module nobody sees the touch, so creating such a region fails. Since: 0.1
 */
#define PASHM_REGION_STRICT	(1U << 2)
/*
 * Implies PASHM_REGION_STRICT. For debugging: so does who touches any memory that
 * is not pinned. For that the last unpin of a client drops its mapping of the
 * extent, by a system call; what another process has mapped stays. Since: 0.1
 */
#define PASHM_REGION_STRICT_UNPINNED	(1U << 3)

/* The region has a priority of its own, in pashm_region_params. Since: 0.1 */
#define PASHM_REGION_PRIORITY	(1U << 4)

/*
 * Data are to be in huge pages, if the machine's setting for shared memory lets those
 * have them that ask (/sys/kernel/mm/transparent_hugepage/shmem_enabled; as a rule it
 * does not). They cost less to fill, and much less to take back. Extents
 * are multiples of PASHM_HUGE_BYTES and begin at one; the region's length, and what
 * pashm_pool and pashm_cache allocate, are rounded up to that. The first touch brings in
 * as much. Since: 0.1
 */
#define PASHM_REGION_HUGE	(1U << 5)
#define PASHM_HUGE_BYTES	(2UL << 20)

#define PASHM_REGION_NAME_MAX	64	/* with its NUL */

/**
 * struct pashm_region_params - how to create a region
 * @length:  bytes; rounded up to pages. Costs nothing until touched
 * @name:    shown in /proc/PID/maps, by memfd as "pashm:NAME"; NULL for none.
 *           Copied
 * @flags:   PASHM_REGION_*
 * @backend: enum pashm_backend
 * @priority: of extents that are made with PASHM_PRIORITY_REGION, pashm_cache's
 *           among them: 0 (taken first) to PASHM_PRIORITY_MAX. Without
 *           PASHM_REGION_PRIORITY it must be 0, and PASHM_PRIORITY_DEFAULT is meant
 *
 * Members not named in an initialiser are zero, and zero means the default.
 */
struct pashm_region_params {
	uint64_t length;
	const char *name;
	uint32_t flags;
	uint32_t backend;
	uint32_t priority;
};

/**
 * struct pashm_region_info - a region's figures; sizes in bytes
 * See struct pashm_info of <linux/pashm.h> for what each counts.
 */
struct pashm_region_info {
	uint64_t length;
	uint64_t resident;
	uint64_t swapped;
	uint64_t unpinned;
	uint64_t extents;
	uint64_t pinned_extents;
	uint64_t purged;
	uint64_t purges;
	uint64_t tables;
	uint32_t clients;
	uint32_t violations;
	uint32_t epoch;
	uint32_t backend;
	uint32_t flags;
	uint32_t priority;
	uint64_t inode;
	char name[PASHM_REGION_NAME_MAX];
};

/**
 * pashm_region_create - make a new region and open it
 * @params: what to make; read once
 * @region: set on success; the caller closes it with pashm_region_close()
 *
 * Returns 0, or
 *   -EINVAL        length 0, unknown flag or backend, also in PASHM_BACKEND;
 *                  priority too high, or without its flag
 *   -EFBIG         length beyond what the backend can hold, or (memfd) beyond
 *                  RLIMIT_FSIZE
 *   -ENAMETOOLONG  name longer than PASHM_REGION_NAME_MAX - 1
 *   -ENOENT, -EACCES, -EPERM  backend MODULE asked for and not available
 *   -EPROTO        backend MODULE asked for, and the module is of a version that
 *                  this library does not know
 *   -EOPNOTSUPP    a flag that the backend cannot do: PASHM_REGION_STRICT with
 *                  memfd, also by AUTO, or with a module that is too old
 *   -EMFILE, -ENFILE, -ENOMEM, -ENOSPC (memfd), -EAGAIN (no thread)
 * Thread-safe. Since: 0.1
 */
int pashm_region_create(const struct pashm_region_params *params,
			struct pashm_region **region);

/**
 * pashm_region_import - become a client of the region behind a descriptor
 * @fd:     a region's descriptor, received or inherited; stays the caller's
 * @region: set on success; the caller closes it with pashm_region_close()
 *
 * Either backend, found from the descriptor. Everything the other side could
 * have forged is validated.
 *
 * Returns 0, or
 *   -EBADF, -EINVAL  not a region, or not a sound one
 *   -EPERM           region was created with PASHM_REGION_SOLE
 *   -EUSERS          too many clients
 *   -EPROTO          version that this library does not know
 *   -EACCES          (memfd) the file may not be written by this user
 *   -ETIMEDOUT       (memfd) another process holds a purge and is stopped
 *   -EMFILE, -ENFILE, -ENOMEM, -EAGAIN (no thread)
 * Thread-safe. Since: 0.1
 */
int pashm_region_import(int fd, struct pashm_region **region);

/**
 * pashm_region_close - give up a region: its pins, mappings and descriptors
 * @region: may be NULL
 *
 * The memory lives on while another client or mapping has it. The caller sees
 * to it that no thread uses the region any more. Since: 0.1
 */
void pashm_region_close(struct pashm_region *region);

/**
 * pashm_region_map - map the data
 * @region: an open region
 * @prot:   PROT_READ, perhaps PROT_WRITE
 * @data:   set on success if not NULL; unmapped by pashm_region_close()
 *
 * The first call maps, later ones return the same address and must ask for
 * the same protection. Length: the region's length.
 *
 * Returns 0, or -EINVAL (not readable, or another bit), -EACCES, -EPERM
 * (module: its protection mask), -EBUSY (mapped with another protection), -ENOMEM.
 * Thread-safe. Since: 0.1
 */
int pashm_region_map(struct pashm_region *region, int prot, void **data);

/**
 * pashm_region_fd - descriptor to send to another process
 * @region: an open region
 *
 * Belongs to the region: send or dup it, do not close it. Whoever has it can
 * become a client by pashm_region_import(); it carries no pins. Since: 0.1
 */
int pashm_region_fd(const struct pashm_region *region);

/** pashm_region_length - bytes of the region. Since: 0.1 */
uint64_t pashm_region_length(const struct pashm_region *region);

/** pashm_region_backend - which backend it runs on, never AUTO. Since: 0.1 */
enum pashm_backend pashm_region_backend(const struct pashm_region *region);

/**
 * pashm_extent_create - make an extent out of unmanaged pages or whole extents
 * @region:   an open region
 * @page:     index of its first page
 * @pages:    length in pages, 1 to PASHM_EXTENT_PAGES_MAX
 * @priority: 0 (taken first) to PASHM_PRIORITY_MAX, or PASHM_PRIORITY_REGION
 * @handle:   set on success; its generation is that of the extent's birth
 *
 * The extent is pinned once more by the caller afterwards; its bytes are what
 * they were. Extents inside the range end; one that reaches across its borders
 * is an error, and so is a pin on one of them other than the caller's own pins
 * on @page. Two threads must not reshape overlapping ranges of a SOLE region at
 * the same time.
 *
 * Returns 0, or
 *   -EINVAL  range not in the region, or priority too high; in a region with
 *            PASHM_REGION_HUGE, not of whole huge pages
 *   -EBUSY   pinned, or being purged
 *   -ERANGE  an extent reaches across the borders
 *   -EAGAIN  pinned too often, or another thread is changing it
 *   -EACCES, -ENOMEM, -EINTR, -ETIMEDOUT (memfd)
 * On one of the last four, some extents inside the range may have ended.
 * Since: 0.1
 */
int pashm_extent_create(struct pashm_region *region, uint32_t page,
			uint32_t pages, uint32_t priority,
			struct pashm_handle *handle);

/* Give the pages back at once instead of leaving them to the next extent */
#define PASHM_EXTENT_DISCARD	(1U << 0)

/**
 * pashm_extent_destroy - end an extent; its pages become unmanaged
 * @region: an open region
 * @page:   index of its first page, pinned exactly once by this client
 * @flags:  PASHM_EXTENT_DISCARD
 *
 * The pin is dropped. Handles that still name the extent become stale.
 * Unmanaged pages are never purged.
 *
 * In a region with PASHM_REGION_SOLE, a thread that tries to pin the extent at
 * the same moment may get -EAGAIN instead of PASHM_STALE.
 *
 * Returns 0, or -EINVAL (no extent there, unknown flag), -EBUSY (pinned by
 * another client, or more than once), -ERANGE (not pinned), -EAGAIN (another
 * thread is changing it), -EACCES, -EINTR, -ETIMEDOUT (memfd). Since: 0.1
 */
int pashm_extent_destroy(struct pashm_region *region, uint32_t page,
			 uint32_t flags);

/**
 * pashm_region_purge - take all unpinned memory of the region now
 * @region: an open region
 * @freed:  set if not NULL, on an error, too: bytes of memory given back
 *
 * Returns 0, or -EACCES (may not write), -EINTR, -ETIMEDOUT (memfd).
 * Thread-safe. Since: 0.1
 */
int pashm_region_purge(struct pashm_region *region, uint64_t *freed);

/**
 * pashm_region_info - the region's figures
 * @region: an open region
 * @info:   filled in; a snapshot
 *
 * Walks all extents. Returns 0, -ETIMEDOUT (memfd), or another negative errno of
 * the system. Thread-safe. Since: 0.1
 */
int pashm_region_info(struct pashm_region *region,
		      struct pashm_region_info *info);

/**
 * pashm_region_protect - give up access rights of this client, for good
 * @region: an open region
 * @prot:   PROT_* bits that stay
 *
 * Later mappings obey, and clients that import from this one's descriptor.
 * Returns 0, -EINVAL (adds a bit), -EBADF (inherited over fork), -EOPNOTSUPP
 * (memfd: a memfd can only be made read-only for everybody by its seals).
 * Since: 0.1
 */
int pashm_region_protect(struct pashm_region *region, int prot);

#ifdef __cplusplus
}
#endif

#endif /* PASHM_REGION_H */
