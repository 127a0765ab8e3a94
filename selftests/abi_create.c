// SPDX-License-Identifier: GPL-2.0-only
/* The device node, QUERY, CREATE and ATTACH: who gets a descriptor, and of what. */
#include <sys/resource.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "common.h"

#define NOBODY	65534

FIXTURE(create)
{
	int device;
	struct pashm_create args;
	struct pashm_attach attach;
};

FIXTURE_SETUP(create)
{
	SKIP_WITHOUT_DEVICE();
	self->device = device_open();
	ASSERT_LE(0, self->device);
	self->args = (struct pashm_create) {
		.size = sizeof(self->args), .length = 4 * PAGE, .name = "name",
	};
	self->attach = (struct pashm_attach) { .size = sizeof(self->attach) };
}

FIXTURE_TEARDOWN(create)
{
	close(self->device);
}

static long create(struct _test_data_create *self)
{
	return command(self->device, PASHM_IOC_CREATE, &self->args);
}

TEST_F(create, the_device_node_is_for_everybody)
{
	struct stat st;

	ASSERT_EQ(0, stat(PASHM_DEVICE, &st));
	EXPECT_EQ(S_IFCHR | 0666, st.st_mode);
}

TEST_F(create, query_tells_versions_flags_and_page_size)
{
	struct pashm_query query = { .size = sizeof(query) };

	ASSERT_EQ(0, command(self->device, PASHM_IOC_QUERY, &query));
	EXPECT_EQ(PASHM_ABI_VERSION, query.abi_version);
	EXPECT_EQ(PASHM_PROTOCOL_VERSION, query.protocol);
	EXPECT_EQ(PASHM_CREATE_SOLE | PASHM_CREATE_STRICT |
		  PASHM_CREATE_STRICT_UNPINNED | PASHM_CREATE_PRIORITY |
		  PASHM_CREATE_HUGE,
		  query.create_flags);
	EXPECT_EQ(PAGE, query.page_size);
	EXPECT_EQ(PASHM_FEATURE_MEMCG | PASHM_FEATURE_POLL, query.features);
	EXPECT_EQ(0, query.flags);
}

TEST_F(create, a_name_without_an_end_is_enametoolong)
{
	memset(self->args.name, 'x', sizeof(self->args.name));
	EXPECT_EQ(-ENAMETOOLONG, create(self));
}

TEST_F(create, the_longest_name_is_kept)
{
	struct pashm_info info;
	int fd;

	memset(self->args.name, 'x', sizeof(self->args.name) - 1);
	fd = create(self);
	ASSERT_LE(0, fd);
	info = region_info(fd);
	EXPECT_STREQ(self->args.name, info.name);
}

TEST_F(create, an_empty_name_is_accepted)
{
	self->args.name[0] = '\0';
	EXPECT_LE(0, create(self));
}

TEST_F(create, a_length_of_zero_is_einval)
{
	self->args.length = 0;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(create, an_unaligned_length_is_einval)
{
	self->args.length = PAGE + 1;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(create, with_huge_pages_a_length_of_others_is_einval_and_so_are_extents)
{
	int fd;

	self->args.flags = PASHM_CREATE_HUGE;
	self->args.length = PASHM_HUGE_SIZE + PAGE;
	EXPECT_EQ(-EINVAL, create(self));
	self->args.length = 2 * PASHM_HUGE_SIZE;
	fd = create(self);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, region_reshape(fd, 0, 1, 0));
	EXPECT_EQ(-EINVAL, region_reshape(fd, 1, PASHM_HUGE_SIZE / PAGE, 0));
	EXPECT_EQ(0, region_reshape(fd, 0, PASHM_HUGE_SIZE / PAGE, 0));
	EXPECT_EQ(-EINVAL, region_reshape(fd, 0, 1, PASHM_RESHAPE_FREE));
	EXPECT_EQ(0, region_reshape(fd, 0, PASHM_HUGE_SIZE / PAGE,
				    PASHM_RESHAPE_FREE));
	close(fd);
}

TEST_F(create, a_length_that_would_overflow_when_rounded_is_einval)
{
	self->args.length = UINT64_MAX;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(create, the_greatest_length_is_accepted)
{
	self->args.length = PASHM_SIZE_MAX;
	EXPECT_LE(0, create(self));
}

TEST_F(create, a_length_beyond_the_greatest_is_efbig)
{
	self->args.length = PASHM_SIZE_MAX + PAGE;
	EXPECT_EQ(-EFBIG, create(self));
}

TEST_F(create, the_greatest_aligned_number_is_efbig)
{
	self->args.length = UINT64_MAX - PAGE + 1;
	EXPECT_EQ(-EFBIG, create(self));
}

TEST_F(create, an_unknown_protection_is_einval)
{
	self->args.prot = PROT_READ | 8;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(create, a_priority_without_its_flag_is_einval)
{
	self->args.priority = 1;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(create, a_priority_beyond_the_last_is_einval)
{
	self->args.flags = PASHM_CREATE_PRIORITY;
	self->args.priority = PASHM_PRIORITY_MAX + 1;
	EXPECT_EQ(-EINVAL, create(self));
	self->args.priority = PASHM_PRIORITY_REGION;
	EXPECT_EQ(-EINVAL, create(self));
}

/* What the header of a new region says */
static uint32_t priority_of(struct _test_data_create *self)
{
	int fd = create(self);
	long address = map_at(fd, PASHM_OFFSET_HEADER, PAGE, PROT_READ);
	uint32_t priority;

	if (MAP_FAILED_WITH(address))
		return UINT32_MAX;
	priority = ((const struct pashm_header *)address)->priority;
	if (priority != region_info(fd).priority)
		priority = UINT32_MAX;
	munmap((void *)address, PAGE);
	close(fd);
	return priority;
}

TEST_F(create, each_priority_is_in_the_header_and_told)
{
	EXPECT_EQ(PASHM_PRIORITY_DEFAULT, priority_of(self));
	self->args.flags = PASHM_CREATE_PRIORITY;
	for (; self->args.priority <= PASHM_PRIORITY_MAX; self->args.priority++)
		EXPECT_EQ(self->args.priority, priority_of(self));
}

TEST_F(create, no_protection_given_means_all)
{
	int fd = create(self);

	ASSERT_LE(0, fd);
	EXPECT_EQ(PROT_READ | PROT_WRITE | PROT_EXEC, region_info(fd).prot);
}

TEST_F(create, the_descriptors_are_close_on_exec)
{
	int fd = create(self);
	int client = region_attach(fd, 0);

	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(client, F_GETFD));
}

/* Leaves no number free below the limit */
static void exhaust_descriptors(void)
{
	struct rlimit limit = { 64, 64 };

	setrlimit(RLIMIT_NOFILE, &limit);
	while (dup(STDERR_FILENO) >= 0)
		;
}

TEST_F(create, create_without_a_free_descriptor_is_emfile)
{
	exhaust_descriptors();
	EXPECT_EQ(-EMFILE, create(self));
}

TEST_F(create, attach_without_a_free_descriptor_is_emfile)
{
	int fd = create(self);

	exhaust_descriptors();
	EXPECT_EQ(-EMFILE, command(fd, PASHM_IOC_ATTACH, &self->attach));
	EXPECT_EQ(1, region_info(fd).clients);
}

TEST_F(create, attach_to_a_sole_region_is_eperm)
{
	int fd;

	self->args.flags = PASHM_CREATE_SOLE;
	fd = create(self);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, command(fd, PASHM_IOC_ATTACH, &self->attach));
}

TEST_F(create, attach_with_an_unknown_protection_is_einval)
{
	int fd = create(self);

	self->attach.prot = PROT_READ | 8;
	EXPECT_EQ(-EINVAL, command(fd, PASHM_IOC_ATTACH, &self->attach));
}

TEST_F(create, attach_with_a_reserved_member_is_einval)
{
	int fd = create(self);

	self->attach.reserved = 1;
	EXPECT_EQ(-EINVAL, command(fd, PASHM_IOC_ATTACH, &self->attach));
}

TEST_F(create, attach_with_more_rights_than_the_region_is_eacces)
{
	int fd;

	self->args.prot = PROT_READ | PROT_WRITE;
	fd = create(self);
	self->attach.prot = PROT_READ | PROT_EXEC;
	EXPECT_EQ(-EACCES, command(fd, PASHM_IOC_ATTACH, &self->attach));
}

TEST_F(create, attach_with_more_rights_than_the_descriptor_is_eacces)
{
	int fd = create(self);
	int narrow = region_attach(fd, PROT_READ);

	ASSERT_LE(0, narrow);
	self->attach.prot = PROT_READ | PROT_WRITE;
	EXPECT_EQ(-EACCES, command(narrow, PASHM_IOC_ATTACH, &self->attach));
}

TEST_F(create, attach_without_a_protection_takes_that_of_the_descriptor)
{
	int fd = create(self);
	int narrow = region_attach(fd, PROT_READ);
	int copy = region_attach(narrow, 0);

	ASSERT_LE(0, copy);
	EXPECT_EQ(PROT_READ, region_info(copy).prot);
}

TEST_F(create, the_clients_of_a_region_are_counted)
{
	int fd = create(self);
	int client = region_attach(fd, 0);

	ASSERT_LE(0, client);
	EXPECT_EQ(2, region_info(fd).clients);
	close(client);
	EXPECT_EQ(1, region_info(fd).clients);
}

TEST_F(create, one_client_too_many_is_eusers)
{
	struct rlimit limit = {
		PASHM_CLIENTS_MAX + 64, PASHM_CLIENTS_MAX + 64
	};
	unsigned int clients;
	int fd = create(self);

	if (setrlimit(RLIMIT_NOFILE, &limit))
		SKIP(return, "may not raise the limit of descriptors");
	for (clients = 1; clients < PASHM_CLIENTS_MAX; clients++)
		ASSERT_LE(0, region_attach(fd, 0));
	EXPECT_EQ(-EUSERS, region_attach(fd, 0));
	EXPECT_EQ(PASHM_CLIENTS_MAX, region_info(fd).clients);
}

TEST_F(create, an_unprivileged_user_can_use_all_of_it)
{
	uint32_t generation = 0, verdict;
	int fd;

	close(self->device);
	if (geteuid() == 0) {
		ASSERT_EQ(0, setresgid(NOBODY, NOBODY, NOBODY));
		ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	}
	self->device = device_open();
	ASSERT_LE(0, self->device);
	fd = create(self);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, region_reshape(fd, 0, 1, 0));
	generation = 1;
	EXPECT_EQ(0, region_pin(fd, 0, &generation, &verdict));
	EXPECT_EQ(PASHM_INTACT, verdict);
	EXPECT_EQ(0, region_purge(fd));
	EXPECT_LE(0, region_attach(fd, 0));
	EXPECT_FALSE(MAP_FAILED_WITH(map_at(fd, PASHM_OFFSET_DATA, 4 * PAGE,
					    PROT_READ | PROT_WRITE)));
}

TEST_HARNESS_MAIN
