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

/* The name of @task, which stays empty where it is not known. */
static __always_inline void read_comm(char *comm, struct task_struct *task)
{
	if (!LACKS(names))
		bpf_probe_read_kernel(comm, COMM_LEN, task->comm);
}

static const struct folded folded_zero;
static const u64 count_zero;

/* To a figure that several threads add to. */
#define ADD(sum, field, by) __sync_fetch_and_add(&(sum)->field, by)

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
__noinline u32 hist_row(u64 proc, u32 call)
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

/*
 * For what is folded of a thread that reading @dumped has: its number while it is under way. A
 * global function, so that the verifier does not follow each of its results into the caller.
 */
__noinline u32 late_for(u64 dumped)
{
	u32 now = reading;

	return dumped == now ? now : 0;
}

/*
 * Adds slot @i of @th, the running thread, to the shared row of its process, or, with rows per
 * thread, to its own; @late as in struct folded_key.
 */
__noinline int slot_fold(struct thread *th, u32 i, u32 late)
{
	struct folded_key key = { .late = late };
	struct folded *row;
	struct slot *slot;

	if (!th || i >= NR_SLOTS)
		return 0;
	slot = &th->slots[i];
	key.proc = th->proc;
	key.call = slot->call;
	if (knobs.per_thread)
		key.tid = bpf_get_current_pid_tgid();
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
		return 0;
	}
	for (u32 f = 0; f < NR_FIGURES; f++)
		__sync_fetch_and_add(&((u64 *)&row->sum)[f], ((u64 *)&slot->sum)[f]);
	if (key.tid)
		bpf_get_current_comm(row->comm, sizeof(row->comm));
	else
		read_comm(row->comm, bpf_get_current_task_btf()->group_leader);
	return 0;
}

/* A slot for @call, which has none: its index + 1. */
__noinline u32 slot_new(struct thread *th, u32 call)
{
	struct slot *slot;
	u32 i;

	if (!th)
		return 0;
	i = th->next_slot;
	if (i >= NR_SLOTS)
		return 0;
	th->next_slot = i + 1 < NR_SLOTS ? i + 1 : 0;
	slot = &th->slots[i];
	if (slot->call) {
		slot_fold(th, i, late_for(th->dumped));
		th->slot_of[slot->call & (NR_CALL_KINDS - 1)] = 0;
		__builtin_memset(&slot->sum, 0, sizeof(slot->sum));
		__sync_fetch_and_add(&folds, 1);
	}
	slot->call = call;
	slot->hist = hist_row(th->proc, call);
	if (th->used_slots <= i)
		th->used_slots = i + 1;
	th->slot_of[call & (NR_CALL_KINDS - 1)] = i + 1;
	return i + 1;
}

static __always_inline struct slot *slot_of(struct thread *th, u32 call)
{
	u64 i = th->slot_of[call & (NR_CALL_KINDS - 1)];

	if (!i)
		i = slot_new(th, call);
	i--;
	/* The index itself is checked, in all of its bits: the verifier of 6.1 follows no less. */
	asm volatile("" : "+r"(i));
	if (i >= NR_SLOTS)
		return NULL;
	asm volatile("" : "+r"(i));
	return &th->slots[i];
}

__noinline int errno_add(u64 proc, u32 call, u32 error)
{
	struct errno_key key = { .proc = proc, .call = call, .error = error };
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
	return 0;
}

/* A call of a 32-bit program: its arguments are laid out differently, so it is only counted. */
__noinline int left_out_add(u64 proc)
{
	struct left_out none = {}, *row;

	loss(LOSS_compat_calls);
	row = bpf_map_lookup_elem(&left_outs, &proc);
	if (!row) {
		bpf_get_current_comm(none.comm, sizeof(none.comm));
		bpf_map_update_elem(&left_outs, &proc, &none, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&left_outs, &proc);
	}
	if (row)
		__sync_fetch_and_add(&row->calls, 1);
	return 0;
}

/* Moves the run of wake-ups of thread @tid by one waker to the shared row. */
__noinline int waker_flush(struct thread *th, u32 tid, u32 late)
{
	struct waker_key key = { .late = late };
	u64 *count;

	if (!th || !th->waker_run)
		return 0;
	key.proc = th->proc;
	key.call = th->waker_call;
	if (knobs.per_thread)
		key.tid = tid;
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
	if (late)
		__sync_fetch_and_add(&folds, 1);
	return 0;
}

#endif
