// SPDX-License-Identifier: GPL-2.0-only
/* JSON and NDJSON: docs/iophase.schema.json describes the document. */
#include <err.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/calls.h"
#include "fail.h"
#include "output/json_report.h"
#include "output/json_rows.h"
#include "output/output.h"
#include "text.h"
#include "version.h"

static const char *const loss_names[NR_LOSSES] = {
#define LOSS(name, text) [LOSS_##name] = #name,
#include "bpf/losses.def"
#undef LOSS
};

static const char *const phase_names[] = {
	[PHASE_ON_CPU] = "on_cpu",
	[PHASE_BLOCKED] = "blocked",
	[PHASE_WOKEN] = "runnable",
	[PHASE_PREEMPTED] = "runnable",
};

static const char *const waker_names[] = {
	[WAKER_NONE] = "unknown",
	[WAKER_TASK] = "task",
	[WAKER_SOFTIRQ] = "softirq",
	[WAKER_HARDIRQ] = "hardirq",
	[WAKER_UNKNOWN] = "unknown",
};

void set_u64(json_t *object, const char *key, u64 value)
{
	json_object_set_new(object, key, json_integer(value));
}

static void set_name(json_t *object, const char *key, const char *name)
{
	json_object_set_new(object, key, json_string(text_json_name(name, COMM_LEN).buf));
}

static json_t *losses_json(const struct report *report)
{
	json_t *object = json_object();

	for (int i = 0; i < NR_LOSSES; i++)
		set_u64(object, loss_names[i], report->reading->losses[i]);
	/* What seccomp answers does not come as far as the calls themselves, either. */
	if (report->direct) {
		json_object_set_new(object, loss_names[LOSS_compat_calls], json_null());
		json_object_set_new(object, loss_names[LOSS_denied_calls], json_null());
	}
	set_u64(object, "recursion_misses", report->cost->recursion_misses);
	return object;
}

static json_t *in_flight_json(const struct reading *reading)
{
	json_t *array = json_array();

	for (u32 i = 0; i < reading->nr_in_flight; i++) {
		const struct in_flight *thread = &reading->in_flight[i];
		json_t *object = json_object();

		set_u64(object, "tgid", thread->tgid);
		set_u64(object, "tid", thread->tid);
		set_name(object, "comm", thread->comm);
		json_object_set_new(object, "call", json_string(calls[thread->call].name));
		json_object_set_new(object, "phase", json_string(phase_names[thread->phase]));
		set_u64(object, "age_ns", thread->age_ns);
		json_object_set_new(object, "age_tier",
				    json_string(thread->age_bound ? "lower_bound" : "exact"));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *left_out_json(const struct reading *reading)
{
	json_t *array = json_array();

	for (u32 i = 0; i < reading->nr_left_out; i++) {
		json_t *object = json_object();

		set_u64(object, "tgid", reading->left_out[i].tgid);
		set_name(object, "comm", reading->left_out[i].calls.comm);
		set_u64(object, "calls", reading->left_out[i].calls.calls);
		json_array_append_new(array, object);
	}
	return array;
}

json_t *buckets_json(const u64 *buckets, u64 left)
{
	json_t *array = json_array();

	for (int i = 0; i < HIST_BUCKETS; i++) {
		u64 count = buckets[i];

		if (!count)
			continue;
		json_array_append_new(array, json_pack("[I,I]", (json_int_t)(i + HIST_BASE),
						       (json_int_t)count));
		left -= count < left ? count : left;
	}
	/* Those in no bucket are those for which the time was 0. */
	if (left)
		json_array_insert_new(array, 0, json_pack("[n,I]", (json_int_t)left));
	return array;
}

static json_t *hist_json(const struct row *row, int which)
{
	return buckets_json(row->hist->buckets[which], row->sum.calls);
}

static json_t *hists_json(const struct row *row)
{
	return json_pack("{s:o,s:o,s:o,s:o}", "wall", hist_json(row, HIST_WALL),
			 "blocked", hist_json(row, HIST_BLOCKED),
			 "runnable", hist_json(row, HIST_RUNNABLE),
			 "on_cpu", hist_json(row, HIST_ON_CPU));
}

static json_t *results_json(const struct row *row)
{
	const struct totals *sum = &row->sum;
	json_t *errors = json_object(), *object = json_object();

	for (u32 i = 0; i < row->nr_errnos; i++) {
		char number[16];

		if (!row->errnos[i].count)
			continue;
		snprintf(number, sizeof(number), "%u", row->errnos[i].error);
		set_u64(errors, number, row->errnos[i].count);
	}
	set_u64(object, "ok", sum->calls - sum->zero - sum->eagain - sum->eintr - sum->restarted -
		sum->errors);
	set_u64(object, "zero", sum->zero);
	set_u64(object, "eagain", sum->eagain);
	set_u64(object, "eintr", sum->eintr);
	set_u64(object, "restarted", sum->restarted);
	json_object_set_new(object, "errors", errors);
	return object;
}

static json_t *wakers_json(const struct row *row)
{
	json_t *array = json_array();

	for (u32 i = 0; i < row->nr_wakers; i++) {
		const struct waker_count *waker = &row->wakers[i];
		json_t *object;

		if (!waker->count)
			continue;
		object = json_object();
		json_object_set_new(object, "kind", json_string(waker_names[waker->waker.kind]));
		if (waker->waker.kind == WAKER_TASK) {
			set_u64(object, "tgid", waker->waker.tgid);
			set_name(object, "comm", waker->waker.comm);
		}
		set_u64(object, "wakes", waker->count);
		json_array_append_new(array, object);
	}
	return array;
}

void set_tier(json_t *tiers, const char *figure, const char *tier)
{
	json_object_set_new(tiers, figure, json_string(tier));
}

/* What became ready while nobody waited is seen by a hook of its own only, and only of epoll. */
static void set_lag(json_t *object, json_t *tiers, const struct report *report,
		    const struct row *row)
{
	bool epoll = row->key.call && calls[row->key.call].args == ARGS_EPOLL;

	if (row->sum.lag_calls)
		set_u64(object, "lag_ns", row->sum.lag_ns);
	else
		json_object_set_new(object, "lag_ns", json_null());
	set_u64(object, "lag_calls", row->sum.lag_calls);
	set_tier(tiers, "lag", epoll ? report->lag_tier : "lower_bound");
}

static void set_wait(json_t *object, json_t *tiers, const struct report *report,
		     const struct row *row)
{
	const struct totals *sum = &row->sum;
	bool epoll = calls[row->key.call].args == ARGS_EPOLL;

	if (sum->asked_unknown && !sum->asked)
		json_object_set_new(object, "asked", json_null());
	else
		set_u64(object, "asked", sum->asked);
	set_u64(object, "scanned", sum->scanned);
	set_u64(object, "ready", sum->ready);
	set_u64(object, "passes", sum->passes);
	set_u64(object, "set_copy_bytes", sum->set_copy_bytes);
	if (sum->asked_unknown)
		set_tier(tiers, "asked", "lower_bound");
	else
		set_tier(tiers, "asked", epoll && report->reading->asked_bound ? "bound" : "exact");
	set_tier(tiers, "scanned", report->scan_tier);
	set_tier(tiers, "passes", report->scan_tier);
	set_lag(object, tiers, report, row);
}

static void set_bytes(json_t *object, json_t *tiers, const struct row *row)
{
	set_u64(object, "bytes", row->sum.bytes);
	if (row->sum.peek_bytes)
		set_u64(object, "peek_bytes", row->sum.peek_bytes);
	if (row->sum.messages)
		set_u64(object, "messages", row->sum.messages);
	set_tier(tiers, "bytes", "exact");
}

static void set_copy(json_t *object, json_t *tiers, const struct row *row)
{
	u8 class = calls[row->key.call].class;

	if (!row->key.call) {
		/* A sum over all calls lacks what output calls copied. */
		set_u64(object, "copy_ns", row->sum.copy_ns);
		set_tier(tiers, "copy", row->sum.copy_bound_ns ? "bound" : "lower_bound");
		set_tier(tiers, "kernel", row->sum.copy_bound_ns ? "bound" : "upper_bound");
	} else if (call_copies(row->key.call)) {
		set_u64(object, "copy_ns", row->sum.copy_ns);
		set_tier(tiers, "copy", row->sum.copy_bound_ns ? "upper_bound" : "exact");
		set_tier(tiers, "kernel", row->sum.copy_bound_ns ? "lower_bound" : "exact");
	} else if (class == CLASS_OUTPUT) {
		json_object_set_new(object, "copy_ns", json_null());
		set_tier(tiers, "kernel", "upper_bound");
	}
}

/* What a row has that is kept apart by calls, or is their sum. */
static void set_calls(json_t *object, json_t *tiers, const struct report *report,
		      const struct row *row)
{
	const struct call *call = &calls[row->key.call];

	set_copy(object, tiers, row);
	set_u64(object, "blocked_d_ns", row->sum.blocked_d_ns);
	if (!row->key.call || call->ret == RET_BYTES || call->ret == RET_SENT ||
	    call->ret == RET_MSGS)
		set_bytes(object, tiers, row);
	if (!row->key.call || args_are_set(call->args))
		set_wait(object, tiers, report, row);
	set_u64(object, "vain_wakes", row->sum.vain_wakes);
	if (row->sum.unfinished)
		set_u64(object, "unfinished", row->sum.unfinished);
	json_object_set_new(object, "results", results_json(row));
	json_object_set_new(object, "wakers", wakers_json(row));
	if (row->hist)
		json_object_set_new(object, "hist", hists_json(row));
}

static json_t *row_json(const struct report *report, const struct row *row)
{
	const struct totals *sum = &row->sum;
	const struct call *call = &calls[row->key.call];
	unsigned int by = report->options->by;
	json_t *object = json_object(), *tiers = json_object();

	if (by & BY_PROCESS)
		json_object_set_new(object, "tgid", row->key.proc ?
				    json_integer(proc_tgid(row->key.proc)) : json_null());
	if (by & BY_THREAD)
		json_object_set_new(object, "tid", row->key.tid ? json_integer(row->key.tid) :
				    json_null());
	if (by & (BY_PROCESS | BY_THREAD))
		set_name(object, "comm", row->comm);
	if (row->key.call) {
		json_object_set_new(object, "call", json_string(call->name));
		json_object_set_new(object, "class", json_string(class_name(call->class)));
	}
	set_u64(object, "calls", sum->calls);
	set_u64(object, "wall_ns", sum->wall_ns);
	set_u64(object, "blocked_ns", sum->blocked_ns);
	set_u64(object, "runnable_ns", sum->runnable_ns);
	set_u64(object, "kernel_ns", row_kernel_ns(row));
	if (row->model) {
		set_copy(object, tiers, row);
		set_model(object, tiers, report, row);
	} else if (row->fd) {
		set_copy(object, tiers, row);
		set_fd(object, tiers, report, row);
	} else if (row->loop) {
		set_loop(object, tiers, report, row);
	} else {
		set_calls(object, tiers, report, row);
	}
	json_object_set_new(object, "tiers", tiers);
	return object;
}

static json_t *rows_json(const struct report *report)
{
	json_t *array = json_array();
	u32 count;
	struct row **rows = report_rows(report, &count);

	for (u32 i = 0; i < count; i++)
		json_array_append_new(array, row_json(report, rows[i]));
	free(rows);
	return array;
}

static json_t *cost_json(const struct report *report)
{
	const struct cost *cost = report->cost;
	double share = cost_bpf_share(cost);
	json_t *object = json_object();

	/* Timed in samples only, so the whole is projected from them. */
	json_object_set_new(object, "bpf_ns", share < 0 ? json_null() :
			    json_integer(share * report->duration_ns));
	set_u64(object, "bpf_sampled_ns", cost->sampled_ns);
	set_u64(object, "bpf_memory_bytes", cost->bpf_memory_bytes);
	set_u64(object, "recursion_misses", cost->recursion_misses);
	set_u64(object, "setup_ns", cost->setup_ns);
	set_u64(object, "user_ns", cost->user_ns);
	set_u64(object, "system_ns", cost->system_ns);
	set_u64(object, "max_rss_bytes", cost->max_rss_bytes);
	return object;
}

static json_t *by_json(unsigned int by)
{
	json_t *array = json_array();

	if (by & BY_PROCESS)
		json_array_append_new(array, json_string("process"));
	if (by & BY_THREAD)
		json_array_append_new(array, json_string("thread"));
	if (by & BY_CALL)
		json_array_append_new(array, json_string("call"));
	if (by & BY_FD)
		json_array_append_new(array, json_string("fd"));
	if (by & BY_LOOP)
		json_array_append_new(array, json_string("loop"));
	if (by & BY_MODEL)
		json_array_append_new(array, json_string("model"));
	return array;
}

json_t *report_json_begin(const struct report *report, int schema_version)
{
	json_t *object = json_object();

	if (!object)
		errx(EXIT_RUNTIME, "out of memory");
	set_u64(object, "schema_version", schema_version);
	json_object_set_new(object, "version", json_string(report->version));
	json_object_set_new(object, "kernel", json_string(report->kernel));
	json_object_set_new(object, "backend", json_string(report->backend));
	json_object_set_new(object, "time", json_real(report->at.tv_sec + report->at.tv_nsec / 1e9));
	set_u64(object, "duration_ns", report->duration_ns);
	if (report->incomplete)
		json_object_set_new(object, "incomplete", json_string(report->incomplete));
	return object;
}

void report_json_end(json_t *object, const struct report *report)
{
	json_object_set_new(object, "not_known", parts_json(report->parts));
	json_object_set_new(object, "lost", losses_json(report));
	json_object_set_new(object, "left_out", report->direct ? json_null() :
			    left_out_json(report->reading));
	json_object_set_new(object, "in_flight", in_flight_json(report->reading));
	json_object_set_new(object, "cost", cost_json(report));
}

json_t *report_json(const struct report *report)
{
	json_t *object = report_json_begin(report, SCHEMA_VERSION);

	json_object_set_new(object, "by", by_json(report->options->by));
	json_object_set_new(object, "rows", rows_json(report));
	if (report->options->by & BY_LOOP)
		json_object_set_new(object, "processes",
				    loop_processes_json(&report->reading->rows));
	report_json_end(object, report);
	return object;
}

static void print(FILE *out, const struct report *report, size_t flags)
{
	json_t *document = report_json(report);

	/* A write error stays with the stream, which is checked when it is closed. */
	json_dumpf(document, out, flags);
	fputc('\n', out);
	json_decref(document);
}

static void print_json(FILE *out, const struct report *report)
{
	/* A sequence of reports is a line each, so that it can be read as it grows. */
	print(out, report, report->options->interval_ns ? JSON_COMPACT : JSON_INDENT(2));
}

static void print_ndjson(FILE *out, const struct report *report)
{
	print(out, report, JSON_COMPACT);
}

const struct output output_json = { .print = print_json };
const struct output output_ndjson = { .print = print_ndjson };
