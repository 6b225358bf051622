/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who gives the terminal back when we cannot do it ourselves: a process that sleeps until we end, in
 * whatever way, SIGKILL included. Messages on a standard error that is the terminal are kept while
 * the screen is shown, and printed behind it.
 */
#ifndef IOPHASE_GUARD_H
#define IOPHASE_GUARD_H

#include <stddef.h>

/* Starts it, with the terminal as it is now; 0, or an exit code after a message. */
int guard_open(void);

/*
 * The screen is shown: @restore, of @size bytes, is what leaves it. To be called when the terminal
 * is set up, for a terminal whose settings were changed by others since is left as they have it.
 */
void guard_arm(const char *restore, size_t size);

/* The screen is left: messages go where they went before. */
void guard_disarm(void);

/* Ends it; nothing happens if there is none. */
void guard_close(void);

#endif
