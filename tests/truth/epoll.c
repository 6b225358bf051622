// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll SCENE [N]: epoll_wait whose ready list is known at every call. The kernel takes items off
 * the ready list and polls each once (ep_send_events); a level-triggered item that was ready goes
 * back to its end, one that was not, or is edge-triggered, or one-shot, does not.
 */
#include "truth.h"

#include <sys/epoll.h>

static struct epoll_event events[16384];
static struct {
	int calls, ok, zero, eintr, ctl_calls;
	uint64_t asked, scanned, ready, passes;
} sum;
static int ep, size, arg_n;

struct chan {
	int in, out;
};

static struct chan open_chan(void)
{
	int fd[2];

	must(!pipe(fd));
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	return (struct chan){ fd[0], fd[1] };
}

static void put(struct chan c)
{
	must(write(c.out, "x", 1) == 1);
}

static void drain(struct chan c)
{
	char buf[64];

	while (read(c.in, buf, sizeof(buf)) > 0)
		;
}

static void control(int epfd, int op, int fd, uint32_t mask)
{
	struct epoll_event ev = { .events = mask, .data.fd = fd };

	must(!epoll_ctl(epfd, op, fd, &ev));
	sum.ctl_calls++;
	if (epfd == ep)
		size += (op == EPOLL_CTL_ADD) - (op == EPOLL_CTL_DEL);
}

static struct chan add_chan(uint32_t mask)
{
	struct chan c = open_chan();

	control(ep, EPOLL_CTL_ADD, c.in, mask);
	return c;
}

/* One call, said to scan this many items in this many walks of a list that was not empty. */
static void wait_for(int max, int timeout_ms, int ready, int scanned, int passes)
{
	long ret = syscall(SYS_epoll_wait, ep, events, max, timeout_ms);

	if (ready < 0)
		must_fail(ret, EINTR);
	else
		must(ret == ready);
	sum.calls++;
	sum.ok += ready > 0;
	sum.zero += ready == 0;
	sum.eintr += ready < 0;
	sum.asked += (uint64_t)size;
	sum.scanned += (uint64_t)scanned;
	sum.ready += ready > 0 ? (uint64_t)ready : 0;
	sum.passes += (uint64_t)passes;
}

/* Reported again and again until drained; once more on the list after that, found stale. */
static void level(void)
{
	struct chan c = add_chan(EPOLLIN);

	add_chan(EPOLLIN);
	put(c);
	wait_for(8, -1, 1, 1, 1);
	wait_for(8, -1, 1, 1, 1);
	drain(c);
	wait_for(8, 0, 0, 1, 1);
	wait_for(8, 0, 0, 0, 0);
}

static void edge(void)
{
	struct chan c = add_chan(EPOLLIN | EPOLLET);

	put(c);
	wait_for(8, -1, 1, 1, 1);
	wait_for(8, 0, 0, 0, 0);
	put(c);
	wait_for(8, -1, 1, 1, 1);
	put(c);
	drain(c);
	wait_for(8, 0, 0, 1, 1);
}

static void oneshot(void)
{
	struct chan c = add_chan(EPOLLIN | EPOLLONESHOT);

	put(c);
	wait_for(8, -1, 1, 1, 1);
	put(c);
	wait_for(8, 0, 0, 0, 0);
	control(ep, EPOLL_CTL_MOD, c.in, EPOLLIN | EPOLLONESHOT);
	wait_for(8, -1, 1, 1, 1);
}

/* Ten ready, room for four: the walk stops before the fifth. */
static void truncate_by(uint32_t mask)
{
	struct chan c[10];
	int i;

	for (i = 0; i < 10; i++) {
		c[i] = add_chan(mask);
		put(c[i]);
	}
	wait_for(4, -1, 4, 4, 1);
	wait_for(4, -1, 4, 4, 1);
	if (mask & EPOLLET) {
		wait_for(4, -1, 2, 2, 1);
		wait_for(4, 0, 0, 0, 0);
		return;
	}
	wait_for(4, -1, 4, 4, 1);
	wait_for(16, -1, 10, 10, 1);
	for (i = 0; i < 10; i++)
		drain(c[i]);
	wait_for(4, 0, 0, 10, 1);
}

static void maxevents(void)
{
	truncate_by(EPOLLIN);
}

static void maxevents_edge(void)
{
	truncate_by(EPOLLIN | EPOLLET);
}

/* Readied and drained by someone else before anyone waits: on the list, in the way, not ready. */
static void stale(void)
{
	struct chan c[6];
	int i;

	for (i = 0; i < 6; i++) {
		c[i] = add_chan(EPOLLIN);
		put(c[i]);
	}
	for (i = 0; i < 4; i++)
		drain(c[i]);
	wait_for(1, -1, 1, 5, 1);	/* four stale ones, then the one there is room for */
	wait_for(8, -1, 2, 2, 1);
	put(c[0]);
	drain(c[0]);
	wait_for(8, -1, 2, 3, 1);
}

/* What the inner set's poll looks at is the inner set's. */
static void nested(void)
{
	struct chan c = open_chan(), d = open_chan();
	int inner = epoll_create1(0);

	control(inner, EPOLL_CTL_ADD, c.in, EPOLLIN);
	control(inner, EPOLL_CTL_ADD, d.in, EPOLLIN);
	control(ep, EPOLL_CTL_ADD, inner, EPOLLIN);
	put(c);
	put(d);
	wait_for(8, -1, 1, 1, 1);
	drain(c);
	drain(d);
	wait_for(8, 0, 0, 1, 1);
	wait_for(8, 0, 0, 0, 0);
}

/* The interest set grows and shrinks: by epoll_ctl, and by the last close of a file. */
static void shrink(void)
{
	struct chan c[8];
	int i, copy;

	for (i = 0; i < 8; i++) {
		c[i] = add_chan(EPOLLIN);
		wait_for(8, 0, 0, 0, 0);
	}
	control(ep, EPOLL_CTL_DEL, c[0].in, 0);
	wait_for(8, 0, 0, 0, 0);
	close(c[1].in);
	size--;
	wait_for(8, 0, 0, 0, 0);
	copy = dup(c[2].in);
	close(c[2].in);			/* the file lives on, so does the entry */
	wait_for(8, 0, 0, 0, 0);
	close(copy);
	size--;
	wait_for(8, 0, 0, 0, 0);
	copy = dup(c[3].in);
	control(ep, EPOLL_CTL_ADD, copy, EPOLLIN);
	wait_for(8, 0, 0, 0, 0);
	dup2(c[4].out, c[4].in);	/* closes it as well */
	size--;
	wait_for(8, 0, 0, 0, 0);
	control(ep, EPOLL_CTL_MOD, c[5].in, EPOLLIN | EPOLLET);
	wait_for(8, 0, 0, 0, 0);
}

/* A second instance on a number that was used before must not inherit the first one's size. */
static void reborn(void)
{
	int old = ep;

	add_chan(EPOLLIN);
	add_chan(EPOLLIN);
	wait_for(8, 0, 0, 0, 0);
	close(ep);
	size = 0;
	ep = epoll_create1(0);
	must(ep == old);
	wait_for(8, 0, 0, 0, 0);
	add_chan(EPOLLIN);
	wait_for(8, 0, 0, 0, 0);
}

static void timeout(void)
{
	add_chan(EPOLLIN);
	wait_for(8, 2, 0, 0, 0);
	wait_for(8, 0, 0, 0, 0);
}

/* Failed controls change nothing. */
static void failed(void)
{
	struct chan c = add_chan(EPOLLIN), d = open_chan();
	struct epoll_event ev = { .events = EPOLLIN };

	must_fail(epoll_ctl(ep, EPOLL_CTL_ADD, c.in, &ev), EEXIST);
	must_fail(epoll_ctl(ep, EPOLL_CTL_DEL, d.in, &ev), ENOENT);
	must_fail(epoll_ctl(ep, EPOLL_CTL_MOD, d.in, &ev), ENOENT);
	wait_for(8, 0, 0, 0, 0);
}

/* Many descriptors, of which one is ever ready. */
static void many(void)
{
	struct chan c = open_chan(), quiet = open_chan();
	int i, fd;

	for (i = 1; i < arg_n; i++) {
		fd = dup(quiet.in);
		must(fd >= 0);
		control(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN);
	put(c);
	wait_for(8, -1, 1, 1, 1);
	wait_for(8, 0, 1, 1, 1);
	drain(c);
	wait_for(8, 0, 0, 1, 1);
	wait_for(8, 1, 0, 0, 0);
}

/* All of many ready, taken in one call. */
static void all(void)
{
	struct chan c = open_chan();
	int i;

	for (i = 0; i < arg_n; i++)
		control(ep, EPOLL_CTL_ADD, dup(c.in), EPOLLIN);
	put(c);
	wait_for(16384, -1, arg_n, arg_n, 1);
	drain(c);
	wait_for(16384, 0, 0, arg_n, 1);
}

/* Scenes with a helper that acts when the caller sleeps */

static struct chan late_chan;
static pid_t caller;
static int spurious;

static void *help(void *arg)
{
	struct sched_param prio = { .sched_priority = 1 };
	int k;

	if (spurious) {
		pin_self(usable_cpu(0));
		if (sched_setscheduler(0, SCHED_FIFO, &prio))
			skip("SCHED_FIFO refused");
	}
	wait_asleep(caller);
	for (k = 0; k < spurious; k++) {
		put(late_chan);
		drain(late_chan);
		wait_asleep(caller);
	}
	if (arg)
		must(!syscall(SYS_tgkill, getpid(), caller, SIGUSR1));
	else
		put(late_chan);
	return NULL;
}

static void late(void)
{
	late_chan = add_chan(EPOLLIN);
	add_chan(EPOLLIN);
	start(help, NULL);
	wait_for(8, -1, 1, 1, 1);
}

/* Woken three times to find what woke it gone: each is a walk over one stale item. */
static void woken_in_vain(void)
{
	spurious = 3;
	pin_self(usable_cpu(0));
	late_chan = add_chan(EPOLLIN);
	start(help, NULL);
	wait_for(8, -1, 1, 4, 4);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	add_chan(EPOLLIN);
	start(help, &sa);
	wait_for(8, 5000, -1, 0, 0);
}

static const struct {
	const char *name;
	void (*play)(void);
} scenes[] = {
	{ "level", level }, { "edge", edge }, { "oneshot", oneshot }, { "maxevents", maxevents },
	{ "maxevents-edge", maxevents_edge }, { "stale", stale }, { "nested", nested },
	{ "shrink", shrink }, { "reborn", reborn }, { "timeout", timeout }, { "failed", failed },
	{ "many", many }, { "all", all }, { "late", late }, { "woken-in-vain", woken_in_vain },
	{ "interrupted", interrupted },
};

static void say(bool failures)
{
	truth_row("epoll_wait");
	truth_num("calls", (uint64_t)sum.calls);
	truth_num("asked", sum.asked);
	truth_num("scanned", sum.scanned);
	truth_num("ready", sum.ready);
	truth_num("passes", sum.passes);
	truth_num("set_copy_bytes", sum.ready * 12);
	truth_results("ok", sum.ok, "zero", sum.zero, "eintr", sum.eintr, NULL);
	truth_end();
	truth_row("epoll_ctl");
	truth_num("calls", (uint64_t)sum.ctl_calls + (failures ? 3 : 0));
	truth_results("ok", sum.ctl_calls, "17", failures ? 1 : 0, "2", failures ? 2 : 0, NULL);
	truth_end();
}

int main(int argc, char **argv)
{
	struct rlimit lim;
	size_t i;

	must(argc >= 2);
	arg_n = argc > 2 ? atoi(argv[2]) : 0;
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	if (lim.rlim_cur < (rlim_t)arg_n + 20)
		skip("RLIMIT_NOFILE is too low");
	caller = self_tid();
	ep = epoll_create1(0);
	for (i = 0; i < ARRAY_SIZE(scenes); i++)
		if (!strcmp(scenes[i].name, argv[1]))
			break;
	must(i < ARRAY_SIZE(scenes));
	scenes[i].play();
	say(scenes[i].play == failed);
	truth_write();
	return 0;
}
