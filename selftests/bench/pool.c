// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool beside malloc: how fast objects come and go, alone and with several
 * threads, and how much memory is wasted by what a real program allocates.
 *
 * usage: pool [TRACE]   TRACE is what trace_malloc.so has written
 */
#include <pashm/pashm.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"
#include "trace_malloc.h"

#define HELD		1000U
#define ROUNDS		2000000UL
#define THREADS		2U

static struct pashm_pool *pool;

/**
 * struct worker - a thread that allocates and frees
 * @heap: with malloc, else in the pool
 * @size: of its objects; 0 for random ones of up to 1024 bytes
 */
struct worker {
	pthread_t thread;
	bool heap;
	size_t size;
	uint64_t seed;
};

static void pool_get(size_t size, struct pashm_handle *handle, char **address)
{
	int ret = pashm_pool_alloc(pool, size, PASHM_PRIORITY_DEFAULT, 0,
				   handle, (void **)address);

	if (ret)
		die("alloc", ret);
}

static void pool_put(struct pashm_handle handle)
{
	int ret = pashm_pool_unpin(pool, handle);

	if (!ret)
		ret = pashm_pool_free(pool, handle);
	if (ret)
		die("free", ret);
}

static void *work(void *argument)
{
	struct worker *w = argument;
	struct pashm_handle *handles = calloc(HELD, sizeof(*handles));
	char **addresses = calloc(HELD, sizeof(*addresses));
	uint64_t i, r;
	size_t k, size;

	for (i = 0; i < ROUNDS; i++) {
		r = random_next(&w->seed);
		k = r % HELD;
		size = w->size ? w->size : (r >> 20) % 1024 + 1;
		if (addresses[k] && w->heap)
			free(addresses[k]);
		else if (addresses[k])
			pool_put(handles[k]);
		if (w->heap)
			addresses[k] = malloc(size);
		else
			pool_get(size, &handles[k], &addresses[k]);
		*addresses[k] = 1;
	}
	for (k = 0; k < HELD; k++) {
		if (addresses[k] && w->heap)
			free(addresses[k]);
		else if (addresses[k])
			pool_put(handles[k]);
	}
	free(addresses);
	free(handles);
	return NULL;
}

/* ns for a free and an allocation */
static double run(bool heap, size_t size, unsigned int threads)
{
	struct worker workers[THREADS];
	uint64_t start = now_ns();
	unsigned int i;

	for (i = 0; i < threads; i++) {
		workers[i] = (struct worker){
			.heap = heap, .size = size, .seed = i + 1,
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("thread", -EAGAIN);
	}
	for (i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	return (double)(now_ns() - start) / ROUNDS;
}

static void speeds(void)
{
	static const size_t sizes[] = { 16, 64, 256, 1024, 4096, 0 };
	unsigned int i, threads;
	double heap, ours;

	printf("%-10s %7s %12s %12s %6s\n", "bytes", "threads", "malloc, ns",
	       "pool, ns", "ratio");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (threads = 1; threads <= THREADS; threads++) {
			heap = run(true, sizes[i], threads);
			ours = run(false, sizes[i], threads);
			if (sizes[i])
				printf("%-10zu", sizes[i]);
			else
				printf("%-10s", "1 to 1024");
			printf(" %7u %12.0f %12.0f %6.1f\n", threads, heap, ours,
			       ours / heap);
		}
	}
}

/**
 * struct live - an object of the trace
 * @handle:  in the pool
 * @address: on the heap
 * @size:    that was asked for; 0: it is not there
 */
struct live {
	struct pashm_handle handle;
	void *address;
	uint64_t size;
};

/**
 * struct replay - of a trace, on the heap or in the pool
 * @peak:  bytes asked for, at most at a time
 * @had:   bytes that the allocator had then
 * @extra: bytes that the pool had on the heap beside them
 */
struct replay {
	uint64_t peak;
	uint64_t had;
	uint64_t extra;
};

static uint64_t heap_bytes(void)
{
	return mallinfo2().arena + mallinfo2().hblkhd;
}

static void peak_note(struct replay *replay, bool heap, uint64_t before)
{
	struct pashm_pool_info info;

	if (heap) {
		replay->had = heap_bytes() - before;
		return;
	}
	pashm_pool_info(pool, &info);
	replay->had = info.bytes + info.free;
	replay->extra = heap_bytes() - before;
}

static struct replay replay_by(const struct trace_record *trace, uint64_t records,
			       bool heap)
{
	struct live *lives = calloc(trace[0].object + 1, sizeof(*lives));
	uint64_t i, asked = 0, before = heap_bytes();
	struct replay replay = { 0 };
	char *ignored;

	for (i = 1; i < records; i++) {
		struct live *live = &lives[trace[i].object];

		if (live->size && heap)
			free(live->address);
		else if (live->size)
			pool_put(live->handle);
		asked += trace[i].size - live->size;
		live->size = trace[i].size;
		if (live->size && heap)
			live->address = malloc(live->size);
		else if (live->size)
			pool_get(live->size, &live->handle, &ignored);
		if (asked <= replay.peak)
			continue;
		replay.peak = asked;
		peak_note(&replay, heap, before);
	}
	free(lives);
	return replay;
}

/* How much memory the pool and malloc have for what was asked for at the peak */
static void waste(const char *path)
{
	const struct trace_record *trace;
	struct replay heap, ours;
	struct stat file;
	uint64_t records;
	double peak;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &file))
		die(path, -errno);
	trace = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (trace == MAP_FAILED)
		die(path, -errno);
	records = (uint64_t)file.st_size / sizeof(*trace);
	/* The pool first: what it has on the heap is to be new */
	ours = replay_by(trace, records, false);
	heap = replay_by(trace, records, true);
	peak = (double)heap.peak;
	printf("%llu allocations and frees, at most %.1f MiB at a time\n",
	       (unsigned long long)records - 1, peak / (1 << 20));
	printf("memory for each byte asked for: malloc %.2f, pool %.2f and %.2f\n",
	       (double)heap.had / peak, (double)ours.had / peak,
	       (double)ours.extra / peak);
}

int main(int argc, char **argv)
{
	struct pashm_region_params params = {
		.length = 4ULL << 30, .name = "bench",
		.flags = PASHM_REGION_SOLE,
	};
	struct pashm_region *region;
	int ret;

	ret = pashm_region_create(&params, &region);
	if (!ret)
		ret = pashm_pool_create(region, &pool);
	if (ret)
		die("pool", ret);
	if (argc > 1)
		waste(argv[1]);
	else
		speeds();
	pashm_pool_destroy(pool);
	pashm_region_close(region);
	return 0;
}
