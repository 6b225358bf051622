// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event-loop round trip: roundtrip [-t THREADS] [-c CPU[,CPU]]
 *
 * Threads in a ring, each with an epoll set of its own. One byte's worth goes round: a thread
 * returns from epoll_wait, reads, writes to the next and waits again. One step is one round trip
 * between two neighbours: both sides' write, epoll_wait and read, that is 6 calls, and the 2
 * switches between them when both are on one CPU.
 */
#include "load.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define HOPS_A_TRIP 2
#define STACK_BYTES (64 << 10)

struct station {
	int events, set;
	struct station *next;
};

static struct station *ring;
static long nr_threads = 2;
static int cpus[2] = { 0, 0 };

static void pass_on(struct station *station)
{
	static const uint64_t one = 1;

	must(write(station->next->events, &one, sizeof(one)));
}

static void await(struct station *station)
{
	struct epoll_event events[BATCH];
	uint64_t count;

	must(epoll_wait(station->set, events, BATCH, -1));
	must(read(station->events, &count, sizeof(count)));
}

static void *stand(void *arg)
{
	struct station *station = arg;

	pin(cpus[(station - ring) % 2]);
	for (;;) {
		await(station);
		pass_on(station);
	}
	return NULL;
}

static double go_round(long trips)
{
	long laps = (trips * HOPS_A_TRIP + nr_threads - 1) / nr_threads;

	for (long i = 0; i < laps; i++) {
		pass_on(ring);
		await(ring);
	}
	return (double)laps * nr_threads / HOPS_A_TRIP;
}

static void build_ring(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	ring = calloc(nr_threads, sizeof(*ring));
	if (!ring)
		die("calloc");
	for (long i = 0; i < nr_threads; i++) {
		ring[i].set = must(epoll_create1(0));
		ring[i].events = must(eventfd(0, 0));
		ring[i].next = &ring[(i + 1) % nr_threads];
		must(epoll_ctl(ring[i].set, EPOLL_CTL_ADD, ring[i].events, &event));
	}
}

static void start_threads(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (long i = 1; i < nr_threads; i++) {
		errno = pthread_create(&thread, &attr, stand, &ring[i]);
		if (errno)
			die("pthread_create");
	}
	pin(cpus[0]);
}

static void parse_cpus(char *text)
{
	char *comma = strchr(text, ',');

	if (comma)
		*comma = '\0';
	cpus[0] = number_of(text);
	cpus[1] = comma ? number_of(comma + 1) : cpus[0];
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "t:c:")) != -1) {
		if (option == 't')
			nr_threads = number_of(optarg);
		else if (option == 'c')
			parse_cpus(optarg);
		else
			return 2;
	}
	raise_descriptor_limit();
	build_ring();
	start_threads();
	return serve_runs(go_round);
}
