// SPDX-License-Identifier: GPL-2.0-only
/*
 * What threads are inside of at the end: one that hangs since before the watch has returned to no
 * wait, so that its loop is not known; but what the loop is to serve is.
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

/* Descriptors in epoll sets of the process that have something, which nobody has asked for. */
static u32 neglected(const struct chart *chart, u32 tgid)
{
	struct row *row, *next;
	u32 count = 0;

	HASH_ITER(hh, chart->reading->fds.table, row, next) {
		const struct descriptor *d = &row->fd->descriptor;
		u32 queued = row->fd->head.queued;

		count += proc_tgid(row->key.proc) == tgid && d->watch == WATCH_EPOLL && queued &&
			 queued != LEFT_UNKNOWN && !row->fd->head.closed_ns && !d->sum.reported &&
			 !d->sum.calls && !has_loop(chart, d->ep);
	}
	return count;
}

void judge_stuck(const struct chart *chart, const struct rule *rule,
		 const struct in_flight *thread)
{
	u8 class = calls[thread->call].class;
	u32 waiting;
	struct finding *finding;

	if ((class != CLASS_INPUT && class != CLASS_OUTPUT) || thread->phase != PHASE_BLOCKED ||
	    thread->age_ns < chart_threshold(chart, THRESHOLD_block) * MS)
		return;
	waiting = neglected(chart, thread->tgid);
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
	finding_weigh(finding);
}
