// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processes with several threads each use one region under purge
 * storms, and verify every byte against a ledger outside of it.
 *
 * Each backend takes 60 s, times $PASHM_TEST_SCALE. As root the workers
 * of the module's turn are in a cgroup smaller than the region, so that their
 * own faults reclaim it.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include <kselftest_harness.h>

#include "backend.h"

#define PROCESSES	3
#define THREADS		2		/* in each */
#define LENGTH		4U		/* pages of an extent */
#define EXTENTS		4096U
#define PAGES		(EXTENTS * LENGTH)
#define HOT		64U		/* extents that get half of all visits */
#define WORDS		(LENGTH * PAGE / sizeof(uint64_t))
#define RW		(PROT_READ | PROT_WRITE)
#define GROUP		"/sys/fs/cgroup/pashm-stress"
#define GROUP_LIMIT	"40M"

/* What an extent must hold. Counter 0: zeros. Under the lock */
struct entry {
	pthread_mutex_t lock;
	uint32_t generation;
	uint32_t counter;
};

struct ledger {
	struct entry entries[EXTENTS];
	struct pashm_handle handles[EXTENTS];
	uint64_t intact, purged, refilled;
	bool stop;
	bool failed;
	unsigned int arrived;		/* processes that are done with a part */
	unsigned int part;		/* that they may go on to */
	char failure[256];
};

/* One process */
struct party {
	struct ledger *ledger;
	struct pashm_region *region;
	uint32_t known[EXTENTS];	/* shared by its threads */
};

struct worker {
	struct party *party;
	uint64_t seed;
};

FIXTURE(stress)
{
	struct pashm_region *region;
	struct ledger *ledger;
	long seconds;
	bool group;
};

FIXTURE_VARIANT(stress)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(stress, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(stress, memfd) { .backend = PASHM_BACKEND_MEMFD };

static void ledger_init(struct ledger *ledger)
{
	pthread_mutexattr_t mutex;
	unsigned int i;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
	for (i = 0; i < EXTENTS; i++)
		pthread_mutex_init(&ledger->entries[i].lock, &mutex);
}

FIXTURE_SETUP(stress)
{
	unsigned int i;

	SKIP_WITHOUT_BACKEND(variant->backend);
	self->seconds = scaled(30);
	self->ledger = mmap(NULL, sizeof(*self->ledger), RW,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->ledger);
	ledger_init(self->ledger);
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, 0, &self->region));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, NULL));
	for (i = 0; i < EXTENTS; i++) {
		ASSERT_EQ(0, pashm_extent_create(self->region, i * LENGTH,
						 LENGTH, i % 8,
						 &self->ledger->handles[i]));
		ASSERT_EQ(0, pashm_unpin(self->region, i * LENGTH));
		self->ledger->entries[i].generation =
			self->ledger->handles[i].generation;
	}
	self->group = variant->backend == PASHM_BACKEND_MODULE &&
		      (!mkdir(GROUP, 0755) || errno == EEXIST) &&
		      !file_write(GROUP "/memory.max", GROUP_LIMIT);
}

FIXTURE_TEARDOWN(stress)
{
	pashm_region_close(self->region);
	rmdir(GROUP);
}

/* The first failure is kept, and ends the stress */
#define FAIL(ledger, ...) do {						\
	if (!__atomic_exchange_n(&(ledger)->failed, true, __ATOMIC_SEQ_CST)) \
		snprintf((ledger)->failure, sizeof((ledger)->failure),	\
			 __VA_ARGS__);					\
	__atomic_store_n(&(ledger)->stop, true, __ATOMIC_SEQ_CST);	\
} while (0)

static bool stopped(struct ledger *ledger)
{
	return __atomic_load_n(&ledger->stop, __ATOMIC_RELAXED);
}

static bool failed(struct ledger *ledger)
{
	return __atomic_load_n(&ledger->failed, __ATOMIC_SEQ_CST);
}

/* Wait until @number has reached @wanted; nobody is waited for in vain */
static void await(struct ledger *ledger, unsigned int *number,
		  unsigned int wanted)
{
	siginfo_t info;

	while (__atomic_load_n(number, __ATOMIC_SEQ_CST) < wanted &&
	       !failed(ledger)) {
		info.si_pid = 0;
		if (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) &&
		    info.si_pid)
			FAIL(ledger, "process %d ended: %d", info.si_pid,
			     info.si_status);
		usleep(10000);
	}
}

static uint64_t pattern(unsigned int extent, uint32_t generation,
			uint32_t counter, size_t word)
{
	if (!counter)
		return 0;
	return ((uint64_t)generation << 32 | counter) * 0x9e3779b97f4a7c15ULL +
	       ((uint64_t)extent << 20) + word;
}

static void write_extent(uint64_t *words, unsigned int extent,
			 const struct entry *entry)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		words[i] = pattern(extent, entry->generation, entry->counter,
				   i);
}

static bool verify_extent(struct ledger *ledger, const uint64_t *words,
			  unsigned int extent, uint32_t counter,
			  const char *what)
{
	const struct entry *entry = &ledger->entries[extent];
	size_t i;

	for (i = 0; i < WORDS; i++) {
		uint64_t wanted = pattern(extent, entry->generation, counter,
					  i);

		if (words[i] == wanted)
			continue;
		FAIL(ledger, "%s: extent %u word %zu is %llx, not %llx "
		     "(generation %u, counter %u)", what, extent, i,
		     (unsigned long long)words[i], (unsigned long long)wanted,
		     entry->generation, counter);
		return false;
	}
	return true;
}

/* Pinned and locked: check what is there against the ledger, and go on */
static void use_extent(struct party *party, unsigned int extent,
		       uint32_t known, enum pashm_verdict verdict, bool change)
{
	struct ledger *ledger = party->ledger;
	struct entry *entry = &ledger->entries[extent];
	uint32_t current = pashm_generation(party->region, extent * LENGTH);
	uint64_t *words = pashm_address(party->region, extent * LENGTH);

	if (verdict == PASHM_INTACT && (current != known ||
					entry->generation != known)) {
		FAIL(ledger, "intact: extent %u known %u current %u filled %u",
		     extent, known, current, entry->generation);
	} else if (entry->generation == current) {
		verify_extent(ledger, words, extent, entry->counter,
			      verdict == PASHM_INTACT ? "intact" : "refilled");
	} else if (verify_extent(ledger, words, extent, 0, "purged")) {
		entry->generation = current;
		entry->counter++;
		write_extent(words, extent, entry);
		__atomic_fetch_add(&ledger->refilled, 1, __ATOMIC_RELAXED);
	}
	if (verdict == PASHM_INTACT && change) {
		entry->counter++;
		write_extent(words, extent, entry);
	}
}

static void visit(struct party *party, unsigned int extent, bool change)
{
	struct ledger *ledger = party->ledger;
	struct pashm_handle handle = {
		.page = extent * LENGTH,
		.generation = __atomic_load_n(&party->known[extent],
					      __ATOMIC_ACQUIRE),
	};
	enum pashm_verdict verdict;
	int ret = pashm_pin(party->region, handle, &verdict);

	if (ret || verdict == PASHM_STALE) {
		FAIL(ledger, "pin of extent %u: %d, verdict %d", extent, ret,
		     (int)verdict);
		return;
	}
	if (pthread_mutex_lock(&ledger->entries[extent].lock))
		FAIL(ledger, "somebody died with extent %u locked", extent);
	use_extent(party, extent, handle.generation, verdict, change);
	pthread_mutex_unlock(&ledger->entries[extent].lock);
	/* After the refill, so that no sibling takes zeros for intact */
	if (verdict == PASHM_PURGED)
		__atomic_store_n(&party->known[extent],
				 pashm_generation(party->region, handle.page),
				 __ATOMIC_RELEASE);
	__atomic_fetch_add(verdict == PASHM_PURGED ? &ledger->purged :
			   &ledger->intact, 1, __ATOMIC_RELAXED);
	ret = pashm_unpin(party->region, handle.page);
	if (ret)
		FAIL(ledger, "unpin of extent %u: %d", extent, ret);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (!stopped(worker->party->ledger)) {
		uint64_t choice = random_next(&worker->seed);
		unsigned int extents = choice & 1 ? HOT : EXTENTS;

		visit(worker->party, choice >> 16 & (extents - 1),
		      (choice >> 1 & 3) == 0);
	}
	return NULL;
}

/* Pin everything; how many were reported lost, or -1 */
static int learn_all(struct party *party)
{
	unsigned int i;
	int lost = 0;

	for (i = 0; i < EXTENTS; i++) {
		struct pashm_handle handle = {
			.page = i * LENGTH, .generation = party->known[i],
		};
		enum pashm_verdict verdict;

		if (pashm_pin(party->region, handle, &verdict) ||
		    verdict == PASHM_STALE)
			return -1;
		lost += verdict == PASHM_PURGED;
		party->known[i] = pashm_generation(party->region, handle.page);
		pashm_unpin(party->region, handle.page);
	}
	return lost;
}

/* The storm is over. One more purge of all, to be told to each just once */
static void settle(struct party *party)
{
	struct ledger *ledger = party->ledger;
	int lost;

	if (learn_all(party) < 0)
		FAIL(ledger, "a pin failed after the storm");
	__atomic_fetch_add(&ledger->arrived, 1, __ATOMIC_SEQ_CST);
	await(ledger, &ledger->part, 1);
	if (failed(ledger))
		return;
	lost = learn_all(party);
	if (lost != (int)EXTENTS)
		FAIL(ledger, "%d of %u losses were reported", lost, EXTENTS);
	lost = learn_all(party);
	if (lost)
		FAIL(ledger, "%d losses were reported again", lost);
}

static void be_party(struct _test_data_stress *self, uint64_t seed)
{
	static struct party party;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	unsigned int i;

	if (self->group && file_write(GROUP "/cgroup.procs", "0"))
		_exit(1);
	party.ledger = self->ledger;
	if (pashm_region_import(pashm_region_fd(self->region), &party.region) ||
	    pashm_region_map(party.region, RW, NULL))
		_exit(2);
	for (i = 0; i < EXTENTS; i++)
		party.known[i] = self->ledger->handles[i].generation;
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker) { &party, seed * (i + 1) };
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			_exit(3);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	settle(&party);
	_exit(0);
}

/* Purges from the side, by request and, if it may, by the kernel's reclaim */
static void storm(struct _test_data_stress *self, bool reclaim)
{
	time_t end = time(NULL) + self->seconds;
	unsigned int round;

	for (round = 0; time(NULL) < end && !stopped(self->ledger); round++) {
		if (pashm_region_purge(self->region, NULL))
			FAIL(self->ledger, "a purge failed");
		if (reclaim && round % 8 == 0)
			file_write("/proc/sys/vm/drop_caches", "2");
		usleep(1000 + round % 7 * 3000);
	}
	__atomic_store_n(&self->ledger->stop, true, __ATOMIC_SEQ_CST);
}

/* Make every extent resident, so that the last purge takes all of them */
static void touch_all(struct _test_data_stress *self)
{
	unsigned int i;

	for (i = 0; i < EXTENTS; i++)
		*(volatile uint64_t *)pashm_address(self->region,
						    i * LENGTH) = 1;
}

TEST_F_TIMEOUT(stress, pinned_contents_are_always_what_was_written, 1200)
{
	struct ledger *ledger = self->ledger;
	pid_t pids[PROCESSES];
	int status, i;

	for (i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i])
			be_party(self, 104729 * (i + 1));
	}
	storm(self, variant->backend == PASHM_BACKEND_MODULE);
	await(ledger, &ledger->arrived, PROCESSES);
	touch_all(self);
	EXPECT_LE((long)(EXTENTS * PAGE), backend_purge(self->region));
	__atomic_store_n(&ledger->part, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < PROCESSES; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_STREQ("", ledger->failure);
	EXPECT_EQ(0, backend_info(self->region).violations);
	EXPECT_EQ(0, backend_info(self->region).pinned_extents);
	TH_LOG("%llu intact, %llu purged, %llu refilled, %llu purges%s",
	       (unsigned long long)ledger->intact,
	       (unsigned long long)ledger->purged,
	       (unsigned long long)ledger->refilled,
	       (unsigned long long)backend_info(self->region).purges,
	       self->group ? ", in a cgroup of " GROUP_LIMIT : "");
	EXPECT_NE(0, ledger->intact);
	EXPECT_NE(0, ledger->purged);
}

TEST_HARNESS_MAIN
