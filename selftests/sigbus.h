/* SPDX-License-Identifier: GPL-2.0-only */
/* Touches that come back if they are refused by SIGBUS. */
#ifndef PASHM_SELFTESTS_SIGBUS_H
#define PASHM_SELFTESTS_SIGBUS_H

#include <setjmp.h>
#include <signal.h>

#include "common.h"

#define REFUSED		(-1)

static __thread sigjmp_buf escape;
static __thread void *volatile refused_at;

static void on_sigbus(int signal, siginfo_t *info, void *context MAYBE_UNUSED)
{
	refused_at = info->si_addr;
	siglongjmp(escape, signal);
}

static inline void catch_sigbus(void)
{
	struct sigaction action = {
		.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO,
	};

	sigaction(SIGBUS, &action, NULL);
}

/* The byte there, or REFUSED */
static MAYBE_UNUSED int peek(volatile char *at)
{
	if (sigsetjmp(escape, 1))
		return REFUSED;
	return *at & 0xff;
}

/* @value, or REFUSED */
static MAYBE_UNUSED int poke(volatile char *at, char value)
{
	if (sigsetjmp(escape, 1))
		return REFUSED;
	*at = value;
	return value;
}

#endif /* PASHM_SELFTESTS_SIGBUS_H */
