/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The slots of kernel/slot.c where several queue for them: two reshapers, one
 * purger, and one who only waits.
 *
 *   SIGNALS   that reach a reshaper
 */
#define SHAPERS	2
#define PURGER	2
#define WAITER	2

byte signals = SIGNALS;

typedef range {
	bit taken;
	byte first;
	byte last;
};
range slot[SHAPERS + 1];	/* one each, and one of the purger */
byte awaited[SHAPERS + 1];	/* slots that a sleeper has found in flight */
hidden byte i;

#define OVERLAPS(s, from, to) \
	(slot[s].taken && slot[s].first <= (to) && (from) <= slot[s].last)
#define SHAPERS_ON(from, to) \
	(OVERLAPS(0, from, to) | OVERLAPS(1, from, to) << 1)
#define PURGES_ON(from, to)	(OVERLAPS(PURGER, from, to) << PURGER)
#define SLOTS_ON(from, to)	(SHAPERS_ON(from, to) | PURGES_ON(from, to))

inline slot_take(s, from, to)
{
	slot[s].taken = 1;
	slot[s].first = from;
	slot[s].last = to
}

/* pashm_slot_release() */
inline slot_free(s)
{
	d_step {
		for (i : 0 .. SHAPERS) {
			awaited[i] = awaited[i] & ~(1 << (s))
		}
		slot[s].taken = 0;
		slot[s].first = 0;
		slot[s].last = 0
	}
}

/*
 * pashm_slot_queue(): the slots that overlap when ours is taken are the older
 * ones. A signal makes those give up who sleep.
 */
#if defined(QUEUE_IGNORES_RESHAPES)
#define OLDER	PURGES_ON(from, to)
#elif defined(QUEUE_IGNORES_PURGES)
#define OLDER	SHAPERS_ON(from, to)
#else
#define OLDER	SLOTS_ON(from, to)
#endif
#ifdef EINTR_KEEPS_SLOT
#define LEAVE_QUEUE	skip
#else
#define LEAVE_QUEUE	slot_free(me)
#endif

inline reserve()
{
#if defined(LATECOMERS_MAY_PASS)
	do
	:: atomic { !SLOTS_ON(from, to) -> slot_take(me, from, to) } -> break
	:: atomic { SLOTS_ON(from, to) -> awaited[me] = SLOTS_ON(from, to) };
	   !awaited[me]
	od
#elif defined(QUEUE_WAITS_FOR_YOUNGER)
	atomic { slot_take(me, from, to) };
	(SLOTS_ON(from, to) == 1 << me)
#else
	atomic { awaited[me] = OLDER; slot_take(me, from, to) };
	if
	:: !awaited[me]
	:: atomic { awaited[me] && signals ->
		signals--; failed = 1; awaited[me] = 0; LEAVE_QUEUE } ->
		goto unqueued
	fi
#endif
}
