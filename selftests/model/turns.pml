/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queue in kernel/slot.c: each reshaper has its turn, though the other one
 * and a purger come again and again. What they do in their turn is left to
 * reshape.pml.
 */
#include "slots.pml"

bool queued;	/* the first reshaper is, and has not had its turn */
#define NOTE_QUEUED(bit)	if :: me == 0 -> queued = bit :: else fi

proctype shaper(byte me)
{
	byte from;
	byte to;
	bit failed;

	do
	:: atomic {
		if
		:: from = 0; to = 0
		:: from = 1; to = 1
		:: from = 0; to = 1
		fi;
		NOTE_QUEUED(1)
	   };
	   reserve();
	   atomic { NOTE_QUEUED(0) };
	   atomic { slot_free(me) };
	   goto done;
unqueued:  atomic { NOTE_QUEUED(0) };
done:	   atomic { from = 0; to = 0; failed = 0 }
	od
}

proctype purger()
{
	do
	:: atomic { !SHAPERS_ON(0, 1) -> slot_take(PURGER, 0, 1) };
	   atomic { slot_free(PURGER) }
	od
}

init {
	atomic {
		run shaper(0);
		run shaper(1);
		run purger()
	}
}

ltl each_has_its_turn { [] (queued -> <> !queued) }
