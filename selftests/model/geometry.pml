/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of geometry by the module, kernel/reshape.c, against pins with old
 * and new handles, purges and waits. See extents.pml for what happens.
 *
 * With MERGE, SIBLINGS is 0: a client that makes an extent over one that its
 * own threads have pinned has only itself to blame.
 */
#include "common.pml"

#define FROZEN(n)	false
#define USABLE(x)	true
#include "extents.pml"

#if defined(RESHAPE_WITHOUT_SLOT)
#define BEFORE_US(from, to)	0
#define TAKE_SLOT(from, to)	skip
#elif defined(QUEUE_WITHOUT_WAIT)
#define BEFORE_US(from, to)	0
#define TAKE_SLOT(from, to)	slot_take(SHAPER, from, to)
#else
#define BEFORE_US(from, to)	SLOTS_ON(from, to)
#define TAKE_SLOT(from, to)	slot_take(SHAPER, from, to)
#endif

/*
 * pashm_slot_queue(): the slot is taken at once, which keeps purges out and has
 * pins wait for us, and then those are waited for that were there before.
 */
inline reserve(from, to)
{
	atomic { awaited[OWNER] = BEFORE_US(from, to); TAKE_SLOT(from, to) };
	!awaited[OWNER]
}

#if defined(RESHAPE_WITHOUT_CLAIM)
#define MARK(h)		skip
#elif defined(RESHAPE_WITHOUT_BARRIER)
bit late[2];
#define MARK(h)		late[h] = 1
#define SAME_WORD(h)	!late[h]
#else
#define MARK(h)		purging[h] = 1
#endif
#ifndef SAME_WORD
#define SAME_WORD(h)	skip
#endif

/* pashm_reshape_mark(): heads only */
inline mark(h)
{
	atomic {
		if
		:: length[h] -> MARK(h)
		:: else
		fi
	}
}

inline unmark(h)
{
	atomic {
		if
		:: length[h] -> SAME_WORD(h); purging[h] = 0
		:: else
		fi
	}
}

/* pashm_reshape_check(): is client c in the way? */
inline ask(c, h)
{
#ifndef RESHAPE_WITHOUT_CHECK
	atomic { busy = busy || (length[h] && COUNT(c, h)) }
#else
	skip
#endif
}

#if defined(GENERATION_KEPT)
#define NEXT(h)		generation[h]
#elif defined(GENERATION_RESET)
#define NEXT(h)		1
#else
#define NEXT(h)		generation[h] + 1
#endif

/* pashm_reshape_word() */
inline rewrite(h, x, pages)
{
	atomic {
		SAME_WORD(h);
		CHECK(geometry_stays_under_a_pin, !pins[h]);
		generation[h] = NEXT(h);
		length[h] = pages;
		purging[h] = 0;
		meant[h] = x
	}
}

inline bear(h)
{
	atomic { birth[h] = NEXT(h) }
}

/* The range is ours, and nobody has it pinned: the extent comes pinned */
inline make(x)
{
#ifdef BIRTH_AFTER_WORD
	rewrite(HEAD(x), x, LENGTH(x));
	atomic { birth[HEAD(x)] = generation[HEAD(x)] };
#else
	bear(HEAD(x));
	rewrite(HEAD(x), x, LENGTH(x));
#endif
	atomic {
		pins[HEAD(x)]++;
		cpu[OWNER].handle = x;
		cpu[OWNER].pinned = 1;
		cpu[OWNER].fill = (1 << HEAD(x)) | (1 << TAIL(x));
		cpu[OWNER].known = generation[HEAD(x)];
		cpu[OWNER].lower = 1;
		slot_free(SHAPER)
	}
}

#ifdef OWN_COUNT_UNCHECKED
#define TOO_MANY	false
#else
#define TOO_MANY	COUNT(0, 0) != 1
#endif

proctype owner()
{
	bit busy;
	byte me = OWNER;

	/* Pin it. What is in it does not matter: it is to go */
	atomic { COUNT(0, 0)++ };
	if
	:: purging[0] -> settle(0)
	:: !purging[0]
	fi;
	reserve(0, 1);
#ifdef RESHAPE_CHECKS_BEFORE_CLAIM
	atomic { busy = TOO_MANY };
	ask(1, 0);
	mark(0);
	mark(1);
#else
	mark(0);
	mark(1);
	atomic { busy = TOO_MANY };
	ask(1, 0);
#endif
	if
	:: busy ->
		unmark(0);
		unmark(1);
		atomic { COUNT(0, 0)--; slot_free(SHAPER) };
		goto out
	:: else
	fi;
	rewrite(0, NONE, 0);
	atomic { COUNT(0, 0)--; slot_free(SHAPER) };

	atomic { COUNT(0, HEAD(LEFT))++ };
	reserve(0, 0);
	mark(0);
	make(LEFT);
	atomic { QUIET(OWNER); COUNT(0, HEAD(RIGHT))++ };
	reserve(1, 1);
	mark(1);
	make(RIGHT);
#ifdef MERGE
	atomic { QUIET(OWNER); COUNT(0, HEAD(MERGED))++ };
	reserve(0, 1);
	mark(0);
	mark(1);
	ask(1, 0);
	ask(0, 1);
	ask(1, 1);
	if
	:: busy ->
		unmark(0);
		unmark(1);
		atomic { COUNT(0, 0)--; slot_free(SHAPER) }
	:: else ->
		rewrite(1, NONE, 0);
		make(MERGED)
	fi;
#endif
out:
	atomic { QUIET(OWNER); ended++; me = 0; busy = 0 }
}

#ifdef RESHAPE_WITHOUT_BARRIER
proctype late_claims()
{
end:	do
	:: atomic { late[0] -> late[0] = 0; purging[0] = 1 }
	:: atomic { late[1] -> late[1] = 0; purging[1] = 1 }
	od
}
#endif

init {
	begin();
#ifdef RESHAPE_WITHOUT_BARRIER
	run late_claims();
#endif
	finish()
}
