// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trace for people: a line for each call, in the order in which they returned. Where the time
 * went is in columns, as in the tables, and what was called follows, as strace(1) has it.
 */
#include <string.h>
#include <time.h>

#include "model/calls.h"
#include "fail.h"
#include "output/table.h"
#include "trace.h"
#include "trace/call.h"

/* Columns, by where they end. */
enum {
	END_SINCE = 11,		/* the time since the start, or */
	END_DAY = 15,		/* of day */
	WIDTH_TID = 8,
	WIDTH_COMM_TID = 21,
};

/* What is known of one process alone needs no name at each line. */
static bool shows_comm(const struct trace *trace)
{
	return trace->options->tgids.count != 1 || verbose;
}

static size_t end_stamp(const struct trace *trace)
{
	return trace->options->timestamp ? END_DAY : END_SINCE;
}

static size_t end_who(const struct trace *trace)
{
	return end_stamp(trace) + (shows_comm(trace) ? WIDTH_COMM_TID : WIDTH_TID);
}

static void begin(struct trace *trace)
{
	struct line *line = &trace->line;
	size_t at = end_who(trace);

	line_clear(line);
	line_right(line, end_stamp(trace), "TIME");
	if (shows_comm(trace))
		line_text(line, " THREAD");
	else
		line_right(line, at, "TID");
	line_right(line, at + 7, "WALL");
	line_right(line, at + 15, "BLOCKED");
	line_right(line, at + 24, "RUNNABLE");
	line_right(line, at + 32, "KERNEL");
	line_right(line, at + 40, "COPY");
	line_text(line, "  CALL");
	line_write(line, trace->out);
}

static void put_stamp(struct trace *trace, u64 ns)
{
	struct line *line = &trace->line;
	u64 us;

	if (trace->options->timestamp) {
		time_t day = (trace->begin_day_ns + ns - trace->begin_ns) / NS_PER_SEC;
		struct tm tm;

		us = (trace->begin_day_ns + ns - trace->begin_ns) / 1000;
		localtime_r(&day, &tm);
		line_digits(line, tm.tm_hour, 2);
		line_char(line, ':');
		line_digits(line, tm.tm_min, 2);
		line_char(line, ':');
		line_digits(line, tm.tm_sec, 2);
	} else {
		char seconds[NS_TEXT_MAX];

		us = (ns - trace->begin_ns) / 1000;
		snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)(us / 1000000));
		line_right(line, END_SINCE - 7, seconds);
	}
	line_char(line, '.');
	line_digits(line, us % 1000000, 6);
}

static void put_who(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;
	size_t at = line->size;
	char tid[NS_TEXT_MAX];

	if (!shows_comm(trace)) {
		snprintf(tid, sizeof(tid), "%u", call->tid);
		line_right(line, at + WIDTH_TID, tid);
		return;
	}
	line_char(line, ' ');
	line_text(line, text_name(call->comm, COMM_LEN).buf);
	line_char(line, '/');
	line_u64(line, call->tid);
	line_pad(line, at + WIDTH_COMM_TID);
}

/* A time that ends @width columns on; @mark: 0, or that of a bound. */
static void put_ns(struct line *line, size_t *column, int width, char mark, u64 ns)
{
	char text[NS_TEXT_MAX + 1] = { mark };

	if (!ns && !mark)
		strcpy(text, "0");
	else
		ns_text(text + !!mark, ns);
	*column += width;
	line_right(line, *column, text);
}

static void put_unknown(struct line *line, size_t *column, int width)
{
	*column += width;
	line_right(line, *column, "-");
}

/* Of a call from before the watch only that it took so long is known, at least. */
static void put_times(struct line *line, const struct trace_call *call)
{
	bool before = call->flags & TRACE_BEFORE;
	bool output = calls[call->call].class == CLASS_OUTPUT;
	size_t column = line->size;

	put_ns(line, &column, 7, before ? '>' : 0, call_wall_ns(call));
	if (before) {
		put_unknown(line, &column, 8);
		put_unknown(line, &column, 9);
		put_unknown(line, &column, 8);
		put_unknown(line, &column, 8);
		return;
	}
	put_ns(line, &column, 8, 0, call->blocked_ns);
	put_ns(line, &column, 9, 0, call->runnable_ns);
	if (call->copy_bound_ns && !call_kernel_ns(call))
		put_unknown(line, &column, 8);
	else
		put_ns(line, &column, 8, call->copy_bound_ns ? '>' : output ? '<' : 0,
		       call_kernel_ns(call));
	if (call_copy_known(call))
		put_ns(line, &column, 8, call->copy_bound_ns ? '<' : 0, call->copy_ns);
	else
		put_unknown(line, &column, 8);
}

/* "8<tcp 127.0.0.1:80-127.0.0.1:40312>". */
static void put_fd(struct trace *trace, s64 fd, u64 object)
{
	const char *name = trace->no_names ? NULL : names_find(trace->names, object);
	struct line *line = &trace->line;

	if (fd >= 0)
		line_s64(line, fd);
	else
		line_char(line, '?');
	if (!name)
		return;
	line_char(line, '<');
	line_text(line, name);
	line_char(line, '>');
}

static void put_count(struct line *line, const char *what, u64 count)
{
	line_text(line, what);
	line_u64(line, count);
}

static void put_arguments(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;
	const char *op = call_ctl_op(call);
	s64 length = call_length(call), timeout;

	switch (calls[call->call].args) {
	case ARGS_SELECT:
	case ARGS_EPOLL:
		line_s64(line, (s32)call->args[0]);
		break;
	case ARGS_SIGWAIT:
		break;
	case ARGS_GETEVENTS:
		put_count(line, "", call->args[1]);
		put_count(line, ", ", call->args[2]);
		break;
	case ARGS_POLL:
	case ARGS_SUBMIT:
		line_u64(line, (u32)call->args[1]);
		break;
	case ARGS_CTL:
		line_s64(line, call_other_fd(call));
		line_text(line, ", ");
		line_text(line, op ? op : "?");
		line_text(line, ", ");
		put_fd(trace, call_fd(call), call->object);
		break;
	case ARGS_URING:
		line_s64(line, (s32)call->args[0]);
		put_count(line, ", ", (u32)call->args[1]);
		put_count(line, ", ", (u32)call->args[2]);
		break;
	default:
		put_fd(trace, call_fd(call), call->object);
	}
	if (calls[call->call].args == ARGS_EPOLL) {
		line_text(line, ", ");
		line_s64(line, (s32)call->args[2]);
	}
	if (call_timeout(call, &timeout)) {
		line_text(line, timeout < 0 ? ", -1" : ", ");
		if (timeout >= 0) {
			line_s64(line, timeout);
			line_text(line, "ms");
		}
	}
	if (length >= 0) {
		line_text(line, ", ");
		line_s64(line, length);
	}
	if (call_other_fd(call) >= 0 && calls[call->call].args != ARGS_CTL) {
		line_text(line, ", ");
		line_s64(line, call_other_fd(call));
	}
}

static void put_result(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;

	line_text(line, " = ");
	if (call->flags & TRACE_UNFINISHED) {
		line_text(line, "? (the thread ended inside)");
	} else if (call_open_ended(call)) {
		line_text(line, "? (interrupted, to be restarted)");
	} else if (call->ret < 0) {
		line_text(line, "-1 ");
		line_text(line, text_errno(-call->ret).buf);
	} else if (call->accepted) {
		put_fd(trace, call->ret, call->accepted);
	} else {
		line_s64(line, call->ret);
	}
}

static void put_scan(struct line *line, const struct trace_call *call)
{
	/* The kernel refused it before it looked at anything. */
	if (!call_scanned(call) || (call->ret < 0 && !call->asked && !call->scanned))
		return;
	if (call->flags & TRACE_ASKED_UNKNOWN)
		line_text(line, " asked -");
	else
		put_count(line, " asked ", call->asked);
	put_count(line, " scanned ", call->scanned);
	if (call->passes > 1)
		put_count(line, " passes ", call->passes);
}

static void put_events(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;
	u64 cut = call_events_cut(call);

	for (u32 i = 0; i < call_events(call); i++) {
		const struct trace_event *event = &call->events[i];

		line_text(line, i ? ", " : ": ");
		put_fd(trace, event->fd, event->object);
		line_char(line, ' ');
		line_events(line, event->events, false);
	}
	if (cut && call_events(call))
		{
		put_count(line, ", ", cut);
		line_text(line, " more");
	}
}

static void put_waker(struct line *line, const struct trace_call *call)
{
	const struct waker *waker = &call->waker;

	if (waker->kind == WAKER_TASK) {
		line_text(line, " by ");
		line_text(line, text_name(waker->comm, COMM_LEN).buf);
		line_char(line, '/');
		line_u64(line, call->waker_tid);
	} else if (waker->kind == WAKER_SOFTIRQ || waker->kind == WAKER_HARDIRQ) {
		line_text(line, " by ");
		line_text(line, waker_word(waker->kind));
	}
}

static void put_disk(struct line *line, const struct trace_call *call)
{
	char text[NS_TEXT_MAX];

	if (!call->blocked_d_ns)
		return;
	ns_text(text, call->blocked_d_ns);
	line_text(line, " uninterruptible ");
	line_text(line, text);
}

static void call_line(struct trace *trace, const struct trace_call *call)
{
	struct line *line = &trace->line;

	line_clear(line);
	put_stamp(trace, call->end_ns);
	put_who(trace, call);
	put_times(line, call);
	line_text(line, "  ");
	line_text(line, calls[call->call].name);
	line_char(line, '(');
	if (call->flags & TRACE_BEFORE)
		line_text(line, "...");
	else
		put_arguments(trace, call);
	line_char(line, ')');
	put_result(trace, call);
	put_scan(line, call);
	put_disk(line, call);
	put_waker(line, call);
	put_events(trace, call);
	line_write(line, trace->out);
}

/* 1204 as "1,204". */
static void put_grouped(struct line *line, u64 value)
{
	if (value >= 1000) {
		put_grouped(line, value / 1000);
		line_char(line, ',');
		line_digits(line, value % 1000, 3);
	} else {
		line_u64(line, value);
	}
}

static void lost(struct trace *trace, u64 count)
{
	struct line *line = &trace->line;

	line_clear(line);
	line_text(line, "... ");
	put_grouped(line, count);
	line_text(line, count == 1 ? " call" : " calls");
	line_text(line, " lost here ...");
	line_write(line, trace->out);
}

static void end(struct trace *trace, const struct report *report)
{
	struct line *line = &trace->line;

	line_clear(line);
	line_char(line, '\n');
	put_grouped(line, stream_calls(trace->stream));
	line_text(line, stream_calls(trace->stream) == 1 ? " call" : " calls");
	if (stream_lost(trace->stream)) {
		line_text(line, ", and ");
		put_grouped(line, stream_lost(trace->stream));
		line_text(line, " LOST: they came faster than they could be written (--buffer, -e, -m)");
	}
	line_write(line, trace->out);
	print_remarks(trace->out, report);
}

static void silent_begin(struct trace *trace)
{
	(void)trace;
}

static void silent_call(struct trace *trace, const struct trace_call *call)
{
	(void)trace;
	(void)call;
}

static void silent_lost(struct trace *trace, u64 count)
{
	(void)trace;
	(void)count;
}

const struct trace_format trace_silent = {
	.escape = text_json_name, .begin = silent_begin, .call = silent_call, .lost = silent_lost,
	.end = end,
};

const struct trace_format trace_text = {
	.escape = text_name, .begin = begin, .call = call_line, .lost = lost, .end = end,
};
