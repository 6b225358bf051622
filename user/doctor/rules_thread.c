// SPDX-License-Identifier: GPL-2.0-only
/*
 * What hangs since before the watch: such a thread has returned to no wait, so that its loop is not
 * known; but what the loop is to serve is, and the stack of a thread that sleeps can be had.
 */
#include <stdio.h>
#include <string.h>

#include "model/calls.h"
#include "doctor/rules.h"

#define MS 1e6

/* A thread waits, or has waited, for this epoll instance. */
static bool has_loop(const struct chart *chart, u64 ep)
{
	struct row *row, *next;

	HASH_ITER(hh, chart->reading->loops.table, row, next) {
		if (row->loop->figures.key.ep == ep)
			return true;
	}
	return false;
}

/* A descriptor in an epoll set of the process that has something, for which nobody has asked. */
static bool neglected(const struct chart *chart, const struct row *row, u32 tgid)
{
	const struct descriptor *d = &row->fd->descriptor;

	return proc_tgid(row->key.proc) == tgid && d->watch == WATCH_EPOLL && row->fd->head.queued &&
	       row->fd->head.queued != LEFT_UNKNOWN && !row->fd->head.closed_ns && !d->sum.reported &&
	       !d->sum.calls && !has_loop(chart, d->ep);
}

static u32 count_neglected(const struct chart *chart, u32 tgid)
{
	struct row *row, *next;
	u32 count = 0;

	HASH_ITER(hh, chart->reading->fds.table, row, next)
		count += neglected(chart, row, tgid);
	return count;
}

static const struct watched_thread *thread_find(const struct chart *chart, u32 tid)
{
	for (u32 i = 0; i < chart->reading->nr_threads; i++) {
		if (chart->reading->threads[i].tid == tid)
			return &chart->reading->threads[i];
	}
	return NULL;
}

void judge_stuck(const struct chart *chart, const struct rule *rule,
		 const struct in_flight *thread)
{
	const struct watched_thread *watched = thread_find(chart, thread->tid);
	u8 class = calls[thread->call].class;
	u32 waiting;
	struct finding *finding;

	if ((class != CLASS_INPUT && class != CLASS_OUTPUT) || thread->phase != PHASE_BLOCKED ||
	    thread->age_ns < chart_threshold(chart, THRESHOLD_block) * MS)
		return;
	waiting = count_neglected(chart, thread->tgid);
	if (!waiting)
		return;
	finding = findings_add(chart->findings, rule);
	finding->tgid = thread->tgid;
	finding->tid = thread->tid;
	finding->advice = rule->advice;
	memcpy(finding->comm, thread->comm, COMM_LEN);
	finding_say(finding, "still inside %s, for %s%s; %s that epoll is to watch for this process %s "
		    "something to be read, and nobody has waited for %s",
		    calls[thread->call].name, thread->age_bound ? "over " : "",
		    text_ns(thread->age_ns).buf, text_counted(waiting, "descriptor").buf,
		    waiting == 1 ? "has" : "have", waiting == 1 ? "it" : "them");
	finding->advice = "set O_NONBLOCK on what it calls on, or hand the call to another thread";
	finding_note_word(finding, "call", calls[thread->call].name);
	finding_note(finding, "blocked_ns", thread->age_ns);
	finding_note(finding, "waiting", waiting);
	finding->confidence = CONFIDENCE_MEDIUM;
	finding->stall_ms = thread->age_ns / MS;
	finding_weigh(finding);	if (watched)
		finding->here = watched->place;
}

/* Less may be what a turn takes, and is not known to have begun before the watch. */
#define HUNG_NS	NS_PER_SEC

/* What is in it is there to be read; a counter may be there for its edges alone. */
static bool holds_data(u8 kind)
{
	return kind != KIND_EVENTFD && kind != KIND_TIMERFD;
}

/* The only thread of the process, NULL if there are others, or they are not known. */
static const struct watched_thread *only_thread(const struct chart *chart, u32 tgid)
{
	const struct watched_thread *only = NULL;

	for (u32 i = 0; i < chart->reading->nr_threads; i++) {
		const struct watched_thread *thread = &chart->reading->threads[i];

		if (proc_tgid(thread->proc) != tgid)
			continue;
		if (only)
			return NULL;
		only = thread;
	}
	return only;
}

/* Whether that was found of the process already, or that it hangs in a call: what waits is said there. */
static bool known_to_hang(const struct chart *chart, u32 tgid)
{
	for (u32 i = 0; i < chart->findings->count; i++) {
		const struct finding *finding = &chart->findings->list[i];

		if (finding->tgid == tgid && finding_figure(finding, "waiting"))
			return true;
	}
	return false;
}

static void hung_say(struct finding *finding, u32 waiting, const struct watched_thread *only)
{
	finding_say(finding, "nobody has waited for epoll since before the watch; %s that it is to watch "
		    "%s something to be read%s", text_counted(waiting, "descriptor").buf,
		    waiting == 1 ? "has" : "have",
		    !only ? "" : only->place.ip ? "; the only thread sleeps" :
		    "; the only thread is not asleep");
}

void judge_hung(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	u32 tgid = proc_tgid(row->key.proc), waiting;
	const struct watched_thread *only;
	struct finding *finding;

	if (!chart->whole || chart->duration_ns < HUNG_NS ||
	    chart->duration_ns < chart_threshold(chart, THRESHOLD_slow_turn) * MS ||
	    !holds_data(row->fd->descriptor.kind) || !neglected(chart, row, tgid) || known_to_hang(chart, tgid))
		return;
	waiting = count_neglected(chart, tgid);
	only = only_thread(chart, tgid);
	finding = findings_add(chart->findings, rule);
	finding->tgid = tgid;
	finding->tid = only ? only->tid : 0;
	memcpy(finding->comm, row->comm, COMM_LEN);
	finding->advice = "find what it is in, and do that in smaller parts, or in another thread";
	hung_say(finding, waiting, only);
	finding_note(finding, "waiting", waiting);
	finding_note(finding, "under_way_ns", chart->duration_ns);
	finding->confidence = CONFIDENCE_MEDIUM;
	finding->stall_ms = chart->duration_ns / MS;
	finding_weigh(finding);
	if (only)
		finding->here = only->place;
}
