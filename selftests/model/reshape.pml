/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of geometry that meet each other: kernel/reshape.c and the queue in
 * kernel/slot.c. Two clients make extents of ranges that overlap, and end them
 * again, with their pages given back or not; signals interrupt them. A third
 * client pins what there is, with handles old and new, and a purger takes it.
 *
 * All stores land at once here: geometry.pml and handshake.pml delay them. A
 * reshaper that is interrupted comes back, though a fatal signal would end it:
 * what becomes of the pins of the dead is in handshake.pml.
 *
 *   RESHAPES   extents that the two make together, or try to
 *   EXTENTS    at first: 1, of both pages, or 0
 *   PURGES     until no new one begins
 *   SIGNALS    that reach a reshaper
 */
#include "common.pml"

/* A page belongs to one extent */
bool extents_do_not_overlap = true;
/* A handle that means another extent is told so, and changes nothing */
bool stale_handles_stay_stale = true;
/* Every count that was raised is lowered */
bool no_pin_is_left = true;
/* Who has a confirmed pin keeps the extent that it has */
bool geometry_stays_under_a_pin = true;

/* The client that pins; the reshapers are 0 and 1 */
#define THIRD	2

/* State words, births and pin words, by head */
byte generation[2] = 1;
byte length[2];
bit purging[2];
byte birth[2];
byte count[6];
#define COUNT(c, h)	count[2 * (c) + (h)]

/* What a page holds: generations of two heads are not comparable */
byte page[2] = 1;
#define TAG(h, g)	((h) -> 64 + (g) : (g))

/* The newest handle of each head; 0: none */
byte known[2];

/* Not in memory: an extent is its first generation, or 0 */
byte extent[2];		/* at a head */
byte meant[2];		/* by a handle */
byte pins[2];		/* confirmed, by page */
byte reshapes;
byte ended;

#include "slots.pml"

inline page_goes(n, own)
{
	atomic {
		page[n] = 0;
		CHECK(no_page_goes_under_a_pin, pins[n] == (own))
	}
}

/* pashm_reshape_check_left() */
#ifdef LEFT_UNCHECKED
#define REACHED_INTO	false
#else
#define REACHED_INTO	(from == 1 && length[0] == 2)
#endif

#define HAS_HEAD(h)	(from <= h && h <= to && length[h])
#define STICKS_OUT(h)	(from <= h && h <= to && length[h] > to + 1 - h)
#ifdef EINTR_KEEPS_MARKS
#define INTERRUPTED	leave
#else
#define INTERRUPTED	revert
#endif

/* pashm_reshape_mark() of one head, where a fatal signal may be seen */
inline mark(h)
{
	if
	:: !HAS_HEAD(h)
	:: STICKS_OUT(h) -> goto revert
	:: atomic { HAS_HEAD(h) && !STICKS_OUT(h) && signals ->
		signals-- } -> goto INTERRUPTED
	:: atomic { HAS_HEAD(h) && !STICKS_OUT(h) -> purging[h] = 1 }
	fi
}

inline unmark(h)
{
	atomic {
		if
		:: HAS_HEAD(h) -> purging[h] = 0
		:: else
		fi
	}
}

/*
 * pashm_reshape_check(): each count once. The caller may have pins on the first
 * head; to end the extent, one.
 */
#define FORBIDS(c, h) \
	(HAS_HEAD(h) && !(c == me && h == from) && COUNT(c, h))
#define MISCOUNTED	(freeing && COUNT(me, from) != 1)

inline ask(c, h)
{
	if
	:: FORBIDS(c, h) -> goto revert
	:: !FORBIDS(c, h)
	fi
}

inline check()
{
	if
	:: MISCOUNTED -> goto revert
	:: !MISCOUNTED
	fi;
	ask(0, 0);
	ask(1, 0);
	ask(THIRD, 0);
	if
	:: atomic { from == 0 && signals -> signals-- } -> goto INTERRUPTED
	:: true
	fi;
	ask(0, 1);
	ask(1, 1);
	ask(THIRD, 1)
}

/* pashm_purge_pages(), of a range with @own pins of the caller's */
inline discard(own)
{
	if
	:: discarding ->
		page_goes(from, own);
		if :: from != to -> page_goes(to, own) :: else fi
	:: else
	fi
}

inline count_pins(change)
{
	pins[from] = pins[from] + (change);
	if
	:: from != to -> pins[to] = pins[to] + (change)
	:: else
	fi
}

/* pashm_reshape_rewrite(): heads inside, the birth, and the first word */
inline rewrite()
{
	atomic {
		if
		:: from != to && length[1] ->
			CHECK(geometry_stays_under_a_pin, !pins[1]);
			generation[1]++;
			length[1] = 0;
			purging[1] = 0;
			extent[1] = 0
		:: else
		fi
	};
	atomic {
		if
		:: !freeing -> birth[from] = generation[from] + 1
		:: else
		fi
	};
	atomic {
		generation[from]++;
		length[from] = (freeing -> 0 : to + 1 - from);
		purging[from] = 0;
		CHECK(extents_do_not_overlap, !(length[0] == 2 && length[1]));
		CHECK(geometry_stays_under_a_pin,
		      pins[from] == freeing && pins[to] == freeing);
		if
		:: freeing -> extent[from] = 0; count_pins(-1)
		:: else -> extent[from] = generation[from]; count_pins(1)
		fi;
		failed = 0
	}
}

/* Made: the pin stays. Ended: the caller's one pin is over */
inline lower()
{
	atomic {
		if
		:: failed != freeing -> COUNT(me, from)--
		:: else
		fi
	}
}

/* What is made is filled, told to all, and unpinned or ended */
inline use()
{
	atomic {
		page[from] = TAG(from, generation[from]);
		page[to] = TAG(from, generation[from]);
		known[from] = generation[from];
		meant[from] = extent[from]
	};
	if
	:: skip -> unpin()
	:: atomic { freeing = 1; discarding = 0 } -> goto again
	:: atomic { freeing = 1; discarding = 1 } -> goto again
	fi
}

inline unpin()
{
	atomic { COUNT(me, from)--; count_pins(-1) }
}

/* pashm_reshape_range() */
proctype shaper(byte me)
{
	byte from;
	byte to;
	bit freeing;
	bit discarding;
	bit failed;

	do
	:: atomic {
		reshapes < RESHAPES -> reshapes++;
		if
		:: from = 0; to = 0
		:: from = 1; to = 1
		:: from = 0; to = 1
		fi;
		if :: discarding = 0 :: discarding = 1 fi;
		COUNT(me, from)++
	   };
again:	   failed = 1;
#ifdef LEFT_CHECKED_BEFORE_SLOT
	   if
	   :: REACHED_INTO -> goto unqueued
	   :: !REACHED_INTO
	   fi;
	   reserve();
#else
	   reserve();
	   if
	   :: REACHED_INTO -> goto leave
	   :: !REACHED_INTO
	   fi;
#endif
	   mark(0);
	   mark(1);
#ifdef DISCARD_BEFORE_CHECK
	   discard(freeing);
#endif
	   check();
#if !defined(DISCARD_BEFORE_CHECK) && !defined(DISCARD_AFTER_SLOT)
	   discard(freeing);
#endif
	   rewrite();
	   goto leave;
revert:
#ifdef REVERT_AFTER_SLOT
	   atomic { slot_free(me) };
#endif
	   unmark(0);
	   unmark(1);
leave:	   lower();
	   atomic { slot_free(me) };
#ifdef DISCARD_AFTER_SLOT
	   if
	   :: !failed -> discard(!freeing)
	   :: else
	   fi;
#endif
	   goto done;
unqueued:
#ifndef EINTR_KEEPS_COUNT
	   lower();
#endif
done:	   if
	   :: !freeing && !failed -> use()
	   :: freeing && failed -> unpin()
	   :: failed != freeing
	   fi;
	   atomic { from = 0; to = 0; freeing = 0; discarding = 0; failed = 0 }
	:: atomic { reshapes == RESHAPES -> ended++ } -> break
	od
}

/* pashm_settle() */
inline settle(h)
{
	atomic { awaited[WAITER] = SLOTS_ON(h, h) };
	atomic { !awaited[WAITER] ->
		if
		:: !SLOTS_ON(h, h) -> purging[h] = 0
		:: else
		fi }
}

inline confirm()
{
	CHECK(stale_handles_stay_stale, extent[from] == m);
	to = from + length[from] - 1;
	count_pins(1)
}

/* The pin of include/pashm/pin.h, and its verdict */
inline look()
{
	if
	:: !length[from] ||
	   generation[from] - k > ((generation[from] - birth[from]) & 255) ->
		COUNT(THIRD, from)--
	:: else ->
		confirm();
		if
		:: generation[from] == k ->
			CHECK(intact_sees_its_bytes,
			      page[from] == TAG(from, k) &&
			      page[to] == TAG(from, k))
		:: else ->
			page[from] = TAG(from, generation[from]);
			page[to] = TAG(from, generation[from])
		fi;
		pinned = 1;
		k = generation[from]
	fi
}

proctype pinner()
{
	byte from;
	byte to;
	byte k;		/* what the handle knows, */
	byte m;		/* and what it means */
	bit pinned;

	do
	:: atomic {
		if
		:: known[0] -> from = 0
		:: known[1] -> from = 1
		fi;
		k = known[from];
		m = meant[from]
	   };
	   atomic { COUNT(THIRD, from)++ };
	   if
	   :: atomic { !purging[from] -> look() }
	   :: purging[from] -> settle(from); atomic { look() }
	   fi;
	   if
	   :: atomic { pinned ->
		if
		:: meant[from] == m -> known[from] = k
		:: else
		fi };
	      atomic { COUNT(THIRD, from)--; count_pins(-1) }
	   :: !pinned
	   fi;
	   atomic { from = 0; to = 0; k = 0; m = 0; pinned = 0 }
	:: atomic { ended == SHAPERS + 1 -> ended++ } -> break
	od
}

/* pashm_purge_extent(); overlapping slots, also queued ones, keep it out */
proctype purger()
{
	byte h;
	byte g;
	byte l;
	byte taken;

	do
	:: atomic {
		taken < PURGES;
		if :: h = 0 :: h = 1 fi;
		g = generation[h];
		l = (purging[h] -> 0 : length[h])
	   };
	   if
	   :: l == 0 -> goto next
	   :: else
	   fi;
	   if
	   :: atomic { SHAPERS_ON(h, h + l - 1) } -> goto next
	   :: atomic { !SHAPERS_ON(h, h + l - 1) ->
		slot_take(PURGER, h, h + l - 1) }
	   fi;
	   if
	   :: atomic { generation[h] == g && length[h] == l && !purging[h] ->
		purging[h] = 1 }
	   :: generation[h] != g || length[h] != l || purging[h] -> goto free
	   fi;
	   if
	   :: COUNT(0, h) -> goto revert
	   :: !COUNT(0, h)
	   fi;
	   if
	   :: COUNT(1, h) -> goto revert
	   :: !COUNT(1, h)
	   fi;
	   if
	   :: COUNT(THIRD, h) -> goto revert
	   :: !COUNT(THIRD, h)
	   fi;
	   page_goes(h, 0);
	   if
	   :: l == 2 -> page_goes(1, 0)
	   :: else
	   fi;
	   atomic { generation[h]++; taken++ };
revert:	   atomic { purging[h] = 0 };
free:	   atomic { slot_free(PURGER) };
next:	   atomic { h = 0; g = 0; l = 0 }
	:: atomic { ended++ } -> break
	od
}

init {
	atomic {
#if EXTENTS > 0
		length[0] = 2;
		birth[0] = 1;
		known[0] = 1;
		extent[0] = 1;
		meant[0] = 1;
#endif
		run shaper(0);
		run shaper(1);
		run pinner();
		run purger()
	}
	atomic {
		ended == SHAPERS + 2 ->
		CHECK(nothing_is_left_in_flight,
		      !SLOTS_ON(0, 1) && !purging[0] && !purging[1]);
		CHECK(no_pin_is_left,
		      !count[0] && !count[1] && !count[2] && !count[3] &&
		      !count[4] && !count[5] && !pins[0] && !pins[1])
	}
}
