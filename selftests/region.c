// SPDX-License-Identifier: GPL-2.0-only
/* Regions through the library: create, import, map, figures, life time. */
#include <signal.h>

#include <kselftest_harness.h>

#include "backend.h"

#define PAGES	64
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(region)
{
	struct pashm_region_params params;
	struct pashm_region *region;
	struct pashm_region *other;
};

FIXTURE_VARIANT(region)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(region, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(region, memfd) { .backend = PASHM_BACKEND_MEMFD };

FIXTURE_SETUP(region)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
	self->params = (struct pashm_region_params) {
		.length = PAGES * PAGE, .name = "name",
		.backend = variant->backend,
	};
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, 0, &self->region));
}

FIXTURE_TEARDOWN(region)
{
	pashm_region_close(self->other);
	pashm_region_close(self->region);
}

static int create(struct _test_data_region *self)
{
	return pashm_region_create(&self->params, &self->other);
}

static int import(struct _test_data_region *self, int fd)
{
	return pashm_region_import(fd, &self->other);
}

TEST_F(region, a_length_of_zero_is_einval)
{
	self->params.length = 0;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(region, an_unknown_flag_is_einval)
{
	self->params.flags = 1U << 31;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(region, an_unknown_backend_is_einval)
{
	self->params.backend = 3;
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(region, a_length_beyond_all_bounds_is_efbig)
{
	self->params.length = UINT64_MAX;
	EXPECT_EQ(-EFBIG, create(self));
}

TEST_F(region, a_name_too_long_is_enametoolong)
{
	char name[PASHM_REGION_NAME_MAX + 1] = { 0 };

	memset(name, 'x', PASHM_REGION_NAME_MAX);
	self->params.name = name;
	EXPECT_EQ(-ENAMETOOLONG, create(self));
	name[PASHM_REGION_NAME_MAX - 1] = '\0';
	ASSERT_EQ(0, create(self));
	EXPECT_STREQ(name, backend_info(self->other).name);
}

TEST_F(region, a_name_is_not_needed)
{
	self->params.name = NULL;
	EXPECT_EQ(0, create(self));
}

TEST_F(region, a_length_is_rounded_up_to_pages)
{
	self->params.length = 1;
	ASSERT_EQ(0, create(self));
	EXPECT_EQ(PAGE, pashm_region_length(self->other));
}

TEST_F(region, the_environment_chooses_what_the_program_leaves_open)
{
	self->params.backend = PASHM_BACKEND_AUTO;
	setenv("PASHM_BACKEND", variant->backend == PASHM_BACKEND_MODULE ?
	       "module" : "memfd", 1);
	ASSERT_EQ(0, create(self));
	EXPECT_EQ(variant->backend, pashm_region_backend(self->other));
}

TEST_F(region, an_unknown_backend_in_the_environment_is_einval)
{
	self->params.backend = PASHM_BACKEND_AUTO;
	setenv("PASHM_BACKEND", "nonsense", 1);
	EXPECT_EQ(-EINVAL, create(self));
}

TEST_F(region, closing_nothing_is_fine)
{
	pashm_region_close(NULL);
}

TEST_F(region, the_descriptor_is_close_on_exec)
{
	int fd = pashm_region_fd(self->region);

	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
}

TEST_F(region, importing_no_descriptor_is_ebadf)
{
	EXPECT_EQ(-EBADF, import(self, -1));
	EXPECT_EQ(-EBADF, import(self, 1000));
}

TEST_F(region, importing_a_device_is_einval)
{
	EXPECT_EQ(-EINVAL, import(self, open("/dev/null", O_RDWR)));
}

TEST_F(region, importing_a_pipe_is_einval)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-EINVAL, import(self, fds[0]));
}

TEST_F(region, importing_an_empty_memfd_is_einval)
{
	EXPECT_EQ(-EINVAL, import(self, memfd_create("empty", 0)));
}

TEST_F(region, importing_a_memfd_full_of_nonsense_is_einval)
{
	int fd = memfd_create("nonsense", MFD_ALLOW_SEALING);
	char page[4096];
	int i;

	memset(page, 0x5a, sizeof(page));
	for (i = 0; i < 16; i++)
		ASSERT_EQ(4096, write(fd, page, sizeof(page)));
	EXPECT_EQ(-EINVAL, import(self, fd));
}

TEST_F(region, importing_a_sole_region_is_eperm)
{
	self->params.flags = PASHM_REGION_SOLE;
	ASSERT_EQ(0, create(self));
	pashm_region_close(self->region);
	self->region = NULL;
	EXPECT_EQ(-EPERM, pashm_region_import(pashm_region_fd(self->other),
					      &self->region));
}

TEST_F(region, an_import_is_the_same_region)
{
	void *mine, *theirs;

	ASSERT_EQ(0, import(self, pashm_region_fd(self->region)));
	EXPECT_EQ(variant->backend, pashm_region_backend(self->other));
	EXPECT_EQ(PAGES * PAGE, pashm_region_length(self->other));
	EXPECT_EQ(backend_info(self->region).inode,
		  backend_info(self->other).inode);
	EXPECT_EQ(2, backend_info(self->region).clients);
	ASSERT_EQ(0, pashm_region_map(self->region, RW, &mine));
	ASSERT_EQ(0, pashm_region_map(self->other, RW, &theirs));
	strcpy(mine, "shared");
	EXPECT_STREQ("shared", theirs);
}

TEST_F(region, mapping_twice_gives_the_same_address)
{
	void *one, *two;

	ASSERT_EQ(0, pashm_region_map(self->region, RW, &one));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, &two));
	EXPECT_EQ(one, two);
}

TEST_F(region, mapping_with_another_protection_is_ebusy)
{
	ASSERT_EQ(0, pashm_region_map(self->region, PROT_READ, NULL));
	EXPECT_EQ(-EBUSY, pashm_region_map(self->region, RW, NULL));
}

TEST_F(region, the_figures_are_exact)
{
	struct pashm_region_info info;
	struct pashm_handle handle;
	char *data;

	ASSERT_EQ(0, pashm_region_map(self->region, RW, (void **)&data));
	memset(data, 1, 20 * PAGE);
	ASSERT_EQ(0, pashm_extent_create(self->region, 0, 8, 3, &handle));
	ASSERT_EQ(0, pashm_extent_create(self->region, 8, 4, 3, &handle));
	ASSERT_EQ(0, pashm_unpin(self->region, 8));
	ASSERT_EQ(0, pashm_extent_create(self->region, 40, 4, 3, &handle));
	ASSERT_EQ(0, pashm_unpin(self->region, 40));

	info = backend_info(self->region);
	EXPECT_EQ(PAGES * PAGE, info.length);
	EXPECT_EQ(20 * PAGE, info.resident);
	EXPECT_EQ(0, info.swapped);
	EXPECT_EQ(4 * PAGE, info.unpinned);
	EXPECT_EQ(3, info.extents);
	EXPECT_EQ(1, info.pinned_extents);
	EXPECT_EQ(0, info.purged);
	EXPECT_EQ(0, info.purges);
	EXPECT_EQ(1, info.clients);
	EXPECT_EQ(0, info.violations);
	EXPECT_EQ(variant->backend, info.backend);
	EXPECT_STREQ("selftest", info.name);

	EXPECT_EQ(4 * PAGE, backend_purge(self->region));
	info = backend_info(self->region);
	EXPECT_EQ(16 * PAGE, info.resident);
	EXPECT_EQ(0, info.unpinned);
	EXPECT_EQ(3, info.extents);
	EXPECT_EQ(4 * PAGE, info.purged);
	EXPECT_EQ(1, info.purges);
	EXPECT_EQ(0, info.violations);
}

/* In a child that was given a client's mapping and nothing else */
static int outlive(void *arg)
{
	char *data = arg;

	/* The parent closes its region meanwhile */
	kill(getpid(), SIGSTOP);
	return data[0] == 0x5a && data[PAGES * PAGE - 1] == 0x5a ? 0 : 1;
}

TEST_F(region, memory_lives_as_long_as_it_is_mapped)
{
	char *data;
	int status;
	pid_t pid;

	ASSERT_EQ(0, pashm_region_map(self->region, RW, (void **)&data));
	memset(data, 0x5a, PAGES * PAGE);
	pid = fork();
	if (!pid)
		_exit(outlive(data));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	pashm_region_close(self->region);
	self->region = NULL;
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(region, a_descriptor_in_flight_keeps_the_contents)
{
	int pair[2], fd;
	char *data;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, pashm_region_map(self->region, RW, (void **)&data));
	strcpy(data, "in flight");
	ASSERT_EQ(0, send_descriptor(pair[0], pashm_region_fd(self->region)));
	pashm_region_close(self->region);
	self->region = NULL;
	fd = receive_descriptor(pair[1]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, import(self, fd));
	close(fd);
	ASSERT_EQ(0, pashm_region_map(self->other, PROT_READ, (void **)&data));
	EXPECT_STREQ("in flight", data);
	EXPECT_EQ(1, backend_info(self->other).clients);
}

TEST_F(region, rights_can_be_given_up)
{
	bool module = variant->backend == PASHM_BACKEND_MODULE;

	EXPECT_EQ(-EINVAL, pashm_region_protect(self->region, 8));
	EXPECT_EQ(module ? 0 : -EOPNOTSUPP,
		  pashm_region_protect(self->region, PROT_READ));
	if (!module)
		return;
	EXPECT_EQ(-EINVAL, pashm_region_protect(self->region, RW));
	EXPECT_EQ(-EACCES, pashm_region_map(self->region, RW, NULL));
	EXPECT_EQ(-EACCES, pashm_region_purge(self->region, NULL));
	ASSERT_EQ(0, import(self, pashm_region_fd(self->region)));
	EXPECT_EQ(-EACCES, pashm_region_map(self->other, RW, NULL));
	EXPECT_EQ(0, pashm_region_map(self->other, PROT_READ, NULL));
}

TEST_HARNESS_MAIN
