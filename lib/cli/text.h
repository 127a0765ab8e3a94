/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings for people: sizes, names that anybody may have chosen, tables. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As asprintf(), but ends the program when there is no memory */
__attribute__((format(printf, 1, 2)))
char *text_format(const char *format, ...);

/* "1.2 GiB", or plain bytes if @exact. The caller frees it */
char *text_size(uint64_t bytes, bool exact);

/*
 * A copy in which whatever could confuse a terminal or a JSON reader stands as
 * \ooo: control characters, backslashes and what is not UTF-8. The caller frees
 * it.
 */
char *text_printable(const char *text);

/* The opposite, as far as the kernel wrote \ooo; in place */
void text_unescape(char *text);

/**
 * struct text_table - rows of cells, to be printed in columns
 * @columns: number of columns
 * @right:   bit n: column n is flush right
 * @cells:   row by row; owned
 * @count:   number of cells
 */
struct text_table {
	unsigned int columns;
	unsigned int right;
	char **cells;
	size_t count;
};

/* The table takes @cell over, and frees it when it is printed. */
void text_table_add(struct text_table *table, char *cell);
void text_table_print(struct text_table *table);

#endif /* CLI_TEXT_H */
