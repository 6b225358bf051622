// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks by the time of their calls: a table under that of the calls, or folded for flame
 * graphs.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "model/calls.h"
#include "output/table.h"
#include "weigh.h"
#include "weigh/places.h"

/* The ring has room for the samples of so long, and of a machine full of calls. */
#define GAP_NS (50 * 1000000ull)

/* And so much of it can go into names. */
#define NAMING_NS (10 * 1000000ull)

#define SHOWN_DEFAULT 10

void weigh_free(struct weigh *weigh)
{
	places_close(weigh->places);
}

static void begin(FILE *out, const struct options *options)
{
	(void)out;
	options->weigh->places = places_open();
	if (!options->weigh->places)
		exit(fail(EXIT_RUNTIME, "out of memory"));
}

static void take(void *context, const void *record, size_t size)
{
	const struct stack_sample *sample = record;

	if (size >= sizeof(*sample) && sample->call && sample->call < NR_CALLS)
		places_add(context, sample);
}

static u64 drain(FILE *out, const struct options *options, struct session *session, bool last)
{
	(void)out;
	(void)last;
	session_samples(session, take, options->weigh->places);
	places_name(options->weigh->places, NAMING_NS);
	return GAP_NS;
}

/* All time of the calls, by phase. */
static void totals_of(const struct report *report, u64 totals[NR_WEIGHTS])
{
	struct row *row, *next;

	memset(totals, 0, NR_WEIGHTS * sizeof(*totals));
	HASH_ITER(hh, report->reading->rows.table, row, next) {
		totals[WEIGHT_blocked] += row->sum.blocked_ns;
		totals[WEIGHT_runnable] += row->sum.runnable_ns;
		totals[WEIGHT_kernel] += row_kernel_ns(row);
		totals[WEIGHT_copy] += row->sum.copy_ns;
	}
}

/* What no sample stands for: less than a sample's worth for each thread, if none was delayed. */
static void rest_of(const struct report *report, const struct place_row *rows, u32 count,
		    u64 rest[NR_WEIGHTS])
{
	totals_of(report, rest);
	for (u32 w = 0; w < NR_WEIGHTS; w++) {
		for (u32 i = 0; i < count; i++)
			rest[w] -= rows[i].weight_ns[w] < rest[w] ? rows[i].weight_ns[w] : rest[w];
	}
}

/* The first of the phases that are asked for is the one by which rows are sorted. */
static enum weight first_shown(const struct weigh *weigh)
{
	for (u32 w = 0; w < NR_WEIGHTS; w++) {
		if (weigh->shown[w])
			return w;
	}
	return WEIGHT_blocked;
}

/* "main;loop;read" as "read < loop < main". */
static void print_callers(FILE *out, const char *callers)
{
	char *copy = strdup(callers), *text = malloc(3 * strlen(callers) + 1), *at;

	if (copy && text) {
		*text = '\0';
		while ((at = strrchr(copy, ';'))) {
			strcat(strcat(text, at + 1), " < ");
			*at = '\0';
		}
		strcat(text, copy);
		text_wrap(out, fprintf(out, "        "), 8, text);
	}
	free(copy);
	free(text);
}

static void print_weights(FILE *out, const struct weigh *weigh, const u64 weights[NR_WEIGHTS])
{
	for (u32 w = 0; w < NR_WEIGHTS; w++) {
		if (weigh->shown[w])
			fprintf(out, "%8s ", weights[w] ? text_ns(weights[w]).buf : "0");
	}
}

static void print_head(FILE *out, const struct weigh *weigh)
{
	static const char *const heads[] = {
		[WEIGHT_blocked] = "BLOCKED", [WEIGHT_runnable] = "RUNNABLE",
		[WEIGHT_kernel] = "KERNEL", [WEIGHT_copy] = "COPY",
	};

	for (u32 w = 0; w < NR_WEIGHTS; w++) {
		if (weigh->shown[w])
			fprintf(out, "%8s ", heads[w]);
	}
	fprintf(out, "%7s  CALL, AND WHO MADE IT\n", "SAMPLES");
}

/* None of what is asked for was spent there. */
static bool empty_row(const struct weigh *weigh, const struct place_row *row)
{
	u64 any = 0;

	for (u32 w = 0; w < NR_WEIGHTS; w++)
		any |= weigh->shown[w] ? row->weight_ns[w] : 0;
	return !any;
}

static void print_places(FILE *out, const struct report *report)
{
	const struct weigh *weigh = report->options->weigh;
	u32 count, shown = 0, most = report->options->top ? : SHOWN_DEFAULT, left = 0;
	struct place_row *rows = places_rows(weigh->places, first_shown(weigh), &count);
	u64 rest[NR_WEIGHTS];

	if (!rows)
		return;
	rest_of(report, rows, count, rest);
	print_head(out, weigh);
	for (u32 i = 0; i < count; i++) {
		const struct place_row *row = &rows[i];

		if (empty_row(weigh, row))
			continue;
		if (shown == most) {
			left++;
			continue;
		}
		shown++;
		print_weights(out, weigh, row->weight_ns);
		fprintf(out, "%7s  %s of %s/%u\n", text_count(row->samples).buf,
			calls[row->call].name, text_name(row->comm, COMM_LEN).buf,
			proc_tgid(row->proc));
		print_callers(out, row->callers);
	}
	print_weights(out, weigh, rest);
	fprintf(out, "%7s  not attributed\n", "-");
	if (left)
		fprintf(out, "... and %u stacks more (-N COUNT shows so many)\n", left);
	fputc('\n', out);
	free(rows);
}

static void print_table(FILE *out, const struct report *report)
{
	output_table.print(out, report);
	fputc('\n', out);
	print_places(out, report);
}

static void fold_name(FILE *out, const char *comm)
{
	for (const char *at = text_name(comm, COMM_LEN).buf; *at; at++)
		fputc(*at == ';' ? ':' : *at, out);
}

static void print_folded(FILE *out, const struct report *report)
{
	const struct weigh *weigh = report->options->weigh;
	u32 count;
	struct place_row *rows = places_rows(weigh->places, first_shown(weigh), &count);
	u64 rest[NR_WEIGHTS];

	if (!rows)
		return;
	rest_of(report, rows, count, rest);
	for (u32 w = 0; w < NR_WEIGHTS; w++) {
		if (!weigh->shown[w])
			continue;
		for (u32 i = 0; i < count; i++) {
			if (!rows[i].weight_ns[w])
				continue;
			fold_name(out, rows[i].comm);
			fprintf(out, ";%s;%s(2);[%s] %" PRIu64 "\n", rows[i].callers,
				calls[rows[i].call].name, weight_name(w), rows[i].weight_ns[w]);
		}
		if (rest[w])
			fprintf(out, "[not attributed];[%s] %" PRIu64 "\n", weight_name(w), rest[w]);
	}
	free(rows);
	/* What went missing is no part of the stacks. */
	report_losses(stderr, report);
}

const struct output output_weighed = { .begin = begin, .drain = drain, .print = print_table };
const struct output output_folded = { .begin = begin, .drain = drain, .print = print_folded };
