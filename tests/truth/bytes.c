// SPDX-License-Identifier: GPL-2.0-only
/*
 * bytes: calls that move a known number of bytes. MSG_PEEK consumes nothing, so its bytes are not
 * in the sum; MSG_TRUNC makes a call return the datagram's size, of which the buffer got less.
 */
#include "sockets.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define MANY 100

static char data[65536];

static void plain(void)
{
	struct iovec two[2] = { { data, 30 }, { data + 30, 40 } };
	int p[2];

	must(!pipe(p));
	must(writev(p[1], two, 2) == 70);
	must(syscall(SYS_readv, p[0], two, 2) == 70);
	must(writev(p[1], two, 2) == 70);
	must(syscall(SYS_readv, p[0], two, 1) == 30);
	truth_bytes("writev", 2, 140);
	truth_bytes("readv", 2, 100);
	must(syscall(SYS_read, p[0], data, 15) == 15);
	must(syscall(SYS_read, p[0], data, sizeof(data)) == 25);
	truth_bytes("read", 2, 40);
}

static void at_offsets(void)
{
	struct iovec two[2] = { { data, 1000 }, { data + 1000, 2000 } };
	int fd = memfd_create("truth", MFD_CLOEXEC);

	must(syscall(SYS_pwrite64, fd, data, 5000, 0L) == 5000);
	must(syscall(SYS_pwritev, fd, two, 2, 5000L, 0L) == 3000);
	must(syscall(SYS_pwritev2, fd, two, 2, 8000L, 0L, 0) == 3000);
	truth_bytes("pwrite64", 1, 5000);
	truth_bytes("pwritev", 1, 3000);
	truth_bytes("pwritev2", 1, 3000);
	must(syscall(SYS_pread64, fd, data, 4000, 0L) == 4000);
	must(syscall(SYS_pread64, fd, data, 4000, 10000L) == 1000);
	must(syscall(SYS_pread64, fd, data, 4000, 11000L) == 0);
	must(syscall(SYS_preadv, fd, two, 2, 1L, 0L) == 3000);
	must(syscall(SYS_preadv2, fd, two, 2, 10500L, 0L, 0) == 500);
	truth_row("pread64");
	truth_num("calls", 3);
	truth_num("bytes", 5000);
	truth_results("ok", 2, "zero", 1, NULL);
	truth_end();
	truth_bytes("preadv", 1, 3000);
	truth_bytes("preadv2", 1, 500);
}

static void datagrams(void)
{
	struct iovec iov = { data, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int i, fd[2];

	unix_dgram_pair(fd);
	for (i = 0; i < 6; i++)
		must(syscall(SYS_sendto, fd[1], data, 100, 0, NULL, 0) == 100);
	truth_bytes("sendto", 6, 600);
	must(syscall(SYS_recvfrom, fd[0], data, 500, MSG_PEEK, NULL, NULL) == 100);
	must(syscall(SYS_recvfrom, fd[0], NULL, 0, MSG_PEEK | MSG_TRUNC, NULL, NULL) == 100);
	must(syscall(SYS_recvfrom, fd[0], data, 500, 0, NULL, NULL) == 100);
	must(syscall(SYS_recvfrom, fd[0], data, 10, 0, NULL, NULL) == 10);
	must(syscall(SYS_recvfrom, fd[0], data, 10, MSG_TRUNC, NULL, NULL) == 100);
	truth_bytes("recvfrom", 5, 120);
	must(syscall(SYS_recvmsg, fd[0], &msg, MSG_PEEK) == 10);
	must(syscall(SYS_recvmsg, fd[0], &msg, MSG_TRUNC) == 100);
	must(syscall(SYS_recvmsg, fd[0], &msg, 0) == 10);
	iov.iov_len = 500;
	must(syscall(SYS_recvmsg, fd[0], &msg, MSG_TRUNC) == 100);
	truth_bytes("recvmsg", 4, 120);
	for (i = 0; i < 3; i++)
		must(syscall(SYS_sendmsg, fd[1], &msg, 0) == 500);
	truth_bytes("sendmsg", 3, 1500);
}

static void say_messages(const char *call, int calls, int messages, uint64_t bytes)
{
	truth_row(call);
	truth_num("calls", (uint64_t)calls);
	truth_num("messages", (uint64_t)messages);
	truth_num("bytes", bytes);
	truth_results("ok", calls, NULL);
	truth_end();
}

/* Message i has i + 1 bytes. */
static void many_messages(void)
{
	static struct mmsghdr out[MANY], in[MANY];
	static struct iovec out_iov[MANY], in_iov[MANY];
	int i, fd[2], size = 1 << 20;

	for (i = 0; i < MANY; i++) {
		out_iov[i] = (struct iovec){ data, (size_t)i + 1 };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
		in_iov[i] = (struct iovec){ data, 500 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
	}
	udp_pair(fd);
	setsockopt(fd[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	must(syscall(SYS_sendmmsg, fd[1], out, MANY, 0) == MANY);
	must(syscall(SYS_sendmmsg, fd[1], out, 3, 0) == 3);
	say_messages("sendmmsg", 2, MANY + 3, MANY * (MANY + 1) / 2 + 6);
	must(syscall(SYS_recvmmsg, fd[0], in, 2, MSG_PEEK, NULL) == 2);
	must(syscall(SYS_recvmmsg, fd[0], in, MANY, 0, NULL) == MANY);
	in_iov[0].iov_len = 1;
	in_iov[1].iov_len = 1;
	must(syscall(SYS_recvmmsg, fd[0], in, 8, MSG_TRUNC | MSG_DONTWAIT, NULL) == 3);
	must(in[1].msg_len == 2);	/* of which one byte had room */
	say_messages("recvmmsg", 3, 2 + MANY + 3, MANY * (MANY + 1) / 2 + 1 + 1 + 3);
}

static void inside(void)
{
	int p[2], q[2], fd = memfd_create("truth", MFD_CLOEXEC);
	off_t at = 0;

	must(!ftruncate(fd, 20000) && !pipe(p) && !pipe(q));
	must(sendfile(p[1], fd, &at, 12000) == 12000);
	must(sendfile(p[1], fd, &at, 12000) == 8000);
	truth_bytes("sendfile", 2, 20000);
	must(splice(p[0], NULL, q[1], NULL, 4096, 0) == 4096);
	truth_bytes("splice", 1, 4096);
}

static void streams(void)
{
	struct sockaddr_in addr;
	int i, l = listener(&addr);

	for (i = 0; i < 5; i++)
		close(connect_to(&addr, SOCK_STREAM));
	for (i = 0; i < 5; i++)
		must(syscall(i < 3 ? SYS_accept : SYS_accept4, l, NULL, NULL, 0) >= 0);
	truth_calls("accept", 3, "ok");
	truth_calls("accept4", 2, "ok");
	/* Five, and the one that gives the UDP socket its peer. */
	truth_calls("connect", 6, "ok");
}

int main(void)
{
	plain();
	at_offsets();
	datagrams();
	many_messages();
	inside();
	streams();
	truth_write();
	return 0;
}
