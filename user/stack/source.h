/* SPDX-License-Identifier: GPL-2.0-only */
/* Who knows the stacks of what was found: the hooks that took them, or the session they were saved in. */
#ifndef IOPHASE_SOURCE_H
#define IOPHASE_SOURCE_H

#include "stack/symbols.h"

struct stack_source {
	/*
	 * Fills in at most @max symbols of the stack that was taken for @key, the innermost first;
	 * how many there are, 0: none was taken.
	 */
	u32 (*find)(const struct stack_source *source, const struct stack_key *key,
		    struct symbol *symbols, u32 max);
	void *context;
};

#endif
