// SPDX-License-Identifier: GPL-2.0-only
/* descriptors SCENE ...: descriptors of which is known what became of each. */
#include "fds.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>

static void row_of_fd(int fd, const char *kind)
{
	row_begin();
	truth_put(",\"fd\":%d,\"kind\":\"%s\"},\"is\":{\"calls\":[0,%d]", fd, kind, INT32_MAX);
}

/* Lag */

struct late {
	struct chan chan;
	struct gate go;
	int times, ms;
	uint64_t put0[64], put1[64];	/* around each write */
};

static void *late_writer(void *arg)
{
	struct late *late = arg;

	for (int i = 0; i < late->times; i++) {
		gate_wait(&late->go, i + 1);
		sleep_ms(2);
		late->put0[i] = now_ns();
		put(late->chan, 8);
		late->put1[i] = now_ns();
	}
	return NULL;
}

/* One round, as the loop sees it: around its wait, and around its read. */
struct round {
	uint64_t wait0, wait1, read0, read1;
};

/* What iophase must say of these rounds, by when the data was put there. */
static void lag_row(const struct late *late, const struct round *rounds)
{
	uint64_t report_lo = 0, report_hi = 0, serve_lo = 0, serve_hi = 0;
	int met = 0;	/* rounds in which it may have come while the loop waited */

	for (int i = 0; i < late->times; i++) {
		const struct round *r = &rounds[i];

		report_lo += less_ns(max_ns(r->wait0, late->put0[i]), late->put1[i]);
		report_hi += r->wait1 - late->put0[i];
		serve_lo += r->read0 - r->wait1;
		serve_hi += r->read1 - max_ns(r->wait0, late->put0[i]);
		met += late->put1[i] >= r->wait0;
	}
	row_of_fd(late->chan.in, late->chan.kind);
	truth_num("reported", (uint64_t)late->times);
	truth_num("unserved", 0);
	truth_num("lag.reported_to_served.count", (uint64_t)late->times);
	truth_range("lag.reported_to_served.ns", serve_lo, serve_hi);
	/* Level-triggered, it is asked in each wait, and can be found ready before it says so itself. */
	truth_put(",\"timed\":{\"lag.ready_to_reported.count\":[%d,%d],\"lag.untimed\":[0,%d],"
		  "\"lag.ready_to_reported.ns\":[%" PRIu64 ",%" PRIu64 "]}",
		  late->times - met, late->times, met, report_lo, report_hi);
	truth_put(",\"untimed\":{\"lag.untimed\":[%d,%d],\"lag.untimed_most_ns\":[%" PRIu64 ",%"
		  PRIu64 "]}", late->times - met, late->times, report_lo, UINT64_MAX >> 2);
	row_end();
}

/*
 * lag KIND MS TIMES idle: the loop waits for the data, and serves it MS later.
 * lag KIND MS TIMES busy: the loop does something else when it comes, and waits MS later.
 */
static void scene_lag(const char *kind, int ms, int times, bool busy)
{
	struct late late = { .chan = open_chan(kind), .go = GATE_INIT, .times = times, .ms = ms };
	struct round rounds[64];
	int ep = epoll_new();
	pthread_t writer;

	must(times <= 64);
	control(ep, EPOLL_CTL_ADD, late.chan.in, EPOLLIN, 7);
	writer = start(late_writer, &late);
	for (int i = 0; i < times; i++) {
		struct round *r = &rounds[i];

		gate_set(&late.go, i + 1);
		if (busy)
			sleep_ms((unsigned int)ms + 2);
		r->wait0 = now_ns();
		wait_for(ep, -1, 1);
		r->wait1 = now_ns();
		if (!busy)
			sleep_ms((unsigned int)ms);
		r->read0 = now_ns();
		take(late.chan.in, 8);
		r->read1 = now_ns();
	}
	pthread_join(writer, NULL);
	lag_row(&late, rounds);
}

/* Identity */

/* reuse N: a pair of sockets, each time of the same numbers, and other bytes through each. */
static void scene_reuse(int n)
{
	uint64_t bytes = 0;
	int fd[2];

	for (int i = 0; i < n; i++) {
		struct chan c;

		must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		c = (struct chan){ fd[0], fd[1], "unix" };
		put(c, i % 7 + 1);
		take(c.in, i % 7 + 1);
		bytes += (uint64_t)(i % 7 + 1);
		close(fd[0]);
		close(fd[1]);
	}
	/* Of each of the 2 N files one call, whose bytes are those of its own pair. */
	truth_put("{\"where\":{\"tgid\":%d,\"fd\":%d,\"kind\":\"unix\"},\"rows\":%d,"
		  "\"each\":{\"calls\":1,\"in_bytes\":[1,7],\"out_bytes\":0,\"flags.closed\":true},"
		  "\"sum\":{\"calls\":%d,\"in_bytes\":%" PRIu64 "}}\n", getpid(), fd[0], n, n, bytes);
	truth_put("{\"where\":{\"tgid\":%d,\"fd\":%d,\"kind\":\"unix\"},\"rows\":%d,"
		  "\"each\":{\"calls\":1,\"out_bytes\":[1,7],\"in_bytes\":0,\"flags.closed\":true},"
		  "\"sum\":{\"calls\":%d,\"out_bytes\":%" PRIu64 "}}\n", getpid(), fd[1], n, n, bytes);
}

/* churn N: so many that they cannot all be kept: nothing may be missing from their sum. */
static void scene_churn(int n)
{
	for (int i = 0; i < n; i++) {
		struct chan c = open_chan("eventfd");

		put(c, 8);
		take(c.in, 8);
		close(c.in);
	}
	truth_put("{\"where\":{},\"kinds\":[\"eventfd\",\"merged\"],\"rows\":null,"
		  "\"sum\":{\"in_bytes\":%d,\"out_bytes\":%d}}\n", 8 * n, 8 * n);
}

static void scene_dup(void)
{
	struct chan c = open_chan("pipe");
	int other = dup(c.in), third = 200;

	put(c, 30);
	take(c.in, 10);
	take(other, 10);
	must(dup2(c.in, third) == third);
	close(c.in);
	close(other);
	take(third, 10);
	row_of_fd(third, "pipe");
	truth_num("calls", 3);
	truth_num("in_bytes", 30);
	is_true("flags.closed", false);
	row_end();
	row_of_fd(c.out, "pipe");
	truth_num("out_bytes", 30);
	row_end();
}

static void in_child(void (*fn)(int fd), int fd)
{
	pid_t child = fork();
	int status;

	must(child >= 0);
	if (!child) {
		fn(fd);
		_exit(0);
	}
	must(waitpid(child, &status, 0) == child && !status);
}

static void take_ten(int fd)
{
	take(fd, 10);
}

static void scene_fork(void)
{
	struct chan c = open_chan("pipe");

	put(c, 30);
	take(c.in, 10);
	in_child(take_ten, c.in);
	take(c.in, 10);
	row_of_fd(c.in, "pipe");
	truth_num("calls", 3);
	truth_num("in_bytes", 30);
	is_true("flags.shared", true);
	is_true("flags.closed", false);
	row_end();
}

/* An open file travels to another process, which reads from it. */
static void receive_and_take(int sock)
{
	char control_buf[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control_buf,
			      .msg_controllen = sizeof(control_buf) };
	int fd;

	must(recvmsg(sock, &msg, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	take(fd, 10);
}

static void send_descriptor(int road, int fd)
{
	char control_buf[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control_buf,
			      .msg_controllen = sizeof(control_buf) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	must(sendmsg(road, &msg, 0) == 1);
}

static void scene_passed(void)
{
	struct chan c, road = open_chan("unix");
	pid_t child = fork();
	int status;

	must(child >= 0);
	if (!child) {
		receive_and_take(road.in);
		_exit(0);
	}
	c = open_chan("pipe");	/* after the fork: the child has it by the message alone */
	put(c, 20);
	take(c.in, 10);
	send_descriptor(road.out, c.in);
	must(waitpid(child, &status, 0) == child && !status);
	row_of_fd(c.in, "pipe");
	truth_num("calls", 2);
	truth_num("in_bytes", 20);
	is_true("flags.shared", true);
	row_end();
}

/* exec: what is not passed on ends with the old program, and its number is used again. */
static void scene_exec(const char *self)
{
	struct chan c = open_chan("pipe");
	char in[16], out[16];

	must(!fcntl(c.in, F_SETFD, FD_CLOEXEC));
	put(c, 10);
	take(c.in, 10);
	snprintf(in, sizeof(in), "%d", c.in);
	snprintf(out, sizeof(out), "%d", c.out);
	execl(self, self, "exec2", in, out, NULL);
	die("exec");
}

static void scene_exec2(int in, int out)
{
	int fd[2];

	close(out);
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	must(fd[0] == in);
	put((struct chan){ fd[0], fd[1], "unix" }, 3);
	take(fd[0], 3);
	row_of_fd(in, "unix");
	truth_num("calls", 1);
	truth_num("in_bytes", 3);
	row_end();
	row_of_fd(in, "pipe");
	truth_num("calls", 1);
	truth_num("in_bytes", 10);
	is_true("flags.closed", true);
	row_end();
}

/* Interest */

/* data FORM: what a program lets epoll remember may be anything. */
static void scene_data(const char *form)
{
	struct chan chans[3];
	int ep = epoll_new();

	for (int i = 0; i < 3; i++) {
		uint64_t data;

		chans[i] = open_chan("pipe");
		if (!strcmp(form, "pointer"))
			data = (uint64_t)(uintptr_t)&chans[i];
		else if (!strcmp(form, "garbage"))
			data = (uint64_t)chans[i].in | 0xdeadbeefull << 32;
		else
			data = (uint64_t)chans[i].in;
		control(ep, EPOLL_CTL_ADD, chans[i].in, EPOLLIN | (i == 2 ? EPOLLET : 0), data);
	}
	for (int turn = 0; turn < 6; turn++) {
		int ready = turn % 3 + 1;

		for (int i = 0; i < ready; i++)
			put(chans[i], 5);
		wait_for(ep, -1, ready);
		for (int i = 0; i < ready; i++)
			take(chans[i].in, 5);
	}
	for (int i = 0; i < 3; i++) {
		row_of_fd(chans[i].in, "pipe");
		truth_num("reported", (uint64_t)(6 - 2 * i));
		truth_num("reported_with.in", (uint64_t)(6 - 2 * i));
		truth_num("unserved", 0);
		truth_num("in_bytes", (uint64_t)(6 - 2 * i) * 5);
		is_true("interest.et", i == 2);
		is_true("interest.ambiguous", false);
		truth_num("interest.sets", 1);
		row_end();
	}
}

static void scene_ambiguous(void)
{
	struct chan a = open_chan("pipe"), b = open_chan("pipe"), c = open_chan("pipe");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, a.in, EPOLLIN, 1);
	control(ep, EPOLL_CTL_ADD, b.in, EPOLLIN, 1);
	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 2);
	put(a, 1);
	put(c, 1);
	wait_for(ep, -1, 2);
	for (int i = 0; i < 2; i++) {
		row_of_fd(i ? b.in : a.in, "pipe");
		is_null("reported");
		is_null("lag");
		is_true("interest.ambiguous", true);
		row_end();
	}
	row_of_fd(c.in, "pipe");
	truth_num("reported", 1);
	is_true("interest.ambiguous", false);
	row_end();
}

static void scene_oneshot(void)
{
	struct chan c = open_chan("pipe");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN | EPOLLONESHOT, 1);
	put(c, 9);
	wait_for(ep, -1, 1);
	take(c.in, 3);
	wait_for(ep, 0, 0);
	control(ep, EPOLL_CTL_MOD, c.in, EPOLLIN | EPOLLONESHOT, 2);	/* and by other data */
	wait_for(ep, -1, 1);
	take(c.in, 6);
	row_of_fd(c.in, "pipe");
	truth_num("reported", 2);
	truth_num("unserved", 0);
	truth_num("undrained", 1);
	is_true("interest.oneshot", true);
	truth_put(",\"interest.data\":\"0x2\"");
	row_end();
}

static void scene_registered(void)
{
	struct chan c = open_chan("pipe"), gone = open_chan("pipe");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN | EPOLLRDHUP, 1);
	control(ep, EPOLL_CTL_ADD, gone.in, EPOLLIN, 2);
	put(gone, 1);
	wait_for(ep, -1, 1);
	control(ep, EPOLL_CTL_DEL, gone.in, 0, 0);
	row_of_fd(c.in, "pipe");
	truth_put(",\"interest.mask\":\"0x2019\"");
	truth_num("reported", 0);
	row_end();
	row_of_fd(gone.in, "pipe");
	is_null("interest");
	truth_num("reported", 1);
	row_end();
}

/* nested: the inner instance is a descriptor of the outer one. */
static void scene_nested(void)
{
	struct chan c = open_chan("pipe");
	int outer = epoll_new(), inner = epoll_new();

	control(inner, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2);
	for (int i = 0; i < 3; i++) {
		put(c, 2);
		wait_for(outer, -1, 1);
		wait_for(inner, 0, 1);
		take(c.in, 2);
	}
	row_of_fd(inner, "epoll");
	truth_num("reported", 3);
	truth_num("unserved", 0);
	truth_num("lag.reported_to_served.count", 3);
	row_end();
	row_of_fd(c.in, "pipe");
	truth_num("reported", 3);
	row_end();
}

struct taker {
	int ep, taken;
	struct gate *go;
};

static void *exclusive_thread(void *arg)
{
	struct taker *taker = arg;
	struct epoll_event event;
	uint64_t value;

	gate_add(taker->go, 1);
	while (true) {
		must(epoll_wait(taker->ep, &event, 1, -1) == 1);
		if (event.data.u64 == 2)
			return NULL;
		if (read((int)event.data.u64, &value, 8) == 8)
			__atomic_add_fetch(&taker->taken, 1, __ATOMIC_RELAXED);
	}
}

/* exclusive N: one eventfd in the sets of four threads, of which one is woken for each event. */
static void scene_exclusive(int events)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE), stop = eventfd(0, 0);
	struct gate go = GATE_INIT;
	struct taker takers[4];
	pthread_t threads[4];
	uint64_t one = 1;
	int served = 0;

	for (int i = 0; i < 4; i++) {
		takers[i] = (struct taker){ epoll_new(), 0, &go };
		control(takers[i].ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, (uint64_t)fd);
		control(takers[i].ep, EPOLL_CTL_ADD, stop, EPOLLIN, 2);
		threads[i] = start(exclusive_thread, &takers[i]);
	}
	gate_wait(&go, 4);
	for (int i = 0; i < events; i++) {
		must(write(fd, &one, 8) == 8);
		sleep_ms(2);
	}
	while (served < events) {
		sleep_ms(1);
		served = 0;
		for (int i = 0; i < 4; i++)
			served += __atomic_load_n(&takers[i].taken, __ATOMIC_RELAXED);
	}
	must(served == events);
	must(write(stop, &one, 8) == 8);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	row_of_fd(fd, "eventfd");
	is_true("interest.exclusive", true);
	truth_num("interest.sets", 4);
	truth_num("in_bytes", (uint64_t)events * 8);
	truth_num("out_bytes", (uint64_t)events * 8);
	truth_range("reported", (uint64_t)events, (uint64_t)events * 4);
	row_end();
}

/* Service */

static void scene_unserved(void)
{
	struct chan c = open_chan("pipe");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	put(c, 4);
	for (int i = 0; i < 5; i++)
		wait_for(ep, -1, 1);
	take(c.in, 4);
	row_of_fd(c.in, "pipe");
	truth_num("reported", 5);
	truth_num("unserved", 4);
	truth_num("lag.reported_to_served.count", 1);
	row_end();
}

/* left KIND: after one report all is taken, after the next some, and that stays. */
/* open: the last reports of descriptors that stay open; some time later they are what they are. */
static void scene_open(void)
{
	struct chan left = open_chan("pipe"), all = open_chan("unix"), none = open_chan("eventfd");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, left.in, EPOLLIN | EPOLLET, 1);
	control(ep, EPOLL_CTL_ADD, all.in, EPOLLIN | EPOLLET, 2);
	control(ep, EPOLL_CTL_ADD, none.in, EPOLLIN | EPOLLET, 3);
	go_on();
	put(left, 10);
	put(all, 10);
	put(none, 8);
	wait_for(ep, -1, 3);
	take(left.in, 5);
	take(all.in, 10);
	sleep_ms(300);
	row_of_fd(left.in, "pipe");
	truth_put(",\"reported\":1,\"unserved\":0,\"drained\":0,\"undrained\":1");
	row_end();
	row_of_fd(all.in, "unix");
	truth_put(",\"reported\":1,\"unserved\":0,\"drained\":1,\"undrained\":0");
	row_end();
	row_of_fd(none.in, "eventfd");
	truth_put(",\"reported\":1,\"unserved\":1,\"drained\":0,\"undrained\":0");
	row_end();
	stay();
}

/* datagrams: one of no bytes is no end, one that was cut is as long as what there was room for. */
static void scene_datagrams(void)
{
	struct chan c = open_chan("udp");
	int ep = epoll_new();
	char buf[10];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	must(!send(c.out, buf, 0, 0) && !send(c.out, buf, 0, 0));
	put(c, 1000);
	wait_for(ep, -1, 1);
	must(!recv(c.in, buf, sizeof(buf), 0));		/* two are left */
	wait_for(ep, -1, 1);
	must(recv(c.in, buf, 1, MSG_PEEK) == 0);	/* and still are */
	wait_for(ep, -1, 1);
	must(!recv(c.in, buf, sizeof(buf), 0));
	must(recvmsg(c.in, &msg, MSG_TRUNC) == 1000);
	row_of_fd(c.in, "udp");
	truth_put(",\"reported\":3,\"unserved\":0,\"undrained\":2,\"drained\":1");
	truth_num("in_bytes", sizeof(buf));
	truth_num("left.count", 0);
	row_end();
}

/* sendfile: both its ends; and splice: both of its. */
static void scene_moved(void)
{
	struct chan c = open_chan("unix"), p = open_chan("pipe");
	FILE *source = tmpfile();
	char buf[3000] = { 0 };

	must(source && fwrite(buf, 1, sizeof(buf), source) == sizeof(buf) && !fflush(source));
	must(sendfile(c.out, fileno(source), &(off_t){ 0 }, 2000) == 2000);
	must(splice(c.in, NULL, p.out, NULL, 1500, 0) == 1500);
	must(splice(c.in, NULL, p.out, NULL, 1500, SPLICE_F_NONBLOCK) == 500);
	must(splice(c.in, NULL, p.out, NULL, 1500, SPLICE_F_NONBLOCK) < 0 && errno == EAGAIN);
	row_of_fd(fileno(source), "file");
	truth_num("in_bytes", 2000);
	truth_num("out_bytes", sizeof(buf));
	row_end();
	row_of_fd(c.out, "unix");
	truth_num("in_bytes", 0);
	truth_num("out_bytes", 2000);
	row_end();
	row_of_fd(c.in, "unix");
	truth_num("in_bytes", 2000);
	truth_num("results.eagain", 1);
	row_end();
	row_of_fd(p.out, "pipe");
	truth_num("out_bytes", 2000);
	truth_num("results.eagain", 1);
	row_end();
}

/* stale: closed, but kept open by a message that nobody receives, so that it is still reported. */
static void scene_stale(void)
{
	struct chan kept = open_chan("pipe"), road = open_chan("unix");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, kept.in, EPOLLIN | EPOLLET, 13);
	go_on();
	send_descriptor(road.out, kept.in);
	close(kept.in);
	for (int i = 0; i < 3; i++) {
		put(kept, 1);
		wait_for(ep, -1, 1);
	}
	sleep_ms(300);
	row_of_fd(kept.in, "pipe");
	truth_num("reported", 3);
	is_true("flags.closed", true);
	truth_num("interest.sets", 1);
	row_end();
	stay();
}

/* twosets: in two, taken out of the last; and in two, of which one has another by the same data. */
static void scene_twosets(void)
{
	struct chan c = open_chan("pipe"), a = open_chan("pipe"), b = open_chan("pipe");
	int one = epoll_new(), two = epoll_new();

	control(one, EPOLL_CTL_ADD, c.in, EPOLLIN, 11);
	control(two, EPOLL_CTL_ADD, c.in, EPOLLIN | EPOLLET, 12);
	control(two, EPOLL_CTL_DEL, c.in, 0, 0);
	control(one, EPOLL_CTL_ADD, a.in, EPOLLIN, 7);
	control(two, EPOLL_CTL_ADD, a.in, EPOLLIN, 1);
	control(one, EPOLL_CTL_ADD, b.in, EPOLLIN, 7);
	row_of_fd(c.in, "pipe");
	truth_put(",\"interest.data\":\"0xb\",\"interest.sets\":1,\"interest.et\":false");
	row_end();
	row_of_fd(a.in, "pipe");
	is_true("interest.ambiguous", true);
	truth_num("interest.sets", 2);
	row_end();
	row_of_fd(b.in, "pipe");
	is_true("interest.ambiguous", true);
	row_end();
}

/* instances: what a closed instance knew is forgotten; more of it than there is room for. */
static void scene_instances(void)
{
	struct chan c = open_chan("pipe");
	int ep;

	for (uint64_t i = 0; i < 140000; i++) {
		ep = epoll_new();
		control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, i);
		close(ep);
	}
	put(c, 1);
	take(c.in, 1);
	row_of_fd(c.in, "pipe");
	is_null("interest");
	truth_num("reported", 0);
	row_end();
}

/* listens: registered, and only then bound and listened on, as some libraries do. */
static void scene_listens(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_new();
	socklen_t len = sizeof(addr);

	control(ep, EPOLL_CTL_ADD, listener, EPOLLIN, 1);
	must(!bind(listener, (void *)&addr, len) && !listen(listener, 5));
	must(!getsockname(listener, (void *)&addr, &len));
	for (int i = 0; i < 3; i++)
		must(!connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&addr, len));
	for (int i = 0; i < 2; i++) {
		wait_for(ep, -1, 1);
		must(accept(listener, NULL, NULL) >= 0);
	}
	row_of_fd(listener, "listener");
	truth_put(",\"reported\":2,\"drained\":0,\"undrained\":2");
	truth_put(",\"left\":{\"count\":1,\"unit\":\"connections\"}");
	row_end();
}

#define THREAD_POLLS 10

static void *poll_own(void *arg)
{
	struct chan c = open_chan("pipe");
	struct pollfd entry = { .fd = c.in, .events = POLLIN };

	(void)arg;
	put(c, 1);
	for (int i = 0; i < THREAD_POLLS; i++)
		must(poll(&entry, 1, -1) == 1);
	return NULL;
}

/* threads N: each polls a pipe of its own; what is reported of which is known beyond all rows of loops. */
static void scene_threads(int n)
{
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));

	allow_files((rlim_t)n * 2 + 100);
	for (int i = 0; i < n; i++)
		must(!pthread_create(&threads[i], NULL, poll_own, NULL));
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	truth_put("{\"where\":{\"tgid\":%d,\"reported\":%d},\"kinds\":[\"pipe\"],\"rows\":%d,"
		  "\"sum\":{\"reported\":%d}}\n", getpid(), THREAD_POLLS, n, n * THREAD_POLLS);
}

static void scene_left(const char *kind, int unit)
{
	struct chan c = open_chan(kind);
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	put(c, 100);
	wait_for(ep, -1, 1);
	take(c.in, 100);
	put(c, 100);
	if (!unit)
		put(c, 100);
	wait_for(ep, -1, 1);
	take(c.in, unit ? 40 : 100);
	wait_for(ep, -1, 1);
	row_of_fd(c.in, c.kind);
	truth_num("reported", 3);
	truth_num("drained", 1);
	truth_num("undrained", 1);
	truth_num("left.count", (uint64_t)(unit ? : 1));
	truth_num("queued.count", (uint64_t)(unit ? : 1));
	row_end();
}

/* EAGAIN says that it is drained. */
static void scene_edge(void)
{
	struct chan c = open_chan("unix");
	int ep = epoll_new();
	char buf[8];

	must(!fcntl(c.in, F_SETFL, O_NONBLOCK));
	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 4; i++) {
		put(c, 16);
		wait_for(ep, -1, 1);
		while (read(c.in, buf, sizeof(buf)) > 0)
			;
		must(errno == EAGAIN);
	}
	put(c, 16);
	wait_for(ep, -1, 1);
	row_of_fd(c.in, "unix");
	truth_num("reported", 5);
	truth_num("drained", 4);
	truth_num("undrained", 0);
	truth_num("results.eagain", 4);
	truth_num("calls", 12);
	is_true("flags.nonblock", true);
	is_true("interest.et", true);
	row_end();
}

static void scene_sets(const char *by)
{
	struct chan a = open_chan("pipe"), b = open_chan("pipe");
	bool use_poll = !strcmp(by, "poll");

	for (int i = 0; i < 4; i++) {
		struct pollfd fds[] = { { a.in, POLLIN, 0 }, { b.in, POLLIN, 0 }, { b.out, POLLOUT, 0 } };
		fd_set in, out;

		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_SET(a.in, &in);
		FD_SET(b.in, &in);
		FD_SET(b.out, &out);
		put(a, 3);
		if (use_poll)
			must(poll(fds, 3, -1) == 2);
		else
			must(select(b.out + 1, &in, &out, NULL, NULL) == 2);
		take(a.in, 3);
	}
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? a.in : i == 1 ? b.in : b.out;

		row_of_fd(fd, "pipe");
		truth_put(",\"interest.by\":\"%s\",\"interest.events\":[\"%s\"]", by,
			  i == 2 ? "out" : "in");
		truth_num("reported", i == 1 ? 0 : 4);
		truth_num("unserved", i == 2 ? 4 : 0);
		row_end();
	}
}

/* Watched from outside */

/* many N KIND: of N in one instance a few have something to say. */
static void scene_many(int n, const char *kind)
{
	struct chan *chans = calloc((size_t)n, sizeof(*chans));
	int ep = epoll_new();

	allow_files(2 * (rlim_t)n + 100);
	go_on();
	for (int i = 0; i < n; i++) {
		chans[i] = open_chan(kind);
		control(ep, EPOLL_CTL_ADD, chans[i].in, EPOLLIN, (uint64_t)i);
	}
	for (int i = 0; i < n; i += 100) {
		put(chans[i], 8);
		wait_for(ep, -1, 1);
		take(chans[i].in, 8);
	}
	truth_put("{\"where\":{\"tgid\":%d,\"kind\":\"%s\",\"interest.by\":\"epoll\"},\"rows\":%d,"
		  "\"each\":{\"interest.mask\":\"0x19\",\"reported\":[0,1],\"unserved\":0},"
		  "\"sum\":{\"reported\":%d,\"in_bytes\":%d}}\n", getpid(), kind, n, (n + 99) / 100,
		  (n + 99) / 100 * 8);
	stay();
}

/* thread: what one thread of several does, of which it alone is watched. */
static void *thread_scene(void *arg)
{
	struct chan c = open_chan("pipe");
	int ep = epoll_new();

	(void)arg;
	prctl(PR_SET_NAME, "fds-worker");
	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	go_on();
	for (int i = 0; i < 5; i++) {
		put(c, 2);
		wait_for(ep, -1, 1);
		take(c.in, 2);
	}
	row_of_fd(c.in, "pipe");
	truth_num("reported", 5);
	truth_num("in_bytes", 10);
	is_true("flags.closed", false);
	truth_put(",\"interest.by\":\"epoll\"");
	row_end();
	stay();
	return NULL;
}

static void scene_thread(void)
{
	pthread_join(start(thread_scene, NULL), NULL);
}

/* before: registered, and left so, before iophase comes; stdin tells when it has. */
static void scene_before(void)
{
	struct chan a = open_chan("pipe"), b = open_chan("unix");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, a.in, EPOLLIN | EPOLLET, 0xabcdef0123456789ull);
	control(ep, EPOLL_CTL_ADD, b.in, EPOLLIN, 2);
	go_on();
	for (int i = 0; i < 3; i++) {
		put(a, 2);
		wait_for(ep, -1, 1);
		take(a.in, 2);
	}
	row_of_fd(a.in, "pipe");
	truth_num("reported", 3);
	is_true("interest.et", true);
	is_null("interest.since_ns");
	truth_put(",\"interest.data\":\"0xabcdef0123456789\"");
	row_end();
	row_of_fd(b.in, "unix");
	truth_num("reported", 0);
	is_true("interest.et", false);
	row_end();
	stay();
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = {
		{ "dup", scene_dup }, { "fork", scene_fork }, { "passed", scene_passed },
		{ "ambiguous", scene_ambiguous }, { "oneshot", scene_oneshot },
		{ "registered", scene_registered }, { "nested", scene_nested },
		{ "unserved", scene_unserved }, { "edge", scene_edge }, { "before", scene_before },
		{ "thread", scene_thread }, { "open", scene_open }, { "datagrams", scene_datagrams },
		{ "moved", scene_moved }, { "twosets", scene_twosets }, { "stale", scene_stale },
		{ "instances", scene_instances }, { "listens", scene_listens },
	};
	const char *scene = argc > 1 ? argv[1] : "";

	if (!strcmp(scene, "lag") && argc == 6)
		scene_lag(argv[2], number(argv, 3), number(argv, 4), !strcmp(argv[5], "busy"));
	else if (!strcmp(scene, "reuse") && argc == 3)
		scene_reuse(number(argv, 2));
	else if (!strcmp(scene, "churn") && argc == 3)
		scene_churn(number(argv, 2));
	else if (!strcmp(scene, "exec"))
		scene_exec(argv[0]);
	else if (!strcmp(scene, "exec2"))
		scene_exec2(number(argv, 2), number(argv, 3));
	else if (!strcmp(scene, "data") && argc == 3)
		scene_data(argv[2]);
	else if (!strcmp(scene, "left") && argc == 4)
		scene_left(argv[2], number(argv, 3));
	else if (!strcmp(scene, "threads") && argc == 3)
		scene_threads(number(argv, 2));
	else if (!strcmp(scene, "sets") && argc == 3)
		scene_sets(argv[2]);
	else if (!strcmp(scene, "exclusive") && argc == 3)
		scene_exclusive(number(argv, 2));
	else if (!strcmp(scene, "many") && argc == 4)
		scene_many(number(argv, 2), argv[3]);
	else
		run_scene(scenes, ARRAY_SIZE(scenes), scene);
	truth_write();
	return 0;
}
