/* SPDX-License-Identifier: GPL-2.0-only */
/* What kernel/steer.c takes from the kernel's header of this name */
#ifndef POLICY_SHIM_COMPILER_H
#define POLICY_SHIM_COMPILER_H

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile __typeof__(x) *)&(x) = (value))

#endif /* POLICY_SHIM_COMPILER_H */
