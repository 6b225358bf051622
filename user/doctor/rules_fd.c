// SPDX-License-Identifier: GPL-2.0-only
/* The rules about one descriptor, however it is waited for. */
#include <math.h>
#include <sys/epoll.h>

#include "model/calls.h"
#include "model/fd.h"
#include "doctor/rules.h"

#define MS 1e6

static bool by_read_calls(u8 kind)
{
	return kind <= KIND_INOTIFY && kind != KIND_SOCKET && kind != KIND_OTHER;
}

struct spin {
	const char *kind, *advice;
};

/* Which spin it is: by what was reported, and what came of the last call. */
static struct spin spin_of(const struct row *row, const struct signs *signs)
{
	u8 kind = row->fd->descriptor.kind;

	if (kind == KIND_LISTENER && (signs->result == -24 || signs->result == -23))
		return (struct spin){ "accept fails: too many open files",
			"keep a descriptor in reserve to accept and close with, or take the listener "
			"out until there is room" };
	if (kind == KIND_TIMERFD || kind == KIND_EVENTFD || kind == KIND_SIGNALFD)
		return (struct spin){ "it is not read", "read it, or register it edge-triggered" };
	if (signs->events & (EPOLLHUP | EPOLLERR) && !(signs->events & EPOLLIN))
		return (struct spin){ "hang-up or error, not handled",
			"close it, or take it out: these are reported whatever it is waited for with" };
	if (signs->events & EPOLLOUT && !(signs->events & EPOLLIN))
		return (struct spin){ "EPOLLOUT is left armed, and there is nothing to write",
			"take EPOLLOUT out once all is written, or register it edge-triggered" };
	if (!signs->result && signs->called && calls[signs->called].class == CLASS_INPUT)
		return (struct spin){ "it is at its end, and kept registered",
			"close it, or take it out, when a read returns 0" };
	return (struct spin){ "it is not read", "read it, or take EPOLLIN out while it is not to be read" };
}

void judge_lt_spin(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	const struct row *loop;
	struct finding *finding;
	struct spin spin;
	double spins;

	if (!signs || row->fd->many || !by_read_calls(row->fd->descriptor.kind) ||
	    fd_ambiguous(row->fd))
		return;
	spins = signs->sum[SIGN_spins];
	/* Of a number that was closed that is the cause (stale-fd). */
	if (spins < chart_threshold(chart, THRESHOLD_spins) || signs->sum[SIGN_stale])
		return;
	spin = spin_of(row, signs);
	loop = chart_loop(chart, signs->proc, signs->loop);
	finding = chart_find(chart, rule, row);
	finding_say(finding, "level-triggered, and reported %s by waits that returned at once, with no "
		    "progress: %s", text_counted(spins, "time").buf, spin.kind);
	finding->advice = spin.advice;
	finding_note(finding, "spins", spins);
	finding_note(finding, "spins_per_s", chart_rate(chart, spins));
	finding_note(finding, "reported", row->fd->descriptor.sum.reported);
	finding_note(finding, "events", signs->events);
	finding_note_word(finding, "kind", spin.kind);
	if (signs->called)
		finding_note_word(finding, "last_call", calls[signs->called].name);
	finding->cpu_ms_per_s = loop ? chart_ms_per_s(chart, spins * loop_round_ns(loop)) : -1;
	finding_weigh(finding);
	finding_stack(finding, row->fd->descriptor.born_ns, STACK_WAIT);
}

void judge_stale_fd(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	struct finding *finding;
	const struct row *loop;
	double stale;

	if (!signs || row->fd->many)
		return;
	stale = signs->sum[SIGN_stale];
	if (stale < chart_threshold(chart, THRESHOLD_stale) || !stale)
		return;
	loop = chart_loop(chart, signs->proc, signs->loop);
	finding = chart_find(chart, rule, row);
	finding->fd = signs->fd;
	finding_say(finding, "epoll reported it %s after the process had closed it: something else keeps "
		    "the file open", text_counted(stale, "time").buf);
	finding_note(finding, "reports", stale);
	finding_note(finding, "reports_per_s", chart_rate(chart, stale));
	finding_note(finding, "spins", signs->sum[SIGN_spins]);
	if (loop)
		finding_note(finding, "ebadf_per_s",
			     chart_rate(chart, loop->loop->figures.sum.bad_dels));
	finding->cpu_ms_per_s = loop && signs->sum[SIGN_spins] ?
				chart_ms_per_s(chart, stale * loop_round_ns(loop)) : -1;
	finding_weigh(finding);
	finding_stack(finding, row->fd->descriptor.born_ns, STACK_WAIT);
}

void judge_eagain_polling(const struct chart *chart, const struct rule *rule,
			  const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	struct finding *finding;
	double polls;

	if (!signs || row->fd->many)
		return;
	polls = signs->sum[SIGN_polls];
	if (polls < chart_threshold(chart, THRESHOLD_polls) ||
	    polls < chart_threshold(chart, THRESHOLD_poll_share) * row->sum.calls ||
	    chart_shared(chart, row))
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "read from %s while it was empty, with no report between: every %s",
		    text_counted(polls, "time").buf, text_ns((double)signs->sum[SIGN_poll_ns] / polls).buf);
	finding_note(finding, "spins", polls);
	finding_note(finding, "spins_per_s", chart_rate(chart, polls));
	finding_note(finding, "calls", row->sum.calls);
	finding_note(finding, "eagain_share", (double)row->sum.eagain / row->sum.calls);
	finding_note(finding, "in_bytes", row->fd->descriptor.sum.in_bytes);
	/* Between the calls it may do something else, but hardly sleep. */
	finding->cpu_ms_per_s = fmin(1000, chart_ms_per_s(chart, signs->sum[SIGN_poll_ns]));
	finding_weigh(finding);
	finding_stack(finding, row->fd->descriptor.born_ns, STACK_CALL);
}

static const char *block_advice(const struct row *row, const struct signs *signs, bool disk)
{
	if (disk)
		return "hand file I/O to other threads, or to io_uring";
	if (signs->called == CALL_connect)
		return "set O_NONBLOCK before connect(), and wait for EPOLLOUT";
	return row->fd->head.nonblock ? "hand the call to another thread" :
	       "set O_NONBLOCK, and wait for it with the loop";
}

void judge_blocking_in_loop(const struct chart *chart, const struct rule *rule,
			    const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	const struct row *loop = signs ? chart_loop(chart, signs->proc, signs->loop) : NULL;
	struct finding *finding;
	double ns, blocks;
	bool disk;

	if (!loop || row->fd->many || !loop_multiplexes(loop))
		return;
	disk = signs->sum[SIGN_disk_block_ns] > signs->sum[SIGN_block_ns];
	blocks = signs->sum[disk ? SIGN_disk_blocks : SIGN_blocks];
	ns = signs->sum[disk ? SIGN_disk_block_ns : SIGN_block_ns];
	/* A disk that nobody waits for meanwhile is what disks are. */
	if (!blocks || (disk && !loop->loop->figures.sum.held_up))
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "%s blocked the loop %s, for %s%s%s",
		    signs->called ? calls[signs->called].name : "a call",
		    text_counted(blocks, "time").buf, text_ns(ns / blocks).buf, on_average(blocks),
		    disk ? ", by a disk" : "");
	finding->advice = block_advice(row, signs, disk);
	finding_note(finding, "blocked_calls", blocks);
	finding_note(finding, "blocked_ns", ns / blocks);
	if (loop->loop->descriptors != ASKED_UNKNOWN)
		finding_note(finding, "loop_descriptors", loop->loop->descriptors);
	finding_note(finding, "held_up", loop->loop->figures.sum.held_up);
	if (signs->called)
		finding_note_word(finding, "call", calls[signs->called].name);
	finding->stall_ms = ns / MS;
	finding_weigh(finding);
	/* What the only client of the process has asked for. */
	if (disk && !chart_serves_several(chart, loop))
		finding->severity = SEVERITY_INFO;
	finding_stack(finding, row->fd->descriptor.born_ns, STACK_CALL);
}
