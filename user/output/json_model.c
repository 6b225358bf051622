// SPDX-License-Identifier: GPL-2.0-only
/* What a row of a model of input has in JSON besides the figures of all rows. */
#include "model/fd.h"
#include "model/models.h"
#include "output/json_rows.h"
#include "text.h"

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

/* The waits that serve it; what they scan is only known of sets of descriptors. */
static json_t *waits_json(const struct model_sum *sum, bool scans)
{
	json_t *object = json_object();

	set_u64(object, "count", sum->waits);
	set_u64(object, "wall_ns", sum->wait_ns);
	set_u64(object, "blocked_ns", sum->wait_blocked_ns);
	set_u64(object, "runnable_ns", sum->wait_runnable_ns);
	set_u64(object, "ready", sum->ready);
	set_u64(object, "empty", sum->empty);
	if (!scans)
		return object;
	json_object_set_new(object, "asked", sum->asked_unknown && !sum->asked ? json_null() :
			    json_integer(sum->asked));
	set_u64(object, "scanned", sum->scanned);
	set_u64(object, "passes", sum->passes);
	return object;
}

/* The descriptor of the row; of one that is not known any more, null. */
static void set_descriptor(json_t *object, const struct row *row)
{
	const struct row_fd *fd = row->model->fd;

	json_object_set_new(object, "fd", fd && row->key.proc ? json_integer(fd->head.fd) :
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
	/* A wait is for many descriptors. */
	json_object_set_new(object, "waits", by_fd || !sum->waits ? json_null() :
			    waits_json(sum, scans));
	if (scans && !by_fd && sum->waits) {
		set_tier(tiers, "scanned", report->scan_tier);
		set_tier(tiers, "passes", report->scan_tier);
	}
	set_tier(tiers, "bytes", "exact");
}
