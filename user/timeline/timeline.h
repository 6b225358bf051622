/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traced calls on a timeline, for https://ui.perfetto.dev and its trace processor: a track for each
 * thread, with a slice for each call, which has its phases within.
 */
#ifndef IOPHASE_TIMELINE_H
#define IOPHASE_TIMELINE_H

#include <stdio.h>

#include "trace/names.h"
#include "types.h"

struct timeline;

/*
 * Begins to write one to @out: @begin_ns (CLOCK_MONOTONIC) was @begin_day_ns by the time of day.
 * NULL without memory. Errors of writing stay with @out.
 */
struct timeline *timeline_open(FILE *out, u64 begin_ns, u64 begin_day_ns);

/* Ends it; @out stays open. NULL is allowed. */
void timeline_close(struct timeline *timeline);

void timeline_call(struct timeline *timeline, const struct trace_call *call,
		   const struct names *names);

/* So many calls were lost behind the last one. */
void timeline_lost(struct timeline *timeline, u64 calls);

#endif
