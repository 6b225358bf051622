// SPDX-License-Identifier: GPL-2.0-only
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fail.h"

#define TIMERS_MAX (LOOP_ERROR + 1)

struct loop {
	int epoll_fd;
	int signal_fds[2];		/* a pipe from the signal handler */
	int timer_fds[TIMERS_MAX];	/* by enum loop_event; -1: none */
	u32 targets;
};

/* What the signal handler has to know, and what it tells the loop. */
static int handler_fd, handler_signals;
static void (*handler_abandon)(void);

/* A change of size that the loop has not been told of yet; one is enough. */
static volatile sig_atomic_t resized;

struct signal_note {
	int signal;
	bool by_user;
};

static void handle(int signal, siginfo_t *info, void *context)
{
	static volatile sig_atomic_t seen;
	struct signal_note what = { .signal = signal, .by_user = info->si_code <= 0 };
	int error = errno;

	(void)context;
	if (seen++ >= handler_signals) {
		handler_abandon();
		_exit(128 + signal);
	}
	/* The pipe has room for them all. */
	if (write(handler_fd, &what, sizeof(what)) < 0)
		_exit(128 + signal);
	errno = error;
}

static void handle_resize(int signal)
{
	struct signal_note what = { .signal = signal };
	int error = errno;

	if (!resized && write(handler_fd, &what, sizeof(what)) == sizeof(what))
		resized = true;
	errno = error;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction old;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&action.sa_mask, signals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], NULL, &old);
		/* Under nohup(1) a hang-up is not for us. */
		if (signals[i] != SIGHUP || old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_UNBLOCK, &action.sa_mask, NULL);
}

/* What an event of the set stands for: its kind above, its descriptor below. */
static u64 tag(enum loop_event event, int fd)
{
	return (u64)event << 32 | (u32)fd;
}

static int add(struct loop *loop, enum loop_event event, int fd)
{
	struct epoll_event what = { .events = EPOLLIN, .data.u64 = tag(event, fd) };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &what) ? -errno : 0;
}

struct loop *loop_open(int signals, void (*abandon)(void))
{
	struct loop *loop = malloc(sizeof(*loop));

	if (!loop) {
		fail(EXIT_RUNTIME, "out of memory");
		return NULL;
	}
	*loop = (struct loop){ .signal_fds = { -1, -1 } };
	for (int i = 0; i < TIMERS_MAX; i++)
		loop->timer_fds[i] = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0 || pipe2(loop->signal_fds, O_CLOEXEC | O_NONBLOCK) ||
	    add(loop, LOOP_SIGNAL, loop->signal_fds[0])) {
		fail(EXIT_RUNTIME, "cannot set up the event loop: %s", strerror(errno));
		loop_close(loop);
		return NULL;
	}
	handler_fd = loop->signal_fds[1];
	handler_signals = signals;
	handler_abandon = abandon;
	catch_signals();
	return loop;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	for (int i = 0; i < TIMERS_MAX; i++)
		close_if_open(loop->timer_fds[i]);
	close_if_open(loop->signal_fds[0]);
	close_if_open(loop->epoll_fd);
	/* The other end of the pipe stays: a signal can come until the very end. */
	free(loop);
}

static struct timespec timespec_of(u64 ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC };
}

int loop_timer(struct loop *loop, enum loop_event event, u64 first_ns, u64 every_ns)
{
	struct itimerspec times = {
		.it_value = timespec_of(first_ns),
		.it_interval = timespec_of(every_ns),
	};
	int *fd = &loop->timer_fds[event];

	if (*fd < 0) {
		*fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (*fd < 0 || add(loop, event, *fd))
			return fail(EXIT_RUNTIME, "cannot set a timer: %s", strerror(errno));
	}
	timerfd_settime(*fd, 0, &times, NULL);
	return 0;
}

int loop_target(struct loop *loop, pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), err;

	if (fd < 0)
		return -errno;
	err = add(loop, LOOP_TARGET, fd);
	if (err)
		close(fd);
	else
		loop->targets++;
	return err;
}

int loop_input(struct loop *loop, int fd)
{
	return add(loop, LOOP_INPUT, fd);
}

void loop_resize(void)
{
	struct sigaction action = { .sa_handler = handle_resize, .sa_flags = SA_RESTART };

	sigaction(SIGWINCH, &action, NULL);
}

u32 loop_targets(const struct loop *loop)
{
	return loop->targets;
}

static enum loop_event read_signal(struct loop *loop, int *signal, bool *by_user)
{
	struct signal_note what;

	if (read(loop->signal_fds[0], &what, sizeof(what)) != sizeof(what))
		return LOOP_ERROR;
	if (what.signal == SIGWINCH) {
		resized = false;
		return LOOP_RESIZE;
	}
	*signal = what.signal;
	*by_user = what.by_user;
	return LOOP_SIGNAL;
}

enum loop_event loop_wait(struct loop *loop, int *signal, bool *by_user)
{
	struct epoll_event what;
	enum loop_event event;
	u64 expired;
	int fd;

	while (epoll_wait(loop->epoll_fd, &what, 1, -1) != 1) {
		if (errno != EINTR)
			return LOOP_ERROR;
	}
	event = what.data.u64 >> 32;
	fd = (u32)what.data.u64;
	if (event == LOOP_SIGNAL)
		return read_signal(loop, signal, by_user);
	if (event == LOOP_INPUT)
		return event;
	if (fd == loop->timer_fds[event]) {
		if (read(fd, &expired, sizeof(expired)) < 0)
			debug("timer: %s", strerror(errno));
	} else {
		close(fd);	/* a pidfd, which stays readable */
		loop->targets--;
	}
	return event;
}
