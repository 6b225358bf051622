// SPDX-License-Identifier: GPL-2.0-only
/* waits SCENE VARIANT: waits that do not wait, look at too much, report too little, or are not. */
#include "scene.h"

#include <sys/select.h>

/* zero-timeout: a loop that never sleeps, by each call */

typedef bool (*waiter)(int ep, int fd, int timeout_ms);

static bool wait_epoll(int ep, int fd, int timeout_ms)
{
	struct epoll_event got[8];

	(void)fd;
	return epoll_wait(ep, got, ARRAY_SIZE(got), timeout_ms) > 0;
}

static bool wait_poll(int ep, int fd, int timeout_ms)
{
	(void)ep;
	return readable(fd, timeout_ms);
}

static bool wait_select(int ep, int fd, int timeout_ms)
{
	struct timeval tv = { .tv_usec = timeout_ms * 1000 };
	fd_set set;

	(void)ep;
	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, timeout_ms < 0 ? NULL : &tv) > 0;
}

/* timeouts: of the waits, one after the other, over and over */
static void wait_with(waiter wait, const int *timeouts_ms, int n)
{
	struct line line = with_questions(10);
	int ep = set_of(line.in, EPOLLIN);

	truth_begin("zero-timeout", -1);
	evidence("spins_per_s", 5000, COUNT_MAX);
	evidence("cpu_ms_per_s", 200, 1050);
	truth_tell();
	for (int i = 0;; i = (i + 1) % n)
		if (wait(ep, line.in, timeouts_ms[i]))
			echo(ep, line.in, 0);
}

static void busy(waiter wait)
{
	const int timeout_ms = variant == VARIANT_HEALTHY ? -1 : 0;

	wait_with(wait, &timeout_ms, 1);
}

static void busy_epoll(void)
{
	busy(wait_epoll);
}

static void busy_poll(void)
{
	busy(wait_poll);
}

static void busy_select(void)
{
	busy(wait_select);
}

/* A look without waiting before each wait, as many loops do: no fault. */
static void look_then_wait(void)
{
	static const int timeouts_ms[] = { 0, -1 };

	wait_with(wait_epoll, timeouts_ms, 2);
}

/* eagain-polling: reads instead of waits */

static void eagain_polling(void)
{
	struct line line = with_questions(10);

	truth_begin("eagain-polling", line.in);
	evidence("eagain_share", 0.9, 1);
	evidence("spins_per_s", 5000, COUNT_MAX);
	evidence("cpu_ms_per_s", 200, 1050);
	truth_tell();
	/* The twin drains until EAGAIN when it is told to: that is half of its reads. */
	if (variant == VARIANT_HEALTHY)
		loop(set_of(line.in, EPOLLIN | EPOLLET), -1, echo);
	nonblocking(line.in);
	for (;;)
		echo(-1, line.in, 0);
}

/* The same with a nap between the reads: less of the CPU, and late. */
static void eagain_napping(void)
{
	struct line line = with_questions(10);
	struct timespec nap = to_timespec(100000);

	truth_begin("eagain-polling", line.in);
	evidence("eagain_share", 0.9, 1);
	evidence("spins_per_s", 1000, 10000);
	truth_tell();
	if (variant == VARIANT_HEALTHY)
		loop(set_of(line.in, EPOLLIN | EPOLLET), -1, echo);
	nonblocking(line.in);
	for (;;) {
		echo(-1, line.in, 0);
		nanosleep(&nap, NULL);
	}
}

/* scan-waste: many idle descriptors beside one that is busy */

#define POLLED 2000
#define SELECTED 700

static void tell_scan(int idle)
{
	truth_begin("scan-waste", -1);
	evidence("asked", idle + 1, idle + 1);
	/* Once, and once more after a sleep. */
	evidence("scanned_per_ready", 0.9 * idle, 2.1 * (idle + 1));
	truth_tell();
}

static void open_idle(int *fds, int n)
{
	for (int i = 0; i < n; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		must(fds[i] >= 0);
	}
}

static void poll_many(int fd, const int *idle, int n)
{
	static struct pollfd all[POLLED + 1];

	all[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	for (int i = 0; i < n; i++)
		all[i + 1] = (struct pollfd){ .fd = idle[i], .events = POLLIN };
	while (poll(all, (nfds_t)n + 1, -1) > 0)
		if (all[0].revents)
			echo(-1, fd, 0);
}

static void select_many(int fd, const int *idle, int n)
{
	fd_set all, set;

	FD_ZERO(&all);
	FD_SET(fd, &all);
	for (int i = 0; i < n; i++)
		FD_SET(idle[i], &all);
	while (set = all, select(idle[n - 1] + 1, &set, NULL, NULL, NULL) > 0)
		if (FD_ISSET(fd, &set))
			echo(-1, fd, 0);
}

static void epoll_many(int fd, const int *idle, int n)
{
	int ep = set_of(fd, EPOLLIN);

	for (int i = 0; i < n; i++)
		add(ep, idle[i], EPOLLIN);
	loop(ep, -1, echo);
}

/* pause_ms: between questions. The twin has the same descriptors in an epoll set. */
static void scan(void (*watch)(int fd, const int *idle, int n), int n, unsigned int pause_ms)
{
	static int idle[POLLED];
	struct line line = with_talk("unix", (struct talk){ .bytes = QUESTION_BYTES,
							    .pause_ms = pause_ms });

	nonblocking(line.in);
	open_idle(idle, n);
	tell_scan(n);
	if (variant == VARIANT_HEALTHY)
		watch = epoll_many;
	watch(line.in, idle, n);
}

static void scan_poll(void)
{
	scan(poll_many, POLLED, 0);
}

static void scan_select(void)
{
	scan(select_many, SELECTED, 0);
}

/* A few descriptors, or many that are seldom asked for: no fault. */
static void scan_few(void)
{
	scan(poll_many, 4, 0);
}

static void scan_seldom(void)
{
	scan(poll_many, 1000, 500);
}

/* fd-setsize: a set larger than an fd_set, in memory of its own; the descriptor is its highest */

#define SET_WORDS 64
#define WORD_BITS (8 * sizeof(unsigned long))

static void select_up_to(int fd, int nfds)
{
	unsigned long set[SET_WORDS];

	for (;;) {
		memset(set, 0, sizeof(set));
		set[(size_t)fd / WORD_BITS] |= 1UL << ((size_t)fd % WORD_BITS);
		/* Not through libc, which may look at the size of an fd_set. */
		if (syscall(SYS_select, nfds, set, NULL, NULL, NULL) == 1)
			echo(-1, fd, 0);
	}
}

/* number: of the descriptor; nfds: what select is told, 0 for number + 1 */
static void setsize(int number, int nfds)
{
	struct line line = with_questions(10);

	must(dup2(line.in, number) == number);
	close(line.in);
	nonblocking(number);
	truth_begin("fd-setsize", -1);
	evidence("nfds", nfds ?: number + 1, nfds ?: number + 1);
	truth_tell();
	select_up_to(number, nfds ?: number + 1);
}

static void setsize_over(void)
{
	setsize(variant == VARIANT_HEALTHY ? 100 : 1500, 0);
}

static void setsize_near(void)
{
	setsize(variant == VARIANT_HEALTHY ? 100 : 1019, 0);
}

/* Many say FD_SETSIZE whatever the set: no fault. */
static void setsize_constant(void)
{
	setsize(100, FD_SETSIZE);
}

/* batch-full: more are ready than a wait may report */

#define CROWD 40
#define CROWD_NS 500000		/* what the subject does for each */
#define CROWD_REST_MS 20

/* All ask at once, and ask again when all are answered. */
static void ask_together(void *arg)
{
	struct talk *talk = arg;
	char byte;

	for (int i = 0; i < CROWD; i++)
		close(talk[i].line.in);
	for (;;) {
		for (int i = 0; i < CROWD; i++)
			if (write(talk[i].line.far_out, "q", 1) != 1)
				return;
		for (int i = 0; i < CROWD; i++)
			if (read(talk[i].line.far_in, &byte, 1) != 1)
				return;
		sleep_ms(CROWD_REST_MS);
	}
}

/* room: for events in a wait */
static void serve_with_room(int ep, int room, uint64_t work_ns)
{
	struct epoll_event got[64];

	for (;;) {
		int n = epoll_wait(ep, got, room, -1);

		must(n >= 0 || errno == EINTR);
		for (int i = 0; i < n; i++) {
			burn_ns(work_ns);
			echo(ep, got[i].data.fd, 0);
		}
	}
}

static void batch_full(void)
{
	static struct talk talk[CROWD];
	int ep = set_new();

	for (int i = 0; i < CROWD; i++)
		talk[i].line = line_open("tcp");
	with_client(ask_together, talk);
	for (int i = 0; i < CROWD; i++) {
		close(talk[i].line.far_in);
		nonblocking(talk[i].line.in);
		add(ep, talk[i].line.in, EPOLLIN);
	}
	truth_begin("batch-full", -1);
	evidence("full_share", 0.7, 1);
	evidence("maxevents", 4, 4);
	truth_tell();
	serve_with_room(ep, variant == VARIANT_HEALTHY ? 64 : 4, CROWD_NS);
}

/* Room for one, and only one there: always full, and nothing hidden. No fault. */
static void batch_of_one(void)
{
	struct line line = with_questions(5);

	tell_nothing("batch-full", -1);
	serve_with_room(set_of(line.in, EPOLLIN), 1, 0);
}

/* ctl-churn: registrations changed to and fro for each event */

static void echo_churning(int ep, int fd, uint32_t events)
{
	control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
	echo(ep, fd, events);
	control(ep, EPOLL_CTL_MOD, fd, EPOLLIN);
	control(ep, EPOLL_CTL_DEL, fd, 0);
	add(ep, fd, EPOLLIN);
}

/* One-shot, armed again each time: as many calls as events, for a reason. */
static void echo_rearming(int ep, int fd, uint32_t events)
{
	echo(ep, fd, events);
	control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
}

static void ctl_churn(void)
{
	struct line line = with_questions(0);

	truth_begin("ctl-churn", -1);
	evidence("ctl_per_event", 3.5, 4.5);
	truth_tell();
	loop(set_of(line.in, EPOLLIN), -1, variant == VARIANT_HEALTHY ? echo : echo_churning);
}

static void ctl_rearm(void)
{
	struct line line = with_questions(0);

	tell_nothing("ctl-churn", -1);
	loop(set_of(line.in, EPOLLIN | EPOLLONESHOT), -1, echo_rearming);
}

static const struct scene scenes[] = {
	{ "busy-epoll", busy_epoll },
	{ "busy-poll", busy_poll },
	{ "busy-select", busy_select },
	{ "look-then-wait", look_then_wait },
	{ "eagain-polling", eagain_polling },
	{ "eagain-napping", eagain_napping },
	{ "scan-poll", scan_poll },
	{ "scan-select", scan_select },
	{ "scan-few", scan_few },
	{ "scan-seldom", scan_seldom },
	{ "setsize-over", setsize_over },
	{ "setsize-near", setsize_near },
	{ "setsize-constant", setsize_constant },
	{ "batch-full", batch_full },
	{ "batch-of-one", batch_of_one },
	{ "ctl-churn", ctl_churn },
	{ "ctl-rearm", ctl_rearm },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}
