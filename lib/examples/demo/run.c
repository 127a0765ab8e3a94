// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Three processes: this one, which only looks on; the cache, with its load; and
 * the hog. So whoever is killed, somebody is left to tell.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include "board.h"
#include "machine.h"
#include "players.h"
#include "run.h"
#include "view.h"

/* A phase that does not get on is given up after so many seconds */
#define PATIENCE	60
/* How long to look on after the cache has been killed */
#define AFTERMATH	3

enum phase { FILL, BEFORE, GROW, HOLD, AFTER, DEAD, END };

static const char *const phase_names[] = {
	[FILL] = "fill", [BEFORE] = "steady", [GROW] = "hog up",
	[HOLD] = "hog", [AFTER] = "regrow", [DEAD] = "killed",
};

struct tally {
	uint64_t hits;
	uint64_t misses;
};

/**
 * struct run - the state of a play
 * @players:      the processes
 * @oom_kills:    of the machine when the play began
 * @phase:        where the play has got to
 * @second:       since it began
 * @since:        second when the phase began
 * @shown:        what the board said one second ago
 * @tallies:      by phase; AFTER only has the second half of it
 * @cache_before: bytes of the cache when the hog came
 * @cache_lowest: the least since then
 */
struct run {
	const struct run_params *params;
	struct board *board;
	struct players players;
	uint64_t oom_kills;
	enum phase phase;
	unsigned int second;
	unsigned int since;
	struct tally shown;
	struct tally tallies[END];
	uint64_t cache_before;
	uint64_t cache_lowest;
};

static bool run_phase_over(const struct run *run)
{
	unsigned int lasted = run->second - run->since;
	unsigned int seconds = run->params->seconds;

	switch (run->phase) {
	case FILL:
		return run->board->filled || lasted >= PATIENCE;
	case BEFORE:
	case HOLD:
		return lasted >= seconds;
	case GROW:
		return run->board->hog >= run->params->hog ||
			run->players.hog_killed || lasted >= PATIENCE;
	case AFTER:
		return lasted >= 2 * seconds;
	default:
		return lasted >= AFTERMATH;
	}
}

static int run_next_phase(struct run *run)
{
	if (!run->players.cache && run->phase != DEAD)
		run->phase = WIFSIGNALED(run->players.cache_status) ? DEAD : END;
	else if (!run_phase_over(run))
		return 0;
	else
		run->phase = run->phase == AFTER ? END : run->phase + 1;
	run->since = run->second;

	switch (run->phase) {
	case GROW:
		run->cache_before = run->board->resident;
		run->cache_lowest = run->cache_before;
		return players_start_hog(&run->players);
	case AFTER:
		players_end_hog(&run->players);
		return 0;
	default:
		return 0;
	}
}

static void run_count(struct run *run, const struct tally *now)
{
	struct tally *tally = &run->tallies[run->phase];

	if (run->board->resident < run->cache_lowest)
		run->cache_lowest = run->board->resident;
	/* The first half of it is for filling the cache again */
	if (run->phase == AFTER &&
	    run->second - run->since <= run->params->seconds)
		return;
	tally->hits += now->hits - run->shown.hits;
	tally->misses += now->misses - run->shown.misses;
}

static void run_show(struct run *run)
{
	struct board *board = run->board;
	struct tally now = { .hits = board->hits, .misses = board->misses };
	struct machine machine;
	struct view_line line = {
		.second = run->second, .phase = phase_names[run->phase],
		.hits = now.hits - run->shown.hits,
		.misses = now.misses - run->shown.misses,
		.cache = board->resident, .purged = board->purged,
		.hog = board->hog,
	};

	machine_read(&machine);
	line.total = machine.total;
	line.available = machine.available;
	view_line(&line, run->params->colour);
	run_count(run, &now);
	run->shown = now;
}

static int run_loop(struct run *run)
{
	struct timespec next;
	int ret = 0;

	view_head(run->params->colour);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!ret && run->phase != END) {
		next.tv_sec++;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		run->second++;
		players_reap(&run->players);
		run_show(run);
		ret = run_next_phase(run);
	}
	return ret;
}

static double percent(const struct tally *tally)
{
	uint64_t reads = tally->hits + tally->misses;

	return reads ? 100.0 * (double)tally->hits / (double)reads : 0;
}

static void run_report(struct run *run, uint64_t cache_after)
{
	const struct tally during = {
		.hits = run->tallies[GROW].hits + run->tallies[HOLD].hits,
		.misses = run->tallies[GROW].misses + run->tallies[HOLD].misses,
	};
	const struct board *board = run->board;
	bool killed = WIFSIGNALED(run->players.cache_status);
	struct machine machine;

	machine_read(&machine);
	printf("result cache=%s backend=%s survived=%d hog_killed=%d "
	       "hits_before=%.1f hits_during=%.1f hits_after=%.1f "
	       "cache_before=%" PRIu64 " cache_lowest=%" PRIu64
	       " cache_after=%" PRIu64 " purged=%" PRIu64
	       " verified=%" PRIu64 " wrong=%" PRIu64 " failed=%" PRIu64
	       " oom_kills=%" PRIu64 " memory=%" PRIu64 "\n",
	       run->params->store->name, board->module ? "module" : "none",
	       !killed, run->players.hog_killed, percent(&run->tallies[BEFORE]),
	       percent(&during), percent(&run->tallies[AFTER]),
	       run->cache_before >> 20, run->cache_lowest >> 20,
	       cache_after >> 20, board->purged >> 20,
	       board->verified >> 20, board->wrong, board->failed,
	       machine.oom_kills - run->oom_kills, machine.total >> 20);
}

int run_play(const struct run_params *params)
{
	struct run run = { .params = params };
	struct machine machine;
	uint64_t cache_after;
	int ret;

	run.board = mmap(NULL, sizeof(*run.board), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.board == MAP_FAILED)
		return -errno;
	run.players = (struct players){
		.params = params, .board = run.board,
	};
	machine_read(&machine);
	run.oom_kills = machine.oom_kills;
	ret = players_start_cache(&run.players);
	if (!ret) {
		ret = run_loop(&run);
		cache_after = run.board->resident;
		players_end_hog(&run.players);
		players_end_cache(&run.players);
		if (!ret && WIFEXITED(run.players.cache_status) &&
		    WEXITSTATUS(run.players.cache_status))
			ret = -ECHILD;
		if (!ret)
			run_report(&run, cache_after);
	}
	munmap(run.board, sizeof(*run.board));
	return ret;
}
