/* SPDX-License-Identifier: GPL-2.0-only */
/* A report, and the ways to print it; each is one file behind one struct. */
#ifndef IOPHASE_OUTPUT_H
#define IOPHASE_OUTPUT_H

#include <stdio.h>
#include <time.h>

#include "cost.h"
#include "options.h"
#include "session/session.h"
#include "stack/source.h"

/* What was measured in one interval, or from start to end. */
struct report {
	const struct options *options;
	const char *version;		/* of what measured, */
	const char *kernel;		/* and the release of the kernel that it was measured on */
	const char *backend;
	const char *scan_tier;		/* of scanned and passes */
	const char *lag_tier;		/* of the lag of epoll */
	const char *fd_lag_tier;	/* and of that of its descriptors */
	const struct parts *parts;	/* what was left out */
	bool named;			/* processes or threads were, not just anybody's watched */
	bool direct;			/* the calls themselves are hooked */
	u64 duration_ns;
	struct timespec at;		/* time of day at its end */
	const struct reading *reading;
	const struct cost *cost;
	bool last;
	const struct stack_source *stacks;
	const char *incomplete;		/* why the session it is read from is; NULL: it is not */
};

struct output {
	/* Once, before the first report; NULL: nothing to do. */
	void (*begin)(FILE *out, const struct options *options);
	void (*print)(FILE *out, const struct report *report);
};

extern const struct output output_table, output_json, output_ndjson, output_csv;

/* Ordered and cut by the options; the caller frees the array. */
struct row **report_rows(const struct report *report, u32 *count);

/* A line for each kind of loss there was. */
void report_losses(FILE *out, const struct report *report);

/* The copy phase of such calls is known, at least as a bound. */
bool call_copies(u32 call);

#endif
