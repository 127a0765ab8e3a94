// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The purge lock of a memfd region, and waiting for the purge that holds it.
 *
 * The lock has two halves, taken in this order: a mutex against the threads of
 * this process, and an OFD lock on byte 0 against other processes (and other
 * regions of this one, which have file descriptions of their own). The kernel
 * drops the OFD lock when its owner dies; so a lock is never stolen, and whoever
 * gets it next finds in the purge record what the dead owner had begun.
 *
 * An owner that is stopped rather than dead keeps everybody else waiting until
 * they time out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
#include "memfd.h"

#define NAP_FIRST_US	10
#define NAP_LAST_US	2000
#define EPOCHS_PER_TURN	16

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Sleep, and say how long next time */
static long nap(long us)
{
	struct timespec pause = { .tv_nsec = us * 1000 };

	nanosleep(&pause, NULL);
	return us * 2 < NAP_LAST_US ? us * 2 : NAP_LAST_US;
}

static int ofd(struct memfd_region *m, short type, long byte)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET,
		.l_start = byte, .l_len = 1,
	};

	if (!fcntl(m->lock_fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

int pashm_memfd_ofd_lock(struct memfd_region *m, long byte)
{
	return ofd(m, F_WRLCK, byte);
}

void pashm_memfd_ofd_unlock(struct memfd_region *m, long byte)
{
	ofd(m, F_UNLCK, byte);
}

/* The epoch is to move a fixed number of times while all memory is replaced */
static uint64_t epoch_step(const struct memfd_region *m,
			   const struct stat *stat)
{
	uint64_t pages = (uint64_t)stat->st_blocks >> (m->layout.page_shift - 9);

	return pages / EPOCHS_PER_TURN + 1;
}

/*
 * One try for both halves: 0, -EAGAIN, or an error of fcntl(). Each time, look
 * whether lock_fd still is what it was: else the lock would be taken, and pages
 * be punched, in a file of the program's.
 */
static int lock_try(struct memfd_region *m)
{
	struct stat stat;
	int ret;

	if (pthread_mutex_trylock(&m->purge_mutex))
		return -EAGAIN;
	ret = pashm_memfd_stat(m, &stat);
	if (!ret)
		ret = pashm_memfd_ofd_lock(m, MEMFD_LOCK_PURGE);
	if (ret)
		pthread_mutex_unlock(&m->purge_mutex);
	else
		m->epoch_step = epoch_step(m, &stat);
	return ret;
}

/*
 * Polls, as F_OFD_SETLKW cannot be given a time-out. The holder looks at
 * @waiting between two extents and makes room.
 */
static int lock_until(struct memfd_region *m, int64_t deadline)
{
	long us = NAP_FIRST_US;
	int ret;

	for (;;) {
		ret = lock_try(m);
		if (ret != -EAGAIN)
			return ret;
		if (now_us() >= deadline)
			return -ETIMEDOUT;
		__atomic_store_n(&m->purge->waiting, 1, __ATOMIC_RELAXED);
		us = nap(us);
	}
}

/* Half of what is called under the lock is a cancellation point */
int pashm_memfd_lock(struct memfd_region *m, int timeout_ms)
{
	int64_t deadline = now_us() + timeout_ms * 1000LL;
	int ret, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ret = lock_until(m, deadline);
	if (ret) {
		pthread_setcancelstate(cancel, NULL);
		return ret;
	}
	m->cancel = cancel;
	pashm_memfd_recover(m);
	pashm_memfd_peers_gather(m);
	return 0;
}

void pashm_memfd_unlock(struct memfd_region *m)
{
	int cancel = m->cancel;

	pashm_memfd_ofd_unlock(m, MEMFD_LOCK_PURGE);
	pthread_mutex_unlock(&m->purge_mutex);
	pthread_setcancelstate(cancel, NULL);
}

int pashm_memfd_relax(struct memfd_region *m, int timeout_ms)
{
	int ret, cancel;

	if (!__atomic_exchange_n(&m->purge->waiting, 0, __ATOMIC_RELAXED))
		return 0;
	/* The caller may hold something else than the lock: not cancelled here */
	cancel = m->cancel;
	m->cancel = PTHREAD_CANCEL_DISABLE;
	pashm_memfd_unlock(m);
	/* Longer than those who wait nap: else the same thread gets it again */
	nap(NAP_LAST_US);
	ret = pashm_memfd_lock(m, timeout_ms);
	if (ret)
		pthread_setcancelstate(cancel, NULL);
	else
		m->cancel = cancel;
	return ret;
}

/*
 * Whoever gets the purge lock itself knows that no purge is in flight: a
 * PURGING that is still set then belongs to nobody.
 */
static int wait_uncancelled(struct pashm_region *region, uint32_t page)
{
	int64_t deadline = now_us() + MEMFD_TIMEOUT_MS * 1000LL;
	struct memfd_region *m = memfd_region(region);
	const uint64_t *word = &region->view.states[page];
	long us = NAP_FIRST_US;
	int ret;

	/* acquire: the generation moves before PURGING clears */
	while (pashm_state_purging(__atomic_load_n(word, __ATOMIC_ACQUIRE))) {
		ret = pashm_memfd_lock(m, 0);
		if (!ret) {
			pashm_memfd_stale_clear(m, page);
			pashm_memfd_unlock(m);
		}
		/* Another error than that somebody has it will not go away */
		if (ret != -ETIMEDOUT)
			return ret;
		if (now_us() >= deadline)
			return -ETIMEDOUT;
		us = nap(us);
	}
	return 0;
}

/* The caller's count is raised, and nobody but the caller would lower it */
int pashm_memfd_wait(struct pashm_region *region, uint32_t page)
{
	int ret, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ret = wait_uncancelled(region, page);
	pthread_setcancelstate(cancel, NULL);
	return ret;
}
