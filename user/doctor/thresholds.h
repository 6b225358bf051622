/* SPDX-License-Identifier: GPL-2.0-only */
/* From when on the rules speak: thresholds.def. */
#ifndef IOPHASE_THRESHOLDS_H
#define IOPHASE_THRESHOLDS_H

#include "doctor.h"

struct threshold_row {
	const char *name;	/* "rule.name" */
	double value, least;	/* the default, and the least that it can be set to */
	const char *unit, *why;
};

extern const struct threshold_row thresholds[NR_THRESHOLDS];

/* The threshold of this name; -1: there is none. */
int threshold_find(const char *name, size_t length);

/* The hooks count by it: what was counted with one value says nothing about a lower one. */
bool threshold_hooked(enum threshold threshold);

#endif
