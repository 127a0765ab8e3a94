// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Regions: the public entry points. Arguments are checked here, the work is
 * the backend's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pashm.h>
#include <pashm/version.h>
#include "poison.h"
#include "registry.h"

_Static_assert(PASHM_REGION_NAME_MAX == PASHM_NAME_MAX, "name sizes differ");
_Static_assert(PASHM_REGION_SOLE == PASHM_CREATE_SOLE &&
	       PASHM_REGION_STRICT == PASHM_CREATE_STRICT &&
	       PASHM_REGION_STRICT_UNPINNED == PASHM_CREATE_STRICT_UNPINNED &&
	       PASHM_REGION_PRIORITY == PASHM_CREATE_PRIORITY &&
	       PASHM_REGION_HUGE == PASHM_CREATE_HUGE &&
	       PASHM_HUGE_BYTES == PASHM_HUGE_SIZE,
	       "flags are passed on");
_Static_assert(PASHM_VIEW_DROPS == PASHM_REGION_STRICT_UNPINNED,
	       "a view's flags are those of its region");

PASHM_API const char *pashm_version(void)
{
	return PASHM_VERSION;
}

static int backend_by_name(const char *name, uint32_t *backend)
{
	if (!name || !*name)
		return 0;
	if (!strcmp(name, "module"))
		*backend = PASHM_BACKEND_MODULE;
	else if (!strcmp(name, "memfd"))
		*backend = PASHM_BACKEND_MEMFD;
	else
		return -EINVAL;
	return 0;
}

/* Settle for a backend: AUTO stays AUTO only if the environment is silent */
static int backend_choose(uint32_t *backend)
{
	switch (*backend) {
	case PASHM_BACKEND_AUTO:
		return backend_by_name(secure_getenv("PASHM_BACKEND"), backend);
	case PASHM_BACKEND_MODULE:
	case PASHM_BACKEND_MEMFD:
		return 0;
	default:
		return -EINVAL;
	}
}

static int params_check(struct pashm_region_params *params)
{
	uint64_t unit = params->flags & PASHM_REGION_HUGE ?
			PASHM_HUGE_BYTES : (uint64_t)sysconf(_SC_PAGESIZE);
	uint32_t most = params->flags & PASHM_REGION_PRIORITY ?
			PASHM_PRIORITY_MAX : 0;

	if (params->length == 0 || params->flags & ~PASHM_REGION_FLAGS ||
	    params->priority > most)
		return -EINVAL;
	if (params->length > PASHM_SIZE_MAX)
		return -EFBIG;
	if (params->name && strlen(params->name) >= PASHM_REGION_NAME_MAX)
		return -ENAMETOOLONG;
	params->length = (params->length + unit - 1) & ~(unit - 1);
	return 0;
}

/*
 * Why the module cannot be used at all, as opposed to why it refuses this
 * request: only the former sends AUTO to the other backend.
 */
static bool device_is_missing(void)
{
	int fd = open(PASHM_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return true;
	close(fd);
	return false;
}

/* Where there is more to do than the inline code does, all is beyond its limit */
static void opened(struct pashm_region *region)
{
	struct pashm_view *view = &region->view;

	pashm_poison_begin(region);
	if (!(view->flags & (PASHM_VIEW_DROPS | PASHM_VIEW_CHECKED)))
		view->limit = view->pages;
}

PASHM_API int pashm_region_create(const struct pashm_region_params *params,
				  struct pashm_region **region)
{
	struct pashm_region_params copy = *params;
	const struct backend_ops *ops = &pashm_backend_dev;
	int ret;

	ret = backend_choose(&copy.backend);
	if (ret)
		return ret;
	ret = params_check(&copy);
	if (ret)
		return ret;
	if (copy.backend == PASHM_BACKEND_MEMFD ||
	    (copy.backend == PASHM_BACKEND_AUTO && device_is_missing()))
		ops = &pashm_backend_memfd;
	ret = ops->create(&copy, region);
	if (ret == -EPROTO && copy.backend == PASHM_BACKEND_AUTO)
		ret = pashm_backend_memfd.create(&copy, region);
	if (!ret)
		opened(*region);
	return ret;
}

PASHM_API int pashm_region_import(int fd, struct pashm_region **region)
{
	const struct backend_ops *ops = &pashm_backend_dev;
	int ret;

	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	/* Only shmem and hugetlb files answer; a region of the module does not */
	if (fcntl(fd, F_GET_SEALS) >= 0)
		ops = &pashm_backend_memfd;
	ret = ops->import(fd, region);
	if (!ret)
		opened(*region);
	return ret;
}

PASHM_API void pashm_region_close(struct pashm_region *region)
{
	if (!region)
		return;
	pashm_registry_unwatch(region);
	pashm_poison_end(region);
	region->ops->close(region);
}

PASHM_API int pashm_region_map(struct pashm_region *region, int prot,
			       void **data)
{
	int ret = 0;
	void *address;

	if (!(prot & PROT_READ) || prot & ~(PROT_READ | PROT_WRITE))
		return -EINVAL;
	if (region->forked)
		return -EBADF;
	pthread_mutex_lock(&region->map_lock);
	if (!region->view.data) {
		ret = region->ops->map(region, prot, &address);
		if (!ret) {
			region->view.data = address;
			region->map_prot = prot;
		}
	} else if (region->map_prot != prot) {
		ret = -EBUSY;
	}
	if (!ret && data)
		*data = region->view.data;
	pthread_mutex_unlock(&region->map_lock);
	return ret;
}

PASHM_API int pashm_region_fd(const struct pashm_region *region)
{
	return region->fd;
}

PASHM_API uint64_t pashm_region_length(const struct pashm_region *region)
{
	return region->length;
}

PASHM_API enum pashm_backend
pashm_region_backend(const struct pashm_region *region)
{
	return region->ops->id;
}

PASHM_API int pashm_region_purge(struct pashm_region *region, uint64_t *freed)
{
	uint64_t ignored;

	if (region->forked)
		return -EBADF;
	if (!pashm_writable(region))
		return -EACCES;
	return region->ops->purge(region, freed ? freed : &ignored);
}

PASHM_API int pashm_region_info(struct pashm_region *region,
				struct pashm_region_info *info)
{
	memset(info, 0, sizeof(*info));
	if (region->forked)
		return -EBADF;
	info->backend = region->ops->id;
	return region->ops->info(region, info);
}

PASHM_API int pashm_region_protect(struct pashm_region *region, int prot)
{
	int ret;

	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EINVAL;
	if (region->forked)
		return -EBADF;
	ret = region->ops->protect(region, prot);
	if (!ret && !(prot & PROT_WRITE))
		__atomic_store_n(&region->writable, false, __ATOMIC_RELAXED);
	return ret;
}
