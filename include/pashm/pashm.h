/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libpashm: pinnable anonymous shared memory. Includes all public headers. */
#ifndef PASHM_PASHM_H
#define PASHM_PASHM_H

#include <pashm/version.h>
#include <pashm/pin.h>
#include <pashm/region.h>
#include <pashm/pool.h>
#include <pashm/cache.h>
#include <pashm/pressure.h>

#endif /* PASHM_PASHM_H */
