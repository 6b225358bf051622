// SPDX-License-Identifier: GPL-2.0-only
/* What a row of a model of input has in JSON besides the figures of all rows. */
#include "model/fd.h"
#include "model/models.h"
#include "output/json_rows.h"
#include "text.h"

static void set_known(json_t *object, const char *key, u64 value, bool known)
{
	json_object_set_new(object, key, known ? json_integer(value) : json_null());
}

static void set_share(json_t *object, const char *key, double share)
{
	json_object_set_new(object, key, share < 0 ? json_null() : json_real(share));
}

static json_t *shares_json(const struct model_shares *shares)
{
	json_t *object = json_object();

	set_share(object, "calls", shares->calls);
	set_share(object, "bytes", shares->bytes);
	set_share(object, "time", shares->time);
	return object;
}

static json_t *model_results_json(const struct model_sum *sum)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "ok",
			 (json_int_t)(sum->calls - sum->zero - sum->eagain - sum->errors),
			 "zero", (json_int_t)sum->zero, "eagain", (json_int_t)sum->eagain,
			 "errors", (json_int_t)sum->errors);
}

/*
 * The waits that serve it; only sets of descriptors are scanned, and what is collected from a ring
 * of io_uring no call says.
 */
static json_t *waits_json(const struct model_sum *sum, bool scans, bool uring)
{
	json_t *object = json_object();

	set_u64(object, "count", sum->waits);
	set_u64(object, "wall_ns", sum->wait_ns);
	set_u64(object, "blocked_ns", sum->wait_blocked_ns);
	set_u64(object, "runnable_ns", sum->wait_runnable_ns);
	set_known(object, "ready", sum->ready, !uring);
	set_u64(object, "empty", sum->empty);
	if (!scans)
		return object;
	json_object_set_new(object, "asked", sum->asked_unknown && !sum->asked ? json_null() :
			    json_integer(sum->asked));
	set_u64(object, "scanned", sum->scanned);
	set_u64(object, "passes", sum->passes);
	return object;
}

/* From one moment to another, so often; not known if it never was. */
static json_t *between_json(u64 count, u64 ns)
{
	return json_pack("{s:I,s:o}", "count", (json_int_t)count, "ns",
			 count ? json_integer(ns) : json_null());
}

/* How the program comes to know of its descriptors by signals. */
static json_t *signals_json(const struct model_sum *sum)
{
	json_t *object = json_object();

	set_u64(object, "made", sum->signals);
	set_u64(object, "merged", sum->merged);
	set_u64(object, "ignored", sum->ignored);
	set_u64(object, "overflown", sum->overflown);
	set_u64(object, "by_handler", sum->by_handler);
	set_u64(object, "by_wait", sum->by_wait);
	set_u64(object, "by_signalfd", sum->by_signalfd);
	json_object_set_new(object, "made_to_told", between_json(sum->timed_told, sum->told_ns));
	json_object_set_new(object, "told_to_called",
			    between_json(sum->timed_heard, sum->heard_ns));
	return object;
}

static json_t *submits_json(const struct model_sum *sum)
{
	json_t *object = json_object();

	set_u64(object, "count", sum->submits);
	set_u64(object, "wall_ns", sum->submit_ns);
	set_u64(object, "blocked_ns", sum->submit_blocked_ns);
	set_u64(object, "runnable_ns", sum->submit_runnable_ns);
	set_u64(object, "blocked", sum->blocked_submits);
	return object;
}

/* Where the program collects results by itself, some are not seen. */
static json_t *requests_json(const struct row_model *model, bool uring)
{
	const struct model_sum *sum = &model->sum;
	json_t *object = json_object();

	set_u64(object, "submitted", sum->requests);
	set_u64(object, "ended", sum->ended);
	set_u64(object, "unseen", sum->unseen);
	set_known(object, "in_flight", model->in_flight, !sum->unseen);
	json_object_set_new(object, "submit_to_complete",
			    between_json(sum->timed_completions, sum->complete_ns));
	set_known(object, "more_results", sum->shots, uring);
	set_known(object, "polls", sum->polls, uring);
	set_known(object, "to_workers", sum->queued, uring);
	set_known(object, "sq_polled", sum->sq_polled, uring);
	return object;
}

/* What only some models have; null for the others, and where the kernel does not show it. */
static void set_kinds(json_t *object, json_t *tiers, const struct report *report, const struct row *row)
{
	const struct model_sum *sum = &row->model->sum;
	bool uring = row->key.model == MODEL_IO_URING, by_fd = report->options->by & BY_FD;
	bool requests = model_requests(row->key.model) && (!uring || report->uring_seen);

	json_object_set_new(object, "signals",
			    row->key.model == MODEL_SIGNAL && report->signals_seen ?
			    signals_json(sum) : json_null());
	json_object_set_new(object, "submits", sum->submits && !by_fd ? submits_json(sum) :
			    json_null());
	json_object_set_new(object, "requests", requests ? requests_json(row->model, uring) :
			    json_null());
	/* What is collected was complete before. */
	if (requests)
		set_tier(tiers, "submit_to_complete", uring ? "exact" : "upper_bound");
}

/* The descriptor of the row; of one that is not known any more, null. */
static void set_descriptor(json_t *object, const struct row *row)
{
	const struct row_fd *fd = row->model->fd;

	json_object_set_new(object, "fd", model_fd_known(row) ? json_integer(fd->head.fd) :
			    json_null());
	json_object_set_new(object, "kind", json_string(!row->key.proc ? "merged" :
				       fd ? kind_name(fd->descriptor.kind) : "other"));
	json_object_set_new(object, "name", fd ? json_string(fd_name(fd, text_json_name).buf) :
			    json_null());
}

void set_model(json_t *object, json_t *tiers, const struct report *report, const struct row *row)
{
	const struct model_sum *sum = &row->model->sum;
	bool by_fd = report->options->by & BY_FD, scans = model_scans(row->key.model);

	if (by_fd)
		set_descriptor(object, row);
	json_object_set_new(object, "model", json_string(model_name(row->key.model)));
	json_object_set_new(object, "share", shares_json(&row->model->shares));
	set_u64(object, "in_bytes", sum->in_bytes);
	set_u64(object, "out_bytes", sum->out_bytes);
	set_u64(object, "cpu_ns", model_cpu_ns(sum));
	json_object_set_new(object, "cpu_ns_per_byte", row->sum.bytes ?
			    json_real((double)model_cpu_ns(sum) / row->sum.bytes) : json_null());
	json_object_set_new(object, "results", model_results_json(sum));
	set_kinds(object, tiers, report, row);
	/* A wait is for many descriptors. */
	json_object_set_new(object, "waits", by_fd || !sum->waits ? json_null() :
			    waits_json(sum, scans, row->key.model == MODEL_IO_URING));
	if (scans && !by_fd && sum->waits) {
		set_tier(tiers, "scanned", report->scan_tier);
		set_tier(tiers, "passes", report->scan_tier);
	}
	set_tier(tiers, "bytes", "exact");
}
