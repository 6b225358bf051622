// SPDX-License-Identifier: GPL-2.0-only
/* The rules about one descriptor. */
#include <math.h>
#include <stdio.h>
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

/* Some descriptor of the process waits for room to write: what is not read may be so for its sake. */
static bool held_back(const struct chart *chart, proc_id proc)
{
	struct row *row, *next;

	HASH_ITER(hh, chart->reading->fds.table, row, next) {
		if (row->key.proc == proc && open_still(row) &&
		    row->fd->descriptor.flags & FD_OUT_BLOCKED &&
		    !(row->fd->descriptor.flags & FD_OUT_READY))
			return true;
	}
	return false;
}

/*
 * The process has come back by itself to what it had left in some descriptor: it remembers, and may
 * come back to this one too. HTTP servers do not read what is pipelined before its turn has come.
 */
static bool remembers(const struct chart *chart, proc_id proc, enum sign_id resumes)
{
	for (u32 i = 0; i < chart->reading->nr_signs; i++) {
		const struct signs *signs = &chart->reading->signs[i].signs;

		if (signs->proc == proc && signs->sum[resumes])
			return true;
	}
	return false;
}

/* For how long what was left in it has been left until now, ns; 0: nothing is, or it may be meant. */
static double pending_ns(const struct chart *chart, const struct row *row)
{
	const struct descriptor *d = &row->fd->descriptor;
	bool served = d->flags & FD_SERVED;
	double ns;

	if (!open_still(row) || !queued(row) || !(d->flags & FD_REPORTED) || d->flags & FD_DRAINED)
		return 0;
	if (served && (!d->left || d->left == LEFT_UNKNOWN))
		return 0;
	ns = ns_since(chart, served ? d->called_ns : d->reported_ns);
	return fmin(ns, slept_ns(chart, row)) >= chart_threshold(chart, THRESHOLD_stalled) * MS &&
	       loop_sleeps(chart, row) && !(d->flags & FD_WAITED) &&
	       !held_back(chart, row->key.proc) &&
	       !remembers(chart, row->key.proc, SIGN_resumes) &&
	       !remembers(chart, row->key.proc, SIGN_returns) ? ns : 0;
}

/* @stalls of them ended, for @stall_ns in all; one is pending for @pending_ns. */
static void undrained_say(struct finding *finding, const struct row *row, u64 stalls,
			  double stall_ns, double pending_ns, u32 left)
{
	const char *unit = kind_unit(row->fd->descriptor.kind);

	if (pending_ns)
		finding_say(finding, "edge-triggered; %u %s are left unread, and the loop has slept "
			    "on it for %s", queued(row), unit, text_ns(pending_ns).buf);
	else
		finding_say(finding, "edge-triggered; %u %s were left unread until the next event, "
			    "%llu times, for %s on average", left, unit,
			    (unsigned long long)stalls, text_ns(stall_ns / stalls).buf);
	finding_note(finding, "left", pending_ns ? queued(row) : left);
	if (stalls) {
		finding_note(finding, "stalls", stalls);
		finding_note(finding, "stall_ns", stall_ns / stalls);
	}
	if (pending_ns)
		finding_note(finding, "pending_ns", pending_ns);
	finding->stall_ms = (stall_ns + pending_ns) / MS;
	finding_note_word(finding, "unit", unit);
	finding_note(finding, "reported", row->fd->descriptor.sum.reported);
	finding_note(finding, "calls", row->sum.calls);
	finding_note(finding, "eagain", row->sum.eagain);
}

static void judge_undrained(const struct chart *chart, const struct rule *rule,
			    const struct row *row, bool listener)
{
	const struct signs *signs = chart_signs(chart, row);
	u64 stalls = signs ? signs->sum[SIGN_stalls] : 0;
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
	double pending = unarmed_ns(chart, row), late = signs ? signs->sum[SIGN_unarmed_ns] : 0;
	u64 times = signs ? signs->sum[SIGN_unarmed] : 0;
	const char *unit = kind_unit(row->fd->descriptor.kind);
	struct finding *finding;

	if ((!times && !pending) || row->fd->many)
		return;
	finding = chart_find(chart, rule, row);
	if (pending)
		finding_say(finding, "one-shot; it fired and was not armed again; %u %s wait in it, and "
			    "nothing was done with it for %s", queued(row), unit,
			    text_ns(pending).buf);
	else
		finding_say(finding, "one-shot; with %u %s in it, it was armed again only after %s on "
			    "average, %llu times", signs->left, unit, text_ns(late / times).buf,
			    (unsigned long long)times);
	finding_note(finding, "left", pending ? queued(row) : signs->left);
	if (times) {
		finding_note(finding, "stalls", times);
		finding_note(finding, "stall_ns", late / times);
	}
	if (pending)
		finding_note(finding, "pending_ns", pending);
	finding_note_word(finding, "unit", unit);
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
	lost = signs->sum[SIGN_lost_outs];
	late = signs->sum[SIGN_lost_out_ns];
	if (open_still(row) && d->flags & FD_OUT_READY)
		pending = ns_since(chart, signs->out_ready_ns);
	if (fmin(pending, slept_ns(chart, row)) < chart_threshold(chart, THRESHOLD_lost_out) * MS ||
	    !loop_sleeps(chart, row) ||
	    (!(signs->out_with_in && d->flags & FD_READ) &&
	     remembers(chart, row->key.proc, SIGN_out_resumes)))
		pending = 0;
	if (!lost && !pending)
		return;
	finding = chart_find(chart, rule, row);
	if (pending)
		finding_say(finding, "a write to it had failed for want of room; room was reported %s "
			    "ago, and nothing was written since", text_ns(pending).buf);
	else
		finding_say(finding, "after a failed write room was reported, and not used for %s on "
			    "average, %llu times", text_ns(late / lost).buf, (unsigned long long)lost);
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

	if (!signs || !signs->sum[SIGN_starves] || row->fd->many)
		return;
	starves = signs->sum[SIGN_starves];
	finding = chart_find(chart, rule, row);
	finding_say(finding, "while it was read, %llu time%s another descriptor that was reported with it "
		    "waited %s on average to be served", (unsigned long long)starves,
		    starves == 1 ? "" : "s", text_ns((double)signs->sum[SIGN_starve_ns] / starves).buf);
	finding_note(finding, "starved", starves);
	finding_note(finding, "waited_ns", (double)signs->sum[SIGN_starve_ns] / starves);
	finding_note(finding, "drain_ns", (double)signs->sum[SIGN_drain_ns] / starves);
	finding_note(finding, "in_bytes", row->fd->descriptor.sum.in_bytes);
	finding->stall_ms = signs->sum[SIGN_starve_ns] / MS;
	finding_weigh(finding);
}

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
	finding_say(finding, "level-triggered, and reported %s times in waits that returned at once, with "
		    "no progress: %s", text_count(spins).buf, spin.kind);
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
	finding_say(finding, "epoll reported it %s times after the process had closed it: something else "
		    "keeps the file open", text_count(stale).buf);
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
	finding_say(finding, "read from %s times while it was empty, with no report between: every %s",
		    text_count(polls).buf, text_ns((double)signs->sum[SIGN_poll_ns] / polls).buf);
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
	finding_say(finding, "edge-triggered and without O_NONBLOCK; %llu calls for %llu reports%s",
		    (unsigned long long)row->sum.calls, (unsigned long long)d->sum.reported,
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
	finding_say(finding, "%s blocked the loop %s times, for %s on average%s",
		    signs->called ? calls[signs->called].name : "a call", text_count(blocks).buf,
		    text_ns(ns / blocks).buf, disk ? ", by a disk" : "");
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
