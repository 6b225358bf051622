/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a thread does, as far as descriptors and event loops are concerned: the calls it enters and
 * leaves, what it closes, and when it is off the CPU between its calls. Only where descriptors are
 * asked for (knobs.descriptors).
 */
#ifndef IOPHASE_ACTIVITY_BPF_H
#define IOPHASE_ACTIVITY_BPF_H

#include "count.bpf.h"
#include "served.bpf.h"

/* An epoll instance that another one reported is served by waiting on it. */
static __always_inline void instance_served(struct task_struct *task, u32 epfd, u64 now)
{
	u64 file = (u64)file_of(task, epfd);
	struct descriptor *d = file ? bpf_map_lookup_elem(&descriptors, &file) : NULL;

	if (!d)
		return;
	descriptor_served(d, now);
	d->flags |= FD_PROGRESS;
}

/* epoll_ctl begins. What waits in the file already is ready as of its registration. */
__noinline int ctl_begins(struct thread *th)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct descriptor *d;
	u64 file, ep;
	u32 left;

	ONLY_WITH(descriptors);
	if (!th)
		return 0;
	ep = epoll_of(task, th->args[0]);
	file = (u64)file_of(task, th->args[2]);
	watched_leaves(th, ep, file);
	if (!ep || (u32)th->args[1] == EPOLL_CTL_DEL)
		return 0;
	d = descriptor_of(file, th->proc, th->args[2]);
	if (!d)
		return 0;
	left = file_left(d->kind, d->private_data);
	if (knobs.doctor && (u32)th->args[1] == EPOLL_CTL_MOD && d->mask & EPOLLONESHOT)
		signs_arm(d, left, bpf_ktime_get_ns());
	if (!d->ready_ns && left && left != LEFT_UNKNOWN)
		d->ready_ns = bpf_ktime_get_ns();
	return 0;
}

/* The thread enters a call: a turn goes on, or ends; what the call is on is served by it. */
__noinline int activity_enters(struct thread *th, u32 class, u32 args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct activity *act;
	struct descriptor *d;
	struct event_loop *loop;
	u64 now, lag;

	ONLY_WITH(descriptors);
	/* Of what ends while the last figures are read nothing is seen, nor is it to be of what follows. */
	if (!th || stopped)
		return 0;
	act = bpf_task_storage_get(&activities, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!act) {
		loss(LOSS_fds_full);
		return 0;
	}
	now = bpf_ktime_get_ns();
	act->file = 0;
	if (knobs.models) {
		act->model = NR_MODELS;
		if (args == ARGS_SUBMIT)
			aio_submits(th);
	}
	if (args_are_request(args))
		return 0;
	if (class == CLASS_WAIT) {
		turn_end(act, now);
		if (args == ARGS_EPOLL)
			instance_served(task, th->args[0], now);
		loop = loop_enter(task, th, act, args);
		if (knobs.doctor && loop && !loop->in_tid)
			loop->in_tid = task->pid;
		if (loop && !th->asked_unknown)
			loop->asked = th->asked;
		if (args != ARGS_EPOLL)
			set_note(th, act, args, now);
		return 0;
	}
	if (args == ARGS_CTL) {
		ctl_begins(th);
		return 0;
	}
	act->file = (u64)file_of(task, th->args[0]);
	d = descriptor_of(act->file, th->proc, th->args[0]);
	if (!d) {
		act->file = 0;
		return 0;
	}
	if (d->fd != (u32)th->args[0] || d->flags & FD_CLOSED) {
		d->fd = th->args[0];
		d->flags &= ~FD_CLOSED;
	}
	if (d->proc != th->proc)
		d->flags |= FD_SHARED;
	if (knobs.doctor)
		signs_enter(act, d, class == CLASS_INPUT || args == ARGS_SPLICE, now);
	lag = descriptor_served(d, now);
	if (knobs.doctor && lag > knobs.limits.starve_ns)
		signs_late(act, d, lag);
	loop = lag && act->turn_ns ? loop_at(act->loop) : NULL;
	if (loop) {
		ADD(&loop->sum, serve_ns, lag);
		ADD(&loop->sum, serves, 1);
		hist_add(loop->serve_hist, lag);
	}
	return 0;
}

static __always_inline void wait_counts(struct thread *th, struct event_loop *loop, u32 args,
					s64 ret, u64 now)
{
	ADD(&loop->sum, waits, 1);
	ADD(&loop->sum, wait_ns, now - th->enter_ns);
	if (th->blocked_ns | th->runnable_ns) {
		ADD(&loop->sum, wait_blocked_ns, th->blocked_ns);
		ADD(&loop->sum, wait_runnable_ns, th->runnable_ns);
	}
	if (!ret)
		ADD(&loop->sum, empty, 1);
	else if (ret < 0)
		ADD(&loop->sum, failed, 1);
	if (ret <= 0)
		return;
	ADD(&loop->sum, events, ret);
	if (args == ARGS_EPOLL && (u32)ret == (u32)th->args[2])
		ADD(&loop->sum, full, 1);
}

/*
 * A wait returned @ret: what it took, whom it told of what; and a turn begins. Of one that was
 * under way when the watch began is not known what it took.
 */
static __always_inline int wait_ends(struct thread *th, struct activity *act, u32 call, s64 ret,
				     u64 now)
{
	u32 args = kind_of(call).args;
	struct event_loop *loop;

	if (act->loop_watch == WATCH_NONE)
		return 0;
	loop = loop_at(act->loop);
	if (!loop)
		return 0;
	if (!th->began_before)
		wait_counts(th, loop, args, ret, now);
	if (knobs.doctor)
		signs_wait(th, act, call, ret, now);
	if (knobs.trace)
		trace_reports_begin(th->enter_ns);
	if (ret > 0)
		wait_reports(th, act->loop_watch, act->loop, ret, now);
	act->told_ns = now;
	turn_clear(act);
	/* What was done here is no time of the turn; a wait that was interrupted may be over for long. */
	act->turn_ns = ret > 0 ? bpf_ktime_get_ns() : now;
	return 0;
}

/* epoll_ctl is over. */
__noinline int ctl_ends(struct thread *th, struct activity *act, s64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop_key key = { .watch = WATCH_EPOLL };
	struct event_loop *loop;
	u32 *row, first = 0;
	u64 file;

	ONLY_WITH(descriptors);
	if (!th || !act)
		return 0;
	key.proc = th->proc;
	key.ep = epoll_of(task, th->args[0]);
	if (!key.ep)
		return 0;
	file = (u64)file_of(task, th->args[2]);
	if (knobs.trace)
		trace_object(bpf_map_lookup_elem(&descriptors, &file), file, th->enter_ns, CALL_epoll_ctl);
	if (!ret)
		first = watched_enters(key.ep, file, th->args[1], th->args[2], th->proc);
	else
		watched_stays(th, key.ep, file);
	row = bpf_map_lookup_elem(&loop_rows, &key);
	loop = row ? loop_at(*row) : NULL;
	if (!loop)
		return 0;
	ADD(&loop->sum, ctl_calls, 1);
	ADD(&loop->sum, first_adds, first);
	ADD(&loop->sum, bad_dels, ret == -EBADF && (u32)th->args[1] == EPOLL_CTL_DEL);
	return 0;
}

/*
 * splice(2) or sendfile(2) moved @ret from one descriptor to another. An EAGAIN can be of either,
 * so it does not tell that the first is empty.
 */
__noinline int descriptor_moved(struct thread *th, struct activity *act, u32 args, s64 ret, u64 now)
{
	struct descriptor *d, *other, *from, *to;
	u64 file;
	u32 fd;

	ONLY_WITH(descriptors);
	if (!th || !act)
		return 0;
	file = act->file;
	d = bpf_map_lookup_elem(&descriptors, &file);
	if (!d)
		return 0;
	fd = args == ARGS_SPLICE ? th->args[2] : th->args[1];
	other = descriptor_of((u64)file_of(bpf_get_current_task_btf(), fd), th->proc, fd);
	if (!other)
		return 0;
	from = args == ARGS_SPLICE ? d : other;
	to = args == ARGS_SPLICE ? other : d;
	descriptor_served(other, th->enter_ns);
	other->called_ns = now;
	if (ret > 0 || ret == -EAGAIN)
		descriptor_taken(from, false, false, now);
	if (ret > 0) {
		other->flags |= FD_PROGRESS;
		if (args == ARGS_SPLICE)
			other->flags &= ~(FD_OUT_BLOCKED | FD_OUT_READY);
	}
	if (!act->counted)
		return 0;
	ADD(&other->sum, calls, 1);	/* its time is that of the first */
	if (ret == -EAGAIN)
		ADD(&other->sum, eagain, 1);
	else if (ret < 0)
		ADD(&other->sum, errors, 1);
	if (ret > 0) {
		ADD(&from->sum, in_bytes, ret);
		ADD(&to->sum, out_bytes, ret);
	}
	return 0;
}

/* What an input call on @d found, and left there; one that asked for no bytes found nothing out. */
static __always_inline void descriptor_input(struct thread *th, struct descriptor *d,
					     struct call_kind kind, s64 ret, u64 now)
{
	bool sized = kind.args == ARGS_BUF || kind.args == ARGS_BUFF;
	bool peeks = call_peeks(th, kind), ends = !ret && kind.ret == RET_BYTES;

	if ((ret < 0 && ret != -EAGAIN) || asked_nothing(th, kind) ||
	    input_flags(th, kind) & MSG_ERRQUEUE)
		return;
	if (knobs.models && ret == -EAGAIN)
		d->flags |= FD_EMPTY;
	/* It may have been known before it listened. */
	if (kind.ret == RET_OK && ret >= 0 && d->kind == KIND_TCP)
		d->kind = KIND_LISTENER;
	descriptor_taken(d, ret == -EAGAIN,
			 !peeks && (ends || (sized && (u64)ret < th->args[2])), now);
}

/* The results of a call on @d. */
static __always_inline void descriptor_result(struct thread *th, struct descriptor *d,
					      struct call_kind kind, s64 ret, u64 now, bool counted)
{
	bool input = kind.class == CLASS_INPUT, bytes = kind.ret == RET_BYTES || kind.ret == RET_MSGS;
	u64 copy = 0, bound = 0;

	if (input)
		descriptor_input(th, d, kind, ret, now);
	if (!counted)
		return;
	if (ret == -EAGAIN)
		ADD(&d->sum, eagain, 1);
	else if (ret < 0)
		ADD(&d->sum, errors, 1);
	else if (input && bytes && !ret && !asked_nothing(th, kind))
		ADD(&d->sum, zero, 1);
	else if (input && !call_peeks(th, kind))
		ADD(&d->sum, in_bytes, th->moved);
	else if (!input && kind.args != ARGS_SPLICE && kind.args != ARGS_SENDFILE)
		ADD(&d->sum, out_bytes, th->moved);
	if (input && bytes && ret > 0) {
		copy_times(th, now, &copy, &bound);
		ADD(&d->sum, copy_ns, copy);
		ADD(&d->sum, copy_bound_ns, bound);
	}
}

/* A call on a descriptor is over. Apart from what a wait is told, which needs all of the stack. */
__noinline int descriptor_called(struct thread *th, struct activity *act, u32 call, s64 ret, u64 now)
{
	struct call_kind kind;
	struct descriptor *d;
	bool drained;
	u64 file;

	ONLY_WITH(descriptors);
	if (!th || !act || call >= NR_CALLS)
		return 0;
	kind = kind_of(call);
	file = act->file;
	d = file ? bpf_map_lookup_elem(&descriptors, &file) : NULL;
	if (!d)
		return 0;
	if (knobs.trace)
		trace_object(d, file, th->enter_ns, call);
	if (act->counted) {
		ADD(&d->sum, calls, 1);
		ADD(&d->sum, wall_ns, now - th->enter_ns);
		if (th->blocked_ns | th->runnable_ns) {
			ADD(&d->sum, blocked_ns, th->blocked_ns);
			ADD(&d->sum, runnable_ns, th->runnable_ns);
		}
	}
	drained = d->flags & FD_DRAINED;
	if (knobs.models && call_brings_in(kind, d)) {
		act->model = call_model(th, d, file, kind, ret);
		act->model_born = d->born_ns;
		act->of_signalfd = d->kind == KIND_SIGNALFD;
		act->model_proc = d->proc;
	}
	descriptor_result(th, d, kind, ret, now, act->counted);
	if (knobs.doctor)
		signs_call(th, d, call, ret, drained);
	if (kind.args == ARGS_SPLICE || kind.args == ARGS_SENDFILE)
		descriptor_moved(th, act, kind.args, ret, now);
	d->called_ns = now;
	return 0;
}

/* The call that @th is inside returned @ret at @now; @counted: it passes the filters. */
__noinline int activity_leaves(struct thread *th, u32 call, s64 ret, u64 now, bool counted)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());
	struct call_kind kind;

	ONLY_WITH(descriptors);
	if (!th || !act || call >= NR_CALLS)
		return 0;
	kind = kind_of(call);
	if (args_are_set(kind.args))
		return wait_ends(th, act, call, ret, now);
	if (th->began_before)
		return 0;
	turn_off_cpu(act, call, th->blocked_ns, th->runnable_ns);
	if (kind.args == ARGS_CTL)
		return ctl_ends(th, act, ret);
	act->counted = counted;
	return descriptor_called(th, act, call, ret, now);
}

/* A watched thread that is in no call leaves the CPU, and comes back: that is part of its turn. */
static __always_inline void turn_switch_out(struct thread *th, u64 now, u32 state)
{
	th->out_ns = now;
	th->phase = state ? PHASE_BLOCKED : PHASE_PREEMPTED;
	if (knobs.doctor && state)
		signs_sleep();
}

static __always_inline void turn_switch_in(struct task_struct *task, struct thread *th, u64 now)
{
	struct activity *act = activity_of(task);
	u64 woken = th->phase == PHASE_WOKEN ? th->wake_ns : th->out_ns;

	th->phase = PHASE_ON_CPU;
	if (!act)
		return;
	turn_off_cpu(act, 0, woken - th->out_ns, now - woken);
	if (knobs.doctor && act->turn_ns && woken - th->out_ns >= knobs.limits.block_ns)
		act->sleepy = true;
}

/* The item that made a thread's epoll instance wake it is the last on its ready list. */
static __always_inline void waking_ready(struct thread *th)
{
	u64 last = ready_last(th->ep);

	if (last && last != ready_list(th->ep))
		descriptor_ready(FIELD(last - bpf_core_field_offset(struct epitem, rdllink),
				       epitem, ffd.file), th->wake_ns);
}

/* Number @fd of @task, of process @proc, is about to be closed. */
static __always_inline void number_closed(struct task_struct *task, u64 proc, u32 fd)
{
	if (!knobs.sets_hooked)
		epoll_closed(task, fd);
	if (knobs.descriptors)
		descriptor_closed((u64)file_of(task, fd), fd, proc, false);
}

struct close_range {
	u64 proc;
	u32 first;
	u32 exit;
};

static long close_step(u32 index, struct close_range *range)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 fd = range->first + index;

	if (!range->exit)
		number_closed(task, range->proc, fd);
	else
		descriptor_closed((u64)file_of(task, fd), fd, range->proc, true);
	return 0;
}

#define CLOSE_MAX	(1 << 20)

/* @exit: the process ends, which epoll sets are told by other means. */
static __always_inline void range_closed(struct task_struct *task, u64 proc, u32 first, u32 last,
					 bool exit)
{
	struct close_range range = { .proc = proc, .first = first, .exit = exit };
	u32 max_fds;

	if (LACKS(files))
		return;
	max_fds = task->files->fdt->max_fds;
	if (last >= max_fds)
		last = max_fds - 1;
	if (first <= last && max_fds <= CLOSE_MAX)
		bpf_loop(last - first + 1, close_step, &range, 0);
}

/* A thread that sleeps in a wait when the watch begins is in a loop already. */
static __always_inline void activity_joins(struct task_struct *task, struct thread *th, u32 args,
					   struct pt_regs *regs)
{
	struct activity *act;

	act = bpf_task_storage_get(&activities, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!act) {
		loss(LOSS_fds_full);
		return;
	}
	th->args[0] = regs->di;
	th->args[1] = regs->si;
	th->args[2] = regs->dx;
	th->args[3] = regs->r10;
	th->args[4] = regs->r8;
	th->ep = args == ARGS_EPOLL ? epoll_of(task, th->args[0]) : 0;
	loop_enter(task, th, act, args);
}

#endif
