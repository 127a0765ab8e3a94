// SPDX-License-Identifier: LGPL-2.1-or-later
/* Where notifications of memory pressure come from. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include "common.h"
#include "watch.h"

#define HELLO	"aGVsbG8="		/* "hello" */

static char path[] = "/tmp/pashm-pressure-XXXXXX";
static char name[sizeof(path) + 8];

static int setup(void **test)
{
	(void)test;
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	assert_non_null(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/watch", path);
	setenv("MEMORY_PRESSURE_WATCH", name, 1);
	setenv("MEMORY_PRESSURE_WRITE", HELLO, 1);
	return 0;
}

static int teardown(void **test)
{
	(void)test;
	unsetenv("MEMORY_PRESSURE_WATCH");
	unsetenv("MEMORY_PRESSURE_WRITE");
	unlink(name);
	return rmdir(path);
}

static struct pashm_region *watched_region(void)
{
	struct pashm_region_params params = {
		.length = PAGES * page_size(), .backend = PASHM_BACKEND_MEMFD,
	};
	struct pashm_region *region;
	uint32_t page;

	assert_int_equal(pashm_region_create(&params, &region), 0);
	assert_int_equal(pashm_region_map(region, PROT_READ | PROT_WRITE,
					  NULL), 0);
	for (page = 0; page < PAGES; page++)
		unpin(region, extent_new(region, page, 1, 'a'));
	return region;
}

/* Something is taken within seconds */
static bool is_reclaimed(struct pashm_region *region)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	int i;

	for (i = 0; i < 2000; i++) {
		if (__atomic_load_n(&region->view.header->purges,
				    __ATOMIC_RELAXED))
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/**
 * struct giver - who is asked
 * @asked: bytes of all calls; atomic
 * @calls: atomic
 * @gives: what it says that it gives
 */
struct giver {
	uint64_t asked;
	int calls;
	uint64_t gives;
};

static uint64_t give(uint64_t bytes, void *context)
{
	struct giver *giver = context;

	__atomic_fetch_add(&giver->asked, bytes, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&giver->calls, 1, __ATOMIC_SEQ_CST);
	return giver->gives;
}

static bool is_called(struct giver *giver)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	int i;

	for (i = 0; i < 2000; i++) {
		if (__atomic_load_n(&giver->calls, __ATOMIC_SEQ_CST))
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/* A step is more than the region has: the rest is asked for, of the first first */
static void listeners_are_asked_for_the_rest(void **test)
{
	struct giver first = { .gives = 100 }, second = { .gives = 1ULL << 30 };
	struct giver third = { 0 };
	struct pashm_listener *listeners[3];
	struct pashm_region *region;
	int fd;

	(void)test;
	/* Or the library would read its own greeting, and take while this is filled */
	unsetenv("MEMORY_PRESSURE_WRITE");
	assert_int_equal(mkfifo(name, 0600), 0);
	region = watched_region();
	assert_int_equal(pashm_pressure_listen(give, &first, &listeners[0]), 0);
	assert_int_equal(pashm_pressure_listen(give, &second, &listeners[1]),
			 0);
	assert_int_equal(pashm_pressure_listen(give, &third, &listeners[2]), 0);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(is_called(&second));
	pashm_pressure_unlisten(listeners[0]);
	pashm_pressure_unlisten(listeners[1]);
	assert_true(region->view.header->purges);
	/* The first time, that is what the region has less than a step */
	assert_int_equal(first.asked % (8ULL << 20),
			 (8ULL << 20) - PAGES * page_size());
	assert_int_equal(second.asked,
			 first.asked - 100 * (uint64_t)first.calls);
	assert_int_equal(third.calls, 0);
	pashm_pressure_unlisten(listeners[2]);
	pashm_pressure_unlisten(NULL);
	pashm_region_close(region);
	close(fd);
}

/* There is a thread as long as somebody listens; in a child there is none */
static void listening_needs_no_region(void **test)
{
	struct giver giver = { .gives = 1ULL << 30 };
	struct pashm_listener *listener;
	pid_t pid;
	int fd;

	(void)test;
	assert_int_equal(mkfifo(name, 0600), 0);
	assert_int_equal(pashm_pressure_listen(give, &giver, &listener), 0);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		pashm_pressure_unlisten(listener);
/* Sanitizers do not let a child of several threads start more, or allocate */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
		if (pashm_pressure_listen(give, &giver, &listener))
			_exit(1);
		pashm_pressure_unlisten(listener);
#endif
		_exit(0);
	}
	assert_int_equal(child_status(pid), 0);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(is_called(&giver));
	pashm_pressure_unlisten(listener);
	assert_int_equal(giver.asked, (uint64_t)giver.calls * (8ULL << 20));
	close(fd);
	/* Nobody is there any more to open it for reading */
	assert_int_equal(open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC), -1);
	assert_int_equal(errno, ENXIO);
}

static void a_socket_can_tell(void **test)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct pashm_region *region;
	char text[16];
	int server, fd;

	(void)test;
	strcpy(address.sun_path, name);
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(listen(server, 1), 0);
	region = watched_region();
	fd = accept(server, NULL, NULL);
	assert_int_equal(read(fd, text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(write(fd, "!", 1), 1);
	assert_true(is_reclaimed(region));
	/* The thread gets over its end */
	close(fd);
	close(server);
	pashm_region_close(region);
}

static void a_fifo_can_tell(void **test)
{
	struct pashm_region *region;
	int fd;

	(void)test;
	unsetenv("MEMORY_PRESSURE_WRITE");
	assert_int_equal(mkfifo(name, 0600), 0);
	region = watched_region();
	fd = open(name, O_WRONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "!", 1), 1);
	assert_true(is_reclaimed(region));
	close(fd);
	pashm_region_close(region);
}

static void a_file_is_written_first_and_polled_for_priority(void **test)
{
	struct pollfd watch;
	char text[16];
	int fd = open(name, O_CREAT | O_RDWR, 0600);

	(void)test;
	assert_true(pashm_watch_open(&watch));
	assert_true(watch.fd >= 0);
	assert_int_equal(watch.events, POLLPRI);
	assert_int_equal(read(fd, text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
	close(fd);
	close(watch.fd);
}

static void what_cannot_be_used_is_not(void **test)
{
	struct pollfd watch;

	(void)test;
	assert_false(pashm_watch_open(&watch));
	setenv("MEMORY_PRESSURE_WATCH", "relative", 1);
	assert_false(pashm_watch_open(&watch));
	setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 1);
	assert_true(pashm_watch_open(&watch));
	assert_int_equal(watch.fd, -1);
	close(open(name, O_CREAT | O_RDWR, 0600));
	setenv("MEMORY_PRESSURE_WATCH", name, 1);
	setenv("MEMORY_PRESSURE_WRITE", "no base64!", 1);
	assert_false(pashm_watch_open(&watch));
	unsetenv("MEMORY_PRESSURE_WATCH");
	assert_false(pashm_watch_open(&watch));
}

#define PRESSURE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PRESSURE(listeners_are_asked_for_the_rest),
		PRESSURE(listening_needs_no_region),
		PRESSURE(a_socket_can_tell),
		PRESSURE(a_fifo_can_tell),
		PRESSURE(a_file_is_written_first_and_polled_for_priority),
		PRESSURE(what_cannot_be_used_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
