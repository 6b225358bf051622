// SPDX-License-Identifier: GPL-2.0-only
/* bugs SCENE fault|healthy: published bugs, after their reports, and what was done about them. */
#include "scene.h"

#include <sys/select.h>

static bool buggy(void)
{
	return variant != VARIANT_HEALTHY;
}

/*
 * sysprog21/kecho, pull request 2: the listener of user-echo-server is edge-triggered, and one
 * connection is accepted for each event.
 */
static int kecho_listener;

static bool kecho_accept(int ep)
{
	int conn = welcome(kecho_listener);

	if (conn < 0)
		return false;
	add(ep, conn, EPOLLIN | EPOLLET);
	answer(conn);
	return true;
}

static void kecho_serve(int ep, int fd, uint32_t events)
{
	(void)events;
	if (fd != kecho_listener) {
		while (hear(fd, sizeof(heard)) > 0)
			answer(fd);
		if (!hear(fd, 1))
			close(fd);
		return;
	}
	while (kecho_accept(ep) && !buggy())
		;
	sleep_ms(SETTLE_MS);
}

static void kecho(void)
{
	struct sockaddr_in addr;

	kecho_listener = listener_nonblocking(&addr);
	with_client(call_in_bursts, &addr);
	tell_stall("et-accept-once", kecho_listener, 1, 512);
	sleep_ms(20);	/* so that the first burst is one edge */
	loop(set_of(kecho_listener, EPOLLIN | EPOLLET), -1, kecho_serve);
}

/*
 * libuv/libuv, issue 3671: when the queue of writes had run empty, uv__drain() did not always stop
 * to ask for POLLOUT, and the loop spun until the connection ended.
 */
#define REPLY_BYTES (1 << 20)

static size_t uv_queue;
static bool uv_pollout;

static void uv_ask_pollout(int ep, int fd, bool wanted)
{
	if (wanted != uv_pollout)
		control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | (wanted ? EPOLLOUT : 0));
	uv_pollout = wanted;
}

static void uv_write(int ep, int fd)
{
	while (uv_queue) {
		ssize_t n = write(fd, heard, uv_queue < sizeof(heard) ? uv_queue : sizeof(heard));

		if (n < 0) {
			uv_ask_pollout(ep, fd, true);
			return;
		}
		uv_queue -= (size_t)n;
	}
	if (!buggy())
		uv_ask_pollout(ep, fd, false);
}

static void uv_serve(int ep, int fd, uint32_t events)
{
	if (events & EPOLLIN && hear(fd, sizeof(heard)) > 0)
		uv_queue += REPLY_BYTES;
	uv_write(ep, fd);
}

static void fetch_slowly(void *arg)
{
	const struct line *line = arg;
	static char buf[REPLY_BYTES / 16];

	close(line->in);
	for (;;) {
		must(write(line->far_out, "q", 1) == 1);
		for (size_t got = 0; got < REPLY_BYTES;) {
			ssize_t n = read(line->far_in, buf, sizeof(buf));

			if (n <= 0)
				return;
			got += (size_t)n;
		}
		sleep_ms(50);
	}
}

static void libuv(void)
{
	struct line line = line_open("unix");

	with_client(fetch_slowly, &line);
	close(line.far_in);
	tell_spin("lt-spin", line.in);
	loop(set_of(line.in, EPOLLIN), -1, uv_serve);
}

/* Clients of which the subject wants nothing more, and who leave; the next comes a little later. */
struct leaving {
	struct sockaddr_in addr;
	void (*leave)(int fd);
};

static void leave_by_reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	must(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	close(fd);
}

static void leave_by_half(int fd)
{
	must(!shutdown(fd, SHUT_WR));
}

static void come_and_leave(void *arg)
{
	const struct leaving *leaving = arg;

	for (;;) {
		int fd = connect_to(&leaving->addr, SOCK_STREAM);
		struct talk t = talk_over(fd);

		ask(&t);
		sleep_ms(5);
		leaving->leave(fd);
		if (buggy())
			sleep_on();
		sleep_ms(10);
		if (leaving->leave == leave_by_half)
			close(fd);
	}
}

/*
 * apple/cups, issue 4605: a descriptor nothing was wanted of for a while was registered with no
 * events; ERR and HUP are reported all the same when its client leaves. Just so in the epoll
 * reactor of twisted/twisted, issue 2809.
 * nodejs/node, issue 11307: sockets in CLOSE_WAIT, reported as readable and read by nobody.
 */
static int left_listener;
static uint32_t left_events;	/* what a connection is registered for when it was answered */

static void serve_left(int ep, int fd, uint32_t events)
{
	(void)events;
	if (fd == left_listener) {
		add(ep, welcome(fd), EPOLLIN);
	} else if (hear(fd, sizeof(heard)) > 0) {
		answer(fd);
		control(ep, EPOLL_CTL_MOD, fd, left_events);
	} else {
		close(fd);
	}
}

/* Of what comes after the answer nothing is looked at. */
static void ignore_left(int ep, int fd, uint32_t events)
{
	static bool answered;

	if (fd == left_listener || !answered)
		serve_left(ep, fd, events);
	answered = fd != left_listener;
}

static void left(void (*leave)(int fd), uint32_t registered)
{
	struct leaving leaving = { .leave = leave };

	left_listener = listener_nonblocking(&leaving.addr);
	left_events = registered;
	with_client(come_and_leave, &leaving);
	/* The connection gets the number after that of the set. */
	tell_spin("lt-spin", left_listener + 2);
	loop(set_of(left_listener, EPOLLIN), -1, buggy() ? ignore_left : serve_left);
}

static void cups(void)
{
	left(leave_by_reset, 0);
}

static void node(void)
{
	left(leave_by_half, EPOLLIN | EPOLLRDHUP);
}

/*
 * unbit/uwsgi, issue 115: each forked process waits for the listener, one event at a time, and all
 * of them are woken for each connection. Later: EPOLLEXCLUSIVE, in pull request 1224.
 */
#define UWSGI_PROCESSES 8

static void uwsgi_work(int fd)
{
	int ep = set_of(fd, EPOLLIN | (buggy() ? 0 : EPOLLEXCLUSIVE));
	struct epoll_event got;

	for (;;) {
		int conn = epoll_wait(ep, &got, 1, -1) == 1 ? accept(fd, NULL, NULL) : -1;

		if (conn < 0)
			continue;
		hear(conn, sizeof(heard));
		answer(conn);
		close(conn);
	}
}

static void uwsgi(void)
{
	struct calls calls = { .pause_ms = 5 };
	int fd = listener_nonblocking(&calls.addr);

	with_client(call_on, &calls);
	truth_begin("herd", fd);
	evidence("workers", UWSGI_PROCESSES, UWSGI_PROCESSES);
	evidence("wakeups_per_accept", 2, UWSGI_PROCESSES + 1);
	truth_tell();
	for (int i = 0; i < UWSGI_PROCESSES; i++)
		if (!fork_bounded())
			uwsgi_work(fd);
	sleep_on();
}

/*
 * quickjs-ng/quickjs, issue 1096: os_poll puts every descriptor into an fd_set on its stack, also
 * those an fd_set has no bit for. Here there is room behind it. Later: poll().
 */
#define QJS_DESCRIPTORS 1100

static void qjs_select(int fd)
{
	union {
		fd_set set;
		unsigned long words[64];
	} readable_set;

	for (;;) {
		struct timeval timeout = { .tv_sec = 1 };

		memset(&readable_set, 0, sizeof(readable_set));
		readable_set.words[fd / 64] |= 1UL << (fd % 64);
		if (select(fd + 1, &readable_set.set, NULL, NULL, &timeout) == 1)
			echo(-1, fd, 0);
	}
}

static void qjs_poll(int fd)
{
	for (;;)
		if (readable(fd, 1000))
			echo(-1, fd, 0);
}

static void quickjs(void)
{
	struct line line = with_questions(10);
	int fd = -1;

	for (int i = 0; i < QJS_DESCRIPTORS; i++)
		fd = dup(line.in);
	must(fd >= FD_SETSIZE);
	nonblocking(fd);
	truth_begin("fd-setsize", -1);
	evidence("nfds", fd + 1, fd + 1);
	truth_tell();
	(buggy() ? qjs_select : qjs_poll)(fd);
}

static const struct scene scenes[] = {
	{ "kecho", kecho },
	{ "libuv", libuv },
	{ "cups", cups },
	{ "node", node },
	{ "uwsgi", uwsgi },
	{ "quickjs", quickjs },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}
