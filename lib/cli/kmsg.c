// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kmsg.h"
#include "message.h"
#include "text.h"

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* A record is "priority,sequence,time,flags;text", then lines with details */
static void report(char *record, const char *word)
{
	char *text = strchr(record, ';');
	char *printable;

	if (!text)
		return;
	text++;
	text[strcspn(text, "\n")] = '\0';
	if (!strstr(text, word))
		return;
	printable = text_printable(text);
	message_hint("kernel: %s", printable);
	free(printable);
}

void kmsg_report(int fd, const char *word)
{
	char record[8192];
	ssize_t length;

	if (fd < 0)
		return;
	for (;;) {
		length = read(fd, record, sizeof(record) - 1);
		if (length < 0 && errno == EPIPE)
			continue;	/* records were overwritten */
		if (length <= 0)
			break;
		record[length] = '\0';
		report(record, word);
	}
	close(fd);
}
