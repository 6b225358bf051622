/* SPDX-License-Identifier: GPL-2.0-only */
/* What the doctor found, for people and for programs. */
#ifndef IOPHASE_DIAGNOSIS_H
#define IOPHASE_DIAGNOSIS_H

#include "output/output.h"
#include "doctor/rules.h"

extern const struct output diagnosis_text, diagnosis_json;

/* All that was found, and what was looked at. */
struct diagnosis {
	struct findings findings;
	struct chart chart;
	u64 processes, loops, descriptors, calls;
};

/* Asks the rules; the caller frees it. The worst severity goes to the doctor of the report. */
void diagnosis_make(struct diagnosis *diagnosis, const struct report *report);
void diagnosis_free(struct diagnosis *diagnosis);

/* The document of docs/doctor.schema.json. The caller owns it. */
struct json_t *diagnosis_document(const struct report *report);
/* One finding in words, on lines of 80 columns. */
void finding_print(FILE *out, const struct report *report, const struct finding *finding,
		   bool color);

/*
 * The stack that @finding is shown with: fills in *@key, and at most @max symbols, the innermost first; how many
 * there are, 0: none.
 */
u32 diagnosis_stack(const struct stack_source *source, const struct finding *finding,
		    struct stack_key *key, struct symbol *symbols, u32 max);

#define WHERE_MAX 24

/* Where in the program: @lines, the innermost first, with @escape for names; how many there are. */
u32 diagnosis_where(const struct report *report, const struct finding *finding,
		    struct text lines[WHERE_MAX], struct text (*escape)(const char *, size_t));

/* The value of one figure in the unit that its name ends in: "1.24s", "512". */
struct text evidence_text(const struct evidence *evidence);

#endif
