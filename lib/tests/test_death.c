// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Clients that are killed, purgers that are killed at every step, holders of
 * the purge lock that are stopped, and children of fork. The dead are real:
 * a child does its part by hand and gets SIGKILL.
 */
#include "common.h"

static struct pashm_handle victim;

static void pin_twice(struct pashm_region *region)
{
	pin(region, victim);
	pin(region, victim);
}

static void a_killed_client_leaves_no_pin(void **test)
{
	struct pashm_region *region = *test;
	int i;

	victim = extent_new(region, 0, 4, 'a');
	unpin(region, victim);
	for (i = 0; i < 50; i++)
		killed_client(pashm_region_fd(region), pin_twice);
	assert_int_equal(purge(region), 4);
}

static void an_entry_of_the_dead_is_used_again_without_its_pins(void **test)
{
	struct pashm_region *region = *test, *other;

	victim = extent_new(region, 0, 4, 'a');
	unpin(region, victim);
	killed_client(pashm_region_fd(region), pin_twice);
	other = region_join(region);
	assert_int_equal(memfd_region(other)->client, 1);
	assert_int_equal(count_of(other, 0), 0);
	assert_int_equal(purge(region), 4);
	pashm_region_close(other);
}

static void closing_gives_up_the_entry(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	struct pashm_region_info info;

	pashm_region_close(other);
	assert_int_equal(memfd_region(region)->clients[1].live, 0);
	assert_int_equal(pashm_region_info(region, &info), 0);
	assert_int_equal(info.clients, 1);
}

/* What a purger does, step by step; each child below stops at another one */
static struct memfd_region *purge_begin(struct pashm_region *region)
{
	struct memfd_region *m = memfd_region(region);

	if (pashm_memfd_lock(m, 0))
		_exit(2);
	pashm_memfd_slot_take(m, victim.page, 4);
	return m;
}

static void die_with_record(struct pashm_region *region)
{
	purge_begin(region);
}

static struct memfd_region *purge_claim(struct pashm_region *region)
{
	struct memfd_region *m = purge_begin(region);

	if (!pashm_memfd_claim(m, victim.page,
			       region->view.states[victim.page]))
		_exit(3);
	return m;
}

static void die_with_claim(struct pashm_region *region)
{
	purge_claim(region);
}

static struct memfd_region *purge_punch_half(struct pashm_region *region)
{
	struct memfd_region *m = purge_claim(region);

	pashm_memfd_slot_phase(m, MEMFD_PUNCH);
	pashm_memfd_punch(m, m->layout.data + victim.page * page_size(),
			  2 * page_size());
	return m;
}

static void die_with_half_punched(struct pashm_region *region)
{
	purge_punch_half(region);
}

static void die_with_generation_moved(struct pashm_region *region)
{
	struct memfd_region *m = purge_punch_half(region);

	pashm_memfd_punch(m, m->layout.data + victim.page * page_size(),
			  4 * page_size());
	__atomic_fetch_add(&region->view.states[victim.page],
			   PASHM_STATE_GEN_ONE, __ATOMIC_RELEASE);
}

static void die_with_record_left(struct pashm_region *region)
{
	die_with_generation_moved(region);
	__atomic_fetch_and(&region->view.states[victim.page],
			   ~PASHM_STATE_PURGING, __ATOMIC_RELEASE);
}

static void purger_is_killed(struct pashm_region *region,
			     void (*body)(struct pashm_region *),
			     enum pashm_verdict expect)
{
	victim = extent_new(region, 8, 4, 'a');
	unpin(region, victim);
	killed_client(pashm_region_fd(region), body);
	assert_int_equal(pin(region, victim), expect);
	assert_false(pashm_state_purging(region->view.states[8]));
	assert_true(filled(region, 8, 4, expect == PASHM_INTACT ? 'a' : 0));
	unpin(region, victim);
	assert_int_equal(purge(region), 4);
	assert_int_equal(memfd_region(region)->purge->phase, MEMFD_IDLE);
}

static void killed_before_the_claim_nothing_is_lost(void **test)
{
	purger_is_killed(*test, die_with_record, PASHM_INTACT);
}

static void killed_after_the_claim_nothing_is_lost(void **test)
{
	purger_is_killed(*test, die_with_claim, PASHM_INTACT);
}

static void killed_half_way_the_purge_is_completed(void **test)
{
	purger_is_killed(*test, die_with_half_punched, PASHM_PURGED);
}

static void killed_before_clearing_the_purge_is_completed(void **test)
{
	purger_is_killed(*test, die_with_generation_moved, PASHM_PURGED);
}

static void killed_after_clearing_a_refill_is_not_punched(void **test)
{
	struct pashm_region *region = *test;

	victim = extent_new(region, 8, 4, 'a');
	unpin(region, victim);
	killed_client(pashm_region_fd(region), die_with_record_left);
	assert_int_equal(pin(region, victim), PASHM_PURGED);
	memset(pashm_address(region, 8), 'b', 4 * page_size());
	victim.generation = pashm_generation(region, 8);
	assert_int_equal(purge(region), 0);
	assert_true(filled(region, 8, 4, 'b'));
	unpin(region, victim);
}

/* Two extents taken together: one is published and refilled, one is not */
static void die_between_two_extents(struct pashm_region *region)
{
	struct memfd_region *m = memfd_region(region);
	uint64_t *states = region->view.states;

	if (pashm_memfd_lock(m, 0))
		_exit(2);
	pashm_memfd_slot_take(m, 8, 8);
	if (!pashm_memfd_claim(m, 8, states[8]) ||
	    !pashm_memfd_claim(m, 12, states[12]))
		_exit(3);
	pashm_memfd_slot_phase(m, MEMFD_PUNCH);
	pashm_memfd_punch(m, m->layout.data + 8 * page_size(),
			  8 * page_size());
	__atomic_fetch_add(&states[8], PASHM_STATE_GEN_ONE, __ATOMIC_RELEASE);
	__atomic_fetch_and(&states[8], ~PASHM_STATE_PURGING, __ATOMIC_RELEASE);
}

static void killed_between_two_extents_only_one_is_punched_again(void **test)
{
	struct pashm_region *region = *test;
	struct pashm_handle first = extent_new(region, 8, 4, 'a');
	struct pashm_handle second = extent_new(region, 12, 4, 'b');

	unpin(region, first);
	unpin(region, second);
	killed_client(pashm_region_fd(region), die_between_two_extents);
	assert_int_equal(pin(region, first), PASHM_PURGED);
	memset(pashm_address(region, 8), 'c', 4 * page_size());
	unpin(region, first);
	assert_int_equal(pin(region, second), PASHM_PURGED);
	assert_true(filled(region, 12, 4, 0));
	assert_true(filled(region, 8, 4, 'c'));
	unpin(region, second);
}

/* The claim of a dead purger, pinned by a client before it: must be reverted */
static void a_pin_before_the_dead_purgers_claim_holds(void **test)
{
	struct pashm_region *region = *test;

	victim = extent_new(region, 8, 4, 'a');
	killed_client(pashm_region_fd(region), die_with_claim);
	assert_int_equal(purge(region), 0);
	assert_true(filled(region, 8, 4, 'a'));
	assert_int_equal(pashm_generation(region, 8), victim.generation);
}

static void a_purging_that_nobody_owns_is_cleared(void **test)
{
	struct pashm_region *region = *test;

	victim = extent_new(region, 8, 4, 'a');
	unpin(region, victim);
	region->view.states[8] |= PASHM_STATE_PURGING;
	assert_int_equal(pin(region, victim), PASHM_INTACT);
	unpin(region, victim);
	region->view.states[8] |= PASHM_STATE_PURGING;
	assert_int_equal(purge(region), 0);
	assert_int_equal(purge(region), 4);
}

/* The one thing the module does better: here the waiter gives up */
static void a_stopped_purger_makes_the_waiter_time_out(void **test)
{
	struct pashm_region *region = *test, *other = region_join(region);
	enum pashm_verdict verdict;

	victim = extent_new(region, 8, 4, 'a');
	unpin(region, victim);
	purge_claim(other);
	assert_int_equal(pashm_pin(region, victim, &verdict), -ETIMEDOUT);
	assert_int_equal(count_of(region, 8), 0);
	pashm_memfd_unlock(memfd_region(other));
	assert_int_equal(pin(region, victim), PASHM_INTACT);
	unpin(region, victim);
	pashm_region_close(other);
}

static void a_child_cannot_pin_but_can_join(void **test)
{
	struct pashm_region *region = *test, *own;
	enum pashm_verdict verdict;
	pid_t pid;

	victim = extent_new(region, 0, 1, 'a');
	pid = fork();
	if (pid == 0) {
		if (pashm_pin(region, victim, &verdict) != -EINVAL ||
		    !region_is_refused(region) ||
		    pashm_region_import(pashm_region_fd(region), &own) ||
		    pashm_pin(own, victim, &verdict) ||
		    verdict != PASHM_INTACT)
			_exit(1);
		pashm_region_close(own);
		pashm_region_close(region);
		_exit(0);
	}
	assert_int_equal(child_status(pid), 0);
	assert_int_equal(count_of(region, 0), 1);
	assert_int_equal(memfd_region(region)->clients[0].live, 1);
}

/* A grandchild lives on while the child, whose copy it is, gets killed */
static void a_child_does_not_keep_its_parents_pins(void **test)
{
	struct pashm_region *region = *test, *own;
	enum pashm_verdict verdict;
	int status, ready[2], hold[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready) | pipe(hold), 0);
	victim = extent_new(region, 0, 1, 'a');
	unpin(region, victim);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		if (pashm_region_import(pashm_region_fd(region), &own) ||
		    pashm_pin(own, victim, &verdict) || fork() < 0)
			_exit(1);
		/* Both: say that fork is over, stay as long as the test does */
		if (write(ready[1], &byte, 1) != 1 || read(hold[0], &byte, 1))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(purge(region), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(purge(region), 1);
	close(ready[0]);
	close(ready[1]);
	close(hold[0]);
	close(hold[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(a_killed_client_leaves_no_pin),
		SHARED(an_entry_of_the_dead_is_used_again_without_its_pins),
		SHARED(closing_gives_up_the_entry),
		SHARED(killed_before_the_claim_nothing_is_lost),
		SHARED(killed_after_the_claim_nothing_is_lost),
		SHARED(killed_half_way_the_purge_is_completed),
		SHARED(killed_before_clearing_the_purge_is_completed),
		SHARED(killed_after_clearing_a_refill_is_not_punched),
		SHARED(killed_between_two_extents_only_one_is_punched_again),
		SHARED(a_pin_before_the_dead_purgers_claim_holds),
		BOTH(a_purging_that_nobody_owns_is_cleared),
		SHARED(a_stopped_purger_makes_the_waiter_time_out),
		SHARED(a_child_cannot_pin_but_can_join),
		SHARED(a_child_does_not_keep_its_parents_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
