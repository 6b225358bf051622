// SPDX-License-Identifier: GPL-2.0-only
/* The same for programs: docs/doctor.schema.json. */
#include <err.h>
#include <jansson.h>
#include <string.h>

#include "doctor/diagnosis.h"
#include "fail.h"
#include "output/json_report.h"
#include "version.h"

#define SCHEMA_VERSION 1

static json_t *number_or_null(double value, bool known)
{
	return known ? json_real(value) : json_null();
}

static json_t *evidence_json(const struct finding *finding)
{
	json_t *object = json_object();

	for (u32 i = 0; i < finding->nr_evidence; i++) {
		const struct evidence *evidence = &finding->evidence[i];
		json_t *value = evidence->word ? json_string(evidence->word) :
				evidence->value == (json_int_t)evidence->value ?
				json_integer(evidence->value) : json_real(evidence->value);

		json_object_set_new(object, evidence->name, value);
	}
	return object;
}

static json_t *where_json(const struct report *report, const struct finding *finding)
{
	struct text lines[WHERE_MAX];
	u32 count = diagnosis_where(report, finding, lines, text_json_name);
	json_t *array = json_array();

	for (u32 i = 0; i < count; i++)
		json_array_append_new(array, json_string(lines[i].buf));
	return array;
}

/* After the begin of the watch; null where no single event began it. */
static json_t *first_seen_json(const struct report *report, const struct finding *finding)
{
	u64 begin_ns = report->reading->now_ns - report->duration_ns;

	if (!finding->first_ns)
		return json_null();
	return json_integer(finding->first_ns > begin_ns ? finding->first_ns - begin_ns : 0);
}

static json_t *finding_json(const struct report *report, const struct finding *finding)
{
	json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:s}", "rule", finding->rule->id,
		"severity", severity_words[finding->severity],
		"confidence", confidence_words[finding->confidence], "tgid", (int)finding->tgid,
		"comm", text_json_name(finding->comm, COMM_LEN).buf);

	json_object_set_new(object, "tid", finding->tid ? json_integer(finding->tid) : json_null());
	json_object_set_new(object, "fd", finding->fd >= 0 ? json_integer(finding->fd) :
			    json_null());
	json_object_set_new(object, "object", json_string(finding->json_object.buf));
	json_object_set_new(object, "verdict", json_string(finding->verdict));
	json_object_set_new(object, "evidence", evidence_json(finding));
	json_object_set_new(object, "cost", json_pack("{s:o,s:o}",
		"cpu_ms_per_s", number_or_null(finding->cpu_ms_per_s, finding->cpu_ms_per_s >= 0),
		"stall_ms", number_or_null(finding->stall_ms, finding->stall_ms >= 0)));
	json_object_set_new(object, "stack", where_json(report, finding));
	json_object_set_new(object, "first_seen_ns", first_seen_json(report, finding));
	json_object_set_new(object, "similar", json_integer(finding->similar));
	json_object_set_new(object, "advice", json_string(finding->advice));
	json_object_set_new(object, "disproof", json_string(finding->rule->disproof));
	return object;
}

static json_t *findings_json(const struct report *report, const struct findings *findings)
{
	json_t *array = json_array();

	for (u32 i = 0; i < findings->count; i++)
		json_array_append_new(array, finding_json(report, &findings->list[i]));
	return array;
}

static json_t *unjudged_json(const struct chart *chart)
{
	json_t *array = json_array();

	for (u32 i = 0; i < nr_rules; i++) {
		const char *why = rule_unjudged(chart, &rules[i]);

		if (why)
			json_array_append_new(array, json_pack("{s:s,s:s}", "rule", rules[i].id,
							       "why", why));
	}
	return array;
}

json_t *diagnosis_document(const struct report *report)
{
	struct diagnosis diagnosis;
	json_t *document;

	diagnosis_make(&diagnosis, report);
	document = report_json_begin(report, SCHEMA_VERSION);
	json_object_set_new(document, "watched", json_pack("{s:I,s:I,s:I,s:I}",
		"processes", (json_int_t)diagnosis.processes, "loops", (json_int_t)diagnosis.loops,
		"descriptors", (json_int_t)diagnosis.descriptors,
		"calls", (json_int_t)diagnosis.calls));
	json_object_set_new(document, "findings", findings_json(report, &diagnosis.findings));
	json_object_set_new(document, "not_judged", unjudged_json(&diagnosis.chart));
	report_json_end(document, report);
	diagnosis_free(&diagnosis);
	return document;
}

static void print(FILE *out, const struct report *report)
{
	json_t *document = diagnosis_document(report);

	json_dumpf(document, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(document);
}

const struct output diagnosis_json = { .print = print };
