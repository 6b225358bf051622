/* SPDX-License-Identifier: GPL-2.0-only */
/* Connected pairs over the loopback: fd[0] is read from, fd[1] written to. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "truth.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The port is the kernel's choice; addr receives it. */
static inline int bound_socket(int type, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	must(fd >= 0 && !bind(fd, (struct sockaddr *)addr, len));
	must(!getsockname(fd, (struct sockaddr *)addr, &len));
	return fd;
}

static inline int listener(struct sockaddr_in *addr)
{
	int fd = bound_socket(SOCK_STREAM, addr);

	must(!listen(fd, 512));
	return fd;
}

static inline int connect_to(const struct sockaddr_in *addr, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !connect(fd, (const struct sockaddr *)addr, sizeof(*addr)));
	return fd;
}

static inline void tcp_pair(int fd[2])
{
	struct sockaddr_in addr;
	int on = 1, l = listener(&addr);

	fd[1] = connect_to(&addr, SOCK_STREAM);
	fd[0] = accept(l, NULL, NULL);
	must(fd[0] >= 0);
	must(!setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	close(l);
}

static inline void udp_pair(int fd[2])
{
	struct sockaddr_in addr;

	fd[0] = bound_socket(SOCK_DGRAM, &addr);
	fd[1] = connect_to(&addr, SOCK_DGRAM);
}

static inline void unix_pair(int fd[2])
{
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd));
}

static inline void unix_dgram_pair(int fd[2])
{
	must(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd));
}

static inline void pipe_pair(int fd[2])
{
	must(!pipe2(fd, O_CLOEXEC));
}

#endif
