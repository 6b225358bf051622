// SPDX-License-Identifier: GPL-2.0-only
/*
 * Begin and end of the watched calls. The sections at the end are adapters: which of them is
 * attached is decided in user space (docs/overhead.md says by which figures).
 */
#include "sets.bpf.h"
#include "totals.bpf.h"


static __always_inline void clear_call(struct thread *th)
{
	th->blocked_ns = 0;
	th->runnable_ns = 0;
	th->blocked_d_ns = 0;
	th->copy_ns = 0;
	th->copy_from_ns = 0;
	th->asked = 0;
	th->scanned = 0;
	th->ep = 0;
	th->ep_last = 0;
	th->walks = 0;
	th->sleeps = 0;
	th->began_before = false;
	th->asked_unknown = false;
	th->phase = PHASE_ON_CPU;
}

/* The set of a wait call is looked at before the kernel does: it may change it. */
static __always_inline void set_asked(struct thread *th, u64 asked)
{
	if (asked == SETS_UNREAD) {
		th->asked_unknown = true;
		loss(LOSS_sets_unread);
	} else {
		th->asked = asked;
	}
}

static __always_inline void enter_select(struct task_struct *task, struct thread *th)
{
	s32 n = th->args[0];

	if (n < 0)
		return;		/* refused with EINVAL */
	n = select_clip(task, n);
	th->args[0] = n;
	set_asked(th, select_asked(th->args[1], th->args[2], th->args[3], n));
}

static __always_inline void enter_epoll(struct task_struct *task, struct thread *th)
{
	struct epoll_size *size;
	u64 ep = epoll_of(task, th->args[0]);

	if (!ep)
		return;
	th->ep = ep;
	size = bpf_map_lookup_elem(&epolls, &ep);
	if (size && size->base >= 0)
		th->asked = size->base + size->delta;
	else
		th->asked_unknown = true;
	ready_scan(th, READY_MAX);
}

/* What is to be remembered of the sum of an iovec array, for MSG_TRUNC. */
struct user_msghdr {
	u64 name;
	u32 namelen, pad;
	u64 iov;
	u64 iovlen;
};

struct iov_walk {
	u64 iov;
	u64 sum;
};

static long iov_step(u32 index, struct iov_walk *walk)
{
	u64 iov[2] = {};

	bpf_probe_read_user(iov, sizeof(iov), (void *)(walk->iov + index * sizeof(iov)));
	walk->sum += iov[1];
	return 0;
}

#define UIO_MAXIOV 1024

/* Bytes a message header has room for. */
__noinline u64 msg_room(u64 addr)
{
	struct user_msghdr msg = {};
	struct iov_walk walk = {};

	if (bpf_probe_read_user(&msg, sizeof(msg), (void *)addr))
		return -1;
	walk.iov = msg.iov;
	bpf_loop(msg.iovlen < UIO_MAXIOV ? msg.iovlen : UIO_MAXIOV, iov_step, &walk, 0);
	return walk.sum;
}

struct mmsg_walk {
	u64 vec;
	u64 sum;
};

/* struct mmsghdr: a struct msghdr of 56 bytes, the message's length, and padding. */
static long mmsg_step(u32 index, struct mmsg_walk *walk)
{
	u32 len = 0;

	bpf_probe_read_user(&len, sizeof(len), (void *)(walk->vec + index * 64 + 56));
	walk->sum += len;
	return 0;
}

__noinline u64 mmsg_bytes(u64 vec, u32 messages)
{
	struct mmsg_walk walk = { .vec = vec };

	bpf_loop(messages < UIO_MAXIOV ? messages : UIO_MAXIOV, mmsg_step, &walk, 0);
	return walk.sum;
}

static __always_inline bool result_restarts(s64 ret)
{
	return ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	       ret == -ERESTART_RESTARTBLOCK;
}

static __always_inline void count_result(struct thread *th, struct totals *sum, u32 call,
					 struct call_kind kind, s64 ret)
{
	if (ret > 0)
		return;
	if (!ret) {
		/* Reading 0 bytes because 0 were asked for is no end of file. */
		if (kind.ret == RET_READY || kind.ret == RET_MSGS ||
		    (kind.ret == RET_BYTES &&
		     !((kind.args == ARGS_BUF || kind.args == ARGS_BUFF) && !th->args[2])))
			sum->zero++;
	} else if (ret == -EAGAIN) {
		sum->eagain++;
	} else if (ret == -EINTR) {
		sum->eintr++;
	} else if (result_restarts(ret)) {
		sum->restarted++;
	} else {
		sum->errors++;
		errno_add(th, call, -ret);
	}
}

static __always_inline void count_wait(struct thread *th, struct totals *sum, u32 args, s64 ret)
{
	u64 asked = th->asked, passes = 1 + th->sleeps, scanned = asked;
	bool seen = ret >= 0 || th->sleeps || ret == -EINTR || result_restarts(ret);

	if (args == ARGS_EPOLL) {
		if (!th->ep || !seen)
			return;
		scanned = th->scanned;
		if (ret > 0 && (u32)ret >= (u32)th->args[2])
			scanned -= ready_unvisited(th);
		if (ret > 0 && scanned < (u64)ret)
			scanned = ret;
		passes = th->walks ? : ret > 0;
		sum->set_copy_bytes += ret > 0 ? ret * 12 : 0;
	} else if (!seen) {
		return;		/* refused before looking */
	} else if (args == ARGS_POLL) {
		if (ret > 0 && !th->sleeps)
			scanned -= poll_invalid(th->args[0], th->args[1], ret);
		scanned *= passes;
		sum->set_copy_bytes += (8 + 2) * (u64)(u32)th->args[1];
	} else {
		u32 sets = !!th->args[1] + !!th->args[2] + !!th->args[3];
		u64 bytes = sets * select_bytes(th->args[0]);

		scanned *= passes;
		sum->set_copy_bytes += ret >= 0 ? 2 * bytes : bytes;
	}
	sum->asked += asked;
	sum->asked_unknown += th->asked_unknown;
	sum->scanned += scanned;
	sum->passes += passes;
	if (ret > 0)
		sum->ready += ret;
}

static __always_inline void count_bytes(struct thread *th, struct totals *sum,
					struct call_kind kind, u64 ret)
{
	u64 bytes = ret, flags = 0;

	if (kind.ret == RET_MSGS) {
		sum->messages += ret;
		bytes = mmsg_bytes(th->args[1], ret);
		flags = th->args[3];
		if (kind.class == CLASS_INPUT && flags & MSG_TRUNC)
			sum->bytes_bound++;
	} else if (kind.args == ARGS_BUFF) {
		flags = th->args[3];
		if (bytes > th->args[2])
			bytes = th->args[2];
	} else if (kind.args == ARGS_MSG) {
		flags = th->args[2];
		if (flags & MSG_TRUNC) {
			u64 room = msg_room(th->args[1]);

			if (bytes > room)
				bytes = room;
		}
	}
	if (kind.class == CLASS_INPUT && flags & MSG_PEEK)
		sum->peek_bytes += bytes;
	else
		sum->bytes += bytes;
}

/*
 * Time spent moving bytes to user space. Where the copy was seen, it is known; otherwise it
 * is at most all that the call did on the CPU since it last came back from a sleep.
 */
static __always_inline void count_copy(struct thread *th, struct totals *sum, u64 now)
{
	u64 bound = 0;

	if (th->copy_from_ns)
		bound = now - th->copy_from_ns;
	else if (!th->copy_ns)
		bound = now - th->in_ns;
	sum->copy_ns += th->copy_ns + bound;
	sum->copy_bound_ns += bound;
}

static __always_inline void count_hist(struct thread *th, struct slot *slot, u64 wall)
{
	u32 row = slot->hist - 1;
	struct hist *hist = bpf_map_lookup_elem(&hists, &row);
	u64 off = th->blocked_ns + th->runnable_ns;

	if (!hist) {
		loss(LOSS_hist_full);
		return;
	}
	if (!off) {
		hist_add(hist->direct, wall);
		return;
	}
	hist_add(hist->wall, wall);
	hist_add(hist->blocked, th->blocked_ns);
	hist_add(hist->runnable, th->runnable_ns);
	hist_add(hist->on_cpu, wall - off);
}

/* The call @th is inside returned @ret at @now. */
static __always_inline void call_finish(struct thread *th, s64 ret, u64 now)
{
	u32 call = th->call;
	struct call_kind kind;
	u64 wall = now - th->enter_ns;
	struct slot *slot;

	th->call = CALL_NONE;
	if (th->began_before || stopped || call >= NR_CALLS)
		return;
	if ((knobs.min_ns && wall < knobs.min_ns) || (knobs.failed_only && ret >= 0))
		return;
	slot = slot_of(th, call);
	if (!slot)
		return;
	kind.class = call_kinds[call].class;
	kind.ret = call_kinds[call].ret;
	kind.args = call_kinds[call].args;

	th->seq++;
	barrier();
	slot->sum.calls++;
	slot->sum.wall_ns += wall;
	slot->sum.blocked_ns += th->blocked_ns;
	slot->sum.runnable_ns += th->runnable_ns;
	slot->sum.blocked_d_ns += th->blocked_d_ns;
	if (kind.class == CLASS_WAIT) {
		count_wait(th, &slot->sum, kind.args, ret);
	} else if (ret > 0 && kind.ret != RET_OK) {
		count_bytes(th, &slot->sum, kind, ret);
		if (kind.class == CLASS_INPUT)
			count_copy(th, &slot->sum, now);
	}
	count_result(th, &slot->sum, call, kind, ret);
	barrier();
	th->seq++;
	count_hist(th, slot, wall);
}

/*
 * poll(2) returned to be gone on with by restart_syscall(2), which happens when no handler
 * runs, as after SIGSTOP and SIGCONT. Until the thread's next entry tells, the call is held.
 */
static __always_inline void call_hold(struct thread *th, u64 now)
{
	th->held = true;
	th->held_ns = now;
	th->held_blocked_ns = th->blocked_ns;
	th->held_runnable_ns = th->runnable_ns;
	th->held_blocked_d_ns = th->blocked_d_ns;
}

static __noinline void call_held_ends(struct thread *th)
{
	th->held = false;
	th->blocked_ns = th->held_blocked_ns;
	th->runnable_ns = th->held_runnable_ns;
	th->blocked_d_ns = th->held_blocked_d_ns;
	call_finish(th, -EINTR, th->held_ns);
}

static __always_inline void call_begin(struct task_struct *task, struct thread *th, u32 call,
				       u32 args)
{
	if (th->call && !th->began_before)
		loss(LOSS_exit_missed);
	th->call = CALL_NONE;
	clear_call(th);
	if (args == ARGS_POLL)
		set_asked(th, poll_asked(th->args[0], th->args[1]));
	else if (args == ARGS_SELECT)
		enter_select(task, th);
	else if (args == ARGS_EPOLL)
		enter_epoll(task, th);
	th->synced = true;
	/* The clock is read last: what was done here is no time of the call. */
	th->enter_ns = bpf_ktime_get_ns();
	th->in_ns = th->enter_ns;
	th->call = call;
}

static __always_inline void call_enter(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct task_struct *task;
	struct thread *th;
	u32 route, args;

	if (nr >= NR_SYSCALLS)
		return;
	route = routes[nr];
	if (!route)
		return;
	task = bpf_get_current_task_btf();
	th = thread_of(task);
	if (!th)
		return;
	args = ROUTE_ARGS(route);
	if (task->thread_info.status & TS_COMPAT) {
		if (route & ROUTE_COMPAT)
			loss(LOSS_compat_calls);
		return;
	}
	if (th->held) {
		if (args == ARGS_RESTART) {
			th->held = false;
			return;
		}
		call_held_ends(th);
	}
	if (!ROUTE_CALL(route) || args == ARGS_RESTART || args == ARGS_CREATE)
		return;
	if (args == ARGS_CLOSE) {
		epoll_closed(task, a0);
		return;
	}
	th->args[0] = a0;
	th->args[1] = a1;
	th->args[2] = a2;
	th->args[3] = a3;
	call_begin(task, th, ROUTE_CALL(route), args);
}

/* epoll_create(2) returned: an instance seen from its birth. */
static __always_inline void exit_create(struct task_struct *task, s64 ret)
{
	if (ret >= 0)
		epoll_follow(epoll_of(task, ret), 0);
}

static __always_inline void exit_ctl(struct task_struct *task, struct thread *th)
{
	u32 op = th->args[1];

	if (op == EPOLL_CTL_ADD || op == EPOLL_CTL_DEL)
		epoll_resized(epoll_of(task, th->args[0]), op == EPOLL_CTL_ADD ? 1 : -1);
}

static __always_inline void call_exit(u64 nr, s64 ret)
{
	struct task_struct *task;
	struct thread *th;
	u32 route;
	u64 now;

	if (nr >= NR_SYSCALLS)
		return;
	route = routes[nr];
	if (!ROUTE_CALL(route))
		return;
	task = bpf_get_current_task_btf();
	th = thread_of(task);
	if (!th || task->thread_info.status & TS_COMPAT)
		return;
	if (ROUTE_CALL(route) >= NR_CALLS) {
		if (ROUTE_ARGS(route) == ARGS_CREATE)
			exit_create(task, ret);
		if (ROUTE_ARGS(route) != ARGS_RESTART || !th->call)
			return;
	} else if (ROUTE_CALL(route) != th->call) {
		if (th->synced)
			loss(LOSS_enter_missed);
		th->call = CALL_NONE;
		return;
	}
	now = bpf_ktime_get_ns();
	if (ret == -ERESTART_RESTARTBLOCK) {
		call_hold(th, now);
		return;
	}
	if (ROUTE_ARGS(route) == ARGS_CTL && !ret)
		exit_ctl(task, th);
	call_finish(th, ret, now);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(iop_enter, struct pt_regs *regs, long id)
{
	call_enter(id, regs->di, regs->si, regs->dx, regs->r10);
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
	call_enter(ctx->id, ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[3]);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int iop_exit_tp(struct trace_event_raw_sys_exit *ctx)
{
	call_exit(ctx->id, ctx->ret);
	return 0;
}
