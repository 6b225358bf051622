// SPDX-License-Identifier: GPL-2.0-only
/* level SCENE VARIANT: descriptors that stay ready, and files that are closed behind epoll. */
#include "scene.h"

#include <linux/errqueue.h>

#define ROUND_MS 10

/* lt-spin: OUT left armed after the answer */

static void set_armed(int ep, int fd, bool out)
{
	static bool armed;

	if (armed == out)
		return;
	armed = out;
	control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | (out ? EPOLLOUT : 0));
}

static void answer_armed(int ep, int fd, uint32_t events)
{
	if (!(events & EPOLLIN))
		return;
	hear(fd, sizeof(heard));
	answer(fd);
	set_armed(ep, fd, fault_now());
}

static void spin_out(void)
{
	struct line line = with_questions(ROUND_MS);

	tell_spin("lt-spin", line.in);
	loop(set_of(line.in, EPOLLIN), -1, answer_armed);
}

/* The same in one of several threads with a loop each. */
static void *echo_in_thread(void *arg)
{
	const struct talk *talk = arg;

	loop(set_of(talk->line.in, EPOLLIN), -1, echo);
	return NULL;
}

static void *spin_in_thread(void *arg)
{
	const struct talk *talk = arg;

	tell_spin("lt-spin", talk->line.in);
	loop(set_of(talk->line.in, EPOLLIN), -1, answer_armed);
	return NULL;
}

static void spin_threads(void)
{
	struct talk talk[4] = { 0 };
	pthread_t last;

	for (int i = 0; i < 4; i++)
		talk[i] = (struct talk){ .bytes = QUESTION_BYTES, .pause_ms = ROUND_MS };
	with_talks("tcp", talk, 4);
	for (int i = 0; i < 3; i++)
		start(echo_in_thread, &talk[i]);
	last = start(spin_in_thread, &talk[3]);
	pthread_join(last, NULL);
}

/*
 * lt-spin: what stays ready until somebody takes care of it. It is made anew in every round; a
 * round at fault does not take care.
 */
struct nuisance {
	int (*make)(void);
	uint32_t events;
	void (*settle)(int fd);	/* other than to close it */
};

static int make_hung_up_pipe(void)
{
	int fd[2];

	pipe_pair(fd);
	close(fd[1]);
	return fd[0];
}

static int make_hung_up_socket(void)
{
	int fd[2];

	unix_pair(fd);
	close(fd[1]);
	return fd[0];
}

#define PORT_OF_NOBODY 1

/* A datagram nobody was there for; keep_error: that is queued, where SO_ERROR misses it. */
static int send_to_nobody(int keep_error)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT_OF_NOBODY),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = connect_to(&addr, SOCK_DGRAM);

	must(!setsockopt(fd, IPPROTO_IP, IP_RECVERR, &keep_error, sizeof(keep_error)));
	must(send(fd, "x", 1, 0) == 1);
	return fd;
}

static int make_refused(void)
{
	return send_to_nobody(0);
}

static int make_error_queue(void)
{
	return send_to_nobody(1);
}

static int make_expired_timer(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	must(fd >= 0 && !timerfd_settime(fd, 0, &soon, NULL));
	return fd;
}

static int make_raised_eventfd(void)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	must(fd >= 0);
	return fd;
}

static void take_counter(int fd)
{
	uint64_t count;

	must(read(fd, &count, sizeof(count)) == sizeof(count));
}

static void take_error(int fd)
{
	socklen_t len = sizeof(int);
	int err;

	must(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
}

static void take_error_queue(int fd)
{
	char control_buf[512];
	struct msghdr msg = { .msg_control = control_buf, .msg_controllen = sizeof(control_buf) };

	must(recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
}

static void keep(int fd)
{
	(void)fd;
}

static int begin_round(const struct nuisance *nuisance, int ep, int last)
{
	int fd;

	if (last >= 0)
		close(last);
	fd = nuisance->make();
	add(ep, fd, nuisance->events);
	return fd;
}

static void spin_on(const struct nuisance *nuisance)
{
	int ep = set_new(), fd = begin_round(nuisance, ep, -1);
	uint64_t next = now_ns() + ROUND_MS * MSEC;
	bool ignored = fault_now();
	struct epoll_event got[8];

	tell_spin("lt-spin", fd);
	for (;;) {
		int n = epoll_wait(ep, got, ARRAY_SIZE(got), ROUND_MS);

		if (n == 1 && !ignored) {
			nuisance->settle(fd);
			close(fd);
			fd = -1;
		}
		if (variant != VARIANT_FAULT && now_ns() >= next) {
			fd = begin_round(nuisance, ep, fd);
			next = now_ns() + ROUND_MS * MSEC;
			ignored = fault_now();
		}
	}
}

static void spin_nuisance(void)
{
	static const struct {
		const char *scene;
		struct nuisance nuisance;
	} all[] = {
		{ "spin-hup", { make_hung_up_pipe, EPOLLIN, keep } },
		{ "spin-mask0", { make_hung_up_socket, 0, keep } },
		{ "spin-err", { make_refused, EPOLLIN, take_error } },
		{ "spin-errqueue", { make_error_queue, EPOLLIN, take_error_queue } },
		{ "spin-timerfd", { make_expired_timer, EPOLLIN, take_counter } },
		{ "spin-eventfd", { make_raised_eventfd, EPOLLIN, take_counter } },
	};

	with_client(no_client, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(all[i].scene, scene_name))
			spin_on(&all[i].nuisance);
}

/* lt-spin: end of file is read again and again */

/* Half-closes each connection, and goes on to the next after a round. */
static void half_close_on(void *arg)
{
	const struct sockaddr_in *addr = arg;
	int last = -1;

	for (;;) {
		int fd = connect_to(addr, SOCK_STREAM);
		struct talk t = talk_over(fd);

		ask(&t);
		must(!shutdown(fd, SHUT_WR));
		if (variant == VARIANT_FAULT)
			pause();
		sleep_ms(ROUND_MS);
		if (last >= 0)
			close(last);
		last = fd;
	}
}

static int eof_listener, eof_kept = -1;

static void read_eof(int ep, int fd, uint32_t events)
{
	(void)events;
	if (fd == eof_listener) {
		if (eof_kept >= 0)
			close(eof_kept);
		eof_kept = -1;
		add(ep, welcome(fd), EPOLLIN);
		return;
	}
	if (hear(fd, sizeof(heard))) {
		answer(fd);
	} else if (eof_kept < 0) {
		if (fault_now())
			eof_kept = fd;
		else
			close(fd);
	}
}

static void spin_eof(void)
{
	struct sockaddr_in addr;

	eof_listener = listener_nonblocking(&addr);
	with_client(half_close_on, &addr);
	/* The connection gets the number after that of the set. */
	tell_spin("lt-spin", variant == VARIANT_FAULT ? eof_listener + 2 : -1);
	loop(set_of(eof_listener, EPOLLIN), -1, read_eof);
}

/* lt-spin: a listener whose accept finds no descriptor */

static int reserve_fd;	/* given up for a moment, it lets one more be accepted */

static void accept_full(int ep, int fd, uint32_t events)
{
	static uint64_t until;	/* when a round at fault is over */

	(void)ep;
	(void)events;
	if (welcome(fd) >= 0 || errno != EMFILE || now_ns() < until)
		return;
	if (fault_now()) {
		until = now_ns() + ROUND_MS * MSEC;
		return;
	}
	close(reserve_fd);
	close(welcome(fd));
	reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	must(reserve_fd >= 0);
}

/* Connects, and waits to be turned away. */
static void knock_on(void *arg)
{
	char byte;

	for (;;) {
		int fd = connect_to(arg, SOCK_STREAM);

		read(fd, &byte, 1);
		close(fd);
		sleep_ms(ROUND_MS);
	}
}

static void spin_emfile(void)
{
	struct sockaddr_in addr;
	struct rlimit limit;
	int fd = listener_nonblocking(&addr), ep;

	with_client(knock_on, &addr);
	ep = set_of(fd, EPOLLIN);
	reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	must(reserve_fd >= 0 && !getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = (rlim_t)reserve_fd + 1;
	must(!setrlimit(RLIMIT_NOFILE, &limit));
	tell_spin("lt-spin", fd);
	loop(ep, -1, accept_full);
}

/* stale-fd: closed, but another descriptor keeps the file, and so its registration, alive */

static struct {
	uint32_t events;	/* and how it is registered */
	int listener, other;
	void (*keep)(int fd);
} stale;

static void keep_by_dup(int fd)
{
	stale.other = dup(fd);
	must(stale.other >= 0);
}

/* A child that was only to run something else. */
static void keep_by_fork(int fd)
{
	(void)fd;
	if (!fork_bounded())
		sleep_on();
}

/* The client speaks on after the subject has closed. */
static void speak_on(void *arg)
{
	int fd = connect_to(arg, SOCK_STREAM);

	while (write(fd, "x", 1) == 1)
		sleep_ms(ROUND_MS);
	pause();
}

static void close_behind(int ep, int fd, uint32_t events)
{
	(void)events;
	if (fd == stale.listener) {
		int conn = welcome(fd);

		add(ep, conn, stale.events);
		stale.keep(conn);
	} else if (hear(fd, 1) > 0) {
		if (variant == VARIANT_HEALTHY)
			control(ep, EPOLL_CTL_DEL, fd, 0);
		close(fd);
	}
}

/* As a server would do that is told of a connection it does not know. */
static void remove_unknown(int ep, int fd)
{
	static uint64_t next;

	if (now_ns() < next)
		return;
	next = now_ns() + ROUND_MS * MSEC;
	must_fail(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), EBADF);
}

static void serve_stale(int ep, int fd, uint32_t events)
{
	if (fcntl(fd, F_GETFD) < 0)
		remove_unknown(ep, fd);
	else
		close_behind(ep, fd, events);
}

static void stale_fd(uint32_t events, void (*keep_alive)(int fd))
{
	struct sockaddr_in addr;
	int ep;

	stale.listener = listener_nonblocking(&addr);
	stale.events = events;
	stale.keep = keep_alive;
	with_client(speak_on, &addr);
	ep = set_of(stale.listener, EPOLLIN);
	truth_begin("stale-fd", ep + 1);
	truth_or_fd(ep + 2);	/* as the copy is called */
	evidence("reports_per_s", events & EPOLLET ? 10 : 5000, events & EPOLLET ? 110 : COUNT_MAX);
	evidence("ebadf_per_s", 10, 110);
	truth_tell();
	loop(ep, -1, serve_stale);
}

static void stale_dup(void)
{
	stale_fd(EPOLLIN, keep_by_dup);
}

static void stale_dup_et(void)
{
	stale_fd(EPOLLIN | EPOLLET, keep_by_dup);
}

static void stale_fork(void)
{
	stale_fd(EPOLLIN | EPOLLET, keep_by_fork);
}

static const struct scene scenes[] = {
	{ "spin-out", spin_out },
	{ "spin-threads", spin_threads },
	{ "spin-hup", spin_nuisance },
	{ "spin-mask0", spin_nuisance },
	{ "spin-err", spin_nuisance },
	{ "spin-errqueue", spin_nuisance },
	{ "spin-timerfd", spin_nuisance },
	{ "spin-eventfd", spin_nuisance },
	{ "spin-eof", spin_eof },
	{ "spin-emfile", spin_emfile },
	{ "stale-dup", stale_dup },
	{ "stale-dup-et", stale_dup_et },
	{ "stale-fork", stale_fork },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}
