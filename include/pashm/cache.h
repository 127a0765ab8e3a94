/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cache: key to value, in memory that is given back under pressure.
 *
 * For the threads of one process. A value is pinned while somebody reads or
 * writes it, and may be purged otherwise; a purged entry is a miss, and nobody
 * ever sees a purged byte. Values are a pool's objects: small ones share an
 * extent with others of about their size, and are pinned and purged with these.
 * Keys are beside the values where there is room, so that what a cache of small
 * values has on the heap is 64 bytes an entry, however long the keys are.
 *
 * All functions return 0 or a negative errno and do not set errno. A cache may
 * be used by all threads at once; only pashm_cache_destroy() must come last.
 */
#ifndef PASHM_CACHE_H
#define PASHM_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include <pashm/region.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pashm_cache;

#define PASHM_CACHE_KEY_MAX	65535U

/**
 * struct pashm_cache_params - how to create a cache
 * @length:   bytes of address space for values; 0 for as much as the machine
 *            has memory. Costs nothing until used: make it generous, how much
 *            memory it has is settled by pressure
 * @name:     of the region, shown in /proc/PID/maps; NULL for none. Copied
 * @backend:  enum pashm_backend
 * @flags:    PASHM_REGION_*, or 0; PASHM_REGION_SOLE is implied
 * @priority: of values that have none of their own, with PASHM_REGION_PRIORITY:
 *            see pashm_region_params
 * @maximum:  bytes of values beyond which some are thrown out; 0 for none. None is
 *            needed: pressure does it
 *
 * Members not named in an initialiser are zero, and zero means the default.
 */
struct pashm_cache_params {
	uint64_t length;
	const char *name;
	uint32_t backend;
	uint32_t flags;
	uint32_t priority;
	uint64_t maximum;
};

/* In pashm_cache_options: priority counts */
#define PASHM_CACHE_PRIORITY	(1U << 0)

/**
 * struct pashm_cache_options - of one value
 * @flags:      PASHM_CACHE_PRIORITY
 * @priority:   0 (taken first) to PASHM_PRIORITY_MAX
 * @expires_ms: time after which it is not found any more, rounded up to tenths of
 *              a second, at most 6 years; 0 for never. The clock stands still
 *              while the machine sleeps
 *
 * Members not named in an initialiser are zero, and zero means the default.
 */
struct pashm_cache_options {
	uint32_t flags;
	uint32_t priority;
	uint64_t expires_ms;
};

/**
 * struct pashm_cache_value - a value that the caller has pinned
 * @data:   its bytes, aligned to 16, or to a page if there are as many;
 *          writable until it is committed
 * @length: bytes
 * @entry:  the cache's own; 0 if there is no value
 */
struct pashm_cache_value {
	void *data;
	size_t length;
	uint64_t entry;
};

/**
 * struct pashm_cache_stats - counters since the cache was created
 * @hits:    gets that found a value
 * @misses:  gets that did not, purged values included
 * @purged:  entries found purged, by a get or while room was made
 * @evicted: entries thrown out because the address space or the maximum was full
 * @expired: entries found too old
 * @builds:  calls of pashm_cache_get_or_build() that built
 * @heap:    bytes that the cache has on the heap now, without the allocator's
 * @entries: entries now; some may have been purged without anyone noticing yet
 * @bytes:   bytes of their values
 */
struct pashm_cache_stats {
	uint64_t hits;
	uint64_t misses;
	uint64_t purged;
	uint64_t evicted;
	uint64_t expired;
	uint64_t builds;
	uint64_t heap;
	uint64_t entries;
	uint64_t bytes;
};

/**
 * pashm_cache_create - make a cache
 * @params: what to make; read once. NULL for all defaults
 * @cache:  set on success; the caller frees it with pashm_cache_destroy()
 *
 * Its region is made with PASHM_REGION_SOLE: no other process can import it.
 * Without the module none can purge it, either, as pashmctl does.
 *
 * Heap: an entry needs 48 bytes, 8 to 16 in the hash table, and in the allocator
 * 2; if its value does not share its pages, 52 there, and the key and 16 unless the
 * pages have room for it. Notes of values that were purged
 * need 4 bytes each, for up to 8 times as many as there are entries. Puts look for
 * purged entries now and then, so that entries without a value do not pile up.
 * What is not needed any more is used again, but not given back.
 *
 * Not inherited over fork: in a child all functions fail with -EINVAL, the
 * counters are 0, and only pashm_cache_destroy() makes sense.
 *
 * Returns 0, or as pashm_region_create() and pashm_pool_create().
 * Since: 0.1
 */
int pashm_cache_create(const struct pashm_cache_params *params,
		       struct pashm_cache **cache);

/**
 * pashm_cache_destroy - free a cache and all that is in it
 * @cache: may be NULL; all values have been released
 *
 * In a child, too; what a thread of the parent was about to change at the time
 * of the fork is left on the heap then. Since: 0.1
 */
void pashm_cache_destroy(struct pashm_cache *cache);

/**
 * pashm_cache_get - look up a key, and pin its value
 * @cache:      a cache
 * @key:        bytes of the key
 * @key_length: 1 to PASHM_CACHE_KEY_MAX
 * @value:      set on success, for reading; pinned until the caller releases it
 *              with pashm_cache_release()
 *
 * The value stays as it is until released, even if the key is removed or put
 * again meanwhile.
 *
 * Returns 0, or
 *   -ENOENT  not in the cache, or purged: then the entry is gone
 *   -EINVAL  key length, in a child
 *   -EAGAIN  too many references to this value
 *   -EINTR, -ETIMEDOUT (memfd): the entry stays
 * Thread-safe. Since: 0.1
 */
int pashm_cache_get(struct pashm_cache *cache, const void *key,
		    size_t key_length, struct pashm_cache_value *value);

/**
 * pashm_cache_release - end a reference got by get or commit
 * @cache: the cache
 * @value: its members are cleared
 *
 * Returns 0, or -EINVAL: in a child, or @value has been released before, which
 * is a mistake of the program. Thread-safe. Since: 0.1
 */
int pashm_cache_release(struct pashm_cache *cache,
			struct pashm_cache_value *value);

/**
 * pashm_cache_put - store a copy of a value
 * @cache:      a cache
 * @key:        bytes of the key; copied
 * @key_length: 1 to PASHM_CACHE_KEY_MAX
 * @data:       bytes of the value; copied
 * @length:     their number, at least 1
 *
 * Replaces the value that the key may have; those who read it keep it. If the
 * address space or the maximum is full, purged entries are dropped, then such as
 * were not used for long.
 *
 * Returns 0, or
 *   -EINVAL  key length, length 0, in a child
 *   -EFBIG   value and key are more than PASHM_EXTENT_PAGES_MAX pages
 *   -ENOSPC  does not fit, whatever is thrown out
 *   -EBUSY, -EAGAIN, -ERANGE  somebody has pinned free pages, or made extents,
 *            through pashm_cache_region()
 *   -ENOMEM, -EINTR, -EACCES, -ETIMEDOUT (memfd)
 * Unless it is 0, nothing was stored; while room was sought for it, others may
 * have been thrown out, and the key's old value, too.
 * Thread-safe. Since: 0.1
 */
int pashm_cache_put(struct pashm_cache *cache, const void *key,
		    size_t key_length, const void *data, size_t length);

/**
 * pashm_cache_reserve - begin a value to be filled in place
 * @cache:      a cache
 * @key:        bytes of the key; copied
 * @key_length: 1 to PASHM_CACHE_KEY_MAX
 * @length:     bytes of the value, at least 1
 * @options:    how long it lives, and the like; NULL for all defaults
 * @value:      set on success, for writing; the bytes are undefined. The
 *              caller ends it with pashm_cache_commit() or pashm_cache_abort()
 *
 * Nobody else sees it until it is committed. Two threads may fill the same key
 * at the same time: the later commit wins. Returns as pashm_cache_put(), and
 * -EINVAL also for an unknown flag, or a priority or a time that is too high.
 * Thread-safe. Since: 0.1
 */
int pashm_cache_reserve(struct pashm_cache *cache, const void *key,
			size_t key_length, size_t length,
			const struct pashm_cache_options *options,
			struct pashm_cache_value *value);

/**
 * pashm_cache_commit - let others see a value that was filled
 * @cache: the cache
 * @value: as reserved; its bytes must not be written any more
 * @keep:  go on reading it: @value becomes as if got, and is to be released;
 *         otherwise its members are cleared
 *
 * Returns 0, or -EINVAL as pashm_cache_release(); cannot fail otherwise.
 * Thread-safe. Since: 0.1
 */
int pashm_cache_commit(struct pashm_cache *cache,
		       struct pashm_cache_value *value, int keep);

/**
 * pashm_cache_abort - give up a value that was reserved
 * @cache: the cache
 * @value: as reserved; its members are cleared
 *
 * Returns as pashm_cache_release(). Thread-safe. Since: 0.1
 */
int pashm_cache_abort(struct pashm_cache *cache,
		      struct pashm_cache_value *value);

/**
 * pashm_cache_build - makes a value that was not found
 * @cache:      the cache
 * @key:        as given to pashm_cache_get_or_build()
 * @key_length: likewise
 * @value:      to be reserved for that key, and filled; it is committed by the
 *              caller
 * @context:    likewise
 *
 * Called without any lock. Returns 0, or a negative errno of its own: then it has
 * aborted what it reserved.
 */
typedef int pashm_cache_build(struct pashm_cache *cache, const void *key,
			      size_t key_length,
			      struct pashm_cache_value *value, void *context);

/* If another thread is building the value, do not wait for it */
#define PASHM_CACHE_PASS	(1U << 0)

/**
 * pashm_cache_get_or_build - look up a key, and make its value if need be
 * @cache:      a cache
 * @key:        bytes of the key
 * @key_length: 1 to PASHM_CACHE_KEY_MAX
 * @build:      called if there is no value
 * @context:    for @build
 * @flags:      PASHM_CACHE_PASS
 * @value:      set on success, as by pashm_cache_get()
 *
 * One thread at a time builds a key's value; the others wait and find it. If it
 * fails, they try themselves, one after the other. None of them may be cancelled
 * (pthread_cancel) in here, nor leave @build by longjmp().
 *
 * Returns 0, or as pashm_cache_get() but for -ENOENT, or
 *   -EBUSY    another thread builds, and @flags has PASHM_CACHE_PASS
 *   -EDEADLK  this thread builds that value already
 *   -EINVAL   also an unknown flag, or @build has returned 0 without a value
 *   what @build returned
 * Thread-safe. Since: 0.1
 */
int pashm_cache_get_or_build(struct pashm_cache *cache, const void *key,
			     size_t key_length, pashm_cache_build *build,
			     void *context, uint32_t flags,
			     struct pashm_cache_value *value);

/**
 * pashm_cache_visit - is shown an entry
 * @key:        its key, beside the value; as long as @value is pinned
 * @key_length: bytes
 * @value:      pinned during the call; the cache's to release
 * @context:    as given to pashm_cache_each()
 *
 * Called without any lock: it may call all functions but pashm_cache_destroy().
 * Returns 0 to go on, and else what pashm_cache_each() is to return.
 */
typedef int pashm_cache_visit(const void *key, size_t key_length,
			      const struct pashm_cache_value *value,
			      void *context);

/**
 * pashm_cache_each - show all entries that have a value
 * @cache:   a cache
 * @visit:   called for each
 * @context: for @visit
 *
 * What is there from the beginning to the end is shown once, what comes or goes
 * meanwhile perhaps. Does not count as use.
 *
 * Returns 0, -EINVAL in a child, or what @visit returned if that was not 0.
 * Thread-safe. Since: 0.1
 */
int pashm_cache_each(struct pashm_cache *cache, pashm_cache_visit *visit,
		     void *context);

/**
 * pashm_cache_remove - drop a key
 * @cache:      a cache
 * @key:        bytes of the key
 * @key_length: 1 to PASHM_CACHE_KEY_MAX
 *
 * Those who read the value keep it until they release it. Returns 0, -ENOENT
 * or -EINVAL. Thread-safe. Since: 0.1
 */
int pashm_cache_remove(struct pashm_cache *cache, const void *key,
		       size_t key_length);

/**
 * pashm_cache_stats - counters
 * @cache: a cache
 * @stats: filled in; a snapshot, not an atomic one
 *
 * Thread-safe. Since: 0.1
 */
void pashm_cache_stats(struct pashm_cache *cache,
		       struct pashm_cache_stats *stats);

/**
 * pashm_cache_region - the region that has the values
 * @cache: a cache
 *
 * For pashm_region_info() and pashm_region_purge(). Belongs to the cache.
 * Thread-safe. Since: 0.1
 */
struct pashm_region *pashm_cache_region(const struct pashm_cache *cache);

#ifdef __cplusplus
}
#endif

#endif /* PASHM_CACHE_H */
