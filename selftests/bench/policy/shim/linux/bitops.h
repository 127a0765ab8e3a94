/* SPDX-License-Identifier: GPL-2.0-only */
/* What kernel/steer.c takes from the kernel's header of this name */
#ifndef POLICY_SHIM_BITOPS_H
#define POLICY_SHIM_BITOPS_H

static inline int fls64(unsigned long long value)
{
	return value ? 64 - __builtin_clzll(value) : 0;
}

#endif /* POLICY_SHIM_BITOPS_H */
