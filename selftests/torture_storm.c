// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fifty cgroups whose memory.max and memory.high go up and down at random. In
 * each a client fills, unpins and pins a region of its own and one that all
 * share. The limits never go below what is pinned, so nobody may be killed;
 * what is pinned stays; and each loss is counted, and told, just once.
 *
 * 20 seconds, times PASHM_TEST_SCALE.
 */
#include "torture.h"

#define SECONDS		20
#define GROUPS		50U
#define WINDS		3U			/* who set limits */
#define LIMITS_MIN	15			/* that are set, for each second */
#define LENGTH		16U			/* pages of an extent */
#define EXTENTS		64U			/* in a region of one's own */
#define PINNED_EVERY	8U			/* of these: for good */
#define PAGES		(EXTENTS * LENGTH)	/* 4 MiB */
#define SHARED_EXTENTS	256U
#define WATCHED		16U			/* a client watches one of so many */
#define SHARED_PAGES	(SHARED_EXTENTS * LENGTH)
#define OUTER		"/sys/fs/cgroup/pashm-storm"
#define MIB		(1UL << 20)
/* Pinned are 512 KiB; programs, tables and stacks take their part, too */
#define LIMIT_LOW	(3 * MIB)
#define LIMIT_HIGH	(8 * MIB)

/**
 * struct storm - what the processes share
 * @wind: for those who set the limits: they end first
 * @fd:   the region of all
 */
struct storm {
	struct torture torture, wind;
	int fd;
	unsigned int ready;
	uint64_t visits, lost, own_purges, limits, shared_lost;
};

struct owner {
	struct storm *storm;
	int fd;
	char *data;
	const uint64_t *states;
	uint32_t first[EXTENTS], known[EXTENTS];
	unsigned int number;
	uint32_t shared_known[SHARED_EXTENTS];
	bool shared_filled[SHARED_EXTENTS];
	uint64_t seed, told;			/* losses told */
	int shared_fd;
	char *shared_data;
};

FIXTURE(torture_storm)
{
	struct storm *storm;
	struct torture_crew crew;
	uint32_t first[SHARED_EXTENTS];
};

static const char *group_name(unsigned int number, char *path, size_t size)
{
	snprintf(path, size, OUTER "/%u", number);
	return path;
}

static void remove_groups(void)
{
	char path[64];
	unsigned int i;

	for (i = 0; i < GROUPS; i++)
		torture_remove(group_name(i, path, sizeof(path)));
	torture_remove(OUTER);
}

static uint32_t generation_at(const uint64_t *states, size_t page)
{
	return pashm_state_generation(__atomic_load_n(&states[page],
						      __ATOMIC_ACQUIRE));
}

static const uint64_t *map_states(int fd, size_t pages)
{
	return (uint64_t *)map_at(fd, PASHM_OFFSET_STATES, pages * 8,
				  PROT_READ);
}

FIXTURE_SETUP(torture_storm)
{
	const uint64_t *states;
	unsigned int i;
	char path[64];

	SKIP_WITHOUT_DEVICE();
	if (geteuid())
		SKIP(_exit(255), "only root can make cgroups");
	remove_groups();
	if (mkdir(OUTER, 0755) ||
	    file_write(OUTER "/cgroup.subtree_control", "+memory"))
		SKIP(_exit(255), "no memory controller in cgroup v2");
	for (i = 0; i < GROUPS; i++)
		ASSERT_EQ(0, mkdir(group_name(i, path, sizeof(path)), 0755));
	self->storm = torture_share(sizeof(*self->storm));
	ASSERT_NE(NULL, self->storm);
	self->crew.torture = &self->storm->torture;
	self->storm->fd = region_create(SHARED_PAGES, 0);
	ASSERT_LE(0, self->storm->fd);
	states = map_states(self->storm->fd, SHARED_PAGES);
	for (i = 0; i < SHARED_EXTENTS; i++) {
		ASSERT_EQ(0, region_reshape(self->storm->fd, i * LENGTH, LENGTH,
					    0));
		ASSERT_EQ(0, region_unpin(self->storm->fd, i * LENGTH));
		self->first[i] = generation_at(states, i * LENGTH);
	}
}

FIXTURE_TEARDOWN(torture_storm)
{
	torture_end(&self->crew);
	close(self->storm->fd);
	remove_groups();
}

static bool is_kept(unsigned int extent)
{
	return extent % PINNED_EVERY == 0;
}

/* Contents follow from the place and from the generation they were made in */
static uint64_t word_of(unsigned int extent, uint32_t generation, size_t word)
{
	return (((uint64_t)generation << 32 | extent) + 1) *
	       0x9e3779b97f4a7c15ULL + word;
}

/* Some words of each page are enough to fill it and to tell */
static void fill(char *data, unsigned int extent, uint32_t generation)
{
	uint64_t *words = (uint64_t *)(data + extent * LENGTH * PAGE);
	size_t i;

	for (i = 0; i < LENGTH * PAGE / 8; i += 32)
		words[i] = word_of(extent, generation, i);
}

static bool holds(const char *data, unsigned int extent, uint32_t generation)
{
	const uint64_t *words = (uint64_t *)(data + extent * LENGTH * PAGE);
	size_t i;

	for (i = 0; i < LENGTH * PAGE / 8; i += 32)
		if (words[i] != word_of(extent, generation, i))
			return false;
	return true;
}

static bool is_empty(const char *data, unsigned int extent)
{
	const uint64_t *words = (uint64_t *)(data + extent * LENGTH * PAGE);
	size_t i;

	for (i = 0; i < LENGTH * PAGE / 8; i += 32)
		if (words[i])
			return false;
	return true;
}

/*
 * Others may fill it while we do: all write the same. What we have filled once
 * is intact, or we are told; what we have not is of no generation we know.
 */
static bool visit_shared(struct owner *o, unsigned int i)
{
	struct torture *t = &o->storm->torture;
	uint32_t known = o->shared_known[i], verdict;
	bool filled = o->shared_filled[i];

	if (!TORTURE_CHECK(t, !region_pin(o->shared_fd, i * LENGTH,
					  &o->shared_known[i], &verdict)) ||
	    !TORTURE_CHECK(t, verdict != PASHM_STALE || !filled) ||
	    !TORTURE_CHECK(t, !filled || (verdict == PASHM_PURGED) ==
					 (known != o->shared_known[i])))
		return false;
	if (verdict == PASHM_STALE)
		return true;
	if (verdict == PASHM_PURGED)
		torture_count(&o->storm->shared_lost, 1);
	else if (filled &&
		 !TORTURE_CHECK(t, holds(o->shared_data, i,
					 o->shared_known[i])))
		return false;
	fill(o->shared_data, i, o->shared_known[i]);
	o->shared_filled[i] = true;
	return TORTURE_CHECK(t, holds(o->shared_data, i,
				      o->shared_known[i])) &&
	       TORTURE_CHECK(t, !region_unpin(o->shared_fd, i * LENGTH));
}

/*
 * Some clients for each extent know it from the beginning and look at the end; so each
 * purge is told. The first visit tells one that knows nothing yet what there is.
 */
static bool visit_watched(struct owner *o)
{
	unsigned int i;

	for (i = o->number % WATCHED; i < SHARED_EXTENTS; i += WATCHED)
		if (!visit_shared(o, i) || !visit_shared(o, i))
			return false;
	return true;
}

static bool set_up(struct owner *o)
{
	struct torture *t = &o->storm->torture;
	unsigned int i;

	o->fd = region_create(PAGES, 0);
	o->data = (char *)map_at(o->fd, 0, PAGES * PAGE, TORTURE_RW);
	o->states = map_states(o->fd, PAGES);
	o->shared_fd = region_attach(o->storm->fd, 0);
	o->shared_data = (char *)map_at(o->shared_fd, 0, SHARED_PAGES * PAGE,
					TORTURE_RW);
	if (!TORTURE_CHECK(t, o->fd >= 0 && o->shared_fd >= 0) ||
	    !TORTURE_CHECK(t, !MAP_FAILED_WITH((long)o->data)) ||
	    !TORTURE_CHECK(t, !MAP_FAILED_WITH((long)o->shared_data)) ||
	    !TORTURE_CHECK(t, !MAP_FAILED_WITH((long)o->states)))
		return false;
	for (i = 0; i < EXTENTS; i++) {
		if (!TORTURE_CHECK(t, !region_reshape(o->fd, i * LENGTH, LENGTH,
						      0)))
			return false;
		o->first[i] = o->known[i] = generation_at(o->states,
							  i * LENGTH);
		fill(o->data, i, o->known[i]);
		if (!is_kept(i) &&
		    !TORTURE_CHECK(t, !region_unpin(o->fd, i * LENGTH)))
			return false;
	}
	if (!visit_watched(o))
		return false;
	__atomic_fetch_add(&o->storm->ready, 1, __ATOMIC_SEQ_CST);
	return true;
}

/* Only we fill it, so it holds what we know, or nothing and we are told */
static bool visit_own(struct owner *o, unsigned int i)
{
	struct torture *t = &o->storm->torture;
	uint32_t known = o->known[i], verdict;

	if (is_kept(i))
		return TORTURE_CHECK(t, holds(o->data, i, known));
	if (!TORTURE_CHECK(t, !region_pin(o->fd, i * LENGTH, &o->known[i],
					  &verdict)) ||
	    !TORTURE_CHECK(t, verdict != PASHM_STALE) ||
	    !TORTURE_CHECK(t, (verdict == PASHM_PURGED) ==
			      (known != o->known[i])))
		return false;
	if (verdict == PASHM_PURGED) {
		o->told += o->known[i] - known;
		if (!TORTURE_CHECK(t, is_empty(o->data, i)))
			return false;
		fill(o->data, i, o->known[i]);
	}
	return TORTURE_CHECK(t, holds(o->data, i, o->known[i])) &&
	       TORTURE_CHECK(t, !region_unpin(o->fd, i * LENGTH));
}

/* All is calm. Every purge has moved one generation, every move was told */
static void settle(struct owner *o)
{
	struct torture *t = &o->storm->torture;
	struct pashm_info info;
	uint64_t moved = 0;
	unsigned int i;

	if (!visit_watched(o))
		return;
	for (i = 0; i < EXTENTS; i++)
		if (!visit_own(o, i))
			return;
	for (i = 0; i < EXTENTS; i++)
		moved += generation_at(o->states, i * LENGTH) - o->first[i];
	info = region_info(o->fd);
	TORTURE_CHECK(t, info.violations == 0);
	TORTURE_CHECK(t, info.purges == moved);
	TORTURE_CHECK(t, o->told == moved);
	TORTURE_CHECK(t, info.purged <= moved * LENGTH * PAGE);
	TORTURE_CHECK(t, info.purged >= moved * PAGE);
	TORTURE_CHECK(t, info.pinned_extents == EXTENTS / PINNED_EVERY);
	torture_count(&o->storm->lost, o->told);
	torture_count(&o->storm->own_purges, info.purges);
}

/* Those who are ready first must not keep the others from it */
static void await_all(struct storm *storm)
{
	while (__atomic_load_n(&storm->ready, __ATOMIC_SEQ_CST) < GROUPS &&
	       !torture_stopped(&storm->torture))
		usleep(100000);
}

static void be_client(void *arg, unsigned int number, uint64_t seed)
{
	static struct owner o;
	struct storm *storm = arg;
	char path[64];

	group_name(number, path, sizeof(path));
	o.storm = storm;
	o.number = number;
	o.seed = seed;
	if (torture_group_write(path, "cgroup.procs", "0") || !set_up(&o))
		_exit(1);
	await_all(storm);
	while (!torture_stopped(&storm->torture)) {
		uint64_t choice = random_next(&o.seed);

		if (choice % 4 == 0 ?
		    !visit_shared(&o, choice >> 8 & (SHARED_EXTENTS - 1)) :
		    !visit_own(&o, choice >> 8 & (EXTENTS - 1)))
			_exit(1);
		if (choice >> 32 & 1)
			usleep(choice >> 33 & 1023);
		torture_count(&storm->visits, 1);
	}
	/* The limits are off by now */
	settle(&o);
}

/* Limits jump; to set one reclaims on the spot, and kills if that is in vain */
static void be_storm(void *arg, unsigned int number, uint64_t seed)
{
	struct storm *storm = arg;
	char path[64], text[32];
	long ret;

	(void)number;
	torture_hurry(-20);
	while (__atomic_load_n(&storm->ready, __ATOMIC_SEQ_CST) < GROUPS &&
	       !torture_stopped(&storm->wind))
		usleep(10000);
	while (!torture_stopped(&storm->wind)) {
		uint64_t choice = random_next(&seed);
		unsigned long limit = LIMIT_LOW + random_next(&seed) %
				      (LIMIT_HIGH - LIMIT_LOW);

		group_name(choice % GROUPS, path, sizeof(path));
		snprintf(text, sizeof(text), "%lu", limit);
		if (choice >> 8 & 1)
			ret = torture_group_write(path, "memory.max",
						  choice >> 9 & 7 ? text :
								    "max");
		else
			ret = torture_group_write(path, "memory.high",
						  choice >> 9 & 1 ? text :
								    "max");
		if (!ret)
			torture_count(&storm->limits, 1);
		usleep(random_next(&seed) % 1000);
	}
}

static void lift_limits(void)
{
	char path[64];
	unsigned int i;

	for (i = 0; i < GROUPS; i++) {
		group_name(i, path, sizeof(path));
		torture_group_write(path, "memory.high", "max");
		torture_group_write(path, "memory.max", "max");
	}
}

static void check_shared(struct __test_metadata *_metadata,
			 struct _test_data_torture_storm *self)
{
	const uint64_t *states = map_states(self->storm->fd, SHARED_PAGES);
	struct pashm_info info = region_info(self->storm->fd);
	uint64_t moved = 0;
	unsigned int i;

	for (i = 0; i < SHARED_EXTENTS; i++)
		moved += generation_at(states, i * LENGTH) - self->first[i];
	EXPECT_EQ(moved, info.purges);
	EXPECT_GE(info.purges * LENGTH * PAGE, info.purged);
	EXPECT_EQ(0, info.violations);
	EXPECT_EQ(1, info.clients);
	EXPECT_EQ(0, info.pinned_extents);
	TH_LOG("shared by all: %llu purges, told %llu times",
	       (unsigned long long)info.purges,
	       (unsigned long long)self->storm->shared_lost);
}

TEST_F_TIMEOUT(torture_storm, limits_in_motion_kill_nobody, 7200)
{
	struct storm *storm = self->storm;
	struct torture_crew winds = { .torture = &storm->wind };
	unsigned int i;

	for (i = 0; i < GROUPS; i++)
		ASSERT_TRUE(torture_hire(&self->crew, be_client, storm, i));
	for (i = 0; i < WINDS; i++)
		ASSERT_TRUE(torture_hire(&winds, be_storm, storm, i));
	while (__atomic_load_n(&storm->ready, __ATOMIC_SEQ_CST) < GROUPS &&
	       !torture_stopped(&storm->torture))
		torture_watch(&self->crew, 1);
	torture_watch(&self->crew, scaled(SECONDS));
	/* A slow guest takes longer */
	while (__atomic_load_n(&storm->limits, __ATOMIC_RELAXED) <
	       LIMITS_MIN * (unsigned long)scaled(SECONDS) &&
	       !torture_stopped(&storm->torture))
		torture_watch(&self->crew, 1);
	torture_end(&winds);
	lift_limits();
	torture_end(&self->crew);
	EXPECT_STREQ("", storm->torture.failure);
	EXPECT_STREQ("", storm->wind.failure);
	EXPECT_EQ(GROUPS, storm->ready);
	EXPECT_EQ(0, torture_oom_kills(OUTER));
	check_shared(_metadata, self);
	TH_LOG("%llu visits, %llu limits set, %llu losses told of %llu purges",
	       (unsigned long long)storm->visits,
	       (unsigned long long)storm->limits,
	       (unsigned long long)storm->lost,
	       (unsigned long long)storm->own_purges);
	EXPECT_NE(0, storm->lost);
	EXPECT_NE(0, storm->shared_lost);
}

TEST_HARNESS_MAIN
