/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks in words, kept for when the process, and its files, are out of reach. */
#ifndef IOPHASE_STACKS_H
#define IOPHASE_STACKS_H

#include "stack/source.h"
#include "stack/symbols.h"

struct kept_stack {
	struct stack_key key;
	struct symbol *symbols;		/* owned */
	u32 count;
};

struct kept_stacks {
	struct kept_stack *list;
	u32 count;
};

/* Adds one more symbol to the stack of @key, outside of those it has. */
void stacks_add(struct kept_stacks *stacks, const struct stack_key *key,
		const struct symbol *symbol);
void stacks_free(struct kept_stacks *stacks);

bool stacks_have(const struct kept_stacks *stacks, const struct stack_key *key);

/* Those of @stacks, which is to outlive it. */
struct stack_source stacks_source(const struct kept_stacks *stacks);

#endif
