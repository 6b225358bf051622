/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Totals and histograms. A thread's totals lie in its own record, so adding to them needs no
 * lock and no second lookup; they are folded into a shared row when the thread ends or makes
 * more different calls than it has slots.
 */
#ifndef IOPHASE_TOTALS_BPF_H
#define IOPHASE_TOTALS_BPF_H

#include "state.bpf.h"

#include "hist.h"

static const struct folded folded_zero;
static const u64 count_zero;

static __always_inline void hist_add(u64 *buckets, u64 ns)
{
	u32 bucket;

	if (!ns)
		return;
	bucket = hist_bucket(ns);
	if (bucket < HIST_BUCKETS)
		__sync_fetch_and_add(&buckets[bucket], 1);
}

/* Row + 1 in hists of @call in @proc, 0 if none is free. */
static __noinline u32 hist_row(proc_id proc, u32 call)
{
	struct hist_key key = { .proc = proc, .call = call };
	u32 *known = bpf_map_lookup_elem(&hist_rows, &key);
	u32 row = 0;

	if (known)
		return *known + 1;
	if (bpf_map_pop_elem(&free_hists, &row)) {
		if (next_hist >= HIST_ROWS)
			return 0;
		row = __sync_fetch_and_add(&next_hist, 1);
		if (row >= HIST_ROWS)
			return 0;
	}
	if (!bpf_map_update_elem(&hist_rows, &key, &row, BPF_NOEXIST))
		return row + 1;
	/* Another thread of the process was faster; the row taken here stays empty. */
	known = bpf_map_lookup_elem(&hist_rows, &key);
	return known ? *known + 1 : 0;
}

/* Adds @slot to the shared row of its process, or, with per-thread rows, of its thread. */
static __noinline void slot_fold(struct task_struct *task, proc_id proc, struct slot *slot)
{
	struct folded_key key = { .proc = proc, .call = slot->call };
	struct folded *row;

	if (knobs.per_thread)
		key.tid = task->pid;
	row = bpf_map_lookup_elem(&folded, &key);
	if (!row) {
		if (bpf_map_update_elem(&folded, &key, &folded_zero, BPF_NOEXIST) == -7 /* E2BIG */ &&
		    key.tid) {
			loss(LOSS_threads_merged);
			key.tid = 0;
			bpf_map_update_elem(&folded, &key, &folded_zero, BPF_NOEXIST);
		}
		row = bpf_map_lookup_elem(&folded, &key);
	}
	if (!row) {
		__sync_fetch_and_add(&losses[LOSS_folded_full], slot->sum.calls);
		return;
	}
	for (u32 i = 0; i < NR_FIGURES; i++) {
		u64 figure = ((u64 *)&slot->sum)[i];

		if (figure)
			__sync_fetch_and_add(&((u64 *)&row->sum)[i], figure);
	}
	if (key.tid)
		bpf_probe_read_kernel(row->comm, sizeof(row->comm), task->comm);
	else
		bpf_probe_read_kernel(row->comm, sizeof(row->comm), task->group_leader->comm);
}

static __noinline u32 slot_new(struct thread *th, u32 call)
{
	u32 i = th->next_slot;
	struct slot *slot;

	if (i >= NR_SLOTS)
		return 0;
	th->next_slot = i + 1 < NR_SLOTS ? i + 1 : 0;
	slot = &th->slots[i];
	if (slot->call) {
		slot_fold(bpf_get_current_task_btf(), th->proc, slot);
		th->slot_of[slot->call & 31] = 0;
		__builtin_memset(&slot->sum, 0, sizeof(slot->sum));
		__sync_fetch_and_add(&folds, 1);
	}
	slot->call = call;
	slot->hist = hist_row(th->proc, call);
	th->slot_of[call & 31] = i + 1;
	return i + 1;
}

static __always_inline struct slot *slot_of(struct thread *th, u32 call)
{
	u32 i = th->slot_of[call & 31];

	if (!i)
		i = slot_new(th, call);
	if (!i || i > NR_SLOTS)
		return NULL;
	/* Not a choice between two pointers: the verifier allows no arithmetic before the check. */
	asm volatile("" : "+r"(i));
	return &th->slots[i - 1];
}

static __noinline void errno_add(struct thread *th, u32 call, u32 error)
{
	struct errno_key key = { .proc = th->proc, .call = call, .error = error };
	u64 *count;

	if (knobs.per_thread)
		key.tid = bpf_get_current_pid_tgid();
	count = bpf_map_lookup_elem(&errnos, &key);
	if (!count) {
		bpf_map_update_elem(&errnos, &key, &count_zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&errnos, &key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		loss(LOSS_errnos_full);
}

/* A call of a 32-bit program: its arguments are laid out differently, so it is only counted. */
static __noinline void left_out_add(struct thread *th)
{
	struct left_out none = {}, *row;
	proc_id proc = th->proc;

	loss(LOSS_compat_calls);
	row = bpf_map_lookup_elem(&left_outs, &proc);
	if (!row) {
		bpf_get_current_comm(none.comm, sizeof(none.comm));
		bpf_map_update_elem(&left_outs, &proc, &none, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&left_outs, &proc);
	}
	if (row)
		__sync_fetch_and_add(&row->calls, 1);
}

/* Moves the thread's run of wake-ups by one waker to the shared row. */
static __noinline void waker_flush(struct task_struct *task, struct thread *th)
{
	struct waker_key key = { .proc = th->proc, .call = th->waker_call };
	u64 *count;

	if (!th->waker_run)
		return;
	if (knobs.per_thread)
		key.tid = task->pid;
	key.waker = th->waker;
	count = bpf_map_lookup_elem(&wakers, &key);
	if (!count) {
		bpf_map_update_elem(&wakers, &key, &count_zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&wakers, &key);
	}
	if (count)
		__sync_fetch_and_add(count, th->waker_run);
	else
		__sync_fetch_and_add(&losses[LOSS_wakers_full], th->waker_run);
	th->waker_run = 0;
}

#endif
