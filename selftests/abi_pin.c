// SPDX-License-Identifier: GPL-2.0-only
/* PIN, UNPIN and WAIT: arrays of ranges, errors in the middle, counts. */
#include <kselftest_harness.h>

#include "common.h"

#define PAGES	8		/* extents of one page each, all unpinned */
#define GONE	0xdead		/* what a verdict never is */

FIXTURE(pin)
{
	int fd;
	uint64_t *states;
	uint32_t *pins;
	struct pashm_range ranges[PAGES];
	struct pashm_pin args;
};

FIXTURE_SETUP(pin)
{
	long address;
	int i;

	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	address = map_at(self->fd, PASHM_OFFSET_STATES, PAGE,
			 PROT_READ | PROT_WRITE);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->states = (uint64_t *)address;
	address = map_at(self->fd, PASHM_OFFSET_PINS, PAGE,
			 PROT_READ | PROT_WRITE);
	ASSERT_FALSE(MAP_FAILED_WITH(address));
	self->pins = (uint32_t *)address;
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, region_reshape(self->fd, i, 1, 0));
		ASSERT_EQ(0, region_unpin(self->fd, i));
		self->ranges[i] = (struct pashm_range) {
			.offset = i * PAGE, .generation = 1, .verdict = GONE,
		};
	}
	self->args = (struct pashm_pin) {
		.size = sizeof(self->args), .count = PAGES,
		.ranges = (uintptr_t)self->ranges, .done = GONE,
	};
}

FIXTURE_TEARDOWN(pin)
{
	close(self->fd);
}

static long pin(struct _test_data_pin *self)
{
	return command(self->fd, PASHM_IOC_PIN, &self->args);
}

static long unpin(struct _test_data_pin *self)
{
	return command(self->fd, PASHM_IOC_UNPIN, &self->args);
}

static unsigned int count_of(struct _test_data_pin *self, int page)
{
	return self->pins[page] >> PASHM_PIN_COUNT_SHIFT;
}

TEST_F(pin, one_call_pins_and_unpins_many)
{
	int i;

	ASSERT_EQ(0, pin(self));
	EXPECT_EQ(PAGES, self->args.done);
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(PASHM_INTACT, self->ranges[i].verdict);
		EXPECT_EQ(PAGE, self->ranges[i].length);
		EXPECT_EQ(1, count_of(self, i));
	}
	EXPECT_EQ(PAGES, region_info(self->fd).pinned_extents);
	ASSERT_EQ(0, unpin(self));
	EXPECT_EQ(PAGES, self->args.done);
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
}

TEST_F(pin, no_ranges_is_einval)
{
	self->args.count = 0;
	EXPECT_EQ(-EINVAL, pin(self));
	EXPECT_EQ(0, self->args.done);
	EXPECT_EQ(-EINVAL, unpin(self));
}

TEST_F(pin, the_greatest_number_of_ranges_is_accepted)
{
	size_t bytes = PASHM_RANGES_MAX * sizeof(struct pashm_range);
	struct pashm_range *many = calloc(1, bytes);
	unsigned int i;

	for (i = 0; i < PASHM_RANGES_MAX; i++)
		many[i] = (struct pashm_range) {
			.offset = i % PAGES * PAGE, .generation = 1,
		};
	self->args.ranges = (uintptr_t)many;
	self->args.count = PASHM_RANGES_MAX;
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_RANGES_MAX, self->args.done);
	EXPECT_EQ(PASHM_RANGES_MAX / PAGES, count_of(self, 0));
	EXPECT_EQ(0, unpin(self));
	EXPECT_EQ(0, count_of(self, 0));
}

TEST_F(pin, one_range_too_many_is_e2big)
{
	self->args.count = PASHM_RANGES_MAX + 1;
	EXPECT_EQ(-E2BIG, pin(self));
	EXPECT_EQ(0, self->args.done);
	EXPECT_EQ(-E2BIG, unpin(self));
}

TEST_F(pin, ranges_at_a_null_pointer_is_efault)
{
	self->args.ranges = 0;
	EXPECT_EQ(-EFAULT, pin(self));
	EXPECT_EQ(0, self->args.done);
	EXPECT_EQ(-EFAULT, unpin(self));
}

TEST_F(pin, ranges_at_a_pointer_into_the_kernel_is_efault)
{
	self->args.ranges = UINT64_MAX - PAGE + 1;
	EXPECT_EQ(-EFAULT, pin(self));
	EXPECT_EQ(-EFAULT, unpin(self));
}

/* Ask with range number 3 spoilt; the ones before it must stand. */
static void expect_error_at_3(struct __test_metadata *_metadata,
			      struct _test_data_pin *self, long error)
{
	struct pashm_range spoilt = self->ranges[3];
	int i;

	EXPECT_EQ(error, pin(self));
	EXPECT_EQ(3, self->args.done);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(PASHM_INTACT, self->ranges[i].verdict);
		EXPECT_EQ(1, count_of(self, i));
	}
	EXPECT_EQ(0, memcmp(&spoilt, &self->ranges[3], sizeof(spoilt)));
	for (i = 4; i < PAGES; i++) {
		EXPECT_EQ(GONE, self->ranges[i].verdict);
		EXPECT_EQ(0, count_of(self, i));
	}
	EXPECT_EQ(3, region_info(self->fd).pinned_extents);

	self->args.count = 3;
	EXPECT_EQ(0, unpin(self));
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
	if (error == -EAGAIN)
		return;
	self->args.count = PAGES;
	self->args.ranges = (uintptr_t)&self->ranges[3];
	self->args.count = 1;
	EXPECT_EQ(error, unpin(self));
	EXPECT_EQ(0, self->args.done);
}

TEST_F(pin, an_unaligned_offset_in_the_middle_is_einval)
{
	self->ranges[3].offset++;
	expect_error_at_3(_metadata, self, -EINVAL);
}

TEST_F(pin, an_offset_at_the_end_in_the_middle_is_einval)
{
	self->ranges[3].offset = PAGES * PAGE;
	expect_error_at_3(_metadata, self, -EINVAL);
}

TEST_F(pin, the_greatest_aligned_offset_in_the_middle_is_einval)
{
	self->ranges[3].offset = UINT64_MAX - PAGE + 1;
	expect_error_at_3(_metadata, self, -EINVAL);
}

TEST_F(pin, an_unaligned_length_in_the_middle_is_einval)
{
	self->ranges[3].length = PAGE + 1;
	expect_error_at_3(_metadata, self, -EINVAL);
}

TEST_F(pin, a_full_count_in_the_middle_is_eagain)
{
	uint32_t full = (PASHM_COUNT_LIMIT - 1) << PASHM_PIN_COUNT_SHIFT;

	self->pins[3] = full;
	self->ranges[3].verdict = GONE;
	/* The raised count pins the extent, too */
	ASSERT_EQ(-EAGAIN, pin(self));
	EXPECT_EQ(3, self->args.done);
	EXPECT_EQ(full, self->pins[3]);
	EXPECT_EQ(GONE, self->ranges[3].verdict);
	EXPECT_EQ(0, count_of(self, 4));
	EXPECT_EQ(4, region_info(self->fd).pinned_extents);
}

TEST_F(pin, a_count_beyond_the_limit_stays_as_it_is)
{
	static const uint32_t counts[] = { PASHM_COUNT_LIMIT, 0x8001, 0xffff };
	size_t i;

	self->args.count = 1;
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		self->pins[0] = counts[i] << PASHM_PIN_COUNT_SHIFT;
		EXPECT_EQ(-EAGAIN, pin(self));
		EXPECT_EQ(counts[i], count_of(self, 0));
		EXPECT_EQ(1, region_info(self->fd).pinned_extents);
		EXPECT_EQ(0, region_purge(self->fd));
	}
}

TEST_F(pin, the_array_may_end_in_unmapped_memory)
{
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = map + PAGE - 2 * sizeof(struct pashm_range);

	ASSERT_EQ(0, munmap(map + PAGE, PAGE));
	memcpy(start, self->ranges, 2 * sizeof(struct pashm_range));
	self->args.ranges = (uintptr_t)start;
	EXPECT_EQ(-EFAULT, pin(self));
	EXPECT_EQ(2, self->args.done);
	EXPECT_EQ(2, region_info(self->fd).pinned_extents);
	EXPECT_EQ(-EFAULT, unpin(self));
	EXPECT_EQ(2, self->args.done);
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
}

TEST_F(pin, a_range_that_cannot_be_answered_is_not_pinned)
{
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = map + PAGE - 3 * sizeof(struct pashm_range);

	memcpy(start, self->ranges, sizeof(self->ranges));
	ASSERT_EQ(0, mprotect(map + PAGE, PAGE, PROT_READ));
	self->args.ranges = (uintptr_t)start;
	EXPECT_EQ(-EFAULT, pin(self));
	EXPECT_EQ(3, self->args.done);
	EXPECT_EQ(0, count_of(self, 3));
	EXPECT_EQ(3, region_info(self->fd).pinned_extents);
}

TEST_F(pin, a_loss_that_could_not_be_answered_is_told_again)
{
	struct pashm_range *answer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long data = map_at(self->fd, PASHM_OFFSET_DATA, PAGE,
			   PROT_READ | PROT_WRITE);

	*(char *)data = 1;
	ASSERT_EQ(PAGE, region_purge(self->fd));
	answer[0] = self->ranges[0];
	self->args.count = 1;
	self->args.ranges = (uintptr_t)answer;
	ASSERT_EQ(0, mprotect(answer, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, pin(self));
	ASSERT_EQ(0, mprotect(answer, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_PURGED, answer[0].verdict);
	EXPECT_EQ(2, answer[0].generation);
}

TEST_F(pin, unpin_of_what_is_not_pinned_is_erange)
{
	EXPECT_EQ(-ERANGE, unpin(self));
	EXPECT_EQ(0, self->args.done);
	EXPECT_EQ(0, count_of(self, 0));
}

TEST_F(pin, unpin_stops_at_what_is_not_pinned)
{
	self->args.count = 3;
	ASSERT_EQ(0, pin(self));
	self->args.count = PAGES;
	EXPECT_EQ(-ERANGE, unpin(self));
	EXPECT_EQ(3, self->args.done);
	EXPECT_EQ(0, count_of(self, 2));
	EXPECT_EQ(0, count_of(self, 3));
}

TEST_F(pin, a_struct_that_cannot_be_answered_pins_nothing)
{
	struct pashm_pin *args = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*args = self->args;
	ASSERT_EQ(0, mprotect(args, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, command(self->fd, PASHM_IOC_PIN, args));
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
}

TEST_F(pin, a_struct_that_can_be_answered_in_part_pins_nothing)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pashm_pin *args = (void *)(pages + PAGE - 16);

	*args = self->args;
	ASSERT_EQ(0, mprotect(pages + PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, command(self->fd, PASHM_IOC_PIN, args));
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
}

TEST_F(pin, unpin_of_a_forged_count_is_erange)
{
	static const uint32_t counts[] = { PASHM_COUNT_LIMIT, 0xc001, 0xffff };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		self->pins[0] = counts[i] << PASHM_PIN_COUNT_SHIFT;
		EXPECT_EQ(-ERANGE, unpin(self));
		EXPECT_EQ(counts[i], count_of(self, 0));
	}
}

TEST_F(pin, a_pin_of_a_frozen_count_can_end)
{
	self->pins[0] = (PASHM_COUNT_LIMIT + 1) << PASHM_PIN_COUNT_SHIFT;
	self->args.count = 1;
	EXPECT_EQ(0, unpin(self));
	EXPECT_EQ(PASHM_COUNT_LIMIT, count_of(self, 0));
}

TEST_F(pin, a_range_of_another_length_is_stale_and_not_pinned)
{
	self->ranges[0].length = 2 * PAGE;
	self->args.count = 1;
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(1, self->args.done);
	EXPECT_EQ(PASHM_STALE, self->ranges[0].verdict);
	EXPECT_EQ(PAGE, self->ranges[0].length);
	EXPECT_EQ(0, count_of(self, 0));
}

TEST_F(pin, a_stale_range_does_not_stop_the_others)
{
	ASSERT_EQ(0, region_pin(self->fd, 1, &self->ranges[1].generation,
				&self->ranges[1].verdict));
	ASSERT_EQ(0, region_reshape(self->fd, 1, 1, PASHM_RESHAPE_FREE));
	EXPECT_EQ(0, pin(self));
	EXPECT_EQ(PASHM_INTACT, self->ranges[0].verdict);
	EXPECT_EQ(PASHM_STALE, self->ranges[1].verdict);
	EXPECT_EQ(0, self->ranges[1].length);
	EXPECT_EQ(PASHM_INTACT, self->ranges[2].verdict);
	EXPECT_EQ(PAGES - 1, region_info(self->fd).pinned_extents);
}

FIXTURE(wait)
{
	int fd;
	struct pashm_wait args;
};

FIXTURE_SETUP(wait)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, region_reshape(self->fd, 0, 1, 0));
	self->args = (struct pashm_wait) { .size = sizeof(self->args) };
}

FIXTURE_TEARDOWN(wait)
{
	close(self->fd);
}

TEST_F(wait, an_unaligned_offset_is_einval)
{
	self->args.offset = 1;
	EXPECT_EQ(-EINVAL, command(self->fd, PASHM_IOC_WAIT, &self->args));
}

TEST_F(wait, an_offset_at_the_end_is_einval)
{
	self->args.offset = PAGES * PAGE;
	EXPECT_EQ(-EINVAL, command(self->fd, PASHM_IOC_WAIT, &self->args));
}

TEST_F(wait, a_reserved_member_is_einval)
{
	self->args.reserved = 1;
	EXPECT_EQ(-EINVAL, command(self->fd, PASHM_IOC_WAIT, &self->args));
}

TEST_F(wait, nothing_in_flight_answers_with_the_generation)
{
	EXPECT_EQ(0, command(self->fd, PASHM_IOC_WAIT, &self->args));
	EXPECT_EQ(1, self->args.generation);
}

TEST_F(wait, a_forged_purging_is_cleared)
{
	long address = map_at(self->fd, PASHM_OFFSET_STATES, PAGE,
			      PROT_READ | PROT_WRITE);
	uint64_t *states = (uint64_t *)address;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	states[0] |= PASHM_STATE_PURGING;
	EXPECT_EQ(0, command(self->fd, PASHM_IOC_WAIT, &self->args));
	EXPECT_EQ(1, self->args.generation);
	EXPECT_EQ(0, states[0] & PASHM_STATE_PURGING);
}

TEST_HARNESS_MAIN
