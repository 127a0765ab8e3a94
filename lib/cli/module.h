/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel module, as far as sysfs tells without any privilege. */
#ifndef CLI_MODULE_H
#define CLI_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#define MODULE_NAME	"pashm"

/**
 * struct module - the module's state
 * @loaded:   it is there, and its initialisation is over
 * @coming:   it is being loaded just now
 * @refcount: how often it is used, or -1 if the kernel does not count
 * @version:  as the module says; may be empty
 */
struct module {
	bool loaded;
	bool coming;
	int refcount;
	char version[32];
};

void module_read(struct module *module);

/* Read one short line; false if there is none. */
bool module_read_line(const char *path, char *line, size_t size);

/* Does this process have CAP_SYS_MODULE? */
bool module_is_privileged(void);

/* sysctl kernel.modules_disabled: no module comes or goes until the reboot */
bool module_is_disabled(void);

/* libkmod's own messages say less than ours */
struct kmod_ctx;
struct kmod_ctx *module_context(void);

#endif /* CLI_MODULE_H */
