/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs share: the raw ABI as functions that return a result or a
 * negative errno, children, descriptors over a socket, small files.
 */
#ifndef PASHM_SELFTESTS_COMMON_H
#define PASHM_SELFTESTS_COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pashm.h>

#define PAGE		((size_t)sysconf(_SC_PAGESIZE))
#define MAYBE_UNUSED	__attribute__((unused))

/* Result of a system call as the kernel meant it */
#define CALL(expression) ({					\
	long __result = (long)(expression);			\
	__result == -1 ? -(long)errno : __result; })

static inline long command(int fd, unsigned long cmd, void *arg)
{
	return CALL(ioctl(fd, cmd, arg));
}

static inline long device_open(void)
{
	return CALL(open(PASHM_DEVICE, O_RDWR | O_CLOEXEC));
}

/* The module is there, or why not: for SKIP in a fixture's set-up */
static inline const char *device_missing(void)
{
	long fd = device_open();

	if (fd < 0)
		return fd == -ENOENT ? PASHM_DEVICE " is missing: load pashm.ko"
				     : PASHM_DEVICE " cannot be opened";
	close(fd);
	return NULL;
}

/*
 * In set-up. A bare return would let the case run, so leave at once; 255 is
 * what the harness itself exits with after a skip.
 */
#define SKIP_WITHOUT_DEVICE() do {				\
	const char *__why = device_missing();			\
	if (__why)						\
		SKIP(_exit(255), "%s", __why);			\
} while (0)

static inline long region_create(size_t pages, uint32_t flags)
{
	struct pashm_create create = {
		.size = sizeof(create), .flags = flags,
		.length = pages * PAGE, .name = "selftest",
	};
	int device = device_open();
	long fd;

	if (device < 0)
		return device;
	fd = command(device, PASHM_IOC_CREATE, &create);
	close(device);
	return fd;
}

static inline long region_attach(int fd, uint32_t prot)
{
	struct pashm_attach attach = { .size = sizeof(attach), .prot = prot };

	return command(fd, PASHM_IOC_ATTACH, &attach);
}

static inline long region_reshape(int fd, size_t page, size_t pages,
				  uint32_t flags)
{
	struct pashm_reshape reshape = {
		.size = sizeof(reshape), .flags = flags, .offset = page * PAGE,
		.length = pages * PAGE, .priority = PASHM_PRIORITY_DEFAULT,
	};

	return command(fd, PASHM_IOC_RESHAPE, &reshape);
}

/* Pin one extent. In: the known generation; out: the current one */
static inline long region_pin(int fd, size_t page, uint32_t *generation,
			      uint32_t *verdict)
{
	struct pashm_range range = {
		.offset = page * PAGE, .generation = *generation,
	};
	struct pashm_pin pin = {
		.size = sizeof(pin), .ranges = (uintptr_t)&range, .count = 1,
	};
	long ret = command(fd, PASHM_IOC_PIN, &pin);

	*generation = range.generation;
	*verdict = range.verdict;
	return ret;
}

static inline long region_unpin(int fd, size_t page)
{
	struct pashm_range range = { .offset = page * PAGE };
	struct pashm_pin pin = {
		.size = sizeof(pin), .ranges = (uintptr_t)&range, .count = 1,
	};

	return command(fd, PASHM_IOC_UNPIN, &pin);
}

/* Write all of @pages at @data, the start, and make it extents that are unpinned */
static inline long region_fill(int fd, char *data, size_t pages, size_t extent)
{
	size_t head;
	long ret = 0;

	memset(data, 0x5a, pages * PAGE);
	for (head = 0; !ret && head < pages; head += extent) {
		ret = region_reshape(fd, head, extent, 0);
		if (!ret)
			ret = region_unpin(fd, head);
	}
	return ret;
}

/* Purge what is unpinned; bytes freed or a negative errno */
static inline long region_purge(int fd)
{
	struct pashm_purge purge = { .size = sizeof(purge) };
	long ret = command(fd, PASHM_IOC_PURGE, &purge);

	return ret ? ret : (long)purge.freed;
}

static inline struct pashm_info region_info(int fd)
{
	struct pashm_info info = { .size = sizeof(info) };

	if (ioctl(fd, PASHM_IOC_INFO, &info))
		memset(&info, 0xff, sizeof(info));
	return info;
}

static inline long region_protect(int fd, uint32_t prot, uint32_t flags)
{
	struct pashm_prot args = {
		.size = sizeof(args), .flags = flags, .prot = prot,
	};

	return command(fd, PASHM_IOC_PROT, &args);
}

/* An address, or a negative errno: no valid address is among those */
static inline long map_at(int fd, uint64_t offset, size_t bytes, int prot)
{
	return CALL(mmap(NULL, bytes, prot, MAP_SHARED, fd, (off_t)offset));
}

#define MAP_FAILED_WITH(address)	((address) < 0 && (address) > -4096)

/* Run @body in a child; its exit status, or 128 and the signal that ended it */
static inline int in_child(int (*body)(void *), void *arg)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(body(arg));
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static inline int send_descriptor(int channel, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(channel, &msg, 0) == 1 ? 0 : -errno;
}

static inline int receive_descriptor(int channel)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(channel, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* The first @size - 1 bytes of a file; an empty string if there is none */
static inline char *file_contents(const char *path, char *buf, size_t size)
{
	ssize_t got, len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (size_t)len < size - 1) {
		got = read(fd, buf + len, size - 1 - (size_t)len);
		if (got <= 0)
			break;
		len += got;
	}
	if (fd >= 0)
		close(fd);
	buf[len] = '\0';
	return buf;
}

static inline long file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	ret = CALL(write(fd, text, strlen(text)));
	close(fd);
	return ret < 0 ? ret : 0;
}

/* The number after @key in a file of "key value" lines, or -1 */
static inline long long file_number(const char *path, const char *key)
{
	char buf[8192], *line = file_contents(path, buf, sizeof(buf));

	for (; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, strlen(key)) &&
		    strchr(": \t", line[strlen(key)]))
			return atoll(line + strlen(key) + 1);
	}
	return -1;
}

static inline bool kernel_is_before(int major, int minor)
{
	struct utsname name;
	int is[2] = { 0, 0 };

	if (uname(&name) || sscanf(name.release, "%d.%d", &is[0], &is[1]) != 2)
		return false;
	return is[0] < major || (is[0] == major && is[1] < minor);
}

/*
 * What an executable mapping of a region fails with if the region would forbid
 * it: on 7.2 the kernel is faster, and forbids it for all such descriptors.
 */
static inline long exec_refusal(void)
{
	return kernel_is_before(7, 2) ? -EACCES : -EPERM;
}

/*
 * Removed cgroups that something still refers to. The kernel lets go of some
 * only when it is asked to shrink: so asks, and waits for no more than @most.
 */
static inline long long groups_left_behind(long long most)
{
	long long left = -1;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		left = file_number("/sys/fs/cgroup/cgroup.stat",
				   "nr_dying_descendants");
		if (left <= most)
			break;
		file_write("/proc/sys/vm/drop_caches", "3");
		usleep(100000);
	}
	return left;
}

/*
 * @count, or as much of it as $PASHM_TEST_SCALE says: a factor such as 0.1 for
 * a kernel that checks itself, or 10 for a long run. At least 1.
 */
static inline long scaled(long count)
{
	const char *text = getenv("PASHM_TEST_SCALE");
	double factor = text && *text ? strtod(text, NULL) : 1;

	return factor * count < 1 ? 1 : (long)(factor * count);
}

/* xorshift: cheap, seeded by the caller, never 0 */
static inline uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

#endif /* PASHM_SELFTESTS_COMMON_H */
