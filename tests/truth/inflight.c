// SPDX-License-Identifier: GPL-2.0-only
/*
 * inflight: threads blocked in calls since before the watch began and until after it ended. The
 * program ends when its standard input does.
 */
#include "sockets.h"

#include <poll.h>
#include <sys/epoll.h>

static int quiet[2];
static struct gate told = GATE_INIT;

static struct {
	const char *call;
	uint64_t begun_ns;
	int tid;
} inside[4];

static void tell(const char *call)
{
	int i = told.value;

	inside[i].call = call;
	inside[i].tid = self_tid();
	inside[i].begun_ns = now_ns();
	gate_add(&told, 1);
}

static void *in_recv(void *arg)
{
	char c;
	int fd[2];

	(void)arg;
	unix_pair(fd);
	tell("recvfrom");
	return (void *)recv(fd[0], &c, 1, 0);
}

static void *in_poll(void *arg)
{
	struct pollfd p = { .fd = quiet[0], .events = POLLIN };

	(void)arg;
	tell("poll");
	return (void *)syscall(SYS_poll, &p, 1, -1);
}

static void *in_epoll(void *arg)
{
	struct epoll_event ev;
	int ep = epoll_create1(0);

	(void)arg;
	tell("epoll_wait");
	return (void *)syscall(SYS_epoll_wait, ep, &ev, 1, -1);
}

/* Never finished, and no older than this. */
static void say(int i)
{
	truth_put("{\"in_flight\":\"%s\",\"tgid\":%d,\"tid\":%d", inside[i].call, getpid(),
		  inside[i].tid);
	truth_range("age_ns", 1, now_ns() - inside[i].begun_ns);
	truth_put("}\n");
	truth_row(inside[i].call);
	truth_num("calls", 0);
	truth_end();
}

int main(void)
{
	void *(*const blocked[])(void *) = { in_recv, in_poll, in_epoll };
	size_t i;
	char c;

	must(!pipe(quiet));
	for (i = 0; i < ARRAY_SIZE(blocked); i++) {
		start(blocked[i], NULL);
		gate_wait(&told, (int)i + 1);
	}
	tell("read");
	must(read(STDIN_FILENO, &c, 1) == 0);
	for (i = 0; i < ARRAY_SIZE(inside); i++)
		say((int)i);
	truth_write();
	return 0;
}
