// SPDX-License-Identifier: GPL-2.0-only
/* models SCENE ...: input by models of which is known what part each has. */
#include "fds.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>

/* Opens the row of @model; row_end() closes it. */
static void row_of_model(const char *model, int calls, int bytes)
{
	row_begin();
	truth_put(",\"model\":\"%s\"},\"is\":{\"calls\":%d,\"in_bytes\":%d", model, calls, bytes);
}

static void is_share(const char *of, double share)
{
	truth_put(",\"share.%s\":[%.6f,%.6f]", of, share - 1e-6, share + 1e-6);
}

static void no_row_of(const char *model)
{
	pthread_mutex_lock(&truth_lock);
	truth_put("{\"where\":{\"tgid\":%d,\"model\":\"%s\"},\"rows\":0,\"sum\":{}}\n", getpid(), model);
	pthread_mutex_unlock(&truth_lock);
}

static void set_nonblock(int fd)
{
	must(!fcntl(fd, F_SETFL, O_NONBLOCK));
}

/* Waiting for one descriptor to be readable, by one way or the other. */
struct way {
	const char *model;
	bool epoll;
	uint32_t edge;
	void (*wait)(int fd, int timeout_ms, int ready);
};

static void wait_select(int fd, int timeout_ms, int ready)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	must(select(fd + 1, &set, NULL, NULL, timeout_ms < 0 ? NULL : &tv) == ready);
}

static void wait_poll(int fd, int timeout_ms, int ready)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };

	must(poll(&entry, 1, timeout_ms) == ready);
}

static const struct way ways[] = {
	{ "select", false, 0, wait_select }, { "poll", false, 0, wait_poll },
	{ "epoll-lt", true, 0, wait_for }, { "epoll-et", true, EPOLLET, wait_for },
};

static const struct way *way_of(const char *model)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!strcmp(ways[i].model, model))
			return &ways[i];
	}
	die("no such model: %s", model);
	return NULL;
}

/* What the wait of @way is called on: @fd, or an epoll instance that has it. */
static int registered(const struct way *way, int fd)
{
	int ep;

	if (!way->epoll)
		return fd;
	ep = epoll_new();
	control(ep, EPOLL_CTL_ADD, fd, EPOLLIN | way->edge, 7);
	return ep;
}

#define PIECE 1000

/* Seven pieces of ten are read as they come, three when they are reported; one wait finds nothing. */
static void scene_mix(const char *model)
{
	struct chan plain = open_chan("pipe"), told = open_chan("unix");
	const struct way *way = way_of(model);
	int on;

	set_nonblock(told.in);
	on = registered(way, told.in);
	for (int i = 0; i < 100; i++) {
		if (i % 10 < 7) {
			put(plain, PIECE);
			take(plain.in, PIECE);
			continue;
		}
		put(told, PIECE);
		way->wait(on, -1, 1);
		take(told.in, PIECE);
	}
	way->wait(on, 0, 0);
	row_of_model("blocking", 70, 70 * PIECE);
	is_share("calls", 0.7);
	is_share("bytes", 0.7);
	is_null("waits");
	row_end();
	row_of_model(model, 30, 30 * PIECE);
	is_share("calls", 0.3);
	is_share("bytes", 0.3);
	truth_num("waits.count", 31);
	truth_num("waits.ready", 30);
	truth_num("waits.empty", 1);
	truth_num("waits.asked", 31);
	truth_num("waits.scanned", way->epoll && !way->edge ? 31 : way->epoll ? 30 : 31);
	row_end();
	no_row_of("nonblocking");
}

/* Until it has something, it is asked again and again. */
static void scene_spin(int times)
{
	struct chan c = open_chan("unix"), dont = open_chan("unix");
	char byte;

	set_nonblock(c.in);
	for (int i = 0; i < times; i++)
		must_fail(read(c.in, &byte, 1), EAGAIN);
	put(c, 100);
	take(c.in, 100);
	must_fail(recv(dont.in, &byte, 1, MSG_DONTWAIT), EAGAIN);
	row_of_model("nonblocking", times + 2, 100);
	truth_num("results.eagain", (uint64_t)times + 1);
	truth_num("results.ok", 1);
	is_share("calls", 1);
	is_null("waits");
	row_end();
	no_row_of("blocking");
}

struct delayed {
	struct chan chan;
	struct gate go;
};

static void *write_late(void *arg)
{
	struct delayed *d = arg;

	gate_wait(&d->go, 1);
	sleep_ms(20);
	put(d->chan, PIECE);
	return NULL;
}

/* It is waited for, and yet it is read when nothing is there, and when nobody said that there is. */
static void scene_untold(const char *model)
{
	struct delayed d = { .chan = open_chan("unix") };
	const struct way *way = way_of(model);
	int on = registered(way, d.chan.in);
	pthread_t writer = start(write_late, &d);

	put(d.chan, PIECE);
	way->wait(on, -1, 1);
	take(d.chan.in, PIECE / 2);	/* there is more, which was reported, too */
	take(d.chan.in, PIECE / 2);
	put(d.chan, PIECE);
	take(d.chan.in, PIECE);		/* it does not sleep, but could not know */
	gate_set(&d.go, 1);
	take(d.chan.in, PIECE);		/* sleeps */
	pthread_join(writer, NULL);
	row_of_model(model, 2, PIECE);
	truth_num("blocked_ns", 0);
	row_end();
	row_of_model("blocking", 2, 2 * PIECE);
	truth_range("blocked_ns", 10 * MSEC, 10000 * MSEC);
	row_end();
}

/* Drained, as edge-triggered descriptors are; then asked again with no report in between. */
static void scene_drained(const char *model)
{
	struct chan c = open_chan("unix");
	const struct way *way = way_of(model);
	int on = registered(way, c.in);
	char byte;

	set_nonblock(c.in);
	for (int i = 0; i < 5; i++) {
		put(c, PIECE);
		way->wait(on, -1, 1);
		take(c.in, PIECE);
		must_fail(read(c.in, &byte, 1), EAGAIN);
	}
	for (int i = 0; i < 7; i++)
		must_fail(read(c.in, &byte, 1), EAGAIN);
	row_of_model(model, 10, 5 * PIECE);
	truth_num("results.eagain", 5);
	row_end();
	row_of_model("nonblocking", 7, 0);
	truth_num("results.eagain", 7);
	row_end();
}

/* A regular file is always ready, whatever its flags say. */
static void scene_file(void)
{
	char buf[PIECE] = { 0 }, path[] = "/tmp/iophase-models-XXXXXX";
	int fd = mkstemp(path);

	must(fd >= 0 && !unlink(path) && write(fd, buf, PIECE) == PIECE);
	set_nonblock(fd);
	for (int i = 0; i < 4; i++)
		must(pread(fd, buf, PIECE, 0) == PIECE);
	row_of_model("blocking", 4, 4 * PIECE);
	row_end();
	no_row_of("nonblocking");
}

static void row_of_thread(const char *model, int calls)
{
	row_begin();
	truth_put(",\"tid\":%d,\"model\":\"%s\"},\"is\":{\"calls\":%d,\"in_bytes\":%d", self_tid(), model,
		  calls, calls * PIECE);
	is_share("calls", 1);
	is_share("bytes", 1);
	row_end();
}

static void *poller(void *arg)
{
	struct chan *c = arg;

	for (int i = 0; i < 11; i++) {
		put(*c, PIECE);
		wait_poll(c->in, -1, 1);
		take(c->in, PIECE);
	}
	row_of_thread("poll", 11);
	return NULL;
}

static void *reader(void *arg)
{
	struct chan *c = arg;

	for (int i = 0; i < 13; i++) {
		put(*c, PIECE);
		take(c->in, PIECE);
	}
	row_of_thread("blocking", 13);
	return NULL;
}

static void scene_threads(void)
{
	struct chan a = open_chan("tcp"), b = open_chan("tcp");
	pthread_t first = start(poller, &a), second = start(reader, &b);

	pthread_join(first, NULL);
	pthread_join(second, NULL);
}

/* The kind tells it from what had the number before the program began. */
static void row_of_fd(struct chan c, const char *model, int calls, double share)
{
	row_begin();
	truth_put(",\"fd\":%d,\"kind\":\"%s\",\"model\":\"%s\"},\"is\":{\"calls\":%d,\"in_bytes\":%d",
		  c.in, c.kind, model, calls, calls * PIECE);
	is_share("calls", share);
	is_null("waits");
	row_end();
}

/* Each descriptor has a mix of its own; one is closed before it is looked at. */
static void scene_fds(void)
{
	struct chan a = open_chan("unix"), b = open_chan("tcp");
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, a.in, EPOLLIN, 1);
	for (int i = 0; i < 8; i++) {
		put(a, PIECE);
		if (i < 6)
			wait_for(ep, -1, 1);
		take(a.in, PIECE);
		put(b, PIECE);
		take(b.in, PIECE);
	}
	row_of_fd(a, "epoll-lt", 6, 0.75);
	row_of_fd(a, "blocking", 2, 0.25);
	row_of_fd(b, "blocking", 8, 1);
	close(b.in);
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = {
		{ "file", scene_file }, { "threads", scene_threads }, { "fds", scene_fds },
	};
	const char *scene = argc > 1 ? argv[1] : "";

	if (!strcmp(scene, "mix") && argc == 3)
		scene_mix(argv[2]);
	else if (!strcmp(scene, "spin") && argc == 3)
		scene_spin(number(argv, 2));
	else if (!strcmp(scene, "untold") && argc == 3)
		scene_untold(argv[2]);
	else if (!strcmp(scene, "drained") && argc == 3)
		scene_drained(argv[2]);
	else
		run_scene(scenes, ARRAY_SIZE(scenes), scene);
	truth_write();
	return 0;
}
