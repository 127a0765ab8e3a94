// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The world of a fuzz target: wrapped calls (-Wl,--wrap), and what the library
 * maps. The wrappers concern the library only while a target says so; the
 * fuzzer's own calls pass.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include "fuzz.h"
#include "world.h"

#define PAGE		4096UL
/* Addresses for mappings; what is larger goes without guard pages */
#define ARENA_SIZE	(8UL << 30)
#define MAPPINGS	64

/*
 * System calls in one call of the library: some for each extent of the largest
 * region and each peer, or for each try of something that is busy. Waiting out a
 * lock that is not given up would take 5,000 naps, if those who sleep did not
 * oversleep so much.
 */
#define CALLS_MOST	200000
#define OVERSLEEP	20

unsigned int fuzz_cpu;

/**
 * struct mapping - one of the library's
 * @start:  address
 * @size:   bytes, whole pages
 * @fd:     of the file, or -1
 * @offset: in it
 */
struct mapping {
	unsigned char *start;
	size_t size;
	int fd;
	uint64_t offset;
};

/**
 * struct world
 * @arena:    reserved addresses
 * @used:     bytes of them, since the beginning of this input
 * @mappings: in the arena
 * @count:    their number
 * @fd:       lowest free descriptor at the beginning
 * @poke:     the target's, or NULL
 * @begun:    between begin and end
 * @inside:   in a call of the library
 * @busy:     in @poke
 * @calls:    system calls in this call of the library
 * @now:      ns
 * @fail:     errno of the next system call; 0: none
 * @alloc:    the next allocation fails
 * @failed:   one of them has happened
 */
static struct world {
	unsigned char *arena;
	size_t used;
	struct mapping mappings[MAPPINGS];
	unsigned int count;
	int fd;
	void (*poke)(const void *address);
	bool begun;
	bool inside;
	bool busy;
	unsigned int calls;
	uint64_t now;
	int fail;
	bool alloc;
	bool failed;
} world;

const struct fuzz_text *(*fuzz_file)(const char *path);
bool (*fuzz_may_punch)(uint64_t offset, uint64_t length);
void (*fuzz_read)(char *text, size_t length);
bool fuzz_poke_always;

void fuzz_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

static int descriptor_next(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

void fuzz_world_begin(void (*poke)(const void *address))
{
	if (!world.arena)
		world.arena = __real_mmap(NULL, ARENA_SIZE, PROT_NONE,
					  MAP_PRIVATE | MAP_ANONYMOUS |
					  MAP_NORESERVE, -1, 0);
	fuzz_check(world.arena != MAP_FAILED);
	world.used = 0;
	world.now = 1000000000;
	world.poke = poke;
	world.fail = 0;
	world.alloc = false;
	world.fd = descriptor_next();
	world.begun = true;
}

void fuzz_world_end(void)
{
	world.begun = false;
	fuzz_check(world.count == 0);
	fuzz_check(descriptor_next() == world.fd);
}

void fuzz_enter(void)
{
	world.calls = 0;
	world.inside = true;
}

void fuzz_leave(void)
{
	world.inside = false;
	world.fail = 0;
	world.alloc = false;
	fuzz_check(world.calls <= CALLS_MOST);
}

void fuzz_fail_call(int error)
{
	world.fail = error;
}

void fuzz_fail_alloc(void)
{
	world.alloc = true;
}

bool fuzz_has_failed(void)
{
	bool failed = world.failed;

	world.failed = false;
	return failed;
}

static void poke(const void *address)
{
	if (!world.inside || world.busy || !world.poke)
		return;
	world.busy = true;
	world.poke(address);
	world.busy = false;
}

/* A system call of the library: false if it is to fail; errno is set */
static bool call_allowed(void)
{
	if (!world.inside || world.busy)
		return true;
	world.calls++;
	poke(NULL);
	if (!world.fail)
		return true;
	errno = world.fail;
	world.fail = 0;
	world.failed = true;
	return false;
}

static bool alloc_allowed(void)
{
	if (!world.inside || world.busy || !world.alloc)
		return true;
	world.alloc = false;
	world.failed = true;
	errno = ENOMEM;
	return false;
}

/* --- mappings --- */

static size_t page_up(size_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

int fuzz_mapped(const void *address, uint64_t *offset)
{
	const unsigned char *at = address;
	struct mapping *mapping;
	unsigned int i;

	for (i = 0; i < world.count; i++) {
		mapping = &world.mappings[i];
		if (at < mapping->start || at >= mapping->start + mapping->size)
			continue;
		*offset = mapping->offset + (uint64_t)(at - mapping->start);
		return mapping->fd;
	}
	return -1;
}

void *__wrap_mmap(void *address, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	size_t whole = page_up(size);
	unsigned char *start;

	if (!world.begun || world.busy || address)
		return __real_mmap(address, size, prot, flags, fd, offset);
	if (!call_allowed())
		return MAP_FAILED;
	if (size == 0 || whole < size ||
	    whole > ARENA_SIZE - world.used - 2 * PAGE)
		return __real_mmap(address, size, prot, flags, fd, offset);
	start = world.arena + world.used + PAGE;
	if (__real_mmap(start, size, prot, flags | MAP_FIXED, fd, offset) ==
	    MAP_FAILED)
		return MAP_FAILED;
	fuzz_check(world.count < MAPPINGS);
	world.mappings[world.count++] = (struct mapping){
		.start = start, .size = whole, .fd = fd,
		.offset = (uint64_t)offset,
	};
	world.used += whole + PAGE;
	return start;
}

int __wrap_munmap(void *address, size_t size)
{
	unsigned char *start = address;
	unsigned int i;

	if (!world.begun || start < world.arena ||
	    start >= world.arena + ARENA_SIZE)
		return __real_munmap(address, size);
	for (i = 0; i < world.count; i++) {
		if (world.mappings[i].start == start)
			break;
	}
	/* What was not mapped, or not like this, is not unmapped */
	fuzz_check(i < world.count);
	fuzz_check(world.mappings[i].size == page_up(size));
	world.mappings[i] = world.mappings[--world.count];
	fuzz_check(__real_mmap(start, page_up(size), PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			       MAP_FIXED, -1, 0) == start);
	return 0;
}

/* --- loads: the compiler calls these before each --- */

static void loaded(const void *address)
{
	const unsigned char *at = address;

	if (world.inside && at >= world.arena && at < world.arena + world.used)
		poke(address);
	else if (fuzz_poke_always)
		poke(NULL);
}

#define LOADED(size) \
	void __sanitizer_cov_load##size(void *address); \
	void __sanitizer_cov_load##size(void *address) \
	{ \
		loaded(address); \
	}

LOADED(1)
LOADED(2)
LOADED(4)
LOADED(8)
LOADED(16)

/* --- time and chance --- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!world.begun)
		return __real_clock_gettime(clock, now);
	world.now += 1000;
	now->tv_sec = (time_t)(world.now / 1000000000);
	now->tv_nsec = (long)(world.now % 1000000000);
	return 0;
}

int __wrap_nanosleep(const struct timespec *pause, struct timespec *rest)
{
	if (!world.begun)
		return __real_nanosleep(pause, rest);
	world.now += ((uint64_t)pause->tv_sec * 1000000000 +
		      (uint64_t)pause->tv_nsec) * OVERSLEEP;
	poke(NULL);
	return 0;
}

void fuzz_sleep(unsigned int ms)
{
	world.now += ms * 1000000ULL;
}

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned int flags)
{
	if (!world.begun)
		return __real_getrandom(buffer, size, flags);
	if (!call_allowed())
		return -1;
	memset(buffer, 0x5a, size);
	return (ssize_t)size;
}

/* No thread looks after the regions: the targets do that themselves */
int __wrap_pashm_registry_watch(struct pashm_region *region)
{
	(void)region;
	return 0;
}

/* --- system calls at which somebody may interfere, and that may fail --- */

int __wrap_fcntl(int fd, int command, ...)
{
	va_list args;
	void *argument;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	/* Locks are always let go of; nothing could be done about it */
	if (command == F_OFD_SETLK &&
	    ((struct flock *)argument)->l_type == F_UNLCK)
		poke(NULL);
	else if (!call_allowed())
		return -1;
	return __real_fcntl(fd, command, argument);
}

off_t __wrap_lseek(int fd, off_t offset, int whence)
{
	return call_allowed() ? __real_lseek(fd, offset, whence) : -1;
}

ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset)
{
	ssize_t length = -1;

	if (call_allowed())
		length = __real_pread(fd, buffer, size, offset);
	if (world.inside && !world.busy && fuzz_read && length > 0)
		fuzz_read(buffer, (size_t)length);
	return length;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (world.inside && !world.busy && fuzz_may_punch)
		fuzz_check(fuzz_may_punch((uint64_t)offset,
					  (uint64_t)length));
	return call_allowed() ? __real_fallocate(fd, mode, offset, length) :
	       -1;
}

/* It would find something of somebody else's beyond the end, but not fail */
int __wrap_mincore(void *address, size_t length, unsigned char *vec)
{
	uint64_t first, last;

	if (fuzz_mapped(address, &first) >= 0)
		fuzz_check(fuzz_mapped((char *)address + length - 1,
				       &last) >= 0 &&
			   last == first + length - 1);
	return call_allowed() ? __real_mincore(address, length, vec) : -1;
}

void *__wrap_malloc(size_t size)
{
	return alloc_allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return alloc_allowed() ? __real_calloc(count, size) : NULL;
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return alloc_allowed() ? __real_aligned_alloc(align, size) : NULL;
}

/* --- files --- */

int fuzz_text_fd(const struct fuzz_text *text)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	fuzz_check(fd >= 0);
	fuzz_check(write(fd, text->text, text->length) ==
		   (ssize_t)text->length);
	__real_lseek(fd, 0, SEEK_SET);
	return fd;
}

static const struct fuzz_text *file_of(const char *path)
{
	return world.inside && fuzz_file ? fuzz_file(path) : NULL;
}

long __wrap_sysconf(int name)
{
	return name == _SC_NPROCESSORS_CONF ? FUZZ_CPUS : __real_sysconf(name);
}

int __wrap_sched_getcpu(void)
{
	return (int)fuzz_cpu;
}

int __wrap_open(const char *path, int flags, ...)
{
	const struct fuzz_text *text = file_of(path);
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	if (!call_allowed())
		return -1;
	if (!text)
		return __real_open(path, flags, mode);
	if (!text->text) {
		errno = ENOENT;
		return -1;
	}
	return fuzz_text_fd(text);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	const struct fuzz_text *text = file_of(path);

	if (!text)
		return __real_fopen(path, mode);
	if (!text->text || !call_allowed())
		return NULL;
	return fdopen(fuzz_text_fd(text), "r");
}
