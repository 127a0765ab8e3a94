// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Several processes with several threads pin, check, lose and refill the same
 * extents while all of them purge. An extent's contents follow from its page,
 * so whoever refills writes the same; "intact" must mean these bytes.
 */
#include <pthread.h>
#include <time.h>
#include "common.h"

#define EXTENTS		16U
#define EACH		(PAGES / EXTENTS)
#define STEPS		4000
#define THREADS		2
#define CHILDREN	2

struct worker {
	struct pashm_region *region;
	struct pashm_handle *handles;
	pthread_mutex_t *refill;
	unsigned int seed;
	unsigned int purged;
	bool failed;
};

/* What threads share of a handle: see the rules of struct pashm_handle */
static struct pashm_handle handle_load(const struct pashm_handle *handle)
{
	return (struct pashm_handle){
		.page = handle->page,
		.generation = __atomic_load_n(&handle->generation,
					      __ATOMIC_ACQUIRE),
	};
}

static int pattern(uint32_t page)
{
	return (int)(page * 37 % 250) + 1;
}

/* Pinned and purged: one thread of this process refills, the others wait */
static void refill(struct worker *worker, struct pashm_handle *handle)
{
	struct pashm_region *region = worker->region;
	uint32_t now = pashm_generation(region, handle->page);

	pthread_mutex_lock(worker->refill);
	if (handle_load(handle).generation != now) {
		memset(pashm_address(region, handle->page),
		       pattern(handle->page), EACH * page_size());
		__atomic_store_n(&handle->generation, now, __ATOMIC_RELEASE);
		worker->purged++;
	}
	pthread_mutex_unlock(worker->refill);
}

static bool step(struct worker *worker, struct pashm_handle *handle)
{
	struct pashm_region *region = worker->region;
	enum pashm_verdict verdict;
	bool good;

	if (pashm_pin(region, handle_load(handle), &verdict))
		return false;
	if (verdict == PASHM_STALE)
		return false;
	if (verdict == PASHM_PURGED)
		refill(worker, handle);
	good = filled(region, handle->page, EACH, pattern(handle->page));
	return !pashm_unpin(region, handle->page) && good;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	uint64_t freed;
	unsigned int i;

	for (i = 0; i < STEPS && !worker->failed; i++) {
		worker->seed = worker->seed * 1103515245 + 12345;
		if (!step(worker, &worker->handles[worker->seed >> 16 &
						   (EXTENTS - 1)]))
			worker->failed = true;
		if (i % 50 == 0 && pashm_region_purge(worker->region, &freed))
			worker->failed = true;
	}
	return NULL;
}

static bool run_threads(struct pashm_region *region,
			const struct pashm_handle *from, unsigned int seed)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct pashm_handle handles[EXTENTS];
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	unsigned int i, purged = 0;
	bool good = true;

	memcpy(handles, from, sizeof(handles));
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.region = region, .handles = handles,
			.refill = &mutex, .seed = seed * 100 + i,
		};
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			return false;
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		good = good && !workers[i].failed;
		purged += workers[i].purged;
	}
	return good && purged;
}

static void fill(struct pashm_region *region, struct pashm_handle *handles)
{
	unsigned int i;

	for (i = 0; i < EXTENTS; i++) {
		handles[i] = extent_new(region, i * EACH, EACH,
					pattern(i * EACH));
		unpin(region, handles[i]);
	}
}

static void processes_and_threads_never_see_a_purged_byte(void **test)
{
	struct pashm_region *region = *test, *own;
	struct pashm_handle handles[EXTENTS];
	struct pashm_region_info info;
	pid_t pids[CHILDREN];
	unsigned int i;

	fill(region, handles);
	for (i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		if (pashm_region_import(pashm_region_fd(region), &own) ||
		    pashm_region_map(own, PROT_READ | PROT_WRITE, NULL))
			_exit(1);
		_exit(run_threads(own, handles, i + 2) ? 0 : 2);
	}
	assert_true(run_threads(region, handles, 1));
	for (i = 0; i < CHILDREN; i++)
		assert_int_equal(child_status(pids[i]), 0);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.violations, 0);
	assert_int_equal(info.pinned_extents, 0);
}

static void threads_of_a_sole_region_never_see_a_purged_byte(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle handles[EXTENTS];

	fill(region, handles);
	assert_true(run_threads(region, handles, 5));
}

/* Clients come and are killed at any point, purgers and all */
static void killed_clients_leave_a_sound_region(void **test)
{
	struct pashm_region *region = *test, *own;
	struct pashm_handle handles[EXTENTS];
	struct pashm_region_info info;
	struct timespec delay = { 0 };
	pid_t pid;
	unsigned int i;
	int status;

	fill(region, handles);
	for (i = 0; i < 60; i++) {
		pid = fork();
		if (pid == 0) {
			if (pashm_region_import(pashm_region_fd(region),
						&own) ||
			    pashm_region_map(own, PROT_READ | PROT_WRITE,
					     NULL))
				_exit(1);
			for (;;)
				run_threads(own, handles, i);
		}
		delay.tv_nsec = 1000000 + i * 300000L;
		nanosleep(&delay, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	assert_true(run_threads(region, handles, 9));
	purge(region);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.pinned_extents, 0);
	assert_int_equal(info.resident, 0);
	assert_int_equal(info.clients, 1);
	assert_int_equal(info.violations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(processes_and_threads_never_see_a_purged_byte),
		SOLE(threads_of_a_sole_region_never_see_a_purged_byte),
		SHARED(killed_clients_leave_a_sound_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
