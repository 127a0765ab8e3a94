/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_INFO_H
#define PASHM_INFO_H

struct file;
struct pashm_client;
struct pashm_info;
struct seq_file;

int pashm_info_fill(struct pashm_client *client, struct pashm_info *info);
void pashm_show_fdinfo(struct seq_file *m, struct file *file);

#endif /* PASHM_INFO_H */
