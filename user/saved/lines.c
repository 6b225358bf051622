// SPDX-License-Identifier: GPL-2.0-only
#include "saved/lines.h"

/* Words, in the order of their enum. */
static const char *const call_list[] = {
	"other",
#define CALL(name, class, args, ret, i386) #name,
#include "bpf/calls.def"
#undef CALL
};

static const char *const file_kind_list[] = {
#define KIND(name, text, left) text,
#include "bpf/kinds.def"
#undef KIND
};

static const char *const loss_list[] = {
#define LOSS(name, text) #name,
#include "bpf/losses.def"
#undef LOSS
};

#define WORDS_OF(name) static const struct words name##_words = { name##_list, ARRAY_SIZE(name##_list) }
#define WORDS(name, ...)								\
	static const char *const name##_list[] = { __VA_ARGS__ };			\
	WORDS_OF(name)

WORDS_OF(call);
WORDS_OF(file_kind);
WORDS_OF(loss);
WORDS(watch, "none", "select", "poll", "epoll");
WORDS(phase, "on_cpu", "blocked", "woken", "preempted");
WORDS(waker, "none", "task", "softirq", "hardirq", "unknown");
WORDS(stack, "call", "wait", "left", "left_any", "sleep", "turn", "loop", "here");

/* FD_*, by their bits. */
WORDS(fd_flag, "reported", "served", "drained", "ambiguous", "closed", "dontwait", "shared",
      "progress", "out_blocked", "out_ready", "read", "waited", "stalled", "empty");

_Static_assert(FD_STALLED == 1 << 12 && FD_EMPTY == 1 << 13, "flags and their words part");

#define ROW(kind, member, as) COLUMN(kind, struct flat_row, member, as)
#define ROW_WORD(member, as, words) COLUMN_AS(word, struct flat_row, member, as, &words##_words)

static const struct column call_columns[] = {
	ROW(hex, key.proc, "process"),
	ROW(number, key.tid, "tid"),
	ROW_WORD(key.call, "call", call),
	ROW(bytes, comm, "comm"),
#define FIGURE(name) ROW(number, sum.name, #name),
#include "bpf/figures.def"
#undef FIGURE
};

#define HIST(which, as)									\
	{ .name = as, .put = put_hist, .take = take_hist,				\
	  .offset = offsetof(struct row_hist, buckets) +				\
		    (which) * HIST_BUCKETS * sizeof(u64),				\
	  .size = HIST_BUCKETS * sizeof(u64) }

static const struct column hist_columns[] = {
	HIST(HIST_WALL, "wall"),
	HIST(HIST_BLOCKED, "blocked"),
	HIST(HIST_RUNNABLE, "runnable"),
	HIST(HIST_ON_CPU, "on_cpu"),
};

static const struct column errno_columns[] = {
	COLUMN(number, struct errno_count, error, "errno"),
	COLUMN(number, struct errno_count, count, "count"),
};

static const struct column waker_columns[] = {
	COLUMN_AS(word, struct waker_count, waker.kind, "kind", &waker_words),
	COLUMN(number, struct waker_count, waker.tgid, "tgid"),
	COLUMN(bytes, struct waker_count, waker.comm, "comm"),
	COLUMN(number, struct waker_count, count, "count"),
};

static const struct column fd_columns[] = {
	ROW(hex, key.proc, "process"),
	ROW(number, key.object, "object"),
	ROW(bytes, comm, "comm"),
	/* struct row_fd */
	ROW(number, fd.holders, "holders"),
	ROW(boolean, fd.many, "many"),
	ROW(number, fd.merged, "merged"),
	ROW(bytes, path, "path"),
	/* struct descriptor_head */
	ROW(hex, fd.head.file, "file"),
	ROW(number, fd.head.tgid, "tgid"),
	ROW(number, fd.head.fd, "fd"),
	ROW(number, fd.head.closed_ns, "closed_ns"),
	ROW(number, fd.head.ended, "ended"),
	ROW(number, fd.head.named, "named"),
	ROW(number, fd.head.nonblock, "nonblock"),
	ROW(number, fd.head.disarmed, "disarmed"),
	ROW(known, fd.head.queued, "queued"),
	ROW(number, fd.head.name.family, "family"),
	ROW(number, fd.head.name.state, "state"),
	ROW(number, fd.head.name.type, "type"),
	ROW(number, fd.head.name.port, "port"),
	ROW(number, fd.head.name.peer_port, "peer_port"),
	ROW(number, fd.head.name.peer_tgid, "peer_tgid"),
	ROW(bytes, fd.head.name.address, "address"),
	ROW(bytes, fd.head.name.peer, "peer"),
	ROW(bytes, fd.head.name.path, "name"),
	/* struct descriptor */
	ROW(number, fd.descriptor.born_ns, "born_ns"),
	ROW(number, fd.descriptor.ino, "ino"),
	ROW(number, fd.descriptor.fd, "used_fd"),
	COLUMN_AS(flags, struct flat_row, fd.descriptor.flags, "flags", &fd_flag_words),
	ROW_WORD(fd.descriptor.kind, "kind", file_kind),
	ROW_WORD(fd.descriptor.watch, "watch", watch),
	ROW_WORD(fd.descriptor.called, "called", call),
	ROW(signed, fd.descriptor.result, "result"),
	ROW(number, fd.descriptor.slept, "slept"),
	ROW(number, fd.descriptor.again, "again"),
	ROW(number, fd.descriptor.sets, "sets"),
	ROW(hex, fd.descriptor.mask, "mask"),
	ROW(known, fd.descriptor.left, "left"),
	ROW(hex, fd.descriptor.ep, "instance"),
	ROW(hex, fd.descriptor.data, "data"),
	ROW(number, fd.descriptor.since_ns, "since_ns"),
	ROW(number, fd.descriptor.ready_ns, "ready_ns"),
	ROW(number, fd.descriptor.reported_ns, "reported_ns"),
	ROW(number, fd.descriptor.called_ns, "called_ns"),
	ROW(number, fd.descriptor.masks[0], "in"),
	ROW(number, fd.descriptor.masks[1], "out"),
	ROW(number, fd.descriptor.masks[2], "hup"),
	ROW(number, fd.descriptor.masks[3], "err"),
	ROW(hist32, fd.descriptor.report_hist, "report_hist"),
	ROW(hist32, fd.descriptor.serve_hist, "serve_hist"),
#define FIGURE(name) ROW(number, fd.descriptor.sum.name, #name),
#include "bpf/descriptor.def"
#undef FIGURE
};

static const struct column loop_columns[] = {
	ROW(hex, key.proc, "process"),
	ROW(number, key.object, "object"),
	ROW(bytes, comm, "comm"),
	/* struct row_loop */
	ROW(known, loop.descriptors, "descriptors"),
	ROW(number, loop.turning, "turning"),
	ROW(number, loop.turning_ns, "turning_ns"),
	ROW(number, loop.turning_runnable_ns, "turning_runnable_ns"),
	/* struct event_loop */
	ROW(hex, loop.figures.key.proc, "of_process"),
	ROW(hex, loop.figures.key.ep, "instance"),
	ROW(number, loop.figures.key.tid, "tid"),
	ROW_WORD(loop.figures.key.watch, "watch", watch),
	ROW(number, loop.figures.epfd, "epfd"),
	ROW(number, loop.figures.threads, "threads"),
	ROW(known, loop.figures.asked, "asked"),
	ROW(number, loop.figures.room, "room"),
	ROW(number, loop.figures.tid, "joined_tid"),
	ROW(number, loop.figures.last_tid, "last_tid"),
	ROW(number, loop.figures.in_tid, "in_tid"),
	ROW(number, loop.figures.waited_ns, "waited_ns"),
	ROW(number, loop.figures.delay_ns, "delay_ns"),
	COLUMN_AS(by_word, struct flat_row, loop.figures.blocked_ns, "blocked_in", &call_words),
	ROW(hist, loop.figures.turn_hist, "turn_hist"),
	ROW(hist, loop.figures.report_hist, "report_hist"),
	ROW(hist, loop.figures.serve_hist, "serve_hist"),
#define FIGURE(name) ROW(number, loop.figures.sum.name, #name),
#include "bpf/loop.def"
#undef FIGURE
};

#define SIGNS(kind, member, as) COLUMN(kind, struct sign_record, signs.member, as)

static const struct column signs_columns[] = {
	COLUMN(number, struct sign_record, born_ns, "born_ns"),
	SIGNS(hex, proc, "process"),
	SIGNS(number, tid, "tid"),
	SIGNS(number, loop, "loop"),
	SIGNS(number, fd, "fd"),
	SIGNS(hex, events, "events"),
	SIGNS(known, left, "left"),
	SIGNS(number, out_slept, "out_slept"),
	SIGNS(number, first_ns, "first_ns"),
	SIGNS(number, stalled_ns, "stalled_ns"),
	SIGNS(number, out_ready_ns, "out_ready_ns"),
	SIGNS(signed, result, "result"),
	COLUMN_AS(word, struct sign_record, signs.called, "called", &call_words),
	SIGNS(number, out_with_in, "out_with_in"),
#define SIGN(name) SIGNS(number, sum[SIGN_##name], #name),
#include "bpf/signs.def"
#undef SIGN
};

static const struct column listening_columns[] = {
	COLUMN(hex, struct listening, ep, "instance"),
	COLUMN(number, struct listening, born_ns, "born_ns"),
};

static const struct column in_flight_columns[] = {
	COLUMN(hex, struct in_flight, proc, "process"),
	COLUMN(number, struct in_flight, tgid, "tgid"),
	COLUMN(number, struct in_flight, tid, "tid"),
	COLUMN(bytes, struct in_flight, comm, "comm"),
	COLUMN_AS(word, struct in_flight, call, "call", &call_words),
	COLUMN(number, struct in_flight, age_ns, "age_ns"),
	COLUMN(boolean, struct in_flight, age_bound, "age_bound"),
	COLUMN_AS(word, struct in_flight, phase, "phase", &phase_words),
};

static const struct column watched_columns[] = {
	COLUMN(hex, struct watched_thread, proc, "process"),
	COLUMN(number, struct watched_thread, tid, "tid"),
	COLUMN(bytes, struct watched_thread, comm, "comm"),
	COLUMN(hex, struct watched_thread, place.ip, "ip"),
	COLUMN(hex, struct watched_thread, place.sp, "sp"),
	COLUMN(hex, struct watched_thread, place.bp, "bp"),
};

static const struct column left_out_columns[] = {
	COLUMN(number, struct left_out_process, tgid, "tgid"),
	COLUMN(bytes, struct left_out_process, calls.comm, "comm"),
	COLUMN(number, struct left_out_process, calls.calls, "calls"),
};

#define FRAME(kind, member, as) COLUMN(kind, struct flat_stack, member, as)

static const struct column frame_columns[] = {
	FRAME(number, key.object, "object"),
	COLUMN_AS(word, struct flat_stack, key.kind, "of", &stack_words),
	FRAME(hex, symbol.frame.address, "address"),
	FRAME(boolean, symbol.frame.exact, "exact"),
	FRAME(boolean, symbol.frame.gap, "gap"),
	FRAME(boolean, symbol.frame.guessed, "guessed"),
	FRAME(boolean, symbol.inlined, "inlined"),
	FRAME(number, symbol.offset, "offset"),
	FRAME(bytes, symbol.function, "function"),
	FRAME(bytes, symbol.module, "module"),
	FRAME(bytes, symbol.file, "file"),
	FRAME(number, symbol.line, "line"),
};

static const struct column losses_columns[] = {
	{ .name = "losses", .put = put_by_word, .take = take_by_word, .offset = 0,
	  .size = NR_LOSSES * sizeof(u64), .words = &loss_words },
};

#define COST(member) COLUMN(number, struct cost, member, #member)

static const struct column cost_columns[] = {
	COST(sampled_ns), COST(bpf_ns), COST(bpf_runs), COST(recursion_misses),
	COST(bpf_memory_bytes), COST(setup_ns), COST(user_ns), COST(system_ns), COST(watched_ns),
	COST(max_rss_bytes),
};

#define LINE(table, as) { as, table##_columns, ARRAY_SIZE(table##_columns) }

const struct line lines[NR_LINE_KINDS] = {
	[LINE_CALL] = LINE(call, "call"),
	[LINE_THREAD] = LINE(call, "thread"),
	[LINE_HIST] = LINE(hist, "hist"),
	[LINE_ERRNO] = LINE(errno, "errno"),
	[LINE_WAKER] = LINE(waker, "waker"),
	[LINE_FD] = LINE(fd, "descriptor"),
	[LINE_LOOP] = LINE(loop, "loop"),
	[LINE_SIGNS] = LINE(signs, "signs"),
	[LINE_LISTENING] = LINE(listening, "listening"),
	[LINE_IN_FLIGHT] = LINE(in_flight, "in_flight"),
	[LINE_WATCHED] = LINE(watched, "watched"),
	[LINE_LEFT_OUT] = LINE(left_out, "left_out"),
	[LINE_FRAME] = LINE(frame, "frame"),
	[LINE_LOSSES] = LINE(losses, "losses"),
	[LINE_COST] = LINE(cost, "cost"),
};

_Static_assert(ARRAY_SIZE(fd_columns) <= COLUMNS_MAX && ARRAY_SIZE(loop_columns) <= COLUMNS_MAX &&
	       ARRAY_SIZE(signs_columns) <= COLUMNS_MAX && ARRAY_SIZE(call_columns) <= COLUMNS_MAX,
	       "a line has more columns than a reader has room for");

void line_put(FILE *out, enum line_kind kind, const void *record)
{
	const struct line *line = &lines[kind];

	fprintf(out, "[\"%s\"", line->name);
	for (u32 i = 0; i < line->count; i++) {
		putc(',', out);
		line->columns[i].put(out, &line->columns[i],
				     (const char *)record + line->columns[i].offset);
	}
	fputs("]\n", out);
}
