// SPDX-License-Identifier: GPL-2.0-only
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fail.h"

#define TIMERS_MAX (LOOP_ERROR + 1)

struct loop {
	int epoll_fd, signal_fd;
	int timer_fds[TIMERS_MAX];	/* by enum loop_event; -1: none */
	u32 targets;
};

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

struct loop *loop_open(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD };
	struct loop *loop = calloc(1, sizeof(*loop));
	sigset_t set;

	if (!loop)
		return NULL;
	for (int i = 0; i < TIMERS_MAX; i++)
		loop->timer_fds[i] = -1;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->signal_fd < 0 || add(loop, LOOP_SIGNAL, loop->signal_fd)) {
		fail(EXIT_RUNTIME, "cannot set up the event loop: %s", strerror(errno));
		loop_close(loop);
		return NULL;
	}
	return loop;
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	for (int i = 0; i < TIMERS_MAX; i++) {
		if (loop->timer_fds[i] >= 0)
			close(loop->timer_fds[i]);
	}
	close(loop->signal_fd);
	close(loop->epoll_fd);
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

u32 loop_targets(const struct loop *loop)
{
	return loop->targets;
}

static enum loop_event read_signal(struct loop *loop, int *signal, bool *by_user)
{
	struct signalfd_siginfo info;

	if (read(loop->signal_fd, &info, sizeof(info)) != sizeof(info))
		return LOOP_CHILD;	/* nothing there: as harmless as a child that lives */
	*signal = info.ssi_signo;
	*by_user = info.ssi_code <= 0;
	return *signal == SIGCHLD ? LOOP_CHILD : LOOP_SIGNAL;
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
	if (fd == loop->timer_fds[event]) {
		if (read(fd, &expired, sizeof(expired)) < 0)
			debug("timer: %s", strerror(errno));
	} else {
		close(fd);	/* a pidfd, which stays readable */
		loop->targets--;
	}
	return event;
}
