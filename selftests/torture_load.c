// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module is loaded and unloaded, over and over, while others open, map,
 * fork and hold whatever they can get, and read what it shows in /proc, /sys
 * and debugfs. Who has got in finds everything there, and keeps the module.
 *
 * 10 rounds; the figure is 500: PASHM_TEST_SCALE=50.
 */
#include "module.h"
#include "told.h"
#include "torture.h"

#define ROUNDS		10
#define USERS		4
#define PAGES		64
/* Refused unloads after which all users are asked to let go */
#define PATIENCE	200

/**
 * struct load - what the processes share
 * @holds: a count for each user, odd while he holds the module for sure
 * @quiet: users let go, and begin nothing
 */
struct load {
	struct torture torture;
	unsigned int holds[USERS];
	bool quiet;
	uint64_t uses, absences, refusals, reads;
};

FIXTURE(torture_load)
{
	struct load *load;
	struct torture_crew crew;
};

FIXTURE_SETUP(torture_load)
{
	SKIP_WITHOUT_MODULE();
	self->load = torture_share(sizeof(*self->load));
	ASSERT_NE(NULL, self->load);
	self->crew.torture = &self->load->torture;
}

FIXTURE_TEARDOWN(torture_load)
{
	torture_end(&self->crew);
	if (!module_loaded())
		EXPECT_EQ(0, module_load());
}

static void rest(uint64_t *seed)
{
	usleep(random_next(seed) % 8 ? random_next(seed) % 1000 :
	       random_next(seed) % 20000);
}

/* All of a new region, with everything it can do in a short time */
static bool use_region(struct load *load, int fd, char *data)
{
	struct torture *t = &load->torture;
	uint32_t generation = 1, verdict;

	memset(data, 1, PAGES * PAGE);
	return TORTURE_CHECK(t, !region_reshape(fd, 0, PAGES, 0)) &&
	       TORTURE_CHECK(t, !region_unpin(fd, 0)) &&
	       TORTURE_CHECK(t, region_purge(fd) >= 0) &&
	       TORTURE_CHECK(t, !region_pin(fd, 0, &generation, &verdict)) &&
	       TORTURE_CHECK(t, verdict == PASHM_PURGED && !data[0]) &&
	       TORTURE_CHECK(t, region_info(fd).purges == 1);
}

/* A process that has nothing but a copy of the mapping: nobody has pins */
static bool use_child(struct load *load, char *data)
{
	struct torture *t = &load->torture;
	int status;
	pid_t pid = fork();

	if (!pid) {
		data[PAGE] = 2;
		usleep(1000);
		_exit(data[PAGE] != 2 && data[PAGE] != 0);
	}
	return TORTURE_CHECK(t, pid > 0) &&
	       TORTURE_CHECK(t, waitpid(pid, &status, 0) == pid && !status);
}

/* The last that is held: a descriptor, a mapping, or one in flight */
static void hold_last(struct load *load, unsigned int number, int device,
		      int fd, char *data, uint64_t *seed)
{
	struct torture *t = &load->torture;
	bool sole_mapping = random_next(seed) % 2;
	int pair[2];

	close(device);
	if (sole_mapping) {
		close(fd);
		if (random_next(seed) % 2)
			use_child(load, data);
	} else {
		TORTURE_CHECK(t, !munmap(data, PAGES * PAGE));
		TORTURE_CHECK(t, !socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		TORTURE_CHECK(t, !send_descriptor(pair[0], fd));
		close(fd);
	}
	rest(seed);
	__atomic_add_fetch(&load->holds[number], 1, __ATOMIC_SEQ_CST);
	if (sole_mapping) {
		TORTURE_CHECK(t, !munmap(data, PAGES * PAGE));
	} else {
		close(pair[0]);
		close(pair[1]);
	}
}

static void use(struct load *load, unsigned int number, int device,
		uint64_t *seed)
{
	struct pashm_create create = {
		.size = sizeof(create), .length = PAGES * PAGE, .name = "load",
	};
	struct torture *t = &load->torture;
	long address;
	int fd;

	__atomic_add_fetch(&load->holds[number], 1, __ATOMIC_SEQ_CST);
	fd = command(device, PASHM_IOC_CREATE, &create);
	address = map_at(fd, 0, PAGES * PAGE, TORTURE_RW);
	if (!TORTURE_CHECK(t, fd >= 0) ||
	    !TORTURE_CHECK(t, !MAP_FAILED_WITH(address)))
		_exit(1);
	if (!use_region(load, fd, (char *)address))
		_exit(1);
	rest(seed);
	hold_last(load, number, device, fd, (char *)address, seed);
	torture_count(&load->uses, 1);
}

static void be_user(void *arg, unsigned int number, uint64_t seed)
{
	struct load *load = arg;

	while (!torture_stopped(&load->torture)) {
		int device = -EAGAIN;

		if (!__atomic_load_n(&load->quiet, __ATOMIC_SEQ_CST))
			device = device_open();
		if (device >= 0)
			use(load, number, device, &seed);
		else if (device == -ENOENT || device == -ENODEV ||
			 device == -ENXIO)
			torture_count(&load->absences, 1);
		else if (device != -EAGAIN)
			TORTURE_FAIL(&load->torture, "open: %s",
				     strerror(-device));
		rest(&seed);
	}
}

/* Whatever the module shows to all, while it comes and goes */
static void be_reader(void *arg, unsigned int number, uint64_t seed)
{
	static const char * const files[] = {
		"/proc/misc", "/proc/modules", "/proc/slabinfo",
		"/sys/class/misc/pashm/dev", "/sys/class/misc/pashm/uevent",
		"/sys/module/pashm/refcnt", "/sys/module/pashm/initstate",
		"/sys/module/pashm/version", "/sys/module/pashm/sections/.text",
		"/sys/kernel/slab/pashm_listing/objects",
	};
	static char text[1 << 18];
	struct load *load = arg;

	(void)number;
	while (!torture_stopped(&load->torture)) {
		file_contents(files[random_next(&seed) % 10], text,
			      sizeof(text));
		if (random_next(&seed) % 16 == 0)
			system("cat /sys/kernel/debug/shrinker/pashm*/count "
			       ">/dev/null 2>&1");
		if (random_next(&seed) % 16 == 0)
			file_write("/proc/sys/vm/drop_caches", "2");
		torture_count(&load->reads, 1);
		usleep(500);
	}
}

/* Unload, some time: never while somebody held it all along */
static bool unload_in_use(struct load *load)
{
	unsigned int before[USERS], tries, i;
	long ret = -EAGAIN;

	for (tries = 0; ret == -EAGAIN && tries < 100 * PATIENCE; tries++) {
		__atomic_store_n(&load->quiet, tries > PATIENCE,
				 __ATOMIC_SEQ_CST);
		for (i = 0; i < USERS; i++)
			before[i] = __atomic_load_n(&load->holds[i],
						    __ATOMIC_SEQ_CST);
		ret = module_unload();
		load->refusals += ret == -EAGAIN;
		if (ret == -EAGAIN)
			usleep(1000);
		if (torture_stopped(&load->torture))
			return false;
	}
	__atomic_store_n(&load->quiet, false, __ATOMIC_SEQ_CST);
	if (ret)
		TORTURE_FAIL(&load->torture, "unload: %s", strerror((int)-ret));
	for (i = 0; i < USERS; i++)
		if (!ret && before[i] % 2 && before[i] ==
		    __atomic_load_n(&load->holds[i], __ATOMIC_SEQ_CST))
			TORTURE_FAIL(&load->torture,
				     "unloaded, but user %u held it", i);
	return !ret;
}

/* Two at once: one of them is too late, or told what the other is told */
static bool load_twice(struct load *load)
{
	int status = 0;
	pid_t pid = fork();
	long ret;

	if (!pid)
		_exit((int)-module_load());
	ret = module_load();
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		status = -1;
	else
		status = WEXITSTATUS(status);
	if ((ret && ret != -EEXIST) || (status && status != EEXIST) ||
	    (ret && status)) {
		TORTURE_FAIL(&load->torture, "loads: %ld and %d", -ret, status);
		return false;
	}
	return true;
}

TEST_F_TIMEOUT(torture_load, it_comes_and_goes_under_its_users, 7200)
{
	long rounds = scaled(ROUNDS), round;
	struct load *load = self->load;
	unsigned int i;

	for (i = 0; i < USERS; i++)
		ASSERT_TRUE(torture_hire(&self->crew, be_user, load, i));
	ASSERT_TRUE(torture_hire(&self->crew, be_reader, load, 0));
	for (round = 0; round < rounds; round++) {
		if (!unload_in_use(load))
			break;
		EXPECT_STREQ("", module_traces());
		/* Nobody else in the guest says that; but each CPU has its part */
		EXPECT_EQ(0, file_write("/proc/sys/vm/stat_refresh", "1"));
		EXPECT_EQ(0, told(TOLD_ALL));
		usleep(round % 3 * 2000);
		if (!load_twice(load))
			break;
		usleep(round % 5 * 5000);
	}
	torture_end(&self->crew);
	EXPECT_STREQ("", load->torture.failure);
	EXPECT_EQ(rounds, round);
	TH_LOG("%ld rounds, %llu refused unloads, %llu uses, %llu too early",
	       round, (unsigned long long)load->refusals,
	       (unsigned long long)load->uses,
	       (unsigned long long)load->absences);
	EXPECT_LT(rounds, (long)load->uses);
	EXPECT_LT(rounds, (long)load->refusals);
	EXPECT_NE(0, load->absences);
	EXPECT_EQ(0, module_references());
}

TEST_HARNESS_MAIN
