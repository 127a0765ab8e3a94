// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What pashmctl reads: the lines of /proc/PID/fdinfo/FD and /proc/PID/maps, of
 * which other users choose the names in them; the kernel's messages; what a
 * user types; and what it prints of all that, which must not be able to send
 * control sequences to a terminal.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "figures.h"
#include "fuzz.h"
#include "kmsg.h"
#include "memfd.h"
#include "survey.h"
#include "target.h"
#include "text.h"
#include "world.h"

static struct fuzz_text contents;

WRAP(void, message_hint, const char *format, ...);

/* Nothing below a blank, no DEL, and no C1 in either form */
static void printable_check(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;

	for (; *byte; byte++) {
		fuzz_check(*byte >= ' ' && *byte != 0x7f);
		fuzz_check(*byte != 0xc2 || byte[1] >= 0xa0);
		/* Nor half of a character */
		fuzz_check(*byte < 0xc0 || byte[1] >= 0x80);
	}
}

/* What pashmctl says on standard error */
void __wrap_message_hint(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	fuzz_check(vasprintf(&text, format, args) >= 0);
	va_end(args);
	printable_check(text);
	free(text);
}


static const struct fuzz_text *file_of(const char *path)
{
	static const struct fuzz_text missing;

	if (strstr(path, "/map_files/"))
		return &missing;
	return strstr(path, "/fdinfo/") || strstr(path, "/maps") ||
	       strstr(path, "/stat") ? &contents : NULL;
}

static void fdinfo(void)
{
	struct figures figures;
	struct use use = { .kind = USE_MODULE, .pid = 1, .fd = 1 };

	FUZZ_CALL(figures_inode(1, 1));
	FUZZ_VOID(figures_read(&use, &figures));
	fuzz_check(memchr(figures.info.name, 0, sizeof(figures.info.name)));
}

static void maps(void)
{
	struct survey survey;
	size_t i, count, regions = 0;

	if (FUZZ_CALL(survey_process(&survey, getpid(), -1)))
		return;
	for (i = 0; (count = survey_region(&survey, i)) != 0; i += count) {
		fuzz_check(count <= survey.count - i);
		fuzz_check(survey_processes(&survey, i, count) <= count);
		regions++;
	}
	fuzz_check(i == survey.count && regions <= survey.count);
	survey_free(&survey);
}

static void messages(void)
{
	int fd = fuzz_text_fd(&contents);

	FUZZ_VOID(kmsg_report(fd, "pashm"));
}

static void words(char *text)
{
	char *printable = text_printable(text);
	struct target target;

	printable_check(printable);
	/* And back again */
	text_unescape(printable);
	fuzz_check(!strcmp(printable, text));
	free(printable);
	if (target_parse(text, &target))
		fuzz_check(target.pid > 0 && target.fd >= -1);
	text_unescape(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	copy[size] = '\0';
	contents = (struct fuzz_text){ .text = copy, .length = size };
	fuzz_file = file_of;
	fuzz_world_begin(NULL);
	fdinfo();
	maps();
	messages();
	fuzz_world_end();
	words(copy);
	free(copy);
	return 0;
}
