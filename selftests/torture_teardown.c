// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions end at any moment: while others purge them by request and by reclaim,
 * fault them in, fork and move their mappings, and remove the cgroups that
 * their pages are charged to. What is pinned stays what it was; of the rest,
 * each page is all there or all zeros; and in the end nothing is left.
 *
 * 20 seconds, times PASHM_TEST_SCALE.
 */
#include <poll.h>

#include "module.h"
#include "torture.h"

#define SECONDS		20
#define PATIENCE	60
#define OWNERS		4
#define PURGERS		2
#define GROUPS		8
#define EXTENTS		16U
#define LENGTH		4U			/* pages */
#define PAGES		(EXTENTS * LENGTH)
#define BYTES		(PAGES * PAGE)
#define OUTER		"/sys/fs/cgroup/pashm-teardown"

/**
 * struct teardown - what the processes share
 * @channel: owners send regions that they are about to give up
 * @ending:  for each owner, the inode of the region that he is giving up, or 0
 * @met:     purges that began while the region was being given up
 * @outlive: children that were there when their region had been given up
 * @removed: groups removed that a page of a region was charged to
 */
struct teardown {
	struct torture torture;
	int channel[2];
	uint64_t ending[OWNERS];
	uint64_t regions, lost, intact, forks, moves, purged, groups, reclaims;
	uint64_t met, outlive, removed;
};

/* A region of an owner: @pinned and @generation are what he knows */
struct owned {
	struct teardown *shared;
	unsigned int owner;
	int fd;
	char *data;
	uint64_t stamp;
	uint32_t generation[EXTENTS];
	bool pinned[EXTENTS];
};

FIXTURE(torture_teardown)
{
	struct teardown *shared;
	struct torture_crew crew;
};

FIXTURE_SETUP(torture_teardown)
{
	SKIP_WITHOUT_MODULE();
	torture_remove(OUTER);
	if (mkdir(OUTER, 0755) ||
	    file_write(OUTER "/cgroup.subtree_control", "+memory"))
		SKIP(_exit(255), "no memory controller in cgroup v2");
	self->shared = torture_share(sizeof(*self->shared));
	ASSERT_NE(NULL, self->shared);
	self->crew.torture = &self->shared->torture;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
				self->shared->channel));
}

FIXTURE_TEARDOWN(torture_teardown)
{
	torture_end(&self->crew);
	torture_remove(OUTER);
	if (!module_loaded())
		EXPECT_EQ(0, module_load());
}

static const char *group_name(unsigned int number, char *path, size_t size)
{
	snprintf(path, size, OUTER "/%u", number % GROUPS);
	return path;
}

/* Into one of the groups; they come and go, so this may fail */
static void wander(uint64_t *seed)
{
	char path[64];

	group_name(random_next(seed) % GROUPS, path, sizeof(path));
	torture_group_write(path, "cgroup.procs", "0");
}

static uint64_t word_of(const struct owned *o, size_t page, size_t word)
{
	return o->stamp + (page << 32) + word;
}

static void fill(const struct owned *o, unsigned int extent)
{
	size_t page, word;

	for (page = extent * LENGTH; page < (extent + 1) * LENGTH; page++) {
		uint64_t *words = (uint64_t *)(o->data + page * PAGE);

		for (word = 0; word < PAGE / 8; word++)
			words[word] = word_of(o, page, word);
	}
}

/* 1: all there, 0: all zeros, -1: neither. It may be purged while we look */
static int page_is(const struct owned *o, size_t page)
{
	const volatile uint64_t *words = (uint64_t *)(o->data + page * PAGE);
	size_t word;
	bool lost = false;

	for (word = 0; word < PAGE / 8; word++) {
		uint64_t value = words[word];

		if (!value && word_of(o, page, word))
			lost = true;
		else if (lost || value != word_of(o, page, word))
			return -1;
	}
	return !lost;
}

static bool extent_is_whole(const struct owned *o, unsigned int extent)
{
	size_t page;

	for (page = extent * LENGTH; page < (extent + 1) * LENGTH; page++)
		if (page_is(o, page) != 1)
			return false;
	return true;
}

/* A mapping whose region has no client of ours: nothing is certain but this */
static bool data_is_sane(const struct owned *o)
{
	size_t page;

	for (page = 0; page < PAGES; page++)
		if (page_is(o, page) < 0)
			return false;
	return true;
}

/* And if the owner may be filling it, only that no word is anything else */
static bool words_are_sane(const struct owned *o)
{
	const volatile uint64_t *words = (uint64_t *)o->data;
	size_t i;

	for (i = 0; i < BYTES / 8; i++) {
		uint64_t value = words[i];

		if (value && value != word_of(o, i * 8 / PAGE, i % (PAGE / 8)))
			return false;
	}
	return true;
}

static bool own_region(struct owned *o, uint64_t *seed)
{
	struct torture *t = &o->shared->torture;
	unsigned int i;
	long address;

	o->fd = region_create(PAGES, 0);
	address = map_at(o->fd, 0, BYTES, TORTURE_RW);
	if (!TORTURE_CHECK(t, o->fd >= 0) ||
	    !TORTURE_CHECK(t, !MAP_FAILED_WITH(address)))
		return false;
	o->data = (char *)address;
	o->stamp = random_next(seed) | 1;
	for (i = 0; i < EXTENTS; i++) {
		if (!TORTURE_CHECK(t, !region_reshape(o->fd, i * LENGTH, LENGTH,
						      0)))
			return false;
		o->generation[i] = 1;
		o->pinned[i] = true;
		fill(o, i);
	}
	torture_count(&o->shared->regions, 1);
	return true;
}

/* Pin or unpin one extent, and compare what is there with what we were told */
static bool visit(struct owned *o, unsigned int i)
{
	struct torture *t = &o->shared->torture;
	uint32_t known = o->generation[i], verdict;

	if (o->pinned[i]) {
		o->pinned[i] = false;
		return TORTURE_CHECK(t, extent_is_whole(o, i)) &&
		       TORTURE_CHECK(t, !region_unpin(o->fd, i * LENGTH));
	}
	if (!TORTURE_CHECK(t, !region_pin(o->fd, i * LENGTH, &o->generation[i],
					  &verdict)) ||
	    !TORTURE_CHECK(t, verdict != PASHM_STALE) ||
	    !TORTURE_CHECK(t, (verdict == PASHM_INTACT) ==
			      (known == o->generation[i])))
		return false;
	o->pinned[i] = true;
	torture_count(verdict == PASHM_INTACT ? &o->shared->intact :
						&o->shared->lost, 1);
	if (verdict == PASHM_PURGED)
		fill(o, i);
	return TORTURE_CHECK(t, extent_is_whole(o, i));
}

/* Elsewhere, with all its pages */
static bool move(struct owned *o)
{
	void *to = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	long address = CALL(mremap(o->data, BYTES, BYTES,
				   MREMAP_MAYMOVE | MREMAP_FIXED, to));

	if (!TORTURE_CHECK(&o->shared->torture, address == (long)to))
		return false;
	o->data = to;
	torture_count(&o->shared->moves, 1);
	return true;
}

/* A child that looks at the data for a while, whatever becomes of the region */
static pid_t fork_reader(struct owned *o, uint64_t seed)
{
	pid_t pid = fork();
	int rounds = seed % 8;

	if (pid) {
		torture_count(&o->shared->forks, 1);
		return pid;
	}
	if (seed & 64)
		close(o->fd);
	while (rounds--) {
		if (seed & 128)
			wander(&seed);
		if (!TORTURE_CHECK(&o->shared->torture, words_are_sane(o)))
			_exit(1);
		usleep(seed >> 8 & 2047);
	}
	_exit(0);
}

/* Give the region up bit by bit, in one order or the other */
static void give_up(struct owned *o, uint64_t *seed)
{
	struct torture *t = &o->shared->torture;

	if (random_next(seed) % 2) {
		TORTURE_CHECK(t, !munmap(o->data, BYTES));
		close(o->fd);
		return;
	}
	close(o->fd);
	if (random_next(seed) % 2)
		TORTURE_CHECK(t, data_is_sane(o));
	if (random_next(seed) % 2 &&
	    TORTURE_CHECK(t, !munmap(o->data + 5 * PAGE, 7 * PAGE)))
		TORTURE_CHECK(t, page_is(o, 3) >= 0 && page_is(o, 20) >= 0);
	TORTURE_CHECK(t, !munmap(o->data, BYTES));
}

/* While others purge it, as likely as not, and a child may look at it */
static void end_region(struct owned *o, pid_t reader, uint64_t *seed)
{
	uint64_t *ending = &o->shared->ending[o->owner];
	int ended, status = 0;

	__atomic_store_n(ending, region_info(o->fd).inode, __ATOMIC_SEQ_CST);
	if (random_next(seed) % 2)
		send_descriptor(o->shared->channel[0], o->fd);
	give_up(o, seed);
	__atomic_store_n(ending, 0, __ATOMIC_SEQ_CST);
	if (!reader)
		return;
	ended = waitpid(reader, &status, WNOHANG);
	torture_count(&o->shared->outlive, !ended);
	if (!ended)
		ended = waitpid(reader, &status, 0);
	if (ended != reader || status)
		TORTURE_FAIL(&o->shared->torture, "reader: %x", status);
}

static void be_owner(void *arg, unsigned int number, uint64_t seed)
{
	struct owned o = { .shared = arg, .owner = number };

	while (!torture_stopped(&o.shared->torture)) {
		unsigned int visits = random_next(&seed) % 64;
		pid_t reader = 0;

		wander(&seed);
		if (!own_region(&o, &seed))
			_exit(1);
		while (visits--) {
			if (!visit(&o, random_next(&seed) % EXTENTS))
				_exit(1);
			if (random_next(&seed) % 32 == 0 && !move(&o))
				_exit(1);
			if (random_next(&seed) % 32 == 0 && !reader)
				reader = fork_reader(&o, random_next(&seed));
			if (random_next(&seed) % 16 == 0)
				wander(&seed);
		}
		end_region(&o, reader, &seed);
	}
}

static bool is_ending(struct teardown *shared, uint64_t inode)
{
	unsigned int i;

	for (i = 0; i < OWNERS; i++)
		if (__atomic_load_n(&shared->ending[i], __ATOMIC_SEQ_CST) ==
		    inode)
			return true;
	return false;
}

/* Regions that their owners give up, at the same time or later */
static void be_purger(void *arg, unsigned int number, uint64_t seed)
{
	struct teardown *shared = arg;
	struct pollfd ready = { .fd = shared->channel[1], .events = POLLIN };
	struct torture *t = &shared->torture;
	int fd;

	(void)number;
	while (!torture_stopped(t)) {
		int rounds = random_next(&seed) % 4;
		long freed;

		fd = poll(&ready, 1, 20) > 0 ?
		     receive_descriptor(shared->channel[1]) : -EAGAIN;
		if (fd < 0)
			continue;
		while (rounds--) {
			if (is_ending(shared, region_info(fd).inode))
				torture_count(&shared->met, 1);
			freed = region_purge(fd);
			TORTURE_CHECK(t, freed >= 0 && freed <= (long)BYTES);
			torture_count(&shared->purged, freed / PAGE);
			TORTURE_CHECK(t, region_info(fd).violations == 0);
		}
		close(fd);
	}
	while ((fd = receive_descriptor(shared->channel[1])) >= 0)
		close(fd);
}

/* Groups come, are asked for their memory, and go as soon as they are empty */
static void be_cgroups(void *arg, unsigned int number, uint64_t seed)
{
	struct teardown *shared = arg;
	bool fresh, charged;
	char path[64];
	long ret;

	(void)number;
	torture_hurry(-5);
	while (!torture_stopped(&shared->torture)) {
		group_name(random_next(&seed) % GROUPS, path, sizeof(path));
		fresh = !mkdir(path, 0755);
		torture_count(&shared->groups, fresh);
		/* Asked for more than there is, it says EAGAIN */
		ret = random_next(&seed) % 2 ? -EBUSY :
		      torture_group_write(path, "memory.reclaim", "64K");
		if (!ret || ret == -EAGAIN)
			torture_count(&shared->reclaims, 1);
		if (random_next(&seed) % 16 == 0)
			file_write("/proc/sys/vm/drop_caches", "2");
		/* Shared memory is of regions only. A new one is left for others */
		charged = torture_group_shmem(path) > 0;
		if (!fresh && random_next(&seed) % 2 && !rmdir(path))
			torture_count(&shared->removed, charged);
		usleep(random_next(&seed) % 16000);
	}
}

/* It has happened, too: what a machine that is busy with others can do */
static void expect_encounters(struct __test_metadata *_metadata,
			      const struct teardown *shared)
{
	uint64_t seconds = scaled(SECONDS);

	EXPECT_LE(seconds, shared->regions);
	EXPECT_LE(seconds, shared->intact);
	EXPECT_LE(seconds, shared->lost);
	EXPECT_LE(seconds, shared->purged);
	EXPECT_LE(seconds, shared->reclaims);
	EXPECT_LE(seconds / 2, shared->met);
	EXPECT_LE(seconds / 2, shared->outlive);
	EXPECT_LT((seconds - 1) / 10, shared->removed);
}

TEST_F_TIMEOUT(torture_teardown, regions_end_in_the_middle_of_everything, 7200)
{
	struct teardown *shared = self->shared;
	char path[64];
	unsigned int i;

	for (i = 0; i < PURGERS; i++)
		ASSERT_TRUE(torture_hire(&self->crew, be_purger, shared, i));
	for (i = 0; i < OWNERS; i++)
		ASSERT_TRUE(torture_hire(&self->crew, be_owner, shared, i));
	ASSERT_TRUE(torture_hire(&self->crew, be_cgroups, shared, 0));
	torture_watch(&self->crew, scaled(SECONDS));
	/* A short run may have to wait for what happens once in a second */
	for (i = 0; i < PATIENCE && !shared->removed; i++)
		torture_watch(&self->crew, 1);
	torture_end(&self->crew);
	for (i = 0; i < GROUPS; i++)
		EXPECT_TRUE(torture_remove(group_name(i, path, sizeof(path))));
	EXPECT_STREQ("", shared->torture.failure);
	TH_LOG("%llu regions, %llu extents intact, %llu lost, %llu forks, %llu moves",
	       (unsigned long long)shared->regions,
	       (unsigned long long)shared->intact,
	       (unsigned long long)shared->lost,
	       (unsigned long long)shared->forks,
	       (unsigned long long)shared->moves);
	TH_LOG("%llu pages purged on request, %llu groups, %llu reclaims",
	       (unsigned long long)shared->purged,
	       (unsigned long long)shared->groups,
	       (unsigned long long)shared->reclaims);
	TH_LOG("%llu purges met an end, %llu forks outlived one, %llu charged groups removed",
	       (unsigned long long)shared->met,
	       (unsigned long long)shared->outlive,
	       (unsigned long long)shared->removed);
	EXPECT_EQ(0, torture_oom_kills(OUTER));
	expect_encounters(_metadata, shared);
	/* In flight to nobody, if any */
	close(shared->channel[0]);
	close(shared->channel[1]);
	EXPECT_EQ(0, module_references());
	EXPECT_GE(GROUPS, groups_left_behind(GROUPS));
	EXPECT_EQ(0, module_unload());
	EXPECT_STREQ("", module_traces());
}

TEST_HARNESS_MAIN
