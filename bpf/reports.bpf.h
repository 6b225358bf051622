/* SPDX-License-Identifier: GPL-2.0-only */
/* What waits report, and what select and poll ask for, descriptor by descriptor. */
#ifndef IOPHASE_REPORTS_BPF_H
#define IOPHASE_REPORTS_BPF_H

#include "signs.bpf.h"
#include "trace.bpf.h"
#include "watched.bpf.h"

/*
 * A walk over what a wait reports, or, of a select or poll, over what it asks for. Small, for it
 * lies on a stack that is short of its end (512 bytes, over all functions that call each other).
 */
struct report_walk {
	u64 from[3];		/* in user space: the next entries; the three sets of select */
	u64 words[3];		/* of those, what is looked at */
	u64 ep;
	u64 now;
	u64 woken;		/* when what is reported became ready, if that is known; 0 */
	u32 left;		/* entries, or descriptors */
	u32 ready;		/* that are reported and not met yet; of what select asks, the highest + 1 */
	u16 loop;		/* row; LOOP_ASKED: what is asked for is noted, not what is reported */
	u8 watch;		/* enum watch */
	bool slept;		/* the wait did */
};

#define LOOP_ASKED	0xffff

/* Epoll reports what is not known to be registered: the sets are to be walked again. */
static __always_inline void report_unknown(struct report_walk *walk)
{
	struct event_loop *loop = loop_at(walk->loop);

	/* What was registered before the watch is about to be read. */
	if (!watched_known)
		return;
	if (loop)
		ADD(&loop->sum, unknown, 1);
	loss(LOSS_reports_unknown);
	watched_unknown = true;
}

/* @events of @file under number @fd are reported, or asked for. */
__noinline int report_one(struct report_walk *walk, u64 file, u32 fd, u32 events)
{
	struct descriptor *d;
	struct event_loop *loop;
	struct thread *th;
	u64 lag;

	ONLY_WITH(descriptors);
	if (!walk)
		return 0;
	if (walk->watch == WATCH_EPOLL) {
		/* Registered long ago, it may have ended unseen. */
		d = bpf_map_lookup_elem(&descriptors, &file);
		if (!d || !descriptor_is(d, file)) {
			report_unknown(walk);
			if (knobs.trace)
				trace_report(0, fd, events);
			return 0;
		}
	} else {
		th = thread_of(bpf_get_current_task_btf());
		d = th ? descriptor_of(file, th->proc, fd) : NULL;
	}
	if (!d)
		return 0;
	if (walk->loop == LOOP_ASKED) {
		/* What epoll has as well is shown as that. */
		if (d->watch == WATCH_EPOLL)
			return 0;
		if (d->watch != walk->watch)
			d->since_ns = walk->now;
		d->watch = walk->watch;
		d->mask = events;
		d->fd = fd;
		return 0;
	}
	if (!d->ready_ns)
		d->ready_ns = walk->woken;
	/* What is asked for is looked at only once a second, and the calls on this follow at once. */
	if (knobs.models && d->watch == WATCH_NONE)
		d->watch = walk->watch;
	if (knobs.trace)
		trace_report(file, fd, events);
	if (knobs.doctor) {
		/* The number it was registered by means another file here, or none. */
		if (walk->watch == WATCH_EPOLL &&
		    (u64)file_of(bpf_get_current_task_btf(), fd) != file)
			signs_stale(d, fd);
		signs_report(d, events, walk->now, walk->slept);
	}
	lag = descriptor_reported(d, events, walk->now);
	loop = loop_at(walk->loop);
	if (!loop)
		return 0;
	if (!lag) {
		ADD(&loop->sum, untimed_reports, 1);
		return 0;
	}
	ADD(&loop->sum, timed_reports, 1);
	ADD(&loop->sum, report_ns, lag);
	hist_add(loop->report_hist, lag);
	return 0;
}

/* struct epoll_event: 12 bytes, not aligned; so many of them are read at a time. */
#define EVENT_SIZE	12
#define EVENTS_CHUNK	128
#define EVENTS_MAX	1024

/*
 * How many entries the next piece has, at most @max. Read back from memory, for the verifier of 6.1
 * looks at a callback once, with what it knows of the first round, and would drop the comparison.
 */
static __always_inline u32 report_piece(struct report_walk *walk, struct scratch *page, u32 max)
{
	u64 count;

	page->count = walk->left;
	count = page->count;
	return count < max ? count : max;
}

static long epoll_report_step(u32 index, struct report_walk *walk)
{
	struct scratch *page = scratch_get();
	u32 at = index & (EVENTS_CHUNK - 1), n;
	struct watched_key key = {};
	struct watched *known;
	u32 *event;

	if (!page)
		return 1;
	if (!at) {
		n = report_piece(walk, page, EVENTS_CHUNK);
		if (bpf_probe_read_user(page->words, n * EVENT_SIZE, (void *)walk->from[0]))
			return 1;
		walk->from[0] += n * EVENT_SIZE;
		walk->left -= n;
	}
	event = (u32 *)page->words + at * 3;
	key.ep = walk->ep;
	key.data = event[1] | (u64)event[2] << 32;
	known = bpf_map_lookup_elem(&watched, &key);
	if (!known) {
		report_unknown(walk);
		if (knobs.trace)
			trace_report(0, -1, event[0]);
		return 0;
	}
	report_one(walk, known->file, known->fd, event[0]);
	return 0;
}

static long poll_report_step(u32 index, struct report_walk *walk)
{
	struct scratch *page = scratch_get();
	u32 at = index & (POLL_CHUNK - 1), events, n;
	u64 entry;

	if (!page)
		return 1;
	if (!at) {
		n = report_piece(walk, page, POLL_CHUNK);
		if (bpf_probe_read_user(page->words, n * sizeof(u64), (void *)walk->from[0]))
			return 1;
		walk->from[0] += n * sizeof(u64);
		walk->left -= n;
	}
	entry = page->words[at];
	events = walk->loop == LOOP_ASKED ? entry >> 32 & 0xffff : entry >> 48;
	if (entry & POLL_NEGATIVE || (!events && walk->loop != LOOP_ASKED))
		return 0;
	report_one(walk, (u64)file_of(bpf_get_current_task_btf(), entry), entry, events);
	return walk->loop != LOOP_ASKED && !--walk->ready;
}

/* The next descriptor of the three sets of select, of which 64 are read at a time. */
static long select_report_step(u32 fd, struct report_walk *walk)
{
	u32 at = fd & 63, events;

	for (u32 i = 0; !at && i < 3; i++) {
		walk->words[i] = 0;
		if (walk->from[i])
			bpf_probe_read_user(&walk->words[i], sizeof(u64),
					    (void *)walk->from[i] + fd / 8);
	}
	events = (walk->words[0] >> at & 1) * EPOLLIN | (walk->words[1] >> at & 1) * EPOLLOUT |
		 (walk->words[2] >> at & 1) * EPOLLPRI;
	if (!events)
		return 0;
	if (walk->loop == LOOP_ASKED)
		walk->ready = fd + 1;
	report_one(walk, (u64)file_of(bpf_get_current_task_btf(), fd), fd, events);
	return 0;
}

#define ASKED_EVERY_NS	1000000000ull

/* What a select or poll asks for is noted once a second: it costs as much as the call itself. */
__noinline int set_note(struct thread *th, struct activity *act, u32 args, u64 now)
{
	struct report_walk walk = { .now = now, .loop = LOOP_ASKED };
	struct event_loop *loop;

	ONLY_WITH(descriptors);
	if (!th || !act || (act->asked_ns && now - act->asked_ns < ASKED_EVERY_NS))
		return 0;
	act->asked_ns = now;
	walk.watch = watch_of(args);
	if (args == ARGS_POLL) {
		walk.from[0] = th->args[0];
		walk.left = th->args[1];
		if (walk.left && !th->asked_unknown)
			bpf_loop(walk.left, poll_report_step, &walk, 0);
	} else if (!th->asked_unknown) {
		walk.from[0] = th->args[1];
		walk.from[1] = th->args[2];
		walk.from[2] = th->args[3];
		walk.left = th->args[0];
		if (walk.left)
			bpf_loop(walk.left, select_report_step, &walk, 0);
		loop = loop_at(act->loop);
		if (loop && walk.ready > loop->room)
			loop->room = walk.ready;
	}
	return 0;
}

/*
 * Who is told what by the wait, by enum watch, that returned @ready at @now; @row: of its loop, which
 * can be that of all those that have none.
 */
__noinline int wait_reports(struct thread *th, u32 watch, u32 row, u32 ready, u64 now)
{
	struct report_walk walk = { .now = now, .loop = row, .ready = ready };
	struct event_loop *loop = loop_at(row);

	ONLY_WITH(descriptors);
	if (!th || !loop || !ready)
		return 0;
	walk.ep = th->ep;
	walk.slept = th->sleeps;
	walk.watch = watch;
	/* Select and poll are on no wait queue but while they wait: what woke them is that one. */
	if (watch != WATCH_EPOLL && ready == 1 && th->sleeps)
		walk.woken = th->ready_ns;
	if (watch == WATCH_EPOLL) {
		walk.from[0] = th->args[1];
		walk.left = ready < EVENTS_MAX ? ready : EVENTS_MAX;
		if (ready > EVENTS_MAX) {
			ADD(&loop->sum, truncated, ready - EVENTS_MAX);
			__sync_fetch_and_add(&losses[LOSS_reports_cut], ready - EVENTS_MAX);
		}
		if (th->ep)
			bpf_loop(walk.left, epoll_report_step, &walk, 0);
	} else if (watch == WATCH_POLL) {
		walk.from[0] = th->args[0];
		walk.left = th->args[1];
		bpf_loop(walk.left, poll_report_step, &walk, 0);
	} else if (watch == WATCH_SELECT) {
		walk.from[0] = th->args[1];
		walk.from[1] = th->args[2];
		walk.from[2] = th->args[3];
		walk.left = th->args[0];
		bpf_loop(walk.left, select_report_step, &walk, 0);
	}
	return 0;
}

#endif
