// SPDX-License-Identifier: GPL-2.0-only
/* service SCENE ...: descriptors of which is known how late they were served, and what was left in them. */
#include "fds.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/sendfile.h>

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
	fd_row_begin(late->chan.in, late->chan.kind);
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

static void scene_unserved(void)
{
	struct chan c = open_chan("pipe");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	put(c, 4);
	for (int i = 0; i < 5; i++)
		wait_for(ep, -1, 1);
	take(c.in, 4);
	fd_row_begin(c.in, "pipe");
	truth_num("reported", 5);
	truth_num("unserved", 4);
	truth_num("lag.reported_to_served.count", 1);
	row_end();
}

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
	fd_row_begin(left.in, "pipe");
	truth_put(",\"reported\":1,\"unserved\":0,\"drained\":0,\"undrained\":1");
	row_end();
	fd_row_begin(all.in, "unix");
	truth_put(",\"reported\":1,\"unserved\":0,\"drained\":1,\"undrained\":0");
	row_end();
	fd_row_begin(none.in, "eventfd");
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
	fd_row_begin(c.in, "udp");
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
	fd_row_begin(fileno(source), "file");
	truth_num("in_bytes", 2000);
	truth_num("out_bytes", sizeof(buf));
	row_end();
	fd_row_begin(c.out, "unix");
	truth_num("in_bytes", 0);
	truth_num("out_bytes", 2000);
	row_end();
	fd_row_begin(c.in, "unix");
	truth_num("in_bytes", 2000);
	truth_num("results.eagain", 1);
	row_end();
	fd_row_begin(p.out, "pipe");
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
	fd_row_begin(kept.in, "pipe");
	truth_num("reported", 3);
	is_true("flags.closed", true);
	truth_num("interest.sets", 1);
	row_end();
	stay();
}

/* left KIND: after one report all is taken, after the next some, and that stays. */
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
	fd_row_begin(c.in, c.kind);
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
	fd_row_begin(c.in, "unix");
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

		fd_row_begin(fd, "pipe");
		truth_put(",\"interest.by\":\"%s\",\"interest.events\":[\"%s\"]", by,
			  i == 2 ? "out" : "in");
		truth_num("reported", i == 1 ? 0 : 4);
		truth_num("unserved", i == 2 ? 4 : 0);
		row_end();
	}
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = {
		{ "unserved", scene_unserved }, { "edge", scene_edge }, { "open", scene_open },
		{ "datagrams", scene_datagrams }, { "moved", scene_moved },
		{ "stale", scene_stale },
	};
	const char *scene = argc > 1 ? argv[1] : "";

	if (!strcmp(scene, "lag") && argc == 6)
		scene_lag(argv[2], number(argv, 3), number(argv, 4), !strcmp(argv[5], "busy"));
	else if (!strcmp(scene, "left") && argc == 4)
		scene_left(argv[2], number(argv, 3));
	else if (!strcmp(scene, "sets") && argc == 3)
		scene_sets(argv[2]);
	else
		run_scene(scenes, ARRAY_SIZE(scenes), scene);
	truth_write();
	return 0;
}
