/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzz targets share: input, and the world that the library sees.
 *
 * A target reads what to do from the front of its input and, where there is
 * somebody hostile, what he does meanwhile from the back, so that bytes put in
 * at one end do not change the meaning of the other.
 *
 * The world is deterministic: the clock moves when it is read or slept on,
 * there are no threads and no entropy. The library's objects are compiled so
 * that each of their loads calls back, and its system calls are wrapped: at
 * each of these the hostile peer gets a turn, which is a double fetch made on
 * purpose. All that the library maps has guard pages around it.
 */
#ifndef LIB_TESTS_FUZZ_H
#define LIB_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise; the input is kept */
#define fuzz_check(condition) do { \
	if (!(condition)) \
		fuzz_failed(#condition, __FILE__, __LINE__); \
} while (0)

__attribute__((noreturn))
void fuzz_failed(const char *what, const char *file, int line);

/**
 * struct fuzz_input - bytes that decide
 * @next: first one not used from the front
 * @end:  behind the last one not used from the back
 */
struct fuzz_input {
	const uint8_t *next;
	const uint8_t *end;
};

static inline size_t fuzz_left(const struct fuzz_input *input)
{
	return (size_t)(input->end - input->next);
}

/* 0 when there are no more */
static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
	return fuzz_left(input) ? *input->next++ : 0;
}

static inline uint8_t fuzz_back_u8(struct fuzz_input *input)
{
	return fuzz_left(input) ? *--input->end : 0;
}

static inline uint32_t fuzz_u16(struct fuzz_input *input)
{
	uint32_t low = fuzz_u8(input);

	return low | (uint32_t)fuzz_u8(input) << 8;
}

static inline uint64_t fuzz_back_u64(struct fuzz_input *input)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < 8; i++)
		value = value << 8 | fuzz_back_u8(input);
	return value;
}

/*
 * Between these two the world is that of a target; @poke is called with the
 * address before a load from what the library has mapped, and with NULL before
 * a system call. The end checks that all mappings and descriptors are gone.
 */
void fuzz_world_begin(void (*poke)(const void *address));
void fuzz_world_end(void);

/*
 * Around calls of the library: only then is anybody poked, and are calls made
 * to fail. Leaving checks that it did not take too many system calls.
 */
void fuzz_enter(void);
void fuzz_leave(void);

#define FUZZ_CALL(call) ({ \
	__typeof__(call) fuzz_result; \
	fuzz_enter(); \
	fuzz_result = (call); \
	fuzz_leave(); \
	fuzz_result; \
})

#define FUZZ_VOID(call) do { \
	fuzz_enter(); \
	call; \
	fuzz_leave(); \
} while (0)

/* The clock moves by so many ms */
void fuzz_sleep(unsigned int ms);

/* What the library's next system call answers, or what it next allocates */
void fuzz_fail_call(int error);
void fuzz_fail_alloc(void);
/* Did one of them happen since it was last asked? */
bool fuzz_has_failed(void);

/* Poke before any load of the library, with NULL if it is not from a mapping */
extern bool fuzz_poke_always;

/* The CPU that this is, of FUZZ_CPUS */
#define FUZZ_CPUS	3
extern unsigned int fuzz_cpu;

/* May change what the library has read from a file */
extern void (*fuzz_read)(char *text, size_t length);

/* Asked whether the library may give back a range of a file */
extern bool (*fuzz_may_punch)(uint64_t offset, uint64_t length);

/* Which file a mapped address belongs to, and where; -1 if it is none */
int fuzz_mapped(const void *address, uint64_t *offset);

/*
 * Files of the world by their paths. NULL: it does not concern the target,
 * which is the default.
 */
struct fuzz_text {
	const char *text;
	size_t length;
};

extern const struct fuzz_text *(*fuzz_file)(const char *path);

/* Of text, at the beginning; never empty */
int fuzz_text_fd(const struct fuzz_text *text);

#endif /* LIB_TESTS_FUZZ_H */
