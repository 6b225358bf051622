// SPDX-License-Identifier: GPL-2.0-only
/* The tables of descriptors: what they are and what was called on them; then how they were served. */
#include <stdio.h>
#include <string.h>

#include "model/fd.h"
#include "output/table.h"

static const struct descriptor_sum *sum_of(const struct row *row)
{
	return &row->fd->descriptor.sum;
}

static struct text column_fd(const struct row *row)
{
	const struct descriptor_head *head = &row->fd->head;
	struct text text;

	if (row->fd->many || !row->key.proc)
		return dash();
	/* Closed, and perhaps in use again for another. */
	snprintf(text.buf, sizeof(text.buf), "%u%s", head->fd,
		 fd_closed(row->fd) ? "x" : "");
	return text;
}

static struct text column_watch(const struct row *row)
{
	return fd_watch(row->fd);
}

static struct text column_calls(const struct row *row)
{
	return text_count(row->sum.calls);
}

static struct text column_in(const struct row *row)
{
	return text_bytes(sum_of(row)->in_bytes);
}

static struct text column_out(const struct row *row)
{
	return text_bytes(sum_of(row)->out_bytes);
}

static struct text column_blocked(const struct row *row)
{
	return text_ns(row->sum.blocked_ns);
}

static struct text column_name(const struct row *row)
{
	struct text text = fd_name(row->fd, text_name);

	if (strlen(text.buf) > 35)
		strcpy(text.buf + 34, "+");
	return text;
}

static const struct column use_columns[] = {
	{ "PID", 7, column_pid, 0 },
	{ "FD", 6, column_fd, 0 },
	{ "WATCH", -6, column_watch, 0 },
	{ "CALLS", 5, column_calls, 0 },
	{ "IN", 5, column_in, 0 },
	{ "OUT", 5, column_out, 0 },
	{ "BLOCKED", 7, column_blocked, 0 },
	{ "NAME", -1, column_name, 0 },
};

static struct text column_reported(const struct row *row)
{
	return fd_ambiguous(row->fd) ? dash() : text_count(sum_of(row)->reported);
}

static struct text column_unserved(const struct row *row)
{
	return fd_ambiguous(row->fd) ? dash() : text_count(sum_of(row)->unserved);
}

static struct text column_undrained(const struct row *row)
{
	return fd_ambiguous(row->fd) ? dash() : text_count(sum_of(row)->undrained);
}

static struct text column_left(const struct row *row)
{
	u32 left = fd_left(row->fd);

	return left == LEFT_UNKNOWN ? dash() : text_count(left);
}

/* A mean; of what was not seen to become ready it is known only how long it can have been. */
static struct text column_lag(const struct row *row)
{
	const struct descriptor_sum *sum = sum_of(row);

	if (sum->timed_reports)
		return text_ns((double)sum->report_ns / sum->timed_reports);
	if (sum->untimed_reports)
		return marked('<', text_ns((double)sum->untimed_most_ns / sum->untimed_reports));
	return dash();
}

static struct text column_served(const struct row *row)
{
	const struct descriptor_sum *sum = sum_of(row);

	return sum->serves ? text_ns((double)sum->serve_ns / sum->serves) : dash();
}

static struct text column_p99(const struct row *row)
{
	double ns = fd_lag_quantile(row->fd->descriptor.serve_hist, 0.99);

	return ns < 0 ? dash() : text_ns(ns);
}

static const struct column service_columns[] = {
	{ "PROCESS", -11, column_process, 0 },
	{ "PID", 7, column_pid, 0 },
	{ "FD", 6, column_fd, 0 },
	{ "REPORTED", 8, column_reported, 0 },
	{ "UNSERVED", 8, column_unserved, 0 },
	{ "UNDRAIN", 7, column_undrained, 0 },
	{ "LEFT", 5, column_left, 0 },
	{ "LAG", 6, column_lag, 0 },
	{ "SERVED", 6, column_served, 0 },
	{ "P99", 6, column_p99, 0 },
};

static bool reported_row(const struct row *row)
{
	return sum_of(row)->reported || row->fd->descriptor.watch;
}

void print_descriptors(FILE *out, const struct report *report)
{
	print_rows(out, report, use_columns, ARRAY_SIZE(use_columns), any_row);
	print_rows(out, report, service_columns, ARRAY_SIZE(service_columns), reported_row);
}
