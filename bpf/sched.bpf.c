// SPDX-License-Identifier: GPL-2.0-only
/*
 * The phase clock: every nanosecond that a watched call is off the CPU is blocked or runnable.
 * These programs run with interrupts off, under a run-queue or wake-up lock.
 */
#include "phase.bpf.h"
#include "activity.bpf.h"

/*
 * What is running here: a task, or an interrupt on top of one, which then is not the cause.
 * The preempt count that tells is a per-CPU variable; kernels without KALLSYMS_ALL do not say
 * where, but the run queue of the running task is another, at a distance known from BTF.
 */
static __always_inline u32 waker_kind(struct task_struct *current)
{
	u32 count;

	if (!knobs.preempt_count_known)
		return WAKER_UNKNOWN;
	count = read_word((u64)current->se.cfs_rq->rq + knobs.preempt_count_from_rq);
	if (count & HARDIRQ_NMI_MASK)
		return WAKER_HARDIRQ;
	return count & SOFTIRQ_SERVING ? WAKER_SOFTIRQ : WAKER_TASK;
}

/* Counts who woke @th; a run of wake-ups by one waker costs a map access only at its end. */
static __always_inline void waker_note(struct task_struct *task, struct thread *th)
{
	struct task_struct *current = bpf_get_current_task_btf();
	u32 kind = waker_kind(current), tgid = kind == WAKER_TASK ? current->tgid : 0;

	if (th->waker.kind != kind || th->waker.tgid != tgid || th->waker_call != th->call) {
		waker_flush(th, task->pid, late_for(th->dumped));
		th->waker.kind = kind;
		th->waker.tgid = tgid;
		th->waker_call = th->call;
		th->waker_call_run = 0;
		if (kind == WAKER_TASK)
			bpf_get_current_comm(th->waker.comm, COMM_LEN);
		else
			__builtin_memset(th->waker.comm, 0, COMM_LEN);
	}
	th->waker_run++;
	th->waker_call_run++;
	if (knobs.trace)
		th->waker_tid = kind == WAKER_TASK ? current->pid : 0;
}

/* The state a task is switched out in: an argument since 5.18 (commit fa2c3254d7cf). */
static __always_inline u32 switch_state(unsigned long long *ctx, struct task_struct *prev)
{
	if (knobs.switch_has_state)
		return ctx[3];
	return prev->__state;
}

/*
 * While a call is held the thread is in a handler, or stopped: that time is none of it. Between
 * its calls it is in a turn, if those are asked for.
 */
static __always_inline bool clocked(struct thread *th)
{
	return !th->held && (th->call || knobs.descriptors);
}

SEC("tp_btf/sched_switch")
int iop_switch(unsigned long long *ctx)
{
	bool preempt = ctx[0];
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	struct thread *out, *in;
	u64 now;

	if (stopped)
		return 0;
	out = prev->pid ? thread_of(prev) : NULL;
	in = next->pid ? thread_of(next) : NULL;
	if (out && !clocked(out))
		out = NULL;
	if (in && (!clocked(in) || in->phase == PHASE_ON_CPU))
		in = NULL;
	if (!out && !in)
		return 0;
	now = bpf_ktime_get_ns();
	if (out) {
		u32 state = preempt ? 0 : switch_state(ctx, prev);

		if (knobs.descriptors && !out->call)
			turn_switch_out(out, now, state);
		else
			switch_out(out, now, state);
	}
	if (in) {
		if (knobs.descriptors && !in->call)
			turn_switch_in(next, in, now);
		else
			switch_in(next, in, now);
	}
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(iop_waking, struct task_struct *task)
{
	struct thread *th = thread_of(task);

	if (!th || !clocked(th) || stopped)
		return 0;
	if (th->phase != PHASE_BLOCKED) {
		/* Before it left the CPU: nothing of its time is blocked (switch_in). */
		if (th->phase == PHASE_ON_CPU)
			th->woken_early = true;
		return 0;
	}
	th->wake_ns = bpf_ktime_get_ns();
	th->phase = PHASE_WOKEN;
	if (knobs.descriptors && !th->call)
		return 0;
	/* Of each wake-up but the last nothing came. */
	th->ready_ns = th->wake_ns;
	if (knobs.descriptors && !knobs.ready_hooked && th->ep)
		waking_ready(th);
	if (!th->began_before)
		waker_note(task, th);
	return 0;
}
