// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>

#include "journal.h"

#define LAST		24
#define CALLS_MAX	96
#define ERRORS_MAX	134
#define PENDING		(-100000L)

struct entry {
	uint64_t operation;
	int depth;
	const char *name;
	const char *call;
	const char *format;
	long args[4];
	long ret;
};

struct journal {
	uint64_t entries;
	const char *operation;
	struct entry last[LAST];
};

/* All in one place, so that a row is found by its name's address */
struct results {
	const char *call;
	uint64_t number[ERRORS_MAX];	/* 0: success, else the errno */
};

static struct {
	struct journal journals[JOURNALS];
	struct results results[CALLS_MAX];
	uint64_t operations;
} *book;

void journal_init(void)
{
	if (!book)
		book = mmap(NULL, sizeof(*book), RW,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (book == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	memset(book, 0, sizeof(*book));
}

void journal_operation(const char *name)
{
	book->journals[self.journal].operation = name;
	__atomic_fetch_add(&book->operations, 1, __ATOMIC_RELAXED);
}

static struct entry *journal_latest(struct journal *journal)
{
	return &journal->last[(journal->entries - 1) % LAST];
}

void journal_call(const char *call, const char *format, long a, long b, long c,
		  long d)
{
	struct journal *journal = &book->journals[self.journal];

	journal->entries++;
	*journal_latest(journal) = (struct entry) {
		self.operation, self.depth, journal->operation, call, format,
		{ a, b, c, d }, PENDING,
	};
}

static struct results *results_of(const char *call)
{
	struct results *r = book->results;

	for (; r < book->results + CALLS_MAX; r++) {
		const char *none = NULL;

		if (__atomic_compare_exchange_n(&r->call, &none, call, false,
						__ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST) ||
		    none == call || !strcmp(none, call))
			return r;
	}
	return NULL;
}

const char *result_name(long ret)
{
	const char *name;

	if (ret >= 0)
		return "ok";
	name = strerrorname_np((int)-ret);
	return name ? name : "an unknown error";
}

static void entry_print(const struct entry *e)
{
	char text[256];
	/* The formats are this program's own constants. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), e->format, e->args[0], e->args[1],
		 e->args[2], e->args[3]);
#pragma GCC diagnostic pop
	printf("# %*s%llu %s: %s(%s) = %s", e->depth * 2, "",
	       (unsigned long long)e->operation, e->name ? e->name : "set-up",
	       e->call, text,
	       e->ret == PENDING ? "(not returned)" : result_name(e->ret));
	if (e->ret > 0)
		printf(" %ld", e->ret);
	putchar('\n');
}

void journal_return(long ret)
{
	struct journal *journal = &book->journals[self.journal];
	struct entry *e = journal_latest(journal);
	struct results *results = results_of(e->call);
	long error = ret < 0 ? -ret : 0;

	e->ret = ret;
	if (results && error < ERRORS_MAX)
		__atomic_fetch_add(&results->number[error], 1,
				   __ATOMIC_RELAXED);
	if (world->trace)
		entry_print(e);
}

uint64_t journal_progress(int journal)
{
	return __atomic_load_n(&book->journals[journal].entries,
			       __ATOMIC_RELAXED);
}

uint64_t journal_executions(void)
{
	return __atomic_load_n(&book->operations, __ATOMIC_RELAXED);
}

void journal_print_last(int number)
{
	const struct journal *journal = &book->journals[number];
	uint64_t i = journal->entries > LAST ? journal->entries - LAST : 0;

	for (; i < journal->entries; i++)
		entry_print(&journal->last[i % LAST]);
}

void fail(const char *format, ...)
{
	va_list args;

	/* The first to report is the one to believe. */
	if (__atomic_exchange_n(&world->failed, true, __ATOMIC_SEQ_CST))
		_exit(3);
	world->failed_at = self.depth ? self.root : self.operation;
	printf("# FAILED in process %d%s, operation %llu: ", self.process,
	       self.depth ? " (a child of it)" : "",
	       (unsigned long long)self.operation);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n# seed %llu, process %d; its last calls:\n",
	       (unsigned long long)world->seed, self.process);
	if (!world->trace)
		journal_print_last(self.journal);
	fflush(stdout);
	_exit(3);
}

static void results_print(const struct results *r)
{
	uint64_t all = 0;
	int i;

	for (i = 0; i < ERRORS_MAX; i++)
		all += r->number[i];
	printf("# %-16s %9llu:", r->call, (unsigned long long)all);
	for (i = 0; i < ERRORS_MAX; i++)
		if (r->number[i])
			printf(" %s %llu", result_name(-i),
			       (unsigned long long)r->number[i]);
	putchar('\n');
}

void journal_print_results(void)
{
	const struct results *r = book->results;

	for (; r < book->results + CALLS_MAX && r->call; r++)
		results_print(r);
	fflush(stdout);
}
