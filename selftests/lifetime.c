// SPDX-License-Identifier: GPL-2.0-only
/* When the module may go, and what it leaves behind: nothing. */
#include <kselftest_harness.h>

#include "module.h"

#define PAGES	64
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(lifetime)
{
	int fd;
};

FIXTURE_SETUP(lifetime)
{
	SKIP_WITHOUT_MODULE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(lifetime)
{
	close(self->fd);
	if (!module_loaded())
		module_load();
}

TEST_F(lifetime, an_open_device_keeps_the_module)
{
	int device = device_open();

	close(self->fd);
	EXPECT_EQ(-EAGAIN, module_unload());
	close(device);
	EXPECT_EQ(0, module_unload());
}

TEST_F(lifetime, an_open_region_keeps_the_module)
{
	EXPECT_EQ(-EAGAIN, module_unload());
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

TEST_F(lifetime, a_second_client_keeps_the_module)
{
	int other = region_attach(self->fd, 0);

	close(self->fd);
	EXPECT_EQ(-EAGAIN, module_unload());
	close(other);
	EXPECT_EQ(0, module_unload());
}

/* Map @offset, close the descriptor, and see that the mapping is enough */
static void expect_mapping_keeps(struct __test_metadata *_metadata,
				 struct _test_data_lifetime *self,
				 uint64_t offset, int prot)
{
	long address = map_at(self->fd, offset, PAGE, prot);

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	if (prot & PROT_WRITE)
		*(char *)address = 1;
	close(self->fd);
	EXPECT_EQ(-EAGAIN, module_unload());
	EXPECT_EQ(prot & PROT_WRITE ? 1 : 0x6d, *(char *)address);
	ASSERT_EQ(0, munmap((void *)address, PAGE));
	EXPECT_EQ(0, module_unload());
}

TEST_F(lifetime, a_mapping_of_data_keeps_the_module)
{
	expect_mapping_keeps(_metadata, self, PASHM_OFFSET_DATA, RW);
}

TEST_F(lifetime, a_mapping_of_the_header_keeps_the_module)
{
	expect_mapping_keeps(_metadata, self, PASHM_OFFSET_HEADER, PROT_READ);
}

TEST_F(lifetime, a_mapping_of_states_keeps_the_module)
{
	expect_mapping_keeps(_metadata, self, PASHM_OFFSET_STATES, RW);
}

TEST_F(lifetime, a_mapping_of_births_keeps_the_module)
{
	expect_mapping_keeps(_metadata, self, PASHM_OFFSET_BIRTHS, RW);
}

TEST_F(lifetime, a_mapping_of_pin_words_keeps_the_module)
{
	expect_mapping_keeps(_metadata, self, PASHM_OFFSET_PINS, RW);
}

TEST_F(lifetime, a_private_copy_of_data_keeps_the_module)
{
	char *map = mmap(NULL, PAGE, RW, MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	close(self->fd);
	EXPECT_EQ(-EAGAIN, module_unload());
	ASSERT_EQ(0, munmap(map, PAGE));
	EXPECT_EQ(0, module_unload());
}

TEST_F(lifetime, a_descriptor_in_flight_keeps_the_module)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, send_descriptor(pair[0], self->fd));
	close(self->fd);
	EXPECT_EQ(-EAGAIN, module_unload());
	close(pair[0]);
	close(pair[1]);
	EXPECT_EQ(0, module_unload());
}

TEST_F(lifetime, a_process_that_keeps_a_mapping_keeps_the_module)
{
	long address = map_at(self->fd, 0, PAGE, RW);
	int status;
	pid_t pid;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	pid = fork();
	if (!pid)
		return (void)pause();
	close(self->fd);
	ASSERT_EQ(0, munmap((void *)address, PAGE));
	EXPECT_EQ(-EAGAIN, module_unload());
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, module_unload());
}

TEST_F(lifetime, nothing_is_left_behind)
{
	long address = map_at(self->fd, 0, PAGES * PAGE, RW);

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	memset((void *)address, 1, PAGES * PAGE);
	ASSERT_EQ(0, munmap((void *)address, PAGES * PAGE));
	close(self->fd);
	ASSERT_EQ(0, module_unload());
	EXPECT_FALSE(module_loaded());
	EXPECT_STREQ("", module_traces());
}

TEST_F_TIMEOUT(lifetime, it_can_be_loaded_and_used_again_and_again, 120)
{
	long address;
	int round;

	for (round = 0; round < 20; round++) {
		address = map_at(self->fd, 0, PAGES * PAGE, RW);
		ASSERT_FALSE(MAP_FAILED_WITH(address));
		memset((void *)address, 1, PAGES * PAGE);
		ASSERT_EQ(0, region_reshape(self->fd, 0, PAGES, 0));
		ASSERT_EQ(0, region_unpin(self->fd, 0));
		ASSERT_EQ(PAGES * PAGE, region_purge(self->fd));
		ASSERT_EQ(0, munmap((void *)address, PAGES * PAGE));
		close(self->fd);
		ASSERT_EQ(0, module_unload());
		ASSERT_EQ(0, module_load());
		self->fd = region_create(PAGES, 0);
		ASSERT_LE(0, self->fd);
	}
}

/* Fills, unpins and asks the whole machine for reclaim, until killed */
static void churn(int fd)
{
	long address = map_at(fd, 0, PAGES * PAGE, RW);
	uint32_t generation, verdict;

	if (MAP_FAILED_WITH(address) || region_reshape(fd, 0, PAGES, 0))
		_exit(1);
	for (;;) {
		memset((void *)address, 1, PAGES * PAGE);
		region_unpin(fd, 0);
		file_write("/proc/sys/vm/drop_caches", "2");
		generation = 0;
		region_pin(fd, 0, &generation, &verdict);
	}
}

TEST_F_TIMEOUT(lifetime, it_can_be_unloaded_right_after_reclaim, 120)
{
	int status, round;
	pid_t pid;

	close(self->fd);
	for (round = 0; round < 10; round++) {
		pid = fork();
		if (!pid)
			churn(region_create(PAGES, 0));
		usleep(100000);
		EXPECT_EQ(-EAGAIN, module_unload());
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(SIGKILL, WTERMSIG(status));
		ASSERT_EQ(0, module_unload());
		ASSERT_EQ(0, module_load());
	}
}

TEST_HARNESS_MAIN
