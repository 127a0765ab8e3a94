// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "command.h"
#include "message.h"

void message_error(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("pashmctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void message_hint(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("  ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void message_no_memory(void)
{
	message_error("no memory");
	exit(STATUS_FAILURE);
}
