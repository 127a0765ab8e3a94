// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the other tests take for granted about the guest they run in. When
 * they fail in great numbers, look here first.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <kselftest_harness.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

/* Reads a small file; an empty string if there is none. */
static const char *contents_of(const char *path, char *buf, size_t size)
{
	ssize_t len = -1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, buf, size - 1);
		close(fd);
	}
	buf[len > 0 ? len : 0] = '\0';
	return buf;
}

TEST(cgroups_hand_out_the_memory_controller)
{
	static const char dir[] = CGROUP_ROOT "/rig";
	char buf[512];

	ASSERT_NE(NULL, strstr(contents_of(CGROUP_ROOT "/cgroup.subtree_control",
					   buf, sizeof(buf)), "memory"));
	ASSERT_EQ(0, mkdir(dir, 0755));
	EXPECT_STREQ("max\n", contents_of(CGROUP_ROOT "/rig/memory.max",
					  buf, sizeof(buf)));
	EXPECT_EQ(0, access(CGROUP_ROOT "/rig/memory.reclaim", W_OK));
	EXPECT_EQ(0, rmdir(dir));
}

TEST(pressure_is_readable)
{
	char buf[512];

	contents_of("/proc/pressure/memory", buf, sizeof(buf));
	EXPECT_EQ(0, strncmp(buf, "some ", 5));
}

/* The caller names the swap it gave to scripts/vm: none, zram or disk. */
TEST(swap_is_what_was_asked_for)
{
	const char *asked = getenv("PASHM_RIG_SWAP");
	char buf[4096];

	if (!asked)
		SKIP(return, "PASHM_RIG_SWAP is not set");
	contents_of("/proc/swaps", buf, sizeof(buf));
	ASSERT_NE('\0', buf[0]);
	EXPECT_EQ(strcmp(asked, "zram") == 0, strstr(buf, "/dev/zram") != NULL);
	EXPECT_EQ(strcmp(asked, "disk") == 0, strstr(buf, "/dev/vd") != NULL);
}

TEST(shared_memory_is_a_tmpfs_of_its_own)
{
	struct stat root, shm;

	ASSERT_EQ(0, stat("/", &root));
	ASSERT_EQ(0, stat("/dev/shm", &shm));
	EXPECT_NE(root.st_dev, shm.st_dev);
	EXPECT_EQ(01777, shm.st_mode & 07777);
}

TEST(a_memfd_can_be_punched)
{
	const size_t size = 16 * 4096;
	int fd;

	fd = memfd_create("rig", MFD_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, size));
	EXPECT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       0, size));
	close(fd);
}

/* The runner limits the time of every program when it finds this one. */
TEST(the_runner_has_a_real_timeout)
{
	ASSERT_EQ(0, access("/usr/bin/timeout", X_OK));
	EXPECT_EQ(0, system("/usr/bin/timeout --foreground 5 true"));
}

TEST(tests_run_as_root)
{
	EXPECT_EQ(0, geteuid());
}

/* That lockdep gives up is said at the lowest. */
TEST(the_console_gets_messages_of_all_levels)
{
	char buf[64];

	EXPECT_EQ(0, strncmp("8\t", contents_of("/proc/sys/kernel/printk", buf,
						sizeof(buf)), 2));
}

/* What would be skipped, or not be noticed, if a checker were not there */
TEST(a_kernel_that_checks_itself_does_so)
{
	char buf[8192], *locks;
	struct utsname name;
	bool kasan, kcsan;

	ASSERT_EQ(0, uname(&name));
	kasan = strstr(name.release, "-kasan");
	kcsan = strstr(name.release, "-kcsan");
	if (!kasan && !kcsan)
		return;
	locks = strstr(contents_of("/proc/lockdep_stats", buf, sizeof(buf)),
		       " debug_locks: ");
	ASSERT_NE(NULL, locks);
	EXPECT_EQ(1, atoi(strchr(locks, ':') + 1));
	EXPECT_EQ(0, access("/proc/self/fail-nth", W_OK));
	EXPECT_EQ(0, access("/sys/kernel/debug/failslab", F_OK));
	EXPECT_EQ(0, access("/sys/kernel/debug/fail_page_alloc", F_OK));
	EXPECT_EQ(0, access(kasan ? "/sys/kernel/debug/kmemleak" :
			    "/sys/kernel/debug/kcsan", W_OK));
}

TEST_HARNESS_MAIN
