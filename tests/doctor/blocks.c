// SPDX-License-Identifier: GPL-2.0-only
/* blocks SCENE VARIANT: calls that sleep where a loop should go on to its next wait. */
#include "scene.h"

#define PAUSE_MS 5

static void tell_blocked(int fd)
{
	truth_begin("blocking-in-loop", fd);
	evidence("blocked_ms", SLOW_LO_MS, SLOW_HI_MS);
	truth_tell();
}

/*
 * To answer, the subject needs something slow. A round at fault waits for it inside the call; the
 * twin registers it and goes on.
 */
struct need {
	void (*block)(void);
	void (*begin)(int ep);			/* what the twin does instead, until finish() */
	bool (*finish)(int ep, int fd);		/* whether that was all */
};

static struct line front;
static const struct need *need;

/* Ticks every 10 ms, so that something waits whenever the loop is late. */
static int ticker_fd = -1;

static void start_ticker(int ep)
{
	struct itimerspec tick = { { 0, 10 * MSEC }, { 0, 10 * MSEC } };

	ticker_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	must(ticker_fd >= 0 && !timerfd_settime(ticker_fd, 0, &tick, NULL));
	add(ep, ticker_fd, EPOLLIN);
}

static void serve_need(int ep, int fd, uint32_t events)
{
	(void)events;
	if (fd == ticker_fd) {
		hear(fd, sizeof(uint64_t));
		return;
	}
	if (fd != front.in) {
		if (need->finish(ep, fd))
			answer(front.out);
		return;
	}
	drain(fd);
	if (variant == VARIANT_HEALTHY) {
		need->begin(ep);
		return;
	}
	if (fault_now())
		need->block();
	answer(front.out);
}

/* The client talks over the front, and a thread of it is what is needed. */
struct slow_world {
	struct talk talk;
	void *(*backend)(void *);
	void *arg;
};

static void talk_with_backend(void *arg)
{
	struct slow_world *world = arg;

	close(world->talk.line.in);
	if (world->backend)
		start(world->backend, world->arg);
	talk_on(&world->talk);
}

static void with_backend(void *(*backend)(void *), void *arg, unsigned int pause_ms)
{
	struct slow_world world = { { .line = line_open("unix"), .bytes = QUESTION_BYTES,
				      .pause_ms = pause_ms }, backend, arg };

	with_client(talk_with_backend, &world);
	front = world.talk.line;
	close(front.far_in);
}

static void serve_front(const struct need *what)
{
	int ep = set_of(front.in, EPOLLIN);

	need = what;
	start_ticker(ep);
	loop(ep, -1, serve_need);
}

/* A pipe to and from a helper that takes its time. */
static struct line helper;

static void *help_slowly(void *arg)
{
	char c;

	(void)arg;
	close_both(helper.in, helper.out);
	while (read(helper.far_in, &c, 1) == 1) {
		sleep_ms(SLOW_MS);
		must(write(helper.far_out, &c, 1) == 1);
	}
	return NULL;
}

static void ask_helper(void)
{
	must(write(helper.out, "?", 1) == 1);
}

static void block_on_helper(void)
{
	ask_helper();
	must(read(helper.in, heard, 1) == 1);
}

static void begin_helper(int ep)
{
	static bool known;

	if (!known)
		add(ep, helper.in, EPOLLIN);
	known = true;
	ask_helper();
}

static bool finish_helper(int ep, int fd)
{
	(void)ep;
	return read(fd, heard, 1) == 1;
}

static void block_pipe(void)
{
	static const struct need pipe_need = { block_on_helper, begin_helper, finish_helper };

	helper = line_open("pipe");
	with_backend(help_slowly, NULL, PAUSE_MS);
	close_both(helper.far_in, helper.far_out);
	if (variant == VARIANT_HEALTHY)
		nonblocking(helper.in);
	tell_blocked(helper.in);
	serve_front(&pipe_need);
}

/* A write of more than there is room for, to a peer that reads when it likes. */
#define BULK_BYTES (1 << 20)

static size_t bulk_left;

static void *read_late(void *arg)
{
	(void)arg;
	close(helper.in);
	for (;;) {
		must(readable(helper.far_in, -1));
		sleep_ms(SLOW_MS);
		for (size_t all = 0; all < BULK_BYTES;) {
			ssize_t n = read(helper.far_in, heard, sizeof(heard));

			if (n <= 0)
				return NULL;
			all += (size_t)n;
		}
	}
}

static void write_bulk(void)
{
	static const char bulk[BULK_BYTES];
	ssize_t n = write(helper.out, bulk, bulk_left);

	must(n > 0 || errno == EAGAIN);
	bulk_left -= n > 0 ? (size_t)n : 0;
}

static void block_on_write(void)
{
	for (bulk_left = BULK_BYTES; bulk_left;)
		write_bulk();
}

static bool finish_write(int ep, int fd)
{
	write_bulk();
	if (!bulk_left)
		control(ep, EPOLL_CTL_DEL, fd, 0);
	return !bulk_left;
}

static void begin_write(int ep)
{
	bulk_left = BULK_BYTES;
	write_bulk();
	add(ep, helper.out, EPOLLOUT);
}

static void block_write(void)
{
	static const struct need write_need = { block_on_write, begin_write, finish_write };

	helper = line_open("unix");
	with_backend(read_late, NULL, PAUSE_MS);
	close(helper.far_in);
	if (variant == VARIANT_HEALTHY)
		nonblocking(helper.out);
	tell_blocked(helper.out);
	serve_front(&write_need);
}

/*
 * A connect to a listener whose queue is full for a while: the kernel drops the SYN, and sends
 * another after a second.
 */
#define SYN_AGAIN_MS 1000

static struct sockaddr_in full_addr;

static void *accept_late(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		int filler = connect_to(&full_addr, SOCK_STREAM);

		sleep_ms(SLOW_MS);
		close(accept(fd, NULL, NULL));
		close(accept(fd, NULL, NULL));
		close(filler);
	}
	return NULL;
}

static void block_on_connect(void)
{
	close(connect_to(&full_addr, SOCK_STREAM));
}

static void begin_connect(int ep)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), refused;

	must(fd >= 0);
	refused = connect(fd, (struct sockaddr *)&full_addr, sizeof(full_addr));
	must(!refused || errno == EINPROGRESS);
	add(ep, fd, EPOLLOUT);
}

static bool finish_connect(int ep, int fd)
{
	(void)ep;
	close(fd);
	return true;
}

static void block_connect(void)
{
	static const struct need connect_need = { block_on_connect, begin_connect, finish_connect };
	int fd = bound_socket(SOCK_STREAM, &full_addr);

	must(!listen(fd, 0));
	with_backend(accept_late, &fd, PAUSE_MS);
	close(fd);
	truth_begin("blocking-in-loop", -1);
	evidence("blocked_ms", SYN_AGAIN_MS - 100, SYN_AGAIN_MS + 200);
	truth_tell();
	serve_front(&connect_need);
}

/* Data brought from or to the disk; the twin lets a thread do it. */
#define DISK_BYTES ((size_t)256 << 20)
#define DISK_PAUSE_MS 400
#define DISK_LEAST_MS 60	/* on a faster disk there is nothing to be seen */

static struct {
	int fd, done;
	char *data;
	void (*use)(void);
	struct gate jobs;
} disk = { .jobs = GATE_INIT };

static void read_disk(void)
{
	must(pread(disk.fd, disk.data, DISK_BYTES, 0) == (ssize_t)DISK_BYTES);
}

static void sync_disk(void)
{
	for (int i = 0; i < 2; i++)
		must(pwrite(disk.fd, disk.data, DISK_BYTES, (off_t)DISK_BYTES * i) > 0);
	must(!fdatasync(disk.fd));
}

static void *use_for_loop(void *arg)
{
	(void)arg;
	for (int job = 1;; job++) {
		gate_wait(&disk.jobs, job);
		disk.use();
		must(!eventfd_write(disk.done, 1));
	}
	return NULL;
}

static void begin_disk(int ep)
{
	static bool known;

	if (!known)
		add(ep, disk.done, EPOLLIN);
	known = true;
	gate_add(&disk.jobs, 1);
}

static bool finish_disk(int ep, int fd)
{
	eventfd_t count;

	(void)ep;
	return !eventfd_read(fd, &count);
}

static void disk_open(void)
{
	disk.fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	disk.done = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	disk.data = aligned_alloc(4096, DISK_BYTES);
	if (disk.fd < 0 || !disk.data)
		skip("no room for a large file in /var/tmp");
	must(disk.done >= 0);
	memset(disk.data, 'd', DISK_BYTES);
}

static uint64_t disk_use_ns(void)
{
	uint64_t begin = now_ns();

	disk.use();
	return now_ns() - begin;
}

static void block_disk(void (*use)(void), int flags)
{
	const struct need disk_need = { use, begin_disk, finish_disk };

	with_backend(NULL, NULL, DISK_PAUSE_MS);
	disk_open();
	disk.use = sync_disk;
	disk.use();
	must(!fcntl(disk.fd, F_SETFL, flags));
	disk.use = use;
	if (disk_use_ns() < DISK_LEAST_MS * MSEC)
		skip("the disk is too fast to be waited for");
	truth_begin("blocking-in-loop", disk.fd);
	evidence("blocked_ms", DISK_LEAST_MS / 2, 5000);
	truth_tell();
	if (variant == VARIANT_HEALTHY)
		start(use_for_loop, NULL);
	serve_front(&disk_need);
}

static void block_disk_read(void)
{
	block_disk(read_disk, O_DIRECT);
}

static void block_fsync(void)
{
	block_disk(sync_disk, 0);
}

/* A watched descriptor without O_NONBLOCK: whole questions are waited for. */

static size_t have;

/* A descriptor with O_NONBLOCK does not heed MSG_WAITALL. */
static void read_whole(int ep, int fd, uint32_t events)
{
	ssize_t n = recv(fd, heard, 2 * QUESTION_BYTES - have, MSG_WAITALL);

	(void)ep;
	(void)events;
	have += n > 0 ? (size_t)n : 0;
	if (have < 2 * QUESTION_BYTES)
		return;
	have = 0;
	answer(fd);
}

static void block_read(void)
{
	struct talk talk = { .bytes = QUESTION_BYTES, .pieces = 2, .piece_ms = SLOW_MS,
			     .pause_ms = PAUSE_MS };
	struct line line = with_talk("tcp", talk);
	int ep = set_new();

	tell_blocked(line.in);
	add(ep, line.in, EPOLLIN);
	if (variant == VARIANT_HEALTHY)
		nonblocking(line.in);
	loop(ep, -1, read_whole);
}

/* The same with a listener: of two accepts for an event the second waits for the next caller. */

static void accept_twice(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	for (int i = 0; i < 2; i++) {
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			return;
		answer(conn);
		close(conn);
	}
}

static void block_accept(void)
{
	struct calls calls = { .pause_ms = SLOW_MS };
	int fd = listener(&calls.addr), ep = set_new();

	with_client(call_on, &calls);
	tell_blocked(fd);
	add(ep, fd, EPOLLIN);
	if (variant == VARIANT_HEALTHY)
		nonblocking(fd);
	loop(ep, -1, accept_twice);
}

static const struct scene scenes[] = {
	{ "pipe", block_pipe },
	{ "write", block_write },
	{ "connect", block_connect },
	{ "disk-read", block_disk_read },
	{ "fsync", block_fsync },
	{ "read", block_read },
	{ "accept", block_accept },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}
