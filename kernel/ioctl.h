/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_IOCTL_H
#define PASHM_IOCTL_H

struct file;

long pashm_device_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long pashm_region_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* PASHM_IOCTL_H */
