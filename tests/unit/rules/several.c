// SPDX-License-Identifier: GPL-2.0-only
/* The rules about what several wait for, threads that are stuck, and calls. */
#include <sys/epoll.h>

#include "model.h"
#include "tests.h"

void herd(void **state)
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

/* Nobody has waited since before the watch, and something waits. */
void hung(void **state)
{
	struct watched_thread threads[2] = {
		{ .proc = PROC(TGID), .tid = TGID, .place = { 0x401000, 0x7ffc0000, 0 } },
		{ .proc = PROC(TGID + 1), .tid = TGID + 1 },
	};
	struct in_flight stuck = {
		.tgid = TGID, .tid = TGID, .comm = "server", .call = CALL_read, .age_ns = 10 * MS,
		.phase = PHASE_BLOCKED,
	};
	struct row *row = fd_row(KIND_TCP, EPOLLIN), *second = fd_row(KIND_UNIX, EPOLLIN), *loop;
	const struct finding *finding;

	(void)state;
	row->fd->head.queued = 10;
	second->fd->head.queued = 0;
	silent();	/* for others of its threads may not be watched */
	chart.whole = true;
	finding = speaks("slow-turn");
	assert_true(figure(finding, "waiting") == 1);
	assert_true(figure(finding, "under_way_ns") == WATCHED_S * NS_PER_SEC);
	assert_int_equal(finding->confidence, CONFIDENCE_MEDIUM);
	assert_int_equal(finding->tid, 0);
	second->fd->head.queued = 20;
	assert_true(figure(speaks("slow-turn"), "waiting") == 2);
	/* Of its only thread is known where it sleeps; of several it is not known which is to blame. */
	reading.threads = threads;
	reading.nr_threads = 2;
	finding = speaks("slow-turn");
	assert_int_equal(finding->tid, TGID);
	assert_true(finding->here.ip == 0x401000);
	threads[1].proc = PROC(TGID);
	finding = speaks("slow-turn");
	assert_int_equal(finding->tid, 0);
	assert_true(finding->here.ip == 0);
	/* Where a thread of it is stuck in a call, that says all. */
	reading.in_flight = &stuck;
	reading.nr_in_flight = 1;
	assert_int_equal(speaks("blocking-in-loop")->here.ip, 0x401000);
	reading.nr_in_flight = 0;
	/* It may have begun a moment ago. */
	chart.duration_ns = NS_PER_SEC - 1;
	silent();
	chart.duration_ns++;
	speaks("slow-turn");
	set(THRESHOLD_slow_turn, 1001);
	silent();
	set(THRESHOLD_slow_turn, 50);
	/* A counter alone is no evidence; what was called on or reported is served. */
	second->fd->descriptor.sum.calls = 1;
	row->fd->descriptor.kind = KIND_EVENTFD;
	silent();
	row->fd->descriptor.kind = KIND_LISTENER;
	speaks("slow-turn");
	row->fd->descriptor.sum.reported = 1;
	silent();
	row->fd->descriptor.sum.reported = 0;
	/* Somebody waits, be it another process. */
	loop = loop_row(1, WATCH_EPOLL);
	loop->loop->figures.key.proc = PROC(TGID + 1);
	silent();
	loop->loop->figures.key.ep = EP + 1;
	speaks("slow-turn");
}

void accept_skew(void **state)
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

void scan_waste(void **state)
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
void scan_epoll(void **state)
{
	(void)state;
	call_row(CALL_epoll_wait)->sum = (struct totals){
		.calls = 100, .asked = 320000, .scanned = 600000, .ready = 6, .wall_ns = 9000 * MS,
	};
	silent();
}

/* A call that has not ended since the watch began, while what its process is to serve waits. */
void stuck_call(void **state)
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

static struct finding *starved(u32 tgid, const char *comm, double runnable_ms_per_s)
{
	struct finding *finding = findings_add(&findings, rule_of("cpu-starved"));

	finding->tgid = tgid;
	strcpy(finding->comm, comm);
	finding->advice = "more";
	finding_say(finding, "one of them");
	finding_note(finding, "runnable_ms_per_s", runnable_ms_per_s);
	finding_note(finding, "threads", 1);
	finding->stall_ms = runnable_ms_per_s * WATCHED_S;
	return finding;
}

/* Of many that lack a CPU the worst is shown, and says how many there are. */
void starved_crowd(void **state)
{
	const struct rule *rule = rule_of("cpu-starved");
	const struct finding *worst;

	(void)state;
	starved(TGID, "worst", 400);
	/* One process, of several loops, is no crowd. */
	starved(TGID, "worst", 300);
	gather_starved(&findings, rule);
	assert_int_equal(findings.count, 2);
	findings_add(&findings, rule_of("slow-turn"))->tgid = TGID;
	for (u32 i = 1; i <= 4; i++)
		starved(TGID + i, "an\nother", 300 - 10 * i);
	gather_starved(&findings, rule);
	assert_int_equal(findings.count, 2);
	worst = &findings.list[0];
	assert_ptr_equal(worst->rule, rule);
	assert_ptr_equal(findings.list[1].rule, rule_of("slow-turn"));
	assert_int_equal(worst->tgid, TGID);
	assert_string_equal(worst->verdict, "5 processes were ready to run, and without a CPU: worst "
			    "(4711) for 40% of the time, an\\x0aother (4712) for 29% of the time, "
			    "an\\x0aother (4713) for 28% of the time, and 2 more");
	assert_true(figure(worst, "starved_processes") == 5);
	assert_true(figure(worst, "starved_loops") == 6);
	assert_true(figure(worst, "starved_ms_per_s") == 400 + 300 + 290 + 280 + 270 + 260);
	assert_true(worst->stall_ms == 18000);
	assert_int_equal(worst->severity, SEVERITY_CRITICAL);
}
