// SPDX-License-Identifier: GPL-2.0-only
#include "output/json_rows.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "model/calls.h"
#include "model/fd.h"
#include "model/models.h"
#include "text.h"

static void set_null(json_t *object, const char *key)
{
	json_object_set_new(object, key, json_null());
}

static void set_string(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_string(value));
}

static void set_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

/* Of 64 bits, which a number in JSON may not hold. */
static void set_hex(json_t *object, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	set_string(object, key, text);
}

static const struct {
	u32 bit;
	const char *name;
} event_names[] = {
	{ EPOLLIN, "in" }, { EPOLLPRI, "pri" }, { EPOLLOUT, "out" }, { EPOLLERR, "err" },
	{ EPOLLHUP, "hup" }, { EPOLLRDHUP, "rdhup" },
};

static json_t *events_json(u32 mask)
{
	json_t *array = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(event_names); i++) {
		if (mask & event_names[i].bit)
			json_array_append_new(array, json_string(event_names[i].name));
	}
	return array;
}

/* How it is waited for; null: not seen to be. */
static json_t *interest_json(const struct descriptor *d)
{
	json_t *object;

	if (!watch_name(d->watch))
		return json_null();
	object = json_object();
	set_string(object, "by", watch_name(d->watch));
	json_object_set_new(object, "events", events_json(d->mask));
	if (d->watch != WATCH_EPOLL)
		return object;
	set_hex(object, "mask", d->mask);
	set_bool(object, "et", d->mask & EPOLLET);
	set_bool(object, "oneshot", d->mask & EPOLLONESHOT);
	set_bool(object, "exclusive", d->mask & EPOLLEXCLUSIVE);
	set_bool(object, "wakeup", d->mask & EPOLLWAKEUP);
	set_hex(object, "data", d->data);
	set_hex(object, "instance", d->ep);
	set_bool(object, "ambiguous", d->flags & FD_AMBIGUOUS);
	if (d->since_ns)
		set_u64(object, "since_ns", d->since_ns);
	else
		set_null(object, "since_ns");
	set_u64(object, "sets", d->sets);
	return object;
}

static json_t *flags_json(const struct row_fd *fd)
{
	json_t *object = json_object();

	if (fd->head.named)
		set_bool(object, "nonblock", fd->head.nonblock);
	else
		set_null(object, "nonblock");
	set_bool(object, "shared", fd_shared(fd));
	set_bool(object, "closed", fd_closed(fd));
	return object;
}

/* Bucket i, but for the first and last, is [2^(i + 10), 2^(i + 11)) ns. */
static json_t *lag_hist_json(const u32 *hist)
{
	json_t *array = json_array();

	for (int i = 0; i < LAG_BUCKETS; i++) {
		if (hist[i])
			json_array_append_new(array, json_pack("[i,I]", i + LAG_BASE,
							       (json_int_t)hist[i]));
	}
	return array;
}

/* A sum over @count, which is not known if there were none. */
static json_t *times_json(u64 count, u64 ns, json_t *hist)
{
	return json_pack("{s:I,s:o,s:o}", "count", (json_int_t)count,
			 "ns", count ? json_integer(ns) : json_null(), "hist", hist);
}

static json_t *fd_lag_json(const struct descriptor *d)
{
	const struct descriptor_sum *sum = &d->sum;
	json_t *object = json_object();

	json_object_set_new(object, "ready_to_reported",
			    times_json(sum->timed_reports, sum->report_ns,
				       lag_hist_json(d->report_hist)));
	json_object_set_new(object, "reported_to_served",
			    times_json(sum->serves, sum->serve_ns, lag_hist_json(d->serve_hist)));
	set_u64(object, "untimed", sum->untimed_reports);
	if (sum->untimed_reports)
		set_u64(object, "untimed_most_ns", sum->untimed_most_ns);
	else
		set_null(object, "untimed_most_ns");
	return object;
}

/* Which errors they were is kept by call only. */
static json_t *fd_results_json(const struct row *row)
{
	const struct totals *sum = &row->sum;

	return json_pack("{s:I,s:I,s:I,s:I}", "ok",
			 (json_int_t)(sum->calls - sum->zero - sum->eagain - sum->errors),
			 "zero", (json_int_t)sum->zero, "eagain", (json_int_t)sum->eagain,
			 "errors", (json_int_t)sum->errors);
}

static json_t *left_json(u8 kind, u32 left)
{
	if (left == LEFT_UNKNOWN || !*kind_unit(kind))
		return json_null();
	return json_pack("{s:I,s:s}", "count", (json_int_t)left, "unit", kind_unit(kind));
}

/* What reports of a descriptor that shares its data with another are is not known. */
static void set_reports(json_t *object, const struct row_fd *fd)
{
	const struct descriptor *d = &fd->descriptor;

	if (fd_ambiguous(fd)) {
		static const char *const keys[] = {
			"reported", "reported_with", "unserved", "drained", "undrained", "lag",
		};

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			set_null(object, keys[i]);
		return;
	}
	set_u64(object, "reported", d->sum.reported);
	json_object_set_new(object, "reported_with",
			    json_pack("{s:I,s:I,s:I,s:I}", "in", (json_int_t)d->masks[0],
				      "out", (json_int_t)d->masks[1],
				      "hup", (json_int_t)d->masks[2],
				      "err", (json_int_t)d->masks[3]));
	set_u64(object, "unserved", d->sum.unserved);
	set_u64(object, "drained", d->sum.drained);
	set_u64(object, "undrained", d->sum.undrained);
	json_object_set_new(object, "lag", fd_lag_json(d));
}

/* The readiness hook sees all that epoll waits for; select and poll have the other means. */
static const char *fd_lag_tier(const struct report *report, const struct descriptor *d)
{
	return d->watch == WATCH_EPOLL || d->watch == WATCH_NONE ? report->fd_lag_tier : "bound";
}

void set_fd(json_t *object, json_t *tiers, const struct report *report, const struct row *row)
{
	const struct row_fd *fd = row->fd;
	const struct descriptor *d = &fd->descriptor;

	if (fd->many || !row->key.proc)
		set_null(object, "fd");
	else
		set_u64(object, "fd", fd->head.fd);
	set_string(object, "kind", fd->many ? "merged" : kind_name(d->kind));
	set_string(object, "name", fd_name(fd, text_json_name).buf);
	if (tcp_state_name(fd))
		set_string(object, "state", tcp_state_name(fd));
	else
		set_null(object, "state");
	json_object_set_new(object, "flags", flags_json(fd));
	json_object_set_new(object, "interest", interest_json(d));
	if (model_of_fd(fd))
		set_string(object, "model", model_of_fd(fd));
	else
		set_null(object, "model");
	json_object_set_new(object, "results", fd_results_json(row));
	set_u64(object, "in_bytes", d->sum.in_bytes);
	set_u64(object, "out_bytes", d->sum.out_bytes);
	set_reports(object, fd);
	json_object_set_new(object, "left", left_json(d->kind, d->left));
	json_object_set_new(object, "queued", left_json(d->kind, fd->head.queued));
	if (fd->many)
		set_u64(object, "merged", fd->merged);
	set_tier(tiers, "lag", fd_lag_tier(report, d));
}

static json_t *blocked_json(const struct event_loop *loop)
{
	json_t *object = json_object();

	for (int call = 0; call < NR_CALLS; call++) {
		if (loop->blocked_ns[call])
			set_u64(object, call ? calls[call].name : "other", loop->blocked_ns[call]);
	}
	return object;
}

static json_t *loop_lag_json(const struct event_loop *loop)
{
	const struct loop_sum *sum = &loop->sum;
	json_t *object = json_object();

	json_object_set_new(object, "ready_to_reported",
			    times_json(sum->timed_reports, sum->report_ns,
				       buckets_json(loop->report_hist, sum->timed_reports)));
	json_object_set_new(object, "reported_to_served",
			    times_json(sum->serves, sum->serve_ns,
				       buckets_json(loop->serve_hist, sum->serves)));
	set_u64(object, "untimed", sum->untimed_reports);
	return object;
}

static json_t *turn_json(const struct row_loop *row)
{
	const struct event_loop *loop = &row->figures;
	const struct loop_sum *sum = &loop->sum;
	json_t *object = json_object();

	set_u64(object, "count", sum->turns);
	set_u64(object, "wall_ns", sum->turn_ns);
	set_u64(object, "on_cpu_ns", loop_turn_on_cpu_ns(row));
	set_u64(object, "runnable_ns", sum->turn_runnable_ns);
	set_u64(object, "blocked_ns", sum->turn_blocked_ns);
	json_object_set_new(object, "blocked_in", blocked_json(loop));
	json_object_set_new(object, "hist", buckets_json(loop->turn_hist, sum->turns));
	json_object_set_new(object, "under_way",
			    json_pack("{s:i,s:I}", "threads", row->turning, "oldest_ns",
				      (json_int_t)row->turning_ns));
	return object;
}

void set_loop(json_t *object, json_t *tiers, const struct report *report, const struct row *row)
{
	const struct event_loop *loop = &row->loop->figures;
	const struct loop_sum *sum = &loop->sum;
	bool epoll = loop->key.watch == WATCH_EPOLL;
	json_t *figures = json_object();

	set_string(figures, "by", watch_name(loop->key.watch) ? : "merged");
	if (epoll)
		set_u64(figures, "epfd", loop->epfd);
	else
		set_u64(figures, "tid", loop->key.tid);
	if (epoll)
		set_hex(figures, "instance", loop->key.ep);
	set_u64(figures, "threads", loop->threads);
	json_object_set_new(figures, "turns", turn_json(row->loop));
	set_u64(figures, "waits", sum->waits);
	set_u64(figures, "empty", sum->empty);
	set_u64(figures, "failed", sum->failed);
	set_u64(figures, "full", sum->full);
	set_u64(figures, "events", sum->events);
	set_u64(figures, "unknown_events", sum->unknown);
	set_u64(figures, "truncated_events", sum->truncated);
	if (epoll)
		set_u64(figures, "ctl_calls", sum->ctl_calls);
	else
		set_null(figures, "ctl_calls");
	if (row->loop->descriptors == ASKED_UNKNOWN)
		set_null(figures, "descriptors");
	else
		set_u64(figures, "descriptors", row->loop->descriptors);
	json_object_set_new(figures, "utilisation", json_real(loop_utilisation(row->loop, report->duration_ns)));
	json_object_set_new(figures, "lag", loop_lag_json(loop));
	json_object_set_new(object, "loop", figures);
	set_tier(tiers, "lag", epoll ? report->fd_lag_tier : "bound");
}

json_t *loop_processes_json(const struct rows *rows)
{
	json_t *array = json_array();
	struct rows processes;
	struct row *row, *next;

	rows_init(&processes, rows->by);
	HASH_ITER(hh, rows->table, row, next) {
		struct row *process;

		if (!row->key.proc)
			continue;
		process = rows_get(&processes, (struct row_key){ .proc = row->key.proc });
		row_add_loop(process, row->loop);
		memcpy(process->comm, row->comm, COMM_LEN);
	}
	HASH_ITER(hh, processes.table, row, next)
		json_array_append_new(array, json_pack("{s:i,s:s,s:o}", "tgid",
			proc_tgid(row->key.proc), "comm", text_json_name(row->comm, COMM_LEN).buf,
			"lag", loop_lag_json(&row->loop->figures)));
	rows_free(&processes);
	return array;
}
