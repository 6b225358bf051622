// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table for people: where the time went, then what the wait calls scanned. At most 80
 * columns; an unknown figure is "-", a bound is marked "<" (at most) or ">" (at least), and
 * "~" where a sum has parts of both kinds.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "model/calls.h"
#include "fail.h"
#include "output/table.h"

struct text dash(void)
{
	return (struct text){ "-" };
}

struct text marked(char mark, struct text text)
{
	struct text with;

	snprintf(with.buf, sizeof(with.buf), "%c%.70s", mark, text.buf);
	return with;
}

struct text column_process(const struct row *row)
{
	struct text name = text_name(row->comm, COMM_LEN);

	if (!*row->comm)
		return dash();
	/* A name that does not fit says so. */
	if (strlen(name.buf) > 12)
		strcpy(name.buf + 11, "+");
	return name;
}

struct text number(u64 value)
{
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%" PRIu64, value);
	return text;
}

struct text column_pid(const struct row *row)
{
	return row->key.proc ? number(proc_tgid(row->key.proc)) : dash();
}

struct text column_tid(const struct row *row)
{
	return row->key.tid ? number(row->key.tid) : (struct text){ "ended" };
}

static struct text column_call(const struct row *row)
{
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%s", calls[row->key.call].name);
	return text;
}

static struct text column_calls(const struct row *row)
{
	return text_count(row->sum.calls);
}

static struct text column_wall(const struct row *row)
{
	return text_ns(row->sum.wall_ns);
}

static struct text column_blocked(const struct row *row)
{
	return text_ns(row->sum.blocked_ns);
}

static struct text column_runnable(const struct row *row)
{
	return text_ns(row->sum.runnable_ns);
}

static struct text column_kernel(const struct row *row)
{
	struct text text = text_ns(row_kernel_ns(row));

	if (!row->key.call)
		return marked(row->sum.copy_bound_ns ? '~' : '<', text);
	if (row->sum.copy_bound_ns)
		return marked('>', text);
	/* What a write copies is not told from the rest. */
	return calls[row->key.call].class == CLASS_OUTPUT ? marked('<', text) : text;
}

static struct text column_copy(const struct row *row)
{
	if (!row->key.call)
		return marked(row->sum.copy_bound_ns ? '~' : '>', text_ns(row->sum.copy_ns));
	if (!call_copies(row->key.call))
		return dash();
	return row->sum.copy_bound_ns ? marked('<', text_ns(row->sum.copy_ns)) :
	       text_ns(row->sum.copy_ns);
}

static const struct column time_columns[] = {
	{ "PROCESS", -12, column_process, BY_PROCESS },
	{ "PID", 7, column_pid, BY_PROCESS },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "CALL", -12, column_call, BY_CALL },
	{ "CALLS", 5, column_calls, 0 },
	{ "WALL", 6, column_wall, 0 },
	{ "BLOCKED", 7, column_blocked, 0 },
	{ "RUNNABLE", 8, column_runnable, 0 },
	{ "KERNEL", 7, column_kernel, 0 },
	{ "COPY", 7, column_copy, 0 },
};

/* An average for each wait call, with one decimal while it is small. */
static struct text per_call(const struct row *row, u64 figure)
{
	double average = (double)figure / row->wait_calls;
	struct text text;

	if (average >= 999.5)
		return text_count(average);
	snprintf(text.buf, sizeof(text.buf), "%.*f", average < 99.95 ? 1 : 0, average);
	return text;
}

static struct text column_asked(const struct row *row)
{
	struct text text = per_call(row, row->sum.asked);
	size_t unit = strlen(text.buf) - 1, to = unit - 1;

	if (!row->sum.asked_unknown)
		return text;
	if (!row->sum.asked)
		return dash();
	/* With the mark there is room for two digits only: ">15k" for 15.2k. */
	if (unit > 3)
		memmove(text.buf + to - (text.buf[to - 1] == '.'), text.buf + unit, 2);
	return marked('>', text);
}

static struct text column_scanned(const struct row *row)
{
	return per_call(row, row->sum.scanned);
}

static struct text column_ready(const struct row *row)
{
	return per_call(row, row->sum.ready);
}

static struct text column_ratio(const struct row *row)
{
	struct text text;
	double ratio;

	if (!row->sum.ready)
		return dash();
	ratio = (double)row->sum.scanned / row->sum.ready;
	if (ratio >= 999.5)
		return text_count(ratio);
	snprintf(text.buf, sizeof(text.buf), "%.*f", ratio < 99.95 ? 2 : 0, ratio);
	return text;
}

static struct text column_passes(const struct row *row)
{
	return per_call(row, row->sum.passes);
}

static struct text column_empty(const struct row *row)
{
	return text_count(row->timeouts);
}

static struct text column_sets(const struct row *row)
{
	return text_bytes(row->sum.set_copy_bytes);
}

static const struct column scan_columns[] = {
	{ "PROCESS", -12, column_process, BY_PROCESS },
	{ "PID", 7, column_pid, BY_PROCESS },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "CALL", -12, column_call, BY_CALL },
	{ "ASKED", 5, column_asked, 0 },
	{ "SCANNED", 7, column_scanned, 0 },
	{ "READY", 5, column_ready, 0 },
	{ "RATIO", 5, column_ratio, 0 },
	{ "PASSES", 6, column_passes, 0 },
	{ "TIMEOUT", 7, column_empty, 0 },
	{ "SETS", 5, column_sets, 0 },
};

static struct text column_bytes(const struct row *row)
{
	u8 ret = calls[row->key.call].ret;

	if (row->key.call && (ret == RET_OK || ret == RET_READY))
		return dash();
	return text_bytes(row->sum.bytes);
}

static struct text column_zero(const struct row *row)
{
	return text_count(row->sum.zero);
}

static struct text column_eagain(const struct row *row)
{
	return text_count(row->sum.eagain);
}

static struct text column_eintr(const struct row *row)
{
	return text_count(row->sum.eintr + row->sum.restarted);
}

static struct text column_errors(const struct row *row)
{
	return text_count(row->sum.errors);
}

static struct text quantile(const struct row *row, double q)
{
	double ns = row_quantile(row, HIST_WALL, q);

	return ns < 0 ? dash() : text_ns(ns);
}

static struct text column_p50(const struct row *row)
{
	return quantile(row, 0.5);
}

static struct text column_p99(const struct row *row)
{
	return quantile(row, 0.99);
}

static const struct column result_columns[] = {
	{ "PROCESS", -12, column_process, BY_PROCESS },
	{ "PID", 7, column_pid, BY_PROCESS },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "CALL", -12, column_call, BY_CALL },
	{ "BYTES", 5, column_bytes, 0 },
	{ "ZERO", 5, column_zero, 0 },
	{ "EAGAIN", 6, column_eagain, 0 },
	{ "EINTR", 5, column_eintr, 0 },
	{ "ERRORS", 6, column_errors, 0 },
	{ "P50", 6, column_p50, 0 },
	{ "P99", 6, column_p99, 0 },
};

static struct text column_vain(const struct row *row)
{
	return text_count(row->sum.vain_wakes);
}

static struct text column_lag(const struct row *row)
{
	return row->sum.lag_calls ? text_ns(row->sum.lag_ns / row->sum.lag_calls) : dash();
}

static struct text column_wakes(const struct row *row)
{
	u64 sum = 0;

	for (u32 i = 0; i < row->nr_wakers; i++)
		sum += row->wakers[i].count;
	return text_count(sum);
}

/* The one that woke it most often, and its part of the wake-ups. */
static struct text column_waker(const struct row *row)
{
	static const char *const kinds[] = {
		[WAKER_NONE] = "?", [WAKER_TASK] = "", [WAKER_SOFTIRQ] = "(softirq)",
		[WAKER_HARDIRQ] = "(interrupt)", [WAKER_UNKNOWN] = "?",
	};
	const struct waker_count *most = NULL;
	struct text text;
	u64 sum = 0;

	for (u32 i = 0; i < row->nr_wakers; i++) {
		sum += row->wakers[i].count;
		if (row->wakers[i].count && (!most || row->wakers[i].count > most->count))
			most = &row->wakers[i];
	}
	if (!most)
		return dash();
	snprintf(text.buf, sizeof(text.buf), "%.16s %u%%",
		 most->waker.kind == WAKER_TASK ? text_name(most->waker.comm, COMM_LEN).buf :
		 kinds[most->waker.kind], (unsigned int)(100 * most->count / sum));
	return text;
}

static const struct column wake_columns[] = {
	{ "PROCESS", -12, column_process, BY_PROCESS },
	{ "PID", 7, column_pid, BY_PROCESS },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "CALL", -12, column_call, BY_CALL },
	{ "WAKES", 5, column_wakes, 0 },
	{ "VAIN", 5, column_vain, 0 },
	{ "LAG", 6, column_lag, 0 },
	{ "MOSTLY BY", 21, column_waker, 0 },
};

static bool woken_row(const struct row *row)
{
	return row->nr_wakers;
}

static bool use_color(FILE *out, const struct options *options)
{
	const char *term = getenv("TERM"), *none = getenv("NO_COLOR");

	if (options->color != COLOR_AUTO)
		return options->color == COLOR_ALWAYS;
	return isatty(fileno(out)) && !(none && *none) && !(term && !strcmp(term, "dumb"));
}

bool any_row(const struct row *row)
{
	(void)row;
	return true;
}

static bool wait_row(const struct row *row)
{
	return row->wait_calls;
}

static bool column_shown(const struct column *column, unsigned int by)
{
	bool apart = by & column->by;

	return !column->by || (column->by & COLUMN_NOT ? !apart : apart);
}

static void print_head(FILE *out, const struct report *report, const struct column *columns,
		       size_t count)
{
	bool color = use_color(out, report->options);
	const char *gap = "";

	fputs(color ? "\033[1m" : "", out);
	for (size_t i = 0; i < count; i++) {
		if (!column_shown(&columns[i], report->options->by))
			continue;
		fprintf(out, "%s%*s", gap, columns[i].width, columns[i].head);
		gap = " ";
	}
	fprintf(out, "%s\n", color ? "\033[0m" : "");
}

static void print_row(FILE *out, const struct report *report, const struct column *columns,
		      size_t count, const struct row *row)
{
	const char *gap = "";

	for (size_t i = 0; i < count; i++) {
		if (!column_shown(&columns[i], report->options->by))
			continue;
		fprintf(out, "%s%*s", gap, columns[i].width, columns[i].text(row).buf);
		gap = " ";
	}
	putc('\n', out);
}

/* Without -N, what a person can still look through. */
#define TOP_DEFAULT 50

void print_rows(FILE *out, const struct report *report, const struct column *columns,
		size_t count, bool (*wanted)(const struct row *row))
{
	u32 rows_count, shown = 0, left = 0;
	struct row **rows = report_rows(report, &rows_count);

	for (u32 i = 0; i < rows_count; i++) {
		if (!wanted(rows[i]))
			continue;
		if (!report->options->top && shown == TOP_DEFAULT) {
			left++;
			continue;
		}
		if (!shown++)
			print_head(out, report, columns, count);
		print_row(out, report, columns, count, rows[i]);
	}
	if (left)
		fprintf(out, "... and %u rows more (-N COUNT shows so many, -s orders them)\n", left);
	if (shown)
		putc('\n', out);
	free(rows);
}

/* Threads still inside a call, one line for each call, the oldest first named. */
static void print_in_flight(FILE *out, const struct reading *reading)
{
	for (u32 call = 1; call < NR_CALLS; call++) {
		const struct in_flight *oldest = NULL;
		u32 threads = 0;

		for (u32 i = 0; i < reading->nr_in_flight; i++) {
			const struct in_flight *thread = &reading->in_flight[i];

			if (thread->call != call)
				continue;
			threads++;
			if (!oldest || thread->age_ns > oldest->age_ns)
				oldest = thread;
		}
		if (!threads)
			continue;
		fprintf(out, "still inside %s: %u thread%s, oldest %s%s (%s, tid %u)\n",
			calls[call].name, threads, threads == 1 ? "" : "s",
			oldest->age_bound ? "over " : "", text_ns(oldest->age_ns).buf,
			text_name(oldest->comm, COMM_LEN).buf, oldest->tid);
	}
}

static void print_cost(FILE *out, const struct report *report)
{
	const struct cost *cost = report->cost;
	double share = cost_bpf_share(cost);
	double own = (double)(cost->user_ns + cost->system_ns) / cost->watched_ns;
	char bpf[32] = "-";

	if (share >= 0)
		snprintf(bpf, sizeof(bpf), "%.2f%%", share * 100);
	fprintf(out, "cost: hooks %s CPU, iophase %.2f%%, set-up %s; memory %sB, BPF %sB\n",
		bpf, own * 100, text_ns(cost->setup_ns).buf,
		text_bytes(cost->max_rss_bytes).buf, text_bytes(cost->bpf_memory_bytes).buf);
}

static void print_title(FILE *out, const struct report *report)
{
	char clock[32] = "";
	struct tm tm;

	if (report->options->timestamp && localtime_r(&report->at.tv_sec, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S  ", &tm);
	fprintf(out, "%s%s seen, %s backend\n", clock, text_ns(report->duration_ns).buf,
		report->backend);
}

static void print_calls(FILE *out, const struct report *report)
{
	print_rows(out, report, time_columns, ARRAY_SIZE(time_columns), any_row);
	print_rows(out, report, scan_columns, ARRAY_SIZE(scan_columns), wait_row);
	if (verbose) {
		print_rows(out, report, result_columns, ARRAY_SIZE(result_columns), any_row);
		print_rows(out, report, wake_columns, ARRAY_SIZE(wake_columns), woken_row);
	}
}

void print_remarks(FILE *out, const struct report *report)
{
	print_in_flight(out, report->reading);
	report_losses(out, report);
	if (report->last)
		print_cost(out, report);
}

static void print(FILE *out, const struct report *report)
{
	print_title(out, report);
	if (!report->reading->rows.table)
		fputs("no watched call ended in this time\n", out);
	if (report->options->by & BY_MODEL)
		print_models(out, report);
	else if (report->options->by & BY_FD)
		print_descriptors(out, report);
	else if (report->options->by & BY_LOOP)
		print_loops(out, report);
	else
		print_calls(out, report);
	print_remarks(out, report);
}

const struct output output_table = { .print = print };
