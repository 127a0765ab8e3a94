// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * systemd's protocol for memory pressure: the environment names a pressure
 * stall file, a FIFO or a socket to poll, and what to write into it first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "watch.h"

#define MESSAGE_SIZE	512

/* Returns the number of bytes, or -1 */
static ssize_t base64_decode(const char *text, unsigned char *bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int bits = 0, count = 0;
	const char *digit;
	ssize_t length = 0;

	for (; *text && *text != '='; text++) {
		digit = strchr(digits, *text);
		if (!digit || length == MESSAGE_SIZE)
			return -1;
		bits = bits << 6 | (unsigned int)(digit - digits);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		bytes[length++] = (unsigned char)(bits >> count);
	}
	return length;
}

static int socket_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* A FIFO is opened for writing, too, so that it never comes to its end */
static int file_open(const char *path, bool writable)
{
	return open(path, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK |
			  O_NOCTTY | O_CLOEXEC);
}

/* Without a signal if nobody listens */
static bool message_send(int fd, const void *message, size_t length)
{
	ssize_t sent = send(fd, message, length, MSG_NOSIGNAL);

	if (sent < 0 && errno == ENOTSOCK)
		sent = write(fd, message, length);
	return sent == (ssize_t)length;
}

bool pashm_watch_open(struct pollfd *watch)
{
	const char *path = secure_getenv("MEMORY_PRESSURE_WATCH");
	const char *text = secure_getenv("MEMORY_PRESSURE_WRITE");
	unsigned char message[MESSAGE_SIZE];
	ssize_t length = text ? base64_decode(text, message) : 0;
	struct stat stat_now;

	*watch = (struct pollfd){ .fd = -1, .events = POLLIN };
	if (!path)
		return false;
	if (!*path || !strcmp(path, "/dev/null"))
		return true;
	if (*path != '/' || length < 0 || stat(path, &stat_now))
		return false;
	if (S_ISSOCK(stat_now.st_mode))
		watch->fd = socket_connect(path);
	else
		watch->fd = file_open(path, S_ISFIFO(stat_now.st_mode) ||
					    length > 0);
	if (S_ISREG(stat_now.st_mode))
		watch->events = POLLPRI;
	if (watch->fd >= 0 && length > 0 &&
	    !message_send(watch->fd, message, (size_t)length)) {
		close(watch->fd);
		watch->fd = -1;
	}
	return watch->fd >= 0;
}
