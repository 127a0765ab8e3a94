// SPDX-License-Identifier: LGPL-2.1-or-later
/* Extents of an allocator. */
#include <time.h>
#include "own_extent.h"

/*
 * An extent of ours may look busy for a moment: a purger takes it, or somebody
 * tries a stale handle.
 */
#define BUSY_TRIES	20
#define BUSY_NAP_NS	20000

static bool busy_retry(int ret, unsigned int *tries)
{
	struct timespec nap = { .tv_nsec = BUSY_NAP_NS };

	if (ret != -EBUSY || ++*tries >= BUSY_TRIES)
		return false;
	nanosleep(&nap, NULL);
	return true;
}

/* Our pin is gone, or the extent: somebody forges words */
static int gone(int ret)
{
	return ret == -ERANGE || ret == -EINVAL ? -ESTALE : ret;
}

int pashm_own_make(struct pashm_region *region, uint32_t page, uint32_t length,
		   uint32_t priority, struct pashm_handle *handle)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = pashm_extent_make(region, page, length, priority,
					handle);
	} while (busy_retry(ret, &tries));
	return ret;
}

int pashm_own_make_surely(struct pashm_region *region, uint32_t page,
			  uint32_t length, uint32_t priority,
			  struct pashm_handle *handle)
{
	int ret;

	do {
		ret = pashm_own_make(region, page, length, priority, handle);
	} while (ret == -EINTR);
	return ret;
}

bool pashm_own_find(const struct pashm_region *region, struct pashm_handle *handle)
{
	const struct pashm_view *view = &region->view;
	uint64_t state = __atomic_load_n(&view->states[handle->page],
					 __ATOMIC_ACQUIRE);
	/* Written before the word that made the extent, hence read after it */
	uint32_t birth = __atomic_load_n(&view->births[handle->page],
					 __ATOMIC_RELAXED);

	if (pashm_pin_verdict(state, handle->generation, birth) == PASHM_STALE)
		return false;
	handle->generation = pashm_state_generation(state);
	return true;
}

static bool is_purging(const struct pashm_region *region, uint32_t page)
{
	return pashm_state_purging(__atomic_load_n(&region->view.states[page],
						   __ATOMIC_RELAXED));
}

int pashm_own_end(struct pashm_region *region, struct pashm_handle handle,
		  bool patient)
{
	enum pashm_verdict verdict;
	unsigned int tries = patient ? 0 : BUSY_TRIES - 1;
	int ret;

	do {
		if (!patient && is_purging(region, handle.page))
			return -EBUSY;
		if (!pashm_own_find(region, &handle))
			return -ESTALE;
		ret = pashm_pin(region, handle, &verdict);
		if (ret)
			return ret;
		if (verdict == PASHM_STALE)
			return -ESTALE;
		ret = pashm_extent_destroy(region, handle.page, 0);
		if (ret)
			pashm_unpin(region, handle.page);
	} while (busy_retry(ret, &tries));
	return gone(ret);
}

int pashm_own_end_pinned(struct pashm_region *region, uint32_t page)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = pashm_extent_destroy(region, page, 0);
	} while (ret == -EINTR || busy_retry(ret, &tries));
	return gone(ret);
}

void pashm_own_leave(struct pashm_region *region, uint32_t page, uint32_t length)
{
	struct pashm_handle ignored;

	if (!pashm_own_make_surely(region, page, length, 0, &ignored))
		pashm_unpin(region, page);
}
