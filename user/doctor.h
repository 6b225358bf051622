/* SPDX-License-Identifier: GPL-2.0-only */
/* iophase doctor: what is wrong, by rules over what was measured. */
#ifndef IOPHASE_DOCTOR_H
#define IOPHASE_DOCTOR_H

#include <argp.h>

#include "doctor/finding.h"
#include "types.h"

enum threshold {
#define THRESHOLD(symbol, ...) THRESHOLD_##symbol,
#include "doctor/thresholds.def"
#undef THRESHOLD
	NR_THRESHOLDS,
};

/* What the doctor was asked for, and what it found at worst. */
struct doctor {
	double thresholds[NR_THRESHOLDS];
	enum severity fail_on;		/* NR_SEVERITIES: none */
	enum severity worst;		/* NR_SEVERITIES: nothing was found */
};

/* All thresholds as they are by default, and nothing found. */
struct doctor doctor_default(void);

/* The thresholds that the hooks are to know. */
struct limits doctor_limits(const struct doctor *doctor);

/* Takes "rule.name=value"; 0, or what a parser is to return, after a message. */
int doctor_set(struct doctor *doctor, const char *text);

/* The same of the severity to fail on. */
int doctor_fail_on(struct doctor *doctor, const char *word);

/* EXIT_FINDINGS if the worst that was found is to fail on, else EXIT_OK. */
int doctor_verdict(const struct doctor *doctor);

/* What it understands. */
extern const struct argp doctor_argp;

/* The command; returns the exit code. */
int doctor_main(int argc, char **argv);

#endif
