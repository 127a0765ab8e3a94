// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "corpus.h"
#include "hog.h"
#include "load.h"
#include "players.h"

static int cache_run(const struct run_params *params, struct board *board)
{
	struct load_params load = {
		.board = board, .size = params->size,
		.threads = params->threads, .exponent = params->exponent,
	};
	struct corpus corpus;
	int ret;

	ret = corpus_open(params->corpus, &corpus);
	if (ret) {
		fprintf(stderr, "pashm-demo: cannot read %s/index: %s\n",
			params->corpus, strerror(-ret));
		return ret;
	}
	load.corpus = &corpus;
	ret = params->store->open(params->size, &load.store);
	if (ret) {
		fprintf(stderr, "pashm-demo: cannot make the cache: %s\n",
			strerror(-ret));
	} else {
		ret = load_run(&load);
		params->store->close(load.store);
	}
	corpus_close(&corpus);
	return ret;
}

/*
 * Before there is a cache or a thread, so that nothing is inherited. The name
 * is what the kernel's log says should it kill the process.
 */
static pid_t players_fork(const char *name)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
	}
	return pid;
}

int players_start_cache(struct players *players)
{
	pid_t pid = players_fork("demo-cache");

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(cache_run(players->params, players->board) ? 1 : 0);
	players->cache = pid;
	return 0;
}

int players_start_hog(struct players *players)
{
	const struct run_params *params = players->params;
	pid_t pid = players_fork("demo-hog");

	if (pid < 0)
		return -errno;
	if (!pid) {
		hog_run(params->hog, params->pace, players->board);
		_exit(1);
	}
	players->hog = pid;
	return 0;
}

void players_end_cache(struct players *players)
{
	players->board->stop = true;
	if (players->cache)
		waitpid(players->cache, &players->cache_status, 0);
	players->cache = 0;
}

void players_end_hog(struct players *players)
{
	if (!players->hog)
		return;
	kill(players->hog, SIGKILL);
	waitpid(players->hog, NULL, 0);
	players->hog = 0;
	players->board->hog = 0;
}

void players_reap(struct players *players)
{
	if (players->hog &&
	    waitpid(players->hog, NULL, WNOHANG) == players->hog) {
		players->hog = 0;
		players->hog_killed = true;
		players->board->hog = 0;
	}
	if (players->cache &&
	    waitpid(players->cache, &players->cache_status,
		    WNOHANG) == players->cache) {
		players->cache = 0;
		players->board->resident = 0;
	}
}
