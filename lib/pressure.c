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
 * numbers do not show, such as swapping, each takes a step. They come from where
 * the service manager says (watch.c), else from the own control group and from
 * the machine.
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
#include "listen.h"
#include "pressure.h"
#include "registry.h"
#include "watch.h"

/* A window that is a multiple of 2 s is what an unprivileged process may ask */
#define STALL_TRIGGER	"some 150000 2000000"

#define STEP_BYTES	(8LL << 20)
/* What is missing is taken at once up to here: each step costs sweeps */
#define TAKE_BYTES	(64LL << 20)
#define FILL_BYTES_MS	(1536LL << 10)		/* a fast memset, per ms */
#define NAP_LEAST_MS	10
#define NAP_MOST_MS	200
#define NAP_FUTILE_MS	200
/* With this part of all memory to spare, and nobody here who uses any */
#define NAP_IDLE_MS	1000
#define IDLE_SHARE	4

/* Memory must not go faster than this thread gets to run; if it may say so */
#define NICENESS	(-10)

/*
 * What others will have used by the time that it can be taken back, at the
 * pace of late, is taken at once; up to half of the reserve.
 */
#define AHEAD_MS	100

/* Bytes per ms: no machine is faster, but figures may jump */
#define RATE_MOST	(1LL << 40)

/* Bytes that may be charged between two looks */
#define ALLOWANCE_LEAST	(1LL << 20)
#define ALLOWANCE_MOST	(64LL << 20)

/**
 * struct pressure
 * @thread:    the thread
 * @stop:      eventfd: readable when the thread is to end
 * @watch:     what the service manager wants to be polled; constant
 * @watched:   it said so: no others are; constant
 * @system:    pressure stall trigger of the machine, or -1; constant
 * @cgroup:    of the own control group, or -1; under @lock, but the thread,
 *             which alone changes it, reads it without
 * @moves:     of @headroom, when @cgroup was opened; the thread's
 * @lock:      guards @headroom; nothing is locked inside
 * @headroom:  where the figures come from
 * @charged:   bytes charged; atomic
 * @looked:    @charged when somebody looked; atomic
 * @allowance: bytes that may be charged before somebody has to look; atomic
 */
struct pressure {
	pthread_t thread;
	int stop;
	struct pollfd watch;
	bool watched;
	int system;
	int cgroup;
	unsigned int moves;
	pthread_mutex_t lock;
	struct headroom headroom;
	uint64_t charged;
	uint64_t looked;
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
	uint64_t charged = __atomic_load_n(&pressure->charged,
					   __ATOMIC_RELAXED);
	struct slack slack = pashm_headroom_read(&pressure->headroom);

	__atomic_store_n(&pressure->looked, charged, __ATOMIC_RELAXED);
	__atomic_store_n(&pressure->allowance,
			 (uint64_t)clamp(slack.bytes / 8, ALLOWANCE_LEAST,
					 ALLOWANCE_MOST), __ATOMIC_RELAXED);
	return slack;
}

/* Take back @bytes, at most what one sweep should. Returns the number taken. */
static int64_t take(int64_t bytes)
{
	int64_t page = sysconf(_SC_PAGESIZE);
	uint64_t pages;

	if (bytes > TAKE_BYTES)
		bytes = TAKE_BYTES;
	pages = (uint64_t)((bytes + page - 1) / page);
	return (int64_t)pashm_registry_reclaim(pages) * page;
}

/* What regions cannot give, others may; the thread's */
static int64_t take_or_ask(int64_t bytes)
{
	int64_t taken = take(bytes);

	if (bytes > TAKE_BYTES)
		bytes = TAKE_BYTES;
	if (taken < bytes)
		taken += (int64_t)pashm_listen_ask((uint64_t)(bytes - taken));
	return taken;
}

/**
 * struct pace - how fast memory is being used up
 * @when:    of the last look, in ms; 0 if there was none
 * @expect:  slack to be found now, if nobody has used any since
 * @rate:    bytes per ms: learnt at once, forgotten slowly
 * @futile:  length of the last nap, in ms, if nothing could be taken before it
 * @charged: bytes that this process had charged then
 */
struct pace {
	int64_t when;
	int64_t expect;
	int64_t rate;
	int futile;
	uint64_t charged;
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

	if (slack.bytes == INT64_MAX) {
		pace->when = 0;
		return 0;
	}
	if (pace->when)
		rate = (pace->expect - slack.bytes) / (now - pace->when + 1);
	pace->rate = clamp(rate, pace->rate * 7 / 8, RATE_MOST);
	pace->when = now;
	ahead = clamp(pace->rate * AHEAD_MS, 0, slack.reserve / 2);
	return clamp(ahead - slack.bytes, 0, INT64_MAX);
}

/*
 * How long to sleep: until the reserve could be touched. Where nothing can be
 * taken although it should, twice as long as the last time.
 */
static int nap_ms(struct pressure *pressure, struct pace *pace,
		  struct slack slack, int64_t wanted, int64_t taken)
{
	uint64_t charged = __atomic_load_n(&pressure->charged,
					   __ATOMIC_RELAXED);
	bool idle = charged == pace->charged;
	int64_t most = NAP_MOST_MS;

	pace->charged = charged;
	pace->expect = slack.bytes;
	if (slack.bytes != INT64_MAX)
		pace->expect += taken;
	if (wanted && !taken) {
		pace->futile = (int)clamp(pace->futile * 2, NAP_LEAST_MS,
					  NAP_FUTILE_MS);
		return pace->futile;
	}
	pace->futile = 0;
	if (taken < wanted)
		return 0;
	if (idle && slack.bytes > slack.total / IDLE_SHARE)
		most = NAP_IDLE_MS;
	return (int)clamp(pace->expect / FILL_BYTES_MS, NAP_LEAST_MS, most);
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

/* The process may have been moved to another control group: follow it */
static void trigger_follow(struct pressure *pressure)
{
	char path[CGROUP_PATH * 2];
	int old = pressure->cgroup;

	if (pressure->watched ||
	    pressure->moves == pressure->headroom.cgroup.moves)
		return;
	pressure->moves = pressure->headroom.cgroup.moves;
	pressure->cgroup = -1;
	if (!pashm_cgroup_path(&pressure->headroom.cgroup, path, sizeof(path),
			       "memory.pressure"))
		pressure->cgroup = stall_open(path);
	if (old >= 0)
		close(old);
}

/* The thread's look */
static struct slack look_follow(struct pressure *pressure)
{
	struct slack slack;

	pthread_mutex_lock(&pressure->lock);
	slack = look(pressure);
	trigger_follow(pressure);
	pthread_mutex_unlock(&pressure->lock);
	return slack;
}

enum { FD_STOP, FD_WATCH, FD_SYSTEM, FD_CGROUP, FDS };

/* Has any source spoken? One that has ended is not asked again. */
static bool stalled_read(struct pressure *pressure, struct pollfd *fds)
{
	bool stalled = false;
	char ignored[4096];
	int i;

	for (i = FD_WATCH; i < FDS; i++) {
		if (fds[i].revents & fds[i].events)
			stalled = true;
		if (fds[i].revents & POLLIN &&
		    read(fds[i].fd, ignored, sizeof(ignored)) == 0)
			fds[i].fd = -1;
		if (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL))
			fds[i].fd = -1;
	}
	if (fds[FD_CGROUP].fd < 0 && pressure->cgroup >= 0) {
		pthread_mutex_lock(&pressure->lock);
		close(pressure->cgroup);
		pressure->cgroup = -1;
		pthread_mutex_unlock(&pressure->lock);
	}
	return stalled;
}

static void *pressure_main(void *argument)
{
	struct pressure *pressure = argument;
	struct pollfd fds[FDS] = {
		[FD_STOP] = { .fd = pressure->stop, .events = POLLIN },
		[FD_WATCH] = pressure->watch,
		[FD_SYSTEM] = { .fd = pressure->system, .events = POLLPRI },
		[FD_CGROUP] = { .events = POLLPRI },
	};
	struct pace pace = { 0 };
	int64_t taken, wanted;
	bool stalled = false;
	struct slack slack;
	int nap;

	setpriority(PRIO_PROCESS, 0, NICENESS);
	for (;;) {
		slack = look_follow(pressure);
		wanted = pace_wanted(&pace, slack);
		if (stalled && wanted < STEP_BYTES)
			wanted = STEP_BYTES;
		taken = wanted ? take_or_ask(wanted) : 0;
		nap = nap_ms(pressure, &pace, slack, wanted, taken);
		fds[FD_CGROUP].fd = pressure->cgroup;
		stalled = false;
		/* No memory for poll() is no reason to give up, of all things */
		if (poll(fds, FDS, nap) < 0) {
			usleep(NAP_LEAST_MS * 1000);
			continue;
		}
		if (fds[FD_STOP].revents)
			return NULL;
		stalled = stalled_read(pressure, fds);
	}
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

/* Those that change, and those that do not */
static void levels_close(struct pressure *pressure)
{
	pashm_headroom_close(&pressure->headroom);
	if (pressure->cgroup >= 0)
		close(pressure->cgroup);
}

static void files_close(struct pressure *pressure)
{
	if (pressure->system >= 0)
		close(pressure->system);
	if (pressure->watch.fd >= 0)
		close(pressure->watch.fd);
	close(pressure->stop);
}

int pashm_pressure_start(struct pressure **pressure)
{
	struct pressure *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return -ENOMEM;
	p->stop = eventfd(0, EFD_CLOEXEC);
	if (p->stop < 0) {
		ret = -errno;
		free(p);
		return ret;
	}
	p->watched = pashm_watch_open(&p->watch);
	p->system = p->watched ? -1 : stall_open("/proc/pressure/memory");
	p->cgroup = -1;
	pashm_headroom_open(&p->headroom);
	pthread_mutex_init(&p->lock, NULL);
	ret = thread_start(p);
	if (ret) {
		levels_close(p);
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
	levels_close(pressure);
	files_close(pressure);
	pthread_mutex_destroy(&pressure->lock);
	free(pressure);
}

/*
 * The memory stays: a thread of the parent may have held the lock. Then the
 * descriptors that it was about to change stay open, rather than that others
 * are closed; they are close-on-exec.
 */
void pashm_pressure_forked(struct pressure *pressure)
{
	if (!pthread_mutex_trylock(&pressure->lock)) {
		levels_close(pressure);
		pthread_mutex_unlock(&pressure->lock);
	}
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
	charged -= __atomic_load_n(&pressure->looked, __ATOMIC_RELAXED);
	/* Signed: another thread may have looked since we added */
	if ((int64_t)charged <
	    (int64_t)__atomic_load_n(&pressure->allowance, __ATOMIC_RELAXED))
		return;
	/* One look at a time is enough */
	if (pthread_mutex_trylock(&pressure->lock))
		return;
	slack = look(pressure);
	pthread_mutex_unlock(&pressure->lock);
	if (slack.bytes < 0)
		take(clamp(-slack.bytes, (int64_t)bytes, INT64_MAX));
}
