// SPDX-License-Identifier: GPL-2.0-only
/*
 * every ROUNDS: one thread makes every watched call there is, in turn, so that any per-thread
 * table of fewer rows has to make room again and again. All are refused, which needs no set-up.
 */
#include "truth.h"

static const struct {
	const char *call;
	long nr;
	int error;
} every[] = {
	{ "select", SYS_select, EINVAL }, { "pselect6", SYS_pselect6, EINVAL },
	{ "poll", SYS_poll, EINVAL }, { "ppoll", SYS_ppoll, EINVAL },
	{ "epoll_wait", SYS_epoll_wait, EBADF }, { "epoll_pwait", SYS_epoll_pwait, EBADF },
	{ "epoll_pwait2", SYS_epoll_pwait2, EBADF }, { "read", SYS_read, EBADF },
	{ "readv", SYS_readv, EBADF }, { "pread64", SYS_pread64, EBADF },
	{ "preadv", SYS_preadv, EBADF }, { "preadv2", SYS_preadv2, EBADF },
	{ "recvfrom", SYS_recvfrom, EBADF }, { "recvmsg", SYS_recvmsg, EBADF },
	{ "recvmmsg", SYS_recvmmsg, EBADF }, { "accept", SYS_accept, EBADF },
	{ "accept4", SYS_accept4, EBADF }, { "write", SYS_write, EBADF },
	{ "writev", SYS_writev, EBADF }, { "pwrite64", SYS_pwrite64, EBADF },
	{ "pwritev", SYS_pwritev, EBADF }, { "pwritev2", SYS_pwritev2, EBADF },
	{ "sendto", SYS_sendto, EBADF }, { "sendmsg", SYS_sendmsg, EBADF },
	{ "sendmmsg", SYS_sendmmsg, EBADF }, { "sendfile", SYS_sendfile, EBADF },
	{ "splice", SYS_splice, EBADF }, { "connect", SYS_connect, EBADF },
	{ "fsync", SYS_fsync, EBADF }, { "fdatasync", SYS_fdatasync, EBADF },
	{ "epoll_ctl", SYS_epoll_ctl, EBADF },
	/* A set of signals of size 0, and a context at an address where there is none. */
	{ "rt_sigtimedwait", SYS_rt_sigtimedwait, EINVAL }, { "io_submit", SYS_io_submit, EINVAL },
	{ "io_getevents", SYS_io_getevents, EINVAL }, { "io_pgetevents", SYS_io_pgetevents, EINVAL },
	{ "io_uring_enter", SYS_io_uring_enter, EBADF },
};

/* poll's second argument is what makes it refuse; epoll_wait wants room for events first. */
static long refused(long nr)
{
	static struct {
		long words[32];
	} room;

	if (nr == SYS_poll || nr == SYS_ppoll)
		return syscall(nr, &room, 1 << 30, 0L, 0L, 8L);
	if (nr == SYS_epoll_ctl)
		return syscall(nr, -1L, 1L, -1L, &room);
	if (nr == SYS_splice)
		return syscall(nr, -1L, 0L, -1L, 0L, 1L, 0L);
	if (nr == SYS_epoll_wait || nr == SYS_epoll_pwait || nr == SYS_epoll_pwait2)
		return syscall(nr, -1L, &room, 1L, 0L, 0L, 8L);
	if (nr == SYS_select || nr == SYS_pselect6)
		return syscall(nr, -1L, 0L, 0L, 0L, 0L, 0L);
	return syscall(nr, -1L, &room, 0L, 0L, 0L, 0L);
}

int main(int argc, char **argv)
{
	char error[12];
	int round, rounds;
	size_t i;

	must(argc == 2);
	rounds = atoi(argv[1]);
	for (round = 0; round < rounds; round++)
		for (i = 0; i < ARRAY_SIZE(every); i++)
			if (refused(every[i].nr) != -1 || errno != every[i].error)
				die("%s", every[i].call);
	for (i = 0; i < ARRAY_SIZE(every); i++) {
		/* The row of write would have to hold the write that prints it. */
		if (!strcmp(every[i].call, "write"))
			continue;
		snprintf(error, sizeof(error), "%d", every[i].error);
		truth_calls(every[i].call, rounds, error);
	}
	truth_write();
	return 0;
}
