// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan [LARGEST]: what one call of select, poll and epoll_wait costs, by the size of the set. A
 * line of JSON for each size, CPU time in ns, medians:
 *
 *   X_ns         a call that finds one descriptor ready and does not sleep
 *   X_asleep_ns  a call that sleeps until one becomes ready
 *   X_all_ns     a call that finds all of them ready
 *   X_sets_ns    the sets alone, in and out of the kernel: empty bitmaps of that length, or an
 *                array of entries that poll passes over. Part of X_ns; epoll has none
 *   X_walk_ns    what user space does after the call to find the one that is ready, the last
 *
 * The descriptors are connected UNIX sockets. The sets of select are larger than an fd_set where
 * they have to be; the kernel does not mind.
 */
#include "micro.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SLICE_NS 2000000
#define SLEEPS 20
#define WORD_BITS (8 * (int)sizeof(long))
#define STEPS_MAX 100000

static int *fds, count, nfds, ep;
static struct pollfd *polled, *skipped;
static long *wanted, *found, *nothing;
static size_t set_bytes;
static struct epoll_event *events;
static volatile int sink;

static int ready_select(struct timeval *timeout)
{
	memcpy(found, wanted, set_bytes);
	return (int)syscall(SYS_select, nfds, found, NULL, NULL, timeout);
}

static int call_select(bool sleep)
{
	struct timeval now = {};

	return ready_select(sleep ? NULL : &now);
}

static int call_poll(bool sleep)
{
	return poll(polled, (nfds_t)count, sleep ? -1 : 0);
}

static int call_epoll(bool sleep)
{
	return epoll_wait(ep, events, count, sleep ? -1 : 0);
}

static int sets_select(bool sleep)
{
	struct timeval now = {};

	(void)sleep;
	return (int)syscall(SYS_select, nfds, nothing, NULL, NULL, &now);
}

static int sets_poll(bool sleep)
{
	(void)sleep;
	return poll(skipped, (nfds_t)count, 0);
}

/* As a server does it: a test of each descriptor it has, until as many as were reported. */
static int walk_select(bool sleep)
{
	(void)sleep;
	for (int i = 0; i < count; i++)
		if (found[fds[i] / WORD_BITS] >> (fds[i] % WORD_BITS) & 1)
			sink = fds[i];
	return 0;
}

static int walk_poll(bool sleep)
{
	(void)sleep;
	for (int i = 0; i < count; i++)
		if (polled[i].revents)
			sink = polled[i].fd;
	return 0;
}

/* The CPU time of one. */
static double time_of(int (*call)(bool sleep))
{
	double slices[SLICES];
	uint64_t start, steps = 1, took;

	/* As many as fill a slice. */
	for (;;) {
		start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		for (uint64_t i = 0; i < steps; i++)
			call(false);
		took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
		if (took >= SLICE_NS || steps >= STEPS_MAX)
			break;
		steps *= 2;
	}
	for (int slice = 0; slice < SLICES; slice++) {
		start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		for (uint64_t i = 0; i < steps; i++)
			call(false);
		slices[slice] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)steps;
	}
	return median_of(slices);
}

/* Makes the last descriptor ready whenever it is told to. */
static int orders[2];

static void *waker(void *arg)
{
	char order;

	while (read(orders[0], &order, 1) == 1)
		must(write(fds[(count - 1) ^ 1], "x", 1));
	return arg;
}

static void drain(int fd)
{
	char byte;

	must(read(fd, &byte, 1));
}

/* The CPU time of one that sleeps, without what it takes to look at the clock. */
static double asleep(int (*call)(bool sleep))
{
	double slices[SLICES], clock_cost[SLICES];

	for (int slice = 0; slice < SLICES; slice++) {
		uint64_t spent = 0, start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		for (int i = 0; i < SLEEPS; i++)
			clock_ns(CLOCK_THREAD_CPUTIME_ID);
		clock_cost[slice] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / SLEEPS;
		for (int i = 0; i < SLEEPS; i++) {
			must(write(orders[1], "x", 1));
			start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
			must(call(true));
			spent += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
			drain(fds[count - 1]);
		}
		slices[slice] = (double)spent / SLEEPS;
	}
	return median_of(slices) - median_of(clock_cost);
}

static void *zeroed(size_t n, size_t each)
{
	void *memory = calloc(n, each);

	if (!memory)
		must(-1);
	return memory;
}

static void set_up(int n)
{
	count = n;
	fds = zeroed((size_t)n, sizeof(*fds));
	for (int i = 0; i < n; i += 2)
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds + i));
	nfds = fds[n - 1] + 1;
	set_bytes = (size_t)(nfds / WORD_BITS + 1) * sizeof(long);
	wanted = zeroed(1, set_bytes);
	found = zeroed(1, set_bytes);
	nothing = zeroed(1, set_bytes);
	polled = zeroed((size_t)n, sizeof(*polled));
	skipped = zeroed((size_t)n, sizeof(*skipped));
	events = zeroed((size_t)n, sizeof(*events));
	ep = must(epoll_create1(0));
	for (int i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i] };

		wanted[fds[i] / WORD_BITS] |= 1l << (fds[i] % WORD_BITS);
		polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		skipped[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		must(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
	}
}

static void tear_down(void)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
	close(ep);
	free(fds);
	free(wanted);
	free(found);
	free(nothing);
	free(polled);
	free(skipped);
	free(events);
}

static const struct {
	const char *name;
	int (*call)(bool sleep), (*sets)(bool sleep), (*walk)(bool sleep);
} ways[] = {
	{ "select", call_select, sets_select, walk_select },
	{ "poll", call_poll, sets_poll, walk_poll },
	{ "epoll", call_epoll, NULL, NULL },
};

#define WAYS (sizeof(ways) / sizeof(*ways))

static void measure(int n)
{
	pthread_t thread;

	set_up(n);
	printf("{\"descriptors\":%d", n);
	must(pipe(orders));
	must(-pthread_create(&thread, NULL, waker, NULL));
	for (size_t i = 0; i < WAYS; i++)
		printf(",\"%s_asleep_ns\":%.0f", ways[i].name, asleep(ways[i].call));
	close(orders[1]);
	pthread_join(thread, NULL);
	close(orders[0]);

	must(write(fds[(n - 1) ^ 1], "x", 1));
	for (size_t i = 0; i < WAYS; i++) {
		printf(",\"%s_ns\":%.0f", ways[i].name, time_of(ways[i].call));
		if (ways[i].walk)
			printf(",\"%s_walk_ns\":%.0f", ways[i].name, time_of(ways[i].walk));
		if (ways[i].sets)
			printf(",\"%s_sets_ns\":%.0f", ways[i].name, time_of(ways[i].sets));
	}
	for (int i = 0; i < n - 1; i++)
		must(write(fds[i ^ 1], "x", 1));
	for (size_t i = 0; i < WAYS; i++)
		printf(",\"%s_all_ns\":%.0f", ways[i].name, time_of(ways[i].call));
	puts("}");
	fflush(stdout);
	tear_down();
}

int main(int argc, char **argv)
{
	static const int sizes[] = { 2, 4, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000 };
	int allowed = descriptors_allowed(), largest = argc > 1 ? atoi(argv[1]) : 10000;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (sizes[i] <= largest && sizes[i] + 16 <= allowed)
			measure(sizes[i]);
	return 0;
}
