// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into a program, writes what it allocates to the file $TRACE_MALLOC. For
 * programs with one process that end by exit().
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace_malloc.h"

#define RECORDS_MOST	(64UL << 20)
#define OBJECTS_MOST	(1UL << 24)	/* a power of two */

/* glibc's own, which need no dlsym() */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *object, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *object);

/* Objects by their addresses: open addressing, freed numbers are used again */
static struct slot {
	void *address;
	uint64_t number;
} *slots;
static uint64_t *unused, unused_count, numbers;
static struct trace_record *records;
static uint64_t count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *table_new(size_t size)
{
	void *table = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return table == MAP_FAILED ? NULL : table;
}

__attribute__((constructor)) static void begin(void)
{
	if (!getenv("TRACE_MALLOC"))
		return;
	slots = table_new(OBJECTS_MOST * sizeof(*slots));
	unused = table_new(OBJECTS_MOST * sizeof(*unused));
	records = table_new(RECORDS_MOST * sizeof(*records));
	if (!slots || !unused || !records)
		abort();
	count = 1;
}

__attribute__((destructor)) static void end(void)
{
	char *bytes = (char *)records;
	size_t left = count * sizeof(*records);
	ssize_t written;
	int fd;

	if (!records)
		return;
	pthread_mutex_lock(&lock);
	records[0].object = numbers;
	fd = open(getenv("TRACE_MALLOC"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
	while (left && (written = write(fd, bytes, left)) > 0) {
		bytes += written;
		left -= (size_t)written;
	}
	close(fd);
	records = NULL;
	pthread_mutex_unlock(&lock);
}

static uint64_t home(const void *address)
{
	return ((uintptr_t)address >> 4) * 0x9e3779b97f4a7c15 >> 40;
}

static struct slot *slot_of(const void *address)
{
	uint64_t i = home(address);

	while (slots[i].address && slots[i].address != address)
		i = (i + 1) & (OBJECTS_MOST - 1);
	return &slots[i];
}

/* Close the gap, so that no search ends too soon */
static void slot_clear(struct slot *slot)
{
	uint64_t gap = (uint64_t)(slot - slots), i = gap;

	for (;;) {
		slots[gap].address = NULL;
		do {
			i = (i + 1) & (OBJECTS_MOST - 1);
			if (!slots[i].address)
				return;
		} while (((i - home(slots[i].address)) & (OBJECTS_MOST - 1)) <
			 ((i - gap) & (OBJECTS_MOST - 1)));
		slots[gap] = slots[i];
		gap = i;
	}
}

static void record(uint64_t number, size_t size)
{
	if (count < RECORDS_MOST)
		records[count++] = (struct trace_record){ number, size };
}

static void *made(void *object, size_t size)
{
	struct slot *slot;

	if (!records || !object)
		return object;
	pthread_mutex_lock(&lock);
	slot = slot_of(object);
	slot->address = object;
	slot->number = unused_count ? unused[--unused_count] : ++numbers;
	record(slot->number, size ? size : 1);
	pthread_mutex_unlock(&lock);
	return object;
}

static void gone(void *object)
{
	struct slot *slot;

	if (!records || !object)
		return;
	pthread_mutex_lock(&lock);
	slot = slot_of(object);
	if (slot->address) {
		record(slot->number, 0);
		unused[unused_count++] = slot->number;
		slot_clear(slot);
	}
	pthread_mutex_unlock(&lock);
}

void *malloc(size_t size)
{
	return made(__libc_malloc(size), size);
}

void *calloc(size_t number, size_t size)
{
	return made(__libc_calloc(number, size), number * size);
}

void *realloc(void *object, size_t size)
{
	void *moved;

	gone(object);
	moved = __libc_realloc(object, size);
	return size ? made(moved, size) : moved;
}

void *memalign(size_t align, size_t size)
{
	return made(__libc_memalign(align, size), size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

int posix_memalign(void **object, size_t align, size_t size)
{
	*object = memalign(align, size);
	return *object ? 0 : ENOMEM;
}

void free(void *object)
{
	gone(object);
	__libc_free(object);
}
