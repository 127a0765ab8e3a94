/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is in the models where the geometry changes: two heads with their
 * words, handles old and new, a thread that pins with any of them, a purger
 * of any head, and the slots. Two pages hold one extent; its owner ends it and
 * makes two, one on each page, and with MERGE one of the two again.
 *
 * The delays of publication are left to handshake.pml.
 *
 *   SIBLINGS   further threads of the owner's client
 *   OTHERS     threads of the other client
 *   PURGES     until no new one begins
 *   FROZEN(n)  must a pin back off that finds this count?
 *   USABLE(x)  may the threads use the handle?
 */
/* A handle that means another extent is told so, and changes nothing */
bool stale_handles_stay_stale = true;
/* Every count that was raised is lowered */
bool no_pin_is_left = true;
/* Who has a confirmed pin keeps the extent that it has */
bool geometry_stays_under_a_pin = true;

#define PINNERS		(SIBLINGS + OTHERS)
#define CLIENT_OF(t)	((t) >= SIBLINGS)

/* Handles: pages, and so head; NEW is what the merge makes */
#define WHOLE	0
#define LEFT	1
#define RIGHT	2
#define MERGED	3
#define HEAD(x)		((x) == RIGHT)
#define TAIL(x)		((x) != LEFT)
#define LENGTH(x)	(1 + ((x) == WHOLE || (x) == MERGED))
/* What is in a page: generations of two heads are not comparable */
#define TAG(x, g)	((x) == RIGHT -> 64 + (g) : (g))

/* State words, births, and who has them pinned, by head */
byte generation[2] = 1;
byte length[2];
bit purging[2];
byte birth[2];
byte count[4];
#define COUNT(c, h)	count[2 * (c) + (h)]

byte page[2] = 1;
byte known[4];		/* a generation each; 0: not made yet */

/* Not in memory: which extent is at a head, and confirmed pins of it */
byte meant[2];
#define NONE	4
byte pins[2];
byte ended;

typedef processor {
	byte handle;	/* what is waiting belongs to it */
	byte fill;	/* pages to be written: bits */
	byte known;
	bit lower;
	bit pinned;
};
processor cpu[PINNERS + 1];	/* the last is the owner's */
#define OWNER	PINNERS
#define QUIET(t)	(!cpu[t].fill && !cpu[t].known && !cpu[t].lower)

/* Slots: one of the purger, one of the owner */
#define PURGER	0
#define SHAPER	1
typedef range {
	bit taken;
	byte first;
	byte last;
};
range slot[2];
byte awaited[PINNERS + 1];
hidden byte i;

#define OVERLAPS(s, from, to) \
	(slot[s].taken && slot[s].first <= (to) && (from) <= slot[s].last)
#define SLOTS_ON(from, to) \
	(OVERLAPS(PURGER, from, to) | OVERLAPS(SHAPER, from, to) << SHAPER)

inline slot_take(s, from, to)
{
	slot[s].taken = 1;
	slot[s].first = from;
	slot[s].last = to
}

inline slot_free(s)
{
	d_step {
		for (i : 0 .. PINNERS) {
			awaited[i] = awaited[i] & ~(1 << s)
		}
		slot[s].taken = 0;
		slot[s].first = 0;
		slot[s].last = 0
	}
}

/*
 * The pin, as in client.pml: a look, a wait if need be, a last look; then the
 * birth, on the slow path.
 */
#if defined(NO_BIRTH_CHECK)
#define BORN_SINCE	false
#elif defined(BIRTH_LOADED_FIRST)
#define BORN_SINCE	(g - k > g - b)
#else
#define BORN_SINCE	(g - k > g - birth[HEAD(x)])
#endif
#ifdef LENGTH_IGNORED
#define NO_EXTENT	false
#else
#define NO_EXTENT	!length[HEAD(x)]
#endif

inline confirm()
{
	pins[HEAD(x)]++;
	cpu[me].handle = x;
	cpu[me].pinned = 1;
	cpu[me].lower = 1;
	CHECK(stale_handles_stay_stale, meant[HEAD(x)] == x)
}

inline refuse()
{
	cpu[me].handle = x;
	cpu[me].lower = 1
}

inline look()
{
	if
	:: NO_EXTENT -> refuse()
	:: !(NO_EXTENT) && generation[HEAD(x)] == k ->
		confirm();
		CHECK(intact_sees_its_bytes,
		      page[HEAD(x)] == TAG(x, k) && page[TAIL(x)] == TAG(x, k))
	:: else -> g = generation[HEAD(x)]
	fi
}

inline look_at_birth()
{
	if
	:: BORN_SINCE -> refuse()
	:: else ->
		confirm();
		cpu[me].fill = (1 << HEAD(x)) | (1 << TAIL(x));
		cpu[me].known = g
	fi
}

/* pashm_settle() */
inline settle(h)
{
	atomic { awaited[me] = SLOTS_ON(h, h) };
	atomic { !awaited[me] ->
		if
		:: !SLOTS_ON(h, h) -> purging[h] = 0
		:: else
		fi }
}

proctype pinner(byte me)
{
	byte x;		/* the handle, */
	byte k;		/* what it knows, */
	byte g;		/* the generation found, if it is another */
#ifdef BIRTH_LOADED_FIRST
	byte b;
#endif

	do
	:: atomic {
		QUIET(me);
		if
		:: known[WHOLE] -> x = WHOLE
		:: known[LEFT] && USABLE(LEFT) -> x = LEFT
		:: known[RIGHT] -> x = RIGHT
#ifdef MERGE
		:: known[MERGED] -> x = MERGED
#endif
		fi;
		k = known[x]
	   };
	   if
	   :: atomic { !FROZEN(COUNT(CLIENT_OF(me), HEAD(x))) ->
		COUNT(CLIENT_OF(me), HEAD(x))++ }
	   :: atomic { FROZEN(COUNT(CLIENT_OF(me), HEAD(x))) ->
		COUNT(CLIENT_OF(me), HEAD(x))++; refuse() } -> goto next
	   fi;
#ifdef BIRTH_LOADED_FIRST
	   atomic { b = birth[HEAD(x)] };
#endif
	   if
	   :: atomic { !purging[HEAD(x)] -> look() }
	   :: purging[HEAD(x)] -> settle(HEAD(x)); atomic { look() }
	   fi;
	   if
	   :: atomic { g -> look_at_birth() }
	   :: g == 0
	   fi;
next:	   atomic { x = 0; k = 0; g = 0 }
	:: atomic { QUIET(me) && ended >= 2 -> ended++ } -> break
	od
}

inline page_lands(n)
{
	page[n] = TAG(cpu[t].handle, cpu[t].known);
	CHECK(writes_land_under_their_pin,
	      meant[HEAD(cpu[t].handle)] == cpu[t].handle &&
	      generation[HEAD(cpu[t].handle)] == cpu[t].known);
	cpu[t].fill = cpu[t].fill & ~(1 << n)
}

proctype stores(byte t)
{
end:	do
	:: atomic { cpu[t].fill & 1 -> page_lands(0) }
	:: atomic { cpu[t].fill & 2 -> page_lands(1) }
	:: atomic { cpu[t].known && !cpu[t].fill ->
		known[cpu[t].handle] = cpu[t].known;
		cpu[t].known = 0 }
	:: atomic { cpu[t].lower && !cpu[t].fill && !cpu[t].known ->
		COUNT(t != OWNER && CLIENT_OF(t), HEAD(cpu[t].handle))--;
		pins[HEAD(cpu[t].handle)] = pins[HEAD(cpu[t].handle)] -
					    cpu[t].pinned;
		cpu[t].handle = 0;
		cpu[t].pinned = 0;
		cpu[t].lower = 0 }
	od
}

#ifdef CLAIM_WITHOUT_COMPARE
#define UNCHANGED	true
#else
#define UNCHANGED	(generation[h] == g && length[h] == l && !purging[h])
#endif
#ifdef PURGER_IGNORES_FROZEN
#define COUNTS_AS_PINNED(n)	((n) && !FROZEN(n))
#else
#define COUNTS_AS_PINNED(n)	(n)
#endif
#ifdef SLOTS_MAY_OVERLAP
#define IN_FLIGHT	false
#else
#define IN_FLIGHT	SLOTS_ON(h, h + l - 1)
#endif

inline page_goes(n)
{
	atomic {
		page[n] = 0;
		CHECK(no_page_goes_under_a_pin,
		      !pins[n] && !(n == 1 && pins[0] && TAIL(meant[0])))
	}
}

/* pashm_purge_extent(), of any head */
proctype purger()
{
	byte h;
	byte g;
	byte l;
	byte taken;

	do
	:: atomic {
		taken < PURGES;
		if
		:: h = 0
		:: h = 1
		fi;
		g = generation[h];
		l = (purging[h] -> 0 : length[h])
	   };
	   if
	   :: l == 0 -> goto next
	   :: else
	   fi;
	   if
	   :: atomic { IN_FLIGHT } -> goto next
	   :: atomic { !IN_FLIGHT -> slot_take(PURGER, h, h + l - 1) }
	   fi;
	   if
	   :: atomic { UNCHANGED -> purging[h] = 1 }
	   :: atomic { !UNCHANGED -> slot_free(PURGER) } -> goto next
	   fi;
	   if
	   :: COUNTS_AS_PINNED(COUNT(0, h)) -> goto revert
	   :: !COUNTS_AS_PINNED(COUNT(0, h))
	   fi;
	   if
	   :: COUNTS_AS_PINNED(COUNT(1, h)) -> goto revert
	   :: !COUNTS_AS_PINNED(COUNT(1, h))
	   fi;
	   page_goes(h);
	   if
	   :: l == 2 -> page_goes(1)
	   :: else
	   fi;
	   atomic { generation[h]++; taken++ };
revert:	   atomic { purging[h] = 0 };
	   atomic { slot_free(PURGER) };
next:	   atomic { h = 0; g = 0; l = 0 }
	:: atomic { ended++ } -> break
	od
}

/* The beginning and the end, for init */
inline begin()
{
	atomic {
		length[0] = 2;
		birth[0] = 1;
		known[WHOLE] = 1;
		meant[0] = WHOLE;
		meant[1] = NONE;
		for (i : 0 .. PINNERS - 1) {
			run pinner(i);
			run stores(i)
		}
		run owner();
		run stores(OWNER);
		run purger()
	}
}

inline finish()
{
	atomic {
		ended == PINNERS + 2 ->
		CHECK(nothing_is_left_in_flight,
		      !slot[PURGER].taken && !slot[SHAPER].taken &&
		      !purging[0] && !purging[1]);
		CHECK(no_pin_is_left,
		      !count[0] && !count[1] && !count[2] && !count[3])
	}
}
