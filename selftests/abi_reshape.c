// SPDX-License-Identifier: GPL-2.0-only
/* RESHAPE: making, splitting, merging and freeing extents by ioctl. */
#include <kselftest_harness.h>

#include "common.h"

#define PAGES	64

FIXTURE(reshape)
{
	int fd;
	int other;			/* a second client of this process */
	uint64_t *states;
	uint32_t *births;
	uint32_t *pins;
	char *data;
	struct pashm_reshape args;
};

static void *map_or_null(int fd, uint64_t offset, size_t bytes)
{
	long address = map_at(fd, offset, bytes, PROT_READ | PROT_WRITE);

	return MAP_FAILED_WITH(address) ? NULL : (void *)address;
}

FIXTURE_SETUP(reshape)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	self->other = region_attach(self->fd, 0);
	ASSERT_LE(0, self->other);
	self->states = map_or_null(self->fd, PASHM_OFFSET_STATES, PAGE);
	self->births = map_or_null(self->fd, PASHM_OFFSET_BIRTHS, PAGE);
	self->pins = map_or_null(self->fd, PASHM_OFFSET_PINS, PAGE);
	self->data = map_or_null(self->fd, PASHM_OFFSET_DATA, PAGES * PAGE);
	ASSERT_TRUE(self->states && self->births && self->pins && self->data);
	self->args = (struct pashm_reshape) {
		.size = sizeof(self->args), .offset = 8 * PAGE,
		.length = 4 * PAGE, .priority = 5,
	};
}

FIXTURE_TEARDOWN(reshape)
{
	close(self->other);
	close(self->fd);
}

static long reshape(struct _test_data_reshape *self)
{
	return command(self->fd, PASHM_IOC_RESHAPE, &self->args);
}

static unsigned int count_of(struct _test_data_reshape *self, int page)
{
	return self->pins[page] >> PASHM_PIN_COUNT_SHIFT;
}

TEST_F(reshape, an_extent_is_made_pinned_with_its_birth)
{
	ASSERT_EQ(0, reshape(self));
	EXPECT_EQ(4, pashm_state_length(self->states[8]));
	EXPECT_EQ(5, pashm_state_priority(self->states[8]));
	EXPECT_EQ(1, pashm_state_generation(self->states[8]));
	EXPECT_FALSE(pashm_state_purging(self->states[8]));
	EXPECT_EQ(1, self->births[8]);
	EXPECT_EQ(1, self->args.generation);
	EXPECT_EQ(1, count_of(self, 8));
}

TEST_F(reshape, its_bytes_stay)
{
	memset(self->data + 8 * PAGE, 0x5a, 4 * PAGE);
	ASSERT_EQ(0, reshape(self));
	EXPECT_EQ(0x5a, self->data[8 * PAGE]);
	EXPECT_EQ(0x5a, self->data[12 * PAGE - 1]);
}

TEST_F(reshape, discard_gives_the_pages_back)
{
	memset(self->data, 0x5a, PAGES * PAGE);
	self->args.flags = PASHM_RESHAPE_DISCARD;
	ASSERT_EQ(0, reshape(self));
	EXPECT_EQ((PAGES - 4) * PAGE, region_info(self->fd).resident);
	EXPECT_EQ(0, self->data[8 * PAGE]);
	EXPECT_EQ(0, self->data[12 * PAGE - 1]);
	EXPECT_EQ(0x5a, self->data[8 * PAGE - 1]);
	EXPECT_EQ(0x5a, self->data[12 * PAGE]);
}

/* Two pages, of which the second can be read only; arguments in both */
static struct pashm_reshape *half_writable(struct _test_data_reshape *self,
					   size_t writable)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pashm_reshape *args = (void *)(pages + PAGE - writable);

	if (pages == MAP_FAILED)
		return NULL;
	*args = self->args;
	return mprotect(pages + PAGE, PAGE, PROT_READ) ? NULL : args;
}

TEST_F(reshape, a_struct_that_cannot_be_answered_changes_nothing)
{
	static const size_t writable[] = { 0, 4, 16, sizeof(self->args) - 1 };
	size_t i;

	for (i = 0; i < sizeof(writable) / sizeof(*writable); i++) {
		struct pashm_reshape *args = half_writable(self, writable[i]);

		ASSERT_NE(NULL, args);
		EXPECT_EQ(-EFAULT, command(self->fd, PASHM_IOC_RESHAPE, args));
		EXPECT_EQ(0, self->states[8]);
		EXPECT_EQ(0, count_of(self, 8));
	}
}

TEST_F(reshape, a_length_of_zero_is_einval)
{
	self->args.length = 0;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, an_unaligned_length_is_einval)
{
	self->args.length++;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, an_unaligned_offset_is_einval)
{
	self->args.offset++;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, an_offset_at_the_end_is_einval)
{
	self->args.offset = PAGES * PAGE;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, a_range_past_the_end_is_einval)
{
	self->args.length = (PAGES - 7) * PAGE;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, a_range_that_overflows_is_einval)
{
	self->args.length = UINT64_MAX - PAGE + 1;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, an_extent_longer_than_its_word_can_say_is_einval)
{
	int fd = region_create((size_t)PASHM_EXTENT_PAGES_MAX + 2, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, region_reshape(fd, 0,
					  (size_t)PASHM_EXTENT_PAGES_MAX + 1,
					  0));
	EXPECT_EQ(0, region_reshape(fd, 0, PASHM_EXTENT_PAGES_MAX, 0));
	close(fd);
}

TEST_F(reshape, the_priority_of_the_region_is_taken_when_asked_for)
{
	self->args.priority = PASHM_PRIORITY_REGION;
	ASSERT_EQ(0, reshape(self));
	EXPECT_EQ(PASHM_PRIORITY_DEFAULT,
		  pashm_state_priority(self->states[8]));
	EXPECT_EQ(PASHM_PRIORITY_REGION, self->args.priority);
}

TEST_F(reshape, a_priority_beyond_the_last_is_einval)
{
	self->args.priority = PASHM_PRIORITY_REGION + 1;
	EXPECT_EQ(-EINVAL, reshape(self));
	self->args.priority = PASHM_PRIORITY_MAX + 1;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, a_pin_of_another_client_is_ebusy)
{
	uint32_t generation = 1, verdict;
	uint64_t before;

	ASSERT_EQ(0, reshape(self));
	ASSERT_EQ(0, region_pin(self->other, 8, &generation, &verdict));
	before = self->states[8];
	EXPECT_EQ(-EBUSY, reshape(self));
	EXPECT_EQ(before, self->states[8]);
	EXPECT_EQ(1, count_of(self, 8));
	self->args.flags = PASHM_RESHAPE_FREE;
	EXPECT_EQ(-EBUSY, reshape(self));
	EXPECT_EQ(before, self->states[8]);
	ASSERT_EQ(0, region_unpin(self->other, 8));
	EXPECT_EQ(0, reshape(self));
}

TEST_F(reshape, an_own_pin_in_the_middle_is_ebusy)
{
	ASSERT_EQ(0, region_reshape(self->fd, 9, 1, 0));
	EXPECT_EQ(-EBUSY, reshape(self));
	EXPECT_EQ(0, count_of(self, 8));
	ASSERT_EQ(0, region_unpin(self->fd, 9));
	EXPECT_EQ(0, reshape(self));
	EXPECT_EQ(0, pashm_state_length(self->states[9]));
	EXPECT_EQ(2, pashm_state_generation(self->states[9]));
}

TEST_F(reshape, an_extent_that_reaches_in_from_the_left_is_erange)
{
	ASSERT_EQ(0, region_reshape(self->fd, 6, 3, 0));
	EXPECT_EQ(-ERANGE, reshape(self));
	EXPECT_EQ(0, self->states[8]);
	EXPECT_EQ(0, count_of(self, 8));
	EXPECT_FALSE(pashm_state_purging(self->states[6]));
}

TEST_F(reshape, an_extent_that_reaches_out_to_the_right_is_erange)
{
	ASSERT_EQ(0, region_reshape(self->fd, 11, 2, 0));
	EXPECT_EQ(-ERANGE, reshape(self));
	EXPECT_EQ(0, self->states[8]);
	EXPECT_FALSE(pashm_state_purging(self->states[11]));
}

TEST_F(reshape, neighbours_that_touch_the_borders_are_fine)
{
	ASSERT_EQ(0, region_reshape(self->fd, 6, 2, 0));
	ASSERT_EQ(0, region_reshape(self->fd, 12, 2, 0));
	EXPECT_EQ(0, reshape(self));
	EXPECT_EQ(3, region_info(self->fd).extents);
}

TEST_F(reshape, a_full_count_is_eagain)
{
	uint32_t full = (PASHM_COUNT_LIMIT - 1) << PASHM_PIN_COUNT_SHIFT;

	self->pins[8] = full;
	EXPECT_EQ(-EAGAIN, reshape(self));
	EXPECT_EQ(full, self->pins[8]);
	EXPECT_EQ(0, self->states[8]);
}

TEST_F(reshape, freeing_where_no_extent_starts_is_einval)
{
	self->args.flags = PASHM_RESHAPE_FREE;
	EXPECT_EQ(-EINVAL, reshape(self));
}

TEST_F(reshape, freeing_what_is_not_pinned_is_erange)
{
	ASSERT_EQ(0, reshape(self));
	ASSERT_EQ(0, region_unpin(self->fd, 8));
	self->args.flags = PASHM_RESHAPE_FREE;
	EXPECT_EQ(-ERANGE, reshape(self));
	EXPECT_EQ(4, pashm_state_length(self->states[8]));
}

TEST_F(reshape, freeing_what_is_pinned_twice_is_ebusy)
{
	uint32_t generation = 1, verdict;

	ASSERT_EQ(0, reshape(self));
	ASSERT_EQ(0, region_pin(self->fd, 8, &generation, &verdict));
	self->args.flags = PASHM_RESHAPE_FREE;
	EXPECT_EQ(-EBUSY, reshape(self));
	EXPECT_EQ(2, count_of(self, 8));
}

TEST_F(reshape, freeing_drops_the_pin_and_moves_the_generation)
{
	ASSERT_EQ(0, reshape(self));
	self->args.flags = PASHM_RESHAPE_FREE;
	EXPECT_EQ(0, reshape(self));
	EXPECT_EQ(2, self->args.generation);
	EXPECT_EQ(0, pashm_state_length(self->states[8]));
	EXPECT_EQ(0, count_of(self, 8));
	EXPECT_EQ(0, region_info(self->fd).extents);
}

TEST_F(reshape, a_split_ends_the_old_extent)
{
	uint32_t generation = 1, verdict;

	ASSERT_EQ(0, reshape(self));
	self->args.flags = PASHM_RESHAPE_FREE;
	ASSERT_EQ(0, reshape(self));
	ASSERT_EQ(0, region_reshape(self->fd, 8, 2, 0));
	ASSERT_EQ(0, region_reshape(self->fd, 10, 2, 0));
	EXPECT_EQ(2, region_info(self->fd).extents);
	EXPECT_EQ(0, region_pin(self->other, 8, &generation, &verdict));
	EXPECT_EQ(PASHM_STALE, verdict);
}

#define ROUNDS	20000

/* One side's rounds, and what came of them; shared */
struct side {
	size_t page;
	long rounds, made, refused;
	long wrong;			/* a result that cannot be */
};

/*
 * Make the extent of 4 pages at our page and free it again. The other's crosses
 * a border of ours, so it refuses us with ERANGE and nothing else: there is no
 * head that both have pins on.
 */
static void make_and_free(int fd, const uint64_t *states, struct side *side,
			  const struct side *other)
{
	long ret = region_reshape(fd, side->page, 4, 0);

	side->rounds++;
	if (ret == -ERANGE) {
		side->refused++;
		return;
	}
	/* Ours and pinned: no other may reach into it now */
	if (!ret && pashm_state_length(__atomic_load_n(&states[other->page],
						       __ATOMIC_ACQUIRE)))
		ret = 1;
	if (!ret)
		ret = region_reshape(fd, side->page, 4, PASHM_RESHAPE_FREE);
	side->made += !ret;
	side->wrong = ret;
}

/* Nobody ends before both have done their rounds: so they meet */
static void contend(int fd, const uint64_t *states, struct side *side,
		    const struct side *other)
{
	long rounds = scaled(ROUNDS);

	while (!side->wrong && !__atomic_load_n(&other->wrong,
						__ATOMIC_RELAXED) &&
	       (side->rounds < rounds ||
		__atomic_load_n(&other->rounds, __ATOMIC_RELAXED) < rounds))
		make_and_free(fd, states, side, other);
}

static int contend_as_another(int fd, struct side *sides)
{
	int own = region_attach(fd, 0);
	long states = map_at(own, PASHM_OFFSET_STATES, PAGE, PROT_READ);

	if (own < 0 || MAP_FAILED_WITH(states))
		sides[1].wrong = own < 0 ? own : states;
	else
		contend(own, (uint64_t *)states, &sides[1], &sides[0]);
	return 0;
}

TEST_F_TIMEOUT(reshape, overlapping_extents_made_at_once_exclude_each_other,
	       120)
{
	struct side *sides = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, i;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, sides);
	sides[0].page = 22;
	sides[1].page = 20;
	pid = fork();
	if (!pid)
		_exit(contend_as_another(self->fd, sides));
	contend(self->fd, self->states, &sides[0], &sides[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	for (i = 0; i < 2; i++) {
		TH_LOG("at page %zu: %ld made, %ld refused", sides[i].page,
		       sides[i].made, sides[i].refused);
		EXPECT_EQ(0, sides[i].wrong);
		EXPECT_NE(0, sides[i].made);
		EXPECT_NE(0, sides[i].refused);
	}
	EXPECT_EQ(0, region_info(self->fd).extents);
}

TEST_HARNESS_MAIN
