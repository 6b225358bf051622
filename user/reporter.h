/* SPDX-License-Identifier: GPL-2.0-only */
/* What is printed, shown and saved of a measurement, as it goes and at its end. */
#ifndef IOPHASE_REPORTER_H
#define IOPHASE_REPORTER_H

#include <sys/utsname.h>

#include "cost.h"
#include "options.h"
#include "output/output.h"
#include "stack/source.h"

struct recorder;
struct session;
struct sink;

/* After this time the first slice is to be saved, by reporter_save(). */
#define REPORTER_SLICE_NS	NS_PER_SEC

/* What was reported already. */
struct past {
	struct rows rows, threads, fds, loops;
	u64 losses[NR_LOSSES];
	u64 misses;
};

/* All that it points to is its owner's, but for the recorder. */
struct reporter {
	const struct options *options;
	const struct output *output;
	struct sink *sink;

	/* What follows is filled in by reporter_start(). */
	struct session *session;
	struct cost_sampler *sampler;
	struct stack_source stacks;
	struct utsname kernel;
	struct past past;
	struct recorder *recorder;	/* NULL: nothing is saved */
	u64 start_ns, begin_ns;		/* of the watch, and of the interval */
	u64 slice_ns, total_ns;		/* when the last slice ended, and when the next total is due */
	u64 reports;
};

/* The watch of @session has begun. 0, or an exit code after a message, as all of these. */
int reporter_start(struct reporter *reporter, struct session *session, struct cost_sampler *sampler);

/* Prints what was counted since the last report, or has it shown. */
int reporter_print(struct reporter *reporter, bool last);

/* Saves what came since the last time; it is to be called again in @next_ns. */
int reporter_save(struct reporter *reporter, u64 *next_ns);

/* The watch is over: prints, and saves, what is left. */
int reporter_finish(struct reporter *reporter);

/* Also where it was not started. */
void reporter_close(struct reporter *reporter);

#endif
