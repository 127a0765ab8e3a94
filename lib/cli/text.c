// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "message.h"
#include "text.h"

char *text_format(const char *format, ...)
{
	va_list args;
	char *text;
	int ret;

	va_start(args, format);
	ret = vasprintf(&text, format, args);
	va_end(args);
	if (ret < 0)
		message_no_memory();
	return text;
}

char *text_size(uint64_t bytes, bool exact)
{
	static const char *const units[] = {
		"KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
	};
	const char *const *unit = units;
	double value = (double)bytes / 1024;

	if (exact)
		return text_format("%" PRIu64, bytes);
	if (bytes < 1024)
		return text_format("%" PRIu64 " B", bytes);
	/* What would be printed as 1024 is one of the next unit */
	while (value >= 1023.5 && unit < units + 5) {
		value /= 1024;
		unit++;
	}
	return text_format("%.*f %s", value < 9.95 ? 1 : 0, value, *unit);
}

/* Bytes of the valid UTF-8 sequence at @text; 0 if there is none */
static size_t utf8_length(const unsigned char *text)
{
	size_t length, i;

	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		length = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		length = 4;
	else
		return 0;
	for (i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, C1 controls, and beyond U+10FFFF */
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f) ||
	    (text[0] == 0xc2 && text[1] < 0xa0))
		return 0;
	return length;
}

char *text_printable(const char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	char *copy = malloc(4 * strlen(text) + 1);
	char *to = copy;
	size_t length;

	if (!copy)
		message_no_memory();
	while (*from) {
		length = utf8_length(from);
		if (*from >= ' ' && *from < 0x7f && *from != '\\')
			length = 1;
		if (length) {
			memcpy(to, from, length);
			from += length;
			to += length;
		} else {
			to += sprintf(to, "\\%03o", *from++);
		}
	}
	*to = '\0';
	return copy;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

void text_unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) &&
		    is_octal(text[2]) && is_octal(text[3])) {
			*to++ = (char)((text[1] - '0') << 6 |
				       (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

void text_table_add(struct text_table *table, char *cell)
{
	table->cells = reallocarray(table->cells, table->count + 1,
				    sizeof(*table->cells));
	if (!table->cells)
		message_no_memory();
	table->cells[table->count++] = cell;
}

/* Columns that a terminal needs for it: UTF-8 characters, wide ones uncounted */
static int cell_width(const char *cell)
{
	int width = 0;

	for (; *cell; cell++)
		width += ((unsigned char)*cell & 0xc0) != 0x80;
	return width;
}

static int column_width(const struct text_table *table, size_t column)
{
	int widest = 0;
	size_t i;

	for (i = column; i < table->count; i += table->columns)
		if (cell_width(table->cells[i]) > widest)
			widest = cell_width(table->cells[i]);
	return widest;
}

void text_table_print(struct text_table *table)
{
	size_t i, column;
	int widths[32];
	int pad;

	for (column = 0; column < table->columns; column++)
		widths[column] = column_width(table, column);
	for (i = 0; i < table->count; i++) {
		column = i % table->columns;
		pad = widths[column] - cell_width(table->cells[i]);
		if (table->right & 1U << column)
			printf("%*s%s", pad, "", table->cells[i]);
		else if (column == table->columns - 1)
			fputs(table->cells[i], stdout);
		else
			printf("%s%*s", table->cells[i], pad, "");
		fputs(column == table->columns - 1 ? "\n" : "  ", stdout);
		free(table->cells[i]);
	}
	free(table->cells);
	*table = (struct text_table){ 0 };
}
