// SPDX-License-Identifier: GPL-2.0-only
/*
 * starved CALLS busy|held: a reader whose data comes in time, on a processor that busy neighbours
 * share with it, or that one of higher priority holds for HOLD_MS from before the data comes. It
 * is woken and does not run: runnable, not blocked.
 */
#include "truth.h"

#define NEIGHBOURS 3
#define WAIT_MS 25	/* longer than the reader may take to come to its read() */
#define HOLD_MS 10

static struct gate begun = GATE_INIT, ended = GATE_INIT;
static volatile bool over, hold, held, holding;
static int channel[2], calls;

struct one {
	struct span span;
	uint64_t woke_lo, woke_hi;
};

static void *be_busy(void *arg)
{
	(void)arg;
	pin_self(usable_cpu(0));
	while (!over)
		;
	return NULL;
}

static void *hold_back(void *arg)
{
	struct sched_param prio = { .sched_priority = 1 };

	(void)arg;
	pin_self(usable_cpu(0));
	if (sched_setscheduler(0, SCHED_FIFO, &prio))
		skip("SCHED_FIFO refused");
	while (!over) {
		while (hold)
			held = true;
		held = false;
		sleep_ms(1);
	}
	return NULL;
}

/* The least weight there is, so that the neighbours' turns come first. */
static void *take(void *arg)
{
	struct one *all = arg;
	char c;
	int i;

	pin_self(usable_cpu(0));
	must(!setpriority(PRIO_PROCESS, (id_t)self_tid(), 19));
	run_delay_ns();
	for (i = 0; i < calls; i++) {
		gate_add(&begun, 1);
		span_begin(&all[i].span);
		must(syscall(SYS_read, channel[0], &c, 1) == 1);
		span_end(&all[i].span);
		gate_add(&ended, 1);
	}
	return NULL;
}

static void give_all(struct one *all)
{
	int i;

	for (i = 0; i < calls; i++) {
		gate_wait(&begun, i + 1);
		sleep_ms(WAIT_MS);
		hold = holding;
		while (hold && !held)
			;
		all[i].woke_lo = now_ns();
		must(write(channel[1], "x", 1) == 1);
		all[i].woke_hi = now_ns();
		if (hold)
			sleep_ms(HOLD_MS);
		hold = false;
		gate_wait(&ended, i + 1);
	}
}

/*
 * From the wake-up to the return the reader is on the processor or waits for it; before it slept
 * it may have waited for it as well, which only the kernel's run-delay clock tells. Where it was
 * pre-empted, that may have been between a stamp and the call: then there is no lower bound.
 */
static struct bounds runnable_bounds(const struct one *o)
{
	uint64_t since = less_ns(o->span.end_ns, o->woke_lo), delay = o->span.runnable_ns;
	uint64_t lo = less_ns(less_ns(o->span.end_ns, o->woke_hi), o->span.cpu_ns);
	uint64_t allowed = max_ns(delay / 100, 30000);

	return (struct bounds){ .lo = o->span.preempted ? 0 : less_ns(min_ns(lo, delay), allowed),
				.hi = max_ns(since, delay) + allowed,
				.point = delay };
}

int main(int argc, char **argv)
{
	struct bounds b, blocked = { 0 }, runnable = { 0 };
	bool preempted = false;
	struct one *all;
	int i;

	must(argc == 3 && !pipe(channel));
	if (usable_cpu(0) == usable_cpu(1))
		skip("needs two processors");
	calls = atoi(argv[1]);
	all = calloc((size_t)calls, sizeof(*all));
	pin_self(usable_cpu(1));
	holding = !strcmp(argv[2], "held");
	for (i = 0; i < (holding ? 1 : NEIGHBOURS); i++)
		start(holding ? hold_back : be_busy, NULL);
	start(take, all);
	give_all(all);
	over = true;
	for (i = 0; i < calls; i++) {
		b = blocked_bounds(&all[i].span, all[i].woke_lo, all[i].woke_hi);
		bounds_add(&blocked, &b);
		b = runnable_bounds(&all[i]);
		bounds_add(&runnable, &b);
		preempted |= all[i].span.preempted > 0;
	}
	truth_row("read");
	truth_num("calls", (uint64_t)calls);
	truth_num("bytes", (uint64_t)calls);
	truth_point("blocked_ns", blocked.lo, blocked.hi, blocked.point);
	if (preempted)
		truth_range("runnable_ns", runnable.lo, runnable.hi);
	else
		truth_point("runnable_ns", runnable.lo, runnable.hi, runnable.point);
	truth_results("ok", calls, NULL);
	truth_end();
	truth_write();
	return 0;
}
