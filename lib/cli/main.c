// SPDX-License-Identifier: LGPL-2.1-or-later
/* pashmctl: finds the command and runs it. */
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pashm/version.h>
#include "command.h"
#include "message.h"

const struct command *const commands[] = {
	&command_load,
	&command_unload,
	&command_status,
	&command_info,
	&command_purge,
	&command_help,
	NULL,
};

const struct command *command_find(const char *name)
{
	const struct command *const *command;

	for (command = commands; *command; command++)
		if (!strcmp((*command)->name, name))
			return *command;
	return NULL;
}

int command_misused(const struct command *command, const char *format, ...)
{
	va_list args;

	fputs("pashmctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n  see: pashmctl help%s%s\n", command ? " " : "",
		command ? command->name : "");
	return STATUS_USAGE;
}

int command_other_option(const struct command *command, int option)
{
	if (option == 'h') {
		command_help_print(command);
		return STATUS_OK;
	}
	message_hint("see: pashmctl help %s", command->name);
	return STATUS_USAGE;
}

/* What was printed may not have arrived: a full disk is a failure, too */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		message_error("cannot write the output: %m");
		return STATUS_FAILURE;
	}
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "pashmctl";
	const struct command *command;
	int option;

	argv[0] = name;		/* getopt's messages begin with it */
	option = getopt_long(argc, argv, "+hV", options, NULL);
	switch (option) {
	case -1:
		break;
	case 'h':
		command_help_print(NULL);
		return finish(STATUS_OK);
	case 'V':
		printf("pashmctl %s\n", pashm_version());
		return finish(STATUS_OK);
	default:
		message_hint("see: pashmctl help");
		return STATUS_USAGE;
	}
	if (optind == argc)
		return command_misused(NULL, "no command given");
	command = command_find(argv[optind]);
	if (!command)
		return command_misused(NULL, "there is no command '%s'",
				       argv[optind]);
	argc -= optind;
	argv += optind;
	argv[0] = name;
	optind = 0;		/* GNU: begin anew, with another set */
	return finish(command->run(command, argc, argv));
}
