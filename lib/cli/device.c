// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "device.h"
#include "message.h"
#include "text.h"

void device_read(struct device *device)
{
	int fd;

	*device = (struct device){ .query.size = sizeof(device->query) };
	if (stat(PASHM_DEVICE, &device->stat)) {
		device->error = -errno;
		return;
	}
	device->present = S_ISCHR(device->stat.st_mode);
	if (!device->present) {
		device->error = -ENODEV;
		return;
	}
	fd = open(PASHM_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		device->error = -errno;
		return;
	}
	if (ioctl(fd, PASHM_IOC_QUERY, &device->query))
		device->error = -errno;
	close(fd);
}

/* udev, if there is one, may still change the node's mode after it appears */
void device_wait(struct device *device, int seconds)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int tries = seconds * 20;

	device_read(device);
	while (device->error && tries-- > 0) {
		nanosleep(&pause, NULL);
		device_read(device);
	}
}

/* The minor number that the kernel has given the device, or -1 */
static int minor_find(void)
{
	FILE *file = fopen("/proc/misc", "re");
	int found = -1, minor;
	char name[64];

	if (!file)
		return -1;
	while (found < 0 && fscanf(file, "%d %63s", &minor, name) == 2)
		if (!strcmp(name, "pashm"))
			found = minor;
	fclose(file);
	return found;
}

static void explain_absence(void)
{
	int minor = minor_find();

	if (minor < 0) {
		message_error("there is no " PASHM_DEVICE);
		message_hint("load the module: pashmctl load");
		return;
	}
	message_error("the module is loaded, but there is no " PASHM_DEVICE);
	message_hint("/dev is not kept by devtmpfs or udev here; make the node:");
	message_hint("mknod -m 666 " PASHM_DEVICE " c 10 %d", minor);
	message_hint("in a container: pass the device in from the host");
}

void device_explain(const struct device *device)
{
	switch (-device->error) {
	case 0:
		return;
	case ENOENT:
		explain_absence();
		return;
	case EACCES:
	case EPERM:
		message_error("no permission to open " PASHM_DEVICE " (mode %04o)",
			      device->stat.st_mode & 07777);
		message_hint("as root: chmod 666 " PASHM_DEVICE
			     ", and look for a udev rule that narrows it");
		message_hint("in a container or service: allow the device there");
		return;
	case ENXIO:
	case ENODEV:
		message_error(PASHM_DEVICE " does not lead to the module");
		message_hint("it is left over, or somebody made it by hand; as root:");
		message_hint("rm " PASHM_DEVICE " && pashmctl unload && pashmctl load");
		return;
	case ENOTTY:
	case EINVAL:
		message_error(PASHM_DEVICE " does not answer as pashm does: %s",
			      strerror(-device->error));
		message_hint("module and pashmctl are of different versions; install both anew");
		return;
	default:
		message_error(PASHM_DEVICE ": %s", strerror(-device->error));
	}
}

char *device_features(uint64_t features)
{
	uint64_t unknown = features & ~(PASHM_FEATURE_MEMCG | PASHM_FEATURE_POLL);
	const char *memcg = features & PASHM_FEATURE_MEMCG ? " memcg" : "";
	const char *poll = features & PASHM_FEATURE_POLL ? " poll" : "";
	char *all;

	if (!features)
		return text_format("none");
	if (unknown)
		all = text_format("%s%s 0x%llx", memcg, poll,
				  (unsigned long long)unknown);
	else
		all = text_format("%s%s", memcg, poll);
	/* Without the space that each begins with */
	memmove(all, all + 1, strlen(all));
	return all;
}
