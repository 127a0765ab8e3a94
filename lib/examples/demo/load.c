// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>
#include "load.h"
#include "zipf.h"

#define PAGE		4096
#define FIGURES_NS	100000000L

/**
 * struct load - what the threads share; constant but for @coldest
 * @order:   the files by popularity, the most popular first
 * @count:   of them
 * @zipf:    how popular
 * @coldest: ranks below this are still to be read for the first time
 */
struct load {
	const struct load_params *params;
	const struct corpus_file **order;
	size_t count;
	struct zipf *zipf;
	_Atomic size_t coldest;
};

struct worker {
	struct load *load;
	struct corpus_reader *reader;
	pthread_t thread;
	uint64_t random;
};

/* A miss: the cache's memory is decompressed into directly, without a copy */
static int worker_miss(struct worker *w, const struct corpus_file *file,
		       struct store_value *value)
{
	struct store *store = w->load->params->store;
	int ret = store->ops->reserve(store, file->path, file->size, value);

	if (ret)
		return ret;
	ret = corpus_read(w->reader, file, value->data);
	if (ret) {
		store->ops->abort(store, value);
		return ret;
	}
	store->ops->commit(store, value);
	return 0;
}

static void worker_verify(struct worker *w, const struct corpus_file *file,
			  const struct store_value *value)
{
	struct board *board = w->load->params->board;

	board->verified += value->length;
	if (value->length == file->size &&
	    crc32(0, value->data, (uInt)value->length) == file->crc)
		return;
	if (!board->wrong)
		fprintf(stderr, "pashm-demo: wrong contents: %s\n", file->path);
	board->wrong += value->length;
}

static void worker_request(struct worker *w, const struct corpus_file *file)
{
	struct store *store = w->load->params->store;
	struct board *board = w->load->params->board;
	struct store_value value;
	int ret = store->ops->get(store, file->path, &value);

	if (!ret) {
		board->hits++;
	} else {
		board->misses++;
		if (ret == -ENOENT)
			ret = worker_miss(w, file, &value);
	}
	if (!ret) {
		worker_verify(w, file, &value);
		store->ops->release(store, &value);
	} else if (!board->failed++) {
		fprintf(stderr, "pashm-demo: %s: %s\n", file->path,
			strerror(-ret));
	}
}

/* From the least popular up, so that it is the least recently used */
static void worker_fill_all(struct worker *w)
{
	struct load *load = w->load;
	size_t rank = load->coldest;

	while (rank && !load->params->board->stop) {
		if (atomic_compare_exchange_weak(&load->coldest, &rank,
						 rank - 1)) {
			worker_request(w, load->order[rank - 1]);
			rank = load->coldest;
		}
	}
}

static void *worker_main(void *argument)
{
	struct worker *w = argument;
	struct load *load = w->load;
	struct board *board = load->params->board;

	worker_fill_all(w);
	board->filled = true;
	while (!board->stop)
		worker_request(w, load->order[zipf_rank(load->zipf,
							&w->random)]);
	return NULL;
}

/* Any order will do, if it is the same in all runs */
static int load_order(struct load *load)
{
	const struct corpus *corpus = load->params->corpus;
	uint64_t random = 1;

	load->order = calloc(corpus->count, sizeof(*load->order));
	if (!load->order)
		return -ENOMEM;
	for (size_t i = 0; i < corpus->count; i++) {
		size_t j = random_next(&random) % (i + 1);

		load->order[i] = load->order[j];
		load->order[j] = &corpus->files[i];
	}
	return 0;
}

/* As many files as make up the size, counted in whole pages */
static size_t load_count(const struct load *load)
{
	size_t count = 0, size = 0;

	while (count < load->params->corpus->count) {
		size += (load->order[count]->size + PAGE - 1) & ~(PAGE - 1UL);
		if (size > load->params->size)
			break;
		count++;
	}
	return count;
}

static void load_show_figures(const struct load *load)
{
	struct store *store = load->params->store;
	struct board *board = load->params->board;
	struct store_figures figures;

	if (store->ops->figures(store, &figures))
		return;
	board->resident = figures.resident;
	board->purged = figures.purged;
	board->module = figures.module;
}

static int load_start(struct load *load, struct worker *w, uint64_t seed)
{
	int ret;

	w->load = load;
	w->random = seed;
	w->reader = corpus_reader_new(load->params->corpus);
	if (!w->reader)
		return -ENOMEM;
	ret = pthread_create(&w->thread, NULL, worker_main, w);
	if (ret)
		corpus_reader_free(w->reader);
	return -ret;
}

static int load_threads(struct load *load)
{
	const struct load_params *params = load->params;
	const struct timespec pause = { .tv_nsec = FIGURES_NS };
	struct worker *workers = calloc(params->threads, sizeof(*workers));
	unsigned int started = 0;
	int ret = workers ? 0 : -ENOMEM;

	while (!ret && started < params->threads) {
		ret = load_start(load, &workers[started], started + 1);
		if (!ret)
			started++;
	}
	while (!ret && !params->board->stop) {
		load_show_figures(load);
		nanosleep(&pause, NULL);
	}
	params->board->stop = true;
	while (started--) {
		pthread_join(workers[started].thread, NULL);
		corpus_reader_free(workers[started].reader);
	}
	load_show_figures(load);
	free(workers);
	return ret;
}

int load_run(const struct load_params *params)
{
	struct load load = { .params = params };
	int ret = load_order(&load);

	if (ret)
		return ret;
	load.count = load_count(&load);
	if (!load.count) {
		ret = -EINVAL;
		goto out_order;
	}
	load.coldest = load.count;
	load.zipf = zipf_new(load.count, params->exponent);
	if (!load.zipf) {
		ret = -ENOMEM;
		goto out_order;
	}
	ret = load_threads(&load);
	zipf_free(load.zipf);
out_order:
	free(load.order);
	return ret;
}
