// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory pressure: when to take memory back from regions without the module,
 * and how much.
 *
 * One thread per process keeps a reserve free (headroom.c). It looks the more
 * often, the sooner the reserve could be gone at the speed of memset, and takes
 * what is missing, in steps, looking again after each: several processes that
 * do the same share the work, and never is more taken than was asked for.
 * Pressure stall notifications come on top: where memory is short in a way that
 * numbers do not show, such as swapping, each takes a step.
 *
 * A race against the OOM killer that is won by being early. The module does not
 * have to race.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "headroom.h"
#include "pressure.h"
#include "registry.h"

/* A window that is a multiple of 2 s is what an unprivileged process may ask */
#define STALL_TRIGGER	"some 150000 2000000"

#define STEP_BYTES	(8LL << 20)
#define FILL_BYTES_MS	(1536LL << 10)		/* a fast memset, per ms */
#define NAP_LEAST_MS	10
#define NAP_MOST_MS	200
#define NAP_FUTILE_MS	40

/* Memory must not go faster than this thread gets to run; if it may say so */
#define NICENESS	(-10)

/*
 * What others will have used by the time that it can be taken back, at the
 * pace of late, is taken at once; up to half of the reserve.
 */
#define AHEAD_MS	100

/* Bytes that may be charged between two looks */
#define ALLOWANCE_LEAST	(1LL << 20)
#define ALLOWANCE_MOST	(64LL << 20)

/**
 * struct pressure
 * @thread:    the thread
 * @stop:      eventfd: readable when the thread is to end
 * @system:    pressure stall trigger of the machine, or -1
 * @cgroup:    of the own control group, or -1
 * @lock:      guards @headroom; nothing is locked inside
 * @headroom:  where the figures come from
 * @charged:   bytes charged since somebody looked; atomic
 * @allowance: bytes that may be charged before somebody has to look; atomic
 */
struct pressure {
	pthread_t thread;
	int stop;
	int system;
	int cgroup;
	pthread_mutex_t lock;
	struct headroom headroom;
	uint64_t charged;
	uint64_t allowance;
};

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
	if (value < least)
		return least;
	return value < most ? value : most;
}

/* Under the lock: look at the figures; what was charged before is in them */
static struct slack look(struct pressure *pressure)
{
	struct slack slack = pashm_headroom_read(&pressure->headroom);

	__atomic_store_n(&pressure->charged, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&pressure->allowance,
			 (uint64_t)clamp(slack.bytes / 8, ALLOWANCE_LEAST,
					 ALLOWANCE_MOST), __ATOMIC_RELAXED);
	return slack;
}

/* Take back @bytes, at most a step. Returns the number taken. */
static int64_t take(int64_t bytes)
{
	int64_t page = sysconf(_SC_PAGESIZE);
	uint64_t pages;

	if (bytes > STEP_BYTES)
		bytes = STEP_BYTES;
	pages = (uint64_t)((bytes + page - 1) / page);
	return (int64_t)pashm_registry_reclaim(pages) * page;
}

/*
 * How long to sleep: until the reserve could be touched. Where nothing can be
 * taken although it is, twice as long as the last time.
 */
static int nap_ms(int64_t slack, int last)
{
	if (slack < 0)
		return (int)clamp(last * 2, NAP_LEAST_MS, NAP_FUTILE_MS);
	return (int)clamp(slack / FILL_BYTES_MS, NAP_LEAST_MS, NAP_MOST_MS);
}

/**
 * struct pace - how fast memory is being used up
 * @when:   of the last look, in ms
 * @expect: slack to be found now, if nobody has used any since
 * @rate:   bytes per ms: learnt at once, forgotten slowly
 */
struct pace {
	int64_t when;
	int64_t expect;
	int64_t rate;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Bytes that should be taken: what is missing, or is going to be */
static int64_t pace_wanted(struct pace *pace, struct slack slack)
{
	int64_t now = now_ms(), rate = 0, ahead;

	if (slack.bytes == INT64_MAX)
		return 0;
	if (pace->when)
		rate = (pace->expect - slack.bytes) / (now - pace->when + 1);
	pace->rate = clamp(rate, pace->rate * 7 / 8, INT64_MAX);
	pace->when = now;
	ahead = clamp(pace->rate * AHEAD_MS, 0, slack.reserve / 2);
	return clamp(ahead - slack.bytes, 0, INT64_MAX);
}

static struct slack look_locked(struct pressure *pressure)
{
	struct slack slack;

	pthread_mutex_lock(&pressure->lock);
	slack = look(pressure);
	pthread_mutex_unlock(&pressure->lock);
	return slack;
}

static void *pressure_main(void *argument)
{
	struct pressure *pressure = argument;
	struct pollfd fds[] = {
		{ .fd = pressure->stop, .events = POLLIN },
		{ .fd = pressure->system, .events = POLLPRI },
		{ .fd = pressure->cgroup, .events = POLLPRI },
	};
	struct pace pace = { 0 };
	int64_t taken, wanted;
	bool stalled = false;
	struct slack slack;
	int nap = 0;

	setpriority(PRIO_PROCESS, 0, NICENESS);
	for (;;) {
		slack = look_locked(pressure);
		wanted = pace_wanted(&pace, slack);
		if (stalled && wanted < STEP_BYTES)
			wanted = STEP_BYTES;
		taken = wanted ? take(wanted) : 0;
		pace.expect = slack.bytes + taken;
		nap = taken && taken < wanted ? 0 : nap_ms(pace.expect, nap);
		if (poll(fds, 3, nap) < 0 && errno != EINTR)
			return NULL;
		if (fds[0].revents)
			return NULL;
		/* The control group of a trigger may have been removed */
		if (fds[2].revents & (POLLERR | POLLNVAL))
			fds[2].fd = -1;
		stalled = (fds[1].revents | fds[2].revents) & POLLPRI;
	}
}

static int stall_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (write(fd, STALL_TRIGGER, sizeof(STALL_TRIGGER)) > 0)
		return fd;
	close(fd);
	return -1;
}

static int thread_start(struct pressure *pressure)
{
	sigset_t all, old;
	int ret;

	/* The program's signals are for the program's threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&pressure->thread, NULL, pressure_main, pressure);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return -ret;
	pthread_setname_np(pressure->thread, "pashm-pressure");
	return 0;
}

static void files_close(struct pressure *pressure)
{
	pashm_headroom_close(&pressure->headroom);
	if (pressure->cgroup >= 0)
		close(pressure->cgroup);
	if (pressure->system >= 0)
		close(pressure->system);
	close(pressure->stop);
}

int pashm_pressure_start(struct pressure **pressure)
{
	struct pressure *p = calloc(1, sizeof(*p));
	char path[512];
	int ret;

	if (!p)
		return -ENOMEM;
	p->stop = eventfd(0, EFD_CLOEXEC);
	if (p->stop < 0) {
		ret = -errno;
		free(p);
		return ret;
	}
	p->system = stall_open("/proc/pressure/memory");
	p->cgroup = -1;
	if (!pashm_headroom_cgroup_path(path, sizeof(path), "memory.pressure"))
		p->cgroup = stall_open(path);
	pashm_headroom_open(&p->headroom);
	pthread_mutex_init(&p->lock, NULL);
	ret = thread_start(p);
	if (ret) {
		files_close(p);
		free(p);
		return ret;
	}
	*pressure = p;
	return 0;
}

void pashm_pressure_stop(struct pressure *pressure)
{
	eventfd_write(pressure->stop, 1);
	pthread_join(pressure->thread, NULL);
	files_close(pressure);
	pthread_mutex_destroy(&pressure->lock);
	free(pressure);
}

/* The memory stays: a thread of the parent may have held the lock */
void pashm_pressure_forked(struct pressure *pressure)
{
	files_close(pressure);
}

void pashm_pressure_charge(struct pressure *pressure, uint64_t bytes)
{
	struct slack slack;
	uint64_t charged;

	if (!pressure)
		return;
	charged = __atomic_add_fetch(&pressure->charged, bytes,
				     __ATOMIC_RELAXED);
	if (charged < __atomic_load_n(&pressure->allowance, __ATOMIC_RELAXED))
		return;
	/* One look at a time is enough */
	if (pthread_mutex_trylock(&pressure->lock))
		return;
	slack = look(pressure);
	pthread_mutex_unlock(&pressure->lock);
	if (slack.bytes < 0)
		take(clamp(-slack.bytes, (int64_t)bytes, INT64_MAX));
}
