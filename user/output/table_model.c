// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of models of input: what part each has of the calls, the bytes and the time; then what
 * that costs; then the waits that serve it.
 */
#include <string.h>

#include "model/fd.h"
#include "model/models.h"
#include "output/table.h"

static const struct model_sum *sum_of(const struct row *row)
{
	return &row->model->sum;
}

static struct text column_model(const struct row *row)
{
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%s", model_name(row->key.model));
	return text;
}

static struct text column_fd(const struct row *row)
{
	const struct row_fd *fd = row->model->fd;
	struct text text;

	if (!model_fd_known(row))
		return dash();
	snprintf(text.buf, sizeof(text.buf), "%u%s", fd->head.fd, fd_closed(fd) ? "x" : "");
	return text;
}

static struct text column_calls(const struct row *row)
{
	return text_count(row->sum.calls);
}

static struct text percent(double share)
{
	struct text text;

	if (share < 0)
		return dash();
	/* What there is at all is not 0 %, and what is not all is not 100 %. */
	if (share > 0 && share < 0.005)
		return (struct text){ "<1%" };
	if (share < 1 && share >= 0.995)
		return (struct text){ ">99%" };
	snprintf(text.buf, sizeof(text.buf), "%.0f%%", share * 100);
	return text;
}

static struct text share_calls(const struct row *row)
{
	return percent(row->model->shares.calls);
}

static struct text share_bytes(const struct row *row)
{
	return percent(row->model->shares.bytes);
}

static struct text share_time(const struct row *row)
{
	return percent(row->model->shares.time);
}

static struct text column_bytes(const struct row *row)
{
	return text_bytes(row->sum.bytes);
}

static struct text column_time(const struct row *row)
{
	return text_ns(model_time_ns(sum_of(row)));
}

static struct text column_blocked(const struct row *row)
{
	return text_ns(sum_of(row)->blocked_ns + sum_of(row)->wait_blocked_ns +
		       sum_of(row)->submit_blocked_ns);
}

static struct text column_cpu(const struct row *row)
{
	return text_ns(model_cpu_ns(sum_of(row)));
}

static const struct column share_columns[] = {
	{ "PROCESS", -11, column_process, 0 },
	{ "PID", 7, column_pid, NOT_BY(BY_THREAD) },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "MODEL", -11, column_model, 0 },
	{ "CALLS", 5, column_calls, 0 },
	{ "%", 4, share_calls, 0 },
	{ "BYTES", 5, column_bytes, 0 },
	{ "%", 4, share_bytes, 0 },
	{ "TIME", 6, column_time, 0 },
	{ "%", 4, share_time, 0 },
	{ "BLOCKED", 7, column_blocked, 0 },
	{ "CPU", 6, column_cpu, 0 },
};

static struct text column_name(const struct row *row)
{
	struct text text;

	if (!row->model->fd)
		return dash();
	text = fd_name(row->model->fd, text_name);
	if (strlen(text.buf) > 24)
		strcpy(text.buf + 23, "+");
	return text;
}

static const struct column fd_columns[] = {
	{ "PID", 7, column_pid, 0 },
	{ "FD", 6, column_fd, 0 },
	{ "MODEL", -11, column_model, 0 },
	{ "CALLS", 5, column_calls, 0 },
	{ "%", 4, share_calls, 0 },
	{ "BYTES", 5, column_bytes, 0 },
	{ "%", 4, share_bytes, 0 },
	{ "BLOCKED", 7, column_blocked, 0 },
	{ "NAME", -1, column_name, 0 },
};

static struct text column_eagain(const struct row *row)
{
	return text_count(row->sum.eagain);
}

static struct text column_eagain_share(const struct row *row)
{
	return row->sum.calls ? percent((double)row->sum.eagain / row->sum.calls) : dash();
}

/* On the CPU, waits included, for each byte that came of it. */
static struct text column_cpu_byte(const struct row *row)
{
	return row->sum.bytes ? text_ns((double)model_cpu_ns(sum_of(row)) / row->sum.bytes) : dash();
}

/* An average for each wait, with one decimal while it is small. */
static struct text per_wait(const struct row *row, u64 figure)
{
	double average = (double)figure / sum_of(row)->waits;
	struct text text;

	if (average >= 999.5)
		return text_count(average);
	snprintf(text.buf, sizeof(text.buf), "%.*f", average < 99.95 ? 1 : 0, average);
	return text;
}

static struct text column_waits(const struct row *row)
{
	return sum_of(row)->waits ? text_count(sum_of(row)->waits) : dash();
}

static struct text column_scanned(const struct row *row)
{
	return sum_of(row)->waits && model_scans(row->key.model) ?
	       per_wait(row, sum_of(row)->scanned) : dash();
}

static struct text column_ready(const struct row *row)
{
	/* What is collected from a ring of io_uring no call says. */
	return sum_of(row)->waits && row->key.model != MODEL_IO_URING ?
	       per_wait(row, sum_of(row)->ready) : dash();
}

static struct text column_empty(const struct row *row)
{
	return sum_of(row)->waits ? text_count(sum_of(row)->empty) : dash();
}

static const struct column cost_columns[] = {
	{ "PROCESS", -11, column_process, 0 },
	{ "PID", 7, column_pid, NOT_BY(BY_THREAD) },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "MODEL", -11, column_model, 0 },
	{ "EAGAIN", 6, column_eagain, 0 },
	{ "%", 4, column_eagain_share, 0 },
	{ "CPU/BYTE", 8, column_cpu_byte, 0 },
	{ "WAITS", 5, column_waits, 0 },
	{ "SCANNED", 7, column_scanned, 0 },
	{ "READY", 5, column_ready, 0 },
	{ "EMPTY", 5, column_empty, 0 },
};

static struct text mean(u64 ns, u64 count)
{
	return count ? text_ns((double)ns / count) : dash();
}

static struct text column_signals(const struct row *row)
{
	return text_count(sum_of(row)->signals);
}

static struct text column_by_handler(const struct row *row)
{
	return text_count(sum_of(row)->by_handler);
}

static struct text column_by_wait(const struct row *row)
{
	return text_count(sum_of(row)->by_wait);
}

static struct text column_by_signalfd(const struct row *row)
{
	return text_count(sum_of(row)->by_signalfd);
}

static struct text column_merged(const struct row *row)
{
	return text_count(sum_of(row)->merged);
}

static struct text column_overflown(const struct row *row)
{
	return text_count(sum_of(row)->overflown);
}

static struct text column_told(const struct row *row)
{
	return mean(sum_of(row)->told_ns, sum_of(row)->timed_told);
}

static struct text column_heard(const struct row *row)
{
	return mean(sum_of(row)->heard_ns, sum_of(row)->timed_heard);
}

static const struct column signal_columns[] = {
	{ "PROCESS", -11, column_process, 0 },
	{ "PID", 7, column_pid, NOT_BY(BY_THREAD) },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "SIGNALS", 7, column_signals, 0 },
	{ "HANDLER", 7, column_by_handler, 0 },
	{ "WAIT", 5, column_by_wait, 0 },
	{ "SIGFD", 5, column_by_signalfd, 0 },
	{ "MERGED", 6, column_merged, 0 },
	{ "OVERFL", 6, column_overflown, 0 },
	{ "TOLD", 6, column_told, 0 },
	{ "CALLED", 6, column_heard, 0 },
};

static bool signal_row(const struct row *row)
{
	return row->key.model == MODEL_SIGNAL;
}

static struct text column_requests(const struct row *row)
{
	return text_count(sum_of(row)->requests);
}

static struct text column_in_flight(const struct row *row)
{
	return sum_of(row)->unseen ? dash() : text_count(row->model->in_flight);
}

/* What is collected was complete before. */
static struct text column_latency(const struct row *row)
{
	struct text text = mean(sum_of(row)->complete_ns, sum_of(row)->timed_completions);

	return row->key.model == MODEL_AIO && sum_of(row)->timed_completions ? marked('<', text) : text;
}

/* Results for each call that hands in or waits. */
static struct text column_batch(const struct row *row)
{
	u64 calls = sum_of(row)->submits + sum_of(row)->waits;
	struct text text;

	if (!calls)
		return dash();
	snprintf(text.buf, sizeof(text.buf), "%.1f", (double)row->sum.calls / calls);
	return text;
}

static struct text column_submit_blocked(const struct row *row)
{
	return text_ns(sum_of(row)->submit_blocked_ns);
}

static struct text column_queued(const struct row *row)
{
	return row->key.model == MODEL_IO_URING ? text_count(sum_of(row)->queued) : dash();
}

static struct text column_shots(const struct row *row)
{
	return row->key.model == MODEL_IO_URING ? text_count(sum_of(row)->shots) : dash();
}

static struct text column_polls(const struct row *row)
{
	return row->key.model == MODEL_IO_URING ? text_count(sum_of(row)->polls) : dash();
}

static const struct column request_columns[] = {
	{ "PROCESS", -11, column_process, 0 },
	{ "PID", 7, column_pid, NOT_BY(BY_THREAD) },
	{ "TID", 7, column_tid, BY_THREAD },
	{ "MODEL", -8, column_model, 0 },
	{ "REQS", 5, column_requests, 0 },
	{ "FLIGHT", 6, column_in_flight, 0 },
	{ "DONE", 7, column_latency, 0 },
	{ "/CALL", 5, column_batch, 0 },
	{ "SUBMIT", 6, column_submit_blocked, 0 },
	{ "WORKER", 6, column_queued, 0 },
	{ "MORE", 5, column_shots, 0 },
	{ "POLLS", 5, column_polls, 0 },
};

static bool request_row(const struct row *row)
{
	return model_requests(row->key.model);
}

/* Where the kernel does not show requests of io_uring. */
static bool aio_row(const struct row *row)
{
	return row->key.model == MODEL_AIO;
}

void print_models(FILE *out, const struct report *report)
{
	if (report->options->by & BY_FD) {
		print_rows(out, report, fd_columns, ARRAY_SIZE(fd_columns), any_row);
		return;
	}
	print_rows(out, report, share_columns, ARRAY_SIZE(share_columns), any_row);
	print_rows(out, report, cost_columns, ARRAY_SIZE(cost_columns), any_row);
	if (report->signals_seen)
		print_rows(out, report, signal_columns, ARRAY_SIZE(signal_columns), signal_row);
	print_rows(out, report, request_columns, ARRAY_SIZE(request_columns),
		   report->uring_seen ? request_row : aio_row);
}
