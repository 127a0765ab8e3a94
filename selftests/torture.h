/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the torture_*.c share: workers in processes of their own, the first
 * failure of any of them, cgroups. $PASHM_TEST_SCALE (1) multiplies rounds or
 * time; `make torture` sets it.
 */
#ifndef PASHM_SELFTESTS_TORTURE_H
#define PASHM_SELFTESTS_TORTURE_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <kselftest_harness.h>

#include "common.h"

#define TORTURE_WORKERS	64
#define TORTURE_RW	(PROT_READ | PROT_WRITE)

/**
 * struct torture - shared by all workers of a case
 * @stop:    workers end as soon as they can
 * @failure: the first one
 */
struct torture {
	bool stop, failed;
	char failure[256];
};

struct torture_crew {
	struct torture *torture;
	unsigned int number;
	pid_t pids[TORTURE_WORKERS];
};

/* Seeds differ by worker, and are the same in each run */
typedef void torture_fn(void *arg, unsigned int number, uint64_t seed);

#define TORTURE_FAIL(shared, ...) do {					\
	struct torture *__t = (shared);					\
	if (!__atomic_exchange_n(&__t->failed, true, __ATOMIC_SEQ_CST))	\
		snprintf(__t->failure, sizeof(__t->failure),		\
			 __VA_ARGS__);					\
	__atomic_store_n(&__t->stop, true, __ATOMIC_SEQ_CST);		\
} while (0)

/* What must hold; reported with the line otherwise, and false then */
#define TORTURE_CHECK(shared, condition) ({				\
	bool __holds = (condition);					\
	int __error = errno;						\
	if (!__holds)							\
		TORTURE_FAIL(shared, "line %d: not %s (errno %d)",	\
			     __LINE__, #condition, __error);		\
	__holds; })

static inline bool torture_stopped(struct torture *torture)
{
	return __atomic_load_n(&torture->stop, __ATOMIC_RELAXED);
}

static inline void torture_count(uint64_t *counter, uint64_t by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

static inline void *torture_share(size_t size)
{
	void *shared = mmap(NULL, size, TORTURE_RW, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

/* A worker that dies with us; it is no good if it does not come to its end */
static inline bool torture_hire(struct torture_crew *crew, torture_fn *work,
				void *arg, unsigned int number)
{
	uint64_t seed = 0x9e3779b97f4a7c15ULL * (crew->number + 1);
	pid_t pid;

	if (crew->number == TORTURE_WORKERS)
		return false;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(arg, number, seed);
		_exit(0);
	}
	crew->pids[crew->number] = pid;
	crew->number += pid > 0;
	return pid > 0;
}

/* For a worker that must get its turn among many */
static inline void torture_hurry(int nice)
{
	setpriority(PRIO_PROCESS, 0, nice);
}

/* Let them work, until the time is over or somebody has failed */
static inline void torture_watch(struct torture_crew *crew, long seconds)
{
	time_t end = time(NULL) + seconds;
	siginfo_t info;

	while (time(NULL) < end && !torture_stopped(crew->torture)) {
		info.si_pid = 0;
		if (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) &&
		    info.si_pid)
			TORTURE_FAIL(crew->torture, "worker %d ended: %d",
				     info.si_pid, info.si_status);
		usleep(20000);
	}
}

/* Stop all and wait for their end */
static inline void torture_end(struct torture_crew *crew)
{
	unsigned int i;
	int status;

	__atomic_store_n(&crew->torture->stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < crew->number; i++)
		if (waitpid(crew->pids[i], &status, 0) != crew->pids[i] ||
		    status)
			TORTURE_FAIL(crew->torture, "worker %u: status %x", i,
				     (unsigned int)status);
	crew->number = 0;
}

/* Remove a group whose last process is just ending */
static inline bool torture_remove(const char *group)
{
	int tries;

	for (tries = 0; rmdir(group) && errno == EBUSY && tries < 250; tries++)
		usleep(20000);
	return access(group, F_OK) != 0;
}

static inline long torture_group_write(const char *group, const char *file,
				       const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return file_write(path, text);
}

static inline long long torture_oom_kills(const char *group)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/memory.events", group);
	return file_number(path, "oom_kill");
}

/* Bytes of shared memory that are charged to it */
static inline long long torture_group_shmem(const char *group)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	return file_number(path, "shmem");
}

#endif /* PASHM_SELFTESTS_TORTURE_H */
