// SPDX-License-Identifier: GPL-2.0-only
/* herd SCENE VARIANT: several workers at one listener. The twin waits with EPOLLEXCLUSIVE. */
#include "scene.h"

#define WORKERS 8
#define CALL_PAUSE_MS 5

static int shared_listener;

/* A connection is served until its end. */
static void serve_caller(int ep, int fd, uint32_t events)
{
	(void)events;
	if (fd == shared_listener) {
		int conn = welcome(fd);

		if (conn >= 0)
			add(ep, conn, EPOLLIN);
	} else if (hear(fd, sizeof(heard)) > 0) {
		answer(fd);
	} else {
		close(fd);
	}
}

static void *work(void *arg)
{
	uint32_t events = EPOLLIN | (variant == VARIANT_HEALTHY ? EPOLLEXCLUSIVE : 0);

	(void)arg;
	loop(set_of(shared_listener, events), -1, serve_caller);
	return NULL;
}

static void open_listener(void)
{
	struct calls calls = { .pause_ms = CALL_PAUSE_MS };

	shared_listener = listener_nonblocking(&calls.addr);
	with_client(call_on, &calls);
}

static void tell_herd(void)
{
	truth_begin("herd", shared_listener);
	evidence("workers", WORKERS, WORKERS);
	/* Each worker for each caller, and whoever serves it twice more. */
	evidence("wakeups_per_accept", 2, WORKERS + 4);
	truth_tell();
}

static void run_threads(void *(*fn)(void *), void *arg)
{
	for (int i = 0; i < WORKERS; i++)
		start(fn, arg);
	sleep_on();
}

static void herd_threads(void)
{
	open_listener();
	tell_herd();
	run_threads(work, NULL);
}

static void herd_fork(void)
{
	open_listener();
	tell_herd();
	for (int i = 0; i < WORKERS; i++)
		if (!fork_bounded())
			work(NULL);
	sleep_on();
}

/* Who sleeps in accept() is woken alone: no herd. */
static void *accept_and_serve(void *arg)
{
	(void)arg;
	for (;;) {
		int conn = accept(shared_listener, NULL, NULL);

		must(conn >= 0);
		while (hear(conn, sizeof(heard)) > 0)
			answer(conn);
		close(conn);
	}
	return NULL;
}

static void blocking_accept(void)
{
	struct calls calls = { .pause_ms = CALL_PAUSE_MS };

	shared_listener = listener(&calls.addr);
	with_client(call_on, &calls);
	tell_nothing("herd", shared_listener);
	run_threads(accept_and_serve, NULL);
}

/* Threads that wait for one set, of which an edge wakes one: no herd. */
static void serve_shared(int ep, int fd, uint32_t events)
{
	int conn;

	(void)events;
	if (fd == shared_listener) {
		while ((conn = welcome(fd)) >= 0)
			add(ep, conn, EPOLLIN | EPOLLONESHOT);
	} else if (hear(fd, sizeof(heard)) > 0) {
		answer(fd);
		control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
	} else {
		close(fd);
	}
}

static void *work_together(void *arg)
{
	loop(*(int *)arg, -1, serve_shared);
	return NULL;
}

static void shared_set(void)
{
	static int ep;

	open_listener();
	ep = set_of(shared_listener, EPOLLIN | EPOLLET);
	tell_nothing("herd", shared_listener);
	run_threads(work_together, &ep);
}

/*
 * accept-skew: the worker that waits first gets nearly all callers who come while nothing is to be
 * done, and then all their questions. The twin's workers have a listener each.
 */
#define SKEW_WORKERS 4
#define SKEW_CALLERS 12
#define SKEW_NS 1000000		/* for a question */
#define SKEW_PAUSE_MS 10	/* of each caller: together a little more than one worker can do */
#define SKEW_TIMES 60		/* questions of a caller before all hang up */

struct skew_caller {
	struct talk talk;
	pthread_t thread;
};

static void *ask_times(void *arg)
{
	const struct talk *t = arg;

	for (int i = 0; i < SKEW_TIMES && ask(t); i++)
		sleep_ms(SKEW_PAUSE_MS);
	return NULL;
}

static void call_together(void *arg)
{
	struct skew_caller callers[SKEW_CALLERS];

	for (;;) {
		for (int i = 0; i < SKEW_CALLERS; i++) {
			callers[i].talk = talk_over(connect_to(arg, SOCK_STREAM));
			sleep_ms(2);
		}
		for (int i = 0; i < SKEW_CALLERS; i++)
			callers[i].thread = start(ask_times, &callers[i].talk);
		for (int i = 0; i < SKEW_CALLERS; i++)
			pthread_join(callers[i].thread, NULL);
		for (int i = 0; i < SKEW_CALLERS; i++)
			close(callers[i].talk.line.far_in);
		sleep_ms(50);	/* for the last of them to be gone */
	}
}

static int listener_of_own(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	socklen_t len = sizeof(*addr);

	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	must(!bind(fd, (struct sockaddr *)addr, len) && !listen(fd, 512));
	must(!getsockname(fd, (struct sockaddr *)addr, &len));
	return fd;
}

static void serve_hard(int ep, int fd, uint32_t events)
{
	if (fd != shared_listener)
		burn_ns(SKEW_NS);
	serve_caller(ep, fd, events);
}

static void accept_skew(void)
{
	struct sockaddr_in addr = { 0 };
	int fds[SKEW_WORKERS];

	for (int i = 0; i < SKEW_WORKERS; i++)
		fds[i] = variant == VARIANT_HEALTHY || !i ? listener_of_own(&addr) : fds[0];
	with_client(call_together, &addr);
	truth_begin("accept-skew", fds[0]);
	evidence("workers", SKEW_WORKERS, SKEW_WORKERS);
	evidence("largest_share", 0.8, 1);
	truth_tell();
	for (int i = 0; i < SKEW_WORKERS; i++) {
		if (fork_bounded())
			continue;
		shared_listener = fds[i];
		loop(set_of(fds[i], EPOLLIN | EPOLLEXCLUSIVE), -1, serve_hard);
	}
	sleep_on();
}

static const struct scene scenes[] = {
	{ "threads", herd_threads },
	{ "fork", herd_fork },
	{ "blocking-accept", blocking_accept },
	{ "shared-set", shared_set },
	{ "accept-skew", accept_skew },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}
