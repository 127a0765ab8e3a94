/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PASHM_AVAILABLE_H
#define PASHM_AVAILABLE_H

void pashm_available_begin(void);
void pashm_available_changed(void);
void pashm_available_exit(void);

#endif /* PASHM_AVAILABLE_H */
