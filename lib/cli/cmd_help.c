// SPDX-License-Identifier: LGPL-2.1-or-later
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include "command.h"

static void print_all(void)
{
	const struct command *const *command;

	puts("Usage: pashmctl COMMAND [ARGUMENT...]\n"
	     "       pashmctl --version | --help\n\n"
	     "Pinnable anonymous shared memory: the kernel module, and the regions of all\n"
	     "processes.\n\n"
	     "Commands:");
	for (command = commands; *command; command++)
		printf("  %-8s %s\n", (*command)->name, (*command)->summary);
	puts("\nExit status: 0 done, 1 failed, 2 wrong usage.\n"
	     "More: pashmctl help COMMAND, man pashmctl");
}

void command_help_print(const struct command *command)
{
	if (!command) {
		print_all();
		return;
	}
	printf("Usage: pashmctl %s%s%s\n\n%s.\n", command->name,
	       *command->arguments ? " " : "", command->arguments,
	       command->summary);
	if (*command->help)
		printf("\n%s", command->help);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const struct command *command = NULL;
	int option;

	option = getopt_long(argc, argv, "h", options, NULL);
	if (option != -1)
		return command_other_option(self, option);
	if (argc - optind > 1)
		return command_misused(self, "one command at a time");
	if (optind < argc) {
		command = command_find(argv[optind]);
		if (!command)
			return command_misused(NULL, "there is no command '%s'",
					       argv[optind]);
	}
	command_help_print(command);
	return STATUS_OK;
}

const struct command command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "Explain a command, or list them all",
	.help = "",
	.run = run,
};
