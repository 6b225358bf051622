// SPDX-License-Identifier: GPL-2.0-only
/* epoll, level-triggered and edge-triggered: one file, for they differ in a flag. */
#include "model.h"

#include <sys/epoll.h>

#define BATCH 256

static int ep;

static void open_set(void)
{
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		fail("epoll_create1");
}

static bool control(int op, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return !epoll_ctl(ep, op, fd, &event);
}

static bool add_level(int fd)
{
	return control(EPOLL_CTL_ADD, fd, EPOLLIN);
}

/* Both, once and for all: an edge that is not waited for costs nothing. */
static bool add_edge(int fd)
{
	return control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void change(int fd, int wants)
{
	control(EPOLL_CTL_MOD, fd, (wants & WANT_IN ? EPOLLIN : 0) |
				   (wants & WANT_OUT ? EPOLLOUT : 0));
}

static void wait_ready(void)
{
	struct epoll_event events[BATCH];
	int ready = epoll_wait(ep, events, BATCH, -1);

	for (int i = 0; i < ready; i++)
		loop_ready(events[i].data.fd, (events[i].events & ~EPOLLOUT ? WANT_IN : 0) |
					      (events[i].events & EPOLLOUT ? WANT_OUT : 0));
}

/* No remove(): the set forgets a file that is closed, and no other process has these. */
const struct model model_epoll_lt = {
	.about = "epoll, level-triggered",
	.open = open_set,
	.add = add_level,
	.change = change,
	.wait = wait_ready,
};

const struct model model_epoll_et = {
	.about = "epoll, edge-triggered: each is read until it would block",
	.edge = true,
	.open = open_set,
	.add = add_edge,
	.wait = wait_ready,
};
