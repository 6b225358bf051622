/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a call that returned adds to the figures of its thread: phases, scans, bytes, copies,
 * results, histograms. Much of it in global functions, at which the verifier looks once.
 */
#ifndef IOPHASE_COUNT_BPF_H
#define IOPHASE_COUNT_BPF_H

#include "phase.bpf.h"
#include "totals.bpf.h"

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
	bool truncated;
};

/* struct mmsghdr: a struct msghdr of 56 bytes, the message's length, and padding. */
#define MMSG_SIZE	64
#define MMSG_LEN	56

static long mmsg_step(u32 index, struct mmsg_walk *walk)
{
	u64 msg = walk->vec + index * MMSG_SIZE;
	u64 room = walk->truncated ? msg_room(msg) : -1ull;
	u32 len = 0;

	bpf_probe_read_user(&len, sizeof(len), (void *)(msg + MMSG_LEN));
	walk->sum += len < room ? len : room;
	return 0;
}

/* Bytes of the first @messages of @vec; @truncated: their lengths can exceed their room. */
__noinline u64 mmsg_bytes(u64 vec, u32 messages, bool truncated)
{
	struct mmsg_walk walk = { .vec = vec, .truncated = truncated };

	bpf_loop(messages < UIO_MAXIOV ? messages : UIO_MAXIOV, mmsg_step, &walk, 0);
	return walk.sum;
}

static __always_inline struct call_kind kind_of(u64 call)
{
	/* The mask is for the verifier, which the compiler knows to be needless. */
	asm volatile("" : "+r"(call));
	call &= NR_CALL_KINDS - 1;
	return (struct call_kind){
		.class = call_kinds[call].class,
		.ret = call_kinds[call].ret,
		.args = call_kinds[call].args,
	};
}

/* It is asked for; others are looked at for what they mean to descriptors. */
static __always_inline bool call_selected(u32 call)
{
	return call_kinds[call & (NR_CALL_KINDS - 1)].selected;
}

static __always_inline bool result_restarts(s64 ret)
{
	return ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	       ret == -ERESTART_RESTARTBLOCK;
}

/* Reading 0 bytes because 0 were asked for is no end of file. */
static __always_inline bool asked_nothing(struct thread *th, struct call_kind kind)
{
	return (kind.args == ARGS_BUF || kind.args == ARGS_BUFF) && !th->args[2];
}

static __always_inline void count_result(struct thread *th, struct totals *sum, u32 call,
					 struct call_kind kind, s64 ret)
{
	if (ret > 0)
		return;
	if (!ret) {
		if (kind.ret == RET_READY || kind.ret == RET_MSGS ||
		    (kind.ret == RET_BYTES && !asked_nothing(th, kind)))
			sum->zero++;
	} else if (ret == -EAGAIN) {
		sum->eagain++;
	} else if (ret == -EINTR) {
		sum->eintr++;
	} else if (result_restarts(ret)) {
		sum->restarted++;
	} else {
		sum->errors++;
		errno_add(th->proc, call, -ret);
	}
}

static __always_inline bool user_readable(u64 addr)
{
	u64 word;

	return !addr || !bpf_probe_read_user(&word, sizeof(word), (void *)addr);
}

/* The kernel looked at descriptors, and did not refuse the call before. */
static __always_inline bool call_looked(struct thread *th, u32 call, u32 args, s64 ret)
{
	if (ret >= 0 || th->sleeps || ret == -EINTR || result_restarts(ret))
		return true;
	/* EFAULT: could its arguments be read, then it was the result that could not be written. */
	if (ret != -EFAULT)
		return false;
	if (args == ARGS_EPOLL)
		return th->passes && th->args[1] < USER_END;
	return !th->asked_unknown &&
	       (call == CALL_poll || user_readable(th->args[args == ARGS_SELECT ? 4 : 2]));
}

/* What a wait on a ready list of which no scan was seen must have scanned, from what it was. */
static __always_inline u64 ready_scanned(struct thread *th, s64 ret)
{
	if (ret == -EFAULT)
		return 1;		/* that which could not be reported, at least */
	if (ret > 0 && th->walk_cut)
		return th->scanned + ret;	/* and those that were not ready between them */
	if (ret > 0 && (u32)ret >= (u32)th->args[2])
		return th->scanned - ready_unvisited(th);
	return th->scanned;
}

static __always_inline void count_epoll(struct thread *th, struct totals *sum, s64 ret)
{
	u64 scanned = th->polled;

	/* Others may have taken what was on the list: only what was reported is sure. */
	if (LACKS(files) || (!knobs.scan_hooked && (LACKS(ready) || epoll_shared(th)))) {
		scanned = 0;
		th->passes = 0;
	} else if (!knobs.scan_hooked) {
		scanned = ready_scanned(th, ret);
	}
	if (ret > 0 && scanned < (u64)ret) {
		if (knobs.scan_hooked)
			loss(LOSS_polls_missed);
		scanned = ret;
	}
	sum->scanned += scanned;
	sum->passes += th->passes ? : ret > 0;
	sum->set_copy_bytes += ret > 0 ? ret * 12 : 0;
}

/*
 * Select or poll is over, or will be entered again, having walked over @valid descriptors once
 * or more. Files that were seen asked tell how often: those of the first pass were all asked
 * in each. The others have no poll function, or one that is not hooked, and count as often.
 */
static __always_inline void sets_entry_ends(struct thread *th, u64 valid)
{
	u64 passes = 1 + th->sleeps - th->sleeps_before, first = th->polled_first;

	/* What is found in the first pass ends it as the first, and the call with it. */
	if (passes == 1 && th->polled <= valid)
		first = th->polled;
	else if (first)
		passes = th->polled / first;
	th->scanned += th->polled + (valid > first ? valid - first : 0) * passes;
	th->passes += passes;
	th->sleeps_before = th->sleeps;
	th->polled = 0;
	th->polled_first = 0;
	th->table = 0;
}

static __always_inline void count_sets(struct thread *th, struct totals *sum, u32 args, s64 ret)
{
	u64 valid = th->asked, bytes;

	if (args == ARGS_POLL) {
		valid -= th->invalid;
		sum->set_copy_bytes += (8 + 2) * (u64)(u32)th->args[1] * th->entries;
	} else {
		bytes = (!!th->args[1] + !!th->args[2] + !!th->args[3]) * select_bytes(th->args[0]);
		sum->set_copy_bytes += bytes * th->entries + (ret >= 0 ? bytes : 0);
	}
	sets_entry_ends(th, valid);
	sum->scanned += th->scanned;
	sum->passes += th->passes;
	if (th->asked_unknown)
		loss(LOSS_sets_unread);
}

/* How late the thread is told: since the first event of those that it is told of. */
static __always_inline void count_lag(struct thread *th, struct totals *sum, u64 now)
{
	u64 since = th->ready_ns;

	if (th->ep && knobs.ready_hooked)
		since = epoll_ready_take(th->ep);
	if (!since || since > now)
		return;
	sum->lag_ns += now - since;
	sum->lag_calls++;
}

/* By which model the wait was served: in served.bpf.h, which needs all of this. */
__noinline int model_waited(struct thread *th, u32 args, s64 ret, u64 now, u64 scanned);

/* The figures of a wait: a global function, which the verifier looks at once. */
__noinline int count_wait(struct thread *th, struct totals *sum, u32 call, s64 ret, u64 now)
{
	u64 before;
	u32 args;

	if (!th || !sum || call >= NR_CALLS)
		return 0;
	before = sum->scanned;
	args = call_kinds[call].args;
	if (!call_looked(th, call, args, ret))
		return 0;
	if (args != ARGS_EPOLL)
		count_sets(th, sum, args, ret);
	else if (th->ep || LACKS(files))
		count_epoll(th, sum, ret);
	sum->asked += th->asked;
	sum->asked_unknown += th->asked_unknown;
	if (ret > 0) {
		sum->ready += ret;
		count_lag(th, sum, now);
	}
	if (knobs.models)
		model_waited(th, args, ret, now, sum->scanned - before);
	return 0;
}

/* The flags of an input call, if it has any. */
static __always_inline u64 input_flags(struct thread *th, struct call_kind kind)
{
	if (kind.class != CLASS_INPUT)
		return 0;
	if (kind.args == ARGS_MSG)
		return th->args[2];
	return kind.args == ARGS_BUFF || kind.args == ARGS_MMSG ? th->args[3] : 0;
}

/* It only looked at what is there. */
static __always_inline bool call_peeks(struct thread *th, struct call_kind kind)
{
	return input_flags(th, kind) & MSG_PEEK;
}

/* The bytes of messages; with MSG_TRUNC the result can be more than there was room for. */
__noinline u64 message_bytes(struct thread *th, u32 call, u64 ret)
{
	struct call_kind kind;
	u64 room;

	if (!th || call >= NR_CALLS)
		return 0;
	kind = kind_of(call);
	if (kind.ret == RET_MSGS)
		return mmsg_bytes(th->args[1], ret, input_flags(th, kind) & MSG_TRUNC);
	room = kind.args == ARGS_BUFF ? th->args[2] : msg_room(th->args[1]);
	return ret < room ? ret : room;
}

/* The bytes that a call moved which returned @ret. */
static __always_inline u64 call_bytes(struct thread *th, u32 call, struct call_kind kind, s64 ret)
{
	if (ret <= 0 || kind.ret == RET_OK || kind.ret == RET_READY)
		return 0;
	if (kind.ret == RET_MSGS || input_flags(th, kind) & MSG_TRUNC)
		return message_bytes(th, call, ret);
	return ret;
}

static __always_inline void count_bytes(struct thread *th, struct totals *sum,
					struct call_kind kind, s64 ret)
{
	if (kind.ret == RET_MSGS)
		sum->messages += ret;
	if (call_peeks(th, kind))
		sum->peek_bytes += th->moved;
	else
		sum->bytes += th->moved;
}

/*
 * Time spent moving bytes to user space, and the part of it that is an upper bound. Where the copy
 * was seen, it is known; otherwise it is at most all that the call did on the CPU since it last
 * waited for data.
 */
static __always_inline void copy_times(struct thread *th, u64 now, u64 *copy_ns, u64 *bound_ns)
{
	u64 exact = th->copy_loose ? 0 : th->copy_ns, copy = th->copy_ns + th->copy_open_ns;

	if (th->copy_from_ns) {
		copy += now - th->copy_from_ns;
	} else if (!copy || th->copy_missed) {
		copy = now - th->in_ns - th->off_ns;
		exact = 0;
	}
	*copy_ns = copy;
	*bound_ns = copy - exact;
}

static __always_inline void count_copy(struct thread *th, struct totals *sum, u64 now)
{
	u64 copy, bound;

	copy_times(th, now, &copy, &bound);
	sum->copy_ns += copy;
	sum->copy_bound_ns += bound;
}

__noinline int count_hist(struct thread *th, u32 row, u64 wall)
{
	struct hist *hist = bpf_map_lookup_elem(&hists, &row);
	u64 off;

	if (!th)
		return 0;
	if (!hist) {
		loss(LOSS_hist_full);
		return 0;
	}
	off = th->blocked_ns + th->runnable_ns;
	if (!off) {
		hist_add(hist->direct, wall);
		return 0;
	}
	hist_add(hist->wall, wall);
	hist_add(hist->blocked, th->blocked_ns);
	hist_add(hist->runnable, th->runnable_ns);
	hist_add(hist->on_cpu, wall - off);
	return 0;
}

#endif
