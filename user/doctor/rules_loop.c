// SPDX-License-Identifier: GPL-2.0-only
/* The rules about one event loop. */
#include <stdio.h>

#include "model/calls.h"
#include "doctor/rules.h"

#define MS 1e6

static const struct loop_sum *sum_of(const struct row *row)
{
	return &row->loop->figures.sum;
}

static u32 threads_of(const struct row *row)
{
	return row->loop->figures.threads ? : 1;
}

/* CPU time in its waits, ns. */
static double wait_cpu_ns(const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);

	return sum->wait_ns - sum->wait_blocked_ns - sum->wait_runnable_ns;
}

static void stack_of_loop(struct finding *finding, const struct row *row, enum stack_kind kind)
{
	finding_stack(finding, row->key.object - OBJECT_MERGED, kind);
}

void judge_zero_timeout(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);
	struct finding *finding;
	double gap_ns;

	if (sum->idle_runs < chart_threshold(chart, THRESHOLD_idle_waits) || !sum->idle_runs)
		return;
	gap_ns = (double)sum->idle_run_ns / sum->idle_runs;
	if (gap_ns > chart_threshold(chart, THRESHOLD_idle_gap) * 1e3)
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "%s in long rows returned nothing and did not sleep, one every %s",
		    text_counted(sum->idle_runs, "wait").buf, text_ns(gap_ns).buf);
	finding_note(finding, "idle_waits", sum->idle);
	finding_note(finding, "spins", sum->idle_runs);
	finding_note(finding, "spins_per_s", chart_rate(chart, sum->idle_runs));
	finding_note(finding, "waits", sum->waits);
	finding_note(finding, "events", sum->events);
	finding->cpu_ms_per_s = chart_ms_per_s(chart, sum->idle_run_ns);
	finding_weigh(finding);
	stack_of_loop(finding, row, STACK_LOOP);
}

void judge_early_return(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);
	struct finding *finding;

	if (sum->early < chart_threshold(chart, THRESHOLD_early) || !sum->early)
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "%s slept and returned nothing, with 10 ms or more of the timeout left",
		    text_counted(sum->early, "wait").buf);
	finding_note(finding, "early", sum->early);
	finding_note(finding, "empty", sum->empty);
	finding_note(finding, "waits", sum->waits);
	finding->cpu_ms_per_s = chart_ms_per_s(chart, sum->early * loop_round_ns(row));
	finding_weigh(finding);
	stack_of_loop(finding, row, STACK_LOOP);
}

/* More than a wait can scan in the time that is long for one: select and poll are slow by nature. */
#define SCANNED_FEW 1000

void judge_kernel_spin(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);
	struct finding *finding;
	bool few = row->loop->figures.key.watch == WATCH_EPOLL ||
		   (row->loop->descriptors != ASKED_UNKNOWN && row->loop->descriptors < SCANNED_FEW);

	if (!few || sum->long_waits < chart_threshold(chart, THRESHOLD_long_waits) ||
	    !sum->long_waits || sum->events > sum->waits * SCANNED_FEW)
		return;
	/* It may well be what a hypervisor took: that counts as time on the CPU. */
	if (chart->reading->steal_ns * 2 > sum->long_wait_ns)
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "%s took %s%s on the CPU, in the kernel, with few descriptors to scan",
		    text_counted(sum->long_waits, "wait").buf,
		    text_ns((double)sum->long_wait_ns / sum->long_waits).buf,
		    on_average(sum->long_waits));
	finding_note(finding, "long_waits", sum->long_waits);
	finding_note(finding, "long_wait_ns", sum->long_wait_ns);
	finding_note(finding, "waits", sum->waits);
	finding_note(finding, "events", sum->events);
	finding->cpu_ms_per_s = chart_ms_per_s(chart, sum->long_wait_ns);
	finding_weigh(finding);
}

void judge_cpu_starved(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);
	double seen = sum->turn_runnable_ns + sum->wait_runnable_ns;
	/* Where switches were not seen, sleep counts as that, and the scheduler knows better. */
	double runnable = seen < row->loop->figures.delay_ns ? seen : row->loop->figures.delay_ns;
	double on_cpu = loop_turn_on_cpu_ns(row->loop) + wait_cpu_ns(row);
	double share = chart->duration_ns ? runnable / chart->duration_ns / threads_of(row) : 0;
	double limit = chart_threshold(chart, THRESHOLD_starved);
	struct finding *finding;

	/* A loop that has little to do, and waits longer for its CPU than it has it. */
	if (share < limit && !(share >= limit / 5 && runnable > 2 * on_cpu))
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "ready to run, and without a CPU, for %.0f%% of the time; it was on one for "
		    "%.0f%%", share * 100, on_cpu / chart->duration_ns / threads_of(row) * 100);
	finding_note(finding, "runnable_ms_per_s", chart_ms_per_s(chart, runnable / threads_of(row)));
	finding_note(finding, "on_cpu_ms_per_s", chart_ms_per_s(chart, on_cpu / threads_of(row)));
	finding_note(finding, "threads", threads_of(row));
	finding_note(finding, "waits", sum->waits);
	finding->stall_ms = runnable / MS;
	finding_weigh(finding);
}

static double slow_on_cpu_ns(const struct loop_sum *sum)
{
	return (double)sum->slow_ns - sum->slow_blocked_ns - sum->slow_runnable_ns;
}

/* Without what it waited for a CPU. */
static double slow_own_ns(const struct loop_sum *sum)
{
	return (double)sum->slow_ns - sum->slow_runnable_ns;
}

static const char *turn_kind(const struct loop_sum *sum)
{
	return sum->slow_blocked_ns > slow_on_cpu_ns(sum) ? "blocked" : "on the CPU";
}

static const char *turn_advice(const struct loop_sum *sum)
{
	return sum->slow_blocked_ns > slow_on_cpu_ns(sum) ?
	       "find what it blocks in (see where), and hand that to another thread" :
	       "do it in smaller parts, or in another thread";
}

/* For how long the loop has been in a turn now, ns; of several threads, all of them. */
static double under_way_ns(const struct chart *chart, const struct row *row)
{
	u64 waited_ns = row->loop->figures.waited_ns, now_ns = chart->reading->now_ns;

	if (threads_of(row) == 1 || !row->loop->turning)
		return row->loop->turning ? row->loop->turning_ns : 0;
	if (row->loop->turning < threads_of(row) || !waited_ns || now_ns < waited_ns)
		return 0;
	return now_ns - waited_ns;
}

/* The same without what it waited for a CPU, which is not its own doing. */
static double under_way_own_ns(const struct row *row, double turning_ns)
{
	double runnable_ns = row->loop->turning_runnable_ns;

	return turning_ns > runnable_ns ? turning_ns - runnable_ns : 0;
}

/* Descriptors of an epoll loop in which something has waited since its turn under way began. */
static u32 waiting_in(const struct chart *chart, const struct row *loop, double turning_ns)
{
	u64 begin_ns = chart->reading->now_ns - turning_ns;
	struct row *row, *next;
	u32 waiting = 0;

	HASH_ITER(hh, chart->reading->fds.table, row, next) {
		const struct descriptor *d = &row->fd->descriptor;

		waiting += d->watch == WATCH_EPOLL && d->ep == loop->loop->figures.key.ep &&
			   row->fd->head.queued && row->fd->head.queued != LEFT_UNKNOWN &&
			   !row->fd->head.closed_ns && d->called_ns < begin_ns;
	}
	return waiting;
}

/* "it", "them", "5 of them" */
static struct text held_text(const struct loop_sum *sum)
{
	struct text text;

	if (sum->held_up < sum->slow_turns)
		snprintf(text.buf, sizeof(text.buf), "%.16s of them",
			 text_count(sum->held_up).buf);
	else
		snprintf(text.buf, sizeof(text.buf), "%s", sum->slow_turns == 1 ? "it" : "them");
	return text;
}

/* What is worse: the turn under way, or those that have ended. */
static void slow_turn_say(struct finding *finding, const struct row *row, u32 waiting,
			  double turning_ns)
{
	const struct loop_sum *sum = sum_of(row);

	if (waiting && turning_ns >= (sum->held_up ? slow_own_ns(sum) : 0))
		finding_say(finding, "in a turn for %s, which has not ended; %s had something to be read "
			    "all the while", text_ns(turning_ns).buf,
			    text_counted(waiting, "descriptor").buf);
	else
		finding_say(finding, "%s took %s%s, mostly %s; others were ready and waited for %s",
			    text_counted(sum->slow_turns, "turn").buf,
			    text_ns(slow_own_ns(sum) / sum->slow_turns).buf,
			    on_average(sum->slow_turns), turn_kind(sum), held_text(sum).buf);
}

/* A turn that nobody waits for is nobody's business, however long. */
void judge_slow_turn(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);
	double turning_ns = under_way_ns(chart, row), own_ns = under_way_own_ns(row, turning_ns);
	bool stuck = own_ns && own_ns >= chart_threshold(chart, THRESHOLD_slow_turn) * MS;
	u32 waiting = stuck ? waiting_in(chart, row, turning_ns) : 0;
	bool blocked = sum->slow_blocked_ns * 2 > sum->slow_ns;
	struct finding *finding;

	if ((!waiting && !(sum->held_up && chart_serves_several(chart, row))) ||
	    !loop_multiplexes(row))
		return;
	finding = chart_find(chart, rule, row);
	slow_turn_say(finding, row, waiting, own_ns);
	finding->advice = turn_advice(sum);
	if (sum->slow_turns) {
		finding_note(finding, "slow_turns", sum->slow_turns);
		finding_note(finding, "turn_ns", slow_own_ns(sum) / sum->slow_turns);
		finding_note(finding, "on_cpu_ns", slow_on_cpu_ns(sum) / sum->slow_turns);
		finding_note(finding, "blocked_ns", (double)sum->slow_blocked_ns / sum->slow_turns);
		finding_note(finding, "runnable_ns", (double)sum->slow_runnable_ns / sum->slow_turns);
		finding_note(finding, "held_up", sum->held_up);
	}
	finding_note(finding, "turns", sum->turns);
	if (waiting) {
		finding_note(finding, "under_way_ns", own_ns);
		finding_note(finding, "waiting", waiting);
	}
	finding->stall_ms = (slow_own_ns(sum) + (waiting ? own_ns : 0)) / MS;
	finding_weigh(finding);
	stack_of_loop(finding, row, blocked ? STACK_SLEEP : STACK_TURN);
	stack_of_loop(finding, row, blocked ? STACK_TURN : STACK_SLEEP);
}

void judge_ctl_churn(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);
	/* Each descriptor is put in once, and may be taken out once. */
	double churn = (double)sum->ctl_calls - 2.0 * sum->first_adds;
	struct finding *finding;

	if (churn < chart_threshold(chart, THRESHOLD_churn_ratio) * (sum->events + 1) ||
	    chart_rate(chart, churn) < chart_threshold(chart, THRESHOLD_churn))
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "%s of epoll_ctl for %s, besides those that put in and take out what is new",
		    text_counted(churn, "call").buf, text_counted(sum->events, "event").buf);
	finding_note(finding, "ctl_calls", sum->ctl_calls);
	finding_note(finding, "ctl_per_event", (double)sum->ctl_calls / (sum->events ? : 1));
	finding_note(finding, "first_adds", sum->first_adds);
	finding_note(finding, "events", sum->events);
	finding_weigh(finding);
}

void judge_batch_full(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	const struct loop_sum *sum = sum_of(row);
	u32 room = row->loop->figures.room;
	struct finding *finding;

	/* One at a time, for each of several threads, is a way to hand them out. */
	if ((room == 1 && threads_of(row) > 1) || !sum->full_runs ||
	    row->loop->descriptors == ASKED_UNKNOWN || row->loop->descriptors <= room ||
	    chart_rate(chart, sum->full_runs) < chart_threshold(chart, THRESHOLD_full) ||
	    sum->full_runs * 5 < sum->waits - sum->empty)
		return;
	finding = chart_find(chart, rule, row);
	finding_say(finding, "%s came back full, with %s, after another that did: there was more each "
		    "time", text_counted(sum->full_runs, "wait").buf,
		    text_counted(room, "event").buf);
	finding_note(finding, "full_in_rows", sum->full_runs);
	finding_note(finding, "full_share", (double)sum->full / (sum->waits - sum->empty - sum->failed));
	finding_note(finding, "waits", sum->waits);
	finding_note(finding, "maxevents", room);
	finding_note(finding, "events", sum->events);
	finding_weigh(finding);
}

#define FD_SETSIZE_LIBC 1024

void judge_fd_setsize(const struct chart *chart, const struct rule *rule, const struct row *row)
{
	/* Of what was seen set, not of what was passed: many pass FD_SETSIZE whatever they have. */
	u32 nfds = row->loop->figures.room;
	struct finding *finding;

	if (row->loop->figures.key.watch != WATCH_SELECT || !nfds ||
	    nfds < chart_threshold(chart, THRESHOLD_setsize))
		return;
	finding = chart_find(chart, rule, row);
	if (nfds > FD_SETSIZE_LIBC)
		finding_say(finding, "select for descriptor %u: an fd_set of the C library ends at 1023, and "
			    "what is set beyond is other memory", nfds - 1);
	else
		finding_say(finding, "select for descriptor %u: an fd_set of the C library ends at 1023",
			    nfds - 1);
	finding_note(finding, "nfds", nfds);
	if (row->loop->descriptors != ASKED_UNKNOWN)
		finding_note(finding, "asked", row->loop->descriptors);
	finding->confidence = CONFIDENCE_MEDIUM;
}
