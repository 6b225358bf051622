/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User stacks of calls that show a sign of misuse: where in the program the offending call is. Each
 * is taken seldom, and replaced by a later one: an example is all that a finding needs.
 */
#ifndef IOPHASE_STACKS_BPF_H
#define IOPHASE_STACKS_BPF_H

#include "state.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STACKS_MAX);
	__type(key, struct stack_key);
	__type(value, struct taken_stack);
} stacks SEC(".maps");

static const struct taken_stack stack_zero;

/* One of the same object and kind is taken again after so long; a guess, by all threads together. */
#define STACK_EVERY_NS	50000000ull

u64 stack_guessed_ns = 0;

/* Copies as much of the user stack as there is: it can end within the page, or be paged out. */
static __always_inline u32 stack_copy(struct user_stack *stack)
{
	if (!bpf_probe_read_user(stack->stack, STACK_BYTES, (void *)stack->sp))
		return STACK_BYTES;
	return bpf_probe_read_user(stack->stack, STACK_BYTES / 4, (void *)stack->sp) ?
	       0 : STACK_BYTES / 4;
}

static __always_inline void stack_fill(struct task_struct *task, struct user_stack *stack)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	long bytes;

	stack->tgid = task->tgid;
	stack->tid = task->pid;
	stack->ip = regs->ip;
	stack->sp = regs->sp;
	stack->bp = regs->bp;
	bytes = bpf_get_task_stack(task, stack->frames, sizeof(stack->frames), BPF_F_USER_STACK);
	stack->nr_frames = bytes > 0 ? bytes / sizeof(u64) : 0;
	stack->stack_bytes = stack_copy(stack);
}

/* The stack of the running thread is an example of @kind for @object. */
__noinline int stack_take(u64 object, u32 kind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct stack_key key = { .object = object, .kind = kind };
	struct taken_stack *taken;
	u64 now = bpf_ktime_get_ns();

	ONLY_WITH(doctor);
	if (LACKS(stacks))
		return 0;
	taken = bpf_map_lookup_elem(&stacks, &key);
	if (!taken) {
		bpf_map_update_elem(&stacks, &key, &stack_zero, BPF_NOEXIST);
		taken = bpf_map_lookup_elem(&stacks, &key);
	}
	if (!taken || (taken->taken_ns && now < taken->taken_ns + STACK_EVERY_NS))
		return 0;
	/* Of threads that come together the first has it. */
	if (__sync_lock_test_and_set(&taken->busy, 1))
		return 0;
	taken->taken_ns = now;
	stack_fill(task, &taken->stack);
	taken->busy = 0;
	return 0;
}

/*
 * Nobody can know that an edge-triggered descriptor will not be read on: the stack of whoever left
 * something in one is taken, of any in the process, and, of those that were met stalling, by name.
 */
__noinline int stack_take_left(u64 object, u64 proc, bool stalls)
{
	u64 now;

	ONLY_WITH(doctor);
	if (stalls)
		stack_take(object, STACK_LEFT);
	now = bpf_ktime_get_ns();
	if (now < stack_guessed_ns)
		return 0;
	stack_guessed_ns = now + STACK_EVERY_NS;
	return stack_take(proc, STACK_LEFT_ANY);
}

#endif
