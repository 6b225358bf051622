// SPDX-License-Identifier: GPL-2.0-only
/*
 * quiet SCENE healthy: what looks like a fault and is none. The truth names the rule that must not
 * be taken in by it.
 */
#include "scene.h"

#define TICK_MS 10
#define CHUNK_BYTES 4096

/* Read for its edge alone: its count says nothing that is needed. */

static void ignore(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)fd;
	(void)events;
}

static void *raise_on(void *arg)
{
	while (!eventfd_write(*(int *)arg, 1))
		sleep_ms(TICK_MS);
	return NULL;
}

static void eventfd_et(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	with_client(no_client, NULL);
	tell_nothing("et-undrained", fd);
	start(raise_on, &fd);
	loop(set_of(fd, EPOLLIN | EPOLLET), -1, ignore);
}

/* Set anew without a read, which also forgets that it has expired. */
static void set_timer(int ep, int fd, uint32_t events)
{
	struct itimerspec soon = { .it_value = to_timespec(TICK_MS * MSEC) };

	(void)ep;
	(void)events;
	must(!timerfd_settime(fd, 0, &soon, NULL));
}

static void timerfd_et(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	with_client(no_client, NULL);
	tell_nothing("et-undrained", fd);
	set_timer(-1, fd, 0);
	loop(set_of(fd, EPOLLIN | EPOLLET), -1, set_timer);
}

/* One echo over one line, in a set of these events. */
static void echo_with(const char *rule, uint32_t events, struct talk talk, handler handle)
{
	struct line line = with_talk("tcp", talk);

	tell_nothing(rule, line.in);
	loop(set_of(line.in, events), -1, handle);
}

static const struct talk small_talk = { .bytes = QUESTION_BYTES, .pause_ms = 5 };
static const struct talk long_talk = { .bytes = 60000, .pause_ms = 5 };

/* OUT is asked for all the time: under ET it costs nothing. */
static void out_et(void)
{
	echo_with("lost-out-edge", EPOLLIN | EPOLLOUT | EPOLLET, small_talk, echo);
}

static size_t have;

static bool whole(ssize_t n)
{
	have += n > 0 ? (size_t)n : 0;
	if (have < long_talk.bytes)
		return false;
	have = 0;
	return true;
}

static void read_once(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	if (whole(hear(fd, CHUNK_BYTES)))
		answer(fd);
}

/* One read for each report, of much that is there. */
static void one_read(void)
{
	echo_with("lt-spin", EPOLLIN, long_talk, read_once);
}

static void read_capped(int ep, int fd, uint32_t events)
{
	ssize_t n = 1;

	(void)ep;
	(void)events;
	for (int i = 0; i < 32 && n > 0; i++) {
		n = hear(fd, CHUNK_BYTES / 8);
		if (whole(n))
			answer(fd);
	}
}

static void capped(void)
{
	echo_with("lt-spin", EPOLLIN, long_talk, read_capped);
}

/* A short read of a stream is its end for now: no EAGAIN is seen, ever. */
static void read_short(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	if (hear(fd, sizeof(heard)) > 0)
		answer(fd);
}

static void short_read(void)
{
	echo_with("et-undrained", EPOLLIN | EPOLLET, small_talk, read_short);
}

/* As many bytes as were asked for, and no more are there. */
static void read_exact(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	if (hear(fd, QUESTION_BYTES) == QUESTION_BYTES)
		answer(fd);
}

static void exact_read(void)
{
	echo_with("et-undrained", EPOLLIN | EPOLLET, small_talk, read_exact);
}

/* A listener that accepts one caller for each report, of several who wait. */
static void accept_one(int ep, int fd, uint32_t events)
{
	int conn = welcome(fd);

	(void)ep;
	(void)events;
	if (conn < 0)
		return;
	answer(conn);
	close(conn);
}

static void one_accept(void)
{
	struct sockaddr_in addr;
	int fd = listener_nonblocking(&addr);

	with_client(call_in_bursts, &addr);
	tell_nothing("et-accept-once", fd);
	loop(set_of(fd, EPOLLIN), -1, accept_one);
}

/* What is ready is remembered, and read by and by; the loop does not sleep until all is read. */
#define LINES 3

static void read_by_bits(int ep, struct talk *talk)
{
	struct epoll_event got[LINES];
	bool ready[LINES] = { false };
	size_t heard_of[LINES] = { 0 };
	int pending = 0;

	for (;;) {
		int n = epoll_wait(ep, got, LINES, pending ? 0 : -1);

		for (int i = 0; i < n; i++)
			ready[got[i].data.u32] = true;
		pending = 0;
		for (int i = 0; i < LINES; i++) {
			ssize_t bytes = ready[i] ? hear(talk[i].line.in, CHUNK_BYTES) : 0;

			ready[i] = bytes > 0;
			pending += ready[i];
			heard_of[i] += bytes > 0 ? (size_t)bytes : 0;
			if (heard_of[i] == long_talk.bytes) {
				heard_of[i] = 0;
				answer(talk[i].line.out);
			}
		}
	}
}

static void ready_bits(void)
{
	struct talk talk[LINES] = { long_talk, long_talk, long_talk };
	int ep = set_new();

	with_talks("tcp", talk, LINES);
	for (uint32_t i = 0; i < LINES; i++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u32 = i };

		nonblocking(talk[i].line.in);
		must(!epoll_ctl(ep, EPOLL_CTL_ADD, talk[i].line.in, &ev));
	}
	tell_nothing("et-undrained", -1);
	read_by_bits(ep, talk);
}

/* The rest is left until its time has come: a limit of the rate. It needs no new edge. */
#define RATE_MS 150

static int limited_fd;

static void read_at_rate(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	if (whole(hear(fd >= 0 ? fd : limited_fd, 20000)))
		answer(limited_fd);
}

static void rate_limit(void)
{
	struct line line = with_talk("tcp", long_talk);

	limited_fd = line.in;
	tell_nothing("et-undrained", line.in);
	loop(set_of(line.in, EPOLLIN | EPOLLET), RATE_MS, read_at_rate);
}

/* A proxy does not read from one side while the other takes no more. */
struct flow {
	struct line from, to;
	unsigned int rest_ms;	/* between what the receiver takes */
};

static void *send_on(void *arg)
{
	const struct flow *flow = arg;

	while (write(flow->from.far_out, heard, sizeof(heard)) > 0)
		;
	return NULL;
}

static void take_on(void *arg)
{
	const struct flow *flow = arg;
	static char taken[1 << 18];

	close(flow->from.in);
	close(flow->to.in);
	start(send_on, arg);
	while (read(flow->to.far_in, taken, sizeof(taken)) > 0)
		sleep_ms(flow->rest_ms);
}

static void pass_on(int from, int to)
{
	static size_t have, done;	/* of what was read and is not written yet */

	for (;;) {
		ssize_t n;

		if (done == have) {
			n = hear(from, sizeof(heard));
			if (n <= 0)
				return;
			have = (size_t)n;
			done = 0;
		}
		n = write(to, heard + done, have - done);
		if (n < 0)
			return;
		done += (size_t)n;
	}
}

static struct flow flow;

static void pass_either(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)fd;
	(void)events;
	pass_on(flow.from.in, flow.to.in);
}

static void backpressure(unsigned int rest_ms)
{
	int ep;

	flow = (struct flow){ line_open("tcp"), line_open("unix"), rest_ms };
	with_client(take_on, &flow);
	close(flow.from.far_in);
	close(flow.to.far_in);
	tell_nothing("et-undrained", flow.from.in);
	ep = set_of(flow.from.in, EPOLLIN | EPOLLET);
	nonblocking(flow.to.in);
	add(ep, flow.to.in, EPOLLOUT | EPOLLET);
	loop(ep, -1, pass_either);
}

static void backpressure_short(void)
{
	backpressure(20);
}

static void backpressure_long(void)
{
	backpressure(300);
}

/*
 * Each answer goes out in pieces, by the clock, and what is asked meanwhile waits for its turn, as HTTP
 * servers do with what is pipelined. Its edge comes in the middle, and nothing is read then.
 */
#define PIECES 4

static void ask_ahead(void *arg)
{
	const struct line *line = arg;
	char c;

	close(line->in);
	must(write(line->far_out, heard, 2 * QUESTION_BYTES) == 2 * QUESTION_BYTES);
	do {
		must(write(line->far_out, heard, QUESTION_BYTES) == QUESTION_BYTES);
		for (int i = 0; i < PIECES; i++)
			if (read(line->far_in, &c, 1) != 1)
				return;
		sleep_ms(RATE_MS * 2 / 3);
	} while (true);
}

static void answer_in_turn(int ep, int fd, uint32_t events)
{
	static int left;

	(void)ep;
	(void)events;
	if (left && fd < 0) {
		answer(limited_fd);
		left--;
	}
	if (!left && hear(limited_fd, QUESTION_BYTES) > 0)
		left = PIECES;
}

static void pipelined(void)
{
	struct line line = line_open("tcp");

	with_client(ask_ahead, &line);
	close(line.far_in);
	nonblocking(line.in);
	limited_fd = line.in;
	tell_nothing("et-undrained", line.in);
	loop(set_of(line.in, EPOLLIN | EPOLLET), RATE_MS, answer_in_turn);
}

/* What is written waits for its time as well, whatever room is reported meanwhile. */
static void take_all(void *arg)
{
	const struct line *line = arg;

	close(line->in);
	while (read(line->far_in, heard, sizeof(heard)) > 0)
		;
}

static void write_at_rate(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	while (fd < 0 && write(limited_fd, heard, sizeof(heard)) > 0)
		;
}

static void rate_out(void)
{
	struct line line = line_open("tcp");
	int bytes = sizeof(heard);

	with_client(take_all, &line);
	close(line.far_in);
	nonblocking(line.in);
	must(!setsockopt(line.in, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	limited_fd = line.in;
	tell_nothing("lost-out-edge", line.in);
	loop(set_of(line.in, EPOLLIN | EPOLLOUT | EPOLLET), RATE_MS, write_at_rate);
}

/* All is read at once and answered later, as by a library that keeps bytes to itself. */
#define LATER_MS 200

static void answer_later(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	if (fd >= 0)
		drain(fd);
	else
		answer(limited_fd);
}

static void user_buffer(void)
{
	struct line line = with_talk("tcp", small_talk);

	limited_fd = line.in;
	tell_nothing("et-undrained", line.in);
	loop(set_of(line.in, EPOLLIN | EPOLLET), LATER_MS, answer_later);
}

/* Several instances: one in each thread, and two that one thread asks in turn. */
static void *echo_alone(void *arg)
{
	const struct talk *talk = arg;

	loop(set_of(talk->line.in, EPOLLIN), -1, echo);
	return NULL;
}

static void two_sets(const struct talk *a, const struct talk *b)
{
	int sets[2] = { set_of(a->line.in, EPOLLIN), set_of(b->line.in, EPOLLIN) };
	struct epoll_event got[4];

	for (int i = 0;; i = !i) {
		int n = epoll_wait(sets[i], got, ARRAY_SIZE(got), 2);

		for (int k = 0; k < n; k++)
			echo(sets[i], got[k].data.fd, got[k].events);
	}
}

static void several_sets(void)
{
	struct talk talk[4] = { small_talk, small_talk, small_talk, small_talk };

	with_talks("tcp", talk, 4);
	tell_nothing("zero-timeout", -1);
	start(echo_alone, &talk[0]);
	start(echo_alone, &talk[1]);
	two_sets(&talk[2], &talk[3]);
}

/* Nobody asks anything. */
static void idle_on(void *arg)
{
	(void)arg;
	sleep_on();
}

static void idle(void)
{
	struct sockaddr_in addr;
	struct line line = line_open("tcp");
	int fd = listener_nonblocking(&addr), ep;

	with_client(idle_on, NULL);
	ep = set_of(fd, EPOLLIN);
	nonblocking(line.in);
	add(ep, line.in, EPOLLIN | EPOLLET);
	tell_nothing("et-undrained", -1);
	loop(ep, -1, echo);
}

/* An instance in another; the inner one is asked without waiting. */
static void serve_inner(int ep, int inner, uint32_t events)
{
	struct epoll_event got[4];
	int n = epoll_wait(inner, got, ARRAY_SIZE(got), 0);

	(void)events;
	for (int i = 0; i < n; i++)
		echo(ep, got[i].data.fd, got[i].events);
}

static void nested(void)
{
	struct line line = with_talk("tcp", small_talk);
	int outer = set_new();

	tell_nothing("zero-timeout", -1);
	add(outer, set_of(line.in, EPOLLIN), EPOLLIN);
	loop(outer, -1, serve_inner);
}

/* A child has inherited the set, and serves nobody. */
static void inherited(void)
{
	struct line line = with_talk("tcp", small_talk);
	int ep = set_of(line.in, EPOLLIN);

	if (!fork_bounded())
		sleep_on();
	tell_nothing("slow-turn", -1);
	loop(ep, -1, echo);
}

static const struct scene scenes[] = {
	{ "eventfd-et", eventfd_et },
	{ "timerfd-et", timerfd_et },
	{ "out-et", out_et },
	{ "one-read", one_read },
	{ "capped", capped },
	{ "short-read", short_read },
	{ "exact-read", exact_read },
	{ "one-accept", one_accept },
	{ "ready-bits", ready_bits },
	{ "rate-limit", rate_limit },
	{ "pipelined", pipelined },
	{ "rate-out", rate_out },
	{ "backpressure-short", backpressure_short },
	{ "backpressure-long", backpressure_long },
	{ "user-buffer", user_buffer },
	{ "several-sets", several_sets },
	{ "idle", idle },
	{ "nested", nested },
	{ "inherited", inherited },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}
