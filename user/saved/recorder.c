// SPDX-License-Identifier: GPL-2.0-only
#include "saved/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/diagnosis.h"
#include "doctor/thresholds.h"
#include "fail.h"
#include "model/fd.h"
#include "saved/lines.h"
#include "saved/members.h"
#include "sink.h"

struct recorder {
	const char *path;	/* NULL: in memory */
	struct member_writer writer;
	u64 records;
	bool failed;
};

static int recorder_fail(struct recorder *recorder, int error)
{
	recorder->failed = true;
	return fail(EXIT_RUNTIME, "cannot write %s: %s; it ends after %llu records",
		    recorder->path ? : "the session", strerror(error),
		    (unsigned long long)recorder->records);
}

/* A name of the kernel's, or a word of the user's, of any bytes. */
static void put_string(FILE *out, const char *string)
{
	const struct column column = { .size = strlen(string) };

	put_bytes(out, &column, string);
}

static void put_strings(FILE *out, const char *key, char *const *strings)
{
	fprintf(out, ",\"%s\":[", key);
	for (u32 i = 0; strings && strings[i]; i++) {
		fputs(i ? "," : "", out);
		put_string(out, strings[i]);
	}
	putc(']', out);
}

static void put_pair(FILE *out, const char *key, const char *value)
{
	fprintf(out, ",\"%s\":", key);
	put_text(out, value);
}

static void put_boolean_pair(FILE *out, const char *key, bool value)
{
	fprintf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void put_parts(FILE *out, const struct parts *parts)
{
	static const char *const names[NR_PARTS] = {
#define PART(name, ...) [PART_##name] = #name,
#include "bpf/parts.def"
#undef PART
	};
	const char *gap = "";

	fputs(",\"parts_left_out\":{", out);
	for (int part = 0; part < NR_PARTS; part++) {
		if (!*parts->lacks[part])
			continue;
		fprintf(out, "%s\"%s\":", gap, names[part]);
		put_text(out, parts->lacks[part]);
		gap = ",";
	}
	putc('}', out);
}

static void put_thresholds(FILE *out, const struct doctor *doctor)
{
	fputs(",\"thresholds\":{", out);
	for (int t = 0; t < NR_THRESHOLDS; t++)
		fprintf(out, "%s\"%s\":%.17g", t ? "," : "", thresholds[t].name, doctor->thresholds[t]);
	putc('}', out);
}

/* What the values of each kind of line are, by name. */
static void put_columns(FILE *out)
{
	fputs(",\"columns\":{", out);
	for (int kind = 0; kind < NR_LINE_KINDS; kind++) {
		fprintf(out, "%s\"%s\":[", kind ? "," : "", lines[kind].name);
		for (u32 i = 0; i < lines[kind].count; i++)
			fprintf(out, "%s\"%s\"", i ? "," : "", lines[kind].columns[i].name);
		putc(']', out);
	}
	putc('}', out);
}

static void put_header(FILE *out, const struct report *report)
{
	fprintf(out, "{\"iophase_session\":%d", SESSION_FORMAT);
	put_pair(out, "version", report->version);
	put_pair(out, "kernel", report->kernel);
	put_pair(out, "backend", report->backend);
	put_pair(out, "scan_tier", report->scan_tier);
	put_pair(out, "lag_tier", report->lag_tier);
	put_pair(out, "fd_lag_tier", report->fd_lag_tier);
	put_boolean_pair(out, "whole", report->whole);
	put_boolean_pair(out, "named", report->named);
	put_boolean_pair(out, "direct", report->direct);
	fprintf(out, ",\"interval_ns\":%llu", (unsigned long long)report->options->interval_ns);
	put_strings(out, "arguments", report->options->arguments);
	put_parts(out, report->parts);
	put_thresholds(out, report->options->doctor);
	put_columns(out);
	fputs("}\n", out);
}

static int write_header(struct recorder *recorder, const struct report *report)
{
	FILE *out = member_begin(&recorder->writer);
	int error = out ? 0 : errno;

	if (out) {
		put_header(out, report);
		error = member_end(&recorder->writer, out);
	}
	return error ? recorder_fail(recorder, error) : 0;
}

/* A new file beside the one that it is to replace, which it does when its header is written. */
static int open_beside(struct recorder *recorder, const struct report *report)
{
	char *name = sink_temporary_name(recorder->path);
	int err = 0;

	if (!name)
		return fail(EXIT_RUNTIME, "out of memory");
	/* Of mode 0600: it has names of files and peers. */
	recorder->writer.fd = mkostemp(name, O_CLOEXEC);
	if (recorder->writer.fd < 0) {
		err = recorder_fail(recorder, errno);
	} else {
		err = write_header(recorder, report);
		if (!err && rename(name, recorder->path))
			err = recorder_fail(recorder, errno);
		if (err)
			unlink(name);
	}
	free(name);
	return err;
}

static int open_file(struct recorder *recorder, const struct report *report)
{
	const char *path = recorder->path;
	struct stat st;

	if (!path)
		recorder->writer.fd = memfd_create("iophase-session", MFD_CLOEXEC);
	else if (lstat(path, &st) ? errno == ENOENT : S_ISREG(st.st_mode))
		return open_beside(recorder, report);
	else
		recorder->writer.fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (recorder->writer.fd < 0)
		return recorder_fail(recorder, errno);
	return write_header(recorder, report);
}

struct recorder *recorder_open(const char *path, const struct report *report)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder) {
		fail(EXIT_RUNTIME, "out of memory");
		return NULL;
	}
	recorder->path = path;
	recorder->writer.fd = -1;
	if (!open_file(recorder, report))
		return recorder;
	recorder_close(recorder);
	return NULL;
}

static void put_calls(FILE *out, enum line_kind kind, const struct rows *rows)
{
	struct row *row, *next;

	HASH_ITER(hh, rows->table, row, next) {
		struct flat_row flat = { .key = row->key, .sum = row->sum };

		memcpy(flat.comm, row->comm, COMM_LEN);
		line_put(out, kind, &flat);
		if (row->hist)
			line_put(out, LINE_HIST, row->hist);
		for (u32 i = 0; i < row->nr_errnos; i++)
			line_put(out, LINE_ERRNO, &row->errnos[i]);
		for (u32 i = 0; i < row->nr_wakers; i++)
			line_put(out, LINE_WAKER, &row->wakers[i]);
	}
}

static void put_objects(FILE *out, enum line_kind kind, const struct rows *rows)
{
	struct row *row, *next;

	HASH_ITER(hh, rows->table, row, next) {
		struct flat_row flat = { .key = row->key };

		memcpy(flat.comm, row->comm, COMM_LEN);
		if (row->fd)
			flat.fd = *row->fd;
		if (row->fd && row->fd->path)
			strncpy(flat.path, row->fd->path, sizeof(flat.path) - 1);
		if (row->loop)
			flat.loop = *row->loop;
		line_put(out, kind, &flat);
	}
}

static void put_stacks(FILE *out, const struct kept_stacks *stacks)
{
	for (u32 i = 0; i < stacks->count; i++) {
		for (u32 j = 0; j < stacks->list[i].count; j++) {
			struct flat_stack flat = {
				.key = stacks->list[i].key, .symbol = stacks->list[i].symbols[j],
			};

			line_put(out, LINE_FRAME, &flat);
		}
	}
}

static void put_rest(FILE *out, const struct report *report, const struct kept_stacks *stacks)
{
	const struct reading *reading = report->reading;

	put_calls(out, LINE_THREAD, &reading->by_thread);
	put_objects(out, LINE_FD, &reading->fds);
	for (u32 i = 0; i < reading->nr_signs; i++)
		line_put(out, LINE_SIGNS, &reading->signs[i]);
	for (u32 i = 0; i < reading->nr_listening; i++)
		line_put(out, LINE_LISTENING, &reading->listening[i]);
	for (u32 i = 0; i < reading->nr_in_flight; i++)
		line_put(out, LINE_IN_FLIGHT, &reading->in_flight[i]);
	for (u32 i = 0; i < reading->nr_threads; i++)
		line_put(out, LINE_WATCHED, &reading->threads[i]);
	for (u32 i = 0; i < reading->nr_left_out; i++)
		line_put(out, LINE_LEFT_OUT, &reading->left_out[i]);
	put_stacks(out, stacks);
}

static void put_record(FILE *out, enum record_kind kind, const struct report *report,
		       const struct kept_stacks *stacks)
{
	const struct reading *reading = report->reading;

	fprintf(out, "{\"record\":\"%s\",\"at_s\":%lld,\"at_ns\":%ld,\"duration_ns\":%llu"
		",\"now_ns\":%llu,\"steal_ns\":%llu,\"asked_bound\":%s,\"last\":%s}\n", record_words[kind],
		(long long)report->at.tv_sec, report->at.tv_nsec,
		(unsigned long long)report->duration_ns, (unsigned long long)reading->now_ns,
		(unsigned long long)reading->steal_ns, reading->asked_bound ? "true" : "false",
		report->last ? "true" : "false");
	line_put(out, LINE_LOSSES, reading->losses);
	line_put(out, LINE_COST, report->cost);
	put_calls(out, LINE_CALL, &reading->rows);
	put_objects(out, LINE_LOOP, &reading->loops);
	if (kind != RECORD_SLICE)
		put_rest(out, report, stacks);
}

/* The stack of @finding that it is shown with. */
static void keep_stack(struct kept_stacks *stacks, const struct stack_source *source,
		       const struct finding *finding)
{
	struct symbol symbols[WHERE_MAX];
	struct stack_key key;
	u32 count = diagnosis_stack(source, finding, &key, symbols, WHERE_MAX);

	if (!count || stacks_have(stacks, &key))
		return;
	for (u32 i = 0; i < count; i++)
		stacks_add(stacks, &key, &symbols[i]);
}

static void keep_stacks(struct kept_stacks *stacks, const struct report *report)
{
	struct diagnosis diagnosis;

	diagnosis_make(&diagnosis, report);
	for (u32 i = 0; i < diagnosis.findings.count; i++)
		keep_stack(stacks, report->stacks, &diagnosis.findings.list[i]);
	diagnosis_free(&diagnosis);
}

static void find_paths(const struct rows *fds)
{
	struct row *row, *next;

	HASH_ITER(hh, fds->table, row, next) {
		if (row->fd)
			fd_find_path(row->fd);
	}
}

void recorder_add(struct recorder *recorder, enum record_kind kind, const struct report *report,
		  struct kept_stacks *stacks)
{
	FILE *out;
	int error;

	if (kind != RECORD_SLICE) {
		find_paths(&report->reading->fds);
		keep_stacks(stacks, report);
	}
	if (recorder->failed)
		return;
	out = member_begin(&recorder->writer);
	error = out ? 0 : errno;
	if (out) {
		put_record(out, kind, report, stacks);
		error = member_end(&recorder->writer, out);
	}
	if (error)
		recorder_fail(recorder, error);
	else
		recorder->records++;
}

int recorder_end(struct recorder *recorder)
{
	FILE *out;
	int error;

	if (recorder->failed)
		return EXIT_RUNTIME;
	out = member_begin(&recorder->writer);
	error = out ? 0 : errno;
	if (out) {
		fprintf(out, "{\"record\":\"%s\",\"records\":%llu}\n", record_words[RECORD_END],
			(unsigned long long)recorder->records);
		error = member_end(&recorder->writer, out);
	}
	if (!error && recorder->path && fsync(recorder->writer.fd) && errno != EINVAL &&
	    errno != EROFS)
		error = errno;
	return error ? recorder_fail(recorder, error) : 0;
}

int recorder_fd(const struct recorder *recorder)
{
	return recorder->writer.fd;
}

void recorder_close(struct recorder *recorder)
{
	if (recorder && recorder->writer.fd >= 0)
		close(recorder->writer.fd);
	free(recorder);
}
