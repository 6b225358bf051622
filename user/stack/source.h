/* SPDX-License-Identifier: GPL-2.0-only */
/* Who knows the stacks of what was found: the hooks that took them, or the session they were saved in. */
#ifndef IOPHASE_SOURCE_H
#define IOPHASE_SOURCE_H

#include "types.h"

struct symbol;

struct stack_source {
	/*
	 * Fills in at most @max symbols of the stack that was taken for @key, the innermost first;
	 * how many there are, 0: none was taken. Of STACK_HERE, @here is where the thread sleeps.
	 */
	u32 (*find)(const struct stack_source *source, const struct stack_key *key,
		    const struct user_place *here, struct symbol *symbols, u32 max);
	void *context;
};

#endif
