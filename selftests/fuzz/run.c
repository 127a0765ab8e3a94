// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <sys/socket.h>

#include "figures.h"
#include "ops.h"
#include "run.h"

/* Without a call's return for so long, it will not return */
#define HANG_SECONDS	300

struct world *world;
struct self self;

static uint64_t failed_at;

uint64_t run_failed_at(void)
{
	return failed_at;
}

/* --- set-up --- */

static void shared_region(int number, uint32_t pages, bool hostile)
{
	struct region *r = &world->regions[number];

	r->pages = pages;
	r->window = (pages + WINDOWS - 1) / WINDOWS;
	r->hostile = hostile;
	r->flags = number % 2 ? PASHM_CREATE_PRIORITY : 0;
	r->own_priority = number % 2 ? (uint32_t)number :
				       PASHM_PRIORITY_DEFAULT;
	snprintf(r->name, sizeof(r->name), "shared %d", number);
	region_make(r);
}

static void probe_exec(void)
{
	int fd = (int)region_create(1, 0);
	long address = map_at(fd, 0, PAGE_BYTES, PROT_READ | PROT_EXEC);

	world->no_exec = address == -EPERM;
	if (!MAP_FAILED_WITH(address))
		munmap((void *)address, PAGE_BYTES);
	close(fd);
}

static void world_make(const struct plan *plan)
{
	if (!world)
		world = mmap(NULL, sizeof(*world), RW,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);
	if (world == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	memset(world, 0, sizeof(*world));
	memset(&self, 0, sizeof(self));
	world->seed = self.seed = plan->seed;
	world->concurrent = plan->processes > 1 && plan->only < 0;
	world->faults = plan->faults;
	world->trace = plan->trace;
	world->huge = plan->huge;
	journal_init();
	locks_init();
	self.device = (int)device_open();
	if (self.device < 0)
		fail("%s: %s", PASHM_DEVICE, result_name(self.device));
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, self.sockets))
		fail("socketpair: %s", strerror(errno));
	probe_exec();
	world->swap = file_number("/proc/meminfo", "SwapTotal") > 0;
	world->moved = pages_moved();
	shared_region(0, 1030, false);
	shared_region(1, 64, false);
	shared_region(2, 513, true);
	pressure_open();
}

/* The last look at what is shared: nobody is left who has anything pinned */
static void world_audit(void)
{
	int i;

	self.process = 0;
	self.journal = 0;
	for (i = 0; i < SHARED_REGIONS; i++) {
		struct region *r = &world->regions[i];
		size_t page;

		journal_call("last audit", "region %ld", i, 0, 0, 0);
		if (region_purge(r->warden) < 0)
			fail("the last PURGE of region %d", i);
		if (r->hostile)
			continue;
		region_lock_all(r);
		doom_unpinned(r);
		for (page = 0; page < r->pages; page += r->window)
			window_audit(r, page);
		if (region_info(r->warden).pinned_extents)
			fail("region %d: pins of the dead", i);
		if (region_info(r->warden).violations)
			fail("region %d: violations", i);
		region_unlock_all(r);
		journal_return(0);
	}
}

static void world_end(void)
{
	int i;

	pressure_close();
	for (i = 0; i < SHARED_REGIONS; i++)
		region_retire(&world->regions[i]);
	close(self.sockets[0]);
	close(self.sockets[1]);
	close(self.device);
}

/* --- a process --- */

static bool time_is_up(void)
{
	return __atomic_load_n(&world->stop, __ATOMIC_RELAXED) ||
	       (world->deadline && now_ns() > world->deadline);
}

static void __attribute__((noreturn)) work(const struct plan *plan, int number)
{
	uint64_t i;

	self.process = self.journal = number;
	arena_open();
	access_open();
	faults_open();
	for (i = plan->from; i < plan->until && !time_is_up(); i++) {
		self.operation = i;
		if (!plan->left_out || !plan->left_out[i])
			operation_run(i);
	}
	asyncs_end();
	players_foreign_end();
	/* Others may go on a little longer: they must not rely on our pins */
	clients_of_process(getpid(), false);
	_exit(0);
}

struct worker {
	pid_t pid;
	uint64_t progress;
	uint64_t since;
};

static void worker_start(struct worker *w, const struct plan *plan, int number)
{
	fflush(NULL);
	w->pid = fork();
	w->since = now_ns();
	if (w->pid < 0)
		fail("fork: %s", strerror(errno));
	if (!w->pid) {
		if (plan->quiet && !freopen("/dev/null", "w", stdout))
			_exit(1);
		work(plan, number);
	}
}

static void worker_ended(struct worker *w, int number, int status)
{
	w->pid = 0;
	/* Its children, if any, end at the next thing that they do */
	__atomic_store_n(&world->stop, status != 0, __ATOMIC_SEQ_CST);
	if (!status)
		return;
	if (__atomic_exchange_n(&world->failed, true, __ATOMIC_SEQ_CST))
		return;
	printf("# FAILED: process %d ended with status %#x; seed %llu; its last calls:\n",
	       number, status, (unsigned long long)world->seed);
	journal_print_last(number);
}

static void worker_watch(struct worker *w, int number)
{
	uint64_t progress = journal_progress(number);
	int i;

	/* A process that waits for a child makes none, but its child does */
	for (i = 0; i < ASYNC_MAX; i++)
		progress += journal_progress(PROCESSES_MAX +
					     number * ASYNC_MAX + i);
	if (progress != w->progress) {
		w->progress = progress;
		w->since = now_ns();
	} else if (now_ns() - w->since > HANG_SECONDS * 1000000000ULL &&
		   !__atomic_exchange_n(&world->failed, true,
					__ATOMIC_SEQ_CST)) {
		printf("# FAILED: process %d hangs; seed %llu; its last calls:\n",
		       number, (unsigned long long)world->seed);
		journal_print_last(number);
		file_write("/proc/sysrq-trigger", "w");
	}
}

/* Until all have ended, or some have hung: those are left to the harness */
static void workers_wait(struct worker *workers, int n)
{
	uint64_t until = 0;
	int left = n, status, i;

	while (left) {
		left = 0;
		for (i = 0; i < n; i++) {
			if (!workers[i].pid)
				continue;
			if (waitpid(workers[i].pid, &status, WNOHANG) ==
			    workers[i].pid)
				worker_ended(&workers[i], i, status);
			else
				worker_watch(&workers[i], i);
			left += workers[i].pid != 0;
		}
		if (world->failed && !until)
			until = now_ns() + 10000000000ULL;
		if (until && now_ns() > until)
			for (i = 0; i < n; i++)
				if (workers[i].pid)
					kill(workers[i].pid, SIGKILL);
		if (until && now_ns() > until + 10000000000ULL)
			return;
		usleep(20000);
	}
}

/* Clients of processes that are gone are so, too */
static void workers_bury(const pid_t *pids, int n)
{
	int i, j, k;

	for (i = 0; i < n; i++)
		for (j = 0; j < SHARED_REGIONS; j++)
			for (k = 1; k < CLIENTS; k++)
				if (world->regions[j].clients[k].owner ==
				    pids[i])
					client_bury(&world->regions[j], k);
}

/* Nothing that is done here needs so much memory that somebody must die */
static long long oom_kills(void)
{
	long long kills = file_number("/proc/vmstat", "oom_kill");

	if (kills < 0)
		fail("OOM kills are not counted");
	return kills;
}

bool run(const struct plan *plan)
{
	struct worker workers[PROCESSES_MAX] = {};
	pid_t pids[PROCESSES_MAX] = {};
	long long kills;
	int i;

	world_make(plan);
	kills = oom_kills();
	world->deadline = plan->seconds ?
			  now_ns() + plan->seconds * 1000000000ULL : 0;
	for (i = 0; i < plan->processes; i++) {
		if (plan->only >= 0 && plan->only != i)
			continue;
		worker_start(&workers[i], plan, i);
		pids[i] = workers[i].pid;
	}
	workers_wait(workers, plan->processes);
	kills = oom_kills() - kills;
	if (world->failed) {
		if (kills)
			printf("# the OOM killer has run, %lld times\n", kills);
		failed_at = world->failed_at;
		world_end();
		return false;
	}
	if (kills)
		fail("the OOM killer has run, %lld times", kills);
	workers_bury(pids, plan->processes);
	world_audit();
	world_end();
	return true;
}

/* Made for the caller by debugfs: let GFP_KERNEL allocations fail, quietly */
bool faults_available(void)
{
#define SET(file, value) file_write("/sys/kernel/debug/" file, value)
	if (access("/proc/self/fail-nth", W_OK))
		return false;
	return !SET("failslab/ignore-gfp-wait", "N") &&
	       !SET("failslab/verbose", "0") &&
	       !SET("fail_page_alloc/ignore-gfp-wait", "N") &&
	       !SET("fail_page_alloc/ignore-gfp-highmem", "N") &&
	       !SET("fail_page_alloc/min-order", "0") &&
	       !SET("fail_page_alloc/verbose", "0") &&
	       (access("/sys/kernel/debug/fail_usercopy", F_OK) ||
		!SET("fail_usercopy/verbose", "0"));
#undef SET
}
