/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sums for each model of input that a process, thread or descriptor uses. Only where models are asked
 * for (knobs.models), and in a map of their own, so that nothing else has to carry them.
 */
#ifndef IOPHASE_MODELS_BPF_H
#define IOPHASE_MODELS_BPF_H

#include "reports.bpf.h"

/* Its size is set by user space: where models are not asked for, to next to nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MODELS_MAX);
	__type(key, struct model_key);
	__type(value, struct model_row);
} models SEC(".maps");

static const struct model_row model_zero;

/* A row for @key, which has none. It is called what the running thread is. */
__noinline int model_new(struct model_key *key)
{
	struct model_row *row;
	struct model_key at;

	ONLY_WITH(models);
	if (!key)
		return 0;
	/* On the stack, from where the verifier of 6.1 lets it be used. */
	at = *key;
	if (bpf_map_update_elem(&models, &at, &model_zero, BPF_NOEXIST) == -7 /* E2BIG */)
		loss(LOSS_models_full);
	row = bpf_map_lookup_elem(&models, &at);
	if (row)
		bpf_get_current_comm(row->comm, sizeof(row->comm));
	return 0;
}

/* The sums of @model for thread @tid of @proc, or, if they are kept so, for a descriptor. */
static __always_inline struct model_sum *model_of(u32 model, u64 proc, u32 tid, u64 born_ns)
{
	struct model_key key = { .proc = proc, .model = model };
	struct model_row *row;

	if (knobs.models_by_fd)
		key.born_ns = born_ns;
	else if (knobs.per_thread)
		key.tid = tid;
	row = bpf_map_lookup_elem(&models, &key);
	if (!row) {
		model_new(&key);
		row = bpf_map_lookup_elem(&models, &key);
	}
	return row ? &row->sum : NULL;
}

/* The same for what the running thread does; @born_ns: with no descriptor there is no row by it. */
static __always_inline struct model_sum *model_of_thread(u32 model, u64 proc, u64 born_ns)
{
	if (knobs.models_by_fd && !born_ns)
		return NULL;
	return model_of(model, proc, bpf_get_current_pid_tgid(), born_ns);
}

/* The wait of @th that is over at @now goes to @sum. */
static __always_inline void model_wait(struct model_sum *sum, struct thread *th, u64 now)
{
	ADD(sum, waits, 1);
	ADD(sum, wait_ns, now - th->enter_ns);
	ADD(sum, wait_blocked_ns, th->blocked_ns);
	ADD(sum, wait_runnable_ns, th->runnable_ns);
}

#endif
