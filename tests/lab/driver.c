// SPDX-License-Identifier: GPL-2.0-only
/*
 * driver [-s SIZE] PORT CONNECTIONS: a load for the servers of this directory.
 *
 * It opens the connections, has each served once, and says so. Then it reads lines of four numbers
 *
 *   ACTIVE THINK_US WARM_MS MEASURE_MS
 *
 * and answers each with a line of JSON. Of the connections ACTIVE ones, evenly spread, send a
 * message, wait until it has come back whole, think, and send the next; the others are silent. A
 * latency is the time from when a message was due, sent or not, to the last byte of its answer, so
 * that a driver that is late hides nothing. Every byte is compared. Only what is answered within
 * the time measured counts for `rate` and latencies; `total` is all that was answered in the run,
 * for which the server used its CPU time. What cannot be done is {"error": why, "served": clients},
 * exit status 3.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull
#define SECOND (1000 * MS)

/* So long may nothing come before a server is given up. */
#define PATIENCE_NS (3 * SECOND)
/* Opened at a time: less than what a listening socket queues. */
#define OPEN_BATCH 256
#define EVENTS 256
#define OWN_DESCRIPTORS 8
#define SIZE_MAX_BYTES (60 << 10)
#define STAMP 14	/* bytes of a message that tell it from all others */
#define P99_SAMPLES 100

static struct client {
	int fd;
	uint32_t number, messages, sent, got;
	uint64_t due_ns;
	bool waiting;
} *clients;

static int connections, ep;
static uint32_t size = 64;
/* While the connections are opened: those that were served, and those that the server ended. */
static uint32_t served, refused;
static bool opening = true;

/* Those that think, in the order in which they are due: all think for as long. */
static struct client **thinkers;
static uint32_t first, thinking;

static struct {
	uint64_t think_ns, warm_ns, end_ns;
	uint64_t total, in_flight;
	uint64_t *latencies;
	size_t count, room;
} run;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static _Noreturn void give_up(const char *why)
{
	printf("{\"error\":\"%s\",\"served\":%u}\n", why, served);
	exit(3);
}

static _Noreturn void broken(const char *what)
{
	char why[128];

	snprintf(why, sizeof(why), "%s: %s", what, strerror(errno));
	give_up(why);
}

/* While they are opened it is counted how many are served all the same. */
static void lost(struct client *client, const char *why)
{
	if (!opening)
		give_up(why);
	client->waiting = false;
	run.in_flight--;
	refused++;
	epoll_ctl(ep, EPOLL_CTL_DEL, client->fd, NULL);
}

static void message(const struct client *client, char *text)
{
	static char letters[SIZE_MAX_BYTES + 256];
	uint64_t stamp = (uint64_t)client->number << 32 | client->messages;

	if (!*letters)
		for (size_t i = 0; i < sizeof(letters); i++)
			letters[i] = (char)('a' + i * i % 1009 % 26);
	memcpy(text, letters + (client->number + client->messages) % 256, size);
	*text = 'E';
	for (uint32_t i = 1; i < STAMP && i < size; i++, stamp >>= 4)
		text[i] = (char)('A' + (stamp & 15));
	text[size - 1] = '\n';
}

static void send_rest(struct client *client)
{
	char text[SIZE_MAX_BYTES];
	ssize_t sent;

	message(client, text);
	sent = send(client->fd, text + client->sent, size - client->sent, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		lost(client, "a connection was broken by the server");
	if (sent > 0)
		client->sent += (uint32_t)sent;
}

static void ask(struct client *client, uint64_t due_ns)
{
	client->messages++;
	client->sent = client->got = 0;
	client->due_ns = due_ns;
	client->waiting = true;
	run.in_flight++;
	send_rest(client);
}

static void think(struct client *client, uint64_t until_ns)
{
	client->due_ns = until_ns;
	thinkers[(first + thinking++) % (uint32_t)connections] = client;
}

static void note_latency(uint64_t latency_ns)
{
	if (run.count == run.room) {
		run.room = run.room * 2 + 4096;
		run.latencies = reallocarray(run.latencies, run.room, sizeof(*run.latencies));
		if (!run.latencies)
			broken("memory for latencies");
	}
	run.latencies[run.count++] = latency_ns;
}

static void answered(struct client *client)
{
	uint64_t now = now_ns();

	client->waiting = false;
	run.in_flight--;
	run.total++;
	if (opening)
		served++;
	if (now >= run.warm_ns && now < run.end_ns)
		note_latency(now - client->due_ns);
	if (now >= run.end_ns)
		return;
	if (run.think_ns)
		think(client, now + run.think_ns);
	else
		ask(client, now);
}

/* Until it would block; whether something came. */
static bool hear(struct client *client)
{
	char text[SIZE_MAX_BYTES], expected[SIZE_MAX_BYTES];
	bool came = false;

	for (;;) {
		ssize_t got = recv(client->fd, text, sizeof(text), 0);

		if (got < 0 && errno == EAGAIN)
			return came;
		if (got <= 0) {
			lost(client, "a connection was closed by the server");
			return false;
		}
		if (!client->waiting || client->got + got > size)
			give_up("an answer to what was not asked");
		message(client, expected);
		if (memcmp(text, expected + client->got, (size_t)got))
			give_up("an answer that differs from what was asked");
		client->got += (uint32_t)got;
		came = true;
		if (client->got < size)
			continue;
		answered(client);
		return true;	/* there can be no more, or it is an edge to come */
	}
}

/* Sleeps until `until_ns` or events, and serves them; whether an answer came. */
static bool turn(uint64_t until_ns)
{
	struct epoll_event events[EVENTS];
	uint64_t now = now_ns(), left = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = { (time_t)(left / SECOND), (long)(left % SECOND) };
	int ready = epoll_pwait2(ep, events, EVENTS, &timeout, NULL);
	bool came = false;

	for (int i = 0; i < ready; i++) {
		struct client *client = events[i].data.ptr;

		if (client->waiting && client->sent < size)
			send_rest(client);
		came |= hear(client);
	}
	return came;
}

static void ask_those_due(void)
{
	while (thinking && thinkers[first]->due_ns <= now_ns()) {
		struct client *client = thinkers[first];

		first = (first + 1) % (uint32_t)connections;
		thinking--;
		ask(client, client->due_ns);
	}
}

/* Until all that was asked is answered. */
static void finish(void)
{
	uint64_t last = now_ns();

	while (run.in_flight) {
		if (turn(last + PATIENCE_NS))
			last = now_ns();
		else if (now_ns() >= last + PATIENCE_NS)
			give_up("no answer for 3 s");
	}
}

static void connect_one(struct client *client, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client };
	static const struct timeval patience = { .tv_sec = PATIENCE_NS / SECOND };
	/* Closed by a reset, for thousands in TIME_WAIT would be in the next run's way. */
	static const struct linger reset = { .l_onoff = 1 };
	static const int on = 1;

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		broken("a socket");
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(client->fd, (struct sockaddr *)&to, sizeof(to)))
		broken("connect");
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, client->fd, &event))
		broken("epoll_ctl");
}

/* Some at a time, each served once before the next come. */
static void connect_all(uint16_t port)
{
	for (int i = 0; i < connections; i++) {
		clients[i].number = (uint32_t)i;
		connect_one(&clients[i], port);
		ask(&clients[i], now_ns());
		if (i % OPEN_BATCH && i < connections - 1)
			continue;
		finish();
		if (refused)
			give_up("a connection was closed by the server");
	}
	opening = false;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The smallest that so many of a hundred do not exceed. */
static void print_percentile(const char *name, size_t percent, size_t at_least)
{
	if (run.count < at_least)
		printf(",\"%s\":null", name);
	else
		printf(",\"%s\":%ju", name,
		       (uintmax_t)run.latencies[(run.count * percent + 99) / 100 - 1]);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(int active, uint64_t think_us, uint64_t warm_ms, uint64_t measure_ms)
{
	double cpu = cpu_seconds(), wall;
	uint64_t start = now_ns();

	run.think_ns = think_us * 1000;
	run.warm_ns = start + warm_ms * MS;
	run.end_ns = run.warm_ns + measure_ms * MS;
	run.total = run.count = first = thinking = 0;
	for (int i = 0; i < active; i++) {
		struct client *client = &clients[(int64_t)i * connections / active];

		if (run.think_ns)
			think(client, start + run.think_ns * (uint64_t)i / (uint64_t)active);
		else
			ask(client, start);
	}
	while (now_ns() < run.end_ns) {
		turn(thinking && thinkers[first]->due_ns < run.end_ns ? thinkers[first]->due_ns
								     : run.end_ns);
		if (now_ns() < run.end_ns)
			ask_those_due();
	}
	finish();
	wall = (double)(now_ns() - start) / 1e9;
	qsort(run.latencies, run.count, sizeof(*run.latencies), by_value);
	printf("{\"requests\":%zu,\"rate\":%.1f", run.count,
	       (double)run.count / ((double)measure_ms / 1e3));
	print_percentile("p50_ns", 50, 1);
	print_percentile("p99_ns", 99, P99_SAMPLES);
	print_percentile("max_ns", 100, 1);
	printf(",\"total\":%ju,\"seconds\":%.4f,\"driver_cpu\":%.3f}\n", (uintmax_t)run.total, wall,
	       (cpu_seconds() - cpu) / wall);
}

static void raise_limit(void)
{
	struct rlimit limit;
	char why[128];

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < (rlim_t)connections + OWN_DESCRIPTORS) {
		snprintf(why, sizeof(why), "%d connections need %d descriptors, there may be %ju",
			 connections, connections + OWN_DESCRIPTORS, (uintmax_t)limit.rlim_cur);
		give_up(why);
	}
}

static long number(const char *text, long low, long high)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < low || value > high) {
		fprintf(stderr, "not a number from %ld to %ld: %s\n", low, high, text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	uint64_t think_us, warm_ms, measure_ms;
	int option, active;

	while ((option = getopt(argc, argv, "s:")) == 's')
		size = (uint32_t)number(optarg, STAMP + 2, SIZE_MAX_BYTES);
	if (option != -1 || argc - optind != 2) {
		fprintf(stderr, "usage: driver [-s SIZE] PORT CONNECTIONS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	prctl(PR_SET_TIMERSLACK, 1);
	connections = (int)number(argv[optind + 1], 1, 1 << 20);
	raise_limit();
	ep = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc((size_t)connections, sizeof(*clients));
	thinkers = calloc((size_t)connections, sizeof(struct client *));
	if (ep < 0 || !clients || !thinkers)
		broken("memory for clients");
	connect_all((uint16_t)number(argv[optind], 1, UINT16_MAX));
	printf("{\"served\":%u}\n", served);
	while (scanf("%d %ju %ju %ju", &active, &think_us, &warm_ms, &measure_ms) == 4) {
		if (active < 1 || active > connections || !measure_ms)
			give_up("active connections, or a time to measure, that make no sense");
		measure(active, think_us, warm_ms, measure_ms);
	}
	return 0;
}
