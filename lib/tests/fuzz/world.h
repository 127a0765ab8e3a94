/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that world.c wraps; lib/Makefile takes their names from here. */
#ifndef LIB_TESTS_FUZZ_WORLD_H
#define LIB_TESTS_FUZZ_WORLD_H

#include <stdio.h>
#include <sys/types.h>
#include <time.h>

struct pashm_region;

#define WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__)

WRAP(void *, mmap, void *address, size_t size, int prot, int flags, int fd,
     off_t offset);
WRAP(int, munmap, void *address, size_t size);
WRAP(int, clock_gettime, clockid_t clock, struct timespec *now);
WRAP(int, nanosleep, const struct timespec *pause, struct timespec *rest);
WRAP(ssize_t, getrandom, void *buffer, size_t size, unsigned int flags);
WRAP(int, pashm_registry_watch, struct pashm_region *region);
WRAP(int, fcntl, int fd, int command, ...);
WRAP(off_t, lseek, int fd, off_t offset, int whence);
WRAP(ssize_t, pread, int fd, void *buffer, size_t size, off_t offset);
WRAP(int, fallocate, int fd, int mode, off_t offset, off_t length);
WRAP(int, mincore, void *address, size_t length, unsigned char *vec);
WRAP(void *, malloc, size_t size);
WRAP(void *, calloc, size_t count, size_t size);
WRAP(void *, aligned_alloc, size_t align, size_t size);
WRAP(long, sysconf, int name);
WRAP(int, sched_getcpu, void);
WRAP(int, open, const char *path, int flags, ...);
WRAP(FILE *, fopen, const char *path, const char *mode);

#endif /* LIB_TESTS_FUZZ_WORLD_H */
