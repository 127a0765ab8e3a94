/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is in the models with one extent: the words of the protocol, the
 * pages, two clients and the processors of their threads.
 *
 *   THREADS_0, THREADS_1   that pin, of each client
 *   PROCESSES   2, or more if others purge
 *   PAGES       of the extent: 1 or 2
 *   LAST_EXIT(p)   what becomes of a process when it has no thread left
 */
#define PINNERS		(THREADS_0 + THREADS_1)
#define CLIENT_OF(t)	((t) >= THREADS_0)

/* The state word; length and priority do not change in these models */
byte generation = 1;
bit purging;
#ifdef SHARED_PURGED_FLAG
bit lost;
#endif

byte page[PAGES] = 1;
byte count[2];
byte known[2] = 1;		/* a handle each */
byte users[PROCESSES];		/* threads that have not exited: mm_users */
bit killed[PROCESSES];

byte pins;			/* confirmed, and not yet seen to have ended */
byte losses;			/* purges that have freed a page */
byte idle[PROCESSES];		/* threads that are done, in a living process */
byte ended;			/* threads that are done: purgers first */
byte purgers_ended;

typedef processor {
	byte page[PAGES];	/* contents written; 0: none */
	byte known;		/* the handle's generation; 0: none */
	bit raise;
	bit lower;
	bit pinned;		/* a confirmed pin that will end by lower */
	bit enlist;
	bit table;
};
processor cpu[PINNERS];

#define FIRST_PAGE	0
#define LAST_PAGE	(PAGES - 1)
#define PAGES_WAIT(t)	(cpu[t].page[FIRST_PAGE] || cpu[t].page[LAST_PAGE])
#ifdef LISTED_AFTER_ATTACH
#define LIST_WAITS(t)	false
#else
#define LIST_WAITS(t)	cpu[t].enlist
#endif
#define QUIET(t) \
	(!PAGES_WAIT(t) && !cpu[t].known && !cpu[t].raise && !cpu[t].lower && \
	 !LIST_WAITS(t))
#define CONTENTS(tag) \
	(page[FIRST_PAGE] == (tag) && page[LAST_PAGE] == (tag))

/* What the purger does to a page */
inline page_goes(n)
{
	page[n] = 0;
	CHECK(no_page_goes_under_a_pin, pins == 0)
}

/* SIGKILL: idle threads exit at once */
inline kill(p)
{
	killed[p] = 1;
	users[p] = users[p] - idle[p];
	LAST_EXIT(p)
}
