// SPDX-License-Identifier: GPL-2.0-only
#include "saved/stacks.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

static void *grow(void *array, size_t count, size_t size)
{
	void *bigger = reallocarray(array, count, size);

	if (!bigger)
		errx(EXIT_RUNTIME, "out of memory");
	return bigger;
}

static struct kept_stack *find(const struct kept_stacks *stacks, const struct stack_key *key)
{
	for (u32 i = 0; i < stacks->count; i++) {
		if (stacks->list[i].key.object == key->object &&
		    stacks->list[i].key.kind == key->kind)
			return &stacks->list[i];
	}
	return NULL;
}

bool stacks_have(const struct kept_stacks *stacks, const struct stack_key *key)
{
	return find(stacks, key);
}

void stacks_add(struct kept_stacks *stacks, const struct stack_key *key,
		const struct symbol *symbol)
{
	struct kept_stack *stack = find(stacks, key);

	if (!stack) {
		stacks->list = grow(stacks->list, stacks->count + 1, sizeof(*stacks->list));
		stack = &stacks->list[stacks->count++];
		*stack = (struct kept_stack){ .key = { .object = key->object, .kind = key->kind } };
	}
	stack->symbols = grow(stack->symbols, stack->count + 1, sizeof(*symbol));
	stack->symbols[stack->count++] = *symbol;
}

void stacks_free(struct kept_stacks *stacks)
{
	for (u32 i = 0; i < stacks->count; i++)
		free(stacks->list[i].symbols);
	free(stacks->list);
	*stacks = (struct kept_stacks){ 0 };
}

static u32 source_find(const struct stack_source *source, const struct stack_key *key,
		       const struct user_place *here, struct symbol *symbols, u32 max)
{
	const struct kept_stack *stack = find(source->context, key);
	u32 count = stack ? stack->count : 0;

	(void)here;
	if (count > max)
		count = max;
	if (count)
		memcpy(symbols, stack->symbols, count * sizeof(*symbols));
	return count;
}

struct stack_source stacks_source(const struct kept_stacks *stacks)
{
	return (struct stack_source){ .find = source_find, .context = (void *)stacks };
}
