/* SPDX-License-Identifier: GPL-2.0-only */
/* What all JSON documents about a measurement have in common. */
#ifndef IOPHASE_JSON_REPORT_H
#define IOPHASE_JSON_REPORT_H

#include <jansson.h>

#include "output/output.h"

/* The document of docs/iophase.schema.json, of rows as report->options say. The caller owns it. */
json_t *report_json(const struct report *report);

/* A new document: what measured, with what, when and for how long. The caller owns it. */
json_t *report_json_begin(const struct report *report, int schema_version);

/* Adds what went missing, and what it cost. */
void report_json_end(json_t *document, const struct report *report);

#endif
