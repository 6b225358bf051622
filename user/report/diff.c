// SPDX-License-Identifier: GPL-2.0-only
#include "report/diff.h"

#include <err.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/diagnosis.h"
#include "fail.h"
#include "model/calls.h"
#include "text.h"

#define DIFF_SCHEMA_VERSION 1

/* All processes of one name. */
struct name {
	char comm[COMM_LEN];
	proc_id id;		/* of their rows here */
	UT_hash_handle hh;
};

struct side {
	const struct report *report;
	struct rows calls, loops;	/* sums of the processes of each name */
	struct diagnosis diagnosis;
};

struct diff {
	struct side sides[2];	/* before, after */
	struct name *names;
};

static const char *const side_words[2] = { "before", "after" };

static proc_id name_id(struct diff *diff, const char comm[COMM_LEN])
{
	struct name *name;

	HASH_FIND(hh, diff->names, comm, COMM_LEN, name);
	if (name)
		return name->id;
	name = calloc(1, sizeof(*name));
	if (!name)
		errx(EXIT_RUNTIME, "out of memory");
	memcpy(name->comm, comm, COMM_LEN);
	name->id = (proc_id)(HASH_COUNT(diff->names) + 1) << 32;
	HASH_ADD(hh, diff->names, comm, COMM_LEN, name);
	return name->id;
}

static void add_rows(struct diff *diff, struct rows *sums, const struct rows *rows)
{
	struct row *row, *next;

	HASH_ITER(hh, rows->table, row, next) {
		struct row sum = *row;

		sum.key = (struct row_key){ .proc = name_id(diff, row->comm), .call = row->key.call };
		rows_add_row(sums, &sum);
	}
}

static void side_make(struct diff *diff, struct side *side, const struct report *report)
{
	side->report = report;
	rows_init(&side->calls, BY_PROCESS | BY_CALL);
	rows_init(&side->loops, BY_PROCESS);
	add_rows(diff, &side->calls, &report->reading->rows);
	add_rows(diff, &side->loops, &report->reading->loops);
	diagnosis_make(&side->diagnosis, report);
}

static void diff_free(struct diff *diff)
{
	struct name *name, *next;

	for (int i = 0; i < 2; i++) {
		rows_free(&diff->sides[i].calls);
		rows_free(&diff->sides[i].loops);
		diagnosis_free(&diff->sides[i].diagnosis);
	}
	HASH_ITER(hh, diff->names, name, next) {
		HASH_DEL(diff->names, name);
		free(name);
	}
}

static double ratio(double sum, double count)
{
	return count ? sum / count : -1;
}

static double per_second(const struct side *side, u64 count)
{
	return ratio(count, side->report->duration_ns / 1e9);
}

static double mean_wall(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row->sum.wall_ns, row->sum.calls);
}

static double mean_blocked(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row->sum.blocked_ns, row->sum.calls);
}

static double mean_runnable(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row->sum.runnable_ns, row->sum.calls);
}

static double mean_kernel(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row_kernel_ns(row), row->sum.calls);
}

static double calls_rate(const struct side *side, const struct row *row)
{
	return per_second(side, row->sum.calls);
}

static double mean_scanned(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row->sum.scanned, row->wait_calls);
}

static double mean_ready(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row->sum.ready, row->wait_calls);
}

static double turns_rate(const struct side *side, const struct row *row)
{
	return per_second(side, row->loop->figures.sum.turns);
}

static double mean_turn(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row->loop->figures.sum.turn_ns, row->loop->figures.sum.turns);
}

static double turn_p99(const struct side *side, const struct row *row)
{
	(void)side;
	return hist_quantile(row->loop->figures.turn_hist, row->loop->figures.sum.turns, 0.99);
}

static double mean_reported(const struct side *side, const struct row *row)
{
	const struct loop_sum *sum = &row->loop->figures.sum;

	(void)side;
	return ratio(sum->report_ns, sum->timed_reports);
}

static double mean_served(const struct side *side, const struct row *row)
{
	(void)side;
	return ratio(row->loop->figures.sum.serve_ns, row->loop->figures.sum.serves);
}

static struct text text_ratio(double value)
{
	struct text text;

	if (value >= 99.95)
		return text_count(value);
	snprintf(text.buf, sizeof(text.buf), "%.1f", value);
	return text;
}

/* A figure of a row; negative: it is not known. */
struct figure {
	const char *key, *head;
	double (*value)(const struct side *side, const struct row *row);
	struct text (*text)(double value);
};

static const struct figure call_figures[] = {
	{ "calls_per_s", "CALLS/S", calls_rate, text_count },
	{ "wall_ns", "MEAN", mean_wall, text_ns },
	{ "blocked_ns", "BLOCKED", mean_blocked, text_ns },
	{ "runnable_ns", "RUNNABLE", mean_runnable, text_ns },
	{ "kernel_ns", "KERNEL", mean_kernel, text_ns },
	{ "scanned", "SCANNED", mean_scanned, text_ratio },
	{ "ready", "READY", mean_ready, text_ratio },
};

static const struct figure loop_figures[] = {
	{ "turns_per_s", "TURNS/S", turns_rate, text_count },
	{ "turn_ns", "TURN", mean_turn, text_ns },
	{ "turn_p99_ns", "TURN P99", turn_p99, text_ns },
	{ "reported_ns", "REPORTED", mean_reported, text_ns },
	{ "served_ns", "SERVED", mean_served, text_ns },
};

static double value_of(const struct figure *figure, const struct side *side, const struct row *row)
{
	return row ? figure->value(side, row) : -1;
}

static json_t *figures_json(const struct side *side, const struct row *row,
			    const struct figure *figures, u32 count)
{
	json_t *object = row ? json_object() : json_null();

	for (u32 i = 0; row && i < count; i++) {
		double value = value_of(&figures[i], side, row);

		json_object_set_new(object, figures[i].key, value < 0 ? json_null() : json_real(value));
	}
	return object;
}

/* What a row is called, and its figures on both sides, in either of which it may not be. */
typedef void row_fn(void *context, const struct name *name, u32 call, const struct row *rows[2]);

static void each_pair(const struct diff *diff, bool loops, row_fn *visit, void *context)
{
	struct name *name, *next;

	HASH_ITER(hh, diff->names, name, next) {
		for (u32 call = 0; call < (loops ? 1 : NR_CALLS); call++) {
			struct row_key key = { .proc = name->id, .call = call };
			const struct row *rows[2];

			for (int i = 0; i < 2; i++)
				rows[i] = rows_find(loops ? &diff->sides[i].loops : &diff->sides[i].calls, key);
			if (rows[0] || rows[1])
				visit(context, name, call, rows);
		}
	}
}

struct rows_json {
	const struct diff *diff;
	json_t *array;
};

static void add_row_json(void *context, const struct name *name, u32 call, const struct row *rows[2])
{
	struct rows_json *to = context;
	const struct side *sides = to->diff->sides;
	const struct figure *figures = call ? call_figures : loop_figures;
	u32 count = call ? ARRAY_SIZE(call_figures) : ARRAY_SIZE(loop_figures);
	json_t *object = json_pack("{s:s}", "comm", text_json_name(name->comm, COMM_LEN).buf);

	if (call)
		json_object_set_new(object, "call", json_string(calls[call].name));
	for (int i = 0; i < 2; i++)
		json_object_set_new(object, side_words[i],
				    figures_json(&sides[i], rows[i], figures, count));
	json_array_append_new(to->array, object);
}

static json_t *pairs_json(const struct diff *diff, bool loops)
{
	struct rows_json to = { .diff = diff, .array = json_array() };

	each_pair(diff, loops, add_row_json, &to);
	return to.array;
}

/* A fault is the same if it is of the same rule, in a process of the same name. */
static bool found_on(const struct side *side, const struct finding *finding)
{
	for (u32 i = 0; i < side->diagnosis.findings.count; i++) {
		const struct finding *other = &side->diagnosis.findings.list[i];

		if (other->rule == finding->rule &&
		    !strncmp(other->comm, finding->comm, COMM_LEN))
			return true;
	}
	return false;
}

enum fate { FATE_GONE, FATE_NEW, FATE_LEFT, NR_FATES };

static const char *const fate_words[NR_FATES] = { "gone", "new", "left" };

/* Those that are gone are of before; the others of after. */
static void each_finding(const struct diff *diff, enum fate fate,
			 void (*visit)(void *context, enum fate fate, const struct finding *finding),
			 void *context)
{
	const struct side *here = &diff->sides[fate != FATE_GONE], *there = &diff->sides[fate == FATE_GONE];

	for (u32 i = 0; i < here->diagnosis.findings.count; i++) {
		const struct finding *finding = &here->diagnosis.findings.list[i];

		if (found_on(there, finding) == (fate == FATE_LEFT))
			visit(context, fate, finding);
	}
}

static void add_finding_json(void *context, enum fate fate, const struct finding *finding)
{
	(void)fate;
	json_array_append_new(context, json_pack("{s:s,s:s,s:s,s:i,s:s,s:s}",
		"rule", finding->rule->id, "severity", severity_words[finding->severity],
		"comm", text_json_name(finding->comm, COMM_LEN).buf, "tgid", (int)finding->tgid,
		"object", finding->json_object.buf, "verdict", finding->verdict));
}

static json_t *side_json(const struct side *side)
{
	const struct report *report = side->report;
	json_t *object = json_pack("{s:s,s:s,s:s,s:s,s:f,s:I}", "version", report->version,
		"kernel", report->kernel, "backend", report->backend, "scan_tier", report->scan_tier,
		"time", report->at.tv_sec + report->at.tv_nsec / 1e9,
		"duration_ns", (json_int_t)report->duration_ns);

	if (report->incomplete)
		json_object_set_new(object, "incomplete", json_string(report->incomplete));
	return object;
}

static void print_json(FILE *out, const struct diff *diff)
{
	json_t *document = json_pack("{s:i}", "schema_version", DIFF_SCHEMA_VERSION);
	json_t *findings = json_object();

	for (int i = 0; i < 2; i++)
		json_object_set_new(document, side_words[i], side_json(&diff->sides[i]));
	json_object_set_new(document, "calls", pairs_json(diff, false));
	json_object_set_new(document, "loops", pairs_json(diff, true));
	for (int fate = 0; fate < NR_FATES; fate++) {
		json_t *array = json_array();

		each_finding(diff, fate, add_finding_json, array);
		json_object_set_new(findings, fate_words[fate], array);
	}
	json_object_set_new(document, "findings", findings);
	json_dumpf(document, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(document);
}

/* The lines of one table, whose head is printed before the first. */
struct table_print {
	FILE *out;
	const struct diff *diff;
	const struct figure *figures;
	u32 count;
	bool waits;		/* wait calls alone */
	bool begun;
};

static struct text both(const struct table_print *to, const struct figure *figure,
			const struct row *rows[2])
{
	struct text text, parts[2];

	for (int i = 0; i < 2; i++) {
		double value = value_of(figure, &to->diff->sides[i], rows[i]);

		parts[i] = value < 0 ? (struct text){ "-" } : figure->text(value);
	}
	snprintf(text.buf, sizeof(text.buf), "%6.20s %6.20s", parts[0].buf, parts[1].buf);
	return text;
}

static void print_pair(void *context, const struct name *name, u32 call, const struct row *rows[2])
{
	struct table_print *to = context;

	if (to->waits && !((rows[0] && rows[0]->wait_calls) || (rows[1] && rows[1]->wait_calls)))
		return;
	if (!to->begun) {
		fprintf(to->out, "\n%-12s %-12s", "PROCESS", call ? "CALL" : "");
		for (u32 i = 0; i < to->count; i++)
			fprintf(to->out, "  %13s", to->figures[i].head);
		putc('\n', to->out);
		to->begun = true;
	}
	fprintf(to->out, "%-12.12s %-12s", text_name(name->comm, COMM_LEN).buf,
		call ? calls[call].name : "");
	for (u32 i = 0; i < to->count; i++)
		fprintf(to->out, "  %s", both(to, &to->figures[i], rows).buf);
	putc('\n', to->out);
}

static void print_table(FILE *out, const struct diff *diff, bool loops, u32 first, u32 count,
			bool waits)
{
	struct table_print to = {
		.out = out, .diff = diff, .count = count, .waits = waits,
		.figures = (loops ? loop_figures : call_figures) + first,
	};

	each_pair(diff, loops, print_pair, &to);
}

static void print_finding(void *context, enum fate fate, const struct finding *finding)
{
	static const char *const heads[NR_FATES] = { "gone", "new", "still there" };
	char line[3 * TEXT_MAX];

	snprintf(line, sizeof(line), "%s: %s: %s: %s, pid %u: %s", heads[fate],
		 severity_words[finding->severity], finding->rule->id,
		 text_name(finding->comm, COMM_LEN).buf, finding->tgid, finding->verdict);
	text_wrap(context, 0, 12, line);
}

static void print_text(FILE *out, const struct diff *diff)
{
	for (int i = 0; i < 2; i++) {
		const struct report *report = diff->sides[i].report;

		fprintf(out, "%s: %s seen, %s backend, Linux %s\n", side_words[i],
			text_ns(report->duration_ns).buf, report->backend,
			text_name(report->kernel, 64).buf);
		report_losses(out, report);
	}
	text_wrap(out, 0, 0, "In each column: before, after. Times are means for each call, or turn; KERNEL of a "
		  "call that writes has what it copies in it.");
	for (int i = 0; i < 2; i++) {
		if (strcmp(diff->sides[i].report->scan_tier, "exact"))
			fprintf(out, "SCANNED %s is a lower bound.\n", side_words[i]);
	}
	print_table(out, diff, false, 0, 3, false);
	print_table(out, diff, false, 3, 2, false);
	print_table(out, diff, false, 5, 2, true);
	print_table(out, diff, true, 0, 3, false);
	print_table(out, diff, true, 3, 2, false);
	putc('\n', out);
	for (int fate = 0; fate < NR_FATES; fate++)
		each_finding(diff, fate, print_finding, out);
	if (!diff->sides[0].diagnosis.findings.count && !diff->sides[1].diagnosis.findings.count)
		fputs("nothing found before, nor after\n", out);
}

void diff_print(FILE *out, const struct report *before, const struct report *after, bool json)
{
	struct diff diff = { 0 };

	side_make(&diff, &diff.sides[0], before);
	side_make(&diff, &diff.sides[1], after);
	if (json)
		print_json(out, &diff);
	else
		print_text(out, &diff);
	diff_free(&diff);
}
