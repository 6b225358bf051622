/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stack in words, made at arm's length. Files of the watched process are read for it, by
 * libraries that were not made for hostile ones; so that is done in a child process that can
 * only read files, whose time and memory are bounded, and whose end, if it comes early, costs
 * no more than names.
 */
#ifndef IOPHASE_TRACEBACK_H
#define IOPHASE_TRACEBACK_H

#include "stack/symbols.h"

#define TRACEBACK_MAX	64

/*
 * Fills in at most @max and TRACEBACK_MAX symbols of @stack, the innermost first; how many there
 * are, 1 at least. Takes 1 ms for a small program, and 5 s at most. If the child dies there are
 * the addresses that it found, or else those that the kernel did.
 */
u32 traceback_make(const struct user_stack *stack, struct symbol *symbols, u32 max);

#endif
