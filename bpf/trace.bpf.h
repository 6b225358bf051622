/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iophase trace: each call that passes the filters as a record of its own, in one ring, so that
 * they come in the order in which they ended. Nobody is woken for them: the reader comes by itself.
 * Only where they are asked for (knobs.trace).
 */
#ifndef IOPHASE_TRACE_BPF_H
#define IOPHASE_TRACE_BPF_H

#include "descriptors.bpf.h"

/* Its size is set by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} traced SEC(".maps");

/* Descriptors that are asked for: a call on, or a report of, one of these numbers passes. */
struct ids_map filter_fds SEC(".maps");

/* Calls that passed, and for which there was no room in the ring. */
u64 trace_lost = 0;

/*
 * The record that is being filled on this CPU. What is found out before the call is counted is
 * noted with the time that the call began, and is of no other.
 */
struct trace_page {
	u64 events_of;		/* the call whose events these are, by enter_ns */
	u64 object_of;
	u64 object;		/* born_ns of the descriptor that it was on */
	u32 reported;		/* events, of which the first TRACE_EVENTS are kept */
	u32 asked_for;		/* one of them is of a descriptor that is asked for */
	struct trace_call call;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct trace_page);
} trace_pages SEC(".maps");

static __always_inline struct trace_page *trace_page(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&trace_pages, &zero);
}

/*
 * What @d, the file at @file, is called goes ahead of the first record that speaks of it.
 * Inlined: the verifier lets functions call each other to a depth of eight, which what a wait
 * reports needs.
 */
static __always_inline int trace_describe(struct descriptor *d, u64 file)
{
	struct trace_name *name;

	if (!d || d->flags & FD_DESCRIBED)
		return 0;
	name = bpf_ringbuf_reserve(&traced, sizeof(*name), 0);
	if (!name)
		return 0;	/* a later one will */
	__builtin_memset(name, 0, sizeof(*name));
	name->kind = TRACE_NAME;
	name->object = d->born_ns;
	name->tgid = proc_tgid(d->proc);
	name->fd = d->fd;
	name->ino = d->ino;
	name->file_kind = file_kind(file);
	file_describe(file, name->file_kind, &name->name);
	bpf_ringbuf_submit(name, BPF_RB_NO_WAKEUP);
	d->flags |= FD_DESCRIBED;
	return 0;
}

/* The call that began at @enter_ns is on @d. */
__noinline int trace_object(struct descriptor *d, u64 file, u64 enter_ns, u32 call)
{
	struct trace_page *page = trace_page();

	ONLY_WITH(trace);
	if (!d || !page)
		return 0;
	/* It has got a peer. */
	if (call == CALL_connect)
		d->flags &= ~FD_DESCRIBED;
	page->object_of = enter_ns;
	page->object = d->born_ns;
	return trace_describe(d, file);
}

/* A wait that began at @enter_ns is about to report. */
__noinline int trace_reports_begin(u64 enter_ns)
{
	struct trace_page *page = trace_page();

	ONLY_WITH(trace);
	if (!page)
		return 0;
	page->events_of = enter_ns;
	page->reported = 0;
	page->asked_for = 0;
	return 0;
}

/* It reports @events of number @fd: of the file at @file, 0 if that is not known. */
__noinline int trace_report(u64 file, u32 fd, u32 events)
{
	struct descriptor *d = file ? bpf_map_lookup_elem(&descriptors, &file) : NULL;
	struct trace_page *page = trace_page();
	struct trace_event *event;
	u64 at;

	ONLY_WITH(trace);
	if (!page)
		return 0;
	if (filter.by_fd && bpf_map_lookup_elem(&filter_fds, &fd))
		page->asked_for = 1;
	at = page->reported++;
	if (at >= TRACE_EVENTS)
		return 0;
	event = &page->call.events[at & (TRACE_EVENTS - 1)];
	event->fd = fd;
	event->events = events;
	event->object = d ? d->born_ns : 0;
	event->ready_ns = d ? d->ready_ns : 0;
	return d ? trace_describe(d, file) : 0;
}

/* accept(2) returned number @fd, which is known from now on. */
static __always_inline u64 trace_accepted(struct thread *th, u32 fd)
{
	u64 file = (u64)file_of(bpf_get_current_task_btf(), fd);
	struct descriptor *d = descriptor_of(file, th->proc, fd);

	if (!d)
		return 0;
	trace_describe(d, file);
	return d->born_ns;
}

static __always_inline bool fd_asked_for(u32 fd)
{
	return bpf_map_lookup_elem(&filter_fds, &fd);
}

/* One of the descriptors that the call is on is asked for. */
static __always_inline bool trace_passes(struct thread *th, struct trace_page *page,
					 struct trace_call *call, u32 args)
{
	if (!filter.by_fd)
		return true;
	if (args == ARGS_SELECT || args == ARGS_POLL || args == ARGS_EPOLL) {
		if (call->events_ready && page->asked_for)
			return true;
		return args == ARGS_EPOLL && fd_asked_for(th->args[0]);
	}
	if (args == ARGS_SIGWAIT || args == ARGS_GETEVENTS || args == ARGS_SUBMIT)
		return false;		/* on no descriptor */
	if (fd_asked_for(th->args[0]))
		return true;
	if (args == ARGS_CTL || args == ARGS_SPLICE)
		return fd_asked_for(th->args[2]);
	if (args == ARGS_SENDFILE)
		return fd_asked_for(th->args[1]);
	return call->accepted && fd_asked_for(call->ret);
}

/* What the call took. Its slot holds the figures of this call alone (call_count()). */
static __always_inline void trace_figures(struct thread *th, struct trace_call *call)
{
	u64 i = th->slot_of[call->call & (NR_CALL_KINDS - 1)];
	struct totals *sum;

	call->asked = 0;
	call->scanned = 0;
	call->copy_ns = 0;
	call->copy_bound_ns = 0;
	call->passes = 0;
	i--;
	asm volatile("" : "+r"(i));
	if (i >= NR_SLOTS || call->flags & (TRACE_BEFORE | TRACE_UNFINISHED))
		return;
	asm volatile("" : "+r"(i));
	sum = &th->slots[i].sum;
	call->asked = sum->asked;
	call->scanned = sum->scanned;
	call->passes = sum->passes;
	call->copy_ns = sum->copy_ns;
	call->copy_bound_ns = sum->copy_bound_ns;
	if (sum->asked_unknown)
		call->flags |= TRACE_ASKED_UNKNOWN;
}

static __always_inline void trace_times(struct thread *th, struct trace_call *call, u64 now)
{
	call->enter_ns = th->enter_ns;
	call->end_ns = now;
	call->blocked_ns = th->blocked_ns;
	call->runnable_ns = th->runnable_ns;
	call->blocked_d_ns = th->blocked_d_ns;
	call->out_ns = th->out_ns;
	call->wake_ns = th->wake_ns;
	call->sleeps = th->sleeps;
	call->entries = th->entries;
	call->waker.kind = WAKER_NONE;
	if (th->waker_call_run) {
		call->waker = th->waker;
		call->waker_tid = th->waker_tid;
	}
}

/* @call is over for @th, at @now, with @ret; @flags: TRACE_*. */
__noinline int trace_emit(struct thread *th, u32 nr, s64 ret, u64 now, u32 flags)
{
	struct trace_page *page = trace_page();
	struct trace_call *call;
	u64 id, events;
	u32 args;

	ONLY_WITH(trace);
	if (!th || !page || nr >= NR_CALLS)
		return 0;
	call = &page->call;
	args = call_kinds[nr & (NR_CALL_KINDS - 1)].args;
	call->kind = TRACE_CALL;
	call->flags = flags;
	call->call = nr;
	call->ret = ret;
	call->moved = th->moved;
	call->object = page->object_of == th->enter_ns ? page->object : 0;
	events = page->events_of == th->enter_ns ? page->reported : 0;
	call->events_ready = events;
	call->accepted = 0;
	if ((nr == CALL_accept || nr == CALL_accept4) && ret >= 0 && knobs.descriptors)
		call->accepted = trace_accepted(th, ret);
	if (!trace_passes(th, page, call, args))
		return 0;
	trace_times(th, call, now);
	trace_figures(th, call);
	for (u32 i = 0; i < TRACE_ARGS; i++)
		call->args[i] = th->args[i];
	id = bpf_get_current_pid_tgid();
	call->tgid = id >> 32;
	call->tid = id;
	bpf_get_current_comm(call->comm, sizeof(call->comm));
	call->lost = trace_lost;
	if (events > TRACE_EVENTS)
		events = TRACE_EVENTS;
	if (bpf_ringbuf_output(&traced, call, offsetof(struct trace_call, events) +
			       events * sizeof(struct trace_event), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&trace_lost, 1);
	return 0;
}

#endif
