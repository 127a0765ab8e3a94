#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that know nothing of pashm, with SQLite's page cache preloaded: the sqlite3
# shell, python3, which loads SQLite late, and sqlcipher. They must find what they
# find with SQLite's own cache, while their pages are purged all the time. Prints TAP.
set -euo pipefail

case ${1:-} in
'') ;;
--help) echo 'Usage: selftests/sqlite.sh    tests programs with the page cache for SQLite'
	exit 0 ;;
*) echo 'sqlite: takes no arguments' >&2; exit 2 ;;
esac

cd "$(dirname "$(realpath "$0")")/.."
libdir=$(realpath "${LIBDIR:-build/lib}")
library=$libdir/libpashm-sqlite.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PASHM_SQLITE PASHM_BACKEND LD_PRELOAD LIBDIR INCDIR PREFIX DESTDIR
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
export PYTHONNOUSERSITE=1
number=0 failed=0 status=0

[[ -e $library ]] || { echo "sqlite: no $library; run: make sqlite" >&2; exit 1; }

# result NAME: of the last command
result() {
	local verdict=ok
	number=$((number + 1))
	if ((status)); then
		verdict='not ok'
		failed=$((failed + 1))
		echo "# exit status $status"
		sed 's/^\(.\{0,150\}\).*/# \1/' "$work/err" "$work/out" | tail -n 40
	fi
	echo "$verdict $number $1"
}

skip() {
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# with WORDS COMMAND...: preloaded, with these words in PASHM_SQLITE
with() {
	local words=$1
	shift
	env LD_PRELOAD="$library" PASHM_SQLITE="stats,verbose,$words" "$@"
}

# The sum of a figure over all processes of the last command
figure() {
	sed -n "s/^pashm-sqlite: pid=.* $1=\([0-9]*\).*/\1/p" "$work/err" |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# used [FIGURE...]: the cache was there, has printed nothing but figures, and these
# are not 0. What it still holds at the end is nothing.
used() {
	local name
	if grep -v '^pashm-sqlite: pid=' "$work/err"; then
		echo 'complaints on stderr' >>"$work/out"
		return 1
	fi
	for name in caches misses "$@"; do
		(($(figure "$name"))) || {
			echo "$name is 0" >>"$work/out"
			return 1
		}
	done
	for name in pages pinned heap; do
		((!$(figure "$name"))) || {
			echo "$name is not 0" >>"$work/out"
			return 1
		}
	done
}

# What most of a page cache is for: a transaction larger than cache_size, one that is
# undone, truncating, pages that change their numbers, several databases and
# journals, tables in memory.
sql() {
	local mode
	cat <<-SQL
		pragma page_size = $1;
		pragma cache_size = $2;
		pragma auto_vacuum = incremental;
		create table t(a integer primary key, b, c);
		create index i on t(b);
		create temp table m(a, b);
		attach ':memory:' as memory;
		create table memory.n(a primary key, b);
	SQL
	for mode in delete truncate wal; do
		cat <<-SQL
			pragma journal_mode = $mode;
			begin;
			with recursive n(x) as
				(select 1 union all select x + 1 from n where x < 1500)
				insert into t(b, c) select x * 7919 % 10007, hex(zeroblob(x % 400))
				|| x from n;
			insert into m select a, c from t where a % 3 = 0;
			insert into memory.n select
				a + 10000 * (select count(*) from memory.n), c from t
				where a % 7 = 0;
			commit;
			select count(*), sum(a * b), sum(length(c)) from t;
			begin;
			update t set b = b + 1, c = c || 'x' where a % 2;
			savepoint s;
			delete from t where a % 5;
			select count(*), sum(b) from t;
			rollback to s;
			insert into t(b, c) select b, c from t where a < 300;
			rollback;
			select count(*), sum(a * b), sum(length(c)) from t;
			delete from t where a > 1000;
			pragma incremental_vacuum(20);
			select count(*), sum(length(b)) from m;
			select b, count(*), max(c) from t where b between 100 and 300
				group by b order by b;
			pragma integrity_check;
		SQL
	done
	cat <<-SQL
		pragma journal_mode = delete;
		vacuum;
		pragma shrink_memory;
		pragma integrity_check;
		select count(*), sum(a * b), sum(length(c)) from t;
		select count(*), sum(length(b)) from memory.n;
	SQL
}

for size in 512 1024 4096 65536; do
	# Of the largest ones, there are few
	sql "$size" "$((size > 4096 ? 6 : 30))" >"$work/$size.sql"
done

# program SIZE COMMAND...: runs the SQL of a page size, as it comes
program() {
	local input=$work/$1.sql
	shift
	"$@" <"$input" >"$work/out" 2>"$work/err"
}

same() {
	program "$@" && [[ -s $work/out ]] && cmp "$work/expected" "$work/out"
}

sqlite3_cases() {
	local size words
	for size in 512 4096 65536; do
		rm -f "$work"/*.db*
		program "$size" sqlite3 "$work/stock.db"
		cp "$work/out" "$work/expected"
		for words in '' purge=1 purge=20 limit wipe,limit,purge=30; do
			rm -f "$work"/pashm.db*
			status=0
			{ same "$size" with "$words" sqlite3 "$work/pashm.db" &&
				used hits spills && cmp "$work/stock.db" "$work/pashm.db" &&
				[[ $words != purge* || $(figure purged) -gt 0 ]] &&
				[[ $words != limit* || $(figure evicted) -gt 0 ]]; } || status=1
			result "sqlite3, pages of $size, with '$words'"
		done
	done
	status=0
	rm -f "$work"/pashm.db*
	program 4096 sqlite3 "$work/stock2.db" && cp "$work/out" "$work/expected"
	PASHM_BACKEND=nosuch same 4096 with '' sqlite3 "$work/pashm.db" &&
		grep -q 'no region, pages are on the heap' "$work/err" || status=1
	result 'sqlite3 without a region, on the heap'
}

words_cases() {
	status=0
	with off sqlite3 "$work/off.db" 'create table t(a)' >"$work/out" 2>"$work/err" &&
		[[ ! -s $work/err ]] || status=1
	result 'off means that nothing is installed'
	status=0
	with of,purge=x sqlite3 "$work/off.db" 'select * from t' >"$work/out" \
		2>"$work/err" && grep -q 'unknown word in PASHM_SQLITE: of$' "$work/err" &&
		grep -q 'unknown word in PASHM_SQLITE: purge=x$' "$work/err" &&
		(($(figure caches))) || status=1
	result 'words that are unknown are named, and ignored'
	status=0
	with '' true >"$work/out" 2>"$work/err" && [[ ! -s $work/err ]] || status=1
	result 'a program without SQLite does not notice'
	status=0
	with '' sh -c "ulimit -v 800000; exec sqlite3 '$work/off.db' 'select 5'" \
		>"$work/out" 2>"$work/err" && grep -qx 5 "$work/out" || status=1
	result 'a limit of address space leaves enough for the program'
}

# In threads, and in a child; both open databases of their own.
python_script() {
	cat <<-'PYTHON'
		import os, sqlite3, sys, threading
		def use(path):
		    db = sqlite3.connect(path)
		    db.executescript(open(sys.argv[2]).read())
		    rows = list(db.execute('select a, b, c from t order by b, a'))
		    db.execute('pragma shrink_memory')
		    rows += list(db.execute('select sum(a * b), sum(length(c)) from t'))
		    db.close()
		    return hash_of(rows)
		def hash_of(rows):
		    import hashlib
		    return hashlib.sha256(repr(rows).encode()).hexdigest()
		results = {}
		def work(name):
		    results[name] = use(sys.argv[1] + name)
		threads = [threading.Thread(target=work, args=(n,)) for n in ('a', 'b', 'c')]
		for thread in threads: thread.start()
		for thread in threads: thread.join()
		print(sorted(results.items()))
		sys.stdout.flush()
		child = os.fork()
		if child == 0:
		    print(use(sys.argv[1] + 'child'))
		    sys.exit(0)
		status = os.waitpid(child, 0)[1]
		print(status, use(sys.argv[1] + 'd'))
	PYTHON
}

python_cases() {
	local words
	python_script >"$work/script.py"
	/usr/bin/python3 "$work/script.py" "$work/p-" "$work/4096.sql" \
		>"$work/expected"
	for words in '' purge=25 wipe,limit,purge=40; do
		rm -f "$work"/p-*
		status=0
		{ with "$words" /usr/bin/python3 "$work/script.py" "$work/p-" \
			"$work/4096.sql" >"$work/out" 2>"$work/err" &&
			cmp "$work/expected" "$work/out" && used hits spills &&
			(($(grep -c pid= "$work/err") == 2)) &&
			[[ $words != *purge* || $(figure purged) -gt 0 ]]; } || status=1
		result "python3, threads and a child, with '$words'"
	done
}

sqlcipher_cases() {
	local size words
	for size in 1024 4096; do
		{ echo "pragma key = 'secret'; pragma cipher_page_size = $size;"
			sed '/^pragma page_size/d' "$work/$size.sql"; } >"$work/cipher$size.sql"
		rm -f "$work"/c.db*
		program "cipher$size" sqlcipher "$work/c.db"
		cp "$work/out" "$work/expected"
		for words in '' purge=20 limit,purge=30; do
			rm -f "$work"/c.db*
			status=0
			{ same "cipher$size" with "$words" sqlcipher "$work/c.db" &&
				used hits spills && ! grep -q SQLite "$work/c.db" &&
				[[ $words != *purge* || $(figure purged) -gt 0 ]]; } || status=1
			result "sqlcipher, pages of $size, with '$words'"
		done
	done
	echo "pragma key = 'secret'; pragma cipher_page_size = 4096;
		pragma integrity_check; select count(*) from t;" >"$work/look.sql"
	status=0
	program look sqlcipher "$work/c.db" && grep -qx ok "$work/out" || status=1
	result 'what it has written is read without'
}

# Both in one process: their symbols have the same names.
two_cases() {
	local soname=libsqlcipher.so.0
	cat >"$work/two.py" <<-'PYTHON'
		import ctypes, sqlite3, sys
		db = sqlite3.connect(sys.argv[1] + 'plain')
		db.execute('create table t(a)')
		db.execute('insert into t values (5)')
		db.commit()
		cipher = ctypes.CDLL(sys.argv[2])
		handle = ctypes.c_void_p()
		def run(sql):
		    assert cipher.sqlite3_exec(handle, sql, None, None, None) == 0
		assert cipher.sqlite3_open((sys.argv[1] + 'cipher').encode(),
		                           ctypes.byref(handle)) == 0
		assert cipher.sqlite3_key(handle, b'secret', 6) == 0
		run(b'create table t(a); insert into t values (7)')
		assert cipher.sqlite3_close(handle) == 0
		print(db.execute('select a from t').fetchall())
		db.close()
		for name in ('plain', 'cipher'):
		    print(open(sys.argv[1] + name, 'rb').read(6) == b'SQLite')
	PYTHON
	status=0
	with purge=1 /usr/bin/python3 "$work/two.py" "$work/two-" "$soname" \
		>"$work/out" 2>"$work/err" && used &&
		[[ $(<"$work/out") == $'[(5,)]\nTrue\nFalse' ]] &&
		(($(figure caches) >= 2)) || status=1
	result 'SQLite and SQLCipher in one process'
}

# What a closed database leaves in the region: SQLCipher's plaintext is not to stay.
wipe_cases() {
	cat >"$work/wipe.py" <<-'PYTHON'
		import ctypes, errno, os, sys
		library = ctypes.CDLL(sys.argv[2])
		handle = ctypes.c_void_p()
		def run(sql):
		    assert library.sqlite3_exec(handle, sql, None, None, None) == 0
		def found(text):
		    for name in os.listdir('/proc/self/fd'):
		        path = '/proc/self/fd/' + name
		        try:
		            if 'pashm:sqlite' not in os.readlink(path):
		                continue
		        except OSError:
		            continue
		        file = open(path, 'rb', buffering=0)
		        at = 0
		        while True:
		            try:
		                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
		            except OSError as error:
		                assert error.errno == errno.ENXIO
		                break
		            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
		            if text in os.pread(file.fileno(), end - at, at):
		                return True
		            at = end
		    return False
		assert library.sqlite3_open(sys.argv[1].encode(), ctypes.byref(handle)) == 0
		if len(sys.argv) > 3:
		    assert library.sqlite3_key(handle, b'secret', 6) == 0
		run(b"create table t(a); insert into t values ('plain' || 'text')")
		print(found(b'plaintext'))
		assert library.sqlite3_close(handle) == 0
		print(found(b'plaintext'))
	PYTHON
	wipe 'pages of a closed database are wiped, if that is asked for' \
		wipe libsqlite3.so.0
	! command -v sqlcipher >/dev/null ||
		wipe "SQLCipher's always are" '' libsqlcipher.so.0 key
}

wipe() {
	local name=$1 words=$2
	shift 2
	status=0
	rm -f "$work/wipe.db"
	PASHM_BACKEND=memfd with "$words" /usr/bin/python3 "$work/wipe.py" "$work/wipe.db" \
		"$@" >"$work/out" 2>"$work/err" && used &&
		[[ $(<"$work/out") == $'True\nFalse' ]] || status=1
	result "$name"
}

# Programs that are built with it, and one that has a page cache of its own.
linked_cases() {
	local flags=(-std=gnu11 -Wall -Wextra -Werror -Iinclude -Iinclude/uapi)
	export PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
	status=0
	# shellcheck disable=SC2046 # words
	{ make -s -C lib O="$libdir" install PREFIX="$work/prefix" &&
		gcc "${flags[@]:0:4}" -o "$work/linked" selftests/sqlite_program.c \
			$(pkg-config --cflags --libs pashm-sqlite) -lsqlite3 &&
		LD_LIBRARY_PATH=$work/prefix/lib "$work/linked" "$work/linked.db"; } \
		>"$work/out" 2>"$work/err" && grep -qx 'pashm 1 own 0' "$work/out" || status=1
	result 'a program that is linked with it needs no call'
	status=0
	LD_LIBRARY_PATH=$work/prefix/lib LD_PRELOAD=libpashm-sqlite.so PASHM_SQLITE=stats \
		sqlite3 "$work/named.db" 'create table t(a)' >"$work/out" \
		2>"$work/err" && used || status=1
	result 'installed, it is preloaded by its name'
	status=0
	{ gcc "${flags[@]}" -DEXPLICIT -o "$work/static" selftests/sqlite_program.c \
		"$libdir/libpashm-sqlite.a" "$libdir/libpashm.a" -lsqlite3 -pthread &&
		"$work/static" "$work/static.db"; } >"$work/out" 2>"$work/err" &&
		grep -qx 'pashm 1 own 0' "$work/out" || status=1
	result 'a program can have the static one by a call'
	status=0
	{ gcc "${flags[@]}" -DOWN -o "$work/own" selftests/sqlite_program.c \
		-L"$libdir" -lpashm-sqlite -lsqlite3 &&
		LD_LIBRARY_PATH=$libdir "$work/own" "$work/own.db"; } \
		>"$work/out" 2>"$work/err" && grep -qx 'pashm 0 own 1' "$work/out" || status=1
	result "a program's own page cache stays"
}

sqlite3_cases
words_cases
python_cases
if command -v sqlcipher >/dev/null; then
	sqlcipher_cases
	two_cases
else
	skip sqlcipher 'it is not installed: scripts/setup check'
fi
wipe_cases
linked_cases
echo "1..$number"
((failed == 0))
