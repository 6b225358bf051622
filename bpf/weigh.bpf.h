/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iophase stat -S: user stacks, weighted by the time of the calls that were made from there.
 * Taking one costs more than most calls do, so that one is taken whenever a thread has spent so
 * much time in a phase, and stands for all of that: places come up as often as time is spent in
 * them. Only where they are asked for (knobs.weigh).
 */
#ifndef IOPHASE_WEIGH_BPF_H
#define IOPHASE_WEIGH_BPF_H

#include "count.bpf.h"
#include "stacks.bpf.h"

/* struct stack_sample; its size is set by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

/* What a thread has spent since its last sample, by enum weight, and when the next is due. */
struct weights {
	u64 spent_ns[NR_WEIGHTS];
	u64 due_ns[NR_WEIGHTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct weights);
} weighed SEC(".maps");

/* Samples for which there was no room: the next stands for their time as well. */
u64 samples_delayed = 0;

static __always_inline u64 weigh_every(u32 weight)
{
	return weight == WEIGHT_blocked ? WEIGH_BLOCKED_NS : WEIGH_NS;
}

/* At random, about the mean, so that what a program does in turns is met in all of them. */
static __always_inline u64 next_due(u32 weight)
{
	u64 every = weigh_every(weight);

	return every / 2 + bpf_get_prandom_u32() % every;
}

/*
 * What the call that is over stands for: all that was spent up to the points in it at which samples
 * were due, and no more. What follows the last of them is left for the next: else long calls would
 * be given what was spent in short ones, and more than they took.
 */
static __always_inline u64 weight_take(struct weights *w, u32 i)
{
	u64 every = weigh_every(i), weight;

	if (w->spent_ns[i] < w->due_ns[i])
		return 0;
	weight = w->due_ns[i] + (w->spent_ns[i] - w->due_ns[i]) / every * every;
	w->spent_ns[i] -= weight;
	w->due_ns[i] = next_due(i);
	return weight;
}

static __always_inline bool weights_add(struct weights *w, struct thread *th, u32 call, s64 ret,
					u64 now)
{
	struct call_kind kind = kind_of(call);
	u64 copy = 0, bound, kernel;
	bool due = false;

	if (kind.class == CLASS_INPUT && kind.ret != RET_OK && ret > 0)
		copy_times(th, now, &copy, &bound);
	kernel = now - th->enter_ns - th->blocked_ns - th->runnable_ns - copy;
	w->spent_ns[WEIGHT_blocked] += th->blocked_ns;
	w->spent_ns[WEIGHT_runnable] += th->runnable_ns;
	w->spent_ns[WEIGHT_kernel] += kernel;
	w->spent_ns[WEIGHT_copy] += copy;
	for (u32 i = 0; i < NR_WEIGHTS; i++) {
		if (!w->due_ns[i])
			w->due_ns[i] = next_due(i);
		due |= w->spent_ns[i] >= w->due_ns[i];
	}
	return due;
}

/* @call of @th, the running thread, is over at @now. */
__noinline int weigh(struct thread *th, u32 call, s64 ret, u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct stack_sample *sample;
	struct weights *w;

	ONLY_WITH(weigh);
	if (!th || call >= NR_CALLS)
		return 0;
	w = bpf_task_storage_get(&weighed, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!w || !weights_add(w, th, call, ret, now))
		return 0;
	sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);
	if (!sample) {
		__sync_fetch_and_add(&samples_delayed, 1);
		return 0;
	}
	sample->proc = th->proc;
	sample->call = call;
	sample->pad = 0;
	for (u32 i = 0; i < NR_WEIGHTS; i++)
		sample->weight_ns[i] = weight_take(w, i);
	bpf_get_current_comm(sample->comm, sizeof(sample->comm));
	stack_fill(task, &sample->stack);
	bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
