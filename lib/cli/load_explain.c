// SPDX-License-Identifier: LGPL-2.1-or-later
/* Why a module could not be loaded, and what to do about it. */
#define _GNU_SOURCE
#include <errno.h>
#include <libkmod.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "load.h"
#include "message.h"
#include "module.h"
#include "text.h"

void load_hint_build(const char *release)
{
	char *headers = text_format("/lib/modules/%s/build/Makefile", release);

	if (access(headers, F_OK)) {
		message_hint("the headers of this kernel are not installed; in Debian, as root:");
		message_hint("apt-get install linux-headers-%s", release);
	}
	message_hint("build it: make modules");
	message_hint("load it:  pashmctl load --file build/%s/pashm.ko",
		     release);
	free(headers);
}

void load_explain_missing(const struct load *load)
{
	message_error("there is no module pashm for Linux %s in /lib/modules",
		      load->release);
	load_hint_build(load->release);
}

void load_explain_file(const struct load *load, int error)
{
	message_error("cannot read %s: %s", load->file, strerror(error));
	if (error == ENOENT)
		load_hint_build(load->release);
}

void load_modinfo(const struct load *load, const char *key, char *value,
			 size_t size)
{
	struct kmod_list *list = NULL, *entry;

	*value = '\0';
	if (kmod_module_get_info(load->module, &list) < 0)
		return;
	kmod_list_foreach(entry, list) {
		if (strcmp(kmod_module_info_get_key(entry), key))
			continue;
		snprintf(value, size, "%s", kmod_module_info_get_value(entry));
		break;
	}
	kmod_module_info_free_list(list);
}

/* Lockdown lists its modes; the one in force stands in brackets */
static bool is_locked_down(void)
{
	char line[128];

	return module_read_line("/sys/kernel/security/lockdown", line,
				sizeof(line)) &&
	       strchr(line, '[') && !strstr(line, "[none]");
}

static void hint_signature(void)
{
	message_hint("this kernel loads signed modules only; either");
	message_hint("sign it, and enroll the key: see Documentation/admin-guide/module-signing.rst");
	message_hint("and mokutil(1); or switch off Secure Boot, module.sig_enforce and lockdown");
}

static void explain_permission(void)
{
	message_error("the kernel refuses to load the module: no permission");
	if (!module_is_privileged())
		message_hint("it takes CAP_SYS_MODULE; run as root, outside of containers");
	else if (module_is_disabled())
		message_hint("kernel.modules_disabled is set: only a reboot helps");
	else if (is_locked_down())
		hint_signature();
	else
		message_hint("a security policy forbids it; look into its log");
}

static void explain_format(const struct load *load, int error)
{
	char magic[256];

	load_modinfo(load, "vermagic", magic, sizeof(magic));
	message_error("the module does not fit to the running kernel: %s",
		      strerror(error));
	if (strncmp(magic, load->release, strcspn(magic, " ")) ||
	    load->release[strcspn(magic, " ")])
		message_hint("it was built for Linux %.*s, but this is Linux %s",
			     (int)strcspn(magic, " "), magic, load->release);
	else
		message_hint("it was built for this version, but with another configuration: %s",
			     magic);
	load_hint_build(load->release);
}

void load_explain(const struct load *load, int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		explain_permission();
		return;
	case EKEYREJECTED:
	case ENOKEY:
	case EBADMSG:
	case ENOPKG:
		message_error("the kernel refuses the module's signature: %s",
			      strerror(error));
		hint_signature();
		return;
	case ENOEXEC:
		explain_format(load, error);
		return;
	case ENOENT:
		message_error("the module needs symbols that this kernel lacks");
		load_hint_build(load->release);
		return;
	case EINVAL:
		message_error("the kernel refuses the module, or the value of a parameter: %s",
			      strerror(error));
		message_hint("types of the parameters: modinfo -p %s",
			     kmod_module_get_path(load->module));
		return;
	case ENOMEM:
		message_error("not enough memory to load the module");
		message_hint("end some programs, and try again");
		return;
	case EBUSY:
		message_error("another driver has the device's name, or the module is being loaded or unloaded");
		message_hint("look at it in some seconds: pashmctl status");
		return;
	case ENOSYS:
		message_error("this kernel cannot load modules (no CONFIG_MODULES)");
		return;
	default:
		message_error("cannot load the module: %s", strerror(error));
	}
}
