// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reclaim takes, and what it keeps: the choice of victims, in a cgroup at its
 * limit. That it takes as much as it should is tested elsewhere.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "cgroup.h"

#define DROP	"/proc/sys/vm/drop_caches"

FIXTURE(policy)
{
	int fd;
	char *data;
	size_t extents;
};

/* Of EXTENT pages each */
static size_t extents_in(size_t count)
{
	return units(count) / PAGE / EXTENT;
}

static void open_region(struct __test_metadata *_metadata,
			struct _test_data_policy *self)
{
	long address;

	self->extents = extents_in(400);
	self->fd = region_create(self->extents * EXTENT, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, 0, self->extents * EXTENT * PAGE, RW);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->data = (char *)address;
}

static void close_region(struct _test_data_policy *self)
{
	munmap(self->data, self->extents * EXTENT * PAGE);
	close(self->fd);
}

FIXTURE_SETUP(policy)
{
	const char *why;

	SKIP_WITHOUT_DEVICE();
	why = make_groups();
	if (why)
		SKIP(_exit(255), "%s", why);
	ASSERT_EQ(0, enter(INNER));
	open_region(_metadata, self);
}

FIXTURE_TEARDOWN(policy)
{
	close_region(self);
	enter("/sys/fs/cgroup");
	remove_groups();
}

static void make(struct __test_metadata *_metadata,
		 struct _test_data_policy *self, size_t extent,
		 uint32_t priority)
{
	struct pashm_reshape reshape = {
		.size = sizeof(reshape), .priority = priority,
		.offset = extent * EXTENT * PAGE, .length = EXTENT * PAGE,
	};

	ASSERT_EQ(0, command(self->fd, PASHM_IOC_RESHAPE, &reshape));
	fill_extent(self->data, extent);
	ASSERT_EQ(0, region_unpin(self->fd, extent * EXTENT));
}

/* As a cache does: filled again if it is gone. Returns whether it was there */
static bool use(struct __test_metadata *_metadata,
		struct _test_data_policy *self, size_t extent,
		uint32_t *generation)
{
	uint32_t verdict;

	ASSERT_EQ(0, region_pin(self->fd, extent * EXTENT, generation,
				&verdict));
	if (verdict != PASHM_INTACT)
		fill_extent(self->data, extent);
	ASSERT_EQ(0, region_unpin(self->fd, extent * EXTENT));
	return verdict == PASHM_INTACT;
}

static size_t lost(struct __test_metadata *_metadata,
		   struct _test_data_policy *self, size_t first, size_t step,
		   size_t end)
{
	size_t extent, count = 0;

	for (extent = first; extent < end; extent += step) {
		uint32_t generation = 1, verdict;

		ASSERT_EQ(0, region_pin(self->fd, extent * EXTENT, &generation,
					&verdict));
		count += verdict != PASHM_INTACT;
		ASSERT_EQ(0, region_unpin(self->fd, extent * EXTENT));
	}
	return count;
}

/* All were used once, in the first epoch: nothing else tells them apart */
TEST_F_TIMEOUT(policy, a_low_priority_goes_first_from_the_first_purge_on, 600)
{
	size_t end = extents_in(56), extent, low, high;

	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < end; extent++)
		make(_metadata, self, extent, extent < end / 2 ? 6 : 2);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(44)));
	high = lost(_metadata, self, 0, 1, end / 2);
	low = lost(_metadata, self, end / 2, 1, end);
	TH_LOG("of %zu of a low priority %zu are lost, of a high one %zu",
	       end / 2, low, high);
	EXPECT_LE(extents_in(8), low);
	EXPECT_GE(low / 50, high);
}

/*
 * A stream of extents that are used once goes by. What was used in several epochs
 * before stays, though nobody uses it: LRU would have lost all of that.
 */
TEST_F_TIMEOUT(policy, what_was_used_often_outlives_a_scan, 600)
{
	size_t hot = extents_in(16), next = hot, round, extent, gone = 0;
	uint32_t *generation = calloc(hot, sizeof(*generation));

	ASSERT_NE(NULL, generation);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < hot; extent++) {
		make(_metadata, self, extent, PASHM_PRIORITY_DEFAULT);
		generation[extent] = 1;
	}
	for (round = 0; round < 12; round++) {
		for (extent = 0; extent < hot; extent++)
			use(_metadata, self, extent, &generation[extent]);
		for (extent = 0; extent < extents_in(16); extent++)
			make(_metadata, self, next++, PASHM_PRIORITY_DEFAULT);
	}
	for (extent = 0; extent < hot; extent++)
		use(_metadata, self, extent, &generation[extent]);
	for (extent = 0; extent < extents_in(80); extent++)
		make(_metadata, self, next++, PASHM_PRIORITY_DEFAULT);
	for (extent = 0; extent < hot; extent++)
		gone += !use(_metadata, self, extent, &generation[extent]);
	TH_LOG("%zu of %zu are lost", gone, hot);
	EXPECT_GE(hot / 10, gone);
	free(generation);
}

static void tick_until(struct __test_metadata *_metadata,
		       struct _test_data_policy *self, uint32_t epoch)
{
	while (region_info(self->fd).epoch < epoch) {
		make(_metadata, self, 1, PASHM_PRIORITY_DEFAULT);
		ASSERT_EQ(EXTENT * PAGE, region_purge(self->fd));
	}
}

static void drop(struct __test_metadata *_metadata,
		 struct _test_data_policy *self)
{
	make(_metadata, self, 1, PASHM_PRIORITY_DEFAULT);
	ASSERT_EQ(0, file_write(DROP, "2"));
}

/*
 * Ages are counted modulo 256: what is gone for so long would look fresh. Purges on
 * request make the clock tick, and the hand of reclaim finds the note.
 */
TEST_F_TIMEOUT(policy, old_notes_are_cleared_before_they_look_fresh, 600)
{
	long address = map_at(self->fd, PASHM_OFFSET_PINS, PAGE, PROT_READ);
	uint32_t *pins = (uint32_t *)address, before, epoch;
	int tries;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	make(_metadata, self, 0, PASHM_PRIORITY_DEFAULT);
	ASSERT_EQ(EXTENT * PAGE, region_purge(self->fd));
	before = pins[0];
	epoch = region_info(self->fd).epoch;
	EXPECT_NE(0, pashm_pin_recency(before));
	EXPECT_EQ(1, pashm_pin_frequency(before));
	tick_until(_metadata, self, epoch + 150);
	for (tries = 0; tries < 5; tries++)
		drop(_metadata, self);
	EXPECT_EQ(before, pins[0]);
	tick_until(_metadata, self, epoch + 210);
	EXPECT_EQ(before, pins[0]);
	for (tries = 0; tries < 20 && pins[0]; tries++)
		drop(_metadata, self);
	EXPECT_EQ(0, pins[0]);
	munmap(pins, PAGE);
}

static int share_lost(int fd, size_t filled)
{
	return (int)(100 - region_info(fd).resident * 100 / units(filled));
}

TEST_F_TIMEOUT(policy, regions_give_in_proportion_to_their_size, 600)
{
	struct _test_data_policy small;
	int of_large, of_small;
	size_t extent;

	open_region(_metadata, &small);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < extents_in(48); extent++)
		make(_metadata, self, extent, PASHM_PRIORITY_DEFAULT);
	for (extent = 0; extent < extents_in(8); extent++)
		make(_metadata, &small, extent, PASHM_PRIORITY_DEFAULT);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(36)));
	of_large = share_lost(self->fd, 48);
	of_small = share_lost(small.fd, 8);
	TH_LOG("the large one has lost %d %%, the small one %d %%", of_large,
	       of_small);
	EXPECT_LE(20, of_large);
	EXPECT_GE(15, abs(of_large - of_small));
	close_region(&small);
}

/*
 * More listings than are looked at in one go. A letter for each region: units that it
 * has, of extents that are unpinned; or p: one unit, and all is pinned.
 */
#define MIXED	"18p111181p11181111p8111111"
#define SORTED	"11111111pppppppp44444444"
#define CROWD	32U

static bool crowd_pinned(char kind)
{
	return kind == 'p';
}

static size_t crowd_size(char kind)
{
	return crowd_pinned(kind) ? 1 : (size_t)(kind - '0');
}

/* One that fills @count units with data, and reclaims for that; then it keeps them */
static pid_t start_eater(size_t count)
{
	pid_t pid = fork();
	char *data;
	size_t at;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	data = mmap(NULL, units(count), RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		_exit(1);
	for (at = 0; at < units(count); at += PAGE)
		data[at] = 1;
	raise(SIGSTOP);
	_exit(0);
}

static void eat(struct __test_metadata *_metadata, size_t eaters, size_t count)
{
	pid_t pids[8];
	size_t i;
	int status;

	for (i = 0; i < eaters; i++) {
		pids[i] = start_eater(count);
		ASSERT_LT(0, pids[i]);
	}
	for (i = 0; i < eaters; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, WUNTRACED));
		EXPECT_TRUE(WIFSTOPPED(status));
	}
	for (i = 0; i < eaters; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
}

static void fill_one(struct __test_metadata *_metadata,
		     struct _test_data_policy *one, char kind)
{
	size_t extent;

	open_region(_metadata, one);
	for (extent = 0; extent < extents_in(crowd_size(kind)); extent++) {
		uint32_t generation = 1, verdict;

		make(_metadata, one, extent, PASHM_PRIORITY_DEFAULT);
		if (crowd_pinned(kind))
			ASSERT_EQ(0, region_pin(one->fd, extent * EXTENT,
						&generation, &verdict));
	}
}

struct crowd_loss {
	int small, large;		/* mean, in per cent */
	size_t smalls, larges;
	size_t spared, emptied;		/* small ones that lost nothing, or all */
};

static void count_loss(struct crowd_loss *loss, int share, char kind)
{
	if (kind == '1') {
		loss->smalls++;
		loss->small += share;
		loss->spared += share == 0;
		loss->emptied += share == 100;
	} else {
		loss->larges++;
		loss->large += share;
	}
}

/* Several reclaimers at once take @eaten units away, of which each wants a little */
static void press_crowd(struct __test_metadata *_metadata, const char *kinds,
			size_t eaten)
{
	struct _test_data_policy crowd[CROWD];
	struct crowd_loss loss = {};
	size_t i;

	for (i = 0; kinds[i]; i++)
		fill_one(_metadata, &crowd[i], kinds[i]);
	eat(_metadata, 4, eaten / 4);
	for (i = 0; kinds[i]; i++) {
		int share = share_lost(crowd[i].fd, crowd_size(kinds[i]));

		close_region(&crowd[i]);
		if (!crowd_pinned(kinds[i]))
			count_loss(&loss, share, kinds[i]);
		else
			EXPECT_EQ(0, share);
	}
	loss.small /= (int)loss.smalls;
	loss.large /= (int)loss.larges;
	TH_LOG("the large ones have lost %d %%, the small ones %d %%; of those %zu nothing, %zu all",
	       loss.large, loss.small, loss.spared, loss.emptied);
	EXPECT_LE(5, loss.large);
	/* A small one can only give a whole extent more than its share */
	EXPECT_GE(15 + 100 / (int)extents_in(1),
		  abs(loss.large - loss.small));
	EXPECT_GE(loss.smalls / 4, loss.spared);
	EXPECT_GE(loss.smalls / 4, loss.emptied);
}

TEST_F_TIMEOUT(policy, a_crowd_of_regions_gives_in_proportion, 600)
{
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(70)));
	press_crowd(_metadata, MIXED, 28);
}

/* One look sees small ones alone, another only such as have nothing to give */
TEST_F_TIMEOUT(policy, regions_give_in_proportion_in_whatever_order_they_are, 600)
{
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	press_crowd(_metadata, SORTED, 28);
}

static uint64_t resident(const struct _test_data_policy *one)
{
	return region_info(one->fd).resident;
}

/* Lower the limit until the two regions have at most @count units together */
static void squeeze(struct __test_metadata *_metadata,
		    const struct _test_data_policy *one,
		    const struct _test_data_policy *other, size_t count)
{
	size_t limit;

	for (limit = 64; resident(one) + resident(other) > units(count);
	     limit--) {
		ASSERT_LT(0, limit);
		ASSERT_EQ(0, group_set(INNER, "memory.max", units(limit)));
	}
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
}

/* Not all that it has first, and not when the other has given all */
TEST_F_TIMEOUT(policy, a_region_that_comes_late_gives_like_the_others, 600)
{
	struct _test_data_policy late;
	int of_early, of_late;
	uint64_t had;
	size_t extent;

	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < extents_in(40); extent++)
		make(_metadata, self, extent, PASHM_PRIORITY_DEFAULT);
	open_region(_metadata, &late);
	squeeze(_metadata, self, &late, 20);
	had = resident(self);
	for (extent = 0; extent < extents_in(20); extent++)
		make(_metadata, &late, extent, PASHM_PRIORITY_DEFAULT);
	squeeze(_metadata, self, &late, 24);
	of_early = (int)(100 - 100 * resident(self) / had);
	of_late = share_lost(late.fd, 20);
	TH_LOG("the one that was first has lost %d %% since, the late one %d %%",
	       of_early, of_late);
	EXPECT_GE(15 + 100 / (int)extents_in(1), abs(of_early - of_late));
	close_region(&late);
}

TEST_F_TIMEOUT(policy, a_region_in_use_gives_less_than_one_that_is_not, 600)
{
	size_t filled = extents_in(26), extent;
	struct _test_data_policy idle;
	uint64_t of_used, of_idle;
	int limit;
	uint32_t *generation = calloc(filled, sizeof(*generation));

	ASSERT_NE(NULL, generation);
	open_region(_metadata, &idle);
	ASSERT_EQ(0, group_set(INNER, "memory.max", units(64)));
	for (extent = 0; extent < filled; extent++) {
		make(_metadata, self, extent, PASHM_PRIORITY_DEFAULT);
		make(_metadata, &idle, extent, PASHM_PRIORITY_DEFAULT);
		generation[extent] = 1;
	}
	for (limit = 60; limit > 36; limit--) {
		ASSERT_EQ(0, group_set(INNER, "memory.max",
				       units((size_t)limit)));
		for (extent = 0; extent < filled; extent++)
			use(_metadata, self, extent, &generation[extent]);
	}
	of_used = region_info(self->fd).purged;
	of_idle = region_info(idle.fd).purged;
	TH_LOG("%llu KiB were taken where all is used, %llu where nothing is",
	       (unsigned long long)of_used / 1024,
	       (unsigned long long)of_idle / 1024);
	EXPECT_LT(0, of_idle);
	EXPECT_LE(3 * of_used, 2 * of_idle);
	close_region(&idle);
	free(generation);
}

TEST_HARNESS_MAIN
