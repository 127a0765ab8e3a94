// SPDX-License-Identifier: GPL-2.0-only
#include "call.h"

#define COMMAND(name, nr, type, allowed, out, on_device)		\
	{ name, PASHM_IOC_##nr, sizeof(struct pashm_##type), allowed, out, \
	  on_device }

const struct command commands[COMMANDS] = {
	[QUERY] = COMMAND("QUERY", QUERY, query, 0, true, true),
	[CREATE] = COMMAND("CREATE", CREATE, create, CREATE_FLAGS, false,
			   true),
	[ATTACH] = COMMAND("ATTACH", ATTACH, attach, 0, false, false),
	[PIN] = COMMAND("PIN", PIN, pin, 0, true, false),
	[UNPIN] = COMMAND("UNPIN", UNPIN, pin, 0, true, false),
	[WAIT] = COMMAND("WAIT", WAIT, wait, 0, true, false),
	[INFO] = COMMAND("INFO", INFO, info, 0, true, false),
	[PURGE] = COMMAND("PURGE", PURGE, purge, 0, true, false),
	[PROTECT] = COMMAND("PROT", PROT, prot, PASHM_PROT_REGION, false,
			    false),
	[RESHAPE] = COMMAND("RESHAPE", RESHAPE, reshape,
			    PASHM_RESHAPE_FREE | PASHM_RESHAPE_DISCARD, true,
			    false),
};

/* --- expectations --- */

static uint32_t masks_upper(const struct mask *a, const struct mask *b)
{
	return __atomic_load_n(&a->upper, __ATOMIC_SEQ_CST) &
	       __atomic_load_n(&b->upper, __ATOMIC_SEQ_CST);
}

static uint32_t masks_lower(const struct mask *a, const struct mask *b)
{
	return __atomic_load_n(&a->lower, __ATOMIC_SEQ_CST) &
	       __atomic_load_n(&b->lower, __ATOMIC_SEQ_CST);
}

/* Rights gone for certain make the error a must, rights in doubt a may */
void need(struct expect *e, const struct mask *a, const struct mask *b,
	  uint32_t rights, int denied)
{
	must_if(e, rights & ~masks_upper(a, b), denied);
	e->masks[0] = a;
	e->masks[1] = b;
	e->rights = rights;
	e->denied = denied;
}

/*
 * What an injected failure can lead to. Some kernels let copies from and to
 * userspace fail, too.
 */
static bool of_a_fault(int error)
{
	return error == ENOMEM || error == EFAULT;
}

bool allowed(const struct expect *e, long ret)
{
	int error = (int)-ret;

	if (ret >= 0)
		return !errors_any(e->must);
	if (errors_have(e->must, error) || errors_have(e->may, error))
		return true;
	if (e->masks[0] && error == e->denied &&
	    e->rights & ~masks_lower(e->masks[0], e->masks[1]))
		return true;
	return faults_hit() && of_a_fault(error);
}

static void errors_print(char *text, size_t size, const uint64_t *set)
{
	size_t used = 0;
	int i;

	text[0] = '\0';
	for (i = 1; i < 192 && used < size; i++)
		if (errors_have(set, i))
			used += (size_t)snprintf(text + used, size - used,
						 " %s", result_name(-i));
}

bool check(const struct expect *e, long ret)
{
	char wanted[128], permitted[128];

	if (allowed(e, ret))
		return ret >= 0;
	errors_print(wanted, sizeof(wanted), e->must);
	errors_print(permitted, sizeof(permitted), e->may);
	fail("the result is %s, wanted%s, permitted%s%s", result_name(ret),
	     wanted[0] ? wanted : " ok", permitted[0] ? permitted : " nothing",
	     faults_hit() ? " and what a failed allocation leads to" : "");
}

/* --- fault injection --- */

static int fail_nth = -1;
static bool armed, hit;

/* For each process anew: the file is the task's that opened it */
void faults_open(void)
{
	if (!world->faults)
		return;
	if (fail_nth >= 0)
		close(fail_nth);
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		fail("fail-nth cannot be opened: %s", strerror(errno));
}

void faults_arm(struct stream *s)
{
	uint64_t nth = small(s, 24);
	char text[8];
	int len;

	hit = false;
	if (once_in(s, 2) || !world->faults)
		return;
	len = snprintf(text, sizeof(text), "%d", (int)nth);
	armed = pwrite(fail_nth, text, (size_t)len, 0) == len;
}

/* These calls copy, too: if the failure is left to one of them, it is spent */
void faults_disarm(void)
{
	char text[16] = "";
	int error = errno;

	if (!armed)
		return;
	armed = false;
	hit = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
	if (!hit && pwrite(fail_nth, "0", 1, 0) != 1 && errno != EFAULT)
		fail("fail-nth cannot be reset: %s", strerror(errno));
	errno = error;
}

bool faults_hit(void)
{
	return hit;
}

/* --- memory for arguments --- */

/* Pages of each: writable, none, writable, read-only, none */
static char *arenas[ARENAS];
#define ARENA_PAGES	5

void arena_open(void)
{
	int i;

	for (i = 0; i < ARENAS; i++) {
		arenas[i] = mmap(NULL, ARENA_PAGES * PAGE_BYTES, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (arenas[i] == MAP_FAILED ||
		    mprotect(arenas[i], PAGE_BYTES, RW))
			fail("no memory for arguments");
	}
}

void *arena_unmapped(enum arena arena)
{
	return arenas[arena] + PAGE_BYTES;
}

void *arena_tail(enum arena arena, size_t size)
{
	return arenas[arena] + PAGE_BYTES - size;
}

void *arena_read_only(enum arena arena, const void *bytes, size_t size,
		      size_t writable)
{
	char *pages = arenas[arena] + 2 * PAGE_BYTES;
	char *place = pages + PAGE_BYTES - writable;

	if (mprotect(pages, 2 * PAGE_BYTES, RW))
		fail("mprotect of the arena");
	memcpy(place, bytes, size);
	if (mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_READ))
		fail("mprotect of the arena");
	return place;
}

/* --- the common ways to spoil an argument --- */

enum spoiling {
	SHORT, LONG_ZERO, LONG_DIRTY, HUGE_SIZE, BAD_POINTER, TORN, READ_ONLY,
	FLAGS, TAIL, SPOILINGS,
};

static void *long_copy(struct stream *s, const void *arg, uint32_t size,
		       bool dirty)
{
	uint32_t more = (uint32_t)small(s, PAGE_BYTES / 2);
	char *copy = arena_tail(STRUCTS, size + more);

	memset(copy, 0, size + more);
	memcpy(copy, arg, size);
	*(uint32_t *)copy = size + more;
	if (dirty)
		copy[size + below(s, more)] = (char)(1 + below(s, 255));
	return copy;
}

static void *bad_pointer(struct stream *s)
{
	static const uint64_t pointers[] = {
		0, 1, 0xffffffff81000000ULL, 0x7fffffffffffULL - 4095,
		0x800000000000ULL, UINT64_MAX,
	};
	uint64_t i = below(s, 7);

	return i == 6 ? arena_unmapped(STRUCTS) : (void *)(uintptr_t)pointers[i];
}

/* Returns where the argument is now; the caller's copy stays as it was */
static void *spoil(struct stream *s, const struct command *command,
		   const uint32_t *arg, struct expect *e)
{
	uint32_t size = command->size, *copy = arena_tail(STRUCTS, size);

	memcpy(copy, arg, size);
	switch (below(s, SPOILINGS)) {
	case SHORT:
		copy[0] = (uint32_t)below(s, size);
		only(e, EINVAL);
		return copy;
	case LONG_ZERO:
		return long_copy(s, arg, size, false);
	case LONG_DIRTY:
		only(e, E2BIG);
		return long_copy(s, arg, size, true);
	case HUGE_SIZE:
		copy[0] = (uint32_t)PAGE_BYTES + (uint32_t)small(s, 1U << 31);
		only(e, E2BIG);
		return copy;
	case BAD_POINTER:
		only(e, EFAULT);
		return bad_pointer(s);
	case TORN:
		only(e, EFAULT);
		copy = arena_tail(STRUCTS, 4 + below(s, size - 4));
		copy[0] = size;
		return copy;
	case READ_ONLY:
		must_if(e, command->answers, EFAULT);
		return arena_read_only(STRUCTS, arg, size,
				       once_in(s, 2) ? 0 : below(s, size));
	case FLAGS:
		/* One that no command has */
		copy[1] |= 1U << (8 + below(s, 24));
		must(e, EINVAL);
		return copy;
	default:
		return copy;
	}
}

long call_command(struct stream *s, int fd, int number, void *arg,
		  struct expect *e, const char *format, long a, long b, long c,
		  long d)
{
	const struct command *command = &commands[number];
	bool readable = !errors_have(e->must, EFAULT);
	void *place = arg;
	long ret;

	*(uint32_t *)arg = command->size;
	must_if(e, ((uint32_t *)arg)[1] & ~command->flags, EINVAL);
	if (once_in(s, 8))
		place = spoil(s, command, arg, e);
	ret = TRY(s, command->name, format, a, b, c, d,
		  ioctl(fd, command->cmd, place));
	readable = readable && !errors_have(e->must, EFAULT);
	if (place != arg && readable)
		memcpy(arg, place, command->size);
	return ret;
}
