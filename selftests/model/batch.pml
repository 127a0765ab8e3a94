/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fallback takes neighbours together: one record, one punch, several words
 * (lib/memfd_purge.c). Two extents of a page each; purgers that are killed at
 * any instruction but for the last, which must succeed; threads that pin either
 * extent and, when they wait, finish what a dead purger has begun.
 *
 * All stores land at once here: fallback.pml delays them.
 *
 *   PINNERS   threads that pin
 *   PURGERS   that may die
 *   PURGES    until no new one begins
 */
#include "common.pml"

#define HEIR	PURGERS
#define NOBODY	255
#define THREAD	254	/* some thread that pins: these do not die */

#define IDLE	0
#define CLAIM	1
#define PUNCH	2

byte generation[2] = 1;
bit purging[2];
byte count[2];
byte page[2] = 1;
byte known[2] = 1;	/* one handle each, shared by all */

byte holder = NOBODY;
byte phase;
byte range = 2;		/* extents in the record, from the first on */

bit killed[PURGERS + 1];
byte pins[2];
byte losses[2];
byte purges;
byte ended;

inline confirm()
{
	pins[x]++;
	CHECK(each_loss_is_told_and_no_other,
	      (generation[x] == k) == (losses[x] < k));
	if
	:: generation[x] == k -> CHECK(intact_sees_its_bytes, page[x] == k)
	:: else -> page[x] = generation[x]
	fi
}

inline page_goes(n)
{
	losses[n] = generation[n];
	page[n] = 0;
	CHECK(no_page_goes_under_a_pin, !pins[n])
}

inline publish(n)
{
	STEP(true, generation[n]++);
	STEP(true, purging[n] = 0)
}

/* recover_punch(), of one extent of the range */
inline complete(n)
{
	if
	:: WHEN(range > n && purging[n], page_goes(n)) -> publish(n)
	:: WHEN(!(range > n && purging[n]), skip)
	OR_DIE
	fi
}

/* pashm_memfd_lock() */
inline take_lock(me)
{
	STEP(holder == NOBODY, holder = me);
	if
	:: WHEN(phase == IDLE, skip)
	:: WHEN(phase == CLAIM, purging[0] = 0);
	   STEP(true, if :: range > 1 -> purging[1] = 0 :: else fi);
	   STEP(true, phase = IDLE)
	:: WHEN(phase == PUNCH, skip);
	   complete(0);
	   complete(1);
	   STEP(true, phase = IDLE)
	OR_DIE
	fi
}

proctype pinner(byte me)
{
	byte c = HEIR;	/* which is not killed */
	byte x;
	byte k;

	do
	:: atomic {
		if
		:: x = 0
		:: x = 1
		fi;
		k = known[x]
	   };
	   atomic { count[x]++ };
	   if
	   :: atomic { !purging[x] -> confirm() }
	   :: purging[x] ->
		if
		:: !purging[x]
		:: take_lock(THREAD);
		   atomic { purging[x] = 0; holder = NOBODY }
		fi;
		atomic { confirm() }
	   fi;
	   atomic { known[x] = generation[x] };
	   atomic { count[x]--; pins[x]--; x = 0; k = 0 }
	:: atomic { ended >= PURGERS -> ended++ } -> goto out
	od;
dying:	skip;
out:	skip
}

#ifdef FIRST_COUNT_IS_ENOUGH
#define BUSY(n)		(n == 0 && count[0])
#else
#define BUSY(n)		count[n]
#endif
#ifdef PINNED_ARE_PUNCHED
#define TAKES(n)	claimed
#else
#define TAKES(n)	idle
#endif

/* batch_claim(): as many as are idle, from the first on */
inline look_at_counts()
{
	if
	:: WHEN(BUSY(0), idle = 0)
	:: WHEN(!BUSY(0), idle = 1);
	   if
	   :: WHEN(claimed > 1 && !BUSY(1), idle = 2)
	   :: WHEN(!(claimed > 1 && !BUSY(1)), skip)
	   OR_DIE
	   fi
	OR_DIE
	fi
}

inline revert()
{
	STEP(true, if :: idle < 1 -> purging[0] = 0 :: else fi);
	STEP(true, if :: idle < 2 -> purging[1] = 0 :: else fi)
}

/* pashm_memfd_purge_extents() */
proctype purger(byte c)
{
	byte claimed;
	byte idle;

	do
	:: STEP(c == HEIR || purges < PURGES, skip);
	   take_lock(c);
	   STEP(true, range = 2; purges++);
	   STEP(true, phase = CLAIM);
	   STEP(true, purging[0] = 1);
	   claimed = 1;
	   /* The second may have been reshaped meanwhile: it stays as it is */
	   if
	   :: STEP(c != HEIR, skip)
	   :: STEP(true, purging[1] = 1) -> claimed = 2
	   fi;
	   look_at_counts();
#ifdef PUNCH_BEFORE_REVERT
	   STEP(true, if :: idle -> phase = PUNCH :: else fi);
#endif
	   revert();
	   if
	   :: idle == 0 -> goto done
	   :: else
	   fi;
	   STEP(true, range = idle);
	   STEP(true, phase = PUNCH);
	   STEP(true, page_goes(0));
	   STEP(true, if :: TAKES(1) > 1 -> page_goes(1) :: else fi);
	   publish(0);
	   if
	   :: idle > 1 -> publish(1)
	   :: else
	   fi;
done:	   STEP(true, phase = IDLE);
	   STEP(true, holder = NOBODY; idle = 0; claimed = 0);
	   if
	   :: c == HEIR -> goto dead
	   :: else
	   fi
	:: WHEN(c != HEIR, skip) -> goto dead
	OR_DIE
	od;
dying:
	atomic { if :: holder == c -> holder = NOBODY :: else fi };
dead:
	atomic { ended++; idle = 0; claimed = 0 }
}

proctype misfortune()
{
	byte c;

end:	do
	:: atomic { c < PURGERS -> killed[c] = 1; c++ }
	:: atomic { c < PURGERS -> c++ }
	od
}

init {
	byte n;

	atomic {
		for (n : 0 .. PINNERS - 1) { run pinner(n) }
		for (n : 0 .. PURGERS - 1) { run purger(n) }
		run misfortune();
		n = 0
	}
	atomic {
		ended == PURGERS + PINNERS ->
		n = generation[1];
		run purger(HEIR)
	}
	atomic {
		ended == PURGERS + PINNERS + 1 ->
		CHECK(nothing_is_left_in_flight,
		      !purging[0] && !purging[1] && phase == IDLE &&
		      holder == NOBODY);
		CHECK(the_dead_leave_no_pin, generation[1] > n)
	}
}
