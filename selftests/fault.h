/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Make the Nth allocation or copy of the calling task fail, and tell where in
 * the module that was: /proc/self/fail-nth, and the stacks in the kernel log.
 * For programs of one thread, as root, on a kernel with fault injection.
 *
 * Who allocates twice, the second time with more effort (an xarray does), bears
 * a single failure. So there are bursts, too: with the Nth, the next two
 * allocations of slab objects fail; failslab is set to do that to this task.
 */
#ifndef PASHM_SELFTESTS_FAULT_H
#define PASHM_SELFTESTS_FAULT_H

#include <limits.h>

#include "common.h"
#include "module.h"

#define FAULT_DEBUG	"/sys/kernel/debug/"
#define FAULT_NTH	"/proc/self/fail-nth"
#define FAULT_TASK	"/proc/self/make-it-fail"
#define FAULT_PRINTK	"/proc/sys/kernel/printk"
#define FAULT_SITES	32

/**
 * struct fault_tally - what came of the injections into one operation
 * @injected:  failures that were injected
 * @inside:    of these, below a function of the module
 * @refused:   the operation failed
 * @tolerated: it succeeded all the same
 * @sites:     number of different places in the module
 * @site:      "function+offset callee"
 * @last:      the site of the last failure, empty if it was outside
 */
struct fault_tally {
	unsigned int injected, inside, refused, tolerated, sites;
	char site[FAULT_SITES][128];
	char last[128];
};

/**
 * struct fault_rig - what is open, and whether a failure is in store
 * @armed: for the next call
 * @fired: it has come
 * @left:  else, before how many more allocations and copies it would have
 */
struct fault_rig {
	int nth, task, times, log;
	bool armed, fired;
	unsigned int left;
	char printk[64];
};

/* Why nothing can be injected here, or NULL */
static inline const char *fault_missing(void)
{
	if (access(FAULT_NTH, W_OK))
		return "this kernel has no fault injection";
	if (access(FAULT_DEBUG "failslab", F_OK) ||
	    access(FAULT_DEBUG "fail_page_alloc", F_OK))
		return "failslab or fail_page_alloc is missing in debugfs";
	return NULL;
}

static inline long fault_setting(const char *attribute, const char *name,
				 const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), FAULT_DEBUG "%s/%s", attribute, name);
	return file_write(path, value);
}

/*
 * Which allocations count, and may fail: objects of slabs, or pages, or both. A
 * slab takes a page now and then, depending on how full it is. Where the Nth of
 * both falls thus changes from call to call; where the Nth object does, hardly.
 */
static inline long fault_choose(bool slabs, bool pages)
{
	/* No slab of the kernel is marked for this filter */
	return fault_setting("failslab", "cache-filter", slabs ? "N" : "Y") |
	       /* and no page is of such an order */
	       fault_setting("fail_page_alloc", "min-order",
			     pages ? "0" : "30");
}

/*
 * Every allocation may fail, and each failure is logged with its stack. The
 * console gets warnings as ever, but not these stacks: it is slow.
 */
static inline long fault_begin(struct fault_rig *rig)
{
	static const char * const attributes[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	long ret = 0;
	size_t i;

	for (i = 0; i < 3; i++) {
		char path[64];

		snprintf(path, sizeof(path), FAULT_DEBUG "%s", attributes[i]);
		if (access(path, F_OK))
			continue;
		ret |= fault_setting(attributes[i], "verbose", "2");
		ret |= fault_setting(attributes[i],
				     "verbose_ratelimit_interval_ms", "0");
	}
	ret |= fault_setting("failslab", "ignore-gfp-wait", "N");
	ret |= fault_setting("fail_page_alloc", "ignore-gfp-wait", "N");
	ret |= fault_setting("fail_page_alloc", "ignore-gfp-highmem", "N");
	ret |= fault_choose(true, true);
	ret |= fault_setting("failslab", "task-filter", "Y");
	ret |= fault_setting("failslab", "probability", "100");
	file_contents(FAULT_PRINTK, rig->printk, sizeof(rig->printk));
	ret |= file_write(FAULT_PRINTK, "5 6 1 5");
	rig->nth = open(FAULT_NTH, O_RDWR | O_CLOEXEC);
	rig->task = open(FAULT_TASK, O_RDWR | O_CLOEXEC);
	rig->times = open(FAULT_DEBUG "failslab/times", O_RDWR | O_CLOEXEC);
	rig->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (rig->nth < 0 || rig->task < 0 || rig->times < 0 || rig->log < 0)
		return -errno;
	return ret;
}

static inline void fault_end(struct fault_rig *rig)
{
	fault_setting("failslab", "probability", "0");
	fault_choose(true, true);
	file_write(FAULT_PRINTK, rig->printk);
	close(rig->nth);
	close(rig->task);
	close(rig->times);
	close(rig->log);
}

/* The count itself last: these calls copy, too */
static inline bool fault_arm(struct fault_rig *rig, unsigned int nth,
			     bool burst)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	lseek(rig->log, 0, SEEK_END);
	rig->armed = true;
	if (burst && (write(rig->times, "3", 1) != 1 ||
		      pwrite(rig->task, "1", 1, 0) != 1))
		return false;
	return pwrite(rig->nth, text, length, 0) == length;
}

/*
 * Was it injected? What is left to count down is 0 then. The answer is copied
 * to us: if that is what fails, the operation itself was over. May be called
 * again.
 */
static inline bool fault_disarm(struct fault_rig *rig)
{
	char text[16] = "";

	if (!rig->armed)
		return rig->fired;
	rig->armed = false;
	rig->fired = false;
	if (pread(rig->nth, text, sizeof(text) - 1, 0) > 0) {
		rig->left = strtoul(text, NULL, 10);
		rig->fired = rig->left == 0;
	}
	while (pwrite(rig->nth, "0", 1, 0) != 1)
		;
	while (pwrite(rig->task, "0", 1, 0) != 1)
		;
	return rig->fired;
}

static inline void fault_note_site(struct fault_tally *tally, const char *site)
{
	unsigned int i;

	tally->inside++;
	snprintf(tally->last, sizeof(tally->last), "%s", site);
	for (i = 0; i < tally->sites; i++)
		if (!strcmp(tally->site[i], site))
			return;
	if (tally->sites < FAULT_SITES)
		snprintf(tally->site[tally->sites++], sizeof(tally->site[0]),
			 "%s", site);
}

/*
 * Read the stack of the failure: the innermost frame of the module is the call
 * that failed, the frame before it what was called.
 */
static inline void fault_count(struct fault_rig *rig, struct fault_tally *tally)
{
	char record[1024], callee[64] = "", site[128];
	bool found = true;
	ssize_t length;

	tally->injected++;
	tally->last[0] = '\0';
	while ((length = read(rig->log, record, sizeof(record) - 1)) > 0 ||
	       (length < 0 && errno == EPIPE)) {
		char function[64], *text;

		record[length < 0 ? 0 : length] = '\0';
		text = strchr(record, ';');
		if (text && !strncmp(text, ";FAULT_INJECTION", 16))
			found = false;
		if (found || !text || strncmp(text, "; ", 2) || text[2] == '?' ||
		    sscanf(text + 2, "%63[^/ \n]/", function) != 1)
			continue;
		if (strstr(text, "[pashm]")) {
			callee[strcspn(callee, "+")] = '\0';
			snprintf(site, sizeof(site), "%s %s", function, callee);
			fault_note_site(tally, site);
			found = true;
		}
		memcpy(callee, function, sizeof(callee));
	}
}

/* Was the last failure the copy of an ioctl's answer, when all was done? */
static inline bool fault_was_the_answer(const struct fault_tally *tally)
{
	static const char * const callers[] = {
		"pashm_run+", "pashm_dispatch+", "pashm_region_ioctl+",
	};
	size_t i;

	for (i = 0; i < 3; i++)
		if (!strncmp(tally->last, callers[i], strlen(callers[i])))
			return strstr(tally->last, "copy_to_user");
	return false;
}

static inline void fault_print(const char *name,
			       const struct fault_tally *tally)
{
	unsigned int i;

	printf("# %-28s %4u injected, %3u inside, %4u refused, %4u tolerated\n",
	       name, tally->injected, tally->inside, tally->refused,
	       tally->tolerated);
	for (i = 0; i < tally->sites; i++)
		printf("#     %s\n", tally->site[i]);
	fflush(stdout);
}

/*
 * The kernel's own: a slab cache whose directory in sysfs cannot be made is
 * without one, and the directory's name is lost (6.1, sysfs_slab_add()).
 */
static inline bool fault_leak_is_known(const char *object, size_t length)
{
	static const char known[] = "sysfs_slab_add";

	return memmem(object, length, known, sizeof(known) - 1);
}

/*
 * How many objects kmemleak finds in two scans, but for those; -1 without it.
 * INT_MAX, as good as a leak, if it does not scan: when it runs out of memory it
 * switches itself off for good, and shows none.
 */
static inline int fault_leaks(void)
{
	static const char leaks[] = FAULT_DEBUG "kmemleak";
	static const char head[] = "unreferenced object";
	static char report[1 << 20];
	int found = 0, known = 0;
	char *at, *next;

	if (access(leaks, F_OK))
		return errno == ENOENT ? -1 : INT_MAX;
	/* What is younger than five seconds is not looked at */
	sleep(6);
	if (file_write(leaks, "scan"))
		return INT_MAX;
	sleep(1);
	if (file_write(leaks, "scan"))
		return INT_MAX;
	file_contents(leaks, report, sizeof(report));
	for (at = strstr(report, head); at; at = next) {
		size_t length;

		next = strstr(at + 1, head);
		length = next ? (size_t)(next - at) : strlen(at);
		if (fault_leak_is_known(at, length)) {
			known++;
			continue;
		}
		found++;
		printf("%.*s\n", (int)length, at);
	}
	if (known)
		printf("# %d known leaks of the kernel itself\n", known);
	/* Nobody else shall stumble over those */
	if (!found)
		file_write(leaks, "clear");
	return found;
}

#endif /* PASHM_SELFTESTS_FAULT_H */
