// SPDX-License-Identifier: GPL-2.0-only
/* loops SCENE ...: event loops of which is known how their turns went. */
#include "fds.h"

#include <poll.h>

static void row_of_loop(const char *by, const char *key, long value)
{
	row_begin();
	truth_put(",\"loop.by\":\"%s\",\"loop.%s\":%ld},\"is\":{\"calls\":[0,%d]", by, key, value,
		  INT32_MAX);
}

struct writes {
	struct chan chan;
	int times;
	struct gate go;
};

static void *slow_writer(void *arg)
{
	struct writes *writes = arg;

	for (int i = 0; i < writes->times; i++) {
		gate_wait(&writes->go, i + 1);
		sleep_ms(10);
		put(writes->chan, 4);
	}
	return NULL;
}

/* turns: of each turn 10 ms are spent on the CPU, 20 asleep, and about 10 in a read that blocks. */
static void scene_turns(void)
{
	struct writes writes = { .chan = open_chan("pipe"), .times = 5, .go = GATE_INIT };
	struct chan c = open_chan("pipe");
	struct bounds turn = { 0 }, slept = { 0 }, blocked = { 0 };
	pthread_t writer = start(slow_writer, &writes);
	int ep = epoll_new();

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	put(c, 1);
	for (int i = 0; i < 5; i++) {
		uint64_t before = now_ns(), after, t0, t1, t2;

		wait_for(ep, 0, 1);
		after = now_ns();
		t0 = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		while (clock_ns(CLOCK_THREAD_CPUTIME_ID) - t0 < 10 * MSEC)
			;
		t0 = now_ns();
		sleep_ms(20);
		t1 = now_ns();
		gate_set(&writes.go, i + 1);
		t2 = now_ns();
		take(writes.chan.in, 4);
		blocked.lo += 10 * MSEC;
		blocked.hi += now_ns() - t2;
		slept.lo += 20 * MSEC;
		slept.hi += t1 - t0 + 10 * MSEC;	/* a lock of the gate may be held */
		t2 = now_ns();
		turn.lo += t2 - after;
		turn.hi += t2 - before + 10 * MSEC;
	}
	wait_for(ep, 0, 1);
	pthread_join(writer, NULL);
	row_of_loop("epoll", "epfd", ep);
	truth_num("loop.turns.count", 5);
	truth_range("loop.turns.wall_ns", turn.lo, turn.hi);
	truth_range("loop.turns.blocked_in.other", slept.lo, slept.hi);
	truth_range("loop.turns.blocked_in.read", blocked.lo - blocked.lo / 4, blocked.hi);
	truth_range("loop.turns.on_cpu_ns", 49 * MSEC, turn.hi - slept.lo);
	truth_num("loop.waits", 6);
	truth_num("loop.events", 6);
	truth_num("loop.threads", 1);
	truth_put(",\"loop.utilisation\":[0.05,1.0]");
	row_end();
}

static void scene_waits(void)
{
	struct chan c[3] = { open_chan("pipe"), open_chan("pipe"), open_chan("pipe") };
	struct epoll_event two[2];
	int ep = epoll_new();

	for (int i = 0; i < 3; i++) {
		control(ep, EPOLL_CTL_ADD, c[i].in, EPOLLIN, (uint64_t)i);
		put(c[i], 1);
	}
	must(epoll_wait(ep, two, 2, -1) == 2);
	must(epoll_wait(ep, two, 2, -1) == 2);
	wait_for(ep, -1, 3);
	for (int i = 0; i < 3; i++)
		take(c[i].in, 1);
	wait_for(ep, 0, 0);
	wait_for(ep, 5, 0);
	control(ep, EPOLL_CTL_MOD, c[0].in, EPOLLIN, 9);
	control(ep, EPOLL_CTL_DEL, c[1].in, 0, 0);
	wait_for(ep, 0, 0);
	row_of_loop("epoll", "epfd", ep);
	truth_num("loop.waits", 6);
	truth_num("loop.turns.count", 5);
	truth_num("loop.full", 2);
	truth_num("loop.empty", 3);
	truth_num("loop.events", 7);
	truth_num("loop.unknown_events", 0);
	/* The three at first were before it was a loop. */
	truth_num("loop.ctl_calls", 2);
	row_end();
}

struct shared_loop {
	int ep, waits;
	struct gate *go;
	pid_t tid;
};

static void *loop_thread(void *arg)
{
	struct shared_loop *loop = arg;

	loop->tid = self_tid();
	gate_wait(loop->go, 1);
	for (int i = 0; i < loop->waits; i++) {
		struct epoll_event event;

		must(epoll_wait(loop->ep, &event, 1, 1) == 0);
	}
	return NULL;
}

/* Waits for what does not come. */
static void *idle_thread(void *arg)
{
	struct shared_loop *loop = arg;
	struct epoll_event event;

	loop->tid = self_tid();
	gate_add(loop->go, 1);
	epoll_wait(loop->ep, &event, 1, -1);
	return NULL;
}

static void *poll_thread(void *arg)
{
	struct shared_loop *loop = arg;

	loop->tid = self_tid();
	gate_wait(loop->go, 1);
	for (int i = 0; i < loop->waits; i++)
		must(poll(NULL, 0, 1) == 0);
	return NULL;
}

/* loops: two threads share an instance, one has its own, one polls, and a child inherits one. */
static void scene_loops(void)
{
	struct gate go = GATE_INIT;
	int shared = epoll_new(), own = epoll_new(), status;
	struct shared_loop loops[4] = {
		{ shared, 3, &go, 0 }, { shared, 4, &go, 0 }, { own, 5, &go, 0 }, { -1, 6, &go, 0 },
	};
	pthread_t threads[4];
	pid_t child;

	for (int i = 0; i < 4; i++)
		threads[i] = start(i == 3 ? poll_thread : loop_thread, &loops[i]);
	gate_set(&go, 1);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	child = fork();
	if (!child) {
		wait_for(own, 1, 0);
		wait_for(own, 1, 0);
		_exit(0);
	}
	must(waitpid(child, &status, 0) == child && !status);
	row_of_loop("epoll", "epfd", shared);
	truth_num("loop.waits", 7);
	truth_num("loop.turns.count", 5);
	truth_num("loop.threads", 2);
	row_end();
	row_of_loop("epoll", "epfd", own);
	truth_num("loop.waits", 5);
	truth_num("loop.turns.count", 4);
	truth_num("loop.threads", 1);
	row_end();
	row_of_loop("poll", "tid", loops[3].tid);
	truth_num("loop.waits", 6);
	truth_num("loop.turns.count", 5);
	row_end();
	truth_put("{\"where\":{\"tgid\":%d,\"loop.by\":\"epoll\",\"loop.epfd\":%d},"
		  "\"is\":{\"loop.waits\":2,\"loop.turns.count\":1}}\n", child, own);
}

/* batch N: so many are reported at once; those beyond 1,024 are not followed. */
static void scene_batch(int n)
{
	struct epoll_event *events = calloc((size_t)n, sizeof(*events));
	int ep = epoll_new();

	allow_files((rlim_t)n + 100);
	for (int i = 0; i < n; i++)
		control(ep, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN, (uint64_t)i);
	must(epoll_wait(ep, events, n, -1) == n);
	must(epoll_wait(ep, events, 1, -1) == 1);
	row_of_loop("epoll", "epfd", ep);
	truth_num("loop.events", (uint64_t)n + 1);
	truth_num("loop.truncated_events", n > 1024 ? (uint64_t)n - 1024 : 0);
	truth_num("loop.unknown_events", 0);
	truth_num("loop.full", 2);
	row_end();
	if (n > 1024)
		truth_put("{\"lost\":{\"reports_cut\":%d}}\n", n - 1024);
}

/* stuck: a turn that does not end while it is watched; beside it a loop that only waits. */
static void scene_stuck(void)
{
	struct chan c = open_chan("pipe");
	int ep = epoll_new(), idle = epoll_new();
	struct shared_loop waits = { .ep = idle, .go = &(struct gate)GATE_INIT };
	uint64_t since;

	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	control(idle, EPOLL_CTL_ADD, c.in, EPOLLIN | EPOLLET, 2);
	put(c, 1);
	wait_for(idle, 0, 1);
	start(idle_thread, &waits);
	gate_wait(waits.go, 1);
	wait_asleep(waits.tid);
	go_on();
	wait_for(ep, -1, 1);
	since = now_ns();
	sleep_ms(300);
	row_of_loop("epoll", "epfd", ep);
	truth_num("loop.waits", 1);
	truth_num("loop.turns.count", 0);
	truth_num("loop.turns.under_way.threads", 1);
	truth_range("loop.turns.under_way.oldest_ns", now_ns() - since, 60000 * MSEC);
	truth_put(",\"loop.utilisation\":[0.2,1.0]");
	row_end();
	row_of_loop("epoll", "epfd", idle);
	truth_num("loop.waits", 0);
	truth_num("loop.descriptors", 1);
	truth_num("loop.threads", 1);
	truth_put(",\"loop.utilisation\":[0.0,0.0]");
	row_end();
	stay();
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = {
		{ "turns", scene_turns }, { "waits", scene_waits }, { "loops", scene_loops },
		{ "stuck", scene_stuck },
	};
	const char *scene = argc > 1 ? argv[1] : "";

	if (!strcmp(scene, "batch") && argc == 3)
		scene_batch(number(argv, 2));
	else
		run_scene(scenes, ARRAY_SIZE(scenes), scene);
	truth_write();
	return 0;
}
