/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A region without the module: everything in one memfd, and whoever feels
 * memory pressure purges.
 *
 * backend_memfd.c  open, import, close; the ops table
 * memfd_layout.c   what is where; checking a foreign header
 * memfd_file.c     descriptors
 * memfd_lock.c     the purge lock, waiting for a purge
 * memfd_peer.c     clients: attaching, noticing death, reading their pins
 * memfd_walk.c     which table and data pages exist; going through extents
 * memfd_purge.c    claim, punch, publish; completing a dead purger's work
 * memfd_reshape.c  making and ending extents
 * memfd_info.c     figures
 * reclaim.c        which extents to take
 *
 * LOCK ORDER: purge_mutex, then the OFD purge lock, then (tried, never waited
 * for) a dead client's OFD lock. The registry's lock is neither taken inside nor
 * held outside.
 */
#ifndef LIB_MEMFD_H
#define LIB_MEMFD_H

#include <sys/stat.h>
#include "backend.h"
#include "memfd_layout.h"
#include "reclaim.h"

/* How long to wait for a purger or lock holder that may have been stopped */
#define MEMFD_TIMEOUT_MS	10000

#define MEMFD_NO_CLIENT		UINT32_MAX

/**
 * struct memfd_peer - a client whose pins count, as seen under the purge lock
 * @client:  its number
 * @words:   its pin table, mapped here
 * @present: 1 + number of a page of its pin table that is known to exist, or
 *           0. Only the holder of the purge lock takes such pages away
 */
struct memfd_peer {
	uint32_t client;
	const uint32_t *words;
	uint64_t present;
};

/**
 * struct memfd_region
 * @base:        first member
 * @layout:      constant
 * @lock_fd:     this client's own open file description: its OFD locks are the
 *               purge lock and the proof of life. Never sent; constant but for
 *               a forked child, which closes it. Set and closed under the
 *               registry's lock, so that no child can miss it
 * @device, @inode: of the file; constant. The program may have closed lock_fd
 *               with all others (closefrom) and the number may mean something
 *               else by now
 * @client:      number of this client; constant once attached
 * @header:      page 0; each field as described there
 * @purge:       page 1; likewise
 * @clients:     page 2; likewise
 * @pin_tables:  all clients' pin tables, read-only; NULL in a SOLE region
 * @data:        the data's place, inaccessible until pashm_region_map();
 *               serves mincore(), too
 * @cancel:      the lock holder's cancellation state to be restored; under the
 *               purge lock
 * @purge_mutex: the purge lock's half inside the process: OFD locks do not
 *               exclude threads that share a file description
 * @peers:       clients whose pins count, this one first; under the purge lock
 * @peer_count:  their number; likewise
 * @epoch_step:  pages to take before the epoch moves; likewise
 * @reclaim:     state of the victim clock; likewise
 */
struct memfd_region {
	struct pashm_region base;
	struct memfd_layout layout;
	int lock_fd;
	dev_t device;
	ino_t inode;
	uint32_t client;
	struct memfd_header *header;
	struct memfd_purge *purge;
	struct memfd_entry *clients;
	uint32_t *pin_tables;
	unsigned char *data;
	int cancel;
	pthread_mutex_t purge_mutex;
	struct memfd_peer peers[MEMFD_CLIENTS];
	uint32_t peer_count;
	uint64_t epoch_step;
	struct reclaim reclaim;
};

static inline struct memfd_region *memfd_region(struct pashm_region *region)
{
	return (struct memfd_region *)region;
}

/**
 * struct memfd_extent - a head as found in the state table
 */
struct memfd_extent {
	uint32_t page;
	uint32_t pages;
	uint64_t state;
};

/* memfd_file.c: a new memfd, and how large to make it */
int pashm_memfd_ticket(const char *name);
int pashm_memfd_file_size(int fd, uint64_t size);
/* A file description of our own, for reading and writing */
int pashm_memfd_reopen(int fd);
/* Settle that @fd is the region's file. Takes over @fd, even if it fails */
int pashm_memfd_file_set(struct memfd_region *m, int fd);
/* Close @fd if it is open, and on the region's file */
void pashm_memfd_file_close(const struct memfd_region *m, int fd);
/* fstat() of lock_fd, if that still is this region's: else -EBADF */
int pashm_memfd_stat(const struct memfd_region *m, struct stat *stat);

/*
 * memfd_lock.c
 *
 * Take the purge lock: bring a dead purger's work to an end and list the
 * clients. Waits up to @timeout_ms; 0 means one try. Returns 0, -ETIMEDOUT,
 * or an error of fcntl(). Until it is unlocked the thread cannot be cancelled.
 */
int pashm_memfd_lock(struct memfd_region *m, int timeout_ms);
void pashm_memfd_unlock(struct memfd_region *m);
/*
 * Let go of the lock for a moment if somebody waits; as pashm_memfd_lock(). If
 * it fails the lock is not held any more.
 */
int pashm_memfd_relax(struct memfd_region *m, int timeout_ms);
int pashm_memfd_wait(struct pashm_region *region, uint32_t page);
/* One try for an OFD lock: 0, -EAGAIN or another error */
int pashm_memfd_ofd_lock(struct memfd_region *m, long byte);
void pashm_memfd_ofd_unlock(struct memfd_region *m, long byte);

/* memfd_peer.c: all under the purge lock */
int pashm_memfd_attach(struct memfd_region *m);
void pashm_memfd_detach(struct memfd_region *m);
void pashm_memfd_peers_gather(struct memfd_region *m);
/*
 * Any client's count at @page but, with @others, this one's. After (B) the
 * answer may be relied on
 */
bool pashm_memfd_pinned(struct memfd_region *m, uint32_t page, bool others);
/*
 * A hint: it may miss a pin. If it finds none, how long nobody has used the
 * extent, in epochs
 */
bool pashm_memfd_pinned_or_age(struct memfd_region *m, uint32_t page,
			       uint32_t epoch, uint32_t *age);

/* memfd_walk.c */
uint64_t pashm_memfd_seek_data(const struct memfd_region *m, uint64_t from,
			       uint64_t limit);
uint64_t pashm_memfd_seek_hole(const struct memfd_region *m, uint64_t from,
			       uint64_t limit);
int pashm_memfd_punch(const struct memfd_region *m, uint64_t offset,
		      uint64_t length);
/* Pages of the data in memory, by mincore: without what is swapped out */
uint64_t pashm_memfd_incore(const struct memfd_region *m, uint64_t page,
			    uint64_t pages);

/**
 * struct memfd_walk - goes through the extents of a range of pages, upwards
 * @page:  next word to look at
 * @end:   first one not to look at; cut to the region's size
 * @known: words below are in table pages that exist
 * @sure:  do not miss an extent, at the price of reading table pages that do
 *         not exist; see memfd_walk.c
 * @data:  cache: no data page exists between an extent asked for and this one
 */
struct memfd_walk {
	uint64_t page;
	uint64_t end;
	uint64_t known;
	bool sure;
	uint64_t data;
};

void pashm_memfd_walk_init(struct memfd_walk *walk, uint64_t page,
			   uint64_t end);
void pashm_memfd_walk_init_sure(struct memfd_walk *walk, uint64_t page,
				uint64_t end);
bool pashm_memfd_walk_next(const struct memfd_region *m,
			   struct memfd_walk *walk,
			   struct memfd_extent *extent);
/* Has the extent just found any data page, in memory or swapped out? */
bool pashm_memfd_walk_resident(const struct memfd_region *m,
			       struct memfd_walk *walk,
			       const struct memfd_extent *extent);
/* The last extent before @page, if there is one that could reach it */
bool pashm_memfd_walk_before(const struct memfd_region *m, uint32_t page,
			     struct memfd_extent *extent);

/* memfd_purge.c: all under the purge lock */
void pashm_memfd_slot_take(struct memfd_region *m, uint32_t page,
			   uint32_t pages);
void pashm_memfd_slot_phase(struct memfd_region *m, enum memfd_phase phase);
bool pashm_memfd_claim(struct memfd_region *m, uint32_t page, uint64_t state);
void pashm_memfd_revert(struct memfd_region *m, uint64_t page, uint64_t pages);
/*
 * Take extents that follow each other without a gap and have data, or as many
 * of them as nobody has pinned, from the first on. Returns the pages that were
 * in memory.
 */
uint64_t pashm_memfd_purge_extents(struct memfd_region *m,
				   const struct memfd_extent *extents,
				   uint32_t count);
void pashm_memfd_recover(struct memfd_region *m);
void pashm_memfd_stale_clear(struct memfd_region *m, uint32_t page);

/* memfd_reshape.c, memfd_info.c: operations of the backend */
int pashm_memfd_reshape(struct pashm_region *region,
			struct backend_reshape *reshape);
int pashm_memfd_info(struct pashm_region *region,
		     struct pashm_region_info *info);

#endif /* LIB_MEMFD_H */
