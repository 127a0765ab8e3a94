// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How the shared library gets into a SQLite that knows nothing of it: by
 * sqlite3_config(SQLITE_CONFIG_PCACHE2), which must come before the first
 * sqlite3_initialize(), explicit or from within SQLite.
 *
 * A SQLite that the program is linked with is there when our constructor runs. One
 * that is loaded later, with a module of python3 for example, is met when it
 * calls sqlite3_initialize(): it does so for each function that may be the first
 * one, and as the symbol is public the call can be taken by a library in front
 * of it. Ours does not belong to any of the SQLites, and there may be two: SQLite
 * and SQLCipher have the same symbols. So the caller is looked at. It is in the
 * SQLite that is meant, or in something that was loaded together with it and
 * finds its symbols.
 *
 * What is not reached: a SQLite inside of a program; one that binds its symbols
 * to itself (-Bsymbolic), if it was loaded later, and the program does not call
 * sqlite3_initialize(); RTLD_DEEPBIND.
 *
 * LOCKS: sqlites.lock is held while one is configured and added; sqlite3_config() does
 * not come back here. It is not held over calls of the dynamic linker: that may have
 * its own lock while it runs somebody's constructor, which comes here. The list is
 * read without: an entry is complete before the count says that it is there, and never
 * changes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sqlite3.h>
#include <pashm/sqlite.h>
#include "../backend.h"
#include "options.h"

#define SQLITES_MOST	8

typedef int (*initialize_t)(void);
typedef int (*config_t)(int, ...);

/**
 * struct sqlite - one that was found; it is not unloaded any more
 * @initialize: its function
 * @start:      of its segments
 * @end:        first address behind them
 */
struct sqlite {
	initialize_t initialize;
	uintptr_t start;
	uintptr_t end;
};

static struct {
	pthread_mutex_t lock;
	struct sqlite list[SQLITES_MOST];
	unsigned int count;
} sqlites = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

PASHM_API int sqlite3_initialize(void);

/* Does an object's mapping have the address? Then note its ends */
static int object_find(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct sqlite *sqlite = argument;
	uintptr_t address = (uintptr_t)sqlite->initialize;
	uintptr_t low = UINTPTR_MAX, high = 0, start, end;
	unsigned int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		end = start + info->dlpi_phdr[i].p_memsz;
		low = start < low ? start : low;
		high = end > high ? end : high;
	}
	if (address < low || address >= high)
		return 0;
	sqlite->start = low;
	sqlite->end = high;
	return 1;
}

static bool is_inside(const struct sqlite *sqlite, uintptr_t address)
{
	return address >= sqlite->start && address < sqlite->end;
}

static const struct sqlite *sqlite_at(uintptr_t address)
{
	/* acquire: pairs with the release in sqlite_add() */
	unsigned int i, count = __atomic_load_n(&sqlites.count,
						__ATOMIC_ACQUIRE);

	for (i = 0; i < count; i++) {
		if (is_inside(&sqlites.list[i], address))
			return &sqlites.list[i];
	}
	return NULL;
}

/* Our cache instead of SQLite's own; one that the program has chosen stays */
static void sqlite_configure(const struct sqlite *sqlite, config_t config,
			     const char *name, uint32_t flags)
{
	sqlite3_pcache_methods2 stock = { 0 };

	if (config(SQLITE_CONFIG_GETPCACHE2, &stock) != SQLITE_OK ||
	    !is_inside(sqlite, (uintptr_t)stock.xCreate))
		pashm_sqlite_complain("%s has a page cache, which stays", name);
	else if (config(SQLITE_CONFIG_PCACHE2,
			pashm_sqlite_methods(flags)) != SQLITE_OK)
		pashm_sqlite_complain("%s is in use already", name);
}

/* Two threads may both have found it first */
static const struct sqlite *sqlite_add(const struct sqlite *found,
				       config_t config, const char *name,
				       uint32_t flags)
{
	const struct sqlite *sqlite;

	pthread_mutex_lock(&sqlites.lock);
	sqlite = sqlite_at(found->start);
	if (!sqlite && sqlites.count < SQLITES_MOST) {
		if (!pashm_sqlite_options()->off)
			sqlite_configure(found, config, name, flags);
		sqlites.list[sqlites.count] = *found;
		sqlite = &sqlites.list[sqlites.count];
		/* release: the entry is complete, and configured */
		__atomic_store_n(&sqlites.count, sqlites.count + 1,
				 __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&sqlites.lock);
	return sqlite;
}

/*
 * A SQLite seen for the first time; @handle finds its symbols. It stays loaded, as
 * addresses of it are remembered.
 */
static const struct sqlite *sqlite_new(void *handle, initialize_t initialize)
{
	config_t config = (config_t)dlsym(handle, "sqlite3_config");
	struct sqlite found = { .initialize = initialize };
	uint32_t flags = 0;
	Dl_info info;

	if (!config || !dladdr((void *)config, &info) ||
	    !dl_iterate_phdr(object_find, &found) ||
	    !is_inside(&found, (uintptr_t)config))
		return NULL;
	dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
	/* What SQLCipher has in addition */
	if (dlsym(handle, "sqlite3_key"))
		flags |= PASHM_SQLITE_WIPE;
	return sqlite_add(&found, config, info.dli_fname, flags);
}

/* The one whose symbols a handle finds, if it finds any but ours */
static const struct sqlite *sqlite_of(void *handle)
{
	initialize_t initialize =
		(initialize_t)dlsym(handle, "sqlite3_initialize");
	const struct sqlite *sqlite;

	if (!initialize || initialize == sqlite3_initialize)
		return NULL;
	sqlite = sqlite_at((uintptr_t)initialize);
	return sqlite ? sqlite : sqlite_new(handle, initialize);
}

/* Who calls: SQLite itself, or what was loaded with it */
static const struct sqlite *sqlite_look(void *caller)
{
	const struct sqlite *sqlite = NULL;
	Dl_info info;
	void *handle;

	if (dladdr(caller, &info)) {
		handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
		if (handle) {
			sqlite = sqlite_of(handle);
			dlclose(handle);
		}
	}
	return sqlite ? sqlite : sqlite_of(RTLD_NEXT);
}

/*
 * In front of SQLite's own. A caller of whom it is not known which SQLite he means
 * gets all that there are.
 */
PASHM_API int sqlite3_initialize(void)
{
	void *caller = __builtin_return_address(0);
	const struct sqlite *sqlite = sqlite_at((uintptr_t)caller);
	unsigned int i, count;
	int ret = SQLITE_OK;

	if (!sqlite)
		sqlite = sqlite_look(caller);
	if (sqlite)
		return sqlite->initialize();
	count = __atomic_load_n(&sqlites.count, __ATOMIC_ACQUIRE);
	for (i = 0; i < count && ret == SQLITE_OK; i++)
		ret = sqlites.list[i].initialize();
	return count ? ret : SQLITE_ERROR;
}

/* A SQLite that the program was linked with is there now */
__attribute__((constructor))
static void preload_begin(void)
{
	sqlite_look((void *)preload_begin);
}

static void print_stats(void)
{
	struct pashm_sqlite_stats stats;

	pashm_sqlite_stats(&stats);
	if (!stats.caches)
		return;
	fprintf(stderr, "pashm-sqlite: pid=%d caches=%llu hits=%llu misses=%llu "
		"purged=%llu spills=%llu evicted=%llu pages=%llu pinned=%llu "
		"heap=%llu\n", (int)getpid(),
		(unsigned long long)stats.caches,
		(unsigned long long)stats.hits,
		(unsigned long long)stats.misses,
		(unsigned long long)stats.purged,
		(unsigned long long)stats.spills,
		(unsigned long long)stats.evicted,
		(unsigned long long)stats.pages,
		(unsigned long long)stats.pinned,
		(unsigned long long)stats.heap);
}

__attribute__((destructor))
static void preload_end(void)
{
	if (pashm_sqlite_options()->stats)
		print_stats();
}
