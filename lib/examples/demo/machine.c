// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "machine.h"

/* The number behind @name in a file with a "NAME NUMBER" on each line, or 0 */
static uint64_t read_number(const char *path, const char *name)
{
	uint64_t number, found = 0;
	char line[128], word[64];
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	while (!found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %" SCNu64, word, &number) == 2 &&
		    !strcmp(word, name))
			found = number;
	fclose(file);
	return found;
}

void machine_read(struct machine *machine)
{
	machine->total = read_number("/proc/meminfo", "MemTotal:") * 1024;
	machine->available =
		read_number("/proc/meminfo", "MemAvailable:") * 1024;
	machine->oom_kills = read_number("/proc/vmstat", "oom_kill");
}
