// SPDX-License-Identifier: GPL-2.0-only
/*
 * refused early: wait calls refused before the kernel looked at any descriptor: no pass, no scan.
 * refused late: the kernel looked, and could not write the result down: a pass like any other.
 * refused odd: poll with entries that are ignored (negative) and entries that are not open.
 */
#include "truth.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>

#define BAD ((void *)8)
#define KERNEL_ADDRESS ((void *)0xffff800000000000UL)

static const struct timespec bad_time = { .tv_nsec = 2000000000L };

static void say_refused(const char *call, int n)
{
	truth_row(call);
	truth_num("calls", (uint64_t)n);
	truth_num("passes", 0);
	truth_num("scanned", 0);
	truth_num("ready", 0);
}

static void refuse_poll(void)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	struct rlimit lim;

	getrlimit(RLIMIT_NOFILE, &lim);
	must_fail(syscall(SYS_poll, BAD, 3, 0), EFAULT);
	must_fail(syscall(SYS_poll, &p, lim.rlim_cur + 1, 0), EINVAL);
	say_refused("poll", 2);
	truth_results("14", 1, "22", 1, NULL);
	truth_end();
	must_fail(syscall(SYS_ppoll, &p, 1, &bad_time, NULL, 8), EINVAL);
	must_fail(syscall(SYS_ppoll, &p, 1, BAD, NULL, 8), EFAULT);
	must_fail(syscall(SYS_ppoll, &p, 1, NULL, &bad_time, 3), EINVAL);
	say_refused("ppoll", 3);
	truth_results("14", 1, "22", 2, NULL);
	truth_end();
}

static void refuse_select(void)
{
	struct timeval tv = { 0 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(50, &in);	/* below the size of the table, and not open */
	must_fail(syscall(SYS_select, 51, &in, NULL, NULL, &tv), EBADF);
	must_fail(syscall(SYS_select, -1, &in, NULL, NULL, &tv), EINVAL);
	must_fail(syscall(SYS_select, 8, BAD, NULL, NULL, &tv), EFAULT);
	say_refused("select", 3);
	truth_results("9", 1, "22", 1, "14", 1, NULL);
	truth_end();
	must_fail(syscall(SYS_pselect6, 8, NULL, NULL, NULL, &bad_time, NULL), EINVAL);
	must_fail(syscall(SYS_pselect6, 51, NULL, &in, NULL, NULL, NULL), EBADF);
	say_refused("pselect6", 2);
	truth_results("9", 1, "22", 1, NULL);
	truth_end();
}

static void refuse_epoll(void)
{
	int p[2], ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };

	/* A ready item, so that a call that went on would scan something. */
	must(!pipe(p) && write(p[1], "x", 1) == 1 && !epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	must_fail(syscall(SYS_epoll_wait, -1, &ev, 1, 0), EBADF);
	must_fail(syscall(SYS_epoll_wait, p[0], &ev, 1, 0), EINVAL);
	must_fail(syscall(SYS_epoll_wait, ep, &ev, 0, 0), EINVAL);
	must_fail(syscall(SYS_epoll_wait, ep, KERNEL_ADDRESS, 1, 0), EFAULT);
	say_refused("epoll_wait", 4);
	truth_results("9", 1, "22", 2, "14", 1, NULL);
	truth_end();
	must_fail(syscall(SYS_epoll_pwait2, ep, &ev, 1, &bad_time, NULL, 8), EINVAL);
	say_refused("epoll_pwait2", 1);
	truth_results("22", 1, NULL);
	truth_end();
	must_fail(syscall(SYS_epoll_pwait, ep, &ev, 1, 0, &ev, 3), EINVAL);
	say_refused("epoll_pwait", 1);
	truth_results("22", 1, NULL);
	truth_end();
}

static void early(void)
{
	refuse_poll();
	refuse_select();
	refuse_epoll();
}

static void *read_only_copy(const void *data, size_t len)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(page != MAP_FAILED);
	memcpy(page, data, len);
	must(!mprotect(page, 4096, PROT_READ));
	return page;
}

static void say_late(const char *call, int asked)
{
	truth_row(call);
	truth_num("calls", 1);
	truth_num("asked", (uint64_t)asked);
	truth_num("scanned", (uint64_t)asked);
	truth_num("ready", 0);
	truth_num("passes", 1);
	truth_results("14", 1, NULL);
	truth_end();
}

static void late(void)
{
	int p[2], ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };
	struct pollfd fds[2];
	fd_set in;

	must(!pipe(p) && write(p[1], "x", 1) == 1 && !epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	fds[0] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = p[1], .events = POLLOUT };
	must_fail(syscall(SYS_poll, read_only_copy(fds, sizeof(fds)), 2, 0), EFAULT);
	say_late("poll", 2);
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	must_fail(syscall(SYS_select, p[0] + 1, read_only_copy(&in, sizeof(in)), NULL, NULL,
			  &(struct timeval){ 0 }), EFAULT);
	say_late("select", 1);
	must_fail(syscall(SYS_epoll_wait, ep, read_only_copy(&ev, sizeof(ev)), 1, 0), EFAULT);
	say_late("epoll_wait", 1);
}

/* 30 entries: 10 negative, 10 quiet, 10 not open, which end the call at once with POLLNVAL. */
static void odd(void)
{
	struct pollfd fds[30];
	int i, p[2];

	must(!pipe(p));
	for (i = 0; i < 30; i++)
		fds[i] = (struct pollfd){ .fd = i % 3 == 0 ? -1 - i : i % 3 == 1 ? p[0] : 900 + i,
					  .events = POLLIN };
	must(syscall(SYS_poll, fds, 30, 5000) == 10);
	truth_row("poll");
	truth_num("calls", 1);
	truth_num("asked", 20);
	truth_num("scanned", 10);
	truth_num("ready", 10);
	truth_num("passes", 1);
	truth_num("set_copy_bytes", 300);
	truth_results("ok", 1, NULL);
	truth_end();
	for (i = 0; i < 30; i++)
		fds[i].fd = i % 3 == 1 ? p[0] : -1;
	must(syscall(SYS_ppoll, fds, 30, &(struct timespec){ .tv_nsec = 20000000 }, NULL, 8) == 0);
	must(syscall(SYS_ppoll, fds, 0, &(struct timespec){ .tv_nsec = 20000000 }, NULL, 8) == 0);
	truth_row("ppoll");
	truth_num("calls", 2);
	truth_num("asked", 10);
	truth_num("scanned", 20);
	truth_num("ready", 0);
	truth_num("passes", 4);
	truth_num("set_copy_bytes", 300);
	truth_results("zero", 2, NULL);
	truth_end();
	/* Nothing but the clock: select as a sleep. */
	must(syscall(SYS_select, 0, NULL, NULL, NULL, &(struct timeval){ .tv_usec = 20000 }) == 0);
	truth_row("select");
	truth_num("calls", 1);
	truth_num("asked", 0);
	truth_num("scanned", 0);
	truth_num("ready", 0);
	truth_num("passes", 2);
	truth_num("set_copy_bytes", 0);
	truth_results("zero", 1, NULL);
	truth_end();
}

int main(int argc, char **argv)
{
	must(argc == 2);
	if (!strcmp(argv[1], "early"))
		early();
	else if (!strcmp(argv[1], "late"))
		late();
	else
		odd();
	truth_write();
	return 0;
}
