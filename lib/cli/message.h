/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to standard error: what is wrong, and what to do about it. */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

/* "pashmctl: ..." */
__attribute__((format(printf, 1, 2)))
void message_error(const char *format, ...);

/* "  ...", below an error: advice */
__attribute__((format(printf, 1, 2)))
void message_hint(const char *format, ...);

/* Ends the program */
__attribute__((noreturn))
void message_no_memory(void);

#endif /* CLI_MESSAGE_H */
