/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of geometry by the only client of a region, without a system call:
 * lib/extent.c, against its other threads and the module's purges. See
 * extents.pml for what happens.
 *
 * With MERGE the siblings leave alone what the owner makes an extent over: a
 * create that finds it pinned goes on, and they would have only themselves to
 * blame.
 */
#include "common.pml"

/* PASHM_COUNT_LIMIT, made smaller, and COUNT_MOST */
#define LIMIT	16
#define MOST	(LIMIT / 2)

#define OTHERS	0
#ifdef PIN_IGNORES_FREEZE
#define FROZEN(n)	false
#else
#define FROZEN(n)	((n) + 1 >= LIMIT)
#endif
#ifdef MERGE
#define USABLE(x)	((x) != LEFT)
#else
#define USABLE(x)	true
#endif
#include "extents.pml"

bit birth_waits;	/* of the owner's stores; for a word that is replaced */
byte birth_head;
byte birth_value;

/* count_freeze_full(); its loop is one step: it ends with one that succeeds */
#ifdef FREEZE_IGNORES_PINS
#define REFUSED(h, least, most)	false
#else
#define REFUSED(h, least, most) \
	(COUNT(0, h) < (least) || COUNT(0, h) > (most))
#endif
#ifdef NO_FREEZE
#define FREEZE	0
#else
#define FREEZE	LIMIT
#endif

inline freeze(h, least, most)
{
	atomic {
		QUIET(OWNER);
		if
		:: REFUSED(h, least, most) -> failed = 1
		:: else -> COUNT(0, h) = COUNT(0, h) + FREEZE
		fi
	}
}

inline thaw(h, change)
{
	atomic { COUNT(0, h) = COUNT(0, h) - FREEZE + (change) }
}

/* state_settle() */
inline settled(h)
{
#ifdef REPLACES_UNDER_PURGE
	atomic { g = generation[h]; l = length[h]; q = purging[h] }
#else
	do
	:: purging[h] -> settle(h)
	:: atomic { !purging[h] -> g = generation[h]; l = length[h] } -> break
	od
#endif
}

#ifdef REPLACED_BY_STORE
#define SAME(h)		true
#elif defined(REPLACES_UNDER_PURGE)
#define SAME(h) \
	(generation[h] == g && length[h] == l && purging[h] == q)
#else
#define SAME(h)		(generation[h] == g && length[h] == l && !purging[h])
#endif
#ifdef BIRTH_WITHOUT_RELEASE
#define BIRTH_LANDED	true
#else
#define BIRTH_LANDED	!birth_waits
#endif

/* state_replace(): the birth, then the word, by a cmpxchg that is a release */
inline replace(h, x, pages)
{
	do
	:: settled(h);
	   atomic {
		!birth_waits;
		birth_head = h;
		birth_value = g + 1;
		birth_waits = (pages > 0)
	   };
	   if
	   :: atomic { BIRTH_LANDED && SAME(h) ->
		CHECK(geometry_stays_under_a_pin, !pins[h]);
		generation[h] = g + 1;
		length[h] = pages;
		purging[h] = 0;
		meant[h] = x } -> break
	   :: atomic { BIRTH_LANDED && !SAME(h) }
	   fi
	od
}

proctype birth_store()
{
end:	do
	:: atomic { birth_waits ->
		birth[birth_head] = birth_value; birth_waits = 0 }
	od
}

/* The extent is made, comes pinned, and is used */
inline own(x)
{
	atomic {
		pins[HEAD(x)]++;
		cpu[OWNER].handle = x;
		cpu[OWNER].pinned = 1;
		cpu[OWNER].fill = (1 << HEAD(x)) | (1 << TAIL(x));
		cpu[OWNER].known = generation[HEAD(x)];
		cpu[OWNER].lower = 1
	}
}

/* sole_create() where no other extent is */
inline create(x)
{
	freeze(HEAD(x), 0, MOST);
#ifdef THAWED_BEFORE_WORD
	thaw(HEAD(x), 0);
	replace(HEAD(x), x, LENGTH(x));
	thaw(HEAD(x), 1 + FREEZE);
#else
	replace(HEAD(x), x, LENGTH(x));
	thaw(HEAD(x), 1);
#endif
	own(x)
}

proctype owner()
{
	byte me = OWNER;
	bit failed;
	byte g;
	byte l;
#ifdef REPLACES_UNDER_PURGE
	bit q;
#endif

	/* sole_destroy() of what is pinned once */
	atomic { COUNT(0, 0)++ };
	if
	:: purging[0] -> settle(0)
	:: !purging[0]
	fi;
	freeze(0, 1, 1);
	if
	:: failed -> atomic { COUNT(0, 0)-- }; goto out
	:: else
	fi;
	replace(0, NONE, 0);
	thaw(0, -1);

	create(LEFT);
	create(RIGHT);
#ifdef MERGE
	/* sole_create() over both: inner_freeze(), inner_end() */
	freeze(0, 0, MOST);
	freeze(1, 0, 0);
	if
	:: failed -> thaw(0, 0); goto out
	:: else
	fi;
	replace(1, NONE, 0);
	thaw(1, 0);
	replace(0, MERGED, 2);
	thaw(0, 1);
	own(MERGED);
#endif
out:
	atomic { QUIET(OWNER); ended++; me = 0; failed = 0; g = 0; l = 0 }
}

init {
	run birth_store();
	begin();
	finish()
}
