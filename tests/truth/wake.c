// SPDX-License-Identifier: GPL-2.0-only
/*
 * wake KIND MS CALLS: every call blocks until another thread ends its wait MS later (or a timer
 * does). Each call has a thread of its own, so that thread rows are single calls.
 */
#include "sockets.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static unsigned int wait_ms;
static struct sockaddr_in address;

struct kind {
	const char *name, *call;
	void (*open)(int fd[2]);
	long (*take)(int fd);
	void (*give)(int fd);	/* NULL: a timer that the call itself is told about */
	long bytes;		/* -1: the row has none */
};

static void open_fifo(int fd[2])
{
	char dir[] = "/tmp/truth.XXXXXX", path[64];

	must(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	must(!mkfifo(path, 0600));
	fd[0] = open(path, O_RDWR | O_CLOEXEC);
	fd[1] = fd[0];
	unlink(path);
	rmdir(dir);
	must(fd[0] >= 0);
}

static void open_eventfd(int fd[2])
{
	fd[0] = eventfd(0, EFD_CLOEXEC);
	fd[1] = fd[0];
}

static void open_timerfd(int fd[2])
{
	fd[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static void open_listener(int fd[2])
{
	fd[0] = listener(&address);
}

static void open_epoll(int fd[2])
{
	struct epoll_event ev = { .events = EPOLLIN };
	int p[2];

	pipe_pair(p);
	fd[0] = epoll_create1(EPOLL_CLOEXEC);
	fd[1] = p[1];
	must(!epoll_ctl(fd[0], EPOLL_CTL_ADD, p[0], &ev));
}

static void fill(int fd)
{
	static char page[4096];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, page, sizeof(page)) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

/* The two ends change places: here it is the writer that waits, for room. */
static void open_full_pipe(int fd[2])
{
	int p[2];

	pipe_pair(p);
	fill(p[1]);
	fd[0] = p[1];
	fd[1] = p[0];
}

static void open_full_unix(int fd[2])
{
	unix_pair(fd);
	fill(fd[0]);
}

static char take_buf[8];

static long take_read(int fd)
{
	return syscall(SYS_read, fd, take_buf, sizeof(take_buf));
}

static long take_readv(int fd)
{
	struct iovec iov = { take_buf, sizeof(take_buf) };

	return syscall(SYS_readv, fd, &iov, 1);
}

static long take_preadv2(int fd)
{
	struct iovec iov = { take_buf, sizeof(take_buf) };

	return syscall(SYS_preadv2, fd, &iov, 1, -1L, -1L, 0);
}

static long take_recvfrom(int fd)
{
	return syscall(SYS_recvfrom, fd, take_buf, sizeof(take_buf), 0, NULL, NULL);
}

static long take_recvmsg(int fd)
{
	struct iovec iov = { take_buf, sizeof(take_buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return syscall(SYS_recvmsg, fd, &msg, 0);
}

static long take_recvmmsg(int fd)
{
	struct iovec iov = { take_buf, sizeof(take_buf) };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	return syscall(SYS_recvmmsg, fd, &msg, 1, 0, NULL);
}

static long take_accept(int fd)
{
	return syscall(SYS_accept, fd, NULL, NULL) > 0;
}

static long take_accept4(int fd)
{
	return syscall(SYS_accept4, fd, NULL, NULL, SOCK_NONBLOCK) > 0;
}

static long take_write(int fd)
{
	return syscall(SYS_write, fd, take_buf, sizeof(take_buf));
}

static long take_sendto(int fd)
{
	return syscall(SYS_sendto, fd, take_buf, sizeof(take_buf), 0, NULL, 0);
}

static long take_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return syscall(SYS_poll, &p, 1, -1);
}

static long take_ppoll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t none = { 0 };

	return syscall(SYS_ppoll, &p, 1, NULL, &none, 8);
}

static long take_select(int fd)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	return syscall(SYS_select, fd + 1, &in, NULL, NULL, NULL);
}

static long take_pselect6(int fd)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	return syscall(SYS_pselect6, fd + 1, &in, NULL, NULL, NULL, NULL);
}

static long take_epoll_wait(int fd)
{
	struct epoll_event ev;

	return syscall(SYS_epoll_wait, fd, &ev, 1, -1);
}

static long take_epoll_pwait(int fd)
{
	struct epoll_event ev;

	return syscall(SYS_epoll_pwait, fd, &ev, 1, -1, NULL, 8);
}

static long take_epoll_pwait2(int fd)
{
	struct epoll_event ev;

	return syscall(SYS_epoll_pwait2, fd, &ev, 1, NULL, NULL, 8);
}

static long take_poll_timeout(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return syscall(SYS_poll, &p, 1, (int)wait_ms) + 1;
}

static long take_select_timeout(int fd)
{
	struct timeval tv = { .tv_usec = (suseconds_t)wait_ms * 1000 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	return syscall(SYS_select, fd + 1, &in, NULL, NULL, &tv) + 1;
}

static long take_epoll_timeout(int fd)
{
	struct epoll_event ev;

	return syscall(SYS_epoll_wait, fd, &ev, 1, (int)wait_ms) + 1;
}

static void give_byte(int fd)
{
	must(write(fd, "x", 1) == 1);
}

static void give_eight(int fd)
{
	uint64_t one = 1;

	must(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void give_connect(int fd)
{
	(void)fd;
	connect_to(&address, SOCK_STREAM);
}

static void give_room(int fd)
{
	static char buf[1 << 20];

	must(read(fd, buf, sizeof(buf)) > 0);
}

static const struct kind kinds[] = {
	{ "pipe", "read", pipe_pair, take_read, give_byte, 1 },
	{ "fifo", "read", open_fifo, take_read, give_byte, 1 },
	{ "tcp", "recvfrom", tcp_pair, take_recvfrom, give_byte, 1 },
	{ "tcp-read", "read", tcp_pair, take_read, give_byte, 1 },
	{ "udp", "recvfrom", udp_pair, take_recvfrom, give_byte, 1 },
	{ "unix", "recvmsg", unix_pair, take_recvmsg, give_byte, 1 },
	{ "unix-dgram", "recvmmsg", unix_dgram_pair, take_recvmmsg, give_byte, 1 },
	{ "eventfd", "read", open_eventfd, take_read, give_eight, 8 },
	{ "timerfd", "read", open_timerfd, take_read, NULL, 8 },
	{ "pipe-readv", "readv", pipe_pair, take_readv, give_byte, 1 },
	{ "pipe-preadv2", "preadv2", pipe_pair, take_preadv2, give_byte, 1 },
	{ "accept", "accept", open_listener, take_accept, give_connect, -1 },
	{ "accept4", "accept4", open_listener, take_accept4, give_connect, -1 },
	{ "full-pipe", "write", open_full_pipe, take_write, give_room, 8 },
	{ "full-unix", "sendto", open_full_unix, take_sendto, give_room, 8 },
	{ "poll", "poll", pipe_pair, take_poll, give_byte, -1 },
	{ "ppoll", "ppoll", pipe_pair, take_ppoll, give_byte, -1 },
	{ "select", "select", pipe_pair, take_select, give_byte, -1 },
	{ "pselect6", "pselect6", pipe_pair, take_pselect6, give_byte, -1 },
	{ "epoll_wait", "epoll_wait", open_epoll, take_epoll_wait, give_byte, -1 },
	{ "epoll_pwait", "epoll_pwait", open_epoll, take_epoll_pwait, give_byte, -1 },
	{ "epoll_pwait2", "epoll_pwait2", open_epoll, take_epoll_pwait2, give_byte, -1 },
	{ "poll-timeout", "poll", pipe_pair, take_poll_timeout, NULL, -1 },
	{ "select-timeout", "select", pipe_pair, take_select_timeout, NULL, -1 },
	{ "epoll-timeout", "epoll_wait", open_epoll, take_epoll_timeout, NULL, -1 },
};

struct one {
	const struct kind *kind;
	struct span span;
	struct bounds blocked;
	uint64_t expires_ns;
	int fd[2], tid;
};

static struct gate begun = GATE_INIT, ended = GATE_INIT, over = GATE_INIT;

static void set_timer(struct one *o)
{
	uint64_t expires_ns = now_ns() + wait_ms * MSEC;
	struct itimerspec at = { .it_value = to_timespec(expires_ns) };

	if (o->kind->open == open_timerfd)
		must(!timerfd_settime(o->fd[0], TFD_TIMER_ABSTIME, &at, NULL));
	o->expires_ns = expires_ns;
}

static void *call_once(void *arg)
{
	struct one *o = arg;
	long ret;

	pin_self(usable_cpu(0));
	o->tid = self_tid();
	set_timer(o);
	run_delay_ns();
	gate_add(&begun, 1);
	span_begin(&o->span);
	ret = o->kind->take(o->fd[0]);
	span_end(&o->span);
	must(ret == (o->kind->bytes > 0 ? o->kind->bytes : 1));
	gate_add(&ended, 1);
	gate_wait(&over, 1);
	return NULL;
}

static void run_one(struct one *o, int i)
{
	uint64_t woke_lo, woke_hi;

	o->kind->open(o->fd);
	start(call_once, o);
	gate_wait(&begun, i + 1);
	if (o->kind->give) {
		sleep_ms(wait_ms);
		woke_lo = now_ns();
		o->kind->give(o->fd[1]);
		woke_hi = now_ns();
		gate_wait(&ended, i + 1);
	} else {
		gate_wait(&ended, i + 1);
		woke_lo = o->expires_ns;
		if (o->kind->open != open_timerfd)
			woke_lo = o->span.begin_ns + wait_ms * MSEC;
		woke_hi = o->span.end_ns;
	}
	o->blocked = blocked_bounds(&o->span, woke_lo, woke_hi);
}

/*
 * Who ends the wait: the thread that gives, itself; over the loopback, the softirq that delivers;
 * a timer's interrupt. NULL where room comes in pieces, so that there may be several.
 */
static const char *waker(const struct kind *k)
{
	if (!k->give)
		return "hardirq";
	if (k->give == give_room)
		return NULL;
	if (k->open == tcp_pair || k->open == udp_pair || k->open == open_listener)
		return "softirq";
	return "task";
}

/* @woken: every call was; one that perhaps was not blocked when it was to be woken may not be. */
static void say_one(const struct one *o, int tid, int calls, const struct bounds *b, bool woken)
{
	const struct kind *k = o->kind;

	truth_row(k->call);
	if (tid)
		truth_num("tid", (uint64_t)tid);
	truth_num("calls", (uint64_t)calls);
	truth_point("blocked_ns", b->lo, b->hi, b->point);
	if (k->bytes >= 0)
		truth_num("bytes", (uint64_t)(k->bytes * calls));
	truth_results(k->give || k->bytes > 0 ? "ok" : "zero", calls, NULL);
	if (waker(k) && woken)
		truth_put(",\"wakers\":{\"%s\":%d}", waker(k), calls);
}

static void say_all(const struct one *all, int calls)
{
	uint64_t lo = ~0ULL, hi = 0;
	struct bounds sum = { 0 };
	bool woken, all_woken = true;
	int i;

	for (i = 0; i < calls; i++) {
		woken = all[i].span.slept && all[i].blocked.lo;
		say_one(&all[i], all[i].tid, 1, &all[i].blocked, woken);
		all_woken &= woken;
		truth_end();
		bounds_add(&sum, &all[i].blocked);
		lo = min_ns(lo, all[i].blocked.lo);
		hi = max_ns(hi, all[i].blocked.hi);
	}
	say_one(&all[0], 0, calls, &sum, all_woken);
	truth_range("hist_blocked", lo, hi);
	truth_end();
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	struct one *all;
	int i, calls;

	must(argc == 4);
	wait_ms = (unsigned int)atoi(argv[2]);
	calls = atoi(argv[3]);
	for (i = 0; i < (int)ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, argv[1]))
			kind = &kinds[i];
	must(kind && calls > 0);
	all = calloc((size_t)calls, sizeof(*all));
	pin_self(usable_cpu(1));
	for (i = 0; i < calls; i++) {
		all[i].kind = kind;
		run_one(&all[i], i);
	}
	say_all(all, calls);
	truth_write();
	return 0;
}
