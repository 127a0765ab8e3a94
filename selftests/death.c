// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins end with the process that holds them, however it ends and whoever else
 * still has its descriptors. $PASHM_TEST_SCALE multiplies the number of kills.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "backend.h"

#define KILLS		1000
#define EXTENTS		16
#define LENGTH		4
#define SPARE		(EXTENTS * LENGTH)	/* pages for reshaping */
#define PAGES		(2 * SPARE)
#define BYTES		((long)(EXTENTS * LENGTH * PAGE))
#define RW		(PROT_READ | PROT_WRITE)

FIXTURE(death)
{
	struct pashm_region *region;
	struct pashm_handle handles[EXTENTS];
	char *data;
	int channel[2];			/* parent's end, child's end */
};

FIXTURE_VARIANT(death)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(death, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(death, memfd) { .backend = PASHM_BACKEND_MEMFD };

/* All extents are filled and unpinned */
FIXTURE_SETUP(death)
{
	int i;

	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, 0, &self->region));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, (void **)&self->data));
	memset(self->data, 1, BYTES);
	for (i = 0; i < EXTENTS; i++) {
		ASSERT_EQ(0, pashm_extent_create(self->region, i * LENGTH,
						 LENGTH, 3, &self->handles[i]));
		ASSERT_EQ(0, pashm_unpin(self->region, i * LENGTH));
	}
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				self->channel));
}

FIXTURE_TEARDOWN(death)
{
	pashm_region_close(self->region);
}

static struct pashm_region *import_own(struct _test_data_death *self)
{
	struct pashm_region *own;

	if (pashm_region_import(pashm_region_fd(self->region), &own) ||
	    pashm_region_map(own, RW, NULL))
		_exit(10);
	return own;
}

static void pin_all(struct pashm_region *own, struct _test_data_death *self)
{
	enum pashm_verdict verdict;
	int i;

	for (i = 0; i < EXTENTS; i++)
		if (pashm_pin(own, self->handles[i], &verdict) ||
		    verdict == PASHM_STALE)
			_exit(11);
}

static void tell(int fd)
{
	if (write(fd, "x", 1) != 1)
		_exit(12);
}

static void await(struct __test_metadata *_metadata, int fd)
{
	char byte;

	ASSERT_EQ(1, read(fd, &byte, 1));
}

static void expect_all_pinned(struct __test_metadata *_metadata,
			      struct _test_data_death *self)
{
	EXPECT_EQ(EXTENTS, backend_info(self->region).pinned_extents);
	EXPECT_EQ(0, backend_purge(self->region));
}

/* Nothing is pinned any more: all can be taken */
static void expect_all_purged(struct __test_metadata *_metadata,
			      struct _test_data_death *self)
{
	struct pashm_region_info info;

	EXPECT_EQ(BYTES, backend_purge(self->region));
	info = backend_info(self->region);
	EXPECT_EQ(0, info.pinned_extents);
	EXPECT_EQ(0, info.resident);
	EXPECT_EQ(EXTENTS, info.extents);
}

static void kill_child(struct __test_metadata *_metadata, pid_t pid)
{
	int status;

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status)) TH_LOG("status %x", status);
}

TEST_F(death, pins_of_a_killed_process_are_gone)
{
	pid_t pid = fork();

	if (!pid) {
		pin_all(import_own(self), self);
		tell(self->channel[1]);
		pause();
	}
	await(_metadata, self->channel[0]);
	expect_all_pinned(_metadata, self);
	kill_child(_metadata, pid);
	expect_all_purged(_metadata, self);
}

static int pin_and_exit(void *arg)
{
	pin_all(import_own(arg), arg);
	return 0;
}

TEST_F(death, pins_of_a_process_that_exits_are_gone)
{
	ASSERT_EQ(0, in_child(pin_and_exit, self));
	expect_all_purged(_metadata, self);
}

TEST_F(death, a_descriptor_that_another_process_holds_keeps_no_pins)
{
	pid_t pid = fork();
	int fd;

	if (!pid) {
		struct pashm_region *own = import_own(self);

		pin_all(own, self);
		send_descriptor(self->channel[1], pashm_region_fd(own));
		pause();
	}
	fd = receive_descriptor(self->channel[0]);
	ASSERT_LE(0, fd);
	expect_all_pinned(_metadata, self);
	kill_child(_metadata, pid);
	expect_all_purged(_metadata, self);
	close(fd);
}

TEST_F(death, a_descriptor_in_flight_keeps_no_pins)
{
	pid_t pid = fork();

	if (!pid) {
		struct pashm_region *own = import_own(self);

		pin_all(own, self);
		send_descriptor(self->channel[1], pashm_region_fd(own));
		tell(self->channel[1]);
		pause();
	}
	/* A look at the first message leaves the descriptor where it is */
	while (recv(self->channel[0], (char[2]){ 0 }, 2, MSG_PEEK) < 1)
		;
	while (backend_info(self->region).pinned_extents != EXTENTS)
		usleep(1000);
	kill_child(_metadata, pid);
	expect_all_purged(_metadata, self);
}

TEST_F(death, an_exec_ends_pins_though_the_descriptor_stays)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct pashm_region *own = import_own(self);

		pin_all(own, self);
		fcntl(pashm_region_fd(own), F_SETFD, 0);
		dup2(self->channel[1], 0);
		dup2(self->channel[1], 1);
		execl("/bin/sh", "sh", "-c", "echo; read line", NULL);
		_exit(13);
	}
	await(_metadata, self->channel[0]);
	expect_all_purged(_metadata, self);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	tell(self->channel[0]);
	kill_child(_metadata, pid);
}

TEST_F(death, a_forked_child_keeps_no_pins_of_its_dead_parent)
{
	pid_t pid = fork();

	if (!pid) {
		pin_all(import_own(self), self);
		if (!fork()) {
			tell(self->channel[1]);
			/* Until the case is over and the other end closed */
			close(self->channel[0]);
			await(_metadata, self->channel[1]);
			_exit(0);
		}
		pause();
	}
	await(_metadata, self->channel[0]);
	expect_all_pinned(_metadata, self);
	kill_child(_metadata, pid);
	expect_all_purged(_metadata, self);
	tell(self->channel[0]);
}

TEST_F(death, a_forked_child_that_exits_takes_no_pins_along)
{
	int status;
	pid_t pid;

	pin_all(self->region, self);
	pid = fork();
	if (!pid)
		exit(0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	expect_all_pinned(_metadata, self);
	EXPECT_EQ(1, self->data[0]);
}

static void *pin_in_thread(void *arg)
{
	struct _test_data_death *self = arg;

	pin_all(self->region, self);
	return NULL;
}

TEST_F(death, pins_of_a_thread_that_ends_belong_to_the_process)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, pin_in_thread, self));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	expect_all_pinned(_metadata, self);
	EXPECT_EQ(0, pashm_unpin(self->region, 0));
}

static void *tell_when_alone(void *arg)
{
	struct _test_data_death *self = arg;

	usleep(50000);			/* the first thread is gone by then */
	tell(self->channel[1]);
	pause();
	return NULL;
}

TEST_F(death, pins_outlive_the_first_thread_of_a_process)
{
	pid_t pid = fork();
	pthread_t thread;

	if (!pid) {
		pin_all(import_own(self), self);
		pthread_create(&thread, NULL, tell_when_alone, self);
		syscall(SYS_exit, 0);
	}
	await(_metadata, self->channel[0]);
	expect_all_pinned(_metadata, self);
	kill_child(_metadata, pid);
	expect_all_purged(_metadata, self);
}

struct worker {
	struct _test_data_death *self;
	struct pashm_region *own;
	uint64_t seed;
};

/* Pins, nests, refills, reshapes and purges at random, for ever */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct pashm_handle made;
	enum pashm_verdict verdict;

	for (;;) {
		uint32_t extent = random_next(&w->seed) % EXTENTS;
		uint32_t page = extent * LENGTH;

		switch (random_next(&w->seed) % 8) {
		case 0:
			pashm_region_purge(w->own, NULL);
			break;
		case 1:
			page += SPARE;
			if (pashm_extent_create(w->own, page, LENGTH, 3, &made))
				break;
			memset(pashm_address(w->own, page), 1, PAGE);
			pashm_extent_destroy(w->own, page,
					     PASHM_EXTENT_DISCARD);
			break;
		case 2:
			pashm_unpin(w->own, page);
			break;
		default:
			if (!pashm_pin(w->own, w->self->handles[extent],
				       &verdict) && verdict == PASHM_PURGED)
				memset(pashm_address(w->own, page), 1,
				       LENGTH * PAGE);
			if (random_next(&w->seed) % 2)
				pashm_unpin(w->own, page);
		}
	}
	return NULL;
}

static void be_killed(struct _test_data_death *self, uint64_t seed)
{
	struct worker first = { self, import_own(self), seed };
	struct worker second = { self, first.own, ~seed };
	pthread_t thread;

	if (seed % 4 == 0)
		pthread_create(&thread, NULL, work, &second);
	tell(self->channel[1]);
	work(&first);
}

/* Rounds alternate between kills as early as possible and in full work */
TEST_F_TIMEOUT(death, kills_at_random_points_leave_no_pin, 7200)
{
	long kills = scaled(KILLS), i;
	uint64_t seed = 0x9e3779b97f4a7c15ULL;

	for (i = 0; i < kills; i++) {
		struct pashm_region_info info;
		uint64_t choice = random_next(&seed);
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			be_killed(self, choice);
		if (choice % 8)
			await(_metadata, self->channel[0]);
		usleep(random_next(&seed) % 3000);
		kill_child(_metadata, pid);
		while (recv(self->channel[0], (char[8]){ 0 }, 8,
			    MSG_DONTWAIT) > 0)
			;
		ASSERT_LE(0, backend_purge(self->region));
		info = backend_info(self->region);
		ASSERT_EQ(0, info.pinned_extents) TH_LOG("kill %ld", i);
		ASSERT_EQ(0, info.resident) TH_LOG("kill %ld", i);
		ASSERT_EQ(1, info.clients);
	}
	EXPECT_EQ(0, backend_info(self->region).violations);
}

TEST_HARNESS_MAIN
