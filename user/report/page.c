// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page holds the documents that -j prints, and a script that shows them: whatever is read on it is in
 * them. Nothing is loaded from elsewhere, and nothing runs but that script: names of the kernel's are
 * data, in which no "<" is left, and the script puts them into the page as text.
 */
#include "report/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "doctor/diagnosis.h"
#include "fail.h"
#include "model/view.h"
#include "output/json_report.h"
#include "report/series.h"
#include "saved/record.h"
#include "sink.h"

#define ROWS_SHOWN	200	/* of each kind; the rest is counted */

/* The files beside this one, as they are. */
#define ASSET(name, file)							\
	extern const char name[], name##_end[];					\
	asm(".pushsection .rodata\n"						\
	    ".global " #name ", " #name "_end\n"				\
	    #name ": .incbin \"user/report/" file "\"\n"			\
	    #name "_end:\n"							\
	    ".popsection\n")

ASSET(page_body, "page.html");
ASSET(page_style, "page.css");
ASSET(page_script, "page.js");

static void put_asset(FILE *out, const char *begin, const char *end)
{
	fwrite(begin, 1, end - begin, out);
}

/* In hexadecimal: what nobody could know who made up a name that is in the page. */
static int make_nonce(char nonce[33])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fail(EXIT_RUNTIME, "getrandom: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int put_json(const char *text, size_t size, void *context)
{
	FILE *out = context;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '<')
			fputs("\\u003c", out);
		else
			putc(text[i], out);
	}
	return ferror(out) ? -1 : 0;
}

static void put_page(FILE *out, const json_t *document, const char *nonce)
{
	fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		"'nonce-%s'; script-src 'nonce-%s'; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\">\n"
		"<title>iophase report</title>\n<style nonce=\"%s\">\n", nonce, nonce, nonce);
	put_asset(out, page_style, page_style_end);
	fputs("</style>\n</head>\n", out);
	put_asset(out, page_body, page_body_end);
	fputs("<script type=\"application/json\" id=\"data\">", out);
	json_dump_callback(document, put_json, out, JSON_COMPACT);
	fprintf(out, "</script>\n<script nonce=\"%s\">\n", nonce);
	put_asset(out, page_script, page_script_end);
	fputs("</script>\n</body>\n</html>\n", out);
}

/* The rows of @record that are kept apart by @by, as `report --by` prints them. */
static json_t *rows_document(const struct saved_record *record, unsigned int by)
{
	struct options options = { .by = by, .sort = "wall", .top = ROWS_SHOWN };
	struct report report = record->report;
	struct reading view;
	json_t *document;

	memset(options.selected, true, sizeof(options.selected));
	view_make(&view, &record->reading, &options);
	report.options = &options;
	report.reading = &view;
	document = report_json(&report);
	json_object_set_new(document, "all_rows", json_integer(HASH_COUNT(view.rows.table)));
	view_free(&view, &record->reading);
	return document;
}

static json_t *doctor_document(const struct saved_record *record, const struct doctor *doctor)
{
	struct doctor judge = *doctor;
	struct options options = { .by = BY_PROCESS | BY_CALL, .sort = "wall", .doctor = &judge };
	struct report report = record->report;

	report.options = &options;
	return diagnosis_document(&report);
}

static json_t *arguments_json(const struct saved *saved)
{
	return json_is_array(saved->arguments) ? json_incref(saved->arguments) : json_array();
}

static json_t *loss_texts_json(void)
{
	json_t *object = json_object();

#define LOSS(name, text) json_object_set_new(object, #name, json_string(text));
#include "bpf/losses.def"
#undef LOSS
	return object;
}

static json_t *page_document(const struct saved *saved, const struct saved_record *total,
			     const struct doctor *doctor, struct series_set *series)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
			 "arguments", arguments_json(saved),
			 "loss_texts", loss_texts_json(),
			 "by_call", rows_document(total, BY_CALL),
			 "doctor", doctor_document(total, doctor),
			 "processes", rows_document(total, BY_PROCESS),
			 "calls", rows_document(total, BY_PROCESS | BY_CALL),
			 "loops", rows_document(total, BY_PROCESS | BY_LOOP),
			 "descriptors", rows_document(total, BY_PROCESS | BY_FD),
			 "latency", series_json(series));
}

/* The document of the last total, and of the times that all slices, or intervals, are of. */
static json_t *read_document(struct saved *saved, const struct doctor *doctor)
{
	enum record_kind part = saved->interval_ns ? RECORD_INTERVAL : RECORD_SLICE;
	struct series_set *series = series_new(saved->counts[part]);
	u64 totals = saved->counts[RECORD_TOTAL];
	struct saved_record record, total;
	json_t *document = NULL;
	bool found = false;

	/* The last total may come before the last parts: then they are newer than it is. */
	while (saved_next(saved, 1u << part | 1u << RECORD_TOTAL, &record)) {
		if (record.kind == part)
			series_add(series, &record.report);
		if (record.kind == RECORD_TOTAL && !--totals) {
			total = record;
			record_finish(&total);
			found = true;
		} else {
			record_free(&record);
		}
	}
	if (found) {
		document = page_document(saved, &total, doctor, series);
		record_free(&total);
	}
	series_free(series);
	return document;
}

int page_write(struct saved *saved, const struct doctor *doctor, const char *path)
{
	struct sink sink = { 0 };
	json_t *document = read_document(saved, doctor);
	char nonce[33];
	int err;

	if (!document)
		return fail(EXIT_RUNTIME, "%s: no total was saved before it ends", saved->path);
	err = make_nonce(nonce);
	err = err ? : sink_open(&sink, path, stdout);
	if (!err) {
		put_page(sink.stream, document, nonce);
		err = sink_close(&sink);
	}
	json_decref(document);
	return err;
}

int page_write_from(int fd, const char *path)
{
	struct doctor doctor = doctor_default();
	struct saved saved;
	int err = saved_open(&saved, NULL, fd);

	if (!err) {
		memcpy(doctor.thresholds, saved.thresholds, sizeof(doctor.thresholds));
		err = page_write(&saved, &doctor, path);
	}
	saved_close(&saved);
	return err;
}
