// SPDX-License-Identifier: GPL-2.0-only
/*
 * pashm: pinnable anonymous shared memory.
 *
 * Loading and unloading, in order. While a region, a mapping or a client
 * exists, a file whose operations this module owns exists, too, and the module
 * cannot be unloaded.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "available.h"
#include "compat.h"
#include "ioctl.h"
#include "listing.h"
#include "region.h"
#include "shrink.h"
#include "stat.h"

static const struct file_operations pashm_device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = pashm_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice pashm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pashm",
	.mode = 0666,
	.fops = &pashm_device_fops,
};

static int __init pashm_init(void)
{
	int ret;

	ret = pashm_region_init();
	if (ret)
		return ret;
	ret = pashm_shrink_init();
	if (ret)
		goto region;
	ret = misc_register(&pashm_device);
	if (ret)
		goto shrink;
	pashm_debug_init();
	return 0;
shrink:
	pashm_shrink_exit();
	pashm_region_exit();
	pashm_listing_exit();
	return ret;
region:
	pashm_region_exit();
	return ret;
}

/*
 * The shrinker goes first: it may still hold a region that has lost all else,
 * and hand it to the workqueue. The workqueue then frees into the cache.
 */
static void __exit pashm_exit(void)
{
	pashm_debug_exit();
	misc_deregister(&pashm_device);
	pashm_shrink_exit();
	/* Reclaimers do not call it any more */
	pashm_available_exit();
	pashm_region_exit();
	pashm_listing_exit();
}

module_init(pashm_init);
module_exit(pashm_exit);

MODULE_DESCRIPTION("Pinnable anonymous shared memory");
MODULE_AUTHOR("The pashm developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
