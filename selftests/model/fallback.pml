/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshake without the module: two processes share a memfd, each has
 * threads that pin and one that purges, and is killed at any instruction:
 * lib/memfd_lock.c, memfd_purge.c, memfd_peer.c. When all is over a third
 * process comes, and must be able to purge.
 *
 * What a purger stores is not delayed here, but for the claim: the next to look
 * at a dead purger's record is the next to get its lock, and that comes with
 * all that the dead one has stored.
 *
 *   THREADS_0, THREADS_1   that pin, of each process
 *   PAGES    of the extent: 1 or 2
 *   PURGES   until no new one begins
 *   DEATHS   1: the second process may be killed; 2: the first, too
 */
#define PROCESSES	3
#define PURGERS		2
#define HEIR		2
#define NOBODY		3

#define IDLE	0
#define CLAIM	1
#define PUNCH	2

/* OFD locks end with the last thread; they are the proof of life, too */
#define LAST_EXIT(p) \
	if \
	:: users[p] == 0 && holder == p -> holder = NOBODY \
	:: else \
	fi
#include "common.pml"
#include "words.pml"

byte holder = NOBODY;		/* process that has the purge lock */
byte phase = IDLE;		/* the purge record */
bit live[2];			/* the directory of clients */
bit attached;
bit claiming[PROCESSES];	/* a claim that has not reached memory */

#ifdef LOCK_IS_STOLEN
#define LOCK_FREE	true
#else
#define LOCK_FREE	holder == NOBODY
#endif
#ifdef BURIED_ALIVE
#define GONE(p)		live[p]
#else
#define GONE(p)		(live[p] && users[p] == 0)
#endif

inline punch()
{
	STEP(true, losses = generation; page_goes(FIRST_PAGE));
#if PAGES > 1
	STEP(true, page_goes(LAST_PAGE))
#endif
}

#if defined(CLAIM_IS_COMPLETED)
#define REVERTIBLE	PUNCH + 1
#define COMPLETABLE	CLAIM || phase == PUNCH
#elif defined(PUNCH_IS_REVERTED)
#define REVERTIBLE	CLAIM || phase == PUNCH
#define COMPLETABLE	PUNCH + 1
#else
#define REVERTIBLE	CLAIM
#define COMPLETABLE	PUNCH
#endif

/* pashm_memfd_recover() */
inline recover()
{
#ifdef NO_RECOVERY
	skip
#else
	if
	:: WHEN(phase == IDLE, skip)
	:: WHEN(phase == REVERTIBLE, skip);
	   STEP(true, purging = 0);
	   STEP(true, phase = IDLE)
	:: WHEN(phase == COMPLETABLE, skip);
	   if
	   :: WHEN(!purging, skip)
	   :: WHEN(purging, skip);
	      punch();
#ifndef RECOVERY_TELLS_NOBODY
	      STEP(true, generation++);
#endif
	      STEP(true, purging = 0)
	   OR_DIE
	   fi;
	   STEP(true, phase = IDLE)
	OR_DIE
	fi
#endif
}

/* pashm_memfd_peers_gather(): the table first, then the entry */
inline bury(p)
{
	if
	:: WHEN(p != c && GONE(p), skip);
	   STEP(true, count[p] = 0);
	   STEP(true, live[p] = 0)
	:: WHEN(!(p != c && GONE(p)), skip)
	OR_DIE
	fi
}

/* pashm_memfd_lock(), by whoever wants something */
inline take_lock(wanted)
{
	STEP((wanted) && LOCK_FREE, holder = c);
	recover();
#ifndef NO_BURIAL
	bury(0);
	bury(1)
#endif
}

inline drop_lock()
{
	STEP(true, holder = NOBODY)
}

/* pashm_memfd_attach() */
inline attach()
{
#ifdef ATTACHED_WITHOUT_LOCK
	STEP(true, live[1] = 1);
#else
	take_lock(true);
	STEP(true, count[1] = 0);
	STEP(true, live[1] = 1);
	drop_lock();
#endif
	STEP(true, attached = 1)
}

#define ARRIVE \
	if \
	:: c == 1 && me == THREADS_0 -> attach() \
	:: else -> STEP(c == 0 || attached, skip) \
	fi
#define FAULT	skip
/* pashm_memfd_wait(): until PURGING is clear, or nobody can be purging */
#ifdef WAIT_CLEARS_WITHOUT_LOCK
#define WAIT	STEP(true, purging = 0)
#else
#define WAIT \
	if \
	:: WHEN(!purging, skip) \
	:: take_lock(true); STEP(true, purging = 0); drop_lock() \
	OR_DIE \
	fi
#endif
#define ANSWERED	true
#define FORGET		skip
#define STORES

#include "client.pml"

#ifdef NO_SECOND_CHECK
#define CHECK_BEFORE_CLAIM	check_counts()
#define CHECK_AFTER_CLAIM	skip
#else
#define CHECK_BEFORE_CLAIM	skip
#define CHECK_AFTER_CLAIM	check_counts()
#endif

/* pashm_memfd_pinned() */
inline check_counts()
{
	if
	:: WHEN(peer[0] && count[0], skip) -> goto pinned
	:: WHEN(!(peer[0] && count[0]), skip)
	OR_DIE
	fi;
	if
	:: WHEN(peer[1] && count[1], skip) -> goto pinned
	:: WHEN(!(peer[1] && count[1]), skip)
	OR_DIE
	fi
}

/* pashm_memfd_purge_extents(); nobody else changes the word under the lock */
proctype reclaimer(byte c)
{
	bit peer[2];

	do
	:: take_lock(c == HEIR || (generation <= PURGES && live[c]));
	   STEP(true, peer[0] = live[0]; peer[1] = live[1]);
#ifdef PUNCH_BEFORE_COUNTS
	   STEP(true, phase = PUNCH);
#else
	   STEP(true, phase = CLAIM);
#endif
	   CHECK_BEFORE_CLAIM;
#ifdef NO_BARRIER_B
	   STEP(true, claiming[c] = 1);
#else
	   STEP(true, purging = 1);
#endif
	   CHECK_AFTER_CLAIM;
	   STEP(true, phase = PUNCH);
	   punch();
#ifdef IDLE_BEFORE_PUBLISH
	   STEP(true, phase = IDLE);
#endif
	   STEP(!claiming[c], generation++);
pinned:	   STEP(!claiming[c], purging = 0);
	   STEP(true, phase = IDLE);
	   drop_lock();
	   if
	   :: c == HEIR -> purgers_ended++; goto out
	   :: else
	   fi
	:: WHEN(c != HEIR, idle[c]++; purgers_ended++) -> goto out
	OR_DIE
	od;
dying:
	atomic {
		claiming[c] = 0;
		users[c]--;
		LAST_EXIT(c);
		purgers_ended++
	}
out:
	skip
}

#ifdef NO_BARRIER_B
proctype late_claim(byte p)
{
end:	do
	:: atomic { claiming[p] -> purging = 1; claiming[p] = 0 }
	od
}
#define LATE_CLAIM(p)	run late_claim(p)
#else
#define LATE_CLAIM(p)	skip
#endif

proctype misfortune()
{
end:	do
	:: atomic { !killed[1] -> kill(1) }
#if DEATHS > 1
	:: atomic { !killed[0] -> kill(0) }
#endif
	od
}

init {
	byte n;

	atomic {
		live[0] = 1;
		users[0] = THREADS_0 + 1;
		users[1] = THREADS_1 + 1;
		for (n : 0 .. PINNERS - 1) {
			run thread(CLIENT_OF(n), n);
			run stores(n)
		}
		for (n : 0 .. 1) {
			run reclaimer(n);
			LATE_CLAIM(n)
		}
		run misfortune();
		n = 0
	}
	atomic {
		ended == PINNERS && purgers_ended == PURGERS ->
		n = generation;
		users[HEIR] = 1;
		run reclaimer(HEIR);
		LATE_CLAIM(HEIR)
	}
	atomic {
		purgers_ended == PURGERS + 1 ->
		CHECK(nothing_is_left_in_flight,
		      !purging && phase == IDLE && holder == NOBODY);
		CHECK(the_dead_leave_no_pin, generation > n && !pins)
	}
}
