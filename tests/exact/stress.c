// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress THREADS ROUNDS: on each processor threads that make watched calls without a pause, and
 * one more that comes before them many times a millisecond, to make the same. A hook that is
 * interrupted by itself is dropped, and here it would be: the number of calls is known.
 */
#include "truth.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static const char *const names[] = { "write", "read", "poll", "epoll_wait" };
static uint64_t total[ARRAY_SIZE(names)];
static int rounds, busy;
static volatile bool over;
static struct gate begin = GATE_INIT;

static void calls_once(int full, int empty, int ep)
{
	struct pollfd entry = { .fd = empty, .events = POLLIN };
	struct epoll_event event;
	uint64_t value = 1;

	must(write(full, &value, sizeof(value)) == sizeof(value));
	must(read(full, &value, sizeof(value)) == sizeof(value));
	must(syscall(SYS_poll, &entry, 1, 0) == 0);
	must(syscall(SYS_epoll_wait, ep, &event, 1, 0) == 0);
}

struct worker {
	pthread_t thread;
	int cpu;
	bool urgent;
};

static void *work(void *arg)
{
	int full = eventfd(0, EFD_NONBLOCK), empty = eventfd(0, EFD_NONBLOCK);
	int i, ep = epoll_create1(0);
	struct sched_param prio = { .sched_priority = 1 };
	struct epoll_event ev = { .events = EPOLLIN };
	struct timespec pause = { .tv_nsec = 50000 };
	struct worker *w = arg;
	size_t c;

	must(!epoll_ctl(ep, EPOLL_CTL_ADD, empty, &ev));
	pin_self(w->cpu);
	if (w->urgent)
		must(!sched_setscheduler(0, SCHED_FIFO, &prio));
	gate_wait(&begin, 1);
	for (i = 0; w->urgent ? !over : i < rounds; i++) {
		calls_once(full, empty, ep);
		if (w->urgent)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	for (c = 0; c < ARRAY_SIZE(total); c++)
		__atomic_add_fetch(&total[c], (uint64_t)i, __ATOMIC_RELAXED);
	if (!w->urgent && !__atomic_sub_fetch(&busy, 1, __ATOMIC_RELAXED))
		over = true;
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker workers[256];
	cpu_set_t set;
	int i, n, cpus;

	must(argc == 3 && !sched_getaffinity(0, sizeof(set), &set));
	cpus = CPU_COUNT(&set);
	rounds = atoi(argv[2]);
	busy = atoi(argv[1]) * cpus;
	n = busy + cpus;
	must(n <= (int)ARRAY_SIZE(workers));
	for (i = 0; i < n; i++) {
		workers[i] = (struct worker){ .cpu = i % cpus, .urgent = i < cpus };
		workers[i].thread = start(work, &workers[i]);
	}
	gate_set(&begin, 1);
	for (i = 0; i < n; i++)
		pthread_join(workers[i].thread, NULL);
	/* The truth is written by the one write(2) that is not among them. */
	total[0]++;
	for (i = 0; i < (int)ARRAY_SIZE(names); i++) {
		truth_row(names[i]);
		truth_num("calls", total[i]);
		truth_end();
	}
	truth_write();
	return 0;
}
