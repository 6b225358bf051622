/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs for the doctor share. PROGRAM SCENE VARIANT runs one scene until it is killed,
 * or for a minute. VARIANT is
 *	fault	the fault, all the time
 *	rare	the fault in one of a hundred rounds
 *	healthy	the corrected twin under the same traffic
 *
 * The first line on stdout is the truth, one JSON object:
 *	{"rule":R,"scene":S,"variant":V,"pid":P,"tid":T,"fd":N,"evidence":{KEY:[LO,HI],...}}
 * pid is the process to watch, tid the thread at fault and fd the descriptor (null: none, or any);
 * "or_fd" is another number of the same file.
 * The keys of evidence are explained in cases.py. What is left in a descriptor is said in the units
 * of docs/descriptors.md: bytes of TCP, messages of other sockets, buffers of a pipe, connections.
 *
 * The subject is a child of its client, so that who watches the subject and its children does not
 * watch the client.
 */
#ifndef SCENE_H
#define SCENE_H

#include "sockets.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define LIFE_S 60
#define STALL_MS 400		/* then a client gives a stalled server a push */
#define STALL_LO_MS 350
#define STALL_HI_MS 470
#define SETTLE_MS 5		/* of work after an answer: then the next question is there */
#define SLOW_MS 300		/* what is slow takes so long */
#define SLOW_LO_MS 250
#define SLOW_HI_MS 400
#define RARE 100		/* rounds, one of which is at fault */
#define QUESTION_BYTES 100
#define COUNT_MAX 1e9

enum variant { VARIANT_FAULT, VARIANT_RARE, VARIANT_HEALTHY };

struct scene {
	const char *name;
	void (*run)(void);
};

static const char *scene_name;
static enum variant variant;

/* Whether the round that begins now is to show the fault. */
static inline bool fault_now(void)
{
	static __thread unsigned int round;

	round++;
	return variant == VARIANT_FAULT || (variant == VARIANT_RARE && round % RARE == RARE / 2);
}

/* The truth */

#define EVIDENCE_BEGIN ",\"evidence\":{"

static inline void truth_begin(const char *rule, int fd)
{
	static const char *const names[] = { "fault", "rare", "healthy" };

	truth_put("{\"rule\":\"%s\",\"scene\":\"%s\",\"variant\":\"%s\"", rule, scene_name,
		  names[variant]);
	truth_put(",\"pid\":%d,\"tid\":%d", getpid(), self_tid());
	if (fd >= 0)
		truth_put(",\"fd\":%d", fd);
	else
		truth_put(",\"fd\":null");
	truth_put(EVIDENCE_BEGIN);
}

/* Another number by which the same file may be called. */
static inline void truth_or_fd(int fd)
{
	truth_len -= strlen(EVIDENCE_BEGIN);
	truth_put(",\"or_fd\":%d" EVIDENCE_BEGIN, fd);
}

static inline void evidence(const char *key, double lo, double hi)
{
	const char *sep = truth_text[truth_len - 1] == '{' ? "" : ",";

	truth_put("%s\"%s\":[%.10g,%.10g]", sep, key, lo, hi);
}

static inline void truth_tell(void)
{
	truth_put("}}\n");
	must(write(STDOUT_FILENO, truth_text, truth_len) == (ssize_t)truth_len);
}

static inline void tell_nothing(const char *rule, int fd)
{
	truth_begin(rule, fd);
	truth_tell();
}

static inline void tell_stall(const char *rule, int fd, unsigned int least, unsigned int most)
{
	truth_begin(rule, fd);
	evidence("left", least, most);
	evidence("stall_ms", STALL_LO_MS, STALL_HI_MS);
	truth_tell();
}

/* A spin is as fast as the machine and who watches it allow. */
static inline void tell_spin(const char *rule, int fd)
{
	truth_begin(rule, fd);
	if (variant == VARIANT_FAULT) {
		evidence("spins_per_s", 5000, COUNT_MAX);
		evidence("cpu_ms_per_s", 200, 1050);
	} else {
		evidence("spins_per_s", 200, COUNT_MAX);
	}
	truth_tell();
}

/* Processes */

static inline void live_bounded(void)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(LIFE_S);
}

/* fork(), of which no child outlives its parent. */
static inline pid_t fork_bounded(void)
{
	pid_t child = fork();

	must(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		live_bounded();
	}
	return child;
}

/* Returns in the subject; its parent becomes the client, and ends with either of them. */
static inline void with_client(void (*client)(void *arg), void *arg)
{
	pid_t subject = fork_bounded();

	if (!subject)
		return;
	client(arg);
	waitpid(subject, NULL, 0);
	_exit(0);
}

/* For a scene without a client: the parent only waits. */
static inline void no_client(void *arg)
{
	(void)arg;
}

static inline void sleep_on(void)
{
	for (;;)
		pause();
}

/* Lines: two ends connected, of which the near one is the subject's */

struct line {
	int in, out;
	int far_in, far_out;
};

static inline void connect_back(const int fd[2])
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	must(!getsockname(fd[1], (struct sockaddr *)&addr, &len));
	must(!connect(fd[0], (struct sockaddr *)&addr, len));
}

static inline struct line line_open(const char *kind)
{
	int a[2], b[2], on = 1;

	if (!strcmp(kind, "pipe")) {
		pipe_pair(a);
		pipe_pair(b);
		return (struct line){ a[0], b[1], b[0], a[1] };
	}
	if (!strcmp(kind, "tcp")) {
		tcp_pair(a);
		must(!setsockopt(a[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	} else if (!strcmp(kind, "udp")) {
		udp_pair(a);
		connect_back(a);
	} else {
		unix_pair(a);
	}
	return (struct line){ a[0], a[0], a[1], a[1] };
}

static inline void close_both(int in, int out)
{
	close(in);
	if (out != in)
		close(out);
}

static inline void nonblocking(int fd)
{
	must(!fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

/* Clients */

/* What a client says over and over: a question in some pieces, which one byte answers. */
struct talk {
	struct line line;
	size_t bytes;		/* of a piece */
	int pieces;
	unsigned int piece_ms;	/* between two of them */
	unsigned int pause_ms;	/* between an answer and the next question */
	int patience_ms;	/* without an answer it says one byte more; 0: it waits for ever */
};

static inline bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

/* One question and its answer; false when nobody is there any more. */
static inline bool ask(const struct talk *t)
{
	static const char words[1 << 16];
	char answer[64];

	for (int i = 0; i < (t->pieces ?: 1); i++) {
		if (i && t->piece_ms)
			sleep_ms(t->piece_ms);
		if (write(t->line.far_out, words, t->bytes) != (ssize_t)t->bytes)
			return false;
	}
	while (!readable(t->line.far_in, t->patience_ms ?: -1))
		if (write(t->line.far_out, words, 1) != 1)
			return false;
	return read(t->line.far_in, answer, sizeof(answer)) > 0;
}

static inline void *talk_on(void *arg)
{
	const struct talk *t = arg;

	while (ask(t))
		if (t->pause_ms)
			sleep_ms(t->pause_ms);
	return NULL;
}

struct talks {
	struct talk *talk;
	int n;
};

/* The client of several lines: a thread for each. */
static inline void talk_all(void *arg)
{
	const struct talks *all = arg;
	pthread_t threads[all->n];

	for (int i = 0; i < all->n; i++)
		close_both(all->talk[i].line.in, all->talk[i].line.out);
	for (int i = 0; i < all->n; i++)
		threads[i] = start(talk_on, &all->talk[i]);
	for (int i = 0; i < all->n; i++)
		pthread_join(threads[i], NULL);
}

/* Opens the line of each talk and starts who talks there; returns in the subject. */
static inline void with_talks(const char *kind, struct talk *talk, int n)
{
	struct talks all = { talk, n };

	for (int i = 0; i < n; i++)
		talk[i].line = line_open(kind);
	with_client(talk_all, &all);
	for (int i = 0; i < n; i++)
		close_both(talk[i].line.far_in, talk[i].line.far_out);
}

static inline struct line with_talk(const char *kind, struct talk talk)
{
	with_talks(kind, &talk, 1);
	return talk.line;
}

/* The common one. */
static inline struct line with_questions(unsigned int pause_ms)
{
	return with_talk("tcp", (struct talk){ .bytes = QUESTION_BYTES, .pause_ms = pause_ms });
}

/* The same over a connection that the client has made. */
static inline struct talk talk_over(int fd)
{
	return (struct talk){ .line = { .far_in = fd, .far_out = fd }, .bytes = QUESTION_BYTES };
}

/* One connection after the other: asks, hears the answer, closes. */
struct calls {
	struct sockaddr_in addr;
	unsigned int pause_ms;
};

static inline void call_on(void *arg)
{
	const struct calls *calls = arg;

	for (;;) {
		int fd = connect_to(&calls->addr, SOCK_STREAM);
		struct talk t = talk_over(fd);

		ask(&t);
		close(fd);
		sleep_ms(calls->pause_ms);
	}
}

#define BURST 3

/* Three at once; whoever has no answer after a while calls once more. */
static inline void call_in_bursts(void *arg)
{
	const struct sockaddr_in *addr = arg;
	int fd[BURST];
	char byte;

	for (;;) {
		for (int i = 0; i < BURST; i++)
			fd[i] = connect_to(addr, SOCK_STREAM);
		for (int i = 0; i < BURST; i++) {
			while (!readable(fd[i], STALL_MS))
				close(connect_to(addr, SOCK_STREAM));
			must(read(fd[i], &byte, 1) >= 0);
			close(fd[i]);
		}
		sleep_ms(1);
	}
}

/* What subjects do */

static inline int set_new(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	must(ep >= 0);
	return ep;
}

static uint64_t data_above_fd;	/* what epoll's data has above the descriptor */

static inline void control(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events,
				  .data.u64 = data_above_fd << 32 | (uint32_t)fd };

	must(!epoll_ctl(ep, op, fd, &ev));
}

static inline void add(int ep, int fd, uint32_t events)
{
	control(ep, EPOLL_CTL_ADD, fd, events);
}

/* A set of one descriptor, which does not block. */
static inline int set_of(int fd, uint32_t events)
{
	int ep = set_new();

	nonblocking(fd);
	add(ep, fd, events);
	return ep;
}

typedef void (*handler)(int ep, int fd, uint32_t events);

/* The loop: all that is reported is handled; handle(ep, -1, 0) when nothing was for timeout_ms. */
static inline void loop(int ep, int timeout_ms, handler handle)
{
	struct epoll_event got[64];

	for (;;) {
		int n = epoll_wait(ep, got, ARRAY_SIZE(got), timeout_ms);

		must(n >= 0 || errno == EINTR);
		for (int i = 0; i < n; i++)
			handle(ep, got[i].data.fd, got[i].events);
		if (!n)
			handle(ep, -1, 0);
	}
}

static char heard[1 << 16];	/* nobody looks at what was read */

static inline ssize_t hear(int fd, size_t bytes)
{
	ssize_t n = read(fd, heard, bytes);

	must(n >= 0 || errno == EAGAIN || errno == ECONNRESET || errno == ECONNREFUSED);
	return n;
}

/* Reads until nothing is left; returns the bytes. */
static inline size_t drain(int fd)
{
	size_t all = 0;
	ssize_t n;

	while ((n = hear(fd, 4096)) > 0)
		all += (size_t)n;
	return all;
}

static inline void answer(int fd)
{
	must(write(fd, "a", 1) == 1 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
}

static inline void echo(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	if (drain(fd))
		answer(fd);
}

static inline void burn_ns(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static inline int listener_nonblocking(struct sockaddr_in *addr)
{
	int fd = listener(addr);

	nonblocking(fd);
	return fd;
}

/* A connection from the queue of a listener, or -1. */
static inline int welcome(int fd)
{
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	must(conn >= 0 || errno == EAGAIN || errno == ECONNABORTED || errno == EMFILE);
	return conn;
}

/* The program */

static inline enum variant variant_of(const char *name)
{
	if (!strcmp(name, "fault"))
		return VARIANT_FAULT;
	if (!strcmp(name, "rare"))
		return VARIANT_RARE;
	if (!strcmp(name, "healthy"))
		return VARIANT_HEALTHY;
	die("no such variant: %s", name);
	return VARIANT_FAULT;
}

static inline int scene_main(int argc, char **argv, const struct scene *scenes, size_t n)
{
	if (argc != 3)
		die("usage: %s SCENE fault|rare|healthy", argv[0]);
	scene_name = argv[1];
	variant = variant_of(argv[2]);
	live_bounded();
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(scenes[i].name, scene_name)) {
			scenes[i].run();
			return 0;
		}
	}
	die("no such scene: %s", scene_name);
	return 1;
}

#endif
