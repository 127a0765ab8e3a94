// SPDX-License-Identifier: GPL-2.0-only
/*
 * For sqlite.sh: a program with a database, linked with the page cache. It prints how
 * many caches of ours there were, and of its own.
 *
 * -DEXPLICIT: it asks for ours by a call; -DOWN: it has one of its own
 */
#include <stdio.h>
#include <sqlite3.h>
#include <pashm/sqlite.h>

static unsigned int own;

#ifdef OWN
static sqlite3_pcache_methods2 stock;

static sqlite3_pcache *own_create(int size, int extra, int purgeable)
{
	own++;
	return stock.xCreate(size, extra, purgeable);
}

/* SQLite's own, found as it was before anybody has installed another one */
static int configure(void)
{
	static sqlite3_pcache_methods2 none, mine;

	if (sqlite3_config(SQLITE_CONFIG_PCACHE2, &none) ||
	    sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &stock))
		return 1;
	mine = stock;
	mine.xCreate = own_create;
	return sqlite3_config(SQLITE_CONFIG_PCACHE2, &mine);
}
#elif defined(EXPLICIT)
static int configure(void)
{
	return sqlite3_config(SQLITE_CONFIG_PCACHE2, pashm_sqlite_methods(0));
}
#else
static int configure(void)
{
	return 0;
}
#endif

int main(int argc, char **argv)
{
	struct pashm_sqlite_stats stats;
	sqlite3 *db;

	if (argc != 2 || configure())
		return 2;
	if (sqlite3_open(argv[1], &db) ||
	    sqlite3_exec(db, "create table t(a); insert into t values (1);",
			 NULL, NULL, NULL) ||
	    sqlite3_close(db))
		return 1;
	pashm_sqlite_stats(&stats);
	printf("pashm %d own %d\n", stats.caches > 0, own > 0);
	return 0;
}
