// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/timeline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "model/calls.h"
#include "text.h"
#include "timeline/packet.h"
#include "timeline/tracks.h"
#include "trace/call.h"

/* Descriptors of which a report is to be followed to the call that serves it, at most. */
#define REPORTS_MAX 65536

/* One that was reported, and not called on since. */
struct report_flow {
	u64 object;
	u64 flow;
	UT_hash_handle hh;
};

struct timeline {
	FILE *out;
	struct tracks *tracks;
	struct report_flow *reports;
	u64 flows;		/* so many were begun */
	u64 last_ns;		/* the end of the last call */
	struct annotations annotations;
};

struct timeline *timeline_open(FILE *out, u64 begin_ns, u64 begin_day_ns)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	struct timespec boot, now;
	u64 asleep_ns;

	if (!timeline)
		return NULL;
	timeline->out = out;
	timeline->last_ns = begin_ns;
	timeline->tracks = tracks_open(out);
	if (!timeline->tracks) {
		free(timeline);
		return NULL;
	}
	/* In which the machine slept: there the two clocks differ, and in nothing else. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	asleep_ns = (boot.tv_sec - now.tv_sec) * NS_PER_SEC + boot.tv_nsec - now.tv_nsec;
	packet_clocks(out, begin_ns, begin_ns + asleep_ns, begin_day_ns);
	return timeline;
}

void timeline_close(struct timeline *timeline)
{
	struct report_flow *report, *next;

	if (!timeline)
		return;
	HASH_ITER(hh, timeline->reports, report, next) {
		HASH_DEL(timeline->reports, report);
		free(report);
	}
	tracks_close(timeline->tracks);
	free(timeline);
}

static void put(struct timeline *timeline, Timeline__Event__Type type, u64 track, u64 ns,
		const char *name)
{
	struct event event = { .type = type, .track = track, .ns = ns, .name = name };

	packet_event(timeline->out, &event);
}

/* A phase of a call on @track, of @ns from *@at on, which moves behind it. */
static void put_phase(struct timeline *timeline, u64 track, const char *name, u64 *at, u64 ns,
		      u64 ending_flow)
{
	struct event event = {
		.type = TIMELINE__EVENT__TYPE__SLICE_BEGIN, .track = track, .ns = *at, .name = name,
		.ending_flow = ending_flow,
	};

	if (!ns)
		return;
	packet_event(timeline->out, &event);
	*at += ns;
	put(timeline, TIMELINE__EVENT__TYPE__SLICE_END, track, *at, NULL);
}

/* It left the CPU once, to be woken, and came back: then it is known where its phases lie. */
static bool slept_once(const struct trace_call *call)
{
	return call->blocked_ns && call->out_ns >= call->enter_ns &&
	       call->wake_ns - call->out_ns == call->blocked_ns &&
	       call->wake_ns + call->runnable_ns <= call->end_ns;
}

/* Who woke it does so on its own track. The flow from there, 0: none. */
static u64 put_wake(struct timeline *timeline, const struct trace_call *call)
{
	struct event event = {
		.type = TIMELINE__EVENT__TYPE__INSTANT, .ns = call->wake_ns, .name = "wakes",
		.annotations = &timeline->annotations,
	};

	if (call->waker.kind != WAKER_TASK || !call->waker_tid || !call->runnable_ns)
		return 0;
	event.track = track_of(timeline->tracks, call->waker.tgid, call->waker_tid,
			       text_json_name(call->waker.comm, COMM_LEN).buf, TRACK_CALLS);
	event.flow = ++timeline->flows;
	annotations_clear(&timeline->annotations);
	annotate_u64(&timeline->annotations, "tid", call->tid);
	packet_event(timeline->out, &event);
	return event.flow;
}

/*
 * The phases, which are as long as they are; where they lie is known of those that slept once. In
 * others they are laid end to end.
 */
static void put_phases(struct timeline *timeline, const struct trace_call *call, u64 track,
		       u64 wake)
{
	u64 kernel = call_kernel_ns(call), at = call->enter_ns, before;

	if (call->flags & TRACE_BEFORE)
		return;
	before = slept_once(call) ? call->out_ns - call->enter_ns : 0;
	if (before > kernel)
		before = kernel;
	put_phase(timeline, track, "kernel", &at, before, 0);
	put_phase(timeline, track, "blocked", &at, call->blocked_ns, 0);
	put_phase(timeline, track, "runnable", &at, call->runnable_ns, wake);
	put_phase(timeline, track, "kernel", &at, kernel - before, 0);
	put_phase(timeline, track, "copy", &at, call->copy_ns, 0);
}

static struct report_flow *report_of(struct timeline *timeline, u64 object)
{
	struct report_flow *report;

	HASH_FIND(hh, timeline->reports, &object, sizeof(object), report);
	return report;
}

/* @object was reported by @flow: the next call on it is where that ends. */
static void report_begins(struct timeline *timeline, u64 object, u64 flow)
{
	struct report_flow *report = report_of(timeline, object);

	if (!report && HASH_COUNT(timeline->reports) < REPORTS_MAX) {
		report = calloc(1, sizeof(*report));
		if (report) {
			report->object = object;
			HASH_ADD(hh, timeline->reports, object, sizeof(report->object), report);
		}
	}
	if (report)
		report->flow = flow;
}

/* The flow that ends in a call on @object, 0: none. */
static u64 report_ends(struct timeline *timeline, u64 object)
{
	struct report_flow *report = object ? report_of(timeline, object) : NULL;
	u64 flow;

	if (!report)
		return 0;
	flow = report->flow;
	HASH_DEL(timeline->reports, report);
	free(report);
	return flow;
}

/* "8<tcp ...> IN" */
static const char *event_text(const struct trace_event *event, const struct names *names,
			      struct line *line)
{
	const char *name = names_find(names, event->object);

	line_clear(line);
	line_s64(line, event->fd);
	if (name) {
		line_char(line, '<');
		line_text(line, name);
		line_char(line, '>');
	}
	line_char(line, ' ');
	line_events(line, event->events, false);
	line_char(line, '\0');
	return line->text;
}

/* When what it reports became ready, if that is known. */
static void put_ready(struct timeline *timeline, const struct trace_call *call, const char *comm,
		      const struct names *names)
{
	static struct line line;

	for (u32 i = 0; i < call_events(call); i++) {
		const struct trace_event *event = &call->events[i];
		struct event instant = {
			.type = TIMELINE__EVENT__TYPE__INSTANT, .ns = event->ready_ns,
			.flow = ++timeline->flows,
		};

		if (!event->ready_ns || event->ready_ns > call->end_ns || !event->object)
			continue;
		instant.track = track_of(timeline->tracks, call->tgid, call->tid, comm, TRACK_READY);
		instant.name = event_text(event, names, &line);
		packet_event(timeline->out, &instant);
		report_begins(timeline, event->object, instant.flow);
	}
}

static void put_counter(struct timeline *timeline, const struct trace_call *call, const char *comm,
			enum track_kind kind, u64 value)
{
	struct event event = {
		.type = TIMELINE__EVENT__TYPE__COUNTER, .ns = call->end_ns, .value = value,
		.track = track_of(timeline->tracks, call->tgid, call->tid, comm, kind),
	};

	packet_event(timeline->out, &event);
}

static void annotate_call(struct annotations *all, const struct trace_call *call,
			  const struct names *names)
{
	annotations_clear(all);
	if (!call_open_ended(call))
		annotate_s64(all, "result", call->ret);
	if (call_fd(call) >= 0)
		annotate_s64(all, "fd", call_fd(call));
	annotate_text(all, "name", names_find(names, call->object));
	if (call_length(call) >= 0)
		annotate_s64(all, "length", call_length(call));
	if (call_scanned(call)) {
		if (!(call->flags & TRACE_ASKED_UNKNOWN))
			annotate_u64(all, "asked", call->asked);
		annotate_u64(all, "scanned", call->scanned);
		annotate_u64(all, "passes", call->passes);
	}
	if (call->copy_bound_ns)
		annotate_u64(all, "copy_bound_ns", call->copy_bound_ns);
	if (call->blocked_d_ns)
		annotate_u64(all, "blocked_d_ns", call->blocked_d_ns);
	if (call->flags & TRACE_BEFORE)
		annotate_text(all, "begin", "before the watch");
	else if (call->blocked_ns | call->runnable_ns)
		annotate_text(all, "order of phases", slept_once(call) ? "known" : "not known");
	if (call->flags & TRACE_UNFINISHED)
		annotate_text(all, "end", "its thread ended inside");
	if (call->waker.kind != WAKER_NONE && call->waker.kind != WAKER_TASK)
		annotate_text(all, "woken by", waker_word(call->waker.kind));
}

void timeline_call(struct timeline *timeline, const struct trace_call *call,
		   const struct names *names)
{
	struct text comm = text_json_name(call->comm, COMM_LEN);
	struct event slice = {
		.type = TIMELINE__EVENT__TYPE__SLICE_BEGIN, .ns = call->enter_ns,
		.name = calls[call->call].name, .annotations = &timeline->annotations,
	};
	u64 wake = put_wake(timeline, call);

	slice.track = track_of(timeline->tracks, call->tgid, call->tid, comm.buf, TRACK_CALLS);
	slice.ending_flow = report_ends(timeline, call->object);
	annotate_call(&timeline->annotations, call, names);
	packet_event(timeline->out, &slice);
	put_phases(timeline, call, slice.track, wake);
	put(timeline, TIMELINE__EVENT__TYPE__SLICE_END, slice.track, call->end_ns, NULL);
	if (call_scanned(call)) {
		put_counter(timeline, call, comm.buf, TRACK_SCANNED, call->scanned);
		put_counter(timeline, call, comm.buf, TRACK_REPORTED, call->ret > 0 ? call->ret : 0);
		put_ready(timeline, call, comm.buf, names);
	}
	if (call->end_ns > timeline->last_ns)
		timeline->last_ns = call->end_ns;
}

void timeline_lost(struct timeline *timeline, u64 count)
{
	struct event event = {
		.type = TIMELINE__EVENT__TYPE__INSTANT, .ns = timeline->last_ns,
		.name = "calls lost", .annotations = &timeline->annotations,
		.track = track_lost(timeline->tracks),
	};

	annotations_clear(&timeline->annotations);
	annotate_u64(&timeline->annotations, "calls", count);
	packet_event(timeline->out, &event);
}
