/* SPDX-License-Identifier: GPL-2.0-only */
/* The phase clock of a call: on the CPU, blocked, or runnable. */
#ifndef IOPHASE_PHASE_BPF_H
#define IOPHASE_PHASE_BPF_H

#include "sets.bpf.h"

/* Beyond this a sleeper was not on its way off the CPU any more when it was woken. */
#define WAKING_SLACK_NS	100000

/*
 * When @task, of which no wake-up was seen while it slept, was woken. Most often that was before
 * it had left the CPU, and all the time since is runnable, however late its waker then queued it.
 * But some kernels keep what happens while some of their tasks run to themselves: then it was
 * when the scheduler last queued it.
 */
static __always_inline u64 waking_guess(struct task_struct *task, struct thread *th, u64 now)
{
	u64 queued, waited;

	if (!task || th->woken_early || LACKS(queued) || LACKS(waker))
		return th->out_ns;
	/* Both in the clock of the run queue, which is not the one of the phases. */
	queued = task->sched_info.last_queued;
	waited = task->se.cfs_rq->rq->clock - queued;
	if (!queued || waited + WAKING_SLACK_NS >= now - th->out_ns)
		return th->out_ns;
	loss(LOSS_waking_missed);
	return now - waited;
}

/* @task: the one that comes back, NULL if it came back before, unseen. */
static __always_inline void switch_in(struct task_struct *task, struct thread *th, u64 now)
{
	u64 woken = th->phase == PHASE_WOKEN ? th->wake_ns : th->out_ns;
	bool slept = th->phase != PHASE_PREEMPTED && th->slept_i;

	if (th->phase == PHASE_BLOCKED)
		woken = waking_guess(task, th, now);
	th->blocked_ns += woken - th->out_ns;
	th->runnable_ns += now - woken;
	if (th->slept_d)
		th->blocked_d_ns += woken - th->out_ns;
	/* Pre-empted, or waiting for a disk, it may be in the middle of what it came for. */
	th->off_ns = slept ? 0 : th->off_ns + now - th->out_ns;
	if (slept)
		th->in_ns = now;
	th->phase = PHASE_ON_CPU;
	th->woken_early = false;
	if (th->copy_from_ns)
		th->copy_from_ns = now;
	if (th->ep && slept && !knobs.scan_hooked)
		ready_scan(th, READY_MAX_IRQ);
}

/*
 * Some kernels keep the switches of some of their tasks to themselves, and then a thread that
 * follows such a task on the CPU comes back unseen. That it is back shows when it acts.
 */
static __always_inline void switch_check(struct thread *th, u64 now)
{
	/* While the last figures are read no switch is looked at, so none is missed. */
	if (th->phase == PHASE_ON_CPU || stopped)
		return;
	loss(LOSS_switch_missed);
	switch_in(NULL, th, now);
}

/* @state: that in which it sleeps, 0 if it was pre-empted or gave way. */
static __always_inline void switch_out(struct thread *th, u64 now, u32 state)
{
	switch_check(th, now);
	th->out_ns = now;
	th->phase = state ? PHASE_BLOCKED : PHASE_PREEMPTED;
	th->slept_d = state & TASK_UNINTERRUPTIBLE;
	th->slept_i = state & TASK_INTERRUPTIBLE;
	/* select and poll walk their set again after an interruptible sleep, and only then. */
	th->sleeps += th->slept_i;
	if (th->copy_from_ns)
		th->copy_ns += now - th->copy_from_ns;
}

#endif
