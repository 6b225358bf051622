/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules: each looks at the evidence about one descriptor, loop or process, and speaks only if
 * it has seen it. They see the model alone, so that they can be tried on one that is made up.
 */
#ifndef IOPHASE_RULES_H
#define IOPHASE_RULES_H

#include "doctor.h"
#include "doctor/habits.h"
#include "model/reading.h"

enum rule_scope { RULE_FD, RULE_LOOP, RULE_PROCESS };

/* What the evidence rests on. */
enum rule_need {
	RULE_NEED_CALLS,	/* the hooks of calls and of the scheduler, which are always there */
	RULE_NEED_CONTENTS,	/* what is left in descriptors */
};

/* All that there is to judge by. */
struct chart {
	const struct doctor *doctor;
	const struct reading *reading;
	u64 duration_ns;	/* up to reading->now_ns */
	bool contents;		/* what is left in descriptors is known (parts.def) */
	u64 unseen_calls;	/* at most so many were lost, of all that was watched */
	bool whole;		/* all threads of who is watched are */
	bool crowd;		/* nobody was named: what many suffer from is one finding */
	struct findings *findings;
	const struct habit *habits;	/* of all processes; rules_judge() learns them */
};

struct rule {
	const char *id;
	enum rule_scope scope;
	enum rule_need need;
	const char *about, *advice, *disproof;
	/* @row: of a descriptor or a loop; of a process, its calls. */
	void (*judge)(const struct chart *chart, const struct rule *rule, const struct row *row);
};

/* blocking-in-loop, of a thread that was inside its call all the while. */
void judge_stuck(const struct chart *chart, const struct rule *rule,
		 const struct in_flight *thread);

/*
 * slow-turn, of a process nobody of which has waited all the while: @row is one of the descriptors that
 * it is to serve, and the process is spoken of once.
 */
void judge_hung(const struct chart *chart, const struct rule *rule, const struct row *row);

/* What @rule found of many processes becomes one finding, of the worst of them; they are sorted. */
void gather_starved(struct findings *findings, const struct rule *rule);

extern const struct rule rules[];
extern const u32 nr_rules;

/* Asks all rules that can be judged about all that there is; the findings are sorted. */
void rules_judge(const struct chart *chart);

/* Why @rule cannot be judged here; NULL: it can. */
const char *rule_unjudged(const struct chart *chart, const struct rule *rule);

/* What a rule is told by --set. */
double chart_threshold(const struct chart *chart, enum threshold threshold);

/* The signs of the descriptor of @row, NULL if there are none. */
const struct signs *chart_signs(const struct chart *chart, const struct row *row);

/* The loop that has row @index of the kernel's, NULL. */
const struct row *chart_loop(const struct chart *chart, proc_id proc, u32 index);

/* Whether several look for the descriptor of @row: processes, threads, or sets that it is in. */
bool chart_shared(const struct chart *chart, const struct row *row);

/*
 * Whether the loop of @row serves more than one: has a listener, or has heard of two descriptors.
 * Where each has a process of its own, a turn takes what was asked for, and keeps nobody waiting.
 */
bool chart_serves_several(const struct chart *chart, const struct row *row);

/* Whether the loop of @row waits for the listener born at @born_ns. */
bool chart_listens(const struct chart *chart, const struct row *row, u64 born_ns);

/*
 * The loop of whoever showed the signs, or waits for the descriptor of @row, which is that of the process
 * that had it first, and may have handed it on. NULL if there is none.
 */
const struct row *chart_user(const struct chart *chart, const struct row *row);

/* A finding about the descriptor, or the loop, of @row. */
struct finding *chart_find(const struct chart *chart, const struct rule *rule,
			   const struct row *row);

/* Milliseconds of @ns, for each second that was watched. */
double chart_ms_per_s(const struct chart *chart, double ns);

/* How many of @count there were in each second that was watched. */
double chart_rate(const struct chart *chart, double count);

/*
 * Whether the loop of @row may serve several: who polls one descriptor with a timeout, and then reads
 * from it, is no event loop.
 */
bool loop_multiplexes(const struct row *row);

/* CPU time of one round of the loop of @row, a wait and its turn, ns. */
double loop_round_ns(const struct row *row);

#endif
