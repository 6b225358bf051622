// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trace for programs: a JSON object a line. docs/trace.schema.json describes them. The lines of
 * calls are written without a library, which would take longer than the calls.
 */
#include <jansson.h>
#include <string.h>

#include "model/calls.h"
#include "output/json_report.h"
#include "trace.h"
#include "trace/call.h"
#include "version.h"

/* Of the lines of a trace. */
#define TRACE_SCHEMA_VERSION 1

static void begin(struct trace *trace)
{
	json_t *object = json_pack("{s:s,s:i,s:s,s:I,s:I}", "type", "begin", "schema_version",
				   TRACE_SCHEMA_VERSION, "version", IOPHASE_VERSION,
				   "begin_ns", (json_int_t)trace->begin_ns,
				   "begin_time_ns", (json_int_t)trace->begin_day_ns);

	json_dumpf(object, trace->out, JSON_COMPACT);
	fputc('\n', trace->out);
	json_decref(object);
}

static void put_key(struct line *line, const char *key)
{
	line_text(line, ",\"");
	line_text(line, key);
	line_text(line, "\":");
}

static void put_null(struct line *line, const char *key)
{
	put_key(line, key);
	line_text(line, "null");
}

static void put_u64(struct line *line, const char *key, u64 value)
{
	put_key(line, key);
	line_u64(line, value);
}

static void put_text(struct line *line, const char *key, const char *text)
{
	put_key(line, key);
	if (text)
		line_json(line, text);
	else
		line_text(line, "null");
}

/* A number that is null where it is not known. */
static void put_known(struct line *line, const char *key, bool known, u64 value)
{
	if (known)
		put_u64(line, key, value);
	else
		put_null(line, key);
}

static void put_name(struct line *line, const char *key, const char *comm)
{
	put_text(line, key, text_json_name(comm, COMM_LEN).buf);
}

/* A number, what is behind it, and, to tell those of one number apart, when that was first seen. */
static void put_fd(struct trace *trace, s64 fd, u64 object)
{
	struct line *line = &trace->line;

	put_known(line, "fd", fd >= 0, fd);
	put_text(line, "name", trace->no_names ? NULL : names_find(trace->names, object));
	put_known(line, "born_ns", object, object);
}

static void put_times(struct line *line, const struct trace_call *call)
{
	bool known = !(call->flags & TRACE_BEFORE);

	put_u64(line, "wall_ns", call_wall_ns(call));
	put_known(line, "blocked_ns", known, call->blocked_ns);
	put_known(line, "runnable_ns", known, call->runnable_ns);
	put_known(line, "kernel_ns", known, call_kernel_ns(call));
	put_known(line, "copy_ns", call_copy_known(call), call->copy_ns);
	put_known(line, "copy_bound_ns", call_copy_known(call), call->copy_bound_ns);
	put_known(line, "blocked_d_ns", known, call->blocked_d_ns);
	put_u64(line, "sleeps", call->sleeps);
}

static void put_event(struct trace *trace, const struct trace_call *call,
		      const struct trace_event *event)
{
	struct line *line = &trace->line;
	bool timed = event->ready_ns && event->ready_ns <= call->end_ns;

	line_text(line, "{\"events\":[");
	line_events(line, event->events, true);
	line_char(line, ']');
	put_fd(trace, event->fd, event->object);
	put_known(line, "lag_ns", timed, call->end_ns - event->ready_ns);
	line_char(line, '}');
}

static void put_wait(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;
	bool scanned = call_scanned(call);
	s64 timeout;

	if (call_timeout(call, &timeout) && timeout >= 0)
		put_u64(line, "timeout_ms", timeout);
	put_known(line, "asked", scanned && !(call->flags & TRACE_ASKED_UNKNOWN), call->asked);
	put_known(line, "scanned", scanned, call->scanned);
	put_known(line, "passes", scanned, call->passes);
	put_known(line, "ready", scanned, call->ret > 0 ? call->ret : 0);
	put_key(line, "events");
	line_char(line, '[');
	for (u32 i = 0; i < call_events(call); i++) {
		if (i)
			line_char(line, ',');
		put_event(trace, call, &call->events[i]);
	}
	line_char(line, ']');
	put_u64(line, "events_cut", call_events_cut(call));
}

/* Of a call on a descriptor. */
static void put_object(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;

	put_fd(trace, call_fd(call), call->object);
	if (call_other_fd(call) >= 0)
		put_u64(line, "other_fd", call_other_fd(call));
	if (calls[call->call].args == ARGS_CTL)
		put_text(line, "op", call_ctl_op(call));
	if (call_length(call) >= 0)
		put_u64(line, "length", call_length(call));
	if (call->accepted) {
		put_text(line, "accepted_name", trace->no_names ? NULL :
			 names_find(trace->names, call->accepted));
		put_u64(line, "accepted_born_ns", call->accepted);
	}
	if (calls[call->call].ret != RET_OK)
		put_u64(line, "bytes", call->moved);
}

static void put_result(struct line *line, const struct trace_call *call)
{
	bool known = !call_open_ended(call);

	put_key(line, "result");
	if (known)
		line_s64(line, call->ret);
	else
		line_text(line, "null");
	put_text(line, "error", known && call->ret < 0 ? text_errno(-call->ret).buf : NULL);
	if (call->flags & TRACE_BEFORE)
		line_text(line, ",\"began_before\":true");
	if (call->flags & TRACE_UNFINISHED)
		line_text(line, ",\"unfinished\":true");
	else if (!known)
		line_text(line, ",\"restarted\":true");
	if (call->entries > 1)
		put_u64(line, "entries", call->entries);
}

static void put_waker(struct line *line, const struct trace_call *call)
{
	if (call->waker.kind == WAKER_NONE) {
		put_null(line, "waker");
		return;
	}
	put_key(line, "waker");
	line_text(line, "{\"kind\":");
	line_json(line, waker_word(call->waker.kind));
	if (call->waker.kind == WAKER_TASK) {
		put_u64(line, "tgid", call->waker.tgid);
		put_u64(line, "tid", call->waker_tid);
		put_name(line, "comm", call->waker.comm);
	}
	line_char(line, '}');
}

static void call_object(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;

	line_clear(line);
	line_text(line, "{\"type\":\"call\",\"call\":\"");
	line_text(line, calls[call->call].name);
	line_char(line, '"');
	put_u64(line, "begin_ns", call->enter_ns);
	put_u64(line, "end_ns", call->end_ns);
	put_u64(line, "tgid", call->tgid);
	put_u64(line, "tid", call->tid);
	put_name(line, "comm", call->comm);
	put_times(line, call);
	if (call_waits_on_set(call)) {
		if (calls[call->call].args == ARGS_EPOLL)
			put_known(line, "fd", call_fd(call) >= 0, call_fd(call));
		put_wait(trace, call);
	} else {
		put_object(trace, call);
	}
	put_result(line, call);
	put_waker(line, call);
	line_char(line, '}');
	line_write(line, trace->out);
}

static void lost(struct trace *trace, u64 count)
{
	struct line *line = &trace->line;

	line_clear(line);
	line_text(line, "{\"type\":\"lost\"");
	put_u64(line, "calls", count);
	line_char(line, '}');
	line_write(line, trace->out);
}

static void end(struct trace *trace, const struct report *report)
{
	json_t *object = json_pack("{s:s}", "type", "end");
	json_t *report_object = report_json_begin(report, TRACE_SCHEMA_VERSION);

	json_object_update(object, report_object);
	json_decref(report_object);
	json_object_set_new(object, "calls", json_integer(stream_calls(trace->stream)));
	json_object_set_new(object, "calls_lost", json_integer(stream_lost(trace->stream)));
	json_object_set_new(object, "calls_late", json_integer(stream_late(trace->stream)));
	json_object_set_new(object, "scanned_tier", json_string(report->scan_tier));
	json_object_set_new(object, "lag_tier", json_string(report->fd_lag_tier));
	report_json_end(object, report);
	json_dumpf(object, trace->out, JSON_COMPACT);
	fputc('\n', trace->out);
	json_decref(object);
}

const struct trace_format trace_ndjson = {
	.escape = text_json_name, .begin = begin, .call = call_object, .lost = lost, .end = end,
};
