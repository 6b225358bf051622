// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signal-driven: each socket sends a real-time signal when it becomes ready, taken by
 * sigwaitinfo(). When the queue of signals is full the kernel sends a plain SIGIO, which says only
 * that something was lost: then all are tried.
 */
#include "model.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

static int door, ready_signal;
static sigset_t awaited;

static void open_queue(void)
{
	ready_signal = SIGRTMIN + 1;
	sigemptyset(&awaited);
	sigaddset(&awaited, ready_signal);
	sigaddset(&awaited, SIGIO);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
}

static bool add(int fd)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = gettid() };

	if (!door)
		door = fd;
	return !fcntl(fd, F_SETSIG, ready_signal) && !fcntl(fd, F_SETOWN_EX, &owner) &&
	       !fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC);
}

static void try_all(void)
{
	for (int fd = door; fd < loop_bound(); fd++)
		loop_ready(fd, WANT_IN | WANT_OUT);
}

/* What is still queued was seen by who tries all; and is in the way of the next overflow. */
static void discard(void)
{
	static const struct timespec now;

	while (sigtimedwait(&awaited, NULL, &now) >= 0)
		;
}

static void wait_ready(void)
{
	siginfo_t info;
	int number = sigwaitinfo(&awaited, &info);

	if (number == SIGIO) {
		fputs("the queue of signals was full\n", stderr);
		discard();
		try_all();
	} else if (number == ready_signal && info.si_fd >= door) {
		loop_ready(info.si_fd, (info.si_band & ~(long)POLLOUT ? WANT_IN : 0) |
				       (info.si_band & POLLOUT ? WANT_OUT : 0));
	}
}

const struct model model_signal = {
	.about = "a signal for each readiness: O_ASYNC, F_SETSIG, sigwaitinfo",
	.edge = true,
	.open = open_queue,
	.add = add,
	.wait = wait_ready,
};
