// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors that need no fault injection: a signal while waiting for a purge, and an
 * answer that cannot be written. What has failed has changed nothing.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <kselftest_harness.h>

#include "common.h"

#define PAGES		8192UL			/* that take time */
#define RW		(PROT_READ | PROT_WRITE)
#define UNTOUCHED	77			/* no verdict */

FIXTURE(signal)
{
	int fd, other;
};

FIXTURE_SETUP(signal)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	self->other = region_attach(self->fd, 0);
	ASSERT_LE(0, self->other);
}

FIXTURE_TEARDOWN(signal)
{
	close(self->other);
	close(self->fd);
}

struct waiting {
	struct _test_data_signal *self;
	const uint64_t *state;
	char *data;
	uint32_t generation;
	struct pashm_range range;
	long purged;
};

static void *purge(void *arg)
{
	struct waiting *w = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	w->purged = region_purge(w->self->other);
	return NULL;
}

static long wait_for_it(struct waiting *w)
{
	struct pashm_wait args = { .size = sizeof(args) };

	return command(w->self->fd, PASHM_IOC_WAIT, &args);
}

static long pin_it(struct waiting *w)
{
	struct pashm_pin args = {
		.size = sizeof(args), .ranges = (uintptr_t)&w->range,
		.count = 1,
	};

	w->range = (struct pashm_range) {
		.generation = w->generation, .verdict = UNTOUCHED,
	};
	return command(w->self->fd, PASHM_IOC_PIN, &args);
}

static long purge_it(struct waiting *w)
{
	return region_purge(w->self->fd);
}

static long reshape_it(struct waiting *w)
{
	return region_reshape(w->self->fd, 0, PAGES, 0);
}

static void nothing(int signal)
{
	(void)signal;
}

/* A purge of many pages, and a call that waits for it under a hail of signals */
static long interrupt(struct __test_metadata *_metadata, struct waiting *w,
		      long (*call)(struct waiting *w))
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
	pthread_t thread;
	size_t page;
	long ret;

	for (page = 0; page < PAGES; page++)
		w->data[page * PAGE] = 1;
	w->generation = pashm_state_generation(*w->state);
	ASSERT_EQ(0, pthread_create(&thread, NULL, purge, w));
	while (!pashm_state_purging(__atomic_load_n(w->state,
						    __ATOMIC_ACQUIRE)))
		if (pashm_state_generation(*w->state) != w->generation)
			break;
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	ret = call(w);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ((long)(PAGES * PAGE), w->purged);
	return ret;
}

static void expect_eintr(struct __test_metadata *_metadata,
			 struct _test_data_signal *self,
			 long (*call)(struct waiting *w))
{
	struct sigaction action = { .sa_handler = nothing };
	struct waiting w = { .self = self };
	uint32_t before;
	int tries;
	long ret = 0;

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	w.data = (char *)map_at(self->fd, 0, PAGES * PAGE, RW);
	w.state = (const uint64_t *)map_at(self->fd, PASHM_OFFSET_STATES, PAGE,
					   PROT_READ);
	for (tries = 0; tries < 50 && ret != -EINTR; tries++) {
		ASSERT_EQ(0, region_reshape(self->fd, 0, PAGES, 0));
		ASSERT_EQ(0, region_unpin(self->fd, 0));
		before = pashm_state_generation(*w.state);
		ret = interrupt(_metadata, &w, call);
		/* In time, or too late: pinned then, and made anew */
		if (ret != -EINTR && region_info(self->fd).pinned_extents)
			ASSERT_EQ(0, region_unpin(self->fd, 0));
	}
	ASSERT_EQ(-EINTR, ret);
	EXPECT_TRUE(call != pin_it || w.range.verdict == UNTOUCHED);
	EXPECT_EQ(before + 1, pashm_state_generation(*w.state));
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
	EXPECT_EQ(-ERANGE, region_unpin(self->fd, 0));
	EXPECT_EQ(1, region_info(self->fd).extents);
	EXPECT_EQ(0, region_info(self->fd).violations);
	EXPECT_EQ(0, pin_it(&w));
	EXPECT_EQ(PASHM_PURGED, w.range.verdict);
}

TEST_F_TIMEOUT(signal, a_signal_ends_a_wait, 300)
{
	expect_eintr(_metadata, self, wait_for_it);
}

TEST_F_TIMEOUT(signal, a_signal_ends_a_pin_that_waits, 300)
{
	expect_eintr(_metadata, self, pin_it);
}

TEST_F_TIMEOUT(signal, a_signal_ends_a_purge_that_waits, 300)
{
	expect_eintr(_metadata, self, purge_it);
}

TEST_F_TIMEOUT(signal, a_signal_ends_a_reshape_that_waits, 300)
{
	expect_eintr(_metadata, self, reshape_it);
}

/* The answer says how the caller finds its extent: without it, none is made */
TEST_F(signal, a_reshape_that_cannot_answer_is_not_begun)
{
	struct pashm_reshape *args = mmap(NULL, PAGE, RW, MAP_PRIVATE |
					  MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, args);
	*args = (struct pashm_reshape) {
		.size = sizeof(*args), .length = PAGE,
		.priority = PASHM_PRIORITY_DEFAULT,
	};
	ASSERT_EQ(0, mprotect(args, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, command(self->fd, PASHM_IOC_RESHAPE, args));
	EXPECT_EQ(0, region_info(self->fd).extents);
	EXPECT_EQ(0, region_info(self->fd).tables);
	EXPECT_EQ(-ERANGE, region_unpin(self->fd, 0));
}

TEST_HARNESS_MAIN
