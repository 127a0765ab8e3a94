/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine's setting for huge pages in shared memory: root only. */
#ifndef PASHM_SELFTESTS_SHMEM_HUGE_H
#define PASHM_SELFTESTS_SHMEM_HUGE_H

#include <stdio.h>
#include <string.h>

#include "common.h"

#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

struct shmem_huge {
	char before[64];
};

/* Those who ask may have them from now on. Returns why not, or NULL */
static inline const char *shmem_huge_allow(struct shmem_huge *setting)
{
	char text[128], *chosen = file_contents(SHMEM_HUGE, text, sizeof(text));

	chosen = chosen ? strchr(chosen, '[') : NULL;
	if (!chosen || sscanf(chosen, "[%63[a-z_]]", setting->before) != 1)
		return "this kernel has no huge pages for shared memory";
	return file_write(SHMEM_HUGE, "advise") ?
	       "only root can allow huge pages" : NULL;
}

/* As before, if it was changed */
static inline void shmem_huge_restore(const struct shmem_huge *setting)
{
	if (setting->before[0])
		file_write(SHMEM_HUGE, setting->before);
}

/*
 * Huge pages that shared memory has now, anybody's. A machine may have none free in one
 * piece, and then gives small ones.
 */
static inline long long shmem_huge_pages(void)
{
	return file_number("/proc/meminfo", "ShmemHugePages") / 2048;
}

#endif /* PASHM_SELFTESTS_SHMEM_HUGE_H */
