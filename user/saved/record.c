// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file may be damaged, or made up: no line is taken that is not in the form of its kind, and none leads
 * out of what it is about. What a later version has added is passed over, and counted.
 */
#include "saved/record.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "stack/traceback.h"

/* More than any session has, of what is looked for one by one. */
#define ERRNOS_MAX	4096
#define WAKERS_MAX	16384
#define STACKS_KEPT_MAX	4096
#define THREADS_MAX	(1 << 20)
#define LISTENING_MAX	(1 << 20)

int record_kind_of(const json_t *head)
{
	const char *word = json_string_value(json_object_get(head, "record"));

	for (int kind = 0; word && kind < NR_RECORD_KINDS; kind++) {
		if (!strcmp(record_words[kind], word))
			return kind;
	}
	return -1;
}

void record_begin(struct saved_record *record, struct saved *saved, unsigned int kinds)
{
	*record = (struct saved_record){ .saved = saved, .kinds = kinds };
	rows_init(&record->reading.rows, BY_PROCESS | BY_CALL);
	rows_init(&record->reading.by_thread, BY_PROCESS | BY_THREAD | BY_CALL);
	rows_init(&record->reading.fds, BY_FD);
	rows_init(&record->reading.loops, BY_LOOP);
}

void record_free(struct saved_record *record)
{
	reading_free(&record->reading);
	stacks_free(&record->stacks);
}

static bool take_head(struct saved_record *record, const json_t *head)
{
	struct report *report = &record->report;
	int kind = record_kind_of(head);
	const json_t *duration = json_object_get(head, "duration_ns");

	if (kind < 0)
		return false;
	record->kind = kind;
	report->at.tv_sec = json_integer_value(json_object_get(head, "at_s"));
	report->at.tv_nsec = json_integer_value(json_object_get(head, "at_ns"));
	report->duration_ns = json_integer_value(duration);
	report->last = json_is_true(json_object_get(head, "last"));
	record->reading.now_ns = json_integer_value(json_object_get(head, "now_ns"));
	record->reading.steal_ns = json_integer_value(json_object_get(head, "steal_ns"));
	record->reading.asked_bound = json_is_true(json_object_get(head, "asked_bound"));
	return json_integer_value(duration) > 0 && report->at.tv_nsec >= 0 &&
	       report->at.tv_nsec < (long)NS_PER_SEC;
}

/* Fills in what lines of @kind are of; false: it cannot be read. */
static bool take_values(const struct saved *saved, enum line_kind kind, const json_t *values,
			void *into)
{
	const struct saved_line *line = &saved->lines[kind];

	if (json_array_size(values) != line->count + 1)
		return false;
	for (u32 i = 0; i < line->count; i++) {
		const struct column *column = line->columns[i];

		if (column && !column->take(column, (char *)into + column->offset,
					    json_array_get(values, i + 1)))
			return false;
	}
	return true;
}

/* Room for one more element, in steps that double. */
static void *grown(void *array, u32 count, size_t size)
{
	if (count & (count - 1))
		return array;
	array = reallocarray(array, count ? 2ul * count : 1, size);
	if (!array)
		errx(EXIT_RUNTIME, "out of memory");
	return array;
}

static bool take_call(struct saved_record *record, enum line_kind kind, const json_t *values)
{
	struct rows *rows = kind == LINE_CALL ? &record->reading.rows : &record->reading.by_thread;
	struct flat_row flat = { 0 };

	if (!take_values(record->saved, kind, values, &flat) || !flat.key.call)
		return false;
	record->row = rows_get(rows, flat.key);
	memcpy(record->row->comm, flat.comm, COMM_LEN);
	row_add_call(record->row, flat.key.call, &flat.sum);
	return true;
}

static bool take_hist_line(struct saved_record *record, const json_t *values)
{
	struct row *row = record->row;

	if (!row || row->hist)
		return false;
	row->hist = calloc(1, sizeof(*row->hist));
	if (!row->hist)
		errx(EXIT_RUNTIME, "out of memory");
	return take_values(record->saved, LINE_HIST, values, row->hist);
}

static bool take_errno(struct saved_record *record, const json_t *values)
{
	struct errno_count count = { 0 };

	if (!record->row || record->row->nr_errnos == ERRNOS_MAX ||
	    !take_values(record->saved, LINE_ERRNO, values, &count))
		return false;
	row_add_errno(record->row, count.error, count.count);
	return true;
}

static bool take_waker(struct saved_record *record, const json_t *values)
{
	struct waker_count count = { 0 };

	if (!record->row || record->row->nr_wakers == WAKERS_MAX ||
	    !take_values(record->saved, LINE_WAKER, values, &count))
		return false;
	row_add_waker(record->row, &count.waker, count.count);
	return true;
}

static bool take_fd(struct saved_record *record, const json_t *values)
{
	struct flat_row flat = { 0 };
	struct row *row;

	if (!take_values(record->saved, LINE_FD, values, &flat))
		return false;
	flat.path[sizeof(flat.path) - 1] = '\0';
	/* Even if it is empty: there is nothing to be looked up on this machine. */
	flat.fd.path = flat.path;
	flat.fd.descriptor.proc = flat.key.proc;
	row = rows_get(&record->reading.fds, flat.key);
	row_add_fd(row, &flat.fd);
	memcpy(row->comm, flat.comm, COMM_LEN);
	return true;
}

static bool take_loop(struct saved_record *record, const json_t *values)
{
	struct flat_row flat = { 0 };
	struct row *row;

	if (!take_values(record->saved, LINE_LOOP, values, &flat))
		return false;
	row = rows_get(&record->reading.loops, flat.key);
	row_add_loop(row, &flat.loop);
	memcpy(row->comm, flat.comm, COMM_LEN);
	return true;
}

static bool take_signs(struct saved_record *record, const json_t *values)
{
	struct reading *reading = &record->reading;
	struct sign_record signs = { 0 };

	if (reading->nr_signs == SIGNS_MAX ||
	    !take_values(record->saved, LINE_SIGNS, values, &signs))
		return false;
	reading->signs = grown(reading->signs, reading->nr_signs, sizeof(signs));
	reading->signs[reading->nr_signs++] = signs;
	return true;
}

static bool take_listening(struct saved_record *record, const json_t *values)
{
	struct reading *reading = &record->reading;
	struct listening listening = { 0 };

	if (reading->nr_listening == LISTENING_MAX ||
	    !take_values(record->saved, LINE_LISTENING, values, &listening))
		return false;
	reading->listening = grown(reading->listening, reading->nr_listening, sizeof(listening));
	reading->listening[reading->nr_listening++] = listening;
	return true;
}

static bool take_in_flight(struct saved_record *record, const json_t *values)
{
	struct reading *reading = &record->reading;
	struct in_flight thread = { 0 };

	if (reading->nr_in_flight == THREADS_MAX ||
	    !take_values(record->saved, LINE_IN_FLIGHT, values, &thread) || !thread.call)
		return false;
	reading->in_flight = grown(reading->in_flight, reading->nr_in_flight, sizeof(thread));
	reading->in_flight[reading->nr_in_flight++] = thread;
	return true;
}

static bool take_watched(struct saved_record *record, const json_t *values)
{
	struct reading *reading = &record->reading;
	struct watched_thread thread = { 0 };

	if (reading->nr_threads == THREADS_MAX ||
	    !take_values(record->saved, LINE_WATCHED, values, &thread))
		return false;
	reading->threads = grown(reading->threads, reading->nr_threads, sizeof(thread));
	reading->threads[reading->nr_threads++] = thread;
	return true;
}

static bool take_left_out(struct saved_record *record, const json_t *values)
{
	struct reading *reading = &record->reading;
	struct left_out_process process = { 0 };

	if (reading->nr_left_out == LEFT_OUT_MAX ||
	    !take_values(record->saved, LINE_LEFT_OUT, values, &process))
		return false;
	reading->left_out[reading->nr_left_out++] = process;
	return true;
}

static bool take_frame(struct saved_record *record, const json_t *values)
{
	struct kept_stacks *stacks = &record->stacks;
	struct flat_stack frame = { 0 };

	if (!take_values(record->saved, LINE_FRAME, values, &frame) ||
	    (stacks->count && stacks->list[stacks->count - 1].count == TRACEBACK_MAX) ||
	    stacks->count == STACKS_KEPT_MAX)
		return false;
	frame.symbol.function[sizeof(frame.symbol.function) - 1] = '\0';
	frame.symbol.module[sizeof(frame.symbol.module) - 1] = '\0';
	frame.symbol.file[sizeof(frame.symbol.file) - 1] = '\0';
	stacks_add(stacks, &frame.key, &frame.symbol);
	return true;
}

static bool take_line(struct saved_record *record, enum line_kind kind, const json_t *values)
{
	switch (kind) {
	case LINE_HIST:
		return take_hist_line(record, values);
	case LINE_ERRNO:
		return take_errno(record, values);
	case LINE_WAKER:
		return take_waker(record, values);
	default:
		/* What is not about the row before it ends what is said of that. */
		record->row = NULL;
	}
	switch (kind) {
	case LINE_CALL:
	case LINE_THREAD:
		return take_call(record, kind, values);
	case LINE_FD:
		return take_fd(record, values);
	case LINE_LOOP:
		return take_loop(record, values);
	case LINE_SIGNS:
		return take_signs(record, values);
	case LINE_LISTENING:
		return take_listening(record, values);
	case LINE_IN_FLIGHT:
		return take_in_flight(record, values);
	case LINE_WATCHED:
		return take_watched(record, values);
	case LINE_LEFT_OUT:
		return take_left_out(record, values);
	case LINE_FRAME:
		return take_frame(record, values);
	case LINE_LOSSES:
		return take_values(record->saved, kind, values, record->reading.losses);
	case LINE_COST:
		return take_values(record->saved, kind, values, &record->cost);
	default:
		return false;
	}
}

static int line_kind_of(const json_t *values)
{
	const char *name = json_string_value(json_array_get(values, 0));

	for (int kind = 0; name && kind < NR_LINE_KINDS; kind++) {
		if (!strcmp(lines[kind].name, name))
			return kind;
	}
	return -1;
}

bool record_visit(void *context, const char *line, size_t size)
{
	struct saved_record *record = context;
	json_t *json;
	bool taken, known;
	int kind;

	/* Its head, which says whether the rest is wanted. */
	if (record->begun && !(record->kinds & 1u << record->kind))
		return true;
	json = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	if (!record->begun) {
		record->begun = true;
		taken = take_head(record, json);
		json_decref(json);
		return taken;
	}
	kind = line_kind_of(json);
	if (kind < 0)
		record->row = NULL;
	taken = kind >= 0 && take_line(record, kind, json);
	record->saved->unread += !taken;
	known = json;
	json_decref(json);
	return known;
}

static int by_born(const void *a, const void *b)
{
	u64 left = ((const struct sign_record *)a)->born_ns;
	u64 right = ((const struct sign_record *)b)->born_ns;

	return left < right ? -1 : left > right;
}

void record_finish(struct saved_record *record)
{
	const struct saved *saved = record->saved;
	struct report *report = &record->report;

	if (record->reading.nr_signs)
		qsort(record->reading.signs, record->reading.nr_signs,
		      sizeof(*record->reading.signs), by_born);
	record->source = stacks_source(&record->stacks);
	report->version = saved->version;
	report->kernel = saved->kernel;
	report->backend = saved->backend;
	report->scan_tier = saved->scan_tier;
	report->lag_tier = saved->lag_tier;
	report->fd_lag_tier = saved->fd_lag_tier;
	report->parts = &saved->parts;
	report->whole = saved->whole;
	report->named = saved->named;
	report->direct = saved->direct;
	report->reading = &record->reading;
	report->cost = &record->cost;
	report->stacks = &record->source;
	report->incomplete = *saved->incomplete ? saved->incomplete : NULL;
}
