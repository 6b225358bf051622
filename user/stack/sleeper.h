/* SPDX-License-Identifier: GPL-2.0-only */
/* The stack of a thread that sleeps, by what /proc has of it. */
#ifndef IOPHASE_SLEEPER_H
#define IOPHASE_SLEEPER_H

#include "types.h"

/*
 * Fills in @stack for thread @tid of process @tgid, which was seen to sleep at @place. False if it
 * does so no more, or cannot be read. The thread is not stopped.
 */
bool sleeper_stack(u32 tgid, u32 tid, const struct user_place *place, struct user_stack *stack);

#endif
