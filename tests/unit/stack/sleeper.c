// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeps in a system call called by a function whose name is known, for tests/unit/stack.c; built
 * in many ways. Usage: sleeper epoll|poll|read|signal|big [thread]
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifdef __clang__
#define CALLED __attribute__((noinline))
#else
#define CALLED __attribute__((noinline, noclone))
#endif

static int ends[2];

/* What follows the call keeps it from being a jump. */
CALLED int wait_by_epoll(int set)
{
	struct epoll_event event;
	int n;

	/* That it was looked at interrupts it. */
	do {
		n = epoll_wait(set, &event, 1, -1);	/* line of epoll */
	} while (n < 0);
	return n + 1;
}

CALLED int wait_by_poll(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	int n = poll(&entry, 1, -1);	/* line of poll */

	return n + 1;
}

CALLED int wait_by_read(int fd)
{
	char byte;
	int n = read(fd, &byte, 1);	/* line of read */

	return n + 1;
}

/* Takes more of the stack than is copied. */
CALLED int wait_from_afar(int fd)
{
	volatile char much[8192];
	int n;

	much[0] = much[sizeof(much) - 1] = 1;
	n = wait_by_poll(fd);
	return n + much[0];
}

CALLED void handler(int signal)
{
	ends[1] = signal + wait_by_read(ends[0]);
}

CALLED int wait_in_handler(void)
{
	int n;

	signal(SIGUSR1, handler);
	n = raise(SIGUSR1);
	return n + 1;
}

CALLED int serve(const char *how)
{
	int set = epoll_create1(0), n;

	if (!strcmp(how, "epoll"))
		n = wait_by_epoll(set);
	else if (!strcmp(how, "poll"))
		n = wait_by_poll(ends[0]);
	else if (!strcmp(how, "big"))
		n = wait_from_afar(ends[0]);
	else if (!strcmp(how, "signal"))
		n = wait_in_handler();
	else
		n = wait_by_read(ends[0]);
	return n + 1;
}

CALLED void *run(void *how)
{
	serve(how);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int n;

	if (argc < 2 || pipe(ends))
		return 1;
	if (argc > 2 && !pthread_create(&thread, NULL, run, argv[1]))
		pthread_join(thread, NULL);
	n = serve(argv[1]);
	return n + 1;
}
