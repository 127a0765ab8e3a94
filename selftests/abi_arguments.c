// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all ioctls have in common: size, flags, pointer. Each case runs for
 * each ioctl. What is special to one of them is in the other abi programs.
 */
#include <kselftest_harness.h>

#include "common.h"

union arguments {
	uint32_t words[2];		/* size and flags */
	struct pashm_query query;
	struct pashm_create create;
	struct pashm_attach attach;
	struct pashm_pin pin;
	struct pashm_wait wait;
	struct pashm_info info;
	struct pashm_purge purge;
	struct pashm_prot prot;
	struct pashm_reshape reshape;
};

#define PAGES	8

FIXTURE(argument)
{
	int device;
	int region;
	int fd;				/* the one that the command is for */
	char *buffer;			/* two pages, the third is not mapped */
	struct pashm_range range;
	union arguments good;
};

FIXTURE_VARIANT(argument)
{
	unsigned long cmd;
	uint32_t size;
	uint32_t known_flags;
	bool on_device;
	bool answers;			/* writes to the struct */
};

#define VARIANT(name, command_, type, flags, device, out)		\
	FIXTURE_VARIANT_ADD(argument, name) {				\
		.cmd = PASHM_IOC_##command_,				\
		.size = sizeof(struct pashm_##type),			\
		.known_flags = (flags), .on_device = (device),		\
		.answers = (out),					\
	}

VARIANT(query_of_device, QUERY, query, 0, true, true);
VARIANT(query_of_region, QUERY, query, 0, false, true);
VARIANT(create, CREATE, create,
	PASHM_CREATE_SOLE | PASHM_CREATE_STRICT |
	PASHM_CREATE_STRICT_UNPINNED | PASHM_CREATE_PRIORITY |
	PASHM_CREATE_HUGE,
	true, false);
VARIANT(attach, ATTACH, attach, 0, false, false);
VARIANT(pin, PIN, pin, 0, false, true);
VARIANT(unpin, UNPIN, pin, 0, false, true);
VARIANT(wait, WAIT, wait, 0, false, true);
VARIANT(info, INFO, info, 0, false, true);
VARIANT(purge, PURGE, purge, 0, false, true);
VARIANT(prot, PROT, prot, PASHM_PROT_REGION, false, false);
VARIANT(reshape, RESHAPE, reshape,
	PASHM_RESHAPE_FREE | PASHM_RESHAPE_DISCARD, false, true);

static void fill_good(struct _test_data_argument *self, unsigned long cmd)
{
	union arguments *good = &self->good;

	if (cmd == PASHM_IOC_CREATE) {
		good->create.length = PAGES * PAGE;
	} else if (cmd == PASHM_IOC_PIN || cmd == PASHM_IOC_UNPIN) {
		good->pin.ranges = (uintptr_t)&self->range;
		good->pin.count = 1;
	} else if (cmd == PASHM_IOC_PROT) {
		good->prot.prot = PROT_READ | PROT_WRITE;
	} else if (cmd == PASHM_IOC_RESHAPE) {
		good->reshape.offset = PAGE;
		good->reshape.length = PAGE;
	}
}

FIXTURE_SETUP(argument)
{
	SKIP_WITHOUT_DEVICE();
	self->device = device_open();
	ASSERT_LE(0, self->device);
	self->region = region_create(PAGES, 0);
	ASSERT_LE(0, self->region);
	/* One pinned extent: something to pin and something to unpin */
	ASSERT_EQ(0, region_reshape(self->region, 0, 1, 0));
	self->fd = variant->on_device ? self->device : self->region;
	self->good.words[0] = variant->size;
	fill_good(self, variant->cmd);

	self->buffer = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buffer);
	ASSERT_EQ(0, munmap(self->buffer + 2 * PAGE, PAGE));
	memcpy(self->buffer, &self->good, variant->size);
}

FIXTURE_TEARDOWN(argument)
{
	munmap(self->buffer, 2 * PAGE);
	close(self->region);
	close(self->device);
}

TEST_F(argument, the_good_ones_are_accepted)
{
	EXPECT_LE(0, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, a_size_of_zero_is_einval)
{
	*(uint32_t *)self->buffer = 0;
	EXPECT_EQ(-EINVAL, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, a_size_below_the_first_version_is_einval)
{
	*(uint32_t *)self->buffer = variant->size - 1;
	EXPECT_EQ(-EINVAL, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, a_newer_struct_with_zeros_is_accepted)
{
	*(uint32_t *)self->buffer = variant->size + 64;
	EXPECT_LE(0, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, a_struct_of_a_whole_page_is_accepted)
{
	*(uint32_t *)self->buffer = PAGE;
	EXPECT_LE(0, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, a_newer_struct_with_something_in_it_is_e2big)
{
	*(uint32_t *)self->buffer = variant->size + 64;
	self->buffer[variant->size + 63] = 1;
	EXPECT_EQ(-E2BIG, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, a_size_beyond_a_page_is_e2big)
{
	*(uint32_t *)self->buffer = PAGE + 1;
	EXPECT_EQ(-E2BIG, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, the_largest_size_is_e2big)
{
	*(uint32_t *)self->buffer = UINT32_MAX;
	EXPECT_EQ(-E2BIG, command(self->fd, variant->cmd, self->buffer));
}

TEST_F(argument, each_unknown_flag_is_einval)
{
	int bit;

	for (bit = 0; bit < 32; bit++) {
		if (variant->known_flags & 1U << bit)
			continue;
		((uint32_t *)self->buffer)[1] = 1U << bit;
		EXPECT_EQ(-EINVAL,
			  command(self->fd, variant->cmd, self->buffer)) {
			TH_LOG("bit %d", bit);
		}
	}
}

TEST_F(argument, a_null_pointer_is_efault)
{
	EXPECT_EQ(-EFAULT, command(self->fd, variant->cmd, NULL));
}

TEST_F(argument, an_unmapped_pointer_is_efault)
{
	EXPECT_EQ(-EFAULT, command(self->fd, variant->cmd,
				   self->buffer + 2 * PAGE));
}

TEST_F(argument, a_pointer_into_the_kernel_is_efault)
{
	EXPECT_EQ(-EFAULT, command(self->fd, variant->cmd,
				   (void *)(UINTPTR_MAX - PAGE + 1)));
}

TEST_F(argument, a_struct_cut_off_by_the_end_of_the_mapping_is_efault)
{
	char *cut = self->buffer + 2 * PAGE - variant->size + 4;

	memcpy(cut, &self->good, variant->size - 4);
	EXPECT_EQ(-EFAULT, command(self->fd, variant->cmd, cut));
}

TEST_F(argument, a_struct_right_before_the_end_of_the_mapping_is_accepted)
{
	char *last = self->buffer + 2 * PAGE - variant->size;

	memcpy(last, &self->good, variant->size);
	EXPECT_LE(0, command(self->fd, variant->cmd, last));
}

TEST_F(argument, a_read_only_struct_is_efault_if_an_answer_goes_there)
{
	long ret;

	ASSERT_EQ(0, mprotect(self->buffer, 2 * PAGE, PROT_READ));
	ret = command(self->fd, variant->cmd, self->buffer);
	EXPECT_EQ(variant->answers ? -EFAULT : 0, ret < 0 ? ret : 0);
}

TEST_F(argument, an_answer_leaves_what_follows_the_first_version_alone)
{
	size_t i;

	*(uint32_t *)self->buffer = variant->size;
	memset(self->buffer + variant->size, 0x5a, 64);
	ASSERT_LE(0, command(self->fd, variant->cmd, self->buffer));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0x5a, self->buffer[variant->size + i]);
	EXPECT_EQ(variant->size, *(uint32_t *)self->buffer);
}

TEST_F(argument, the_command_with_direction_or_size_bits_is_enotty)
{
	unsigned long nr = variant->cmd & 0xff;

	EXPECT_EQ(-ENOTTY, command(self->fd, _IOC(_IOC_WRITE, PASHM_IOC_MAGIC,
						  nr, 0), self->buffer));
	EXPECT_EQ(-ENOTTY, command(self->fd, _IOC(_IOC_NONE, PASHM_IOC_MAGIC,
						  nr, variant->size),
				   self->buffer));
}

TEST_F(argument, the_command_with_another_magic_is_enotty)
{
	EXPECT_EQ(-ENOTTY, command(self->fd, _IO(PASHM_IOC_MAGIC + 1,
						 variant->cmd & 0xff),
				   self->buffer));
}

TEST_F(argument, the_other_kind_of_descriptor_is_enotty)
{
	int other = variant->on_device ? self->region : self->device;

	if (variant->cmd == PASHM_IOC_QUERY)
		return;
	EXPECT_EQ(-ENOTTY, command(other, variant->cmd, self->buffer));
}

TEST_F(argument, a_descriptor_that_is_not_ours_is_enotty)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, null);
	EXPECT_EQ(-ENOTTY, command(null, variant->cmd, self->buffer));
	close(null);
}

TEST_F(argument, a_closed_descriptor_is_ebadf)
{
	EXPECT_EQ(-EBADF, command(-1, variant->cmd, self->buffer));
}

TEST(unknown_commands_are_enotty)
{
	int device, region, nr;
	char buffer[256] = { 0 };

	SKIP_WITHOUT_DEVICE();
	device = device_open();
	region = region_create(PAGES, 0);
	ASSERT_LE(0, region);
	for (nr = 0x0a; nr < 0x100; nr++) {
		EXPECT_EQ(-ENOTTY, command(device, _IO(PASHM_IOC_MAGIC, nr),
					   buffer));
		EXPECT_EQ(-ENOTTY, command(region, _IO(PASHM_IOC_MAGIC, nr),
					   buffer));
	}
}

TEST_HARNESS_MAIN
