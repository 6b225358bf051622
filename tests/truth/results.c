// SPDX-License-Identifier: GPL-2.0-only
/* results: calls that end in every other way than well, each kind counted by its own name. */
#include "sockets.h"

#include <sys/uio.h>

static pid_t caller;

static void on_signal(int sig)
{
	(void)sig;
}

/* With a descriptor: the signal, and once the call sleeps again, what it waits for. */
static void *interrupt(void *arg)
{
	int *fd = arg;

	wait_asleep(caller);
	must(!syscall(SYS_tgkill, getpid(), caller, fd ? SIGUSR2 : SIGUSR1));
	if (fd) {
		wait_asleep(caller);
		must(write(*fd, "x", 1) == 1);
	}
	return NULL;
}

static void catch(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	must(!sigaction(sig, &sa, NULL));
}

static void read_results(void)
{
	int p[2], quiet[2];
	char c;

	must(!pipe2(p, O_NONBLOCK) && !pipe(quiet));
	must_fail(syscall(SYS_read, p[0], &c, 1), EAGAIN);
	must_fail(syscall(SYS_read, p[0], &c, 1), EAGAIN);
	must_fail(syscall(SYS_read, -1, &c, 1), EBADF);
	must_fail(syscall(SYS_read, p[1], &c, 1), EBADF);
	must(write(p[1], "x", 1) == 1);
	must_fail(syscall(SYS_read, p[0], (void *)8, 1), EFAULT);
	close(p[1]);
	must(syscall(SYS_read, p[0], &c, 1) == 1);
	must(syscall(SYS_read, p[0], &c, 1) == 0);
	start(interrupt, NULL);
	must_fail(syscall(SYS_read, quiet[0], &c, 1), EINTR);
	truth_row("read");
	truth_num("calls", 8);
	truth_num("bytes", 1);
	truth_results("ok", 1, "zero", 1, "eagain", 2, "eintr", 1, "9", 2, "14", 1, NULL);
	truth_end();
}

/* SA_RESTART: the kernel runs the call again by itself, which to the program is one call. */
static void restarted(void)
{
	int fd[2];
	char c;

	unix_pair(fd);
	start(interrupt, &fd[1]);
	must(syscall(SYS_recvfrom, fd[0], &c, 1, 0, NULL, NULL) == 1);
	truth_row("recvfrom");
	truth_num("calls", 1);
	truth_num("bytes", 1);
	truth_results("ok", 1, NULL);
	truth_end();
}

static void stream_results(void)
{
	struct sockaddr_in addr;
	struct iovec iov = { &addr, sizeof(addr) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd[2], none;

	tcp_pair(fd);
	must_fail(syscall(SYS_recvmsg, fd[0], &msg, MSG_DONTWAIT), EAGAIN);
	close(fd[1]);
	must(syscall(SYS_recvmsg, fd[0], &msg, 0) == 0);
	none = socket(AF_INET, SOCK_STREAM, 0);
	must_fail(syscall(SYS_recvmsg, none, &msg, 0), ENOTCONN);
	must_fail(syscall(SYS_recvmsg, 0x7000, &msg, 0), EBADF);
	truth_row("recvmsg");
	truth_num("calls", 4);
	truth_num("bytes", 0);
	truth_results("eagain", 1, "zero", 1, "107", 1, "9", 1, NULL);
	truth_end();
}

static void connect_results(void)
{
	struct sockaddr_in addr, open_addr;
	int refused, fd = bound_socket(SOCK_STREAM, &addr), l = listener(&open_addr);

	refused = socket(AF_INET, SOCK_STREAM, 0);
	must_fail(connect(refused, (void *)&addr, sizeof(addr)), ECONNREFUSED);
	must_fail(connect(0x7000, (void *)&addr, sizeof(addr)), EBADF);
	close(connect_to(&open_addr, SOCK_STREAM));
	must_fail(connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&open_addr,
			  sizeof(open_addr)), EINPROGRESS);
	fcntl(l, F_SETFL, O_NONBLOCK);
	must(syscall(SYS_accept4, l, NULL, NULL, 0) >= 0);
	must(syscall(SYS_accept4, l, NULL, NULL, 0) >= 0);
	must_fail(syscall(SYS_accept4, l, NULL, NULL, 0), EAGAIN);
	must_fail(syscall(SYS_accept4, fd, NULL, NULL, 0), EINVAL);
	truth_row("accept4");
	truth_num("calls", 4);
	truth_results("ok", 2, "eagain", 1, "22", 1, NULL);
	truth_end();
}

static void output_results(void)
{
	static char page[4096];
	struct iovec iov = { page, sizeof(page) };
	int p[2], n = 0, fd[2];

	must(!pipe2(p, O_NONBLOCK));
	while (writev(p[1], &iov, 1) == sizeof(page))
		n++;
	must(errno == EAGAIN);
	close(p[0]);
	must_fail(writev(p[1], &iov, 1), EPIPE);
	truth_row("writev");
	truth_num("calls", (uint64_t)n + 2);
	truth_num("bytes", (uint64_t)n * sizeof(page));
	truth_results("ok", n, "eagain", 1, "32", 1, NULL);
	truth_end();
	udp_pair(fd);
	must_fail(sendto(fd[1], page, 70000, 0, NULL, 0), EMSGSIZE);
	must_fail(sendto(p[1], page, 1, 0, NULL, 0), ENOTSOCK);
	truth_row("sendto");
	truth_num("calls", 2);
	truth_num("bytes", 0);
	truth_results("90", 1, "88", 1, NULL);
	truth_end();
}

int main(void)
{
	caller = self_tid();
	signal(SIGPIPE, SIG_IGN);
	catch(SIGUSR1, 0);
	catch(SIGUSR2, SA_RESTART);
	read_results();
	restarted();
	stream_results();
	connect_results();
	output_results();
	/* Three went well: to the listener, tcp_pair()'s, udp_pair()'s. */
	truth_row("connect");
	truth_num("calls", 6);
	truth_results("ok", 3, "111", 1, "9", 1, "115", 1, NULL);
	truth_end();
	truth_write();
	return 0;
}
