/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_MAP_H
#define PASHM_MAP_H

struct file;
struct vm_area_struct;

int pashm_mmap(struct file *file, struct vm_area_struct *vma);

#endif /* PASHM_MAP_H */
