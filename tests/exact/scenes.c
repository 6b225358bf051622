// SPDX-License-Identifier: GPL-2.0-only
/*
 * scenes SCENE ARGUMENT: waits of which polls counts the scans by kind of file. Besides the rows
 * of truth.h a scene says which kinds are those of the call's own set, and how many files there
 * are in it that have no poll function, and so are scanned once each time its one pipe is:
 *	{"kinds":["pipe",...],"files":N}
 */
#include "sockets.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

struct chan {
	int in, out;
	uint32_t mask;		/* in an epoll set */
};

static struct chan chans[16];
static int nr_chans;
static struct epoll_event events[16];
static struct {
	const char *call;
	int calls, ready;
} sum;

static const uint64_t one = 1;

static void add(int in, int out)
{
	must(in >= 0 && nr_chans < (int)ARRAY_SIZE(chans));
	chans[nr_chans++] = (struct chan){ .in = in, .out = out };
	fcntl(in, F_SETFL, O_NONBLOCK);
}

static void add_pipes(int n)
{
	int fd[2];

	while (n--) {
		pipe_pair(fd);
		add(fd[0], fd[1]);
	}
}

static void add_sockets(int n)
{
	int fd[2];

	while (n--) {
		unix_pair(fd);
		add(fd[0], fd[1]);
	}
}

static void add_eventfds(int n)
{
	int fd;

	while (n--) {
		fd = eventfd(0, EFD_CLOEXEC);
		add(fd, fd);
	}
}

/* Eight bytes, as an eventfd wants them. */
static void put(const struct chan *c)
{
	must(write(c->out, &one, sizeof(one)) == sizeof(one));
}

static void drain(const struct chan *c)
{
	char buf[4096];

	while (read(c->in, buf, sizeof(buf)) > 0)
		;
}

/* The same numbers each time, so that two runs do the same. */
static uint32_t draw_from(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33) % n;
}

static uint32_t draw(uint32_t n)
{
	static uint64_t state = 42;

	return draw_from(&state, n);
}

static long call_poll(int n, short mask, int timeout_ms)
{
	struct timespec ts = to_timespec((uint64_t)timeout_ms * MSEC);
	struct pollfd entries[16];
	int i;

	for (i = 0; i < n; i++)
		entries[i] = (struct pollfd){ .fd = chans[i].in, .events = mask };
	if (!strcmp(sum.call, "poll"))
		return syscall(SYS_poll, entries, n, timeout_ms);
	return syscall(SYS_ppoll, entries, n, &ts, NULL, 8);
}

static long call_select(int n, short mask, int timeout_ms)
{
	struct timespec ts = to_timespec((uint64_t)timeout_ms * MSEC);
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	fd_set set, *in = mask == POLLIN ? &set : NULL, *ex = mask == POLLPRI ? &set : NULL;
	int i, nfds = 0;

	FD_ZERO(&set);
	for (i = 0; i < n; i++) {
		FD_SET(chans[i].in, &set);
		nfds = chans[i].in >= nfds ? chans[i].in + 1 : nfds;
	}
	if (!strcmp(sum.call, "select"))
		return syscall(SYS_select, nfds, in, NULL, ex, &tv);
	return syscall(SYS_pselect6, nfds, in, NULL, ex, &ts, NULL);
}

static long counted(long ret)
{
	must(ret >= 0);
	sum.calls++;
	sum.ready += (int)ret;
	return ret;
}

/* One select or poll over chans[0..n). */
static long wait_set(int n, short mask, int timeout_ms)
{
	return counted(strstr(sum.call, "select") ? call_select(n, mask, timeout_ms) :
						    call_poll(n, mask, timeout_ms));
}

static long wait_epoll(int ep, int max, int timeout_ms)
{
	return counted(syscall(SYS_epoll_wait, ep, events, max, timeout_ms));
}

static void control(int ep, int op, struct chan *c, uint32_t mask)
{
	struct epoll_event ev = { .events = mask, .data.ptr = c };

	c->mask = mask;
	must(!epoll_ctl(ep, op, c->in, &ev));
}

static void say_kinds(const char *kinds, int files)
{
	truth_put("{\"kinds\":[%s],\"files\":%d}\n", kinds, files);
}

/* files CALL: three regular files, which have no poll function, among others. */
static void files(const char *call)
{
	int i, fd;

	sum.call = call;
	add_pipes(1);
	add_eventfds(1);
	add_sockets(1);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	add(fd, -1);
	for (i = 0; i < 3; i++)
		add(open("/proc/self/exe", O_RDONLY), -1);
	/* Always ready to be read, and never for what is urgent. */
	for (i = 0; i < 5; i++)
		must(wait_set(nr_chans, POLLIN, 5000) == 3);
	for (i = 0; i < 3; i++)
		must(wait_set(nr_chans, POLLPRI, 20 * i) == 0);
	say_kinds("\"pipe\",\"eventfd\",\"sock\",\"timerfd\"", 3);
}

static uint32_t mask_of(const char *mode, int i)
{
	static const uint32_t masks[] = { EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT };

	if (!strcmp(mode, "mixed"))
		return masks[i % 3];
	return masks[!strcmp(mode, "edge") ? 1 : !strcmp(mode, "oneshot") ? 2 : 0];
}

/* Readies or drains a few of the first @n. */
static void disturb(int n, int ep)
{
	struct chan *c;
	uint32_t i;

	for (i = draw(4) + 1; i; i--) {
		c = &chans[draw((uint32_t)n)];
		if (c->out < 0)
			continue;
		if (draw(3))
			put(c);
		else
			drain(c);
		if (c->mask & EPOLLONESHOT && draw(2))
			control(ep, EPOLL_CTL_MOD, c, c->mask);
	}
}

/* epoll MODE: items that are and are not ready when their turn comes, and room for some. */
static void epoll(const char *mode)
{
	int i, ep = epoll_create1(EPOLL_CLOEXEC);

	sum.call = "epoll_wait";
	add_pipes(4);
	add_eventfds(4);
	add_sockets(4);
	for (i = 0; i < nr_chans; i++)
		control(ep, EPOLL_CTL_ADD, &chans[i], mask_of(mode, i));
	for (i = 0; i < 150; i++) {
		disturb(nr_chans, ep);
		wait_epoll(ep, 1 + (int)draw(8), 0);
	}
	say_kinds("\"pipe\",\"eventfd\",\"sock\"", 0);
}

#define LATE 5

static struct gate turn = GATE_INIT;
static pid_t caller;

/* Readies the last, when the caller sleeps. */
static void *help(void *arg)
{
	int i;

	for (i = 0; i < LATE; i++) {
		gate_wait(&turn, i + 1);
		wait_asleep(caller);
		put(&chans[nr_chans - 1]);
	}
	return arg;
}

/* nested CALL: pipes and an epoll instance, in which there are sockets only. */
static void nested(const char *call)
{
	int i, inner = epoll_create1(EPOLL_CLOEXEC), ep = epoll_create1(EPOLL_CLOEXEC);
	bool by_epoll = !strcmp(call, "epoll_wait");

	sum.call = call;
	add_pipes(3);
	add(inner, -1);
	add_sockets(5);
	for (i = 0; i < nr_chans; i++)
		control(i < 4 ? ep : inner, EPOLL_CTL_ADD, &chans[i], EPOLLIN);
	for (i = 0; i < 60; i++) {
		disturb(nr_chans, ep);
		if (by_epoll)
			wait_epoll(ep, 1 + (int)draw(4), 0);
		else
			wait_set(4, POLLIN, 0);
	}
	for (i = 0; i < nr_chans; i++)
		if (chans[i].out >= 0)
			drain(&chans[i]);
	if (by_epoll)
		must(!wait_epoll(ep, 8, 0));
	caller = self_tid();
	start(help, NULL);
	for (i = 0; i < LATE; i++) {
		gate_set(&turn, i + 1);
		must((by_epoll ? wait_epoll(ep, 8, 5000) : wait_set(4, POLLIN, 5000)) == 1);
		drain(&chans[nr_chans - 1]);
	}
	say_kinds("\"pipe\",\"epoll\"", 0);
}

/* restart CALL: stopped and continued in its sleep, by a child that makes no such call. */
static void restart(const char *call)
{
	pid_t parent = getpid(), child;
	int i, status;

	sum.call = call;
	add_pipes(3);
	add_eventfds(1);
	child = fork();
	must(child >= 0);
	for (i = 0; !child && i < 4; i++) {
		wait_asleep(parent);
		if (i == 3) {
			put(&chans[1]);
			_exit(0);
		}
		kill(parent, SIGSTOP);
		sleep_ms(3);
		kill(parent, SIGCONT);
	}
	must(wait_set(nr_chans, POLLIN, 30000) == 1);
	must(waitpid(child, &status, 0) == child && !status);
	say_kinds("\"pipe\",\"eventfd\"", 0);
}

static volatile bool writing = true;

static void *keep_writing(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	struct chan *c;

	while (writing) {
		c = &chans[draw_from(&state, (uint32_t)nr_chans)];
		put(c);
		if (draw_from(&state, 2))
			drain(c);
		if (draw_from(&state, 2))
			sched_yield();
	}
	return NULL;
}

/* writers CALL: two threads write to what is waited for, and take some of it away again. */
static void writers(const char *call)
{
	bool by_epoll = !strcmp(call, "epoll_wait");
	int i, k, ep = epoll_create1(EPOLL_CLOEXEC);
	pthread_t thread[2];

	sum.call = call;
	add_pipes(8);
	for (i = 0; i < nr_chans; i++)
		control(ep, EPOLL_CTL_ADD, &chans[i], mask_of("mixed", i & 1));
	for (i = 0; i < 2; i++)
		thread[i] = start(keep_writing, (void *)(uintptr_t)(i + 1));
	for (i = 0; i < 300; i++) {
		if (by_epoll)
			wait_epoll(ep, 8, 2);
		else
			wait_set(nr_chans, POLLIN, 2);
		for (k = 0; k < nr_chans; k++)
			drain(&chans[k]);
	}
	writing = false;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	say_kinds("\"pipe\"", 0);
}

static int shared_ep;

static void *keep_waiting(void *max)
{
	struct epoll_event found[8];
	int calls = 0, ready = 0;
	long ret;

	for (; writing; calls++) {
		ret = syscall(SYS_epoll_wait, shared_ep, found, (int)(uintptr_t)max, 1);
		must(ret >= 0);
		ready += (int)ret;
	}
	__atomic_add_fetch(&sum.calls, calls, __ATOMIC_RELAXED);
	__atomic_add_fetch(&sum.ready, ready, __ATOMIC_RELAXED);
	return NULL;
}

/* shared MAX: three threads wait on one set, and each takes what the others have seen as well. */
static void shared(const char *max)
{
	pthread_t thread[3];
	int i, k;

	sum.call = "epoll_wait";
	shared_ep = epoll_create1(EPOLL_CLOEXEC);
	add_eventfds(16);
	for (i = 0; i < nr_chans; i++)
		control(shared_ep, EPOLL_CTL_ADD, &chans[i], mask_of("edge", i));
	for (i = 0; i < 3; i++)
		thread[i] = start(keep_waiting, (void *)(uintptr_t)atoi(max));
	for (i = 0; i < 100; i++) {
		for (k = 0; k < nr_chans; k++)
			put(&chans[k]);
		sleep_ms(1);
	}
	writing = false;
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	say_kinds("\"eventfd\"", 0);
}

static const struct {
	const char *name;
	void (*play)(const char *argument);
} scenes[] = {
	{ "files", files }, { "epoll", epoll }, { "nested", nested }, { "restart", restart },
	{ "writers", writers }, { "shared", shared },
};

int main(int argc, char **argv)
{
	size_t i = 0;

	must(argc == 3);
	while (i < ARRAY_SIZE(scenes) && strcmp(scenes[i].name, argv[1]))
		i++;
	must(i < ARRAY_SIZE(scenes));
	scenes[i].play(argv[2]);
	truth_row(sum.call);
	truth_num("calls", (uint64_t)sum.calls);
	truth_num("ready", (uint64_t)sum.ready);
	truth_end();
	truth_write();
	return 0;
}
