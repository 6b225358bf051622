/* SPDX-License-Identifier: GPL-2.0-only */
/* What a traced call is in words and figures, the same in all views. */
#ifndef IOPHASE_TRACE_CALL_H
#define IOPHASE_TRACE_CALL_H

#include "trace/line.h"
#include "types.h"

/* It waits for some of a set of descriptors: select, poll, epoll. */
bool call_waits_on_set(const struct trace_call *call);

/* Which of its arguments is its descriptor; -1: it is on none, or waits for several. */
s64 call_fd(const struct trace_call *call);

/* Bytes it asked for, -1: none, or not known. */
s64 call_length(const struct trace_call *call);

/* Its timeout in ms, -1 for none; false if it cannot have one, or it is not known. */
bool call_timeout(const struct trace_call *call, s64 *timeout_ms);

/* The other descriptor of epoll_ctl, splice or sendfile; -1: it has none. */
s64 call_other_fd(const struct trace_call *call);

/* "ADD", "DEL" or "MOD" of an epoll_ctl; NULL: none of them. */
const char *call_ctl_op(const struct trace_call *call);

/* Its interest set was looked at: what it scanned is known. */
bool call_scanned(const struct trace_call *call);

/* It returned nothing because the kernel is to run it again, or it never returned. */
bool call_open_ended(const struct trace_call *call);

/* How long it took, and on the CPU without copying, ns; of one that is TRACE_BEFORE: at least. */
u64 call_wall_ns(const struct trace_call *call);
u64 call_kernel_ns(const struct trace_call *call);

/* The copy phase is known, at least as a bound. */
bool call_copy_known(const struct trace_call *call);

/* Descriptors that it reported, in the unit of its result, beyond those that are in the record. */
u64 call_events_cut(const struct trace_call *call);

/* Events in the record. */
u32 call_events(const struct trace_call *call);

/* "IN|HUP", or with quotes and commas, as elements of a JSON array: "\"IN\",\"HUP\"". */
void line_events(struct line *line, u32 events, bool json);

/* "task", "softirq", ...; NULL for none. */
const char *waker_word(u32 kind);

#endif
