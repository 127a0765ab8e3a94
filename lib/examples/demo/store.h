/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the load needs of a cache. Two kinds stand behind it: store_pashm.c,
 * which is the one to look at, and store_heap.c, which is how it is usually
 * done. All functions are thread-safe but open and close.
 */
#ifndef DEMO_STORE_H
#define DEMO_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store {
	const struct store_ops *ops;
};

/* A value in use: its bytes stay where and what they are until released */
struct store_value {
	void *data;
	size_t length;
	uintptr_t entry;
};

/**
 * struct store_figures - how a store is doing
 * @resident: bytes of memory that it has
 * @purged:   bytes that were taken from it since it was opened
 * @module:   the kernel module takes them
 */
struct store_figures {
	uint64_t resident;
	uint64_t purged;
	bool module;
};

/**
 * struct store_ops - a kind of cache; functions return 0 or a negative errno
 * @name:    for the user
 * @open:    make a store; @limit is how much it may have, if it needs to know
 * @close:   free it
 * @get:     find a value, or -ENOENT; ends with @release
 * @reserve: begin a value that the caller fills; ends with @commit or @abort
 * @commit:  others may find it from now on; the caller may still read it until
 *           @release
 */
struct store_ops {
	const char *name;
	int (*open)(size_t limit, struct store **store);
	void (*close)(struct store *store);
	int (*get)(struct store *store, const char *key,
		   struct store_value *value);
	int (*reserve)(struct store *store, const char *key, size_t length,
		       struct store_value *value);
	void (*commit)(struct store *store, struct store_value *value);
	void (*abort)(struct store *store, struct store_value *value);
	void (*release)(struct store *store, struct store_value *value);
	int (*figures)(struct store *store, struct store_figures *figures);
};

extern const struct store_ops store_pashm;
extern const struct store_ops store_heap;

#endif /* DEMO_STORE_H */
