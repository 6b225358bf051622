/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs about descriptors and event loops share. A row says which of iophase's rows it
 * is about, and what they must say; see fds.py.
 */
#ifndef FDS_H
#define FDS_H

#include "truth.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* {"where":{...},"is":{...}}: exactly one row has all of the first, and all of the second too. */
static inline void row_begin(void)
{
	pthread_mutex_lock(&truth_lock);
	truth_put("{\"where\":{\"tgid\":%d", getpid());
}

static inline void row_end(void)
{
	truth_put("}}\n");
	pthread_mutex_unlock(&truth_lock);
}

static inline void fd_row_begin(int fd, const char *kind)
{
	row_begin();
	truth_put(",\"fd\":%d,\"kind\":\"%s\"},\"is\":{\"calls\":[0,%d]", fd, kind, INT32_MAX);
}

static inline void is_true(const char *key, bool value)
{
	truth_put(",\"%s\":%s", key, value ? "true" : "false");
}

static inline void is_null(const char *key)
{
	truth_put(",\"%s\":null", key);
}

struct chan {
	int in, out;
	const char *kind;
};

static inline struct chan open_tcp(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), out = socket(AF_INET, SOCK_STREAM, 0), in;
	socklen_t len = sizeof(addr);

	must(!bind(listener, (void *)&addr, len) && !listen(listener, 1));
	must(!getsockname(listener, (void *)&addr, &len));
	must(!connect(out, (void *)&addr, len));
	in = accept(listener, NULL, NULL);
	must(in >= 0);
	close(listener);
	return (struct chan){ in, out, "tcp" };
}

static inline struct chan open_udp(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(addr);

	must(!bind(in, (void *)&addr, len) && !getsockname(in, (void *)&addr, &len));
	must(!connect(out, (void *)&addr, len));
	return (struct chan){ in, out, "udp" };
}

static inline struct chan open_chan(const char *kind)
{
	int fd[2];

	if (!strcmp(kind, "tcp"))
		return open_tcp();
	if (!strcmp(kind, "udp"))
		return open_udp();
	if (!strcmp(kind, "eventfd")) {
		fd[0] = eventfd(0, 0);
		return (struct chan){ fd[0], fd[0], "eventfd" };
	}
	if (!strcmp(kind, "unix"))
		must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	else
		must(!pipe(fd));
	return (struct chan){ fd[0], fd[1], kind };
}

static inline void put(struct chan c, int bytes)
{
	char buf[4096] = { 1 };

	must(write(c.out, buf, (size_t)bytes) == bytes);
}

static inline void take(int fd, int bytes)
{
	char buf[4096];

	must(read(fd, buf, (size_t)bytes) == bytes);
}

static inline void control(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	must(!epoll_ctl(ep, op, fd, &ev));
}

static inline int epoll_new(void)
{
	int ep = epoll_create1(0);

	must(ep >= 0);
	return ep;
}

static struct epoll_event got[64];

/* One wait that must report so many. */
static inline void wait_for(int ep, int timeout_ms, int ready)
{
	must(epoll_wait(ep, got, ARRAY_SIZE(got), timeout_ms) == ready);
}

/* An open file travels through @road, a unix socket. */
static inline void send_descriptor(int road, int fd)
{
	char control_buf[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control_buf,
			      .msg_controllen = sizeof(control_buf) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	must(sendmsg(road, &msg, 0) == 1);
}

/* Of a program that is watched from outside, stdin tells when it is; it must not end before that. */
static inline void go_on(void)
{
	char byte;

	must(read(STDIN_FILENO, &byte, 1) == 1);
}

static inline void stay(void)
{
	char byte;

	truth_write();
	must(read(STDIN_FILENO, &byte, 1) >= 0);
	_exit(0);
}

static inline void allow_files(rlim_t n)
{
	struct rlimit limit = { n, n };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		skip("the limit of open files cannot be raised so far");
}

/* A scene that takes no arguments. */
struct scene {
	const char *name;
	void (*run)(void);
};

static inline void run_scene(const struct scene *scenes, size_t nr, const char *name)
{
	size_t i = 0;

	while (i < nr && strcmp(scenes[i].name, name))
		i++;
	must(i < nr);
	scenes[i].run();
}

static inline int number(char **argv, int i)
{
	return atoi(argv[i]);
}

#endif
