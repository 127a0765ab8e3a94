// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The pressure thread in a machine whose every file says something else than
 * it should: /proc/meminfo, /proc/self/cgroup, the files of control groups, and
 * the environment that names a source. The thread runs in the foreground, for
 * as many turns as the input says, and must neither ask for what makes no sense
 * nor sleep for ever.
 *
 * The input is TURNS bytes for what happens, two more, and the files' texts in
 * the order of enum file, each ended by 0xff.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuzz.h"
#include "pressure.h"
#include "world.h"

#define TURNS		80
#define TAKE_MOST	(64U << 20 >> 12)
#define NAP_MOST	1000

enum file { MEMINFO, SELF, MAX, HIGH, CURRENT, STAT, STALL, WRITE, FILES };

/**
 * struct machine
 * @turns:   a byte each
 * @files:   their contents
 * @watch:   what the environment names, or NULL
 * @mode:    of that
 * @running: the thread is
 * @left:    turns that it may take
 * @digit:   what all digits of the figures are in this turn; 0: as they are
 */
static struct machine {
	struct fuzz_input turns;
	struct fuzz_text files[FILES];
	const char *watch;
	mode_t mode;
	bool running;
	unsigned int left;
	char digit;
} machine;

WRAP(int, poll, struct pollfd *fds, nfds_t count, int timeout);
WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr,
     void *(*body)(void *), void *argument);
WRAP(int, pthread_join, pthread_t thread, void **result);
WRAP(int, pthread_setname_np, pthread_t thread, const char *name);
WRAP(int, usleep, useconds_t us);
WRAP(int, setpriority, int which, id_t who, int priority);
WRAP(char *, secure_getenv, const char *name);
WRAP(int, stat, const char *path, struct stat *stat);
WRAP(int, connect, int fd, const struct sockaddr *address, socklen_t size);
WRAP(uint64_t, pashm_registry_reclaim, uint64_t pages);

/* Sleeping is bounded, whatever the figures; each turn the world may change */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	uint8_t turn = fuzz_u8(&machine.turns);
	nfds_t i;

	if (!machine.running)
		return __real_poll(fds, count, timeout);
	fuzz_check(timeout >= 0 && timeout <= NAP_MOST);
	fuzz_sleep((unsigned int)timeout);
	machine.digit = "\0\0009"[turn >> 4 & 3];
	for (i = 0; i < count; i++)
		fds[i].revents = 0;
	if (machine.left-- == 0 || !fuzz_left(&machine.turns)) {
		fds[0].revents = POLLIN;
		return 1;
	}
	if (turn & 0x80) {
		errno = ENOMEM;
		return -1;
	}
	/* Any of the sources may speak, or end */
	i = turn % count;
	if (i && fds[i].fd >= 0)
		fds[i].revents = turn & 0x40 ? POLLERR : fds[i].events;
	return 1;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*body)(void *), void *argument)
{
	if (!machine.running)
		return __real_pthread_create(thread, attr, body, argument);
	memset(thread, 0, sizeof(*thread));
	body(argument);
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	return machine.running ? 0 : __real_pthread_join(thread, result);
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
	return machine.running ? 0 : __real_pthread_setname_np(thread, name);
}

int __wrap_usleep(useconds_t us)
{
	return machine.running ? 0 : __real_usleep(us);
}

int __wrap_setpriority(int which, id_t who, int priority)
{
	return machine.running ? 0 : __real_setpriority(which, who, priority);
}

char *__wrap_secure_getenv(const char *name)
{
	static char text[2048];
	size_t length = machine.files[WRITE].length;

	if (!strcmp(name, "MEMORY_PRESSURE_WATCH"))
		return (char *)(uintptr_t)machine.watch;
	if (strcmp(name, "MEMORY_PRESSURE_WRITE") ||
	    !machine.files[WRITE].text)
		return NULL;
	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, machine.files[WRITE].text, length);
	text[length] = '\0';
	return text;
}

int __wrap_stat(const char *path, struct stat *stat)
{
	if (!machine.running)
		return __real_stat(path, stat);
	if (!machine.mode) {
		errno = ENOENT;
		return -1;
	}
	stat->st_mode = machine.mode;
	return 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int pair[2];

	if (!machine.running)
		return __real_connect(fd, address, size);
	fuzz_check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	dup2(pair[0], fd);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* Some of what is asked for, or all */
uint64_t __wrap_pashm_registry_reclaim(uint64_t pages)
{
	uint8_t turn = fuzz_u8(&machine.turns);

	fuzz_check(pages > 0 && pages <= TAKE_MOST);
	return turn & 1 ? pages : pages * (turn >> 1) / 128;
}

static bool ends(const char *path, const char *with)
{
	size_t length = strlen(path), end = strlen(with);

	return length >= end && !strcmp(path + length - end, with);
}

static const struct fuzz_text *file_of(const char *path)
{
	static const struct {
		const char *end;
		enum file file;
	} names[] = {
		{ "/meminfo", MEMINFO }, { "/self/cgroup", SELF },
		{ "/memory.max", MAX }, { "/memory.limit_in_bytes", MAX },
		{ "/memory.high", HIGH }, { "/memory.current", CURRENT },
		{ "/memory.usage_in_bytes", CURRENT },
		{ "/memory.stat", STAT }, { "/memory.pressure", STALL },
		{ "/pressure/memory", STALL }, { "/watch", STALL },
	};
	static const struct fuzz_text missing;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (ends(path, names[i].end))
			return &machine.files[names[i].file];
	}
	return &missing;
}

/* Figures that jump */
static void figures_change(char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length && machine.digit; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			text[i] = machine.digit;
	}
}

static void texts_split(const uint8_t *data, size_t size)
{
	const uint8_t *end;
	unsigned int i;

	for (i = 0; i < FILES && size; i++) {
		end = memchr(data, 0xff, size);
		machine.files[i] = (struct fuzz_text){
			.text = (const char *)data,
			.length = end ? (size_t)(end - data) : size,
		};
		/* Nothing at all: no such file */
		if (machine.files[i].length == 0)
			machine.files[i].text = NULL;
		if (!end)
			return;
		size -= (size_t)(end + 1 - data);
		data = end + 1;
	}
}

static void watch_choose(uint8_t how)
{
	static const char *const paths[] = {
		NULL, NULL, "/dev/null", "", "relative", "/proc/watch",
		"/proc/watch",
		"/far/too/long/for/the/address/of/a/socket/which/has/a/hundred/and/eight/bytes/at/the/most/and/not/one/more/watch",
	};
	static const mode_t modes[] = {
		S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, 0,
	};

	machine.watch = paths[how % 8];
	machine.mode = modes[how / 8 % 5];
}

static void charge(struct pressure *pressure, uint8_t how)
{
	unsigned int i;

	for (i = 0; i < how % 8U; i++)
		FUZZ_VOID(pashm_pressure_charge(pressure,
						1ULL << how / 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pressure *pressure;
	uint8_t charges;

	machine = (struct machine){ .left = TURNS };
	if (size < TURNS + 2)
		return 0;
	machine.turns = (struct fuzz_input){ data, data + TURNS };
	watch_choose(data[TURNS]);
	charges = data[TURNS + 1];
	texts_split(data + TURNS + 2, size - TURNS - 2);
	machine.running = true;
	fuzz_file = file_of;
	fuzz_read = figures_change;
	fuzz_world_begin(NULL);
	if (!FUZZ_CALL(pashm_pressure_start(&pressure))) {
		charge(pressure, charges);
		FUZZ_VOID(pashm_pressure_stop(pressure));
	}
	fuzz_world_end();
	machine.running = false;
	return 0;
}
