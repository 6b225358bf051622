// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of the doctor over models that are made up: each speaks where its evidence is, and is
 * silent just below. early-return and kernel-spin are faults of the kernel, which no program can
 * provoke: this is all the proof that there is of them.
 */
#include <sys/epoll.h>

#include "model.h"

/* Descriptors */

/* What was left in an edge-triggered one until the next event. */
static void undrained_of(const char *id, u8 kind)
{
	struct row *row = fd_row(kind, EPOLLIN | EPOLLET);
	struct signs *seen = signs_of(row);
	const struct finding *finding;

	seen->sum[SIGN_stalls] = 2;
	seen->sum[SIGN_stall_ns] = 800 * MS;
	finding = speaks(id);
	assert_true(figure(finding, "left") == 3);
	assert_true(figure(finding, "stall_ns") == 400 * MS);
	assert_true(finding->stall_ms == 800);
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	assert_int_equal(finding->fd, 7);
	assert_int_equal(finding->tid, TGID);
	/* It was read on without an event, once: so it was left on purpose. */
	seen->sum[SIGN_resumes] = 1;
	silent();
	seen->sum[SIGN_resumes] = 0;
	seen->sum[SIGN_stalls] = 0;
	silent();
	seen->sum[SIGN_stalls] = 2;
	row->fd->descriptor.mask = EPOLLIN;
	silent();
	row->fd->descriptor.mask = EPOLLIN | EPOLLET;
	row->fd->descriptor.flags = FD_AMBIGUOUS;
	silent();
}

static void undrained(void **state)
{
	(void)state;
	undrained_of("et-undrained", KIND_TCP);
}

static void accept_once(void **state)
{
	(void)state;
	undrained_of("et-accept-once", KIND_LISTENER);
}

/* An eventfd is left as it is on purpose. */
static void undrained_counter(void **state)
{
	struct row *row = fd_row(KIND_EVENTFD, EPOLLIN | EPOLLET);

	(void)state;
	signs_of(row)->sum[SIGN_stalls] = 5;
	silent();
}

/* What is left in it still. */
static void undrained_now(void **state)
{
	struct row *row = fd_row(KIND_TCP, EPOLLIN | EPOLLET), *loop = loop_row(1, WATCH_EPOLL), *other;
	struct descriptor *d = &row->fd->descriptor;
	const struct finding *finding;

	(void)state;
	d->flags = FD_REPORTED | FD_SERVED;
	d->left = row->fd->head.queued = 1904;
	d->called_ns = NOW_NS - 200 * MS;
	finding = speaks("et-undrained");
	assert_true(figure(finding, "left") == 1904);
	assert_true(figure(finding, "pending_ns") == 200 * MS);
	d->called_ns++;
	silent();
	set(THRESHOLD_stalled, 199);
	speaks("et-undrained");
	/* It was not reported, so it is the kernel's turn. */
	d->flags = FD_SERVED;
	silent();
	d->flags = FD_REPORTED | FD_SERVED;
	/* The loop may yet come to it, */
	loop->loop->turning = 1;
	silent();
	/* unless that is another one; */
	loop_row(2, WATCH_EPOLL)->loop->turning = 1;
	silent();
	loop->loop->turning = 0;
	speaks("et-undrained");
	/* the last call may have left nothing, */
	d->flags |= FD_DRAINED;
	silent();
	d->flags &= ~FD_DRAINED;
	d->left = 0;
	silent();
	d->left = 1904;
	/* it may be closed, */
	row->fd->head.closed_ns = NOW_NS;
	silent();
	row->fd->head.closed_ns = 0;
	/* or not read for the sake of another that cannot be written to. */
	other = fd_row(KIND_TCP, EPOLLOUT | EPOLLET);
	other->fd->descriptor.flags = FD_OUT_BLOCKED;
	silent();
	other->fd->descriptor.flags |= FD_OUT_READY;
	speaks("et-undrained");
}

static void oneshot(void **state)
{
	struct row *row = fd_row(KIND_TCP, EPOLLIN | EPOLLONESHOT), *loop = loop_row(1, WATCH_EPOLL);
	struct descriptor *d = &row->fd->descriptor;
	struct signs *seen;

	(void)state;
	row->fd->head.disarmed = 1;
	row->fd->head.queued = 100;
	d->flags = FD_REPORTED;
	d->reported_ns = NOW_NS - 200 * MS;
	assert_true(figure(speaks("oneshot-not-rearmed"), "pending_ns") == 200 * MS);
	assert_int_equal(findings.list[0].confidence, CONFIDENCE_HIGH);
	loop->loop->turning = 1;
	assert_int_equal(speaks("oneshot-not-rearmed")->confidence, CONFIDENCE_MEDIUM);
	/* Whoever took it is at work on it. */
	d->called_ns = NOW_NS - 199 * MS;
	silent();
	set(THRESHOLD_oneshot, 199);
	speaks("oneshot-not-rearmed");
	row->fd->head.queued = 0;
	silent();
	row->fd->head.queued = 100;
	row->fd->head.disarmed = 0;
	silent();
	/* It was armed in the end, but late. */
	seen = signs_of(row);
	silent();
	seen->sum[SIGN_unarmed] = 2;
	seen->sum[SIGN_unarmed_ns] = 800 * MS;
	assert_true(figure(speaks("oneshot-not-rearmed"), "stall_ns") == 400 * MS);
}

static void lost_out(void **state)
{
	struct row *row = fd_row(KIND_TCP, EPOLLIN | EPOLLOUT | EPOLLET);
	struct row *loop = loop_row(1, WATCH_EPOLL);
	struct signs *seen = signs_of(row);

	(void)state;
	silent();
	row->fd->descriptor.flags = FD_OUT_BLOCKED | FD_OUT_READY;
	seen->out_ready_ns = NOW_NS - 50 * MS;
	assert_true(figure(speaks("lost-out-edge"), "pending_ns") == 50 * MS);
	seen->out_ready_ns++;
	silent();
	set(THRESHOLD_lost_out, 49);
	speaks("lost-out-edge");
	loop->loop->turning = 1;
	silent();
	seen->sum[SIGN_lost_outs] = 1;
	seen->sum[SIGN_lost_out_ns] = 400 * MS;
	assert_true(figure(speaks("lost-out-edge"), "stall_ns") == 400 * MS);
	row->fd->descriptor.mask &= ~EPOLLET;
	silent();
}

static void starvation(void **state)
{
	struct signs *seen = signs_of(fd_row(KIND_TCP, EPOLLIN | EPOLLET));

	(void)state;
	silent();
	seen->sum[SIGN_starves] = 1;
	seen->sum[SIGN_starve_ns] = 1000 * MS;
	seen->sum[SIGN_drain_ns] = 1000 * MS;
	assert_true(figure(speaks("et-starvation"), "waited_ns") == 1000 * MS);
	assert_int_equal(findings.list[0].severity, SEVERITY_CRITICAL);
}

static void spin(void **state)
{
	struct signs *seen = signs_of(fd_row(KIND_TCP, EPOLLIN));
	struct row *loop = loop_row(1, WATCH_EPOLL);
	const struct finding *finding;

	(void)state;
	/* A round takes 1 ms of CPU time. */
	*sum_of(loop) = (struct loop_sum){ .waits = 1000, .wait_ns = 400 * MS, .turn_ns = 600 * MS };
	seen->sum[SIGN_spins] = 200;
	finding = speaks("lt-spin");
	assert_true(figure(finding, "spins_per_s") == 20);
	assert_true(fabs(finding->cpu_ms_per_s - 20) < 1e-9);
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	seen->sum[SIGN_spins]--;
	silent();
	set(THRESHOLD_spins, 199);
	speaks("lt-spin");
	set(THRESHOLD_spins, 2001);
	seen->sum[SIGN_spins] = 2000;
	silent();
	set(THRESHOLD_spins, 200);
	assert_int_equal(speaks("lt-spin")->severity, SEVERITY_CRITICAL);
}

/* Each kind of spin has its own advice. */
static void spin_kinds(void **state)
{
	static const struct {
		u8 kind, called;
		s16 result;
		u32 events;
		const char *says;
	} cases[] = {
		{ KIND_LISTENER, CALL_accept4, -24, EPOLLIN, "too many open files" },
		{ KIND_LISTENER, CALL_accept, -23, EPOLLIN, "too many open files" },
		{ KIND_LISTENER, CALL_accept, -11, EPOLLIN, "not read" },
		{ KIND_TIMERFD, 0, 0, EPOLLIN, "not read" },
		{ KIND_EVENTFD, 0, 0, EPOLLIN, "not read" },
		{ KIND_TCP, 0, 0, EPOLLHUP, "hang-up" },
		{ KIND_TCP, 0, 0, EPOLLERR, "error" },
		{ KIND_TCP, 0, 0, EPOLLOUT, "EPOLLOUT" },
		{ KIND_TCP, 0, 0, EPOLLIN | EPOLLOUT, "not read" },
		{ KIND_TCP, CALL_write, 0, EPOLLIN, "not read" },
		{ KIND_TCP, CALL_read, 0, EPOLLIN | EPOLLRDHUP, "at its end" },
		{ KIND_TCP, 0, 0, EPOLLIN, "not read" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct signs *seen = signs_of(fd_row(cases[i].kind, cases[i].events));

		seen->sum[SIGN_spins] = 1000;
		seen->events = cases[i].events;
		seen->called = cases[i].called;
		seen->result = cases[i].result;
		if (!strstr(speaks("lt-spin")->verdict, cases[i].says))
			fail_msg("%s is not in: %s", cases[i].says, findings.list[0].verdict);
		end(NULL);
		begin(NULL);
	}
	/* Nobody reads an inner epoll, or a file, to make it silent. */
	signs_of(fd_row(KIND_EPOLL, EPOLLIN))->sum[SIGN_spins] = 1000;
	silent();
}

static void stale(void **state)
{
	struct signs *seen = signs_of(fd_row(KIND_TCP, EPOLLIN));

	(void)state;
	loop_row(1, WATCH_EPOLL);
	silent();
	seen->sum[SIGN_stale] = 1;
	/* The number that it had, whatever that means now. */
	assert_int_equal(speaks("stale-fd")->fd, 9);
	/* One cause, one finding. */
	seen->sum[SIGN_spins] = 1000;
	speaks("stale-fd");
	set(THRESHOLD_stale, 2);
	silent();
}

static void polling(void **state)
{
	struct row *row = fd_row(KIND_TCP, 0), *loop = loop_row(1, WATCH_EPOLL);
	struct signs *seen = signs_of(row);

	(void)state;
	row->fd->descriptor.watch = WATCH_NONE;
	row->sum.calls = 2000;
	row->sum.eagain = 1500;
	seen->sum[SIGN_polls] = 1000;
	seen->sum[SIGN_poll_ns] = 1000 * MS;
	assert_true(figure(speaks("eagain-polling"), "eagain_share") == 0.75);
	seen->sum[SIGN_polls]--;
	silent();
	set(THRESHOLD_polls, 999);
	silent();
	set(THRESHOLD_poll_share, 0.4);
	speaks("eagain-polling");
	/* Of several, be it processes, threads or sets, one finds what another took. */
	row->fd->holders = 2;
	silent();
	row->fd->holders = 1;
	row->fd->descriptor.sets = 2;
	silent();
	row->fd->descriptor.sets = 1;
	loop->loop->figures.threads = 2;
	silent();
}

static void herd(void **state)
{
	struct row *row = fd_row(KIND_LISTENER, EPOLLIN), *loop = loop_row(1, WATCH_EPOLL);
	const struct finding *finding;

	(void)state;
	listening[0] = (struct listening){ EP, row->fd->descriptor.born_ns };
	reading.nr_listening = 1;
	loop->loop->figures.threads = 8;
	sum_of(loop)->vain_wakes = 200;
	row->fd->holders = 8;
	row->sum.calls = 600;
	row->sum.eagain = 200;
	row->fd->descriptor.sum.reported = 602;	/* of 401 x 1.5 */
	finding = speaks("herd");
	assert_true(figure(finding, "workers") == 8);
	assert_true(figure(finding, "wakeups_per_accept") == 802 / 400.0);
	row->fd->descriptor.sum.reported = 601;
	silent();
	set(THRESHOLD_herd_wakes, 1.4);
	speaks("herd");
	row->sum.calls--;
	row->sum.eagain--;
	silent();
	set(THRESHOLD_herd_rate, 19);
	speaks("herd");
	set(THRESHOLD_herd_share, 0.34);
	silent();
	set(THRESHOLD_herd_share, 0.3);
	/* One alone is no herd. */
	row->fd->holders = 1;
	silent();
}

static void blocking_fd(void **state)
{
	struct row *row = fd_row(KIND_TCP, EPOLLIN | EPOLLET);
	struct descriptor *d = &row->fd->descriptor;

	(void)state;
	d->masks[0] = d->sum.reported = 1;
	row->sum.calls = 2;
	silent();
	row->fd->head.nonblock = 0;
	assert_int_equal(speaks("et-blocking-fd")->confidence, CONFIDENCE_HIGH);
	d->flags = FD_DONTWAIT;
	silent();
	d->flags = 0;
	d->masks[0] = 0;
	silent();
	row->sum.blocked_ns = 1000 * MS;
	assert_int_equal(speaks("et-blocking-fd")->severity, SEVERITY_CRITICAL);
	/* What its flags are is not known. */
	row->fd->head.named = 0;
	silent();
	row->fd->head.named = 1;
	d->mask = EPOLLIN;
	silent();
	d->mask |= EPOLLET;
	/* One without O_NONBLOCK that never blocks; and two that do. */
	d->kind = KIND_EVENTFD;
	silent();
	d->kind = KIND_UNIX;
	speaks("et-blocking-fd");
	d->kind = KIND_LISTENER;
	speaks("et-blocking-fd");
}

static void blocking_call(void **state)
{
	struct row *row = fd_row(KIND_PIPE, 0), *loop = loop_row(1, WATCH_EPOLL);
	struct signs *seen = signs_of(row);

	(void)state;
	row->fd->head.closed_ns = 1;	/* so that its path is not looked for */
	row->fd->descriptor.watch = WATCH_NONE;
	seen->called = CALL_write;
	seen->sum[SIGN_blocks] = 2;
	seen->sum[SIGN_block_ns] = 50 * MS;
	assert_true(figure(speaks("blocking-in-loop"), "blocked_ns") == 25 * MS);
	/* It was in no loop, */
	seen->loop = 0;
	silent();
	seen->loop = 1;
	/* or in one that waits for nothing else. */
	loop->loop->figures.key.watch = WATCH_POLL;
	loop->loop->descriptors = 1;
	silent();
	loop->loop->descriptors = 2;
	speaks("blocking-in-loop");
	seen->sum[SIGN_blocks] = 0;
	silent();
	/* A disk only if others waited meanwhile. */
	seen->called = CALL_fsync;
	seen->sum[SIGN_disk_blocks] = 1;
	seen->sum[SIGN_disk_block_ns] = 60 * MS;
	silent();
	sum_of(loop)->held_up = 1;
	sum_of(loop)->slow_turns = 1;
	sum_of(loop)->slow_ns = sum_of(loop)->slow_blocked_ns = 60 * MS;
	clients();
	assert_non_null(strstr(speaks_too("blocking-in-loop")->verdict, "by a disk"));
	speaks_too("slow-turn");
	assert_int_equal(findings.count, 2);
}

/* Loops */

static void zero_timeout(void **state)
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
static void early_return(void **state)
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
static void kernel_spin(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL);
	struct loop_sum *sum = sum_of(row);

	(void)state;
	*sum = (struct loop_sum){
		.waits = 20, .events = 20, .long_waits = 3, .long_wait_ns = 3000 * MS,
	};
	assert_int_equal(speaks("kernel-spin")->severity, SEVERITY_CRITICAL);
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

static void cpu_starved(void **state)
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

static void slow_turn(void **state)
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
static void stuck_turn(void **state)
{
	struct row *row = loop_row(1, WATCH_EPOLL), *fd = fd_row(KIND_TCP, EPOLLIN);

	(void)state;
	row->loop->turning = 1;
	row->loop->turning_ns = 50 * MS;
	silent();
	fd->fd->head.queued = 1;
	assert_true(figure(speaks("slow-turn"), "under_way_ns") == 50 * MS);
	assert_true(figure(&findings.list[0], "waiting") == 1);
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

/* A call that has not ended since the watch began, while what its process is to serve waits. */
static void stuck_call(void **state)
{
	struct in_flight thread = {
		.tgid = TGID, .tid = TGID + 1, .comm = "server", .call = CALL_read,
		.age_ns = 10 * MS, .phase = PHASE_BLOCKED,
	};
	struct row *fd = fd_row(KIND_TCP, EPOLLIN), *loop;

	(void)state;
	reading.in_flight = &thread;
	reading.nr_in_flight = 1;
	silent();
	fd->fd->head.queued = 1;
	assert_true(figure(speaks("blocking-in-loop"), "waiting") == 1);
	assert_int_equal(findings.list[0].tid, TGID + 1);
	assert_int_equal(findings.list[0].fd, -1);
	thread.age_ns--;
	silent();
	set(THRESHOLD_block, 9);
	speaks("blocking-in-loop");
	thread.phase = PHASE_WOKEN;
	silent();
	thread.phase = PHASE_BLOCKED;
	thread.call = CALL_epoll_wait;
	silent();
	thread.call = CALL_write;
	speaks("blocking-in-loop");
	/* Its own thread is a worker's: somebody waits, or has waited, for the set. */
	loop = loop_row(1, WATCH_EPOLL);
	silent();
	loop->loop->figures.key.ep++;
	speaks("blocking-in-loop");
	fd->fd->descriptor.sum.calls = 1;
	silent();
}

static void ctl_churn(void **state)
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

static void batch_full(void **state)
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

static void setsize(void **state)
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

/* Several, and calls */

static void accept_skew(void **state)
{
	struct row *row = fd_row(KIND_LISTENER, EPOLLIN);
	struct row *busy = loop_row(1, WATCH_EPOLL), *idle = loop_row(2, WATCH_EPOLL);

	(void)state;
	for (u32 i = 0; i < 2; i++)
		listening[i] = (struct listening){ EP + i, row->fd->descriptor.born_ns };
	reading.nr_listening = 2;
	busy->loop->descriptors = 10;	/* 9 besides the listener */
	idle->loop->descriptors = 3;
	sum_of(busy)->turn_ns = 8000 * MS;
	sum_of(idle)->turn_ns = 5000 * MS;
	assert_true(figure(speaks("accept-skew"), "largest_share") == 9 / 11.0);
	/* 3 x (3 + 1) is more than 9. */
	idle->loop->descriptors++;
	silent();
	set(THRESHOLD_skew, 2);
	speaks("accept-skew");
	sum_of(busy)->turn_ns -= MS;
	silent();
	sum_of(busy)->turn_ns += MS;
	sum_of(idle)->turn_ns += MS;
	silent();
	sum_of(idle)->turn_ns -= MS;
	reading.nr_listening = 1;
	silent();
}

static void scan_waste(void **state)
{
	struct row *row = call_row(CALL_poll);
	const struct finding *finding;

	(void)state;
	row->sum = (struct totals){
		.calls = 100, .asked = 3200, .scanned = 6010, .ready = 600,
		.wall_ns = 900 * MS, .blocked_ns = 350 * MS, .runnable_ns = 50 * MS,
	};
	finding = speaks("scan-waste");
	assert_true(finding->cpu_ms_per_s == 50);
	assert_true(fabs(figure(finding, "ns_per_descriptor") - 500.0 * MS / 6010) < 1e-6);
	row->sum.scanned--;
	silent();
	set(THRESHOLD_scan_ratio, 9);
	speaks("scan-waste");
	row->sum.asked--;
	silent();
	set(THRESHOLD_scan_asked, 31);
	speaks("scan-waste");
	row->sum.blocked_ns++;
	silent();
	set(THRESHOLD_scan_cpu, 49);
	speaks("scan-waste");
	row->sum.asked_unknown = 1;
	silent();
}

/* epoll is not to be replaced by epoll. */
static void scan_epoll(void **state)
{
	(void)state;
	call_row(CALL_epoll_wait)->sum = (struct totals){
		.calls = 100, .asked = 320000, .scanned = 600000, .ready = 6, .wall_ns = 9000 * MS,
	};
	silent();
}

/* All rules */

static void empty(void **state)
{
	(void)state;
	silent();
	for (u32 i = 0; i < nr_rules; i++)
		assert_null(rule_unjudged(&chart, &rules[i]));
}

/* Descriptors, loops and calls there are, of which nothing was seen. */
static void idle(void **state)
{
	(void)state;
	for (u32 kind = 0; kind < NR_FILE_KINDS; kind++) {
		struct row *row = fd_row(kind, EPOLLIN | EPOLLOUT | EPOLLET);

		row->fd->head.closed_ns = 1;
		if (kind < SIGNS)
			signs_of(row);
	}
	loop_row(1, WATCH_EPOLL);
	loop_row(2, WATCH_SELECT);
	loop_row(3, WATCH_POLL);
	for (u32 call = 1; call < NR_CALLS; call++)
		call_row(call);
	silent();
	chart.duration_ns = 0;
	silent();
}

/* Rows that are the sum of several say nothing of any. */
static void merged(void **state)
{
	struct row *row = fd_row(KIND_TCP, EPOLLIN | EPOLLET);
	struct row_loop loop = { .descriptors = ASKED_UNKNOWN };
	struct signs *seen = signs_of(row);

	(void)state;
	row->fd->many = true;
	for (int i = 0; i < NR_SIGNS; i++)
		seen->sum[i] = 1000000;
	seen->sum[SIGN_resumes] = 0;
	row->sum.calls = row->sum.eagain = 1000000;
	silent();
	loop.figures.sum = (struct loop_sum){ .waits = 1000, .early = 1000, .slow_turns = 10 };
	row_add_loop(rows_get(&reading.loops, (struct row_key){ .object = OBJECT_MERGED }), &loop);
	silent();
}

/* What is left in descriptors is not known: who needs it says so, and is silent. */
static void lacking(void **state)
{
	struct signs *seen = signs_of(fd_row(KIND_TCP, EPOLLIN | EPOLLET));
	u32 unjudged = 0;

	(void)state;
	seen->sum[SIGN_stalls] = 2;
	speaks("et-undrained");
	chart.contents = false;
	silent();
	for (u32 i = 0; i < nr_rules; i++)
		unjudged += rule_unjudged(&chart, &rules[i]) != NULL;
	assert_int_equal(unjudged, 3);
}

static void order(void **state)
{
	struct row *loop = loop_row(1, WATCH_EPOLL);

	(void)state;
	*sum_of(loop) = (struct loop_sum){
		.waits = 3000, .idle = 3000, .idle_runs = 3000, .idle_run_ns = 300 * MS,
		.ctl_calls = 1000,
	};
	signs_of(fd_row(KIND_TCP, EPOLLIN))->sum[SIGN_stale] = 1;
	signs[0].signs.loop = 0;
	call_row(CALL_poll)->sum = (struct totals){
		.calls = 10, .asked = 10000, .scanned = 20000, .wall_ns = 5000 * MS,
	};
	judge();
	assert_int_equal(findings.count, 4);
	assert_string_equal(findings.list[0].rule->id, "scan-waste");
	assert_int_equal(findings.list[0].severity, SEVERITY_CRITICAL);
	assert_string_equal(findings.list[1].rule->id, "zero-timeout");
	assert_string_equal(findings.list[2].rule->id, "ctl-churn");
	assert_string_equal(findings.list[3].rule->id, "stale-fd");
}

/* Of those of one rule in one process a few stay, and the first says how many are left out. */
static void alike(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		fd_row(KIND_TCP, EPOLLIN | EPOLLET)->fd->head.nonblock = 0;
	for (struct row *row = reading.fds.table; row; row = row->hh.next)
		row->fd->descriptor.masks[0] = 1;
	judge();
	assert_int_equal(findings.count, 5);
	assert_int_equal(findings.list[0].similar, 3);
	for (u32 i = 0; i < findings.count; i++) {
		assert_string_equal(findings.list[i].rule->id, "et-blocking-fd");
		assert_true(!i || !findings.list[i].similar);
	}
}

/* More evidence than there is room for is left out. */
static void evidence(void **state)
{
	struct finding *finding = findings_add(&findings, &rules[0]);

	(void)state;
	for (int i = 0; i < 2 * EVIDENCE_MAX; i++)
		finding_note(finding, "name", i);
	assert_int_equal(finding->nr_evidence, EVIDENCE_MAX);
	assert_true(finding->evidence[EVIDENCE_MAX - 1].value == EVIDENCE_MAX - 1);
	for (u64 i = 0; i < 2 * FINDING_STACKS; i++)
		finding_stack(finding, i, STACK_CALL);
	assert_int_equal(finding->nr_stacks, FINDING_STACKS);
}

static void severities(void **state)
{
	static const struct {
		double cpu_ms_per_s, stall_ms;
		enum severity severity;
	} cases[] = {
		{ -1, -1, SEVERITY_WARNING }, { 199.9, 999, SEVERITY_WARNING },
		{ 200, -1, SEVERITY_CRITICAL }, { -1, 1000, SEVERITY_CRITICAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct finding *finding = findings_add(&findings, &rules[0]);

		finding->cpu_ms_per_s = cases[i].cpu_ms_per_s;
		finding->stall_ms = cases[i].stall_ms;
		finding_weigh(finding);
		assert_int_equal(finding->severity, cases[i].severity);
	}
}

/* A threshold is named after its rule, by which --rules finds it. */
static void names(void **state)
{
	(void)state;
	for (int t = 0; t < NR_THRESHOLDS; t++) {
		size_t len = strcspn(threshold_names[t], ".");
		bool found = false;

		for (u32 i = 0; i < nr_rules; i++)
			found |= strlen(rules[i].id) == len &&
				 !strncmp(rules[i].id, threshold_names[t], len);
		if (!found || !threshold_names[t][len])
			fail_msg("%s", threshold_names[t]);
		assert_true(defaults[t] > 0);
	}
}

/* To be the last: there is no rule that has no test here. */
static void all_spoke(void **state)
{
	(void)state;
	assert_true(nr_rules <= ARRAY_SIZE(spoken));
	for (u32 i = 0; i < nr_rules; i++) {
		if (!spoken[i])
			fail_msg("%s never spoke", rules[i].id);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(undrained), TEST(accept_once), TEST(undrained_counter), TEST(undrained_now),
		TEST(oneshot), TEST(lost_out), TEST(starvation), TEST(spin), TEST(spin_kinds),
		TEST(stale), TEST(polling), TEST(herd), TEST(blocking_fd), TEST(blocking_call),
		TEST(zero_timeout), TEST(early_return), TEST(kernel_spin), TEST(cpu_starved),
		TEST(slow_turn), TEST(stuck_turn), TEST(stuck_call), TEST(ctl_churn), TEST(batch_full), TEST(setsize),
		TEST(accept_skew), TEST(scan_waste), TEST(scan_epoll), TEST(empty), TEST(idle),
		TEST(merged), TEST(lacking), TEST(order), TEST(alike), TEST(evidence), TEST(severities),
		TEST(names), TEST(all_spoke),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
