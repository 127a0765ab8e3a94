/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures that the demo's processes share, in a shared anonymous mapping made
 * before they fork. What a process wrote stays when it is killed: the process
 * that draws the picture has them whatever happens to the others.
 */
#ifndef DEMO_BOARD_H
#define DEMO_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct board - the figures; counters only ever grow
 * @hits:     values that the load threads found in the cache
 * @misses:   those that they did not
 * @failed:   requests that ended with an error
 * @verified: bytes compared with their checksum
 * @wrong:    bytes of values whose checksum was wrong
 * @resident: bytes of memory that the cache has, by the cache process
 * @purged:   bytes that were taken from the cache since it was made
 * @module:   the kernel module looks after the cache's memory
 * @filled:   the cache is warm
 * @stop:     set by the parent: the load is to end
 * @hog:      bytes that the hog has touched
 */
struct board {
	_Atomic uint64_t hits;
	_Atomic uint64_t misses;
	_Atomic uint64_t failed;
	_Atomic uint64_t verified;
	_Atomic uint64_t wrong;
	_Atomic uint64_t resident;
	_Atomic uint64_t purged;
	_Atomic bool module;
	_Atomic bool filled;
	_Atomic bool stop;
	_Atomic uint64_t hog;
};

#endif /* DEMO_BOARD_H */
