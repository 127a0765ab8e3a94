// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints which pages SQLite uses of a database, one a line, while it serves a
 * small shop: orders come in, customers look at theirs, and now and then a
 * report reads a table through. SQLite tells it itself: its page cache can be
 * replaced (SQLITE_CONFIG_PCACHE2), and ours is its own with a note of every
 * fetch. The same in every run, as far as SQLite's version is.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "random.h"

#define CUSTOMERS	4000U
#define ORDERS		30000U
#define REQUESTS	12000U

static sqlite3_pcache_methods2 original;
static int recording;

static sqlite3_pcache_page *note_fetch(sqlite3_pcache *cache, unsigned int page,
				       int create)
{
	if (recording)
		printf("%u\n", page);
	return original.xFetch(cache, page, create);
}

static void must(sqlite3 *db, int result)
{
	if (result == SQLITE_OK || result == SQLITE_DONE ||
	    result == SQLITE_ROW)
		return;
	fprintf(stderr, "trace_sqlite: %s\n",
		db ? sqlite3_errmsg(db) : sqlite3_errstr(result));
	exit(1);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text)
{
	sqlite3_stmt *statement;

	must(db, sqlite3_prepare_v2(db, text, -1, &statement, NULL));
	return statement;
}

static void run(sqlite3 *db, sqlite3_stmt *statement, int64_t one, int64_t two)
{
	int result;

	if (sqlite3_bind_parameter_count(statement) > 0)
		must(db, sqlite3_bind_int64(statement, 1, one));
	if (sqlite3_bind_parameter_count(statement) > 1)
		must(db, sqlite3_bind_int64(statement, 2, two));
	do {
		result = sqlite3_step(statement);
	} while (result == SQLITE_ROW);
	must(db, result);
	must(db, sqlite3_reset(statement));
}

/* Few customers order often, and the new orders are what is asked for */
static int64_t skewed(uint64_t *seed, uint32_t below)
{
	double u = random_unit(seed);

	return 1 + (int64_t)(u * u * u * below);
}

static void fill(sqlite3 *db, uint64_t *seed)
{
	sqlite3_stmt *order;
	uint32_t i;

	must(db, sqlite3_exec(db,
		"CREATE TABLE customer(id INTEGER PRIMARY KEY, name, address);"
		"CREATE TABLE orders(id INTEGER PRIMARY KEY, customer, price,"
		" text);"
		"CREATE INDEX by_customer ON orders(customer);"
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
		" WHERE i < 4000) INSERT INTO customer SELECT i, 'name ' || i,"
		" printf('%0200d', i) FROM n;", NULL, NULL, NULL));
	order = prepare(db, "INSERT INTO orders(customer, price, text) "
			"VALUES(?1, ?2, printf('%0160d', ?2))");
	for (i = 0; i < ORDERS; i++)
		run(db, order, skewed(seed, CUSTOMERS),
		    random_below(seed, 1000));
	must(db, sqlite3_finalize(order));
}

static void serve(sqlite3 *db, uint64_t *seed)
{
	sqlite3_stmt *look = prepare(db,
		"SELECT name, address FROM customer WHERE id = ?1");
	sqlite3_stmt *mine = prepare(db, "SELECT price, text FROM orders "
		"WHERE customer = ?1 ORDER BY id DESC LIMIT 20");
	sqlite3_stmt *order = prepare(db, "INSERT INTO orders(customer, price,"
		" text) VALUES(?1, ?2, printf('%0160d', ?2))");
	sqlite3_stmt *change = prepare(db,
		"UPDATE orders SET price = price + ?2 WHERE id = ?1");
	sqlite3_stmt *report = prepare(db,
		"SELECT sum(price) FROM orders WHERE text > ''");
	int64_t customer;
	uint32_t i;

	for (i = 1; i <= REQUESTS; i++) {
		customer = skewed(seed, CUSTOMERS);
		run(db, look, customer, 0);
		if (i % 3)
			run(db, mine, customer, 0);
		else
			run(db, order, customer, random_below(seed, 1000));
		if (i % 5 == 0)
			run(db, change, ORDERS + 1 - skewed(seed, ORDERS), 1);
		if (i % 2000 == 0)
			run(db, report, 0, 0);
	}
	sqlite3_finalize(look);
	sqlite3_finalize(mine);
	sqlite3_finalize(order);
	sqlite3_finalize(change);
	sqlite3_finalize(report);
}

int main(void)
{
	sqlite3_pcache_methods2 noting;
	uint64_t seed = 1;
	sqlite3 *db;

	must(NULL, sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &original));
	noting = original;
	noting.xFetch = note_fetch;
	must(NULL, sqlite3_config(SQLITE_CONFIG_PCACHE2, &noting));
	/* A private file on disk, that is gone when it is closed */
	must(NULL, sqlite3_open("", &db));
	must(db, sqlite3_exec(db, "PRAGMA journal_mode = OFF;"
			      "PRAGMA cache_size = 100000", NULL, NULL, NULL));
	fill(db, &seed);
	recording = 1;
	serve(db, &seed);
	recording = 0;
	return sqlite3_close(db) != SQLITE_OK;
}
