/* SPDX-License-Identifier: GPL-2.0-only */
/* iophase trace: a line for each call, with its phases. */
#ifndef IOPHASE_TRACE_H
#define IOPHASE_TRACE_H

#include <argp.h>

#include "options.h"
#include "sink.h"
#include "trace/line.h"
#include "trace/names.h"
#include "trace/stream.h"

struct report;
struct session;
struct timeline;
struct trace;

/* A way to show a trace: one file behind one struct. All print to trace->out. */
struct trace_format {
	struct text (*escape)(const char *name, size_t size);	/* what names are made fit by */
	void (*begin)(struct trace *trace);
	void (*call)(struct trace *trace, const struct trace_call *call);
	void (*lost)(struct trace *trace, u64 calls);
	void (*end)(struct trace *trace, const struct report *report);
};

/* trace_silent shows nothing, where there is a timeline alone. */
extern const struct trace_format trace_text, trace_ndjson, trace_silent;

struct trace {
	/* What is asked for. */
	struct id_list fds;	/* descriptors by number; none: all */
	u64 buffer_bytes;	/* of the ring in the kernel: a power of two of pages */
	bool no_names;		/* descriptors by number alone */
	const struct trace_format *format;
	const char *timeline_path;	/* NULL: no timeline is written */

	/* What is under way. */
	const struct options *options;
	const struct session *session;
	FILE *out;
	struct stream *stream;	/* NULL: it has not begun */
	struct names *names;
	struct line line;	/* that is being made */
	struct timeline *timeline;
	struct sink timeline_sink;
	u64 begin_ns;		/* CLOCK_MONOTONIC, and the time of day then */
	u64 begin_day_ns;
	u64 gap_ns;		/* between two looks into the ring */
};

/* What it understands. */
extern const struct argp trace_argp;

/* The command; returns the exit code. */
int trace_main(int argc, char **argv);

#endif
