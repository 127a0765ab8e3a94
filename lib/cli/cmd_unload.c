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
#include <linux/pashm.h>
#include "command.h"
#include "message.h"
#include "module.h"
#include "survey.h"
#include "text.h"

/**
 * struct user - what one process has that keeps the module
 */
struct user {
	pid_t pid;
	unsigned int descriptors;
	unsigned int mappings;
	bool device;
};

/* Sum up all uses by the process of use number @first */
static struct user sum_up(const struct survey *survey, size_t first)
{
	struct user user = { .pid = survey->uses[first].pid };
	const struct use *use;
	size_t i;

	for (i = first; i < survey->count; i++) {
		use = &survey->uses[i];
		if (use->pid != user.pid || use->kind == USE_MEMFD)
			continue;
		if (use->kind == USE_DEVICE)
			user.device = true;
		else if (use->fd < 0)
			user.mappings++;
		else
			user.descriptors++;
	}
	return user;
}

/* Is use number @index the first one of its process? */
static bool is_first(const struct survey *survey, size_t index)
{
	size_t i;

	for (i = 0; i < index; i++)
		if (survey->uses[i].kind != USE_MEMFD &&
		    survey->uses[i].pid == survey->uses[index].pid)
			return false;
	return survey->uses[index].kind != USE_MEMFD;
}

static void hint_user(const struct user *user)
{
	char raw[SURVEY_NAME_MAX];
	char *name;

	survey_name(user->pid, raw);
	name = text_printable(raw);
	message_hint("%7d  %-16s descriptors: %u, mapped regions: %u%s",
		     user->pid, name, user->descriptors, user->mappings,
		     user->device ? ", " PASHM_DEVICE " open" : "");
	free(name);
}

static void explain_use(void)
{
	unsigned int shown = 0;
	struct survey survey;
	struct user user;
	size_t i;

	message_error("the module is in use");
	survey_all(&survey);
	for (i = 0; i < survey.count; i++) {
		if (!is_first(&survey, i))
			continue;
		user = sum_up(&survey, i);
		hint_user(&user);
		shown++;
	}
	if (shown)
		message_hint("end these processes, or let them close their regions; then try again");
	if (survey.unreadable)
		message_hint("processes that may not be looked at: %u%s",
			     survey.unreadable, survey_unreadable_advice());
	else if (!shown)
		message_hint("no process here shows it: a descriptor is on its way through a socket,\n"
			     "  or belongs to a process in another pid namespace");
	survey_free(&survey);
}

static void explain(int error)
{
	switch (error) {
	case EAGAIN:
	case EBUSY:
		explain_use();
		return;
	case EPERM:
		message_error("no permission to unload the module");
		if (module_is_disabled())
			message_hint("kernel.modules_disabled is set: only a reboot helps");
		else
			message_hint("it takes CAP_SYS_MODULE; run as root, outside of containers");
		return;
	default:
		message_error("cannot unload the module: %s", strerror(error));
	}
}

/* Returns 0 or a negative errno */
static int remove_module(void)
{
	struct kmod_ctx *context = module_context();
	struct kmod_module *module;
	int ret;

	ret = kmod_module_new_from_name(context, MODULE_NAME, &module);
	if (!ret) {
		ret = kmod_module_remove_module(module, KMOD_REMOVE_NOWAIT);
		kmod_module_unref(module);
	}
	kmod_unref(context);
	return ret;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct module module;
	int option, ret;

	option = getopt_long(argc, argv, "h", options, NULL);
	if (option != -1)
		return command_other_option(self, option);
	if (optind < argc)
		return command_misused(self, "unload takes no arguments");
	module_read(&module);
	if (!module.loaded && !module.coming) {
		puts("the module is not loaded");
		return STATUS_OK;
	}
	ret = remove_module();
	/* Somebody else was faster */
	if (ret && ret != -ENOENT) {
		explain(-ret);
		return STATUS_FAILURE;
	}
	puts("the module is unloaded");
	return STATUS_OK;
}

const struct command command_unload = {
	.name = "unload",
	.arguments = "",
	.summary = "Unload the kernel module",
	.help =
"A module in use stays, and the processes that use it are listed. Programs that\n"
"use libpashm go on to work without the module when they are started anew.\n"
"That it was not loaded is no error.\n",
	.run = run,
};
