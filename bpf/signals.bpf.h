/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signals that tell of descriptors (O_ASYNC, F_SETSIG): from where they are generated, by way of how
 * the program is told, to the first call on the descriptor.
 */
#ifndef IOPHASE_SIGNALS_BPF_H
#define IOPHASE_SIGNALS_BPF_H

#include "models.bpf.h"

/* By file, or, with file 0, by process: a plain SIGIO does not say which descriptor it is about. */
struct signaled_key {
	u64 proc;
	u64 file;
};

struct signaled {
	u64 last_ns;		/* when the last of them was made, or the program was told of it */
	u64 waiting_ns;		/* the first that was not delivered yet; 0: none is */
	u64 told_ns;		/* the first that was delivered since the last call; 0: none was */
	u64 empty_ns;		/* of a file: a call found that there is nothing more in it */
	u64 born_ns;		/* of a process: the only descriptor of its kind; 0: none yet */
	u64 signals;		/* of a process: signals that told of descriptors: 1 << number */
};

#define SEVERAL		(-1ull)		/* signaled.born_ns: there are more */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SIGNALED_MAX);
	__type(key, struct signaled_key);
	__type(value, struct signaled);
} signaled SEC(".maps");

static const struct signaled signaled_zero;

/* include/trace/events/signal.h: what became of a signal that was generated. */
enum { SIGNAL_QUEUED, SIGNAL_IGNORED, SIGNAL_PENDING, SIGNAL_OVERFLOWN, SIGNAL_LOST_INFO };

#define SIGIO		29
#define SIGCHLD		17
#define SIGSYS		31
#define POLL_IN		1	/* si_code of what tells of a descriptor: up to POLL_HUP */
#define POLL_HUP	6
#define FD_NONE		(-1)	/* the signal does not say which */
#define FD_NO_SIGNAL	(-2)	/* it is about something else */

static __always_inline struct signaled *signaled_find(u64 proc, u64 file)
{
	struct signaled_key key = { .proc = proc, .file = file };

	return bpf_map_lookup_elem(&signaled, &key);
}

__noinline int signaled_new(u64 proc, u64 file)
{
	struct signaled_key key = { .proc = proc, .file = file };

	ONLY_WITH(models);
	bpf_map_update_elem(&signaled, &key, &signaled_zero, BPF_NOEXIST);
	return 0;
}

static __always_inline struct signaled *signaled_of(u64 proc, u64 file)
{
	struct signaled *s = signaled_find(proc, file);

	if (s)
		return s;
	signaled_new(proc, file);
	return signaled_find(proc, file);
}

/*
 * The signals that a fault, a child or seccomp causes have codes of the same numbers, and never tell
 * of descriptors.
 */
static __always_inline bool signal_is_other(u32 sig)
{
	return sig == 4 || sig == 5 || sig == 7 || sig == 8 || sig == 11 || sig == SIGCHLD ||
	       sig == SIGSYS;
}

/* The sums of the signals about @born_ns, 0: not known which, of @proc, thread @tid. */
static __always_inline struct model_sum *signal_sum(u64 proc, u32 tid, u64 born_ns)
{
	return model_of(MODEL_SIGNAL, proc, tid, born_ns);
}

/* What the only descriptor of its kind is that @proc has; 0: there are several, or none. */
static __always_inline u64 signal_only(struct signaled *process)
{
	return process->born_ns == SEVERAL ? 0 : process->born_ns;
}

/* What a signal that is made is, and what becomes of it. */
#define MADE(sig, result)	((sig) | (result) << 8)
#define MADE_SIGNAL(made)	((made) & 63)
#define MADE_RESULT(made)	((made) >> 8)

/* A signal about @file, which is number @fd, or FD_NONE, was made for thread @tid of @proc. */
__noinline int signal_made(u64 proc, u32 tid, u64 file, s32 fd, u32 made)
{
	u64 now = bpf_ktime_get_ns(), born_ns = 0;
	u32 result = MADE_RESULT(made);
	struct signaled *process, *of_file = NULL;
	struct model_sum *sum;
	struct descriptor *d;

	ONLY_WITH(models);
	process = signaled_of(proc, 0);
	if (!process)
		return 0;
	if (fd != FD_NONE) {
		d = descriptor_of(file, proc, fd);
		born_ns = d ? d->born_ns : 0;
		proc = d && knobs.models_by_fd ? d->proc : proc;
		of_file = d ? signaled_of(proc, file) : NULL;
	} else {
		born_ns = signal_only(process);
		of_file = process;
	}
	__sync_fetch_and_or(&process->signals, 1ull << MADE_SIGNAL(made));
	sum = signal_sum(proc, tid, born_ns);
	if (!sum)
		return 0;
	ADD(sum, signals, 1);
	if (result == SIGNAL_OVERFLOWN || result == SIGNAL_LOST_INFO)
		ADD(sum, overflown, 1);
	else if (result == SIGNAL_IGNORED)
		ADD(sum, ignored, 1);
	else if (result == SIGNAL_PENDING)
		ADD(sum, merged, 1);
	if (!of_file || result == SIGNAL_IGNORED)
		return 0;
	of_file->last_ns = now;
	if (!of_file->waiting_ns && result != SIGNAL_PENDING && result != SIGNAL_OVERFLOWN)
		of_file->waiting_ns = now;
	return 0;
}

enum { TOLD_HANDLER, TOLD_WAIT, TOLD_SIGNALFD };

/* The running thread is told of number @fd, or FD_NONE, at @now. */
__noinline int signal_told(u64 proc, s32 fd, u32 how, u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct signaled *process = signaled_find(proc, 0), *s = process;
	struct model_sum *sum;
	struct descriptor *d;
	u64 file, born_ns;

	ONLY_WITH(models);
	if (!process)
		return 0;
	born_ns = signal_only(process);
	if (fd != FD_NONE) {
		file = (u64)file_of(task, fd);
		d = file ? bpf_map_lookup_elem(&descriptors, &file) : NULL;
		born_ns = d ? d->born_ns : 0;
		proc = d && knobs.models_by_fd ? d->proc : proc;
		s = signaled_find(proc, file);
	}
	sum = signal_sum(proc, task->pid, born_ns);
	if (!sum)
		return 0;
	if (how == TOLD_HANDLER)
		ADD(sum, by_handler, 1);
	else if (how == TOLD_WAIT)
		ADD(sum, by_wait, 1);
	else
		ADD(sum, by_signalfd, 1);
	if (!s)
		return 0;
	if (s->waiting_ns && s->waiting_ns < now) {
		ADD(sum, told_ns, now - s->waiting_ns);
		ADD(sum, timed_told, 1);
	}
	s->waiting_ns = 0;
	s->last_ns = now;
	if (!s->told_ns)
		s->told_ns = now;
	return 0;
}

/* @s was told of at a time that is known: the call of @th is the first on it since. */
static __always_inline void signal_served(struct thread *th, struct model_sum *sum,
					  struct signaled *s)
{
	if (s->told_ns < th->enter_ns) {
		ADD(sum, heard_ns, th->enter_ns - s->told_ns);
		ADD(sum, timed_heard, 1);
	}
	s->told_ns = 0;
}

/* A call on @d, which has signals sent, is over: it may be the first since it was told of. */
__noinline int signal_heard(struct thread *th, struct descriptor *d, u64 file)
{
	struct signaled *process, *s;
	struct model_sum *sum;
	u64 proc;

	ONLY_WITH(models);
	if (!th || !d)
		return 0;
	process = signaled_of(th->proc, 0);
	proc = knobs.models_by_fd ? d->proc : th->proc;
	s = signaled_of(proc, file);
	if (!process || !s)
		return 0;
	if (!process->born_ns)
		process->born_ns = d->born_ns;
	else if (process->born_ns != d->born_ns)
		process->born_ns = SEVERAL;
	if (!s->told_ns && !process->told_ns)
		return 0;
	sum = signal_sum(proc, bpf_get_current_pid_tgid(), d->born_ns);
	if (sum)
		signal_served(th, sum, s->told_ns ? s : process);
	return 0;
}

/*
 * Whether a signal tells the call of @th on @d that it will find something: one that was made, or
 * that the program was told of, since a call took all there is.
 */
__noinline u32 signal_covers(struct thread *th, struct descriptor *d, u64 file, bool can_block,
			     s64 ret)
{
	struct signaled *process, *s;
	u64 last_ns;

	ONLY_WITH(models);
	if (!th || !d)
		return 0;
	process = signaled_find(th->proc, 0);
	s = signaled_find(knobs.models_by_fd ? d->proc : th->proc, file);
	if (!process || !s)
		return 0;
	last_ns = later(s->last_ns, process->last_ns);
	if (!last_ns || last_ns < s->empty_ns)
		return 0;
	/* What is taken now is all of it: whoever calls again has not been told. */
	if (ret == -EAGAIN || (can_block && !file_left(d->kind, d->private_data)))
		s->empty_ns = th->enter_ns;
	return 1;
}

/* The signal of @info, with number @sig, if it tells of a descriptor: its number, or FD_NONE. */
static __always_inline s32 signal_fd(u32 sig, u64 info)
{
	s32 code;

	/* SEND_SIG_NOINFO and SEND_SIG_PRIV (include/linux/sched/signal.h): the kernel itself sends it. */
	if (info == 1)
		return sig == SIGIO ? FD_NONE : FD_NO_SIGNAL;
	if (!info || signal_is_other(sig))
		return FD_NO_SIGNAL;
	code = FIELD32(info, kernel_siginfo, si_code);
	if (code == SI_KERNEL && sig == SIGIO)
		return FD_NONE;
	if (code < POLL_IN || code > POLL_HUP)
		return FD_NO_SIGNAL;
	return FIELD32(info, kernel_siginfo, _sifields._sigpoll._fd);
}

/* The same of what a program is given: a siginfo_t, and a struct signalfd_siginfo. */
struct user_siginfo {
	s32 sig, error, code, pad;
	s64 band;
	s32 fd;
	s32 more;
};

struct user_signalfd {
	s32 sig, error, code, pid, uid, fd;
};

#define SIGNALFD_SIZE	128
#define SIGNALFD_MAX	64	/* looked at, of those that one read gives */

static __always_inline s32 user_signal_fd(s32 sig, s32 code, s32 fd)
{
	if (signal_is_other(sig))
		return FD_NO_SIGNAL;
	if (code == SI_KERNEL && sig == SIGIO)
		return FD_NONE;
	return code >= POLL_IN && code <= POLL_HUP ? fd : FD_NO_SIGNAL;
}

/* rt_sigtimedwait of @th returned @ret; whether it is one of those that wait for descriptors. */
__noinline int signal_waited(struct thread *th, s64 ret, u64 now)
{
	struct user_siginfo info = {};
	struct signaled *process;
	struct model_sum *sum;
	s32 fd = FD_NO_SIGNAL;

	ONLY_WITH(models);
	if (!th)
		return 0;
	process = signaled_find(th->proc, 0);
	if (!process || !process->signals)
		return 0;
	if (ret > 0) {
		/* Without room for it the program does not know either which it is about. */
		if (th->args[1] && !bpf_probe_read_user(&info, sizeof(info), (void *)th->args[1]))
			fd = user_signal_fd(info.sig, info.code, info.fd);
		else if (process->signals >> (ret & 63) & 1)
			fd = FD_NONE;
		if (fd == FD_NO_SIGNAL)
			return 0;
		signal_told(th->proc, fd, TOLD_WAIT, now);
	}
	sum = knobs.models_by_fd ? NULL : model_of_thread(MODEL_SIGNAL, th->proc, 0);
	if (!sum)
		return 0;
	model_wait(sum, th, now);
	ADD(sum, ready, ret > 0);
	ADD(sum, empty, ret == -EAGAIN);
	return 0;
}

struct signalfd_walk {
	u64 at;
	u64 proc;
	u64 now;
};

static long signalfd_step(u32 index, struct signalfd_walk *walk)
{
	struct user_signalfd info;
	s32 fd;

	if (bpf_probe_read_user(&info, sizeof(info), (void *)walk->at))
		return 1;
	walk->at += SIGNALFD_SIZE;
	fd = user_signal_fd(info.sig, info.code, info.fd);
	if (fd != FD_NO_SIGNAL)
		signal_told(walk->proc, fd, TOLD_SIGNALFD, walk->now);
	return 0;
}

/* A read(2) of a signalfd gave @bytes. */
__noinline int signalfd_read(struct thread *th, u64 bytes, u64 now)
{
	struct signalfd_walk walk = { .now = now };
	u64 count = bytes / SIGNALFD_SIZE;

	ONLY_WITH(models);
	if (!th)
		return 0;
	walk.at = th->args[1];
	walk.proc = th->proc;
	if (count > SIGNALFD_MAX)
		__sync_fetch_and_add(&losses[LOSS_models_cut], count - SIGNALFD_MAX);
	bpf_loop(count < SIGNALFD_MAX ? count : SIGNALFD_MAX, signalfd_step, &walk, 0);
	return 0;
}

#endif
