/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects in a queue that knows its size in pages, over <sys/queue.h>. The
 * oldest come first: the macros that go the other way break the aliasing rules of C.
 */
#ifndef POLICY_QUEUE_H
#define POLICY_QUEUE_H

#include <sys/queue.h>

#include "trace.h"

struct queue;

/**
 * struct item - an object, as a policy sees it
 * @link:  in @queue
 * @queue: that it is in, or NULL
 * @pages: its size
 * @count: what the policy counts of its uses
 */
struct item {
	TAILQ_ENTRY(item) link;
	struct queue *queue;
	uint32_t pages;
	uint32_t count;
};

TAILQ_HEAD(item_list, item);

struct queue {
	struct item_list list;
	uint64_t pages;
};

static inline void queue_init(struct queue *queue)
{
	TAILQ_INIT(&queue->list);
	queue->pages = 0;
}

static inline void queue_add(struct queue *queue, struct item *item)
{
	TAILQ_INSERT_TAIL(&queue->list, item, link);
	queue->pages += item->pages;
	item->queue = queue;
}

static inline void queue_remove(struct item *item)
{
	TAILQ_REMOVE(&item->queue->list, item, link);
	item->queue->pages -= item->pages;
	item->queue = NULL;
}

static inline void queue_move(struct queue *queue, struct item *item)
{
	queue_remove(item);
	queue_add(queue, item);
}

static inline struct item *queue_oldest(const struct queue *queue)
{
	return TAILQ_FIRST(&queue->list);
}

/* One for each object of the trace, in no queue */
static inline struct item *items_new(const struct trace *trace)
{
	struct item *items = must_calloc(trace->keys, sizeof(*items));
	uint32_t i;

	for (i = 0; i < trace->keys; i++)
		items[i].pages = trace->pages[i];
	return items;
}

#endif /* POLICY_QUEUE_H */
