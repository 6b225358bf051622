// SPDX-License-Identifier: GPL-2.0-only
/* descriptors SCENE ...: descriptors of which is known whose they are, and what became of each. */
#include "fds.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>

/* reuse N: a pair of sockets, each time of the same numbers, and other bytes through each. */
static void scene_reuse(int n)
{
	uint64_t bytes = 0;
	int fd[2];

	for (int i = 0; i < n; i++) {
		struct chan c;

		must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		c = (struct chan){ fd[0], fd[1], "unix" };
		put(c, i % 7 + 1);
		take(c.in, i % 7 + 1);
		bytes += (uint64_t)(i % 7 + 1);
		close(fd[0]);
		close(fd[1]);
	}
	/* Of each of the 2 N files one call, whose bytes are those of its own pair. */
	truth_put("{\"where\":{\"tgid\":%d,\"fd\":%d,\"kind\":\"unix\"},\"rows\":%d,"
		  "\"each\":{\"calls\":1,\"in_bytes\":[1,7],\"out_bytes\":0,\"flags.closed\":true},"
		  "\"sum\":{\"calls\":%d,\"in_bytes\":%" PRIu64 "}}\n", getpid(), fd[0], n, n, bytes);
	truth_put("{\"where\":{\"tgid\":%d,\"fd\":%d,\"kind\":\"unix\"},\"rows\":%d,"
		  "\"each\":{\"calls\":1,\"out_bytes\":[1,7],\"in_bytes\":0,\"flags.closed\":true},"
		  "\"sum\":{\"calls\":%d,\"out_bytes\":%" PRIu64 "}}\n", getpid(), fd[1], n, n, bytes);
}

/* churn N: so many that they cannot all be kept: nothing may be missing from their sum. */
static void scene_churn(int n)
{
	for (int i = 0; i < n; i++) {
		struct chan c = open_chan("eventfd");

		put(c, 8);
		take(c.in, 8);
		close(c.in);
	}
	truth_put("{\"where\":{},\"kinds\":[\"eventfd\",\"merged\"],\"rows\":null,"
		  "\"sum\":{\"in_bytes\":%d,\"out_bytes\":%d}}\n", 8 * n, 8 * n);
}

static void scene_dup(void)
{
	struct chan c = open_chan("pipe");
	int other = dup(c.in), third = 200;

	put(c, 30);
	take(c.in, 10);
	take(other, 10);
	must(dup2(c.in, third) == third);
	close(c.in);
	close(other);
	take(third, 10);
	fd_row_begin(third, "pipe");
	truth_num("calls", 3);
	truth_num("in_bytes", 30);
	is_true("flags.closed", false);
	row_end();
	fd_row_begin(c.out, "pipe");
	truth_num("out_bytes", 30);
	row_end();
}

static void in_child(void (*fn)(int fd), int fd)
{
	pid_t child = fork();
	int status;

	must(child >= 0);
	if (!child) {
		fn(fd);
		_exit(0);
	}
	must(waitpid(child, &status, 0) == child && !status);
}

static void take_ten(int fd)
{
	take(fd, 10);
}

static void scene_fork(void)
{
	struct chan c = open_chan("pipe");

	put(c, 30);
	take(c.in, 10);
	in_child(take_ten, c.in);
	take(c.in, 10);
	fd_row_begin(c.in, "pipe");
	truth_num("calls", 3);
	truth_num("in_bytes", 30);
	is_true("flags.shared", true);
	is_true("flags.closed", false);
	row_end();
}

/* An open file travels to another process, which reads from it. */
static void receive_and_take(int sock)
{
	char control_buf[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control_buf,
			      .msg_controllen = sizeof(control_buf) };
	int fd;

	must(recvmsg(sock, &msg, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	take(fd, 10);
}

static void scene_passed(void)
{
	struct chan c, road = open_chan("unix");
	pid_t child = fork();
	int status;

	must(child >= 0);
	if (!child) {
		receive_and_take(road.in);
		_exit(0);
	}
	c = open_chan("pipe");	/* after the fork: the child has it by the message alone */
	put(c, 20);
	take(c.in, 10);
	send_descriptor(road.out, c.in);
	must(waitpid(child, &status, 0) == child && !status);
	fd_row_begin(c.in, "pipe");
	truth_num("calls", 2);
	truth_num("in_bytes", 20);
	is_true("flags.shared", true);
	row_end();
}

/* exec: what is not passed on ends with the old program, and its number is used again. */
static void scene_exec(const char *self)
{
	struct chan c = open_chan("pipe");
	char in[16], out[16];

	must(!fcntl(c.in, F_SETFD, FD_CLOEXEC));
	put(c, 10);
	take(c.in, 10);
	snprintf(in, sizeof(in), "%d", c.in);
	snprintf(out, sizeof(out), "%d", c.out);
	execl(self, self, "exec2", in, out, NULL);
	die("exec");
}

static void scene_exec2(int in, int out)
{
	int fd[2];

	close(out);
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	must(fd[0] == in);
	put((struct chan){ fd[0], fd[1], "unix" }, 3);
	take(fd[0], 3);
	fd_row_begin(in, "unix");
	truth_num("calls", 1);
	truth_num("in_bytes", 3);
	row_end();
	fd_row_begin(in, "pipe");
	truth_num("calls", 1);
	truth_num("in_bytes", 10);
	is_true("flags.closed", true);
	row_end();
}

#define THREAD_POLLS 10

static void *poll_own(void *arg)
{
	struct chan c = open_chan("pipe");
	struct pollfd entry = { .fd = c.in, .events = POLLIN };

	(void)arg;
	put(c, 1);
	for (int i = 0; i < THREAD_POLLS; i++)
		must(poll(&entry, 1, -1) == 1);
	return NULL;
}

/* threads N: each polls a pipe of its own; what is reported of which is known beyond all rows of loops. */
static void scene_threads(int n)
{
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));

	allow_files((rlim_t)n * 2 + 100);
	for (int i = 0; i < n; i++)
		must(!pthread_create(&threads[i], NULL, poll_own, NULL));
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	truth_put("{\"where\":{\"tgid\":%d,\"reported\":%d},\"kinds\":[\"pipe\"],\"rows\":%d,"
		  "\"sum\":{\"reported\":%d}}\n", getpid(), THREAD_POLLS, n, n * THREAD_POLLS);
}

/* many N KIND: of N in one instance a few have something to say. */
static void scene_many(int n, const char *kind)
{
	struct chan *chans = calloc((size_t)n, sizeof(*chans));
	int ep = epoll_new();

	allow_files(2 * (rlim_t)n + 100);
	go_on();
	for (int i = 0; i < n; i++) {
		chans[i] = open_chan(kind);
		control(ep, EPOLL_CTL_ADD, chans[i].in, EPOLLIN, (uint64_t)i);
	}
	for (int i = 0; i < n; i += 100) {
		put(chans[i], 8);
		wait_for(ep, -1, 1);
		take(chans[i].in, 8);
	}
	truth_put("{\"where\":{\"tgid\":%d,\"kind\":\"%s\",\"interest.by\":\"epoll\"},\"rows\":%d,"
		  "\"each\":{\"interest.mask\":\"0x19\",\"reported\":[0,1],\"unserved\":0},"
		  "\"sum\":{\"reported\":%d,\"in_bytes\":%d}}\n", getpid(), kind, n, (n + 99) / 100,
		  (n + 99) / 100 * 8);
	stay();
}

/* thread: what one thread of several does, of which it alone is watched. */
static void *thread_scene(void *arg)
{
	struct chan c = open_chan("pipe");
	int ep = epoll_new();

	(void)arg;
	prctl(PR_SET_NAME, "fds-worker");
	control(ep, EPOLL_CTL_ADD, c.in, EPOLLIN, 1);
	go_on();
	for (int i = 0; i < 5; i++) {
		put(c, 2);
		wait_for(ep, -1, 1);
		take(c.in, 2);
	}
	fd_row_begin(c.in, "pipe");
	truth_num("reported", 5);
	truth_num("in_bytes", 10);
	is_true("flags.closed", false);
	truth_put(",\"interest.by\":\"epoll\"");
	row_end();
	stay();
	return NULL;
}

static void scene_thread(void)
{
	pthread_join(start(thread_scene, NULL), NULL);
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = {
		{ "dup", scene_dup }, { "fork", scene_fork }, { "passed", scene_passed },
		{ "thread", scene_thread },
	};
	const char *scene = argc > 1 ? argv[1] : "";

	if (!strcmp(scene, "reuse") && argc == 3)
		scene_reuse(number(argv, 2));
	else if (!strcmp(scene, "churn") && argc == 3)
		scene_churn(number(argv, 2));
	else if (!strcmp(scene, "exec"))
		scene_exec(argv[0]);
	else if (!strcmp(scene, "exec2"))
		scene_exec2(number(argv, 2), number(argv, 3));
	else if (!strcmp(scene, "threads") && argc == 3)
		scene_threads(number(argv, 2));
	else if (!strcmp(scene, "many") && argc == 4)
		scene_many(number(argv, 2), argv[3]);
	else
		run_scene(scenes, ARRAY_SIZE(scenes), scene);
	truth_write();
	return 0;
}
