/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pressure: let a program give back memory of its own, too, when memory is short.
 *
 * The library's thread, which takes memory back from regions where there is no
 * module, asks the program for what these could not give. With the module, which
 * needs no thread, there is one as long as the program listens.
 */
#ifndef PASHM_PRESSURE_H
#define PASHM_PRESSURE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pashm_listener;

/**
 * pashm_pressure_callback - is asked for memory
 * @bytes:   how many are wanted; another call asks for what is missing then
 * @context: as given to pashm_pressure_listen()
 *
 * Called by the library's thread, with no lock held, again and again as long as
 * memory is short; meanwhile nobody takes memory from regions, so it should not
 * take long. It may call all functions of the library, but must not fork, nor close
 * the last region, nor call pashm_pressure_unlisten().
 *
 * Returns the bytes that it has given back, as far as it knows; 0 if it has none.
 */
typedef uint64_t pashm_pressure_callback(uint64_t bytes, void *context);

/**
 * pashm_pressure_listen - from now on, ask me
 * @callback: whom to ask
 * @context:  for it
 * @listener: set on success; ended by pashm_pressure_unlisten()
 *
 * Those that came first are asked first. Memory is short when less is free than
 * the reserve that the thread keeps, of the machine's or of a control group's, or
 * when the service manager or a stall notification says so; see pashm(7).
 *
 * Returns 0, or -ENOMEM, -EAGAIN (no thread), -EMFILE, -ENFILE.
 * Thread-safe. Not inherited over fork: in a child nobody is asked.
 * Since: 0.1
 */
int pashm_pressure_listen(pashm_pressure_callback *callback, void *context,
			  struct pashm_listener **listener);

/**
 * pashm_pressure_unlisten - do not ask any more
 * @listener: may be NULL
 *
 * Waits until the callback has returned, so it must not be called by that.
 * Thread-safe. Since: 0.1
 */
void pashm_pressure_unlisten(struct pashm_listener *listener);

#ifdef __cplusplus
}
#endif

#endif /* PASHM_PRESSURE_H */
