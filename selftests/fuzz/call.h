/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System calls with an expectation. An expectation is two sets of errors: those
 * of which one must come, since a rule is broken, and those that may come. If
 * the first is empty, success is expected.
 */
#ifndef FUZZ_CALL_H
#define FUZZ_CALL_H

#include "journal.h"
#include "world.h"

/* The model knows SOLE only: strict regions are made, and closed again */
#define CREATE_FLAGS	(PASHM_CREATE_SOLE | PASHM_CREATE_STRICT | \
			 PASHM_CREATE_STRICT_UNPINNED | PASHM_CREATE_PRIORITY | \
			 PASHM_CREATE_HUGE)

struct expect {
	uint64_t must[3];
	uint64_t may[3];
	/* Rights that the call needs of two masks; without them @denied */
	const struct mask *masks[2];
	uint32_t rights;
	int denied;
};

static inline void errors_add(uint64_t *set, int error)
{
	set[error / 64] |= 1ULL << error % 64;
}

static inline bool errors_have(const uint64_t *set, int error)
{
	return set[error / 64] >> error % 64 & 1;
}

static inline bool errors_any(const uint64_t *set)
{
	return set[0] | set[1] | set[2];
}

static inline void must(struct expect *e, int error)
{
	errors_add(e->must, error);
}

static inline void must_if(struct expect *e, bool broken, int error)
{
	if (broken)
		errors_add(e->must, error);
}

static inline void may(struct expect *e, int error)
{
	errors_add(e->may, error);
}

/* This error it is, whatever else is wrong: it comes before the rest */
static inline void only(struct expect *e, int error)
{
	*e = (struct expect) {};
	errors_add(e->must, error);
}

void need(struct expect *e, const struct mask *a, const struct mask *b,
	  uint32_t rights, int denied);

/* Is @ret what was expected? Reports if not. True after success */
bool check(const struct expect *e, long ret);
bool allowed(const struct expect *e, long ret);

/* Fault injection: arm before a call, disarm after. Both do nothing if off */
void faults_open(void);
void faults_arm(struct stream *s);
void faults_disarm(void);
bool faults_hit(void);

/* Journal, inject, call. Evaluates to the result or a negative errno */
#define TRY(s, name, format, a, b, c, d, expression) ({			\
	long __ret;							\
	journal_call(name, format, (long)(a), (long)(b), (long)(c),	\
		     (long)(d));					\
	faults_arm(s);							\
	__ret = CALL(expression);					\
	faults_disarm();						\
	journal_return(__ret);						\
	__ret; })

struct command {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	uint32_t flags;
	bool answers;
	bool device;
};

enum { QUERY, CREATE, ATTACH, PIN, UNPIN, WAIT, INFO, PURGE, PROTECT, RESHAPE,
       COMMANDS };
extern const struct command commands[COMMANDS];

/* Awkward memory for pointers, one for structs, one for what they point to */
enum arena { STRUCTS, ARRAYS, ARENAS };

void arena_open(void);
void *arena_unmapped(enum arena arena);
/* @size bytes that end where the mapping does */
void *arena_tail(enum arena arena, size_t size);
/* A copy of which only the first @writable bytes can be written */
void *arena_read_only(enum arena arena, const void *bytes, size_t size,
		      size_t writable);

/*
 * An ioctl with @arg, sometimes spoilt in a way that all ioctls have in common;
 * @e is extended accordingly. @a to @d are for the journal.
 */
long call_command(struct stream *s, int fd, int number, void *arg,
		  struct expect *e, const char *format, long a, long b, long c,
		  long d);

#endif /* FUZZ_CALL_H */
