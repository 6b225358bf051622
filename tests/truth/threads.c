// SPDX-License-Identifier: GPL-2.0-only
/*
 * threads N stay|leave: N threads at once, each with calls of its own number; with "leave" they
 * end before the program does, and their calls are still in the sums.
 */
#include "truth.h"

#include <poll.h>

static struct gate go = GATE_INIT, done = GATE_INIT, over = GATE_INIT;
static bool leave;

struct one {
	pthread_t thread;
	int i, tid, reads;
};

/* 1..10 reads of 7 bytes and as many polls of 3 descriptors, all written by itself before. */
static void *work(void *arg)
{
	struct one *o = arg;
	struct pollfd fds[3];
	char buf[16];
	int i, p[2];

	o->tid = self_tid();
	o->reads = 1 + o->i % 10;
	must(!pipe(p));
	for (i = 0; i < 3; i++)
		fds[i] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	gate_wait(&go, 1);
	for (i = 0; i < o->reads; i++) {
		must(write(p[1], buf, 7) == 7);
		must(syscall(SYS_poll, fds, 3, -1) == 3);
		must(syscall(SYS_read, p[0], buf, sizeof(buf)) == 7);
	}
	close(p[0]);
	close(p[1]);
	gate_add(&done, 1);
	if (!leave)
		gate_wait(&over, 1);
	return NULL;
}

static void say(const char *call, int tid, int calls)
{
	uint64_t n = (uint64_t)calls;

	truth_row(call);
	if (tid)
		truth_num("tid", (uint64_t)tid);
	truth_num("calls", n);
	if (!strcmp(call, "poll")) {
		truth_num("asked", n * 3);
		truth_num("scanned", n * 3);
		truth_num("ready", n * 3);
		truth_num("passes", n);
	} else {
		truth_num("bytes", n * 7);
	}
	truth_results("ok", calls, NULL);
	truth_end();
}

int main(int argc, char **argv)
{
	struct one *all;
	int i, n, reads = 0;

	must(argc == 3);
	n = atoi(argv[1]);
	leave = !strcmp(argv[2], "leave");
	all = calloc((size_t)n, sizeof(*all));
	for (i = 0; i < n; i++) {
		all[i].i = i;
		all[i].thread = start(work, &all[i]);
	}
	gate_set(&go, 1);
	gate_wait(&done, n);
	for (i = 0; i < n; i++) {
		if (leave)
			pthread_join(all[i].thread, NULL);
		reads += all[i].reads;
		say("poll", all[i].tid, all[i].reads);
		say("read", all[i].tid, all[i].reads);
	}
	say("poll", 0, reads);
	say("read", 0, reads);
	truth_write();
	return 0;
}
