/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_SHRINK_H
#define PASHM_SHRINK_H

int pashm_shrink_init(void);
void pashm_shrink_exit(void);

#endif /* PASHM_SHRINK_H */
