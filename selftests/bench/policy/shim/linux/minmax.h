/* SPDX-License-Identifier: GPL-2.0-only */
/* What kernel/steer.c takes from the kernel's header of this name, unchecked */
#ifndef POLICY_SHIM_MINMAX_H
#define POLICY_SHIM_MINMAX_H

#include <limits.h>

#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define clamp(x, low, high)	min(max(x, low), high)

#endif /* POLICY_SHIM_MINMAX_H */
