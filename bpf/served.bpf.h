/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * By which model of input each call on a descriptor, and each wait, is served: docs/io-models.md says
 * how it is told.
 */
#ifndef IOPHASE_SERVED_BPF_H
#define IOPHASE_SERVED_BPF_H

#include "count.bpf.h"
#include "requests.bpf.h"
#include "signals.bpf.h"

/* One of the ends of splice(2) is a pipe: what comes from anything else comes in. */
static __always_inline bool call_brings_in(struct call_kind kind, struct descriptor *d)
{
	return kind.class == CLASS_INPUT || (kind.args == ARGS_SPLICE && d->kind != KIND_PIPE);
}

/* A call on @file that finds nothing in it would sleep. */
static __always_inline bool call_can_block(struct thread *th, struct descriptor *d,
					   struct call_kind kind, u32 f_flags)
{
	/* O_NONBLOCK means nothing to what is always ready. */
	if (d->kind == KIND_REGULAR || d->kind == KIND_DIRECTORY)
		return true;
	return !(f_flags & O_NONBLOCK) && !(input_flags(th, kind) & MSG_DONTWAIT);
}

/* It did sleep, and not just for a lock of the kernel's on what does not block. */
static __always_inline bool call_slept(struct thread *th, bool can_block)
{
	return th->sleeps || (can_block && th->blocked_ns);
}

static __always_inline u32 watch_model(struct descriptor *d)
{
	if (d->watch == WATCH_EPOLL)
		return d->mask & EPOLLET ? MODEL_EPOLL_ET : MODEL_EPOLL_LT;
	return d->watch == WATCH_POLL ? MODEL_POLL : MODEL_SELECT;
}

/*
 * The model of the input call on @d that @th is about to leave with @ret; what the call changes in
 * @d is not noted yet. A report covers the calls after it until one of them takes all there is:
 * whoever goes on without another does not know what to find, and, if that is nothing, waits
 * for it or polls.
 */
static __always_inline u32 call_model(struct thread *th, struct descriptor *d, u64 file,
				      struct call_kind kind, s64 ret)
{
	u32 f_flags = FIELD32(file, file, f_flags);
	bool can_block = call_can_block(th, d, kind, f_flags), told;

	/* A regular file has nothing to say so but RWF_NOWAIT, which is no argument that is kept. */
	if (ret == -EAGAIN)
		can_block = false;
	if (f_flags & FASYNC && knobs.signals_hooked)
		signal_heard(th, d, file);
	if (call_slept(th, can_block))
		return MODEL_BLOCKING;
	told = (d->flags & FD_REPORTED) && !(d->flags & FD_DRAINED);
	if (d->watch != WATCH_NONE &&
	    (can_block ? told : !(d->flags & FD_EMPTY)))
		return watch_model(d);
	if (f_flags & FASYNC &&
	    (!knobs.signals_hooked || signal_covers(th, d, file, can_block, ret)))
		return MODEL_SIGNAL;
	return can_block ? MODEL_BLOCKING : MODEL_NONBLOCKING;
}

/* The input call is over, of which descriptor_called() has noted the model: it gets the figures. */
__noinline int model_called(struct thread *th, u32 call, s64 ret, u64 now)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());
	u64 proc, copy = 0, bound = 0;
	struct call_kind kind;
	struct model_sum *sum;

	ONLY_WITH(models);
	if (!th || !act || call >= NR_CALLS || act->model >= NR_MODELS || !act->file)
		return 0;
	kind = kind_of(call);
	proc = knobs.models_by_fd ? act->model_proc : th->proc;
	sum = model_of_thread(act->model, proc, act->model_born);
	act->model = NR_MODELS;
	if (act->of_signalfd && call == CALL_read && ret > 0)
		signalfd_read(th, ret, now);
	if (!sum)
		return 0;
	ADD(sum, calls, 1);
	ADD(sum, wall_ns, now - th->enter_ns);
	if (th->blocked_ns | th->runnable_ns) {
		ADD(sum, blocked_ns, th->blocked_ns);
		ADD(sum, runnable_ns, th->runnable_ns);
	}
	if (ret == -EAGAIN) {
		ADD(sum, eagain, 1);
	} else if (ret < 0) {
		ADD(sum, errors, 1);
	} else if (kind.ret == RET_OK) {
		return 0;
	} else if (!ret) {
		if (!asked_nothing(th, kind))
			ADD(sum, zero, 1);
	} else {
		if (!call_peeks(th, kind))
			ADD(sum, in_bytes, th->moved);
		/* What is spliced is not copied. */
		if (kind.class != CLASS_INPUT)
			return 0;
		copy_times(th, now, &copy, &bound);
		ADD(sum, copy_ns, copy);
		ADD(sum, copy_bound_ns, bound);
	}
	return 0;
}

/* A call that is about requests or signals is over. */
static __always_inline void model_requested(struct thread *th, u32 args, s64 ret, u64 now)
{
	if (args == ARGS_SIGWAIT)
		signal_waited(th, ret, now);
	else if (args == ARGS_SUBMIT)
		aio_submitted(th, ret, now);
	else if (args == ARGS_GETEVENTS)
		aio_collected(th, ret, now);
	else if (args == ARGS_URING)
		uring_entered(th, ret, now);
}

/* The first event that the epoll wait of @th reported is of a descriptor registered with EPOLLET. */
static __always_inline bool first_is_edge(struct thread *th)
{
	struct watched_key key = { .ep = th->ep };
	struct watched *known;
	u32 event[3] = {};	/* struct epoll_event: 12 bytes, not aligned */

	bpf_probe_read_user(event, sizeof(event), (void *)th->args[1]);
	key.data = event[1] | (u64)event[2] << 32;
	known = bpf_map_lookup_elem(&watched, &key);
	return known && known->mask & EPOLLET;
}

/*
 * A wait on a set, which scanned @scanned, returned @ret. One of epoll is of the model of the first
 * descriptor that it reports; one that reports none is of the same as the last of its thread.
 */
__noinline int model_waited(struct thread *th, u32 args, s64 ret, u64 now, u64 scanned)
{
	struct activity *act = activity_of(bpf_get_current_task_btf());
	u32 model = args == ARGS_POLL ? MODEL_POLL : MODEL_SELECT;
	struct model_sum *sum;

	ONLY_WITH(models);
	if (!th || !act)
		return 0;
	if (args == ARGS_EPOLL) {
		if (ret > 0)
			act->edge_told = first_is_edge(th);
		model = act->edge_told ? MODEL_EPOLL_ET : MODEL_EPOLL_LT;
	}
	sum = model_of_thread(model, th->proc, 0);
	if (!sum)
		return 0;
	model_wait(sum, th, now);
	ADD(sum, asked, th->asked);
	ADD(sum, asked_unknown, th->asked_unknown);
	ADD(sum, scanned, scanned);
	ADD(sum, passes, th->passes ? : ret > 0);
	if (ret > 0)
		ADD(sum, ready, ret);
	else
		ADD(sum, empty, !ret);
	return 0;
}

#endif
