/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * /dev/pashm: regions of anonymous shared memory that can be pinned.
 *
 * Every ioctl takes a pointer to a struct whose first member is its size in
 * bytes as the caller knows it. A shorter struct than the first version is
 * EINVAL; a longer one, up to a page, is accepted if what the kernel does not
 * know is zero, else E2BIG. Offsets and lengths are bytes and multiples of the page size.
 *
 * A region's descriptor can be polled, and read as an eventfd: it is readable when
 * extents were taken since its client last read, or since it was made; read()
 * waits for that, if it may, and gives their number, a __u64. A buffer smaller than
 * that is EINVAL. The sum of all, header.purges, needs no system call.
 *
 * ERRORS common to all ioctls
 *   ENOTTY   unknown command, or one that this kind of descriptor lacks
 *   EFAULT   the argument, or memory that it points to, cannot be accessed.
 *            Nothing has changed, unless the struct became inaccessible during
 *            the call: then all is done but the answer
 *   EINVAL   size too small; unknown flag; a reserved member that is not zero;
 *            offset or length unaligned, empty, or past the region's end
 *   E2BIG    size too large with something but zeros in the unknown part
 *   ENOMEM   no memory for kernel objects, or the cgroup's limit is reached
 * and for single ones
 *   CREATE   ENAMETOOLONG name without a NUL; EFBIG size beyond SIZE_MAX;
 *            EMFILE, ENFILE no descriptor left
 *   ATTACH   EPERM region was created with SOLE; EACCES prot asks for more than
 *            this descriptor has; EMFILE, ENFILE; EUSERS too many clients
 *   PIN      EPERM client of another process: ATTACH first; EAGAIN the count
 *            is at its limit; EINTR a signal came while waiting for a purge;
 *            E2BIG more than PASHM_RANGES_MAX ranges
 *   UNPIN    EPERM as PIN; ERANGE the range was not pinned; E2BIG as PIN
 *   WAIT     EINTR a signal came while waiting
 *   PURGE    EACCES this descriptor may not write; EINTR a signal came: what
 *            was purged until then is purged
 *   PROT     EINVAL adds a bit that was taken away before; EPERM as PIN; EACCES
 *            the whole region meant, and this descriptor may not write
 *   RESHAPE  EPERM as PIN; EACCES this descriptor may not write; EBUSY pinned
 *            by another client, or (FREE) more than once by the caller; EAGAIN
 *            as PIN; EINTR a signal came, nothing has changed; ERANGE an extent
 *            reaches across the borders of the range, or (FREE) the caller has
 *            not pinned it; EINVAL (FREE) no extent starts there
 */
#ifndef _UAPI_LINUX_PASHM_H
#define _UAPI_LINUX_PASHM_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/pashm_pin.h>

#define PASHM_DEVICE		"/dev/pashm"
#define PASHM_ABI_VERSION	1U

#define PASHM_NAME_MAX		64		/* with its NUL */
#define PASHM_SIZE_MAX		(1ULL << 42)	/* bytes of a region */
#define PASHM_RANGES_MAX	65536U
#define PASHM_CLIENTS_MAX	256U

/*
 * What a region's descriptor maps, by file offset. Tables and header are
 * MAP_SHARED only. Pin words belong to the calling client: another process
 * gets EPERM; they are not inherited over fork.
 */
#define PASHM_OFFSET_DATA	0ULL
#define PASHM_OFFSET_HEADER	0x080000000000ULL	/* one page, read-only */
#define PASHM_OFFSET_STATES	0x090000000000ULL	/* 8 bytes a page */
#define PASHM_OFFSET_BIRTHS	0x0a0000000000ULL	/* 4 bytes a page */
#define PASHM_OFFSET_PINS	0x0b0000000000ULL	/* 4 bytes a page */

#define PASHM_IOC_MAGIC		0xb5
#define PASHM_IOC_QUERY		_IO(PASHM_IOC_MAGIC, 0x00)
#define PASHM_IOC_CREATE	_IO(PASHM_IOC_MAGIC, 0x01)
#define PASHM_IOC_ATTACH	_IO(PASHM_IOC_MAGIC, 0x02)
#define PASHM_IOC_PIN		_IO(PASHM_IOC_MAGIC, 0x03)
#define PASHM_IOC_UNPIN		_IO(PASHM_IOC_MAGIC, 0x04)
#define PASHM_IOC_WAIT		_IO(PASHM_IOC_MAGIC, 0x05)
#define PASHM_IOC_INFO		_IO(PASHM_IOC_MAGIC, 0x06)
#define PASHM_IOC_PURGE		_IO(PASHM_IOC_MAGIC, 0x07)
#define PASHM_IOC_PROT		_IO(PASHM_IOC_MAGIC, 0x08)
#define PASHM_IOC_RESHAPE	_IO(PASHM_IOC_MAGIC, 0x09)

/**
 * struct pashm_query - what this module can do (device and region)
 * @size:         size of this struct
 * @flags:        must be 0
 * @abi_version:  out: PASHM_ABI_VERSION
 * @protocol:     out: PASHM_PROTOCOL_VERSION
 * @create_flags: out: PASHM_CREATE_* flags that CREATE understands
 * @page_size:    out: bytes of a page
 * @features:     out: PASHM_FEATURE_* bits
 */
struct pashm_query {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 protocol;
	__u32 create_flags;
	__u32 page_size;
	__u64 features;
};

#define PASHM_FEATURE_MEMCG	(1ULL << 0)	/* reclaim is cgroup-aware */
#define PASHM_FEATURE_POLL	(1ULL << 1)	/* poll and read tell of purges */

/**
 * struct pashm_create - make a region (device only)
 * @size:     size of this struct
 * @flags:    PASHM_CREATE_*
 * @length:   bytes of the region, a multiple of the page size, or of PASHM_HUGE_SIZE
 * @prot:     protection mask of the region, PROT_READ | PROT_WRITE | PROT_EXEC
 *            bits; 0 means all three
 * @priority: of extents that are made with PASHM_PRIORITY_REGION, if flags has
 *            PASHM_CREATE_PRIORITY; else 0
 * @name:     NUL-terminated, shown in /proc/PID/maps; may be empty
 *
 * Returns a new descriptor, close-on-exec: the region and its first client.
 */
struct pashm_create {
	__u32 size;
	__u32 flags;
	__u64 length;
	__u32 prot;
	__u32 priority;
	char name[PASHM_NAME_MAX];
};

/*
 * The region has one client for ever: ATTACH is refused, and the client may
 * change geometry by cmpxchg on the state words without asking the kernel.
 */
#define PASHM_CREATE_SOLE	(1U << 0)
/* Bit 1 is left to the library, whose flags are these and one of its own */
/*
 * Unpinned memory that is gone must not be touched: a fault raises SIGBUS if its
 * page belongs to an extent that no client has pinned and is not there, because
 * it was taken or never written. What is swapped out is there. A system call
 * that is given such memory fails with EFAULT, or stops short of it.
 */
#define PASHM_CREATE_STRICT	(1U << 2)
/*
 * Implies STRICT. For debugging: so does a fault on a page that is there. One
 * that is mapped does not fault; so after the last unpin clients drop their
 * mappings of it, by MADV_DONTNEED, which in a shared mapping loses no data.
 */
#define PASHM_CREATE_STRICT_UNPINNED	(1U << 3)
/* The region has a priority of its own in place of PASHM_PRIORITY_DEFAULT */
#define PASHM_CREATE_PRIORITY	(1U << 4)
/*
 * Mappings of the data ask for huge pages, as MADV_HUGEPAGE does; without this flag
 * they decline. Whether any are had is up to the machine's setting for shared memory.
 * The region is a multiple of PASHM_HUGE_SIZE, and so are its extents, which begin at
 * one; else CREATE and RESHAPE are EINVAL: extents that share a huge page cannot be given
 * back one by one. (Who makes extents by cmpxchg, as SOLE allows, has to see to that.)
 * A kernel with huge pages of another size does not know the flag.
 */
#define PASHM_CREATE_HUGE	(1U << 5)
#define PASHM_HUGE_SIZE		(1ULL << 21)

/**
 * struct pashm_attach - a new client of the region behind this descriptor
 * @size:  size of this struct
 * @flags: must be 0
 * @prot:  protection mask of the new descriptor, a subset of this one's;
 *         0 means the same as this one's
 * @reserved: must be 0
 *
 * Returns a new descriptor, close-on-exec, of a client without pins that
 * belongs to the calling process. A client's pins end with its process even if
 * other processes still hold the descriptor, so any region descriptor can be
 * sent or inherited as the ticket to attach by.
 */
struct pashm_attach {
	__u32 size;
	__u32 flags;
	__u32 prot;
	__u32 reserved;
};

/**
 * struct pashm_range - one extent in PIN and UNPIN
 * @offset:     in: of the extent's first byte
 * @length:     in: 0, or the extent's expected length: another one is STALE;
 *              out (PIN): its length
 * @generation: in (PIN): the known generation; out: the current one
 * @verdict:    out (PIN): enum pashm_verdict. The extent is pinned after INTACT
 *              and PURGED, and is not after STALE
 */
struct pashm_range {
	__u64 offset;
	__u64 length;
	__u32 generation;
	__u32 verdict;
};

/**
 * struct pashm_pin - pin or unpin many extents in one call
 * @size:   size of this struct
 * @flags:  must be 0
 * @ranges: address of an array of struct pashm_range
 * @count:  number of ranges, 1 to PASHM_RANGES_MAX
 * @done:   out, also on an error of a range: ranges finished. The first @done
 *          ranges are done, their answers are written, and the error is that
 *          of range number @done, which is as it was before
 *
 * A loss is found by comparing generations; nothing in the kernel is consumed
 * by telling it, so it cannot be lost on the way to the caller.
 */
struct pashm_pin {
	__u32 size;
	__u32 flags;
	__u64 ranges;
	__u32 count;
	__u32 done;
};

/**
 * struct pashm_wait - wait until no purge is in flight on an extent
 * @size:       size of this struct
 * @flags:      must be 0
 * @offset:     of the extent's first byte
 * @generation: out: current generation
 * @reserved:   must be 0
 *
 * To be called by a client that has raised its count and found PURGING. Waits
 * for the purges that are in flight now; then clears a PURGING that nobody
 * owns.
 */
struct pashm_wait {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u32 generation;
	__u32 reserved;
};

/**
 * struct pashm_info - the region's figures; sizes in bytes
 * @size:     size of this struct
 * @flags:    in: must be 0
 * @region_flags: out: PASHM_CREATE_* of the region
 * @prot:     out: this descriptor's protection mask
 * @length:   out: size of the region
 * @resident: out: memory in use
 * @swapped:  out: swapped out
 * @unpinned: out: in extents that no client has pinned, resident
 * @extents:  out: number of extents
 * @pinned_extents: out: of these, pinned by some client
 * @purged:   out: taken so far
 * @purges:   out: extents taken so far
 * @tables:   out: kernel memory of all tables of the region
 * @clients:  out: clients attached
 * @violations: out: state words that were changed under a purge: a client is
 *            broken or hostile
 * @epoch:    out: the reclaim clock
 * @priority: out: of extents that are made with PASHM_PRIORITY_REGION
 * @inode:    out: identifies the region on this machine
 * @name:     out
 *
 * Walks all existing tables to count; a snapshot, not an atomic one.
 */
struct pashm_info {
	__u32 size;
	__u32 flags;
	__u32 region_flags;
	__u32 prot;
	__u64 length;
	__u64 resident;
	__u64 swapped;
	__u64 unpinned;
	__u64 extents;
	__u64 pinned_extents;
	__u64 purged;
	__u64 purges;
	__u64 tables;
	__u32 clients;
	__u32 violations;
	__u32 epoch;
	__u32 priority;
	__u64 inode;
	char name[PASHM_NAME_MAX];
};

/**
 * struct pashm_purge - take all unpinned memory of this region now
 * @size:     size of this struct
 * @flags:    must be 0
 * @freed:    out: bytes given back
 */
struct pashm_purge {
	__u32 size;
	__u32 flags;
	__u64 freed;
};

/**
 * struct pashm_prot - give up access rights, for good
 * @size:  size of this struct
 * @flags: 0: this descriptor and those attached from it later;
 *         PASHM_PROT_REGION: the whole region (needs the right to write)
 * @prot:  the bits to keep; adding one is EINVAL
 * @reserved: must be 0
 *
 * Mappings made before keep their rights; all later ones obey, also through
 * mprotect and mremap.
 */
struct pashm_prot {
	__u32 size;
	__u32 flags;
	__u32 prot;
	__u32 reserved;
};

#define PASHM_PROT_REGION	(1U << 0)

/**
 * struct pashm_reshape - make or free an extent in a region with many clients
 * @size:       size of this struct
 * @flags:      PASHM_RESHAPE_*
 * @offset:     of the range's first byte
 * @length:     of the range; all extents that touch it must lie inside it
 * @priority:   of the extent to be made, 0 to PASHM_PRIORITY_MAX, or
 *              PASHM_PRIORITY_REGION
 * @generation: out: generation (and birth) of the extent made, or of the head
 *              that was freed
 *
 * Without PASHM_RESHAPE_FREE the range becomes one extent, pinned once more by
 * the caller; its bytes stay. With it, the range becomes unmanaged, and the
 * caller's pin on it, which must be exactly one, ends. Either way every extent that was there ends,
 * so no other client may have one of them pinned (EBUSY), and the caller may
 * have pinned only the one at @offset.
 */
struct pashm_reshape {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u32 priority;
	__u32 generation;
};

#define PASHM_RESHAPE_FREE	(1U << 0)	/* no extent afterwards */
#define PASHM_RESHAPE_DISCARD	(1U << 1)	/* give the pages back: zeros */

#endif /* _UAPI_LINUX_PASHM_H */
