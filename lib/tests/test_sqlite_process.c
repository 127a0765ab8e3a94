// SPDX-License-Identifier: LGPL-2.1-or-later
/* SQLite's page cache in threads and in children, and behind a real SQLite. */
#include <pthread.h>
#include <stdio.h>
#include "fake_region.h"

static void caches_share_a_region_that_stays_until_shutdown(void **test)
{
	unsigned int made = fake.made;
	sqlite3_pcache *first = cache_new(1, 10), *second = cache_new(1, 10);

	(void)test;
	assert_int_equal(fake.made, made + 1);
	pages_new(first, 1, 10);
	pages_new(second, 1, 10);
	/* With caches in use it stays even then */
	methods->xShutdown(methods->pArg);
	assert_int_equal(pages_found(first, 1, 10), 10);
	methods->xDestroy(first);
	assert_int_equal(pages_found(second, 1, 10), 10);
	methods->xDestroy(second);
	first = cache_new(1, 10);
	assert_int_equal(fake.made, made + 1);
	methods->xDestroy(first);
	methods->xShutdown(methods->pArg);
	first = cache_new(1, 10);
	assert_int_equal(fake.made, made + 2);
	methods->xDestroy(first);
}

#define KEYS	300U

/* Fetches, changes and drops pages of a cache of its own, under purges */
static void *churn(void *argument)
{
	sqlite3_pcache *cache = cache_new(1, 100);
	unsigned int i, key, seed = (unsigned int)(uintptr_t)argument;
	int byte[KEYS] = { 0 };
	sqlite3_pcache_page *page;
	void *failed = NULL;

	for (i = 0; i < 20000 && !failed; i++) {
		seed = seed * 1103515245 + 12345;
		key = (seed >> 16) % KEYS;
		page = methods->xFetch(cache, key + 1, seed >> 28 ? 2 : 0);
		if (!page)
			continue;
		if (is_new(page)) {
			byte[key] = (int)(seed >> 20 & 127) + 1;
			fill(page, byte[key]);
		}
		if (!has(page, byte[key]))
			failed = (void *)1;
		methods->xUnpin(cache, page, (seed >> 24 & 15) == 0);
		if (i % 5000 == 4999)
			methods->xTruncate(cache, KEYS / 2);
	}
	methods->xDestroy(cache);
	return failed;
}

static void threads_with_caches_of_their_own_do_not_meet(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	struct pashm_sqlite_stats now;
	pthread_t threads[3];
	void *failed;
	uintptr_t i;

	(void)test;
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn,
						(void *)(i + 1)), 0);
	for (i = 0; i < 200; i++) {
		assert_int_equal(pashm_sqlite_purge(NULL), 0);
		pashm_sqlite_stats(&now);
	}
	for (i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	methods->xDestroy(cache);
}

static void *first_cache(void *barrier)
{
	sqlite3_pcache *cache;

	pthread_barrier_wait(barrier);
	cache = cache_new(1, 10);
	pages_new(cache, 1, 10);
	return cache;
}

static void of_several_first_regions_one_is_left(void **test)
{
	pthread_barrier_t barrier;
	pthread_t threads[4];
	uint64_t freed;
	void *caches[4];
	int i;

	(void)test;
	pthread_barrier_init(&barrier, NULL, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, first_cache,
						&barrier), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], &caches[i]), 0);
	assert_int_equal(pashm_sqlite_purge(&freed), 0);
	assert_int_equal(freed, 40 * page_size());
	for (i = 0; i < 4; i++)
		methods->xDestroy(caches[i]);
}

static sqlite3_pcache *faster;

static void be_faster(void)
{
	faster = cache_new(1, 10);
	pages_new(faster, 1, 3);
}

static void who_is_second_with_a_first_region_gives_it_up(void **test)
{
	sqlite3_pcache *cache;
	uint64_t freed;

	(void)test;
	fake.meanwhile = be_faster;
	cache = cache_new(1, 10);
	pages_new(cache, 1, 5);
	assert_int_equal(fake.made, fake.closed + 1);
	assert_int_equal(pashm_sqlite_purge(&freed), 0);
	assert_int_equal(freed, 8 * page_size());
	methods->xDestroy(cache);
	methods->xDestroy(faster);
}

/* Exits with 0 if all is well: nothing here may longjmp into the parent's runner */
static void child(sqlite3_pcache *inherited)
{
	unsigned int made = fake.made, i;
	sqlite3_pcache *own = methods->xCreate(PAGE, EXTRA, 1);
	sqlite3_pcache_page *page;
	uint64_t freed;

	/* A new database has a new region, and what a purge takes is in it */
	if (!own || fake.made != made + 1)
		_exit(2);
	for (i = 1; i <= 5; i++) {
		page = methods->xFetch(own, i, 2);
		memset(page->pBuf, 'c', PAGE);
		methods->xUnpin(own, page, 0);
	}
	if (pashm_sqlite_purge(&freed) || freed != 5 * page_size() ||
	    methods->xFetch(own, 1, 0))
		_exit(3);
	/* An inherited one is not meant to be used: its pages are misses */
	if (methods->xFetch(inherited, 1, 0))
		_exit(4);
	page = methods->xFetch(inherited, 2, 2);
	if (!page || !is_new(page))
		_exit(5);
	memset(page->pBuf, 'c', PAGE);
	methods->xUnpin(inherited, page, 0);
	methods->xDestroy(inherited);
	methods->xDestroy(own);
	methods->xShutdown(methods->pArg);
	/* Its own one, and its copy of its parent's */
	if (fake.closed != fake.made)
		_exit(6);
	_exit(0);
}

static void a_child_has_a_region_of_its_own(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	sqlite3_pcache_page *pinned = page_new(cache, 50);
	pid_t pid;

	(void)test;
	pages_new(cache, 1, 10);
	pid = fork();
	if (pid == 0)
		child(cache);
	assert_int_equal(child_status(pid), 0);
	assert_int_equal(pages_found(cache, 1, 10), 10);
	assert_true(has(pinned, 50));
	methods->xDestroy(cache);
}

/* Are there mappings of such a name in this process? */
static bool is_mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (maps && fgets(line, sizeof(line), maps))
		found |= strstr(line, name) != NULL;
	if (maps)
		fclose(maps);
	return found;
}

static void a_child_does_not_keep_its_parents_memory(void **test)
{
	sqlite3_pcache *cache = cache_new(1, 10);
	pid_t pid;

	(void)test;
	pages_new(cache, 1, 10);
	methods->xDestroy(cache);
	assert_true(is_mapped("pashm:sqlite"));
	pid = fork();
	if (pid == 0)
		_exit(is_mapped("pashm:sqlite"));
	assert_int_equal(child_status(pid), 0);
	assert_true(is_mapped("pashm:sqlite"));
}

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

static sqlite3_int64 number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3_int64 value;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	return value;
}

static void purge_in_sql(sqlite3_context *context, int count,
			 sqlite3_value **values)
{
	(void)count;
	(void)values;
	sqlite3_result_int(context, pashm_sqlite_purge(NULL));
}

/*
 * Purges at each row that is inserted or read, and a transaction that does not fit
 * cache_size and is rolled back
 */
static void use_database(sqlite3 *db)
{
	sqlite3_int64 sum;

	run(db, "pragma page_size = 4096; pragma cache_size = 20;"
		"pragma journal_mode = delete; pragma synchronous = off;"
		"create table t(a integer primary key, b);"
		"create index i on t(b);"
		"with recursive n(x) as (select 1 union all"
		" select x + 1 from n where x < 3000)"
		"insert into t select x, hex(x * x) || zeroblob(300) || purge()"
		" from n;");
	sum = number(db, "select sum(a * length(b)) from t");
	run(db, "begin; update t set b = a || 'x' || purge();"
		"delete from t where a % 3 = 0; rollback;");
	assert_int_equal(number(db, "select sum(a * length(b) + purge())"
				    " from t"), sum);
	run(db, "delete from t where a > 1000; vacuum;");
	assert_int_equal(number(db, "select count(*) from t"), 1000);
	assert_int_equal(number(db, "select count(*) from"
				    " pragma_integrity_check"
				    " where integrity_check = 'ok'"), 1);
}

static void a_real_sqlite_finds_nothing_wrong(void **test)
{
	struct pashm_sqlite_stats before = stats(), after;
	char name[] = "/tmp/test_sqlite.XXXXXX";
	sqlite3 *db;
	int fd = mkstemp(name);

	(void)test;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_PCACHE2, methods),
			 SQLITE_OK);
	assert_int_equal(sqlite3_open(name, &db), SQLITE_OK);
	assert_int_equal(sqlite3_create_function(db, "purge", 0, SQLITE_UTF8,
						 NULL, purge_in_sql, NULL,
						 NULL), SQLITE_OK);
	use_database(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(sqlite3_shutdown(), SQLITE_OK);
	unlink(name);
	after = stats();
	assert_true(after.caches > before.caches);
	assert_true(after.purged > before.purged + 1000);
	assert_true(after.spills > before.spills);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(caches_share_a_region_that_stays_until_shutdown),
		CASE(threads_with_caches_of_their_own_do_not_meet),
		CASE(of_several_first_regions_one_is_left),
		CASE(who_is_second_with_a_first_region_gives_it_up),
		CASE(a_child_has_a_region_of_its_own),
		CASE(a_child_does_not_keep_its_parents_memory),
		CASE(a_real_sqlite_finds_nothing_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
