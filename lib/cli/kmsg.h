/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's log: it often knows more than an errno can say. */
#ifndef CLI_KMSG_H
#define CLI_KMSG_H

/* From now on. Returns a descriptor, or -1 if this process may not read it */
int kmsg_open(void);

/* Pass on as hints the lines since then that contain @word; closes @fd */
void kmsg_report(int fd, const char *word);

#endif /* CLI_KMSG_H */
