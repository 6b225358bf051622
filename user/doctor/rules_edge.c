// SPDX-License-Identifier: GPL-2.0-only
/* The rules about one descriptor that is reported once for each event: edge-triggered, or one-shot. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "model/calls.h"
#include "model/fd.h"
#include "doctor/rules.h"

#define MS 1e6

static bool edge_triggered(const struct row *row)
{
	const struct descriptor *d = &row->fd->descriptor;

	return d->watch == WATCH_EPOLL && d->mask & EPOLLET && !row->fd->many &&
	       !fd_ambiguous(row->fd);
}

static bool open_still(const struct row *row)
{
	return !row->fd->head.closed_ns && !row->fd->many;
}

/*
 * A stall that has ended is one because no call was seen that would have ended it before: as many as calls
 * were lost may be none. What is pending now the kernel itself says.
 */
static u64 certain(const struct chart *chart, u64 stalls)
{
	return stalls > chart->unseen_calls ? stalls : 0;
}

/* What is in it now, 0 if that is not known. */
static u32 queued(const struct row *row)
{
	return row->fd->head.queued == LEFT_UNKNOWN ? 0 : row->fd->head.queued;
}

static double ns_since(const struct chart *chart, u64 then_ns)
{
	return then_ns && chart->reading->now_ns > then_ns ? chart->reading->now_ns - then_ns : 0;
}

/* The loop that waits for it sleeps in a wait: with a thread in a turn, it may yet come to it. */
static bool loop_sleeps(const struct chart *chart, const struct row *row)
{
	const struct descriptor *d = &row->fd->descriptor;
	struct row *loop, *next;
	bool sleeps = false;

	HASH_ITER(hh, chart->reading->loops.table, loop, next) {
		const struct event_loop *figures = &loop->loop->figures;

		if (figures->key.watch != WATCH_EPOLL || figures->key.ep != d->ep)
			continue;
		if (loop->loop->turning)
			return false;
		sleeps = true;
	}
	return sleeps;
}

static u32 user_tgid(const struct chart *chart, const struct row *row)
{
	const struct row *user = chart_user(chart, row);

	return proc_tgid(user ? user->key.proc : row->key.proc);
}

/* How long its loop has slept since it was last reported or called on, with the wait under way. */
static double slept_ns(const struct chart *chart, const struct row *row)
{
	const struct reading *reading = chart->reading;
	const struct descriptor *d = &row->fd->descriptor;
	double slept = 0, waiting = 0;
	struct row *loop, *next;

	HASH_ITER(hh, reading->loops.table, loop, next) {
		const struct event_loop *figures = &loop->loop->figures;
		u32 clock;

		if (figures->key.watch != WATCH_EPOLL || figures->key.ep != d->ep)
			continue;
		clock = sleep_clock(figures->sum.wait_blocked_ns, figures->threads);
		/* Another loop than the one by whose clock it was noted. */
		if (clock - d->slept < 1u << 31)
			slept = fmax(slept, (double)((u64)(clock - d->slept) << SLEEP_CLOCK_SHIFT));
	}
	for (u32 i = 0; i < reading->nr_in_flight; i++) {
		const struct in_flight *thread = &reading->in_flight[i];

		if (calls[thread->call].class == CLASS_WAIT && thread->phase == PHASE_BLOCKED &&
		    thread->tgid == user_tgid(chart, row))
			waiting = fmax(waiting, thread->age_ns);
	}
	return slept + fmin(waiting, ns_since(chart, d->called_ns > d->reported_ns ? d->called_ns :
					      d->reported_ns));
}

/* For how long what was left in it has been left until now, ns; 0: nothing is, or it may be meant. */
static double pending_ns(const struct chart *chart, const struct row *row)
{
	const struct descriptor *d = &row->fd->descriptor;
	const struct habit *habit = habit_of(chart->habits, row->key.proc);
	bool served = d->flags & FD_SERVED;
	double ns;

	if (!open_still(row) || !queued(row) || !(d->flags & FD_REPORTED) || d->flags & FD_DRAINED)
		return 0;
	if (served && (!d->left || d->left == LEFT_UNKNOWN))
		return 0;
	ns = ns_since(chart, served ? d->called_ns : d->reported_ns);
	return fmin(ns, slept_ns(chart, row)) >= chart_threshold(chart, THRESHOLD_stalled) * MS &&
	       loop_sleeps(chart, row) && !(d->flags & FD_WAITED) && !habit->held_back &&
	       !habit->comes_back ? ns : 0;
}

/* "1 byte", "1904 bytes" of what is left in a descriptor of this kind. */
static struct text left_text(u32 left, u8 kind)
{
	const char *unit = kind_unit(kind);
	struct text text;

	snprintf(text.buf, sizeof(text.buf), "%u %.*s", left, (int)strlen(unit) - (left == 1), unit);
	return text;
}

static const char *be(u32 count, bool now)
{
	return now ? (count == 1 ? "is" : "are") : count == 1 ? "was" : "were";
}

/* @stalls of them ended, for @stall_ns in all; one is pending for @pending_ns. */
static void undrained_say(struct finding *finding, const struct row *row, u64 stalls,
			  double stall_ns, double pending_ns, u32 left)
{
	u8 kind = row->fd->descriptor.kind;

	left = pending_ns ? queued(row) : left;
	if (pending_ns)
		finding_say(finding, "edge-triggered; %s %s left unread, and the loop has slept on it "
			    "for %s", left_text(left, kind).buf, be(left, true),
			    text_ns(pending_ns).buf);
	else
		finding_say(finding, "edge-triggered; %s %s left unread until the next event, %s, for "
			    "%s%s", left_text(left, kind).buf, be(left, false),
			    text_counted(stalls, "time").buf, text_ns(stall_ns / stalls).buf,
			    on_average(stalls));
	finding_note(finding, "left", left);
	if (stalls) {
		finding_note(finding, "stalls", stalls);
		finding_note(finding, "stall_ns", stall_ns / stalls);
	}
	if (pending_ns)
		finding_note(finding, "pending_ns", pending_ns);
	finding->stall_ms = (stall_ns + pending_ns) / MS;
	finding_note_word(finding, "unit", kind_unit(kind));
	finding_note(finding, "reported", row->fd->descriptor.sum.reported);
	finding_note(finding, "calls", row->sum.calls);
	finding_note(finding, "eagain", row->sum.eagain);
}

static void judge_undrained(const struct chart *chart, const struct rule *rule,
			    const struct row *row, bool listener)
{
	const struct signs *signs = chart_signs(chart, row);
	u64 stalls = signs ? certain(chart, signs->sum[SIGN_stalls]) : 0;
	struct finding *finding;
	double pending;
	u8 kind = row->fd->descriptor.kind;

	if (!edge_triggered(row) || (kind == KIND_LISTENER) != listener ||
	    (kind != KIND_LISTENER && kind != KIND_TCP && kind != KIND_UNIX && kind != KIND_UDP &&
	     kind != KIND_PIPE))
		return;
	pending = pending_ns(chart, row);
	/* What was read on without an event was left on purpose. */
	if ((!stalls && !pending) || (signs && signs->sum[SIGN_resumes]))
		return;
	finding = chart_find(chart, rule, row);
	undrained_say(finding, row, stalls, stalls ? signs->sum[SIGN_stall_ns] : 0, pending,
		      signs ? signs->left : 0);
	finding->confidence = stalls ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM;
	finding_weigh(finding);
	finding_stack(finding, row->fd->descriptor.born_ns, STACK_LEFT);
	finding_stack(finding, row->key.proc, STACK_LEFT_ANY);
}

void judge_et_undrained(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	judge_undrained(chart, rule, row, false);
}

void judge_et_accept_once(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	judge_undrained(chart, rule, row, true);
}

/* For how long it has not been armed now, with something in it; 0: it is, or not for long. */
static double unarmed_ns(const struct chart *chart, const struct row *row)
{
	const struct descriptor *d = &row->fd->descriptor;
	double ns;

	if (!open_still(row) || !row->fd->head.disarmed || !queued(row) || !(d->flags & FD_REPORTED))
		return 0;
	ns = ns_since(chart, d->called_ns > d->reported_ns ? d->called_ns : d->reported_ns);
	return fmin(ns, slept_ns(chart, row)) >= chart_threshold(chart, THRESHOLD_oneshot) * MS ?
	       ns : 0;
}

void judge_oneshot_not_rearmed(const struct chart *chart, const struct rule *rule,
			       const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	double pending = unarmed_ns(chart, row), late;
	u64 times = signs ? certain(chart, signs->sum[SIGN_unarmed]) : 0;
	u32 left = pending ? queued(row) : signs ? signs->left : 0;
	u8 kind = row->fd->descriptor.kind;
	struct finding *finding;

	if ((!times && !pending) || row->fd->many)
		return;
	late = times ? signs->sum[SIGN_unarmed_ns] : 0;
	finding = chart_find(chart, rule, row);
	if (pending)
		finding_say(finding, "one-shot; it fired and was not armed again; %s %s left in it, and "
			    "nothing was done with it for %s", left_text(left, kind).buf,
			    be(left, true), text_ns(pending).buf);
	else
		finding_say(finding, "one-shot; with %s in it, it was armed again only after %s%s, %s",
			    left_text(left, kind).buf, text_ns(late / times).buf,
			    on_average(times), text_counted(times, "time").buf);
	finding_note(finding, "left", left);
	if (times) {
		finding_note(finding, "stalls", times);
		finding_note(finding, "stall_ns", late / times);
	}
	if (pending)
		finding_note(finding, "pending_ns", pending);
	finding_note_word(finding, "unit", kind_unit(kind));
	finding_note(finding, "reported", row->fd->descriptor.sum.reported);
	finding->confidence = pending && !loop_sleeps(chart, row) ? CONFIDENCE_MEDIUM :
			      CONFIDENCE_HIGH;
	finding->stall_ms = (late + pending) / MS;
	finding_weigh(finding);
}

void judge_lost_out_edge(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	const struct descriptor *d = &row->fd->descriptor;
	double pending = 0, late = 0;
	struct finding *finding;
	u64 lost;

	if (!signs || !edge_triggered(row))
		return;
	lost = certain(chart, signs->sum[SIGN_lost_outs]);
	late = lost ? signs->sum[SIGN_lost_out_ns] : 0;
	if (open_still(row) && d->flags & FD_OUT_READY)
		pending = ns_since(chart, signs->out_ready_ns);
	if (fmin(pending, slept_ns(chart, row)) < chart_threshold(chart, THRESHOLD_lost_out) * MS ||
	    !loop_sleeps(chart, row) ||
	    (!(signs->out_with_in && d->flags & FD_READ) &&
	     habit_of(chart->habits, row->key.proc)->comes_to_write))
		pending = 0;
	if (!lost && !pending)
		return;
	finding = chart_find(chart, rule, row);
	if (pending)
		finding_say(finding, "a write to it had failed for want of room; room was reported %s "
			    "ago, and nothing was written since", text_ns(pending).buf);
	else
		finding_say(finding, "after a failed write room was reported, and not used for %s%s, %s",
			    text_ns(late / lost).buf, on_average(lost),
			    text_counted(lost, "time").buf);
	if (lost) {
		finding_note(finding, "stalls", lost);
		finding_note(finding, "stall_ns", late / lost);
	}
	if (pending)
		finding_note(finding, "pending_ns", pending);
	finding_note(finding, "reported_out", d->masks[1]);
	finding_note(finding, "eagain", row->sum.eagain);
	finding->confidence = pending ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM;
	finding->stall_ms = (late + pending) / MS;
	finding_weigh(finding);
}

void judge_et_starvation(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	struct finding *finding;
	u64 starves;

	/* A file that is read in a turn is in no set: the turn is slow, and that is what is to be said. */
	if (!signs || !signs->sum[SIGN_starves] || row->fd->many || !row->fd->descriptor.sum.reported)
		return;
	starves = signs->sum[SIGN_starves];
	finding = chart_find(chart, rule, row);
	finding_say(finding, "while it was read, %s another descriptor that was reported with it waited "
		    "%s%s to be served", text_counted(starves, "time").buf,
		    text_ns((double)signs->sum[SIGN_starve_ns] / starves).buf, on_average(starves));
	finding_note(finding, "starved", starves);
	finding_note(finding, "waited_ns", (double)signs->sum[SIGN_starve_ns] / starves);
	finding_note(finding, "drain_ns", (double)signs->sum[SIGN_drain_ns] / starves);
	finding_note(finding, "in_bytes", row->fd->descriptor.sum.in_bytes);
	finding->stall_ms = signs->sum[SIGN_starve_ns] / MS;
	finding_weigh(finding);
}

void judge_et_blocking_fd(const struct chart *chart, const struct rule *rule,
			  const struct row *row)
{
	const struct signs *signs = chart_signs(chart, row);
	const struct descriptor *d = &row->fd->descriptor;
	struct finding *finding;

	if (!edge_triggered(row) || !row->fd->head.named || row->fd->head.nonblock ||
	    d->flags & FD_DONTWAIT || (!d->masks[0] && !row->sum.blocked_ns) ||
	    (d->kind != KIND_TCP && d->kind != KIND_UNIX && d->kind != KIND_PIPE &&
	     d->kind != KIND_LISTENER))
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "edge-triggered and without O_NONBLOCK; %s for %s%s",
		    text_counted(row->sum.calls, "call").buf,
		    text_counted(d->sum.reported, "report").buf,
		    row->sum.blocked_ns ? ": it blocked in them" : "");
	finding_note(finding, "calls", row->sum.calls);
	finding_note(finding, "reported", d->sum.reported);
	if (signs && signs->sum[SIGN_blocks]) {
		finding_note(finding, "blocked_calls", signs->sum[SIGN_blocks]);
		finding_note(finding, "blocked_ns",
			     (double)signs->sum[SIGN_block_ns] / signs->sum[SIGN_blocks]);
	}
	finding->confidence = row->sum.calls > d->sum.reported ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM;
	if (row->sum.blocked_ns)
		finding->stall_ms = row->sum.blocked_ns / MS;
	finding_weigh(finding);
}
