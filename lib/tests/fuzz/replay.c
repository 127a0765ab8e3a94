// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Runs a target's inputs from files, where there is no libFuzzer: for coverage
 * by gcc, and to look at an input under a debugger or valgrind.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "fuzz.h"

#define INPUT_MOST	(1L << 20)

static void run(const char *path)
{
	uint8_t *data = malloc(INPUT_MOST);
	FILE *file = fopen(path, "rb");

	if (!file || !data) {
		perror(path);
		exit(1);
	}
	LLVMFuzzerTestOneInput(data, fread(data, 1, INPUT_MOST, file));
	fclose(file);
	free(data);
}

static void run_all(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	char path[PATH_MAX];

	if (!dir) {
		perror(directory);
		exit(1);
	}
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", directory,
			 entry->d_name);
		if (entry->d_name[0] != '.')
			run(path);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	struct stat stat_now;
	int i;

	for (i = 1; i < argc; i++) {
		if (!stat(argv[i], &stat_now) && S_ISDIR(stat_now.st_mode))
			run_all(argv[i]);
		else
			run(argv[i]);
	}
	return 0;
}
