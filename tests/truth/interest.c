// SPDX-License-Identifier: GPL-2.0-only
/* interest SCENE ...: descriptors of which is known what they are registered for, and in which sets. */
#include "fds.h"

#include <fcntl.h>

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
		fd_row_begin(chans[i].in, "pipe");
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
		fd_row_begin(i ? b.in : a.in, "pipe");
		is_null("reported");
		is_null("lag");
		is_true("interest.ambiguous", true);
		row_end();
	}
	fd_row_begin(c.in, "pipe");
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
	fd_row_begin(c.in, "pipe");
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
	fd_row_begin(c.in, "pipe");
	truth_put(",\"interest.mask\":\"0x2019\"");
	truth_num("reported", 0);
	row_end();
	fd_row_begin(gone.in, "pipe");
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
	fd_row_begin(inner, "epoll");
	truth_num("reported", 3);
	truth_num("unserved", 0);
	truth_num("lag.reported_to_served.count", 3);
	row_end();
	fd_row_begin(c.in, "pipe");
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
	fd_row_begin(fd, "eventfd");
	is_true("interest.exclusive", true);
	truth_num("interest.sets", 4);
	truth_num("in_bytes", (uint64_t)events * 8);
	truth_num("out_bytes", (uint64_t)events * 8);
	truth_range("reported", (uint64_t)events, (uint64_t)events * 4);
	row_end();
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
	fd_row_begin(c.in, "pipe");
	truth_put(",\"interest.data\":\"0xb\",\"interest.sets\":1,\"interest.et\":false");
	row_end();
	fd_row_begin(a.in, "pipe");
	is_true("interest.ambiguous", true);
	truth_num("interest.sets", 2);
	row_end();
	fd_row_begin(b.in, "pipe");
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
	fd_row_begin(c.in, "pipe");
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
	fd_row_begin(listener, "listener");
	truth_put(",\"reported\":2,\"drained\":0,\"undrained\":2");
	truth_put(",\"left\":{\"count\":1,\"unit\":\"connections\"}");
	row_end();
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
	fd_row_begin(a.in, "pipe");
	truth_num("reported", 3);
	is_true("interest.et", true);
	is_null("interest.since_ns");
	truth_put(",\"interest.data\":\"0xabcdef0123456789\"");
	row_end();
	fd_row_begin(b.in, "unix");
	truth_num("reported", 0);
	is_true("interest.et", false);
	row_end();
	stay();
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = {
		{ "ambiguous", scene_ambiguous }, { "oneshot", scene_oneshot },
		{ "registered", scene_registered }, { "nested", scene_nested },
		{ "before", scene_before }, { "twosets", scene_twosets },
		{ "instances", scene_instances }, { "listens", scene_listens },
	};
	const char *scene = argc > 1 ? argv[1] : "";

	if (!strcmp(scene, "data") && argc == 3)
		scene_data(argv[2]);
	else if (!strcmp(scene, "exclusive") && argc == 3)
		scene_exclusive(number(argv, 2));
	else
		run_scene(scenes, ARRAY_SIZE(scenes), scene);
	truth_write();
	return 0;
}
