// SPDX-License-Identifier: GPL-2.0-only
/* The rules about one event loop. */
#include <sys/epoll.h>

#include "model.h"
#include "tests.h"

void zero_timeout(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL);
	struct loop_sum *sum = sum_of(row);

	(void)state;
	*sum = (struct loop_sum){
		.waits = 3000, .idle = 2100, .idle_runs = 2000, .idle_run_ns = 1000 * MS,
	};
	assert_true(figure(speaks("zero-timeout"), "spins_per_s") == 200);
	assert_int_equal(findings.list[0].fd, -1);
	assert_string_equal(findings.list[0].object.buf, "epoll 5");
	sum->idle_run_ns += MS;
	silent();
	set(THRESHOLD_idle_gap, 501);
	speaks("zero-timeout");
	sum->idle_runs--;
	silent();
	set(THRESHOLD_idle_waits, 1999);
	speaks("zero-timeout");
	row->loop->figures.key = (struct loop_key){ PROC(TGID), 0, TGID + 1, WATCH_POLL };
	speaks("zero-timeout");
	assert_string_equal(findings.list[0].object.buf, "poll of thread 4712");
}

/* A fault of the kernel: no program can make a wait return early without a reason. */
void early_return(void **state)
{
	struct loop_sum *sum = sum_of(loop_row(1, WATCH_EPOLL));

	(void)state;
	*sum = (struct loop_sum){ .waits = 20, .empty = 10, .early = 10 };
	assert_true(figure(speaks("early-return"), "early") == 10);
	sum->early--;
	silent();
	set(THRESHOLD_early, 9);
	speaks("early-return");
}

/* The same: what a wait scans is seen, and few descriptors take no time. */
void kernel_spin(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL);
	struct loop_sum *sum = sum_of(row);

	(void)state;
	*sum = (struct loop_sum){
		.waits = 20, .events = 20, .long_waits = 3, .long_wait_ns = 3000 * MS,
	};
	assert_int_equal(speaks("kernel-spin")->severity, SEVERITY_CRITICAL);
	/* A hypervisor may have taken the CPU away. */
	reading.steal_ns = 1501 * MS;
	silent();
	reading.steal_ns = 1500 * MS;
	speaks("kernel-spin");
	reading.steal_ns = 0;
	sum->long_waits--;
	silent();
	set(THRESHOLD_long_waits, 2);
	speaks("kernel-spin");
	/* With many to scan it may take so long: that is scan-waste. */
	row->loop->figures.key.watch = WATCH_POLL;
	row->loop->descriptors = 1000;
	silent();
	row->loop->descriptors = ASKED_UNKNOWN;
	silent();
	row->loop->descriptors = 999;
	speaks("kernel-spin");
}

void cpu_starved(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL);
	struct loop_sum *sum = sum_of(row);

	(void)state;
	/* A tenth of ten seconds, half of it in turns; on the CPU for two. */
	*sum = (struct loop_sum){
		.waits = 100, .turn_ns = 2500 * MS, .turn_runnable_ns = 500 * MS,
		.wait_ns = 7500 * MS, .wait_runnable_ns = 500 * MS, .wait_blocked_ns = 7000 * MS,
	};
	assert_true(fabs(figure(speaks("cpu-starved"), "runnable_ms_per_s") - 100) < 1e-9);
	assert_int_equal(findings.list[0].severity, SEVERITY_CRITICAL);
	row->loop->figures.threads = 2;
	silent();
	set(THRESHOLD_starved, 0.05);
	speaks("cpu-starved");
	set(THRESHOLD_starved, 0.1);
	/* One that has little to do, and waits for its CPU longer than it has it. */
	row->loop->figures.threads = 1;
	*sum = (struct loop_sum){
		.waits = 100, .turn_ns = 300 * MS, .turn_runnable_ns = 201 * MS,
	};
	speaks("cpu-starved");
	sum->turn_runnable_ns = 199 * MS;
	silent();
}

void slow_turn(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL);
	struct loop_sum *sum = sum_of(row);
	const struct finding *finding;

	(void)state;
	*sum = (struct loop_sum){
		.turns = 100, .slow_turns = 2, .slow_ns = 600 * MS, .slow_blocked_ns = 500 * MS,
		.slow_runnable_ns = 20 * MS, .held_up = 1,
	};
	/* All that it did was for one, who asked for it. */
	silent();
	clients();
	finding = speaks("slow-turn");
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	assert_true(figure(finding, "turn_ns") == 290 * MS);
	assert_true(figure(finding, "on_cpu_ns") == 40 * MS);
	assert_non_null(strstr(finding->verdict, "blocked"));
	assert_int_equal(finding->stacks[0].kind, STACK_SLEEP);
	assert_int_equal(finding->stacks[0].object, 1);
	/* Who polls one descriptor is no loop. */
	row->loop->figures.key.watch = WATCH_POLL;
	row->loop->figures.key.ep = 0;
	row->loop->descriptors = 1;
	silent();
	row->loop->descriptors = 2;
	speaks("slow-turn");
	/* Nobody waited. */
	sum->held_up = 0;
	silent();
}

/* A turn that has not ended. */
void stuck_turn(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL), *fd = fd_row(KIND_TCP, EPOLLIN);

	(void)state;
	row->loop->turning = 1;
	row->loop->turning_ns = 50 * MS;
	silent();
	fd->fd->head.queued = 1;
	assert_true(figure(speaks("slow-turn"), "under_way_ns") == 50 * MS);
	assert_true(figure(&findings.list[0], "waiting") == 1);
	/* The machine lets it wait for its CPU. */
	row->loop->turning_runnable_ns = 1;
	silent();
	row->loop->turning_runnable_ns = 0;
	row->loop->turning_ns--;
	silent();
	set(THRESHOLD_slow_turn, 49);
	speaks("slow-turn");
	/* It was called on in this turn, or is another loop's. */
	fd->fd->descriptor.called_ns = NOW_NS - row->loop->turning_ns;
	silent();
	fd->fd->descriptor.called_ns--;
	speaks("slow-turn");
	fd->fd->descriptor.ep++;
	silent();
}

void ctl_churn(void **state)
{
	struct loop_sum *sum = sum_of(loop_row(1, WATCH_EPOLL));

	(void)state;
	*sum = (struct loop_sum){ .ctl_calls = 1500, .events = 999 };
	speaks("ctl-churn");
	sum->events++;
	silent();
	set(THRESHOLD_churn_ratio, 1.4);
	speaks("ctl-churn");
	/* What is new is put in, and taken out again. */
	*sum = (struct loop_sum){ .ctl_calls = 3000, .first_adds = 1001, .events = 10 };
	silent();
	sum->first_adds = 1000;
	speaks("ctl-churn");
	set(THRESHOLD_churn, 101);
	silent();
}

void batch_full(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL);
	struct loop_sum *sum = sum_of(row);

	(void)state;
	row->loop->figures.room = 4;
	*sum = (struct loop_sum){ .waits = 250, .full = 60, .full_runs = 50, .events = 400 };
	assert_true(figure(speaks("batch-full"), "full_share") == 0.24);
	sum->waits++;
	silent();
	sum->waits = 250;
	sum->full_runs--;
	silent();
	set(THRESHOLD_full, 4);
	sum->waits = 240;
	speaks("batch-full");
	/* There is no more than it has room for; or each is meant for another thread. */
	row->loop->descriptors = 4;
	silent();
	row->loop->descriptors = 5;
	speaks("batch-full");
	row->loop->figures.threads = 2;
	speaks("batch-full");
	row->loop->figures.room = 1;
	silent();
	row->loop->figures.threads = 1;
	speaks("batch-full");
}

void setsize(void **state)
{
	struct row *row = loop_row(1, WATCH_SELECT);

	(void)state;
	row->loop->figures.room = 922;
	assert_true(figure(speaks("fd-setsize"), "nfds") == 922);
	row->loop->figures.room--;
	silent();
	set(THRESHOLD_setsize, 921);
	speaks("fd-setsize");
	row->loop->figures.room = 1025;
	assert_non_null(strstr(speaks("fd-setsize")->verdict, "other memory"));
	row->loop->figures.key.watch = WATCH_POLL;
	silent();
}
