// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the environment asks for: PASHM_SQLITE, words between commas. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pashm/sqlite.h>
#include "options.h"

static struct options options;

static bool is_word(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && !memcmp(text, word, length);
}

static bool parse_purge(const char *text, size_t length)
{
	static const char word[] = "purge=";
	unsigned long value;
	char *end;

	if (length < sizeof(word) || memcmp(text, word, sizeof(word) - 1) ||
	    text[sizeof(word) - 1] < '0' || text[sizeof(word) - 1] > '9')
		return false;
	value = strtoul(text + sizeof(word) - 1, &end, 10);
	if (end != text + length || value > UINT32_MAX)
		return false;
	options.purge = (unsigned int)value;
	return true;
}

static void parse_word(const char *text, size_t length)
{
	if (is_word(text, length, "off"))
		options.off = true;
	else if (is_word(text, length, "stats"))
		options.stats = true;
	else if (is_word(text, length, "verbose"))
		options.verbose = true;
	else if (is_word(text, length, "limit"))
		options.flags |= PASHM_SQLITE_LIMIT;
	else if (is_word(text, length, "wipe"))
		options.flags |= PASHM_SQLITE_WIPE;
	else if (length && !parse_purge(text, length))
		fprintf(stderr, "pashm-sqlite: unknown word in PASHM_SQLITE: %.*s\n",
			(int)length, text);
}

static void parse(void)
{
	const char *text = secure_getenv("PASHM_SQLITE");
	size_t length;

	while (text && *text) {
		length = strcspn(text, ",");
		parse_word(text, length);
		text += length + (text[length] == ',');
	}
}

const struct options *pashm_sqlite_options(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, parse);
	return &options;
}

void pashm_sqlite_complain(const char *format, ...)
{
	int saved = errno;
	va_list arguments;

	if (!pashm_sqlite_options()->verbose)
		return;
	va_start(arguments, format);
	fputs("pashm-sqlite: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	errno = saved;
}
