// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <libkmod.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "command.h"
#include "device.h"
#include "kmsg.h"
#include "load.h"
#include "message.h"
#include "module.h"
#include "text.h"

#define DEVICE_SECONDS	5

/* As the kernel compares names of parameters */
static bool same_name(const char *a, const char *b, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (a[i] != b[i] && !((a[i] == '-' || a[i] == '_') &&
				      (b[i] == '-' || b[i] == '_')))
			return false;
	return true;
}

/* "parmtype" has the values "NAME:TYPE" */
static bool has_parameter(const struct kmod_list *list, const char *word)
{
	size_t length = strcspn(word, "=");
	const struct kmod_list *entry;
	const char *value;

	kmod_list_foreach(entry, list) {
		value = kmod_module_info_get_value(entry);
		if (!strcmp(kmod_module_info_get_key(entry), "parmtype") &&
		    strcspn(value, ":") == length && same_name(value, word, length))
			return true;
	}
	return false;
}

static void hint_parameters(const struct kmod_list *list)
{
	const struct kmod_list *entry;
	bool any = false;

	kmod_list_foreach(entry, list) {
		if (strcmp(kmod_module_info_get_key(entry), "parm"))
			continue;
		message_hint("%s", kmod_module_info_get_value(entry));
		any = true;
	}
	if (!any)
		message_hint("this version of the module has no parameters");
}

/*
 * The kernel ignores what it does not know, with a line in its log: too easy to
 * miss.
 */
static bool check_parameters(const struct load *load, int argc, char **argv)
{
	struct kmod_list *list = NULL;
	bool good = true;
	int i;

	if (!argc || kmod_module_get_info(load->module, &list) < 0)
		return true;
	for (i = 0; i < argc && good; i++) {
		good = has_parameter(list, argv[i]);
		if (good)
			continue;
		message_error("the module has no parameter '%.*s'",
			      (int)strcspn(argv[i], "="), argv[i]);
		hint_parameters(list);
	}
	kmod_module_info_free_list(list);
	return good;
}

/* Finds the module, but does not load it. Explains if it is not there. */
static bool find(struct load *load, struct kmod_ctx *context)
{
	int ret;

	if (!load->file) {
		ret = kmod_module_new_from_name(context, MODULE_NAME,
						&load->module);
		if (!ret && kmod_module_get_path(load->module))
			return true;
		load_explain_missing(load);
		return false;
	}
	if (access(load->file, R_OK)) {
		load_explain_file(load, errno);
		return false;
	}
	ret = kmod_module_new_from_path(context, load->file, &load->module);
	if (ret) {
		load_explain_file(load, -ret);
		return false;
	}
	return true;
}

/* Some other file, or somebody else's module, must not get into the kernel. */
static bool check_file(const struct load *load)
{
	struct stat stat_buf;
	char name[64];

	if (!load->file)
		return true;
	if (stat(load->file, &stat_buf) || !S_ISREG(stat_buf.st_mode)) {
		message_error("%s is not a file", load->file);
		return false;
	}
	load_modinfo(load, "name", name, sizeof(name));
	if (!strcmp(name, MODULE_NAME))
		return true;
	if (*name)
		message_error("%s is the module %s and not pashm", load->file,
			      name);
	else
		message_error("%s is no kernel module", load->file);
	load_hint_build(load->release);
	return false;
}

static int insert(const struct load *load)
{
	if (load->file)
		return kmod_module_insert_module(load->module, 0,
						 load->parameters);
	return kmod_module_probe_insert_module(load->module, 0,
					       load->parameters, NULL, NULL,
					       NULL);
}

/* Returns enum status; after success, or somebody else's, the module is there */
static int load_module(struct load *load, int argc, char **argv)
{
	struct kmod_ctx *context = module_context();
	int status = STATUS_FAILURE;
	int log, ret;

	if (!find(load, context) || !check_file(load) ||
	    !check_parameters(load, argc, argv))
		goto unref;
	log = kmsg_open();
	ret = insert(load);
	if (!ret || ret == -EEXIST) {
		status = STATUS_OK;
		if (log >= 0)
			close(log);
	} else {
		load_explain(load, -ret);
		kmsg_report(log, MODULE_NAME);
	}
unref:
	kmod_module_unref(load->module);
	kmod_unref(context);
	return status;
}

/* For the kernel: a value with blanks needs quotes. Returns NULL if misused */
static char *join_parameters(int argc, char **argv)
{
	char *joined = text_format("%s", ""), *longer;
	const char *value, *quote;
	int i;

	for (i = 0; i < argc; i++) {
		value = strchr(argv[i], '=');
		if (!value || value == argv[i] || strchr(value, '"')) {
			free(joined);
			return NULL;
		}
		value++;
		quote = strpbrk(value, " \t\n") ? "\"" : "";
		longer = text_format("%s%s%.*s%s%s%s", joined,
				     *joined ? " " : "",
				     (int)(value - argv[i]), argv[i], quote,
				     value, quote);
		free(joined);
		joined = longer;
	}
	return joined;
}

static int report(const char *how, int seconds)
{
	struct device device;
	struct module module;
	char *features;

	module_read(&module);
	device_wait(&device, seconds);
	if (device.error) {
		device_explain(&device);
		return STATUS_FAILURE;
	}
	features = device_features(device.query.features);
	printf("pashm %s %s: " PASHM_DEVICE ", ABI %u, protocol %u, features %s\n",
	       module.version, how, device.query.abi_version,
	       device.query.protocol, features);
	free(features);
	return STATUS_OK;
}

static int load_and_report(struct load *load, int argc, char **argv)
{
	struct module module;
	int status;

	module_read(&module);
	if (module.loaded) {
		if (argc)
			message_error("the parameters have no effect: the module is loaded already");
		return report("was loaded already", 0);
	}
	status = load_module(load, argc, argv);
	return status ? status : report("loaded", DEVICE_SECONDS);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct load load = { 0 };
	struct utsname system;
	int option, status;

	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (option != 'f')
			return command_other_option(self, option);
		load.file = optarg;
	}
	argc -= optind;
	argv += optind;
	load.parameters = join_parameters(argc, argv);
	if (!load.parameters)
		return command_misused(self, "parameters look like NAME=VALUE, without quotation marks");
	uname(&system);
	load.release = system.release;
	status = load_and_report(&load, argc, argv);
	free(load.parameters);
	return status;
}

const struct command command_load = {
	.name = "load",
	.arguments = "[--file PATH.ko] [PARAMETER=VALUE...]",
	.summary = "Load the kernel module",
	.help =
"  --file PATH.ko   this file, as insmod does; by default the module pashm of the\n"
"                   running kernel with all that it needs, as modprobe does\n"
"  PARAMETER=VALUE  for the module, which has none so far: see modinfo -p\n"
"\n"
"Waits until /dev/pashm can be used. That it was loaded before is no error. Takes\n"
"CAP_SYS_MODULE, so mostly root.\n",
	.run = run,
};
