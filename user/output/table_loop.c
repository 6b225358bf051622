// SPDX-License-Identifier: GPL-2.0-only
/* The tables of event loops: what their turns are spent on; then what their waits bring. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/calls.h"
#include "model/fd.h"
#include "output/table.h"

/* So long a turn that is under way is said; shorter ones are on their way to be counted. */
#define STILL_TURNING_NS (100 * 1000000ull)

static const struct loop_sum *sum_of(const struct row *row)
{
	return &row->loop->figures.sum;
}

static struct text column_loop(const struct row *row)
{
	return row->key.object == OBJECT_MERGED ? dash() : loop_name(&row->loop->figures);
}

static struct text column_threads(const struct row *row)
{
	return text_count(row->loop->figures.threads);
}

/* Of the report that is printed. */
static u64 duration_ns;

static struct text column_busy(const struct row *row)
{
	double busy = loop_utilisation(row->loop, duration_ns);
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%.0f%%", busy * 100);
	return text;
}

static struct text column_turns(const struct row *row)
{
	return text_count(sum_of(row)->turns);
}

static struct text mean(u64 sum, u64 count)
{
	return count ? text_ns((double)sum / count) : dash();
}

static struct text column_turn(const struct row *row)
{
	return mean(sum_of(row)->turn_ns, sum_of(row)->turns);
}

static struct text column_turn_p99(const struct row *row)
{
	double ns = hist_quantile(row->loop->figures.turn_hist, sum_of(row)->turns, 0.99);

	return ns < 0 ? dash() : text_ns(ns);
}

static struct text column_on_cpu(const struct row *row)
{
	return text_ns(loop_turn_on_cpu_ns(row->loop));
}

static struct text column_blocked(const struct row *row)
{
	return text_ns(sum_of(row)->turn_blocked_ns);
}

static struct text column_runnable(const struct row *row)
{
	return text_ns(sum_of(row)->turn_runnable_ns);
}

static const struct column turn_columns[] = {
	{ "PROCESS", -12, column_process, 0 },
	{ "PID", 7, column_pid, 0 },
	{ "LOOP", -13, column_loop, 0 },
	{ "BUSY", 4, column_busy, 0 },
	{ "TURNS", 5, column_turns, 0 },
	{ "TURN", 6, column_turn, 0 },
	{ "P99", 6, column_turn_p99, 0 },
	{ "ON-CPU", 6, column_on_cpu, 0 },
	{ "BLOCK", 6, column_blocked, 0 },
	{ "RUNQ", 6, column_runnable, 0 },
};

static struct text ratio(u64 sum, u64 count)
{
	struct text text;

	if (!count)
		return dash();
	if ((double)sum / count >= 99.95)
		return text_count((double)sum / count);
	snprintf(text.buf, sizeof(text.buf), "%.1f", (double)sum / count);
	return text;
}

static struct text column_waits(const struct row *row)
{
	return text_count(sum_of(row)->waits);
}

static struct text column_empty(const struct row *row)
{
	return text_count(sum_of(row)->empty);
}

static struct text column_full(const struct row *row)
{
	return text_count(sum_of(row)->full);
}

static struct text column_events(const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);

	return ratio(sum->events, sum->waits - sum->empty - sum->failed);
}

static struct text column_ctl(const struct row *row)
{
	return row->loop->figures.key.watch == WATCH_EPOLL ?
	       ratio(sum_of(row)->ctl_calls, sum_of(row)->events) : dash();
}

static struct text column_asked(const struct row *row)
{
	return row->loop->descriptors == ASKED_UNKNOWN ? dash() :
	       text_count(row->loop->descriptors);
}

static struct text column_lag(const struct row *row)
{
	return mean(sum_of(row)->report_ns, sum_of(row)->timed_reports);
}

static struct text column_served(const struct row *row)
{
	return mean(sum_of(row)->serve_ns, sum_of(row)->serves);
}

static const struct column wait_columns[] = {
	{ "PID", 7, column_pid, 0 },
	{ "LOOP", -14, column_loop, 0 },
	{ "THR", 3, column_threads, 0 },
	{ "WAITS", 5, column_waits, 0 },
	{ "EMPTY", 5, column_empty, 0 },
	{ "FULL", 5, column_full, 0 },
	{ "EVENTS", 6, column_events, 0 },
	{ "CTL", 5, column_ctl, 0 },
	{ "FDS", 5, column_asked, 0 },
	{ "LAG", 6, column_lag, 0 },
	{ "SERVED", 6, column_served, 0 },
};

/* In which calls the turns of a loop blocked, if they did. */
static void print_blocked(FILE *out, const struct row *row)
{
	const struct event_loop *loop = &row->loop->figures;
	const char *gap = " ";

	if (!sum_of(row)->turn_blocked_ns)
		return;
	fprintf(out, "%s, %s: blocked in", text_name(row->comm, COMM_LEN).buf,
		column_loop(row).buf);
	for (int call = NR_CALLS - 1; call >= 0; call--) {
		if (!loop->blocked_ns[call])
			continue;
		fprintf(out, "%s%s %s", gap, call ? calls[call].name : "other places",
			text_ns(loop->blocked_ns[call]).buf);
		gap = ", ";
	}
	putc('\n', out);
}

/* A turn that does not end is in no figure above. */
static void print_turning(FILE *out, const struct row *row)
{
	const struct row_loop *loop = row->loop;

	if (loop->turning && loop->turning_ns >= STILL_TURNING_NS)
		fprintf(out, "%s, %s: still in a turn for %s (%u thread%s)\n",
			text_name(row->comm, COMM_LEN).buf, column_loop(row).buf,
			text_ns(loop->turning_ns).buf, loop->turning, loop->turning == 1 ? "" : "s");
}

static void print_blocked_rows(FILE *out, const struct report *report)
{
	u32 count;
	struct row **rows = report_rows(report, &count);

	for (u32 i = 0; i < count && i < 50; i++) {
		print_blocked(out, rows[i]);
		print_turning(out, rows[i]);
	}
	free(rows);
}

void print_loops(FILE *out, const struct report *report)
{
	duration_ns = report->duration_ns;
	print_rows(out, report, turn_columns, ARRAY_SIZE(turn_columns), any_row);
	print_rows(out, report, wait_columns, ARRAY_SIZE(wait_columns), any_row);
	print_blocked_rows(out, report);
}
