// SPDX-License-Identifier: GPL-2.0-only
/*
 * Point reads of an encrypted database while the limit of the reader's cgroup shrinks
 * and grows.
 *
 *   reads make DB ROWS: the database, with 1000 bytes in a row
 *   reads run NAME DB KIB SECONDS MIB...: one process reads rows at random with
 *         cache_size -KIB. Another sets memory.max to each of these in turn, for so
 *         many seconds, and three times as long to the last of several: a cache grows
 *         with what is read. It prints a row each second: = NAME, phase, second,
 *         limit in MiB, reads a second, MiB used, kills, and of pashm pages found
 *         purged, hits and misses so far
 *   reads rate DB KIB SECONDS: reads a second of processor time, without a cgroup
 *
 * Which page cache it is, is settled by LD_PRELOAD; if NAME is pashm it must be that.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <pashm/sqlite.h>
#include "reads.h"

/* There if the library is preloaded */
#pragma weak pashm_sqlite_stats

/* A raw key: deriving one takes time that is not of interest here */
#define KEY	"pragma key = \"x'000102030405060708090a0b0c0d0e0f" \
		"101112131415161718191a1b1c1d1e1f'\";"
#define PAGES	"pragma cipher_page_size = 4096;"

void die(const char *what)
{
	fprintf(stderr, "reads: %s\n", what);
	exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
	char *error;

	if (sqlite3_exec(db, sql, NULL, NULL, &error))
		die(error);
}

static sqlite3 *database_open(const char *path, int flags)
{
	sqlite3 *db;

	if (sqlite3_open_v2(path, &db, flags, NULL))
		die("the database cannot be opened");
	run(db, KEY PAGES);
	return db;
}

static void database_make(const char *path, const char *rows)
{
	sqlite3 *db = database_open(path, SQLITE_OPEN_READWRITE |
					  SQLITE_OPEN_CREATE);
	char *sql = sqlite3_mprintf("create table t(a integer primary key, b);"
		"with recursive n(x) as (select 1 union all"
		" select x + 1 from n where x < %s)"
		"insert into t select x, randomblob(1000) from n;", rows);

	run(db, sql);
	sqlite3_free(sql);
	sqlite3_close(db);
}

static sqlite3_int64 number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3_int64 value;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) ||
	    sqlite3_step(statement) != SQLITE_ROW)
		die(sqlite3_errmsg(db));
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void read_row(sqlite3_stmt *statement, uint64_t row)
{
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)row);
	if (sqlite3_step(statement) != SQLITE_ROW ||
	    sqlite3_column_bytes(statement, 0) != 1000)
		die("a row is missing");
	sqlite3_reset(statement);
}

static void note_stats(struct shared *shared)
{
	struct pashm_sqlite_stats stats;

	if (!pashm_sqlite_stats)
		return;
	pashm_sqlite_stats(&stats);
	if (!stats.hits)
		die("the page cache is there and not used");
	__atomic_store_n(&shared->purged, stats.purged, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->hits, stats.hits, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->misses, stats.misses, __ATOMIC_RELAXED);
}

/* Does not return, but for want of @seconds of processor time, if not 0 */
static void read_rows(const char *path, const char *kib, struct shared *shared,
		      unsigned long seconds)
{
	sqlite3 *db = database_open(path, SQLITE_OPEN_READONLY);
	char *sql = sqlite3_mprintf("pragma cache_size = -%s", kib);
	clock_t end;
	uint64_t random = 88172645463325252ULL, rows, i;
	sqlite3_stmt *statement;

	run(db, sql);
	rows = (uint64_t)number(db, "select count(*) from t");
	if (number(db, "select sum(length(b)) from t") !=
	    (sqlite3_int64)rows * 1000)
		die("the database is not what it should be");
	if (sqlite3_prepare_v2(db, "select b from t where a = ?", -1,
			       &statement, NULL))
		die(sqlite3_errmsg(db));
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	end = clock() + (clock_t)seconds * CLOCKS_PER_SEC;
	for (i = 1; !seconds || i % 1000 || clock() < end; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		read_row(statement, random % rows + 1);
		__atomic_store_n(&shared->reads, i, __ATOMIC_RELAXED);
		if (i % 256 == 0)
			note_stats(shared);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned long relaxed(const uint64_t *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

/* One second of a phase. False when the reader is no more */
static bool measure(const struct shared *shared, const char *name,
		    unsigned int phase, unsigned int second, unsigned long limit,
		    pid_t reader)
{
	uint64_t reads = __atomic_load_n(&shared->reads, __ATOMIC_RELAXED);
	uint64_t start = now_ms(), time;
	int status;
	bool ended;

	usleep(1000000);
	ended = waitpid(reader, &status, WNOHANG) != 0;
	time = now_ms() - start;
	reads = __atomic_load_n(&shared->reads, __ATOMIC_RELAXED) - reads;
	printf("= %s %u %u %lu %lu %lu %lu %lu %lu %lu\n", name, phase, second,
	       limit, ended ? 0UL : (unsigned long)(reads * 1000 / time),
	       group_used(), group_kills(), relaxed(&shared->purged),
	       relaxed(&shared->hits), relaxed(&shared->misses));
	fflush(stdout);
	if (ended && !group_kills())
		die("the reader has ended by itself");
	return !ended;
}

static pid_t reader_start(char **argv, struct shared *shared)
{
	pid_t reader = fork();

	if (reader < 0)
		die("no process");
	if (reader == 0) {
		group_enter();
		read_rows(argv[3], argv[4], shared, 0);
		_exit(0);
	}
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE)) {
		if (waitpid(reader, NULL, WNOHANG))
			die("the reader has not even begun");
		usleep(10000);
	}
	return reader;
}

static void run_phases(int argc, char **argv, struct shared *shared)
{
	unsigned long seconds = strtoul(argv[5], NULL, 10), limit;
	unsigned int phase, second = 0, end = 0;
	bool alive = true;
	pid_t reader;

	if (!strcmp(argv[2], "pashm") && !pashm_sqlite_stats)
		die("the page cache is not preloaded");
	group_make();
	group_limit(strtoul(argv[6], NULL, 10));
	reader = reader_start(argv, shared);
	for (phase = 0; phase < (unsigned int)argc - 6 && alive; phase++) {
		limit = strtoul(argv[6 + phase], NULL, 10);
		group_limit(limit);
		end += seconds * (phase && phase + 7 == (unsigned int)argc ?
				  3 : 1);
		for (; second < end && alive; second++)
			alive = measure(shared, argv[2], phase, second, limit,
					reader);
	}
	if (alive) {
		kill(reader, SIGKILL);
		waitpid(reader, NULL, 0);
	}
	group_remove();
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, sizeof(*shared),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		die("no memory");
	if (argc == 4 && !strcmp(argv[1], "make")) {
		database_make(argv[2], argv[3]);
	} else if (argc > 6 && !strcmp(argv[1], "run")) {
		run_phases(argc, argv, shared);
	} else if (argc == 5 && !strcmp(argv[1], "rate")) {
		read_rows(argv[2], argv[3], shared, strtoul(argv[4], NULL, 10));
		printf("= %lu\n", (unsigned long)shared->reads /
				  strtoul(argv[4], NULL, 10));
	} else {
		die("see the head of reads.c");
	}
	return 0;
}
