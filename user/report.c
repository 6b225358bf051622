// SPDX-License-Identifier: GPL-2.0-only
/* iophase report: prints what was saved, as it was printed live, or in any other way. */
#include "report.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "doctor/diagnosis.h"
#include "doctor/thresholds.h"
#include "fail.h"
#include "model/view.h"
#include "options.h"
#include "output/output.h"
#include "report/diff.h"
#include "report/page.h"
#include "saved/saved.h"
#include "sink.h"

struct request {
	struct options options;		/* first: parsers are handed it as their input */
	const char *session, *other;	/* the second one of --diff */
	bool diff;
	bool total;			/* all of the time, not each interval */
	bool doctor;			/* what is wrong with it, instead of rows */
	const char *sets[NR_THRESHOLDS];	/* of --set, in their order */
	u32 nr_sets;
	const char *fail_on;		/* NULL: nothing */
};

enum { KEY_TOTAL = 640, KEY_DIFF, KEY_DOCTOR, KEY_SET, KEY_FAIL_ON };

static const struct argp_option option_table[] = {
	{ "total", KEY_TOTAL, 0, 0, "All of the time as one report, where there was one for each interval", 3 },
	{ "diff", KEY_DIFF, 0, 0, "Two sessions, before and after a change, beside each other", 3 },
	{ "doctor", KEY_DOCTOR, 0, 0, "Print what is wrong, by the rules of iophase doctor", 3 },
	{ "set", KEY_SET, "RULE.NAME=VALUE", 0,
	  "From when on a rule speaks (repeatable); default: as it was when it was saved", 3 },
	{ "fail-on", KEY_FAIL_ON, "LEVEL", 0,
	  "Exit with 3 on a finding of this severity, or worse: info, warning, critical", 3 },
	{ 0 },
};

static int add_set(struct request *request, const char *text)
{
	struct doctor tried = doctor_default();
	int err = doctor_set(&tried, text);

	if (err)
		return err;
	if (request->nr_sets == NR_THRESHOLDS)
		return options_usage("--set: too many of them", text);
	request->sets[request->nr_sets++] = text;
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;
	struct doctor tried;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &request->options;
		state->child_inputs[1] = &request->options;
		return 0;
	case ARGP_KEY_ARG:
		if (request->other)
			return options_usage("one argument too many", arg);
		*(request->session ? &request->other : &request->session) = arg;
		return 0;
	case KEY_TOTAL:
		request->total = true;
		return 0;
	case KEY_DIFF:
		request->diff = true;
		return 0;
	case KEY_DOCTOR:
		request->doctor = true;
		return 0;
	case KEY_SET:
		request->doctor = true;
		return add_set(request, arg);
	case KEY_FAIL_ON:
		request->doctor = true;
		request->fail_on = arg;
		return doctor_fail_on(&tried, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int check(const struct request *request)
{
	const struct options *options = &request->options;

	if (!request->session)
		return fail(EXIT_USAGE, "report: a session is needed, which -o NAME" SESSION_SUFFIX
			    " of the other commands saves");
	if (!request->diff && request->other)
		return fail(EXIT_USAGE, "one argument too many: '%s' (see iophase --help)", request->other);
	if (request->diff && (!request->other || options->html || request->doctor))
		return fail(EXIT_USAGE, "report --diff: two sessions are needed; --html, --doctor, --set and "
			    "--fail-on are of one");
	if (request->diff && options->format != FORMAT_TABLE && options->format != FORMAT_JSON)
		return fail(EXIT_USAGE, "report --diff: --format table or json");
	if (options->command)
		return fail(EXIT_USAGE, "report: measures nothing, so there is no command to run");
	if (options->save)
		return fail(EXIT_USAGE, "report: saves no session: -o %s", options->save);
	if (request->doctor && options->format != FORMAT_TABLE && options->format != FORMAT_JSON)
		return fail(EXIT_USAGE, "report --doctor: --format table or json");
	return 0;
}

/* The thresholds it was measured with, and what is asked for beyond. */
static int take_thresholds(struct request *request, const struct saved *saved)
{
	struct doctor *doctor = request->options.doctor;

	memcpy(doctor->thresholds, saved->thresholds, sizeof(doctor->thresholds));
	if (request->fail_on)
		doctor_fail_on(doctor, request->fail_on);
	for (u32 i = 0; i < request->nr_sets; i++) {
		const char *text = request->sets[i];
		int threshold = threshold_find(text, strcspn(text, "="));

		doctor_set(doctor, text);
		if (threshold_hooked(threshold) &&
		    doctor->thresholds[threshold] != saved->thresholds[threshold])
			return fail(EXIT_USAGE, "--set %s: what it is about was counted from %g %s on when "
				    "the session was saved", text, saved->thresholds[threshold],
				    thresholds[threshold].unit);
	}
	return 0;
}

static void print_rows(FILE *out, const struct request *request, const struct output *output,
		       struct saved_record *record)
{
	const struct reading *all = &record->reading;
	struct report report = record->report;
	struct reading view;

	view_make(&view, all, &request->options);
	report.options = &request->options;
	report.reading = &view;
	output->print(out, &report);
	view_free(&view, all);
}

static const struct output *output_of(const struct request *request)
{
	static const struct output *const outputs[] = {
		[FORMAT_TABLE] = &output_table,
		[FORMAT_JSON] = &output_json,
		[FORMAT_NDJSON] = &output_ndjson,
		[FORMAT_CSV] = &output_csv,
	};

	if (request->doctor)
		return request->options.format == FORMAT_JSON ? &diagnosis_json : &diagnosis_text;
	return outputs[request->options.format];
}

/* Of each interval there was, or of the whole, of which the last total is all that was seen. */
static int print_session(FILE *out, const struct request *request, struct saved *saved)
{
	bool intervals = request->options.interval_ns;
	enum record_kind wanted = intervals ? RECORD_INTERVAL : RECORD_TOTAL;
	const struct output *output = output_of(request);
	u64 left = saved->counts[wanted];
	struct saved_record record;

	if (!left)
		return fail(EXIT_RUNTIME, "%s: no %s was saved before it ends", saved->path,
			    record_words[wanted]);
	if (output->begin)
		output->begin(out, &request->options);
	while (saved_next(saved, 1u << wanted, &record)) {
		if (intervals || !--left)
			print_rows(out, request, output, &record);
		record_free(&record);
	}
	return 0;
}

/* What is wrong with the file is said on standard error, too, and what is damaged is a failure. */
static int close_session(const struct saved *saved, int err)
{
	if (saved->unread)
		note("%s: %llu lines are not known to this version, and left out", saved->path,
		     (unsigned long long)saved->unread);
	if (saved->damaged)
		return fail(EXIT_RUNTIME, "%s", saved->incomplete);
	if (*saved->incomplete)
		note("%s", saved->incomplete);
	return err;
}

static int report_session(struct request *request)
{
	struct sink sink = { 0 };
	struct saved saved;
	int err = saved_open(&saved, request->session, -1);

	if (!err) {
		request->options.interval_ns = request->doctor || request->total ? 0 :
					       saved.interval_ns;
		err = take_thresholds(request, &saved);
	}
	if (!err && request->options.html) {
		err = page_write(&saved, request->options.doctor, request->options.html);
		err = close_session(&saved, err);
		saved_close(&saved);
		return err;
	}
	err = err ? : sink_open(&sink, request->options.output, stdout);
	if (!err) {
		err = print_session(sink.stream, request, &saved);
		if (err)
			sink_abandon(&sink);
		else
			err = sink_close(&sink);
		err = close_session(&saved, err);
	}
	saved_close(&saved);
	return err;
}

/* The last total of the session in @path, judged by @doctor; 0, or an exit code after a message. */
static int read_total(struct saved *saved, const char *path, struct saved_record *total)
{
	int err = saved_open(saved, path, -1);
	u64 left = err ? 0 : saved->counts[RECORD_TOTAL];

	while (!err && left && saved_next(saved, 1u << RECORD_TOTAL, total)) {
		if (!--left)
			return 0;
		record_free(total);
	}
	return err ? : fail(EXIT_RUNTIME, "%s: no total was saved before it ends", path);
}

static int report_diff(struct request *request)
{
	const char *const paths[] = { request->session, request->other };
	struct doctor doctors[2];
	struct options options[2];
	struct saved saved[2] = { { .reader.fd = -1 }, { .reader.fd = -1 } };
	struct saved_record totals[2] = { 0 };
	struct sink sink = { 0 };
	int err = 0;

	for (int i = 0; !err && i < 2; i++) {
		err = read_total(&saved[i], paths[i], &totals[i]);
		if (err)
			break;
		doctors[i] = doctor_default();
		memcpy(doctors[i].thresholds, saved[i].thresholds, sizeof(doctors[i].thresholds));
		options[i] = request->options;
		options[i].doctor = &doctors[i];
		totals[i].report.options = &options[i];
	}
	err = err ? : sink_open(&sink, request->options.output, stdout);
	if (!err) {
		diff_print(sink.stream, &totals[0].report, &totals[1].report,
			   request->options.format == FORMAT_JSON);
		err = sink_close(&sink);
	}
	for (int i = 0; i < 2; i++) {
		err = close_session(&saved[i], err);
		record_free(&totals[i]);
		saved_close(&saved[i]);
	}
	return err;
}

static const char doc[] =
	"Prints what a session says that was saved with -o NAME" SESSION_SUFFIX ": in all the ways in which it could "
	"have been printed when it was measured, by whoever has the file, on any machine.\v"
	"  iophase -p 1234 -d 10 -o x.iophase      save a measurement\n"
	"  iophase report x.iophase --by thread    rows of it, as they would have been printed\n"
	"  iophase report x.iophase --html x.html  a page to look at, and to send on\n"
	"  iophase report x.iophase --doctor       what its event loops did wrong\n"
	"  iophase report --diff a.iophase b.iophase   what a change has changed";

static const struct argp_child children[] = {
	{ &options_rows, 0, NULL, 0 }, { &options_print, 0, NULL, 0 }, { 0 },
};

const struct argp report_argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "SESSION\n--diff BEFORE AFTER",
	.doc = doc,
	.children = children,
};

int report_main(int argc, char **argv)
{
	struct request request = { .options = {
		.by = BY_PROCESS | BY_CALL, .sort = "wall", .everything = true,
	} };
	struct doctor doctor = doctor_default();
	int err;

	request.options.doctor = &doctor;
	signal(SIGPIPE, SIG_IGN);
	err = options_parse_with(&request.options, &report_argp, argc, argv);
	if (err)
		return -err - 1;
	err = check(&request);
	err = err ? : request.diff ? report_diff(&request) : report_session(&request);
	return err ? : request.doctor ? doctor_verdict(&doctor) : EXIT_OK;
}
