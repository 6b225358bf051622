// SPDX-License-Identifier: GPL-2.0-only
/* A session as a whole: its header, its records, and whether it is all there. */
#include "saved/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor/thresholds.h"
#include "fail.h"
#include "saved/record.h"

const char *const record_words[NR_RECORD_KINDS] = { "slice", "interval", "total", "end" };

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A part whose name is not known here is of a later version. */
static void take_parts(struct saved *saved)
{
	static const char *const names[NR_PARTS] = {
#define PART(name, ...) [PART_##name] = #name,
#include "bpf/parts.def"
#undef PART
	};
	const json_t *parts = json_object_get(saved->header, "parts_left_out");

	for (int part = 0; part < NR_PARTS; part++) {
		const char *lacks = string_of(parts, names[part]);

		if (lacks)
			snprintf(saved->parts.lacks[part], FIELD_LEN, "%s", lacks);
	}
}

static void take_thresholds(struct saved *saved)
{
	const json_t *values = json_object_get(saved->header, "thresholds");
	struct doctor defaults = doctor_default();

	memcpy(saved->thresholds, defaults.thresholds, sizeof(saved->thresholds));
	for (int t = 0; t < NR_THRESHOLDS; t++) {
		const json_t *value = json_object_get(values, thresholds[t].name);

		if (json_is_number(value) && json_number_value(value) >= 0 &&
		    json_number_value(value) <= 1e9)
			saved->thresholds[t] = json_number_value(value);
	}
}

static const struct column *column_find(enum line_kind kind, const char *name)
{
	for (u32 i = 0; name && i < lines[kind].count; i++) {
		if (!strcmp(lines[kind].columns[i].name, name))
			return &lines[kind].columns[i];
	}
	return NULL;
}

static bool has_column(const struct saved_line *line, const struct column *column)
{
	for (u32 i = 0; i < line->count; i++) {
		if (line->columns[i] == column)
			return true;
	}
	return false;
}

/* What an earlier version did not measure is said, for it is 0 here. */
static void note_lacking(const struct saved *saved, enum line_kind kind)
{
	for (u32 i = 0; i < lines[kind].count; i++) {
		if (!has_column(&saved->lines[kind], &lines[kind].columns[i]))
			note("not known: %s of each %s: iophase %s did not save it",
			     lines[kind].columns[i].name, lines[kind].name, saved->version);
	}
}

static bool take_columns(struct saved *saved)
{
	const json_t *columns = json_object_get(saved->header, "columns");

	for (int kind = 0; kind < NR_LINE_KINDS; kind++) {
		const json_t *names = json_object_get(columns, lines[kind].name);
		struct saved_line *line = &saved->lines[kind];

		line->count = json_array_size(names);
		if (line->count > COLUMNS_MAX)
			return false;
		for (u32 i = 0; i < line->count; i++)
			line->columns[i] = column_find(kind,
						       json_string_value(json_array_get(names, i)));
		note_lacking(saved, kind);
	}
	return true;
}

static bool take_header(struct saved *saved)
{
	const json_t *header = saved->header;

	saved->version = string_of(header, "version");
	saved->kernel = string_of(header, "kernel");
	saved->backend = string_of(header, "backend");
	saved->scan_tier = string_of(header, "scan_tier");
	saved->lag_tier = string_of(header, "lag_tier");
	saved->fd_lag_tier = string_of(header, "fd_lag_tier");
	saved->arguments = json_object_get(header, "arguments");
	saved->interval_ns = json_integer_value(json_object_get(header, "interval_ns"));
	saved->whole = json_is_true(json_object_get(header, "whole"));
	saved->named = json_is_true(json_object_get(header, "named"));
	saved->direct = json_is_true(json_object_get(header, "direct"));
	if (!saved->version || !saved->kernel || !saved->backend || !saved->scan_tier ||
	    !saved->lag_tier || !saved->fd_lag_tier)
		return false;
	take_parts(saved);
	take_thresholds(saved);
	return take_columns(saved);
}

static bool visit_header(void *context, const char *line, size_t size)
{
	struct saved *saved = context;

	if (saved->header)
		return false;
	saved->header = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	return json_is_integer(json_object_get(saved->header, "iophase_session"));
}

static int read_header(struct saved *saved)
{
	enum member_state state = member_read(&saved->reader, visit_header, saved);
	json_int_t format;

	if (state == MEMBER_UNREADABLE)
		return fail(EXIT_RUNTIME, "%s: %s", saved->path, strerror(errno));
	if (state == MEMBER_CUT && saved->reader.stream.total_in)
		return fail(EXIT_RUNTIME, "%s: ends before anything was saved", saved->path);
	if (state != MEMBER_WHOLE || !saved->header)
		return fail(EXIT_RUNTIME, "%s: not a session that iophase has saved", saved->path);
	format = json_integer_value(json_object_get(saved->header, "iophase_session"));
	if (format > SESSION_FORMAT)
		return fail(EXIT_RUNTIME, "%s: was saved by a later iophase (format %lld, and this one "
			    "knows %d)", saved->path, (long long)format, SESSION_FORMAT);
	if (!take_header(saved))
		return fail(EXIT_RUNTIME, "%s: its header is damaged", saved->path);
	return 0;
}

/* The first line of each record says what it is; the rest is looked at when it is used. */
struct look {
	enum record_kind kind;
	u64 lines;
	json_int_t records;	/* of RECORD_END: how many there are to be before it */
};

static bool visit_look(void *context, const char *line, size_t size)
{
	struct look *look = context;
	json_t *head;
	int kind;

	if (look->lines++)
		return *line == '[';
	head = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	kind = record_kind_of(head);
	look->kind = kind;
	look->records = json_integer_value(json_object_get(head, "records"));
	json_decref(head);
	return kind >= 0;
}

static void explain(struct saved *saved, enum member_state state)
{
	static const char *const reasons[] = {
		[MEMBER_NONE] = "it was not closed, so it ends before the measurement did, or still grows",
		[MEMBER_CUT] = "it is cut off, within a record",
		[MEMBER_DAMAGED] = "it is damaged",
		[MEMBER_BIG] = "it has a record that is larger than any iophase writes",
	};
	unsigned long long whole = saved->records;

	saved->damaged = state != MEMBER_NONE && state != MEMBER_CUT;
	snprintf(saved->incomplete, sizeof(saved->incomplete), "%s: %s; %llu record%s before that %s "
		 "used", saved->path, state == MEMBER_UNREADABLE ? strerror(errno) : reasons[state],
		 whole, whole == 1 ? "" : "s", whole == 1 ? "is" : "are");
}

/* Looks through all records: only those that are whole are ever used. */
static void look_through(struct saved *saved)
{
	enum member_state state;
	struct look look;

	while (true) {
		look = (struct look){ 0 };
		state = member_read(&saved->reader, visit_look, &look);
		if (state != MEMBER_WHOLE || !look.lines)
			break;
		if (look.kind == RECORD_END) {
			/* Nothing is missing before it, and nothing comes behind. */
			if ((u64)look.records == saved->records &&
			    member_read(&saved->reader, visit_look, &look) == MEMBER_NONE)
				return;
			state = MEMBER_DAMAGED;
			break;
		}
		saved->records++;
		saved->counts[look.kind]++;
	}
	explain(saved, state == MEMBER_WHOLE ? MEMBER_DAMAGED : state);
}

static void rewind_to_header(struct saved *saved)
{
	int fd = saved->reader.fd;

	member_reader_close(&saved->reader);
	member_reader_open(&saved->reader, fd);
	lseek(fd, 0, SEEK_SET);
}

static bool visit_nothing(void *context, const char *line, size_t size)
{
	(void)context;
	(void)line;
	(void)size;
	return true;
}

int saved_open(struct saved *saved, const char *path, int fd)
{
	int err;

	*saved = (struct saved){ .path = path ? : "the session" };
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	else
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	member_reader_open(&saved->reader, fd);
	if (fd < 0)
		return fail(EXIT_RUNTIME, "%s: %s", saved->path, strerror(errno));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(EXIT_RUNTIME, "%s: is read twice, so it is to be a file", saved->path);
	err = read_header(saved);
	if (err)
		return err;
	look_through(saved);
	rewind_to_header(saved);
	member_read(&saved->reader, visit_nothing, NULL);
	return 0;
}

void saved_close(struct saved *saved)
{
	member_reader_close(&saved->reader);
	if (saved->reader.fd >= 0)
		close(saved->reader.fd);
	json_decref(saved->header);
	saved->header = NULL;
}

bool saved_next(struct saved *saved, unsigned int kinds, struct saved_record *record)
{
	while (saved->taken < saved->records) {
		enum member_state state;

		saved->taken++;
		record_begin(record, saved, kinds);
		state = member_read(&saved->reader, record_visit, record);
		if (state == MEMBER_WHOLE && kinds & 1u << record->kind && record->begun) {
			record_finish(record);
			return true;
		}
		record_free(record);
		/* It was whole when it was looked at, but its lines are not what they are to be. */
		if (state != MEMBER_WHOLE) {
			explain(saved, MEMBER_DAMAGED);
			break;
		}
	}
	return false;
}
