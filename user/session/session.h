/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One measurement: the programs in the kernel from load to detach, and the reading of what
 * they counted.
 */
#ifndef IOPHASE_SESSION_H
#define IOPHASE_SESSION_H

#include "hooks/hooks.h"
#include "options.h"
#include "model/reading.h"
#include "model/rows.h"
#include "types.h"

struct session;

/*
 * Loads and attaches the programs for @options. Returns NULL after printing why not, and the line to type
 * next if there is one.
 */
struct session *session_open(const struct options *options);

/* Begins to watch; 0, or an exit code after a message. */
int session_start(struct session *session);

/* When it began to, CLOCK_MONOTONIC. */
u64 session_begin_ns(const struct session *session);

/* Ends the counting; what was counted stays to be read. 0, or an exit code after a message. */
int session_stop(struct session *session);

/* Fills @reading, which reading_free() releases; 0, or an exit code after a message. */
int session_read(struct session *session, struct reading *reading);

/* The same without descriptors and what is known of them, of which there can be many. */
int session_read_times(struct session *session, struct reading *reading);

/*
 * The last stack of @kind that was taken for @object: the born_ns of a descriptor, the row of a loop,
 * or a process. False if there is none.
 */
bool session_stack(struct session *session, u64 object, enum stack_kind kind,
		   struct user_stack *stack);

typedef void take_fn(void *context, const void *record, size_t size);

/*
 * Hands each record of a trace, or of weighted stacks (struct stack_sample), that is in its ring by now
 * to @take, the oldest first, valid until it returns. Returns which part of the ring they took.
 */
double session_trace(struct session *session, take_fn *take, void *context);
double session_samples(struct session *session, take_fn *take, void *context);

/* Calls that were to be traced, and for which there was no room in the ring, since the start. */
u64 session_trace_lost(const struct session *session);

/*
 * Takes the rows of processes that have ended out of the kernel, where there is room for a
 * limited number, so it is to be called every few seconds; readings still have them. 0, or an
 * exit code after a message.
 */
int session_retire(struct session *session);

/* Whether any thread has been, so far. */
bool session_watched(const struct session *session);

/* Threads watched at the moment. */
u64 session_threads(const struct session *session);

/* Memory of their records, which the kernel does not count to the map they belong to. */
u64 session_thread_bytes(const struct session *session);

/*
 * The calls themselves are hooked. Those of 32-bit programs, which have entries of their own, and
 * those that seccomp answers are then not seen.
 */
bool session_direct(const struct session *session);

/* File descriptors of the loaded programs and of the maps, up to @max; their number. */
u32 session_programs(const struct session *session, int *fds, u32 max);
u32 session_maps(const struct session *session, int *fds, u32 max);

/* "tracepoint", "trampoline" or "mixed": what the figures were measured with. */
const char *session_backend(const struct session *session);

/* How exactly what meets @need is known: "exact", "lower_bound", ... */
const char *session_tier(const struct session *session, enum need need);

/* Whether what @need is for is seen at all on this kernel. */
bool session_sees(const struct session *session, enum need need);

/* What could not be had on this kernel. */
const struct parts *session_parts(const struct session *session);

/* Detaches and unloads everything; NULL is allowed. */
void session_close(struct session *session);

#endif
