// SPDX-License-Identifier: GPL-2.0-only
/* The rules about one descriptor. */
#include <sys/epoll.h>

#include "model.h"
#include "tests.h"

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
	chart.unseen_calls = 1;
	speaks(id);
	/* Both may be due to a call that was lost. */
	chart.unseen_calls = 2;
	silent();
	chart.unseen_calls = 0;
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

void undrained(void **state)
{
	(void)state;
	undrained_of("et-undrained", KIND_TCP);
}

void accept_once(void **state)
{
	(void)state;
	undrained_of("et-accept-once", KIND_LISTENER);
}

/* An eventfd is left as it is on purpose. */
void undrained_counter(void **state)
{
	struct row *row = fd_row(KIND_EVENTFD, EPOLLIN | EPOLLET);

	(void)state;
	signs_of(row)->sum[SIGN_stalls] = 5;
	silent();
}

/* What is left in it still. */
void undrained_now(void **state)
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

void oneshot(void **state)
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

void lost_out(void **state)
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

void starvation(void **state)
{
	struct row *row = fd_row(KIND_TCP, EPOLLIN | EPOLLET);
	struct signs *seen = signs_of(row);

	(void)state;
	silent();
	seen->sum[SIGN_starves] = 1;
	seen->sum[SIGN_starve_ns] = 1000 * MS;
	seen->sum[SIGN_drain_ns] = 1000 * MS;
	silent();	/* it was in no set */
	row->fd->descriptor.sum.reported = 1;
	assert_true(figure(speaks("et-starvation"), "waited_ns") == 1000 * MS);
	assert_int_equal(findings.list[0].severity, SEVERITY_CRITICAL);
}

void spin(void **state)
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
void spin_kinds(void **state)
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
		model_end(NULL);
		model_begin(NULL);
	}
	/* Nobody reads an inner epoll, or a file, to make it silent. */
	signs_of(fd_row(KIND_EPOLL, EPOLLIN))->sum[SIGN_spins] = 1000;
	silent();
}

void stale(void **state)
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

void polling(void **state)
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

void blocking_fd(void **state)
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

void blocking_call(void **state)
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
