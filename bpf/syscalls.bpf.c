// SPDX-License-Identifier: GPL-2.0-only
/*
 * Begin and end of the watched calls. The sections at the end are adapters: which of them is
 * attached is decided in user space (docs/hooks.md says by which figures).
 */
#include "activity.bpf.h"
#include "weigh.bpf.h"

static __always_inline void clear_call(struct thread *th)
{
	th->blocked_ns = 0;
	th->runnable_ns = 0;
	th->blocked_d_ns = 0;
	th->off_ns = 0;
	th->ready_ns = 0;
	th->copy_ns = 0;
	th->copy_open_ns = 0;
	th->copy_from_ns = 0;
	th->copy_loose = false;
	th->copy_missed = false;
	th->asked = 0;
	th->invalid = 0;
	th->scanned = 0;
	th->ep = 0;
	th->ep_last = 0;
	th->passes = 0;
	th->sleeps = 0;
	th->sleeps_before = 0;
	th->polled = 0;
	th->polled_first = 0;
	th->polled_before = 0;
	th->table = 0;
	th->entries = 1;
	th->waker_call_run = 0;
	th->began_before = false;
	th->asked_unknown = false;
	th->walk_cut = false;
	th->woken_early = false;
	th->phase = PHASE_ON_CPU;
}

/* More than a process may have open is refused before it is looked at. */
static __always_inline bool poll_refused(struct task_struct *task, u32 n)
{
	if (!bpf_core_field_exists(task->signal) ||
	    !bpf_core_field_exists(struct signal_struct, rlim[RLIMIT_NOFILE].rlim_cur))
		return false;
	return n > task->signal->rlim[RLIMIT_NOFILE].rlim_cur;
}

/* The set of a wait call is looked at before the kernel does: it may change it. */
static __always_inline void set_asked(struct thread *th, u64 asked)
{
	if (asked == SETS_UNREAD)
		th->asked_unknown = true;
	else
		th->asked = asked;
}

static __always_inline void enter_poll(struct task_struct *task, struct thread *th)
{
	u32 n = th->args[1];

	if (!poll_refused(task, n))
		set_asked(th, poll_asked(th->args[0], n));
}

static __always_inline void enter_select(struct task_struct *task, struct thread *th)
{
	s32 n = th->args[0];

	if (n < 0)
		return;		/* refused with EINVAL */
	if (LACKS(files)) {
		th->asked_unknown = true;
		return;
	}
	n = select_clip(task, n);
	th->args[0] = n;
	set_asked(th, select_asked(th->args[1], th->args[2], th->args[3], n));
}

static __always_inline void enter_epoll(struct task_struct *task, struct thread *th)
{
	u64 ep = epoll_of(task, th->args[0]);
	s64 size;

	th->asked_unknown = LACKS(files);
	if (!ep)
		return;
	th->ep = ep;
	size = epoll_size(th, ep);
	if (size >= 0)
		th->asked = size;
	else
		th->asked_unknown = true;
	if (!knobs.scan_hooked)
		ready_scan(th, ready_limit(th->args[2]));
}

/* A call that returned @ret after @wall ns passes the filters on results. */
static __always_inline bool call_counts(s64 ret, u64 wall)
{
	return !(knobs.min_ns && wall < knobs.min_ns) && !(knobs.failed_only && ret >= 0);
}

/* @call, of @kind, that @th is inside returned @ret at @now. */
static __always_inline void call_count(struct thread *th, u32 call, struct call_kind kind, s64 ret,
				       u64 now)
{
	u64 wall = now - th->enter_ns;
	struct slot *slot;
	bool counted;

	switch_check(th, now);
	th->call = CALL_NONE;
	if (stopped)
		return;
	if (th->began_before) {
		if (knobs.descriptors)
			activity_leaves(th, call, ret, now, false);
		if (knobs.trace && call_selected(call) && call_counts(ret, wall))
			trace_emit(th, call, ret, now, TRACE_BEFORE);
		return;
	}
	counted = call_counts(ret, wall);
	th->moved = call_bytes(th, call, kind, ret);
	if (knobs.descriptors)
		activity_leaves(th, call, ret, now, counted && call_selected(call));
	if (!counted) {
		/* Nor are the wake-ups of a call that is left out; nearly all are by one waker. */
		th->waker_run -= th->waker_call_run;
		return;
	}
	if (knobs.models && (kind.class == CLASS_INPUT || kind.args == ARGS_SPLICE))
		model_called(th, call, ret, now);
	else if (knobs.models && args_are_request(kind.args))
		model_requested(th, kind.args, ret, now);
	slot = slot_of(th, call);
	if (!slot)
		return;
	th->seq++;
	barrier();
	/* What a record is made of is this call alone. */
	if (knobs.trace)
		__builtin_memset(&slot->sum, 0, sizeof(slot->sum));
	slot->sum.calls++;
	slot->sum.wall_ns += wall;
	if (th->blocked_ns | th->runnable_ns) {
		slot->sum.blocked_ns += th->blocked_ns;
		slot->sum.runnable_ns += th->runnable_ns;
		slot->sum.blocked_d_ns += th->blocked_d_ns;
	}
	if (th->sleeps > 1)
		slot->sum.vain_wakes += th->sleeps - 1;
	if (args_are_set(kind.args)) {
		/* An entry that is no descriptor is a result, with which the first pass is the last. */
		if (kind.args == ARGS_POLL && ret > 0 && !th->sleeps)
			th->invalid = poll_invalid(th->args[0], th->args[1], ret);
		count_wait(th, &slot->sum, call, ret, now);
	} else if (ret > 0 && kind.ret != RET_OK) {
		count_bytes(th, &slot->sum, kind, ret);
		if (kind.class == CLASS_INPUT)
			count_copy(th, &slot->sum, now);
	}
	count_result(th, &slot->sum, call, kind, ret);
	barrier();
	th->seq++;
	if (knobs.weigh && call_selected(call))
		weigh(th, call, ret, now);
	if (!knobs.trace)
		count_hist(th, slot->hist - 1, wall);
	else if (call_selected(call))
		trace_emit(th, call, ret, now, 0);
}

/*
 * A signal interrupted the call, and the kernel will either run it again by itself, or run a
 * handler, after which it is over or run again. Until it shows which, the call is held, and
 * the phase clock stands still.
 */
static __always_inline void call_hold(struct thread *th, s64 ret, u64 now)
{
	switch_check(th, now);
	th->held = true;
	th->held_ret = -ret;
	th->held_ns = now;
}

/*
 * It was not run again. A handler ran then, and only ERESTARTSYS leaves open whether the
 * program saw EINTR (handle_signal(), arch/x86/kernel/signal.c).
 */
__noinline int call_held_ends(struct thread *th, bool eintr)
{
	s64 ret = -EINTR;
	u32 call;

	if (!th)
		return 0;
	if (!eintr && th->held_ret == ERESTARTSYS)
		ret = -ERESTARTSYS;
	call = th->call;
	th->held = false;
	if (call < NR_CALLS)
		call_count(th, call, kind_of(call), ret, th->held_ns);
	return 0;
}

/* It goes on: the time between, in handlers or stopped, is none of the call's. */
static __always_inline void call_resume(struct thread *th)
{
	u64 now = bpf_ktime_get_ns();

	th->held = false;
	sets_entry_ends(th, th->asked);
	th->enter_ns += now - th->held_ns;
	th->in_ns = now;
	th->off_ns = 0;
	th->copy_from_ns = 0;
	th->entries++;
}

/* Whether the entry with @route and first argument @a0 is that of the held call, run again. */
static __always_inline bool call_resumes(struct thread *th, u32 route, u64 a0)
{
	if (ROUTE_ARGS(route) == ARGS_RESTART)
		return th->held_ret == ERESTART_RESTARTBLOCK;
	return ROUTE_CALL(route) == th->call && th->held_ret != ERESTART_RESTARTBLOCK &&
	       (ROUTE_ARGS(route) == ARGS_SELECT || a0 == th->args[0]);
}

static __always_inline void call_begin(struct task_struct *task, struct thread *th, u32 call,
				       u32 args)
{
	if (th->call && !th->began_before)
		loss(LOSS_exit_missed);
	th->call = CALL_NONE;
	clear_call(th);
	if (args == ARGS_POLL)
		enter_poll(task, th);
	else if (args == ARGS_SELECT)
		enter_select(task, th);
	else if (args == ARGS_EPOLL)
		enter_epoll(task, th);
	if (knobs.descriptors)
		activity_enters(th, call_kinds[call & (NR_CALL_KINDS - 1)].class, args);
	th->synced = true;
	/* The clock is read last: what was done here is no time of the call. */
	th->enter_ns = bpf_ktime_get_ns();
	th->in_ns = th->enter_ns;
	th->call = call;
}

/* What has no rows of its own: it is looked at for what it means to others. */
static __always_inline void helper_enter(struct task_struct *task, u64 proc, u32 args, u64 a0,
					 u64 a1, u32 a2)
{
	if (args == ARGS_CLOSE)
		number_closed(task, proc, a0);
	else if (args == ARGS_DUP && a0 != a1 && file_of(task, a0))
		number_closed(task, proc, a1);
	else if (args == ARGS_CLOSE_RANGE && !(a2 & CLOSE_RANGE_CLOEXEC))
		range_closed(task, proc, a0, a1, false);
}

/* @th enters the call of @route. */
static __always_inline void thread_enters(struct task_struct *task, struct thread *th, u32 route,
					  u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
	u32 args = ROUTE_ARGS(route);

	if (th->held && args != ARGS_SIGRETURN) {
		if (call_resumes(th, route, a0)) {
			call_resume(th);
			return;
		}
		call_held_ends(th, false);
	}
	if (ROUTE_CALL(route) >= NR_CALLS) {
		helper_enter(task, th->proc, args, a0, a1, a2);
		return;
	}
	if (!ROUTE_CALL(route))
		return;
	th->args[0] = a0;
	th->args[1] = a1;
	th->args[2] = a2;
	th->args[3] = a3;
	th->args[4] = a4;
	call_begin(task, th, ROUTE_CALL(route), args);
}

static __always_inline void call_enter(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
	struct task_struct *task;
	struct thread *th;
	u32 route;

	if (nr >= NR_SYSCALLS)
		return;
	route = routes[nr];
	if (!route)
		return;
	task = bpf_get_current_task_btf();
	th = thread_of(task);
	if (!th)
		return;
	if (task->thread_info.status & TS_COMPAT) {
		if (route & ROUTE_COMPAT)
			left_out_add(th->proc);
		return;
	}
	thread_enters(task, th, route, a0, a1, a2, a3, a4);
}

/* epoll_create(2) returned: an instance seen from its birth. A function, for its stack. */
__noinline int set_created(u32 fd)
{
	epoll_follow(epoll_of(bpf_get_current_task_btf(), fd), 0);
	return 0;
}

/* epoll_ctl(2) did what it was asked to. */
__noinline int set_changed(u32 epfd, u32 op)
{
	if (op == EPOLL_CTL_ADD || op == EPOLL_CTL_DEL)
		epoll_resized(epoll_of(bpf_get_current_task_btf(), epfd),
			      op == EPOLL_CTL_ADD ? 1 : -1);
	return 0;
}

static __always_inline void helper_exit(struct thread *th, u32 args, s64 ret)
{
	if (args == ARGS_CREATE && !knobs.sets_hooked && ret >= 0)
		set_created(ret);
	/* A handler has ended, and this is what the call it interrupted is seen to return. */
	else if (args == ARGS_SIGRETURN && th->held && ret == -EINTR)
		call_held_ends(th, true);
}

/* A call returns that was not seen to begin. One that seccomp answers never does. */
static __always_inline void entry_unseen(struct task_struct *task, struct thread *th)
{
	bool before = !th->synced;

	/* It began before the watch; of the next one the entry is seen. */
	th->synced = true;
	if (before)
		return;
	if (!th->call && !LACKS(seccomp) && task->seccomp.mode)
		loss(LOSS_denied_calls);
	else
		loss(LOSS_enter_missed);
}

/* rt_sigreturn(2) forgets its own number (restore_sigcontext(), arch/x86/kernel/signal_64.c). */
#define NR_AFTER_SIGRETURN	(-1ull)

/* The call of @route that @th is inside returns @ret. @kind: its kind, NULL to look it up. */
static __always_inline void thread_exits(struct task_struct *task, struct thread *th, u32 route,
					 const struct call_kind *kind, s64 ret)
{
	u32 call = th->call;
	u64 now;

	if (ROUTE_CALL(route) >= NR_CALLS) {
		if (ROUTE_ARGS(route) != ARGS_RESTART) {
			helper_exit(th, ROUTE_ARGS(route), ret);
			return;
		}
		if (!call || call >= NR_CALLS)
			return;
	} else if (ROUTE_CALL(route) != call) {
		entry_unseen(task, th);
		th->call = CALL_NONE;
		return;
	}
	th->synced = true;
	now = bpf_ktime_get_ns();
	if (result_restarts(ret)) {
		call_hold(th, ret, now);
		return;
	}
	if (ROUTE_ARGS(route) == ARGS_CTL && !ret && !knobs.sets_hooked)
		set_changed(th->args[0], th->args[1]);
	call_count(th, call, kind ? *kind : kind_of(call), ret, now);
}

static __always_inline void call_exit(u64 nr, s64 ret)
{
	struct task_struct *task;
	struct thread *th;
	u32 route;

	if (nr < NR_SYSCALLS)
		route = routes[nr];
	else if (nr == NR_AFTER_SIGRETURN)
		route = ROUTE(CALL_NO_ROW, ARGS_SIGRETURN);
	else
		return;
	if (!ROUTE_CALL(route))
		return;
	task = bpf_get_current_task_btf();
	th = thread_of(task);
	if (!th || task->thread_info.status & TS_COMPAT)
		return;
	thread_exits(task, th, route, NULL, ret);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(iop_enter, struct pt_regs *regs, long id)
{
	call_enter(id, regs->di, regs->si, regs->dx, regs->r10, regs->r8);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(iop_exit, struct pt_regs *regs, long ret)
{
	call_exit(regs->orig_ax, ret);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_enter")
int iop_enter_tp(struct trace_event_raw_sys_enter *ctx)
{
	call_enter(ctx->id, ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[3],
		   ctx->args[4]);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int iop_exit_tp(struct trace_event_raw_sys_exit *ctx)
{
	call_exit(ctx->id, ctx->ret);
	return 0;
}

/*
 * The calls themselves: what makes other calls pays nothing. 32-bit programs have entries of
 * their own, which are not seen (session_direct()).
 */
static __always_inline void direct_enter(u32 route, struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *th = thread_of(task);

	if (th)
		thread_enters(task, th, route, regs->di, regs->si, regs->dx, regs->r10, regs->r8);
}

static __always_inline void direct_exit(u32 route, const struct call_kind *kind, s64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *th = thread_of(task);

	if (th)
		thread_exits(task, th, route, kind, ret);
}

/* The number of sendfile(2) is that of its 64-bit form; the other is there for 32-bit programs. */
#define __x64_sys_sendfile	__x64_sys_sendfile64

#define DIRECT(name, function, ...) DIRECT_AT(name, function, __VA_ARGS__)
#define DIRECT_AT(name, function, route, kind)						\
	SEC("fentry/" #function)							\
	int BPF_PROG(iop_in_##name, struct pt_regs *regs)				\
	{										\
		direct_enter(route, regs);						\
		return 0;								\
	}										\
	SEC("fexit/" #function)								\
	int BPF_PROG(iop_out_##name, struct pt_regs *regs, long ret)			\
	{										\
		direct_exit(route, kind, ret);						\
		return 0;								\
	}

#define CALL(name, class_, args_, ret_, i386)						\
	DIRECT(name, __x64_sys_##name, ROUTE(CALL_##name, ARGS_##args_),		\
	       (&(struct call_kind){ .class = CLASS_##class_, .ret = RET_##ret_,	\
				     .args = ARGS_##args_ }))
#include "calls.def"
#undef CALL
/* Without arguments, a call has one entry for all programs, under another name. */
DIRECT(restart_syscall, __do_sys_restart_syscall, ROUTE(CALL_NO_ROW, ARGS_RESTART), NULL)
DIRECT(rt_sigreturn, __do_sys_rt_sigreturn, ROUTE(CALL_NO_ROW, ARGS_SIGRETURN), NULL)
/* What closes a descriptor is of interest where they are kept apart. */
DIRECT(close, __x64_sys_close, ROUTE(CALL_NO_ROW, ARGS_CLOSE), NULL)
DIRECT(close_range, __x64_sys_close_range, ROUTE(CALL_NO_ROW, ARGS_CLOSE_RANGE), NULL)
DIRECT(dup2, __x64_sys_dup2, ROUTE(CALL_NO_ROW, ARGS_DUP), NULL)
DIRECT(dup3, __x64_sys_dup3, ROUTE(CALL_NO_ROW, ARGS_DUP), NULL)
