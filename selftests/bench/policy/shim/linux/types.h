/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's header of this name has bool, and so has this one */
#ifndef POLICY_SHIM_TYPES_H
#define POLICY_SHIM_TYPES_H

#include_next <linux/types.h>
#include <stdbool.h>

#endif /* POLICY_SHIM_TYPES_H */
