/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of a trace as they come out of the kernel's ring: put in the order in which they ended,
 * with what was lost where it was lost, and handed on to a view.
 */
#ifndef IOPHASE_TRACE_STREAM_H
#define IOPHASE_TRACE_STREAM_H

#include "trace/names.h"
#include "types.h"

/* Who shows them; what a callback is given is valid until it returns. */
struct trace_view {
	void (*call)(void *context, const struct trace_call *call, const struct names *names);
	void (*lost)(void *context, u64 calls);
	void *context;
};

struct stream;

/* NULL without memory. @view is copied; @names is told what descriptors are called. */
struct stream *stream_open(const struct trace_view *view, struct names *names);
void stream_close(struct stream *stream);

/* Takes one record of the ring, of @size bytes; what is no record is counted as damaged. */
void stream_take(struct stream *stream, const void *record, size_t size);

/*
 * Shows what ended up to @until_ns: what ended later may still be overtaken by what is on its way
 * into the ring.
 */
void stream_show(struct stream *stream, u64 until_ns);

/* Shows all that is left, and what of the @lost calls, all in all, was not shown yet. */
void stream_end(struct stream *stream, u64 lost);

/* Calls shown, and calls shown as lost, since the start. */
u64 stream_calls(const struct stream *stream);
u64 stream_lost(const struct stream *stream);

/* Calls shown after one that ended later, since they came too late to be put before it. */
u64 stream_late(const struct stream *stream);

#endif
