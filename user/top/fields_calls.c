// SPDX-License-Identifier: GPL-2.0-only
/* The views of calls: by process, by thread, by call. */
#include "model/calls.h"
#include "top/fields.h"

static double value_calls(const struct item *item)
{
	return item_rate(item, item->sum.calls);
}

static struct text text_calls(const struct item *item)
{
	return field_rate(value_calls(item));
}

static double value_bar(const struct item *item)
{
	return item->sum.wall_ns;
}

static double value_runnable(const struct item *item)
{
	return item_rate(item, item->sum.runnable_ns) / NS_PER_SEC;
}

static struct text text_runnable(const struct item *item)
{
	return field_percent(value_runnable(item));
}

static double value_on_cpu(const struct item *item)
{
	return item_rate(item, item_on_cpu_ns(item)) / NS_PER_SEC;
}

static struct text text_on_cpu(const struct item *item)
{
	return field_percent(value_on_cpu(item));
}

static double share(const struct item *item, u64 ns)
{
	return item->sum.wall_ns ? (double)ns / item->sum.wall_ns : -1;
}

static double value_blocked(const struct item *item)
{
	return share(item, item->sum.blocked_ns);
}

static struct text text_blocked(const struct item *item)
{
	return field_percent(value_blocked(item));
}

static double value_kernel(const struct item *item)
{
	return share(item, item_on_cpu_ns(item) - item->sum.copy_ns);
}

static struct text text_kernel(const struct item *item)
{
	return field_percent(value_kernel(item));
}

static double value_copy(const struct item *item)
{
	return share(item, item->sum.copy_ns);
}

static struct text text_copy(const struct item *item)
{
	return field_percent(value_copy(item));
}

static double value_scan(const struct item *item)
{
	return item->sum.ready ? (double)item->sum.scanned / item->sum.ready : -1;
}

static struct text text_scan(const struct item *item)
{
	return field_ratio(value_scan(item));
}

static double value_inside(const struct item *item)
{
	return item->inside ? (double)item->inside->age_ns : -1;
}

static struct text text_inside(const struct item *item)
{
	struct text text = { "-" };

	if (item->inside)
		snprintf(text.buf, sizeof(text.buf), "%s%.60s", item->inside->age_bound ? ">" : "",
			 text_ns(item->inside->age_ns).buf);
	return text;
}

/* Threads */

static struct text name_inside(const struct item *item)
{
	return item->inside ? field_word(calls[item->inside->call].name) : field_dash();
}

static struct text name_tid(const struct item *item)
{
	return item->key.tid ? field_number(item->key.tid) : field_word("ended");
}

/* Calls */

static struct text name_call(const struct item *item)
{
	return field_word(item->key.call ? calls[item->key.call].name : "-");
}

static double per_call(const struct item *item, u64 amount)
{
	return item->sum.calls ? (double)amount / item->sum.calls : -1;
}

static double value_mean(const struct item *item)
{
	return per_call(item, item->sum.wall_ns);
}

static struct text text_mean(const struct item *item)
{
	return field_time(value_mean(item));
}

static double value_asked(const struct item *item)
{
	return item->wait_calls ? per_call(item, item->sum.asked) : -1;
}

static struct text text_asked(const struct item *item)
{
	struct text text = field_ratio(value_asked(item)), marked;

	if (!item->wait_calls || !item->sum.asked_unknown)
		return text;
	if (!item->sum.asked)
		return field_dash();
	snprintf(marked.buf, sizeof(marked.buf), ">%.60s", text.buf);
	return marked;
}

static double value_ready(const struct item *item)
{
	return item->wait_calls ? per_call(item, item->sum.ready) : -1;
}

static struct text text_ready(const struct item *item)
{
	return field_ratio(value_ready(item));
}

static double value_bytes(const struct item *item)
{
	return item_rate(item, item->sum.bytes);
}

static struct text text_bytes_rate(const struct item *item)
{
	return text_bytes(value_bytes(item));
}

static double value_eagain(const struct item *item)
{
	return item_rate(item, item->sum.eagain);
}

static struct text text_eagain(const struct item *item)
{
	return field_rate(value_eagain(item));
}

static double value_errors(const struct item *item)
{
	return item_rate(item, item->sum.errors);
}

static struct text text_errors(const struct item *item)
{
	return field_rate(value_errors(item));
}



#define CALL_FIELDS \
	{ "CALL/S", 6, 0, "calls that ended, for each second", value_calls, NULL, text_calls }, \
	{ "PHASES", 0, 0, "of the time inside these calls", value_bar, NULL, NULL }, \
	{ "RUNQ", 5, 4, "waiting for a CPU inside calls, of one CPU's time", \
	  value_runnable, NULL, text_runnable }, \
	{ "IOCPU", 5, 2, "on the CPU inside calls: kernel and copy, of one CPU's time", \
	  value_on_cpu, NULL, text_on_cpu }

/* In figures what the bar shows. */
#define SHARE_FIELDS \
	{ "BLOCKED", 7, 21, "part of the time inside these calls", value_blocked, NULL, text_blocked }, \
	{ "KERNEL", 6, 20, "part of the time inside these calls", value_kernel, NULL, text_kernel }, \
	{ "COPY", 5, 22, "part of the time inside these calls", value_copy, NULL, text_copy }

#define SCAN_FIELD \
	{ "SCAN", 5, 3, "descriptors scanned for each that was ready", value_scan, NULL, text_scan }

const struct view view_processes = {
	"processes", ITEM_PROCESS, &bar_phases, 5, {
	{ "PID", 7, 0, "process", NULL, name_pid, NULL },
	{ "PROCESS", -12, 0, "its name", NULL, name_comm, NULL },
	CALL_FIELDS,
	SCAN_FIELD,
	{ "BUSY", 4, 5, "how much of the time its busiest event loop does not wait", value_busy, NULL,
	  text_busy },
	{ "LAG99", 6, 6, "p99 from ready to reported, of its event loops", value_lag, NULL, text_lag },
	{ "FOUND", 5, 1, "findings of the doctor: ! warning, !! critical, i remark", value_findings,
	  NULL, text_findings },
	SHARE_FIELDS,
} };

const struct view view_threads = {
	"threads", ITEM_THREAD, &bar_phases, 7, {
	PROCESS_FIELDS,
	{ "TID", 7, 0, "thread", NULL, name_tid, NULL },
	{ "THREAD", -15, 0, "its name", NULL, name_comm, NULL },
	CALL_FIELDS,
	SCAN_FIELD,
	{ "INSIDE", -12, 1, "the call that it is inside of", NULL, name_inside, NULL },
	{ "FOR", 6, 5, "since when", value_inside, NULL, text_inside },
	SHARE_FIELDS,
} };

const struct view view_calls = {
	"calls", ITEM_CALL, &bar_phases, 4, {
	{ "CALL", -12, 0, "system call", NULL, name_call, NULL },
	CALL_FIELDS,
	{ "MEAN", 6, 1, "time of a call", value_mean, NULL, text_mean },
	SCAN_FIELD,
	{ "ASKED", 5, 5, "descriptors in the set", value_asked, NULL, text_asked },
	{ "READY", 5, 6, "descriptors reported by a call", value_ready, NULL, text_ready },
	{ "BYTES/S", 7, 7, "bytes moved", value_bytes, NULL, text_bytes_rate },
	{ "EAGAIN", 6, 8, "calls that found nothing, for each second", value_eagain, NULL,
	  text_eagain },
	{ "ERRORS", 6, 9, "calls that failed, for each second", value_errors, NULL, text_errors },
	SHARE_FIELDS,
} };
