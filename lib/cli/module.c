// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <libkmod.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "message.h"
#include "module.h"

#define SYSFS	"/sys/module/" MODULE_NAME

bool module_read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool ok;

	if (!file)
		return false;
	ok = fgets(line, (int)size, file);
	fclose(file);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

void module_read(struct module *module)
{
	char line[32];

	*module = (struct module){ .refcount = -1 };
	if (!module_read_line(SYSFS "/initstate", line, sizeof(line)))
		return;
	module->loaded = !strcmp(line, "live");
	module->coming = !strcmp(line, "coming");
	if (module_read_line(SYSFS "/refcnt", line, sizeof(line)))
		module->refcount = atoi(line);
	if (!module_read_line(SYSFS "/version", module->version,
			      sizeof(module->version)))
		module->version[0] = '\0';
}

bool module_is_privileged(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return geteuid() == 0;
	return data[0].effective & 1U << CAP_SYS_MODULE;
}

bool module_is_disabled(void)
{
	char line[16];

	return module_read_line("/proc/sys/kernel/modules_disabled", line,
				sizeof(line)) && !strcmp(line, "1");
}

static void log_nothing(void *data, int priority, const char *file, int line,
			const char *function, const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)function;
	(void)format;
	(void)args;
}

struct kmod_ctx *module_context(void)
{
	struct kmod_ctx *context = kmod_new(NULL, NULL);

	if (!context)
		message_no_memory();
	kmod_set_log_fn(context, log_nothing, NULL);
	return context;
}
