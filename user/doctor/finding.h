/* SPDX-License-Identifier: GPL-2.0-only */
/* What the doctor says of something that is wrong, with its evidence. */
#ifndef IOPHASE_FINDING_H
#define IOPHASE_FINDING_H

#include "text.h"
#include "types.h"

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, NR_SEVERITIES };
enum confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };

extern const char *const severity_words[NR_SEVERITIES + 1];	/* NULL at the end */
extern const char *const confidence_words[];

/* One figure of the evidence; the unit is the end of its name: _ns, _bytes, ... */
struct evidence {
	const char *name;
	double value;
	const char *word;	/* instead of a figure; NULL: the value */
};

#define EVIDENCE_MAX 12
#define FINDING_STACKS 2

struct finding {
	const struct rule *rule;
	enum severity severity;
	enum confidence confidence;
	u32 tgid, tid;			/* tid 0: no thread is to blame more than others */
	char comm[COMM_LEN];		/* of the process; not terminated if full */
	s64 fd;				/* -1: it is not about one */
	struct text object;		/* what it is about: a descriptor's name, "epoll 5"; escaped */
	struct text json_object;
	char verdict[TEXT_MAX];
	const char *advice;
	struct evidence evidence[EVIDENCE_MAX];
	u32 nr_evidence;
	double cpu_ms_per_s;		/* what it costs; negative: nothing, or not known */
	double stall_ms;
	u64 first_ns;			/* CLOCK_MONOTONIC of the first sign; 0: not known */
	u32 similar;			/* others of the rule in this process that are not shown */
	struct stack_key stacks[FINDING_STACKS];	/* where to look for who did it, in this order */
	u32 nr_stacks;
	struct user_place here;		/* instead of these: where thread tid sleeps still; ip 0: none */
};

struct findings {
	struct finding *list;
	u32 count;
};

/* A finding of @rule, with nothing in it yet; it is @findings' until the next is made. */
struct finding *findings_add(struct findings *findings, const struct rule *rule);
void findings_free(struct findings *findings);

/* The worst, and what costs most, first. */
void findings_sort(struct findings *findings);

/*
 * Of those of one rule in one process the first few stay, and the first of them says how many more
 * there are: a fault is in the program, and shows in each of its connections.
 */
void findings_thin(struct findings *findings);

void finding_note(struct finding *finding, const char *name, double value);

/* A figure that was noted; 0: there is none of this name. */
double finding_figure(const struct finding *finding, const char *name);

void finding_note_word(struct finding *finding, const char *name, const char *word);
void finding_stack(struct finding *finding, u64 object, enum stack_kind kind);
void finding_say(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Of @count that took so long: " on average" if there are several. */
const char *on_average(double count);

/* A fault is a warning, and critical if it costs a lot; see docs/doctor.md. */
void finding_weigh(struct finding *finding);

#endif
