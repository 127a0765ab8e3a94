/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Load and unload the module, and look for what it has left behind. Its file is
 * $PASHM_KO, by default where scripts/vm puts it in the guest.
 */
#ifndef PASHM_SELFTESTS_MODULE_H
#define PASHM_SELFTESTS_MODULE_H

#include <dirent.h>
#include <sys/syscall.h>

#include "common.h"

static inline const char *module_path(void)
{
	const char *path = getenv("PASHM_KO");

	return path && *path ? path : "/lib/modules/pashm.ko";
}

static inline bool module_loaded(void)
{
	return !access("/sys/module/pashm/refcnt", F_OK);
}

/* How many files and mappings hold it, or -1 */
static inline long module_references(void)
{
	char text[32];

	file_contents("/sys/module/pashm/refcnt", text, sizeof(text));
	return *text ? atol(text) : -1;
}

/* -EAGAIN while it is in use */
static inline long module_unload(void)
{
	return CALL(syscall(SYS_delete_module, "pashm", O_NONBLOCK));
}

static inline long module_load_from(int fd)
{
	return CALL(syscall(SYS_finit_module, fd, "", 0));
}

static inline long module_load(void)
{
	int fd = open(module_path(), O_RDONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	ret = module_load_from(fd);
	close(fd);
	return ret;
}

/* In set-up; see SKIP_WITHOUT_DEVICE() */
#define SKIP_WITHOUT_MODULE() do {				\
	if (geteuid())						\
		SKIP(_exit(255), "only root can load modules");	\
	if (access(module_path(), R_OK))			\
		SKIP(_exit(255), "no module file: set PASHM_KO"); \
	if (!module_loaded())					\
		ASSERT_EQ(0, module_load());			\
} while (0)

/* Does @dir have an entry that begins with our name? */
static inline bool module_entry(const char *dir)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	bool found = false;

	while (stream && (entry = readdir(stream)))
		found |= !strncmp(entry->d_name, "pashm", 5);
	if (stream)
		closedir(stream);
	return found;
}

/* Where there is something left of an unloaded module; "" if nowhere */
static inline const char *module_traces(void)
{
	static const char * const dirs[] = {
		"/dev", "/sys/class/misc", "/sys/module", "/sys/kernel/slab",
		"/sys/kernel/debug/shrinker", "/sys/devices/virtual/workqueue",
	};
	static const char * const files[] = {
		"/proc/misc", "/proc/modules", "/proc/slabinfo",
	};
	static char text[1 << 18];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (module_entry(dirs[i]))
			return dirs[i];
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strstr(file_contents(files[i], text, sizeof(text)),
			   "pashm"))
			return files[i];
	return "";
}

#endif /* PASHM_SELFTESTS_MODULE_H */
