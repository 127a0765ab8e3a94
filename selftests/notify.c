// SPDX-License-Identifier: GPL-2.0-only
/* A region's descriptor tells of purges: poll, and read as of an eventfd. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include <kselftest_harness.h>

#include "common.h"

#define PAGES	8
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(notify)
{
	int fd, other;
	char *data;
};

FIXTURE_SETUP(notify)
{
	long address;

	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	self->other = region_attach(self->fd, 0);
	ASSERT_LE(0, self->other);
	address = map_at(self->fd, 0, PAGES * PAGE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
}

FIXTURE_TEARDOWN(notify)
{
	munmap(self->data, PAGES * PAGE);
	close(self->other);
	close(self->fd);
}

/* One page each, unpinned */
static void make_extents(struct __test_metadata *_metadata,
			 struct _test_data_notify *self, size_t number)
{
	size_t i;

	for (i = 0; i < number; i++) {
		self->data[i * PAGE] = 1;
		ASSERT_EQ(0, region_reshape(self->fd, i, 1, 0));
		ASSERT_EQ(0, region_unpin(self->fd, i));
	}
}

static bool readable(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };

	return poll(&one, 1, 0) == 1 && one.revents == POLLIN;
}

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Purges since the last call, or a negative errno */
static long news(int fd)
{
	uint64_t number;
	long ret = CALL(read(fd, &number, sizeof(number)));

	return ret == sizeof(number) ? (long)number : ret;
}

TEST_F(notify, nothing_has_happened_at_first)
{
	set_nonblocking(self->fd);
	EXPECT_FALSE(readable(self->fd));
	EXPECT_EQ(-EAGAIN, news(self->fd));
}

TEST_F(notify, each_client_is_told_how_many_extents_were_taken)
{
	set_nonblocking(self->fd);
	set_nonblocking(self->other);
	make_extents(_metadata, self, 3);
	ASSERT_EQ(3 * PAGE, region_purge(self->fd));
	EXPECT_TRUE(readable(self->fd));
	EXPECT_TRUE(readable(self->other));
	EXPECT_EQ(3, news(self->fd));
	EXPECT_FALSE(readable(self->fd));
	EXPECT_EQ(-EAGAIN, news(self->fd));
	EXPECT_TRUE(readable(self->other));
	EXPECT_EQ(3, news(self->other));
}

TEST_F(notify, a_new_client_is_not_told_of_old_purges)
{
	int late;

	make_extents(_metadata, self, 1);
	ASSERT_EQ(PAGE, region_purge(self->fd));
	late = region_attach(self->fd, 0);
	EXPECT_FALSE(readable(late));
	make_extents(_metadata, self, 1);
	ASSERT_EQ(PAGE, region_purge(self->fd));
	EXPECT_EQ(1, news(late));
	EXPECT_EQ(2, news(self->fd));
	close(late);
}

TEST_F(notify, what_is_not_taken_is_not_told)
{
	make_extents(_metadata, self, 1);
	ASSERT_EQ(0, region_reshape(self->other, 1, 1, 0));
	EXPECT_EQ(PAGE, region_purge(self->fd));
	EXPECT_EQ(1, news(self->fd));
	EXPECT_EQ(0, region_purge(self->fd));
	EXPECT_FALSE(readable(self->fd));
}

TEST_F(notify, a_short_or_bad_buffer_loses_nothing)
{
	char *end = self->data + PAGES * PAGE;
	uint64_t number;

	make_extents(_metadata, self, 1);
	ASSERT_EQ(PAGE, region_purge(self->fd));
	EXPECT_EQ(-EINVAL, CALL(read(self->fd, &number, 7)));
	ASSERT_EQ(0, mprotect(end - PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, CALL(read(self->fd, end - 8, 8)));
	EXPECT_TRUE(readable(self->fd));
	EXPECT_EQ(1, news(self->fd));
}

static int *reader_fd;

static void *read_one(void *result)
{
	*(long *)result = news(*reader_fd);
	return NULL;
}

TEST_F(notify, a_reader_that_waits_is_woken)
{
	long found = 0;
	pthread_t thread;

	make_extents(_metadata, self, 2);
	reader_fd = &self->other;
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_one, &found));
	/* It may or may not sleep already: both ways it must be told */
	usleep(50000);
	ASSERT_EQ(2 * PAGE, region_purge(self->fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_LE(1, found);
	EXPECT_GE(2, found);
	EXPECT_EQ(found == 1, readable(self->other));
}

static void nothing(int number MAYBE_UNUSED)
{
}

TEST_F(notify, a_signal_ends_a_wait)
{
	struct sigaction action = { .sa_handler = nothing };

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	alarm(1);
	EXPECT_EQ(-EINTR, news(self->fd));
}

TEST_F(notify, edges_are_told_once_each)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), round;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->other, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (round = 0; round < 3; round++) {
		make_extents(_metadata, self, 1);
		ASSERT_EQ(PAGE, region_purge(self->fd));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 5000));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	EXPECT_EQ(3, news(self->other));
	close(epoll);
}

TEST_F(notify, reclaim_is_told_of_too)
{
	struct pollfd one = { .fd = self->fd, .events = POLLIN };
	int tries;

	if (geteuid())
		SKIP(return, "only root can ask for reclaim");
	make_extents(_metadata, self, PAGES);
	for (tries = 0; tries < 20 && region_info(self->fd).resident; tries++)
		ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(1, poll(&one, 1, 5000));
	EXPECT_EQ(PAGES, news(self->fd));
}

TEST_HARNESS_MAIN
