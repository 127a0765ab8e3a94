// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children. Alone, a process waits for its child, so that a run is the same
 * each time; with others at work, it goes on, and kills the child later, at
 * whatever it is doing.
 */
#include <signal.h>

#include "ops.h"

#define CHILD_OPERATIONS	40
#define DEPTH_MAX		2

static void child_begin(uint64_t seed)
{
	if (!self.depth++)
		self.root = self.operation;
	self.seed = seed;
	players_after_fork();
	access_open();
	pins_after_fork();
	faults_open();
}

/* Half of them end by a signal */
static void __attribute__((noreturn)) child_end(bool by_signal)
{
	players_foreign_end();
	if (by_signal) {
		process_condemn(getpid(), self.journal);
		raise(SIGKILL);
	}
	clients_of_process(getpid(), false);
	_exit(0);
}

static void child_run(struct stream *s)
{
	uint64_t n = small(s, CHILD_OPERATIONS), i;

	for (i = 0; i < n; i++) {
		self.operation = i;
		operation_run(i);
	}
	child_end(once_in(s, 2));
}

/* It may have been killed by us, but not by the kernel, short of memory */
static void child_reap(pid_t pid, int journal)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		_exit(3);
	if (WIFSIGNALED(status) && (WTERMSIG(status) != SIGKILL ||
				    !condemned(pid, journal)))
		fail("a child was ended by %s, not by us",
		     strsignal(WTERMSIG(status)));
	clients_of_process(pid, true);
}

static void fork_and_wait(struct stream *s, uint64_t seed)
{
	pid_t pid;

	journal_call("fork", "", 0, 0, 0, 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		child_begin(seed);
		child_run(s);
	}
	journal_return(pid < 0 ? -errno : 0);
	if (pid > 0)
		child_reap(pid, self.journal);
}

static int async_journal(int slot)
{
	return PROCESSES_MAX + self.process * ASYNC_MAX + slot;
}

static void fork_async(uint64_t seed, int slot)
{
	pid_t pid;
	uint64_t i;

	journal_call("fork, asynchronous", "", 0, 0, 0, 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		child_begin(seed);
		/* Killed, it could not take children of its own along */
		self.depth = DEPTH_MAX;
		self.journal = async_journal(slot);
		for (i = 0; !__atomic_load_n(&world->failed, __ATOMIC_SEQ_CST);
		     i++) {
			self.operation = i;
			operation_run(i);
		}
		_exit(0);
	}
	journal_return(pid < 0 ? -errno : 0);
	if (pid > 0)
		self.asyncs[slot] = pid;
}

void op_fork(struct stream *s)
{
	uint64_t seed = mix3(self.seed, (uint64_t)self.process, self.operation);
	bool async = world->concurrent && !self.depth && once_in(s, 2);
	int i;

	if (self.depth == DEPTH_MAX)
		return;
	for (i = 0; async && i < ASYNC_MAX; i++) {
		if (self.asyncs[i])
			continue;
		fork_async(seed, i);
		return;
	}
	fork_and_wait(s, seed);
}

/* It goes on until it is told to die, or somebody has reported */
static void async_alive(pid_t pid)
{
	siginfo_t ended = {};

	if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT))
		fail("waitid: %s", strerror(errno));
	if (ended.si_pid)
		fail("a child has ended by itself, code %d, status %d",
		     ended.si_code, ended.si_status);
}

/* It is at work somewhere: the model is told before, and after */
static void async_end(int slot)
{
	pid_t pid = self.asyncs[slot];

	if (!pid)
		return;
	journal_call("kill", "%ld", pid, 0, 0, 0);
	async_alive(pid);
	process_condemn(pid, async_journal(slot));
	kill(pid, SIGKILL);
	child_reap(pid, async_journal(slot));
	self.asyncs[slot] = 0;
	journal_return(0);
	clients_settle();
}

void op_reap(struct stream *s)
{
	async_end((int)below(s, ASYNC_MAX));
}

void asyncs_end(void)
{
	int i;

	for (i = 0; i < ASYNC_MAX; i++)
		async_end(i);
}
