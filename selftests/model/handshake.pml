/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshake with the module: pin, unpin, wait, attach and death of a client
 * against purges (kernel/purge.c, slot.c, client.c, table.c). One extent, two
 * clients; the second attaches while the first is at work, and may die.
 *
 *   THREADS_0, THREADS_1   of each client
 *   PAGES     of the extent: 1 or 2
 *   PURGERS   1: reclaim, which looks elsewhere when it cannot have the extent;
 *             2: and a purge on request, which waits and tries again
 *   PURGES    until the generation stands still
 *   FORGERY   somebody sets PURGING, once
 *   LIVENESS  check that a waiter is answered, though purgers never rest
 */
#define PROCESSES	2
#define LAST_EXIT(p)	skip
#include "common.pml"
#include "words.pml"

#define WAITERS	(THREADS_0 + THREADS_1 + PURGERS)

bit listed[2];			/* region->clients */
bit tables[2];			/* the client's page of pin words exists */
bit attached;			/* ATTACH has returned */
bit forged;
bit slot[PURGERS];		/* in flight; all slots are on the one extent */
byte awaited[WAITERS];		/* slots that a sleeper has found in flight */
hidden byte i;

#define SLOT_TAKEN	(slot[0] || slot[PURGERS - 1])
#define SLOTS_NOW	(slot[0] | slot[PURGERS - 1] << (PURGERS - 1))

/*
 * pashm_settle(): under the lock, see which slots there are; sleep until these
 * have ended; clear PURGING if nobody has a slot. The code does this last with a
 * slot of its own, so that nobody takes one meanwhile: one step.
 */
#define SLOTS_SEE(who)	awaited[who] = SLOTS_NOW
#ifdef WAIT_NEVER_CLEARS
#define SLOTS_CLEAR	skip
#else
#define SLOTS_CLEAR	if :: !SLOT_TAKEN -> purging = 0 :: else fi
#endif

#if defined(WAIT_IGNORES_SLOTS)
#define WAIT	STEP(true, purging = 0)
#elif defined(WAIT_DROPS_COUNT)
#define WAIT \
	STEP(true, count[c]--; SLOTS_SEE(me)); \
	STEP(!awaited[me], SLOTS_CLEAR); \
	STEP(true, count[c]++)
#elif defined(WAIT_FOR_LATER_SLOTS)
#define WAIT	STEP(!SLOT_TAKEN, SLOTS_CLEAR)
#else
#define WAIT	STEP(true, SLOTS_SEE(me)); STEP(!awaited[me], SLOTS_CLEAR)
#endif

/* lib/pin.c waits once; kernel/pin.c, for client 1 here, until it is settled */
#define ANSWERED	(c == 0 || !SEEN_PURGING)
#define FORGET		awaited[me] = 0

/* Enter the list, then return; pin words are made at the first touch */
#ifdef LISTED_AFTER_ATTACH
#define LISTED		true
#else
#define LISTED		QUIET(me)
#endif
#define ARRIVE \
	if \
	:: c == 1 && me == THREADS_0 -> \
		STEP(true, cpu[me].enlist = 1); \
		STEP(LISTED, attached = 1) \
	:: else -> STEP(c == 0 || attached, skip) \
	fi
#ifdef TABLE_AFTER_FAULT
#define FAULT		cpu[me].table = !tables[c]
#define STORE_TABLE \
	:: atomic { cpu[t].table -> tables[CLIENT_OF(t)] = 1; cpu[t].table = 0 }
#else
#define FAULT		tables[c] = 1
#define STORE_TABLE
#endif

#define STORES \
	:: atomic { cpu[t].enlist -> listed[1] = 1; cpu[t].enlist = 0 } \
	STORE_TABLE

#include "client.pml"

/* pashm_clients_pinned() for one client; each word is read once */
#if defined(NO_DEATH_CHECK)
#define ALIVE(c)	true
#elif defined(DEAD_AT_FIRST_EXIT)
#define ALIVE(c)	(users[c] == (c -> THREADS_1 : THREADS_0))
#else
#define ALIVE(c)	(users[c] != 0)
#endif
#define PINNED(c) \
	(listed[c] && tables[c] && count[c] && ALIVE(c))

typedef purger_processor {
	bit claim;
	bit zap[PAGES];		/* pages that have yet to go */
	bit bump;		/* generation + 1 */
	bit clear;		/* PURGING off */
	bit free;		/* slot given up */
};
purger_processor kernel[PURGERS];

#define ZAPS(p)		(kernel[p].zap[FIRST_PAGE] || kernel[p].zap[LAST_PAGE])
#define WORD_WAITS(p)	(kernel[p].claim || kernel[p].bump || kernel[p].clear)
#define STILL(p)	(!ZAPS(p) && !WORD_WAITS(p) && !kernel[p].free)

#ifdef REVERT_KEEPS_SLOT
#define FREE_SLOT	skip
#else
#define FREE_SLOT	kernel[p].free = 1
#endif

/* pashm_revert(): takes the claim back */
inline revert()
{
	kernel[p].clear = 1;
	FREE_SLOT
}

/* pashm_purge_pages(), pashm_publish() and the release of the slot */
inline take()
{
	kernel[p].zap[FIRST_PAGE] = 1;
	kernel[p].zap[LAST_PAGE] = 1;
	kernel[p].bump = 1;
	kernel[p].clear = 1;
	kernel[p].free = 1
}

/*
 * The counts; what follows is issued at once. Each of the two comes with the
 * looks at its client before and after it: a client enters list and table once
 * and for all, and dies once and for all, so any order of these loads comes to
 * the same as one moment.
 */
#ifdef WALK_BEFORE_CLAIM
#define ON_THE_LIST(c)	seen[c]
#else
#define ON_THE_LIST(c)	true
#endif
#ifdef NO_SECOND_CHECK
#define CHECK_COUNTS	atomic { take() }
#else
#define CHECK_COUNTS \
	if \
	:: atomic { ON_THE_LIST(0) && PINNED(0) -> revert() } \
	:: !(ON_THE_LIST(0) && PINNED(0)) -> \
		if \
		:: atomic { ON_THE_LIST(1) && PINNED(1) -> revert() } \
		:: atomic { !(ON_THE_LIST(1) && PINNED(1)) -> take() } \
		fi \
	fi
#endif

/*
 * pashm_purge_extent() and pashm_claim(). The look at the counts before the
 * slot is left out: it can only make the purger do less.
 */
proctype purger(byte p)
{
	byte g;		/* the word that was read; 0: none */
#ifdef WALK_BEFORE_CLAIM
	bit seen[2];
#endif

	do
	:: atomic { generation <= PURGES && !WORD_WAITS(p) ->
		g = (purging -> 0 : generation) };
	   if
	   :: g == 0 -> goto busy
	   :: else
	   fi;
#ifdef NO_SECOND_CHECK
	   if
	   :: PINNED(0) || PINNED(1) -> goto next
	   :: else
	   fi;
#endif
#ifdef WALK_BEFORE_CLAIM
	   atomic { seen[0] = listed[0]; seen[1] = listed[1] };
#endif
#ifndef SLOT_AFTER_CLAIM
	   if
	   :: atomic { STILL(p) && SLOT_TAKEN -> g = 0 } -> goto busy
	   :: atomic { STILL(p) && !SLOT_TAKEN -> slot[p] = 1 }
	   fi;
#endif
	   if
	   :: atomic { generation != g || purging ->
		kernel[p].free = slot[p]; g = 0 } -> goto next
#ifdef NO_BARRIER_B
	   :: atomic { generation == g && !purging ->
		kernel[p].claim = 1; g = 0 }
#else
	   /* (B) */
	   :: atomic { generation == g && !purging && STILL(p) ->
		purging = 1; g = 0 }
#endif
	   fi;
#ifdef SLOT_AFTER_CLAIM
	   if
	   :: atomic { SLOT_TAKEN -> purging = 0 } -> goto next
	   :: atomic { !SLOT_TAKEN -> slot[p] = 1 }
	   fi;
#endif
	   CHECK_COUNTS;
	   goto next;
busy:	   /*
	    * pashm_purge_settled(). Reclaim clears what is forged and goes on to
	    * another extent: pashm_purge_unclaim().
	    */
	   if
	   :: p == 0 ->
		atomic { STILL(p) -> SLOTS_CLEAR }
	   :: p == 1 ->
		atomic { STILL(p) -> SLOTS_SEE(PINNERS + p) };
		!awaited[PINNERS + p];
#ifdef WAIT_CLEARS_UNLOCKED
		if
		:: !SLOT_TAKEN -> purging = 0
		:: SLOT_TAKEN
		fi
#else
		atomic { SLOTS_CLEAR }
#endif
	   fi;
next:	   skip
	:: atomic { STILL(p) -> purgers_ended++ } -> break
	od
}

#ifdef PUBLISH_BEFORE_PAGES_ARE_GONE
#define ZAP_MAY_GO	(!kernel[p].bump && !kernel[p].clear)
#define BUMP_MAY_GO	!kernel[p].claim
#define CLEAR_MAY_GO	!WORD_BUMPS
#elif defined(PUBLISH_WITHOUT_RELEASE)
#define ZAP_MAY_GO	true
#define BUMP_MAY_GO	!kernel[p].claim
#define CLEAR_MAY_GO	!WORD_BUMPS
#elif defined(CLEAR_BEFORE_GENERATION)
#define ZAP_MAY_GO	true
#define BUMP_MAY_GO	(!ZAPS(p) && !kernel[p].clear)
#define CLEAR_MAY_GO	!ZAPS(p)
#else
#define ZAP_MAY_GO	true
#define BUMP_MAY_GO	(!ZAPS(p) && !kernel[p].claim)
#define CLEAR_MAY_GO	(!ZAPS(p) && !WORD_BUMPS)
#endif
#define WORD_BUMPS	(kernel[p].claim || kernel[p].bump)
#ifdef SLOT_FREED_BEFORE_PUBLISH
#define FREE_MAY_GO	true
#else
#define FREE_MAY_GO	(!ZAPS(p) && !WORD_WAITS(p))
#endif

inline zap_lands(n)
{
	if
	:: kernel[p].zap[FIRST_PAGE] && kernel[p].zap[LAST_PAGE] -> losses++
	:: else
	fi;
	page_goes(n);
	kernel[p].zap[n] = 0
}

#ifdef SHARED_PURGED_FLAG
#define LOSE	lost = 1
#else
#define LOSE	skip
#endif

inline wake()
{
#ifndef NO_WAKE_UP
	for (i : 0 .. WAITERS - 1) {
		awaited[i] = awaited[i] & ~(1 << p)
	}
#else
	skip
#endif
}

proctype purger_stores(byte p)
{
end:	do
#ifdef NO_BARRIER_B
	:: atomic { kernel[p].claim -> purging = 1; kernel[p].claim = 0 }
#endif
	:: atomic { kernel[p].zap[FIRST_PAGE] && ZAP_MAY_GO ->
		zap_lands(FIRST_PAGE) }
#if PAGES > 1
	:: atomic { kernel[p].zap[LAST_PAGE] && ZAP_MAY_GO ->
		zap_lands(LAST_PAGE) }
#endif
	:: atomic { kernel[p].bump && BUMP_MAY_GO ->
		LOSE;
		generation++;
		kernel[p].bump = 0 }
	:: atomic { kernel[p].clear && CLEAR_MAY_GO ->
		purging = 0; kernel[p].clear = 0 }
	:: d_step { kernel[p].free && FREE_MAY_GO ->
		wake(); slot[p] = 0; kernel[p].free = 0 }
	od
}

proctype misfortune()
{
end:	do
	:: atomic { !killed[1] -> kill(1) }
#ifdef FORGERY
	:: atomic { !forged -> forged = 1; purging = 1 }
#endif
	od
}

init {
	byte n;

	atomic {
		listed[0] = 1;
		users[0] = THREADS_0;
		users[1] = THREADS_1;
		for (n : 0 .. PINNERS - 1) {
			run thread(CLIENT_OF(n), n);
			run stores(n)
		}
		for (n : 0 .. PURGERS - 1) {
			run purger(n);
			run purger_stores(n)
		}
		run misfortune();
		n = 0
	}
	/* All are done, one way or the other: would the next purge succeed? */
	atomic {
		ended == PINNERS ->
		if :: forged -> SLOTS_CLEAR :: else fi;
		CHECK(nothing_is_left_in_flight, !SLOT_TAKEN && !purging);
		CHECK(the_dead_leave_no_pin, !PINNED(0) && !PINNED(1) && !pins)
	}
}

#ifdef LIVENESS
ltl a_waiter_is_answered { [] (waiting -> <> !waiting) }
#endif
