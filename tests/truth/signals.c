// SPDX-License-Identifier: GPL-2.0-only
/* signals SCENE ...: signal-driven input of which each signal is known. */
#include "fds.h"

#include <fcntl.h>
#include <sys/signalfd.h>

#define PIECE 100
#define TOLD_BY (SIGRTMIN + 3)

static int fds_of_handler[2] = { -1, -1 };
static int handled, read_by_handler;

/* Reads until there is nothing more, as edges ask for. */
static void drain(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		read_by_handler++;
	must(n < 0 && errno == EAGAIN);
}

static void on_signal(int sig)
{
	(void)sig;
	handled++;
	for (size_t i = 0; i < ARRAY_SIZE(fds_of_handler); i++) {
		if (fds_of_handler[i] >= 0)
			drain(fds_of_handler[i]);
	}
}

static void on_signal_of(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	handled++;
	drain(info->si_fd);
}

static void block(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	must(!sigprocmask(how, &set, NULL));
}

/* @sig 0: plain SIGIO. */
static struct chan open_async(int sig)
{
	struct chan c = open_chan("unix");

	must(!fcntl(c.in, F_SETOWN, getpid()));
	if (sig)
		must(!fcntl(c.in, F_SETSIG, sig));
	must(!fcntl(c.in, F_SETFL, O_NONBLOCK | O_ASYNC));
	return c;
}

static void handle(int sig, void (*plain)(int), void (*with_info)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_handler = plain };

	if (with_info) {
		action.sa_sigaction = with_info;
		action.sa_flags = SA_SIGINFO;
	}
	must(!sigaction(sig, &action, NULL));
}

static void row_of_signal(int calls, int bytes)
{
	row_begin();
	truth_put(",\"model\":\"signal\"},\"is\":{\"calls\":%d,\"in_bytes\":%d", calls, bytes);
}

static void say_made(int made, int merged, int overflown)
{
	truth_num("signals.made", (uint64_t)made);
	truth_num("signals.merged", (uint64_t)merged);
	truth_num("signals.overflown", (uint64_t)overflown);
}

static void say_told(int by_handler, int by_wait, int by_signalfd)
{
	truth_num("signals.by_handler", (uint64_t)by_handler);
	truth_num("signals.by_wait", (uint64_t)by_wait);
	truth_num("signals.by_signalfd", (uint64_t)by_signalfd);
}

/* A handler runs before the write that caused its signal returns. */
static void scene_plain(int times)
{
	struct chan c = open_async(0);

	fds_of_handler[0] = c.in;
	handle(SIGIO, on_signal, NULL);
	for (int i = 0; i < times; i++)
		put(c, PIECE);
	must(handled == times && read_by_handler == times);
	row_of_signal(2 * times, times * PIECE);
	truth_num("results.eagain", (uint64_t)times);
	say_made(times, 0, 0);
	say_told(times, 0, 0);
	truth_num("signals.made_to_told.count", (uint64_t)times);
	/* The first of these calls makes iophase know the descriptor. */
	truth_num("signals.told_to_called.count", (uint64_t)times);
	is_null("waits");
	row_end();
}

/* Of two descriptors each signal says which of them it is about. */
static void scene_which(int times)
{
	struct chan a = open_async(TOLD_BY), b = open_async(TOLD_BY);

	handle(TOLD_BY, NULL, on_signal_of);
	for (int i = 0; i < times; i++) {
		put(a, PIECE);
		if (i % 4 == 0)
			put(b, PIECE);
	}
	must(handled == times + times / 4);
	for (int i = 0; i < 2; i++) {
		int told = i ? times / 4 : times;

		row_begin();
		truth_put(",\"fd\":%d,\"model\":\"signal\"},\"is\":{\"calls\":%d,\"in_bytes\":%d",
			  i ? b.in : a.in, 2 * told, told * PIECE);
		say_made(told, 0, 0);
		say_told(told, 0, 0);
		row_end();
	}
}

/* While one is pending all others of its number are the same. */
static void scene_merged(int times)
{
	struct chan c = open_async(0);

	fds_of_handler[0] = c.in;
	handle(SIGIO, on_signal, NULL);
	block(SIG_BLOCK, SIGIO);
	for (int i = 0; i < times; i++)
		put(c, PIECE);
	block(SIG_UNBLOCK, SIGIO);
	must(handled == 1);
	row_of_signal(2, times * PIECE);
	say_made(times, times - 1, 0);
	say_told(1, 0, 0);
	row_end();
}

/* The limit is that of a user, whom nobody else is. */
static void scene_overflow(int room, int times)
{
	struct rlimit limit = { (rlim_t)room, (rlim_t)room };
	struct chan c;

	if (setresuid(61234, 61234, 61234))
		skip("needs root");
	must(!setrlimit(RLIMIT_SIGPENDING, &limit));
	c = open_async(TOLD_BY);
	fds_of_handler[0] = c.in;
	handle(TOLD_BY, on_signal, NULL);
	handle(SIGIO, on_signal, NULL);
	block(SIG_BLOCK, SIGIO);
	block(SIG_BLOCK, TOLD_BY);
	for (int i = 0; i < times; i++)
		put(c, PIECE);
	block(SIG_UNBLOCK, TOLD_BY);
	block(SIG_UNBLOCK, SIGIO);
	must(handled == room + 1);
	/* Each that does not fit is followed by a SIGIO, of which only the first does something. */
	row_of_signal(1 + handled, times * PIECE);
	say_made(times + (times - room), times - room - 1, times - room);
	say_told(room + 1, 0, 0);
	row_end();
}

static void scene_wait(int times)
{
	struct chan c = open_async(TOLD_BY);
	struct timespec none = { 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, TOLD_BY);
	must(!sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < times; i++) {
		put(c, PIECE);
		must(sigwaitinfo(&set, &info) == TOLD_BY && info.si_fd == c.in);
		take(c.in, PIECE);
	}
	must_fail(sigtimedwait(&set, &info, &none), EAGAIN);
	row_of_signal(times, times * PIECE);
	say_made(times, 0, 0);
	say_told(0, times, 0);
	truth_num("waits.count", (uint64_t)times + 1);
	truth_num("waits.ready", (uint64_t)times);
	truth_num("waits.empty", 1);
	row_end();
}

/* Signals are themselves read; that is input, too, and is waited for like any other. */
static void scene_signalfd(int times)
{
	struct chan c = open_async(TOLD_BY);
	struct signalfd_siginfo infos[2];
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, TOLD_BY);
	must(!sigprocmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, 0);
	must(fd >= 0);
	for (int i = 0; i < times; i++) {
		put(c, PIECE);
		put(c, PIECE);
		must(read(fd, infos, sizeof(infos)) == sizeof(infos));
		must((int)infos[1].ssi_fd == c.in);
		take(c.in, 2 * PIECE);
	}
	row_of_signal(times, 2 * times * PIECE);
	say_made(2 * times, 0, 0);
	say_told(0, 0, 2 * times);
	row_end();
	row_begin();
	truth_put(",\"model\":\"blocking\"},\"is\":{\"calls\":%d,\"in_bytes\":%d", times,
		  times * (int)sizeof(infos));
	row_end();
}

/* It is blocked for a while before the program is told, and then it takes its time. */
static void scene_late(int ms)
{
	struct chan c = open_async(TOLD_BY);
	uint64_t put0, put1, told0, told1, read0, read1;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, TOLD_BY);
	must(!sigprocmask(SIG_BLOCK, &set, NULL));
	put0 = now_ns();
	put(c, PIECE);
	put1 = now_ns();
	sleep_ms((unsigned int)ms);
	told0 = now_ns();
	must(sigwaitinfo(&set, &info) == TOLD_BY);
	told1 = now_ns();
	sleep_ms((unsigned int)ms);
	read0 = now_ns();
	take(c.in, PIECE);
	read1 = now_ns();
	row_of_signal(1, PIECE);
	truth_range("signals.made_to_told.ns", told0 - put1, told1 - put0);
	truth_range("signals.told_to_called.ns", read0 - told1, read1 - told0);
	row_end();
}

int main(int argc, char **argv)
{
	const char *scene = argc > 1 ? argv[1] : "";
	int times = argc > 2 ? number(argv, 2) : 0;

	if (!strcmp(scene, "plain"))
		scene_plain(times);
	else if (!strcmp(scene, "which"))
		scene_which(times);
	else if (!strcmp(scene, "merged"))
		scene_merged(times);
	else if (!strcmp(scene, "overflow") && argc == 4)
		scene_overflow(times, number(argv, 3));
	else if (!strcmp(scene, "wait"))
		scene_wait(times);
	else if (!strcmp(scene, "signalfd"))
		scene_signalfd(times);
	else if (!strcmp(scene, "late"))
		scene_late(times);
	else
		die("no such scene: %s", scene);
	truth_write();
	return 0;
}
