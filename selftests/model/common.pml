/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all models share: how memory and death are modelled, and what must hold.
 *
 * MEMORY. What a processor stores does not reach memory at once: it waits in
 * that processor (a struct of each model) until a process that plays the store
 * buffer lets it go, at any later moment and in any order, but that
 *
 *   - stores to one word stay in order;
 *   - a release store, or release read-modify-write, goes after all that were
 *     issued before it. Later ones may overtake it, and so may later loads;
 *   - a full barrier, and a lock, lets the processor go on when none waits.
 *
 * An unordered read-modify-write waits, too, as it may on arm64. All this is
 * weaker than the TSO of x86. Loads happen in program order here, and one store
 * is seen by all others at once; where the code claims that a load does not
 * happen early, litmus/ has a test.
 *
 * STEPS. An `atomic` is one access to what others can see, or a critical
 * section of a spinlock. What a thread does without looking at memory is issued
 * in one step, as early as it can be: its stores wait as long as you like.
 *
 * DEATH. A client's process is killed at any moment. Each of its threads then
 * stops before its next step. What it has issued may or may not have been
 * executed before that: some may still reach memory, the rest is dropped.
 *
 * CONTENTS. A page holds 0, or the generation that its filler was told.
 */

/* Each has a name, which is what a violation is reported under. */
#define CHECK(name, condition)	name = (condition); assert(name)

/* Invariant 1: a pin that says "intact" finds what the handle means */
bool intact_sees_its_bytes = true;
/* Invariants 1, 2: what is stored under a pin is in memory when the pin ends */
bool writes_land_under_their_pin = true;
/* Invariant 2: no page goes between a confirmed pin and its unpin */
bool no_page_goes_under_a_pin = true;
/* Invariant 3: whoever had the extent before a loss is told, and told once */
bool each_loss_is_told_and_no_other = true;
/* Invariant 4, and that nobody waits in vain: looked at when all is over */
bool the_dead_leave_no_pin = true;
bool nothing_is_left_in_flight = true;

/* A step of a thread of client c, which may be killed instead */
#define WHEN(condition, action) \
	atomic { !killed[c] && (condition) -> action }
#define OR_DIE \
	:: atomic { killed[c] -> goto dying }
#define STEP(condition, action) \
	if :: WHEN(condition, action) OR_DIE fi
