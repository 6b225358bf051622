// SPDX-License-Identifier: GPL-2.0-only
#include "doctor/finding.h"

#include <err.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

const char *const severity_words[NR_SEVERITIES + 1] = { "info", "warning", "critical", NULL };
const char *const confidence_words[] = { "low", "medium", "high" };

struct finding *findings_add(struct findings *findings, const struct rule *rule)
{
	struct finding *list = reallocarray(findings->list, findings->count + 1, sizeof(*list));

	if (!list)
		errx(EXIT_RUNTIME, "out of memory");
	findings->list = list;
	list[findings->count] = (struct finding){
		.rule = rule, .severity = SEVERITY_WARNING, .confidence = CONFIDENCE_HIGH, .fd = -1,
		.cpu_ms_per_s = -1, .stall_ms = -1,
	};
	return &list[findings->count++];
}

void findings_free(struct findings *findings)
{
	free(findings->list);
	*findings = (struct findings){ 0 };
}

static int worse(const void *a, const void *b)
{
	const struct finding *left = a, *right = b;
	double l = left->cpu_ms_per_s + left->stall_ms, r = right->cpu_ms_per_s + right->stall_ms;

	if (left->severity != right->severity)
		return left->severity > right->severity ? -1 : 1;
	if (l != r)
		return l > r ? -1 : 1;
	if (left->tgid != right->tgid)
		return left->tgid < right->tgid ? -1 : 1;
	return left->fd < right->fd ? -1 : left->fd > right->fd;
}

void findings_sort(struct findings *findings)
{
	if (findings->count)
		qsort(findings->list, findings->count, sizeof(*findings->list), worse);
}

#define SIMILAR_SHOWN 5

/* The first of @count findings that is of the rule and process of @like; NULL. */
static struct finding *first_like(struct finding *list, u32 count, const struct finding *like,
				  u32 *before)
{
	struct finding *first = NULL;

	*before = 0;
	for (u32 i = 0; i < count; i++) {
		if (list[i].rule != like->rule || list[i].tgid != like->tgid)
			continue;
		first = first ? : &list[i];
		(*before)++;
	}
	return first;
}

void findings_thin(struct findings *findings)
{
	u32 kept = 0, before;

	for (u32 i = 0; i < findings->count; i++) {
		struct finding *first = first_like(findings->list, kept, &findings->list[i],
						   &before);

		if (before >= SIMILAR_SHOWN)
			first->similar++;
		else
			findings->list[kept++] = findings->list[i];
	}
	findings->count = kept;
}

static struct evidence *next_evidence(struct finding *finding)
{
	static struct evidence spare;

	return finding->nr_evidence < EVIDENCE_MAX ? &finding->evidence[finding->nr_evidence++] :
	       &spare;
}

void finding_note(struct finding *finding, const char *name, double value)
{
	size_t len = strlen(name);

	/* A mean of times is a time, in whole nanoseconds. */
	if (len > 3 && !strcmp(name + len - 3, "_ns"))
		value = round(value);
	*next_evidence(finding) = (struct evidence){ .name = name, .value = value };
}

double finding_figure(const struct finding *finding, const char *name)
{
	for (u32 i = 0; i < finding->nr_evidence; i++) {
		if (!strcmp(finding->evidence[i].name, name))
			return finding->evidence[i].value;
	}
	return 0;
}

void finding_note_word(struct finding *finding, const char *name, const char *word)
{
	*next_evidence(finding) = (struct evidence){ .name = name, .word = word };
}

void finding_stack(struct finding *finding, u64 object, enum stack_kind kind)
{
	if (finding->nr_stacks < FINDING_STACKS)
		finding->stacks[finding->nr_stacks++] =
			(struct stack_key){ .object = object, .kind = kind };
}

void finding_say(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->verdict, sizeof(finding->verdict), format, args);
	va_end(args);
}

const char *on_average(double count)
{
	return count == 1 ? "" : " on average";
}

#define CRITICAL_CPU_MS_PER_S	200	/* a fifth of a CPU */
#define CRITICAL_STALL_MS	1000

void finding_weigh(struct finding *finding)
{
	finding->severity = finding->cpu_ms_per_s >= CRITICAL_CPU_MS_PER_S ||
			    finding->stall_ms >= CRITICAL_STALL_MS ? SEVERITY_CRITICAL :
			    SEVERITY_WARNING;
}
