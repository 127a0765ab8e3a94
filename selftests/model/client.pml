/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread of a client that pins and unpins one extent for ever, with a handle
 * that it shares with its siblings: include/pashm/pin.h and lib/pin.c; and
 * their processor's stores. A purged extent is refilled.
 *
 * The including model says
 *
 *   ARRIVE     how a thread comes to use its client
 *   FAULT      what it does before it first raises a count
 *   WAIT       the steps between PURGING seen and the second look
 *   ANSWERED   whether the second look is the last
 *   FORGET     what else a thread that dies leaves
 *   STORES     further stores of its processor
 */
#ifdef NO_BARRIER_A
#define RAISE_COUNT	STEP(!cpu[me].lower, cpu[me].raise = 1)
#else
/* (A): all that this processor has stored is in memory, this count too */
#define RAISE_COUNT	STEP(QUIET(me), count[c]++)
#endif

#ifdef SHARED_PURGED_FLAG
/* No generation; the first pin after a purge collects the flag */
#define LOOKS_INTACT	!lost
#define IS_INTACT	(page[FIRST_PAGE] && page[LAST_PAGE])
#define COLLECT		lost = 0
#else
#define LOOKS_INTACT	(generation == k)
#define IS_INTACT	CONTENTS(k)
#define COLLECT		skip
#endif

#ifdef PURGING_IGNORED
#define SEEN_PURGING	false
#else
#define SEEN_PURGING	purging
#endif

#ifdef LIVENESS
bit waiting;	/* thread 0 has seen PURGING and has no answer yet */
#define NOTE_WAITING(bit)	if :: me == 0 -> waiting = bit :: else fi
#else
#define NOTE_WAITING(bit)	skip
#endif

/*
 * The load of a state word that settles a pin, and all that follows from it:
 * refill if it is purged, then tell the siblings, then unpin. The contents are
 * looked at in the same moment: they do not change later, or the purger would
 * have freed a page under a pin, and that is checked where it happens.
 */
inline confirm()
{
	NOTE_WAITING(0);
	pins++;
	cpu[me].pinned = 1;
	CHECK(each_loss_is_told_and_no_other, LOOKS_INTACT == (losses < k));
	if
	:: LOOKS_INTACT -> CHECK(intact_sees_its_bytes, IS_INTACT)
	:: else ->
		COLLECT;
		cpu[me].page[FIRST_PAGE] = generation;
		cpu[me].page[LAST_PAGE] = generation;
		cpu[me].known = generation
	fi;
	cpu[me].lower = 1;
	k = 0
}

proctype thread(byte c; byte me)
{
	byte k;		/* what the handle knows */

	ARRIVE;
	do
	:: STEP(true, k = (cpu[me].known -> cpu[me].known : known[c]); FAULT);
	   RAISE_COUNT;
	   if
	   :: WHEN(!SEEN_PURGING, confirm())
	   :: WHEN(SEEN_PURGING, NOTE_WAITING(1));
again:	      WAIT;
	      if
	      :: WHEN(ANSWERED, confirm())
	      :: WHEN(!ANSWERED, skip) -> goto again
	      OR_DIE
	      fi
	   /* -EINTR: not pinned */
	   :: WHEN(SEEN_PURGING, cpu[me].lower = 1; k = 0)
	   OR_DIE
	   fi
	:: WHEN(QUIET(me) && purgers_ended == PURGERS, idle[c]++; ended++) ->
	   goto out
	OR_DIE
	od;
dying:
	atomic {
		pins = pins - cpu[me].pinned;
		cpu[me].page[FIRST_PAGE] = 0;
		cpu[me].page[LAST_PAGE] = 0;
		cpu[me].known = 0;
		cpu[me].raise = 0;
		cpu[me].lower = 0;
		cpu[me].pinned = 0;
		cpu[me].enlist = 0;
		cpu[me].table = 0;
		k = 0;
		FORGET;
		users[c]--;
		LAST_EXIT(c);
		ended++
	}
out:
	skip
}

/* A late write would be found in a purged extent, or over a refill */
inline page_lands(n)
{
	page[n] = cpu[t].page[n];
	CHECK(writes_land_under_their_pin, page[n] == generation);
	cpu[t].page[n] = 0
}

#ifdef KNOWN_STORED_AT_PIN
#define PAGE_MAY_GO	!cpu[t].known
#define KNOWN_MAY_GO	true
#elif defined(KNOWN_WITHOUT_RELEASE)
#define PAGE_MAY_GO	true
#define KNOWN_MAY_GO	true
#else
#define PAGE_MAY_GO	true
#define KNOWN_MAY_GO	!PAGES_WAIT(t)
#endif
#ifdef UNPIN_WITHOUT_RELEASE
#define LOWER_MAY_GO	!cpu[t].raise
#else
#define LOWER_MAY_GO	(!PAGES_WAIT(t) && !cpu[t].known && !cpu[t].raise)
#endif

/* The stores that a client's thread has issued reach memory */
proctype stores(byte t)
{
end:	do
	:: atomic { cpu[t].page[FIRST_PAGE] && PAGE_MAY_GO ->
		page_lands(FIRST_PAGE) }
#if PAGES > 1
	:: atomic { cpu[t].page[LAST_PAGE] && PAGE_MAY_GO ->
		page_lands(LAST_PAGE) }
#endif
	:: atomic { cpu[t].known && KNOWN_MAY_GO ->
		known[CLIENT_OF(t)] = cpu[t].known; cpu[t].known = 0 }
	:: atomic { cpu[t].lower && LOWER_MAY_GO ->
		count[CLIENT_OF(t)]--;
		cpu[t].lower = 0;
		pins = pins - cpu[t].pinned;
		cpu[t].pinned = 0 }
#ifdef NO_BARRIER_A
	:: atomic { cpu[t].raise ->
		count[CLIENT_OF(t)]++; cpu[t].raise = 0 }
#endif
	STORES
	od
}
