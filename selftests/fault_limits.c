// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors that need no fault injection: descriptors and files used up, a cgroup
 * at its limit. What is refused has changed nothing and works as soon as it can.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "common.h"
#include "module.h"

#define PAGES		(1UL << 28)		/* a TiB: room for tables */
#define STRIDE		4096UL			/* more than a table page */
#define RW		(PROT_READ | PROT_WRITE)
#define NOBODY		65534
#define FILE_BATCH	32			/* on few CPUs */
#define FILE_MAX	"/proc/sys/fs/file-max"
#define GROUP		"/sys/fs/cgroup/pashm-limits"
#define TRIES		200000UL
#define MANY		200
/* A page a region would be more; half of that for caches of the allocator */
#define ROOM		((long long)(MANY * PAGE / 2))

FIXTURE(limit)
{
	int device, fd, other, setting, number;
	char saved[32];
	long references;
	struct pashm_info before;
};

FIXTURE_SETUP(limit)
{
	SKIP_WITHOUT_DEVICE();
	self->device = device_open();
	self->fd = region_create(PAGES, 0);
	self->other = region_attach(self->fd, 0);
	ASSERT_LE(0, self->other);
	self->references = module_references();
	self->before = region_info(self->fd);
	self->setting = -1;
}

FIXTURE_TEARDOWN(limit)
{
	if (self->setting >= 0)
		close(self->setting);
	close(self->other);
	close(self->fd);
	close(self->device);
}

static long create(struct _test_data_limit *self)
{
	struct pashm_create args = {
		.size = sizeof(args), .length = PAGE, .name = "new",
	};

	return command(self->device, PASHM_IOC_CREATE, &args);
}

static long attach(struct _test_data_limit *self)
{
	return region_attach(self->fd, 0);
}

static void expect_unchanged(struct __test_metadata *_metadata,
			     struct _test_data_limit *self)
{
	struct pashm_info now = region_info(self->fd);

	EXPECT_EQ(0, memcmp(&self->before, &now, sizeof(now)));
	EXPECT_EQ(self->references, module_references());
}

TEST_F(limit, no_descriptor_left_is_emfile)
{
	struct rlimit limit;
	int next = dup(self->fd);

	ASSERT_EQ(0, close(next));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = next;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, create(self));
	EXPECT_EQ(-EMFILE, attach(self));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	expect_unchanged(_metadata, self);
	EXPECT_EQ(next, create(self));
	close(next);
	EXPECT_EQ(next, attach(self));
	close(next);
}

/* What the kernel takes for the number of files in use */
static long files_in_use(struct _test_data_limit *self)
{
	char text[64] = "";

	if (pread(self->number, text, sizeof(text) - 1, 0) <= 0)
		return -EBADMSG;
	return atol(text);
}

/* With so many files more. The limit is not for root; only root can set it */
static long with_files(struct _test_data_limit *self, long more,
		       long (*call)(struct _test_data_limit *self))
{
	char text[32];
	long most = files_in_use(self) + more;
	int length = snprintf(text, sizeof(text), "%ld", most < 0 ? 0 : most);
	long ret;

	if (pwrite(self->setting, text, length, 0) != length ||
	    seteuid(NOBODY))
		return -EBADMSG;
	ret = call(self);
	if (seteuid(0) || pwrite(self->setting, self->saved,
				 strlen(self->saved), 0) < 0)
		return -EBADMSG;
	return ret;
}

static void file_limit(struct __test_metadata *_metadata,
		       struct _test_data_limit *self)
{
	cpu_set_t one;

	if (geteuid())
		SKIP(_exit(255), "only root can lower file-max");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	file_contents(FILE_MAX, self->saved, sizeof(self->saved));
	self->setting = open(FILE_MAX, O_WRONLY | O_CLOEXEC);
	self->number = open("/proc/sys/fs/file-nr", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->number);
}

/*
 * The kernel looks first at a sum that is behind by up to 32 files for each CPU,
 * and 7.3 tells us the exact one.
 */
#define COUNTED_LATE	256

TEST_F(limit, no_file_left_is_enfile)
{
	file_limit(_metadata, self);
	EXPECT_EQ(-ENFILE, with_files(self, -COUNTED_LATE, create));
	expect_unchanged(_metadata, self);
	EXPECT_EQ(-ENFILE, with_files(self, -COUNTED_LATE, attach));
	expect_unchanged(_metadata, self);
	EXPECT_LE(0, with_files(self, 100, create));
	EXPECT_LE(0, with_files(self, 100, attach));
}

/*
 * CREATE needs two. The kernel adds a CPU's files to the number in use in
 * batches of 32. So one more file can always be had; and if it is the one that
 * fills the batch, the second cannot. To get there, the number goes up in steps
 * of two, the even ones first and then the odd ones, or the other way round.
 */
TEST_F(limit, nor_is_one_file_enough_for_a_region)
{
	int phase, refused = 0;

	if (!kernel_is_before(7, 0))
		SKIP(return, "7.x does not tell the number that it looks at");
	file_limit(_metadata, self);
	for (phase = 0; phase < 2 * FILE_BATCH; phase++) {
		long ret = with_files(self, 1, create);

		ASSERT_TRUE(ret >= 0 || ret == -ENFILE);
		if (ret >= 0)
			close((int)ret);
		refused += ret < 0;
		expect_unchanged(_metadata, self);
		open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (phase != FILE_BATCH)
			open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	TH_LOG("refused the second file %d times of %d", refused, phase);
	EXPECT_NE(0, refused);
	EXPECT_GT(phase, refused);
}

/* One more extent, or one more pin, in a table page of its own each */
static long make_one(struct _test_data_limit *self, size_t number)
{
	return region_reshape(self->fd, (number + 1) * STRIDE, 1, 0);
}

static long pin_one(struct _test_data_limit *self, size_t number)
{
	uint32_t generation = 0, verdict;

	return region_pin(self->other, (number + 1) * STRIDE, &generation,
			  &verdict);
}

/*
 * In a group, as somebody whom the OOM killer does not take: what cannot be
 * charged is refused. Between limit and release nothing else may be charged.
 */
static int exhaust(struct _test_data_limit *self,
		   long (*one)(struct _test_data_limit *self, size_t number))
{
	struct pashm_info before, after;
	size_t number = 0;
	long ret = 0;

	if (file_write("/proc/self/oom_score_adj", "-1000") ||
	    file_write(GROUP "/cgroup.procs", "0"))
		return 10;
	self->setting = open(GROUP "/memory.max", O_WRONLY | O_CLOEXEC);
	if (self->setting < 0 || mlockall(MCL_CURRENT) ||
	    pwrite(self->setting, "8M", 2, 0) != 2)
		return 11;
	while (!ret && number < TRIES) {
		before = region_info(self->fd);
		ret = one(self, number++);
	}
	after = region_info(self->fd);
	if (pwrite(self->setting, "max", 3, 0) != 3)
		return 12;
	if (ret != -ENOMEM)
		return 13;
	/* Table pages that a failed call has made are kept for the next */
	before.tables = after.tables;
	if (memcmp(&before, &after, sizeof(after)))
		return 14;
	return one(self, number - 1) ? 15 : 0;
}

static void expect_enomem(struct __test_metadata *_metadata,
			  struct _test_data_limit *self,
			  long (*one)(struct _test_data_limit *self,
				      size_t number))
{
	int status, tries;
	pid_t pid;

	if (geteuid() || (mkdir(GROUP, 0755) && errno != EEXIST))
		SKIP(return, "no cgroups for us");
	pid = fork();
	if (!pid) {
		/* The client that may pin is the one of this process */
		self->fd = region_attach(self->fd, 0);
		self->other = region_attach(self->fd, 0);
		_exit(exhaust(self, one));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) {
		TH_LOG("child: %d", WEXITSTATUS(status));
	}
	EXPECT_EQ(0, region_info(self->fd).pinned_extents);
	EXPECT_EQ(self->references, module_references());
	EXPECT_EQ(0, file_number(GROUP "/memory.events", "oom_kill"));
	for (tries = 0; rmdir(GROUP) && tries < 100; tries++)
		usleep(20000);
}

TEST_F_TIMEOUT(limit, a_table_beyond_the_cgroups_limit_is_enomem, 1200)
{
	expect_enomem(_metadata, self, make_one);
}

TEST_F_TIMEOUT(limit, so_is_a_pin_in_it, 1200)
{
	expect_enomem(_metadata, self, pin_one);
}

/* Kernel memory that is charged to the group, by its own count */
static long long charged(void)
{
	return file_number(GROUP "/memory.stat", "kernel");
}

/* All that a region can have */
static bool come_and_go(void)
{
	int fd = region_create(PAGES, 0), other = region_attach(fd, 0);
	long address = map_at(fd, 0, PAGE, RW);
	bool well = other >= 0 && !MAP_FAILED_WITH(address) &&
		    !region_reshape(fd, STRIDE, 1, 0);

	if (well)
		*(volatile char *)address = 1;
	munmap((void *)address, PAGE);
	close(other);
	close(fd);
	return well;
}

TEST_F_TIMEOUT(limit, what_has_ended_is_not_charged_any_more, 120)
{
	long long before, after = 0;
	int i;

	if (geteuid() || (mkdir(GROUP, 0755) && errno != EEXIST))
		SKIP(return, "no cgroups for us");
	ASSERT_EQ(0, file_write(GROUP "/cgroup.procs", "0"));
	ASSERT_TRUE(come_and_go());
	before = charged();
	for (i = 0; i < MANY; i++)
		ASSERT_TRUE(come_and_go());
	/* Clients are freed after a grace period */
	for (i = 0; i < 50 && (!i || after > before + ROOM); i++) {
		usleep(100000);
		after = charged();
	}
	ASSERT_EQ(0, file_write("/sys/fs/cgroup/cgroup.procs", "0"));
	rmdir(GROUP);
	EXPECT_GE(before + ROOM, after);
}

TEST_HARNESS_MAIN
