/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/* Exit statuses, as promised in pashmctl(1) */
enum status {
	STATUS_OK = 0,
	STATUS_FAILURE = 1,
	STATUS_USAGE = 2,
};

/**
 * struct command - one command of pashmctl
 * @name:      as typed
 * @arguments: synopsis of what may follow it
 * @summary:   one line without a full stop
 * @help:      the rest of its help, ends with a newline
 * @run:       does it; its arguments begin at @argv[1]. Returns enum status
 */
struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *help;
	int (*run)(const struct command *command, int argc, char **argv);
};

/* NULL-terminated, in the order of the help */
extern const struct command *const commands[];

extern const struct command command_load;
extern const struct command command_unload;
extern const struct command command_status;
extern const struct command command_info;
extern const struct command command_purge;
extern const struct command command_help;

const struct command *command_find(const char *name);

/* Help for one command, or with NULL for all of them, on standard output */
void command_help_print(const struct command *command);

/* Complain about the arguments of @command. Returns STATUS_USAGE */
__attribute__((format(printf, 2, 3)))
int command_misused(const struct command *command, const char *format, ...);

/*
 * Answer to an option that getopt_long() does not know, which has said so, or
 * to --help ('h').
 */
int command_other_option(const struct command *command, int option);

#endif /* CLI_COMMAND_H */
