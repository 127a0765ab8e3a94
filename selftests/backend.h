/* SPDX-License-Identifier: GPL-2.0-only */
/* The same cases on the module and on the fallback, through the library. */
#ifndef PASHM_SELFTESTS_BACKEND_H
#define PASHM_SELFTESTS_BACKEND_H

#include <pashm/region.h>

#include "common.h"

/* In set-up, with the backend that the case wants */
#define SKIP_WITHOUT_BACKEND(backend) do {			\
	if ((backend) == PASHM_BACKEND_MODULE)			\
		SKIP_WITHOUT_DEVICE();				\
} while (0)

/* Purged on request only, unless the case asks for a reclaimer by itself */
static inline int backend_region(uint32_t backend, size_t pages,
				 uint32_t flags, struct pashm_region **region)
{
	struct pashm_region_params params = {
		.length = pages * PAGE, .name = "selftest",
		.flags = flags, .backend = backend,
	};

	if (backend == PASHM_BACKEND_MEMFD)
		params.flags |= PASHM_REGION_NO_THREAD;
	return pashm_region_create(&params, region);
}

/* All figures as impossible values if the call fails */
static inline struct pashm_region_info backend_info(struct pashm_region *region)
{
	struct pashm_region_info info;

	if (pashm_region_info(region, &info))
		memset(&info, 0xff, sizeof(info));
	return info;
}

/* Bytes freed or a negative errno */
static inline long backend_purge(struct pashm_region *region)
{
	uint64_t freed;
	int ret = pashm_region_purge(region, &freed);

	return ret ? ret : (long)freed;
}

#endif /* PASHM_SELFTESTS_BACKEND_H */
