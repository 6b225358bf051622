// SPDX-License-Identifier: GPL-2.0-only
/* What the doctor says, in plain words. */
#include "doctor/diagnosis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stack/symbols.h"

static u64 rows_count(const struct rows *rows)
{
	return HASH_COUNT(rows->table);
}

/* Those that made calls, and those that are there still. */
static u64 count_processes(const struct reading *reading)
{
	struct rows processes;
	struct row *row, *next;
	u64 count;

	rows_init(&processes, BY_PROCESS);
	HASH_ITER(hh, reading->rows.table, row, next)
		rows_get(&processes, (struct row_key){ .proc = row->key.proc });
	for (u32 i = 0; i < reading->nr_threads; i++)
		rows_get(&processes, (struct row_key){ .proc = reading->threads[i].proc });
	count = rows_count(&processes);
	rows_free(&processes);
	return count;
}

/* A hook that did not run, and a call that was half seen, can be the same. */
static u64 count_unseen(const struct report *report)
{
	const u64 *losses = report->reading->losses;
	u64 halves = losses[LOSS_enter_missed] + losses[LOSS_exit_missed];

	return report->cost->recursion_misses > halves ? report->cost->recursion_misses : halves;
}

void diagnosis_make(struct diagnosis *diagnosis, const struct report *report)
{
	struct doctor *doctor = report->options->doctor;
	struct row *row, *next;

	*diagnosis = (struct diagnosis){
		.chart = {
			.doctor = doctor,
			.reading = report->reading,
			.duration_ns = report->duration_ns,
			.contents = !*report->parts->lacks[PART_contents] &&
				    !*report->parts->lacks[PART_sockets],
			.unseen_calls = count_unseen(report),
			.whole = report->whole,
			.crowd = !report->named,
		},
		.processes = count_processes(report->reading),
		.loops = rows_count(&report->reading->loops),
		.descriptors = rows_count(&report->reading->fds),
	};
	diagnosis->chart.findings = &diagnosis->findings;
	HASH_ITER(hh, report->reading->rows.table, row, next)
		diagnosis->calls += row->sum.calls;
	rules_judge(&diagnosis->chart);
	if (diagnosis->findings.count)
		doctor->worst = diagnosis->findings.list[0].severity;
}

void diagnosis_free(struct diagnosis *diagnosis)
{
	findings_free(&diagnosis->findings);
}

u32 diagnosis_stack(const struct stack_source *source, const struct finding *finding,
		    struct stack_key *key, struct symbol *symbols, u32 max)
{
	u32 count = 0;

	if (finding->here.ip) {
		*key = (struct stack_key){
			.object = (u64)finding->tgid << 32 | finding->tid, .kind = STACK_HERE,
		};
		return source->find(source, key, &finding->here, symbols, max);
	}
	for (u32 i = 0; !count && i < finding->nr_stacks; i++) {
		*key = finding->stacks[i];
		count = source->find(source, key, NULL, symbols, max);
	}
	return count;
}

u32 diagnosis_where(const struct report *report, const struct finding *finding,
		    struct text lines[WHERE_MAX], struct text (*escape)(const char *, size_t))
{
	struct symbol symbols[WHERE_MAX];
	struct stack_key key;
	u32 count = diagnosis_stack(report->stacks, finding, &key, symbols, WHERE_MAX);

	for (u32 i = 0; i < count; i++)
		lines[i] = symbol_text(&symbols[i], escape);
	return count;
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && !strcmp(name + len - end_len, end);
}

struct text evidence_text(const struct evidence *evidence)
{
	struct text text;

	/* Several words could be taken for what comes next. */
	if (evidence->word)
		snprintf(text.buf, sizeof(text.buf), strchr(evidence->word, ' ') ? "\"%s\"" : "%s",
			 evidence->word);
	else if (ends_with(evidence->name, "_ns"))
		return text_ns(evidence->value);
	else if (ends_with(evidence->name, "_bytes"))
		return text_bytes(evidence->value);
	else if (ends_with(evidence->name, "_share"))
		snprintf(text.buf, sizeof(text.buf), "%.0f%%", evidence->value * 100);
	else if (evidence->value != (u64)evidence->value)
		snprintf(text.buf, sizeof(text.buf), "%.3g", evidence->value);
	else
		snprintf(text.buf, sizeof(text.buf), "%.15g", evidence->value);
	return text;
}

#define INDENT 12

/* The first line behind @label. */
static void print_wrapped(FILE *out, const char *label, const char *text)
{
	text_wrap(out, fprintf(out, "  %-*s", INDENT - 2, label), INDENT, text);
}

static void print_evidence(FILE *out, const struct finding *finding)
{
	char line[1024] = "";
	size_t used = 0;

	for (u32 i = 0; i < finding->nr_evidence && used < sizeof(line); i++)
		used += snprintf(line + used, sizeof(line) - used, "%s%s=%s", i ? ", " : "",
				 finding->evidence[i].name,
				 evidence_text(&finding->evidence[i]).buf);
	print_wrapped(out, "evidence", line);
}

static void print_cost(FILE *out, const struct finding *finding)
{
	char line[TEXT_MAX + 64];

	if (finding->cpu_ms_per_s >= 0) {
		snprintf(line, sizeof(line), "%.3g ms of CPU time in each second",
			 finding->cpu_ms_per_s);
		print_wrapped(out, "cost", line);
	}
	if (finding->stall_ms >= 0) {
		snprintf(line, sizeof(line), "%s of waiting, in all",
			 text_ns(finding->stall_ms * 1e6).buf);
		print_wrapped(out, "cost", line);
	}
}

#define WHERE_SHOWN 8

static void print_where(FILE *out, const struct report *report, const struct finding *finding)
{
	struct text lines[WHERE_MAX];
	u32 count = diagnosis_where(report, finding, lines, text_name);

	for (u32 i = 0; i < count && i < WHERE_SHOWN; i++)
		fprintf(out, "  %-*s%s\n", INDENT - 2, i ? "" : "where", lines[i].buf);
	if (!count && finding->nr_stacks)
		print_wrapped(out, "where", "not known: no call of its kind was met again");
}

/* Never by colour alone: the word says it. */
static const char *const colors[NR_SEVERITIES] = { "\033[36m", "\033[33m", "\033[31m" };

static void print_head(FILE *out, const struct finding *finding, bool color)
{
	const char *severity = severity_words[finding->severity];
	char thread[32] = "", fd[40] = "", line[3 * TEXT_MAX];

	if (finding->tid && finding->tid != finding->tgid)
		snprintf(thread, sizeof(thread), ", thread %u", finding->tid);
	if (finding->fd >= 0)
		snprintf(fd, sizeof(fd), ", descriptor %" PRIi64, (s64)finding->fd);
	snprintf(line, sizeof(line), "%s: %s, pid %u%s%s%s%s", finding->rule->id,
		 text_name(finding->comm, COMM_LEN).buf, finding->tgid, thread, fd,
		 finding->object.buf[0] ? ", " : "", finding->object.buf);
	fprintf(out, "%s%s%s: ", color ? colors[finding->severity] : "", severity,
		color ? "\033[0m" : "");
	text_wrap(out, strlen(severity) + 2, INDENT, line);
}

void finding_print(FILE *out, const struct report *report, const struct finding *finding,
		   bool color)
{
	print_head(out, finding, color);
	print_wrapped(out, "", finding->verdict);
	print_evidence(out, finding);
	print_cost(out, finding);
	print_where(out, report, finding);
	if (finding->advice[0])
		print_wrapped(out, "change", finding->advice);
	if (finding->rule->disproof[0])
		print_wrapped(out, "not so if", finding->rule->disproof);
	if (finding->confidence != CONFIDENCE_HIGH)
		print_wrapped(out, "confidence ", confidence_words[finding->confidence]);
	if (finding->similar)
		fprintf(out, "  %-*s%u more like it in this process are not shown\n", INDENT - 2,
			"others", finding->similar);
	putc('\n', out);
}

/* What was looked at, so that silence means something. */
static void print_watched(FILE *out, const struct report *report,
			  const struct diagnosis *diagnosis)
{
	u64 processes = diagnosis->processes, loops = diagnosis->loops, calls = diagnosis->calls;
	u64 descriptors = diagnosis->descriptors;
	char line[2 * TEXT_MAX];

	snprintf(line, sizeof(line), "%swatched for %s: %" PRIu64 " process%s, %" PRIu64 " loop%s, %"
		 PRIu64 " descriptor%s, %" PRIu64 " call%s, %s backend",
		 diagnosis->findings.count ? "" : "nothing found; ",
		 text_ns(report->duration_ns).buf, processes, processes == 1 ? "" : "es",
		 loops, loops == 1 ? "" : "s", descriptors, descriptors == 1 ? "" : "s",
		 calls, calls == 1 ? "" : "s", report->backend);
	text_wrap(out, 0, INDENT, line);
	for (u32 i = 0; i < nr_rules; i++) {
		const char *why = rule_unjudged(&diagnosis->chart, &rules[i]);

		if (why)
			fprintf(out, "not judged: %s: %s\n", rules[i].id, why);
	}
}

static bool colored(FILE *out, const struct options *options)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	if (options->color != COLOR_AUTO)
		return options->color == COLOR_ALWAYS;
	return isatty(fileno(out)) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

static void print(FILE *out, const struct report *report)
{
	struct diagnosis diagnosis;

	diagnosis_make(&diagnosis, report);
	for (u32 i = 0; i < diagnosis.findings.count; i++)
		finding_print(out, report, &diagnosis.findings.list[i],
			      colored(out, report->options));
	print_watched(out, report, &diagnosis);
	report_losses(out, report);
	diagnosis_free(&diagnosis);
}

const struct output diagnosis_text = { .print = print };
