// SPDX-License-Identifier: GPL-2.0-only
/* edge SCENE VARIANT: edge-triggered and one-shot descriptors of which something is forgotten. */
#include "scene.h"

#define CHUNK_BYTES 4096
#define LONG_BYTES 6000		/* a question that takes two reads */

/* et-undrained: one read for each edge, where the question takes two */

struct reader {
	struct line line;
	size_t whole, have;	/* bytes of a question */
	unsigned int settle_ms;
};

static __thread struct reader reader;

static void read_edge(int ep, int fd, uint32_t events)
{
	bool once = fault_now();
	ssize_t n;

	(void)ep;
	(void)events;
	do {
		n = hear(fd, CHUNK_BYTES);
		reader.have += n > 0 ? (size_t)n : 0;
	} while (n > 0 && !once);
	if (reader.have < reader.whole)
		return;
	reader.have = 0;
	answer(reader.line.out);
	if (reader.settle_ms)
		sleep_ms(reader.settle_ms);
}

static void undrained(const char *kind, unsigned int left, size_t bytes, int pieces)
{
	struct talk talk = { .bytes = bytes, .pieces = pieces, .pause_ms = 1,
			     .patience_ms = STALL_MS };

	/* Several pieces are one edge if they come while nothing waits for them. */
	reader = (struct reader){ .line = with_talk(kind, talk),
				  .settle_ms = pieces > 1 ? SETTLE_MS : 0,
				  .whole = bytes * (size_t)pieces };
	/* A push that is a message of its own stays, too, where the fault does. */
	tell_stall("et-undrained", reader.line.in, left,
		   pieces > 1 && variant == VARIANT_FAULT ? LIFE_S * 1000 / STALL_MS : left);
	loop(set_of(reader.line.in, EPOLLIN | EPOLLET), -1, read_edge);
}

static void undrained_tcp(void)
{
	undrained("tcp", LONG_BYTES - CHUNK_BYTES, LONG_BYTES, 1);
}

static void undrained_unix(void)
{
	undrained("unix", 1, LONG_BYTES, 1);
}

static void undrained_pipe(void)
{
	undrained("pipe", 1, LONG_BYTES, 1);
}

static void undrained_udp(void)
{
	undrained("udp", 1, QUESTION_BYTES, 2);
}

/* What the program lets epoll remember is a descriptor only in its lower half. */
static void undrained_garbage(void)
{
	data_above_fd = 0xdeadbeef;
	undrained_tcp();
}

/* The same in one of several threads with a loop each. */
static void *read_in_thread(void *arg)
{
	const struct talk *talk = arg;
	bool culprit = talk->bytes == LONG_BYTES;

	reader = (struct reader){ .line = talk->line, .whole = talk->bytes };
	if (culprit)
		tell_stall("et-undrained", talk->line.in, LONG_BYTES - CHUNK_BYTES,
			   LONG_BYTES - CHUNK_BYTES);
	loop(set_of(talk->line.in, EPOLLIN | EPOLLET), -1, culprit ? read_edge : echo);
	return NULL;
}

static void undrained_threads(void)
{
	struct talk talk[4] = { 0 };
	pthread_t last = 0;

	for (int i = 0; i < 4; i++)
		talk[i] = (struct talk){ .bytes = i == 2 ? LONG_BYTES : QUESTION_BYTES,
					 .pause_ms = 1, .patience_ms = STALL_MS };
	with_talks("tcp", talk, 4);
	for (int i = 0; i < 4; i++)
		last = start(read_in_thread, &talk[i]);
	pthread_join(last, NULL);
}

/* et-accept-once */

static bool accept_one(int fd)
{
	int conn = welcome(fd);

	if (conn < 0)
		return false;
	answer(conn);
	close(conn);
	return true;
}

static void accept_edge(int ep, int fd, uint32_t events)
{
	bool once = fault_now();

	(void)ep;
	(void)events;
	while (accept_one(fd) && !once)
		;
	sleep_ms(SETTLE_MS);
}

static void accept_once(void)
{
	struct sockaddr_in addr;
	int fd = listener_nonblocking(&addr);

	with_client(call_in_bursts, &addr);
	/* Each burst leaves two of its own or of those that called once more. */
	tell_stall("et-accept-once", fd, 1, variant == VARIANT_FAULT ? 512 : BURST - 1);
	sleep_ms(20);	/* so that the first burst is one edge */
	loop(set_of(fd, EPOLLIN | EPOLLET), -1, accept_edge);
}

/* oneshot-not-rearmed: a watchdog arms what was forgotten */

static int oneshot_fd;

static void serve_oneshot(int ep, int fd, uint32_t events)
{
	(void)events;
	if (fd >= 0) {
		if (drain(fd))
			answer(fd);
		if (fault_now())
			return;
	}
	control(ep, EPOLL_CTL_MOD, oneshot_fd, EPOLLIN | EPOLLONESHOT);
}

static void oneshot(void)
{
	struct line line = with_questions(5);

	oneshot_fd = line.in;
	tell_stall("oneshot-not-rearmed", line.in, QUESTION_BYTES, QUESTION_BYTES);
	loop(set_of(line.in, EPOLLIN | EPOLLONESHOT), STALL_MS, serve_oneshot);
}

/* The same data is served by a worker, which arms it again when it is done: no fault. */
static void *work_for_loop(void *arg)
{
	int *job = arg, fd, ep = job[2];

	while (read(job[0], &fd, sizeof(fd)) == sizeof(fd)) {
		sleep_ms(10);
		echo(ep, fd, 0);
		control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
	}
	return NULL;
}

static int worker_pipe;

static void hand_over(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	must(write(worker_pipe, &fd, sizeof(fd)) == sizeof(fd));
}

static void oneshot_worker(void)
{
	struct line line = with_questions(5);
	int job[3];

	pipe_pair(job);
	worker_pipe = job[1];
	job[2] = set_of(line.in, EPOLLIN | EPOLLONESHOT);
	tell_nothing("oneshot-not-rearmed", line.in);
	start(work_for_loop, job);
	loop(job[2], -1, hand_over);
}

/* lost-out-edge: IN and OUT come together, and "else" forgets the second */

#define REPLY_BYTES (512 << 10)
#define SNDBUF_BYTES (64 << 10)

static struct {
	int fd;
	size_t left;	/* to be written */
} outbox;

static void flush_outbox(void)
{
	ssize_t n;

	while (outbox.left) {
		size_t part = outbox.left < sizeof(heard) ? outbox.left : sizeof(heard);

		n = write(outbox.fd, heard, part);
		if (n < 0)
			break;
		outbox.left -= (size_t)n;
	}
}

/*
 * Asks with one byte for a long reply. When it has all that could be written at first, and the
 * subject has not begun its next wait, it says another byte.
 */
static bool fetch(const struct line *line)
{
	static char buf[1 << 16];
	bool asked_more = false;
	size_t got = 0;

	if (write(line->far_out, "q", 1) != 1)
		return false;
	while (got < REPLY_BYTES) {
		ssize_t n;

		if (!asked_more && got && !readable(line->far_in, 1)) {
			asked_more = true;
			must(write(line->far_out, "p", 1) == 1);
		}
		n = read(line->far_in, buf, sizeof(buf));
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

static void fetch_on(void *arg)
{
	const struct line *line = arg;

	close(line->in);
	while (fetch(line))
		;
}

static void hear_request(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1) {
		if (c != 'q')
			continue;
		outbox.left += REPLY_BYTES;
		flush_outbox();
	}
}

static void serve_reply(int ep, int fd, uint32_t events)
{
	bool lose = events & EPOLLIN && events & EPOLLOUT && outbox.left && fault_now();

	(void)ep;
	if (events & EPOLLIN)
		hear_request(fd);
	if (!lose)
		flush_outbox();
	if (events & EPOLLIN)
		sleep_ms(SETTLE_MS);
}

static void lost_out(const char *kind)
{
	struct line line = line_open(kind);
	int bytes = SNDBUF_BYTES;

	with_client(fetch_on, &line);
	close(line.far_in);
	outbox.fd = line.in;
	must(!setsockopt(line.in, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	truth_begin("lost-out-edge", line.in);
	evidence("stall_ms", STALL_LO_MS, STALL_HI_MS);
	truth_tell();
	loop(set_of(line.in, EPOLLIN | EPOLLOUT | EPOLLET), STALL_MS, serve_reply);
}

static void lost_out_tcp(void)
{
	lost_out("tcp");
}

static void lost_out_unix(void)
{
	lost_out("unix");
}

/* et-starvation: a flood is drained while another connection waits */

#define FLOOD_MS 300
#define FLOOD_REST_MS 100
#define READ_NS 50000		/* what the subject does with each piece */

static void *flood_on(void *arg)
{
	const struct talk *t = arg;
	static const char words[CHUNK_BYTES];

	for (;;) {
		uint64_t end = now_ns() + FLOOD_MS * MSEC;

		while (now_ns() < end)
			if (write(t->line.far_out, words, sizeof(words)) < 0)
				return NULL;
		sleep_ms(FLOOD_REST_MS);
	}
}

static void flood_and_talk(void *arg)
{
	struct talk *talk = arg;

	close(talk[0].line.in);
	close(talk[1].line.in);
	start(flood_on, &talk[0]);
	talk_on(&talk[1]);
}

static int flooded_fd;
static bool flooded_more;	/* something may be left there */

static void read_flood(int reads)
{
	ssize_t n = 0;

	for (int i = 0; i < reads; i++) {
		n = hear(flooded_fd, CHUNK_BYTES);
		if (n <= 0)
			break;
		burn_ns(READ_NS);
	}
	flooded_more = n > 0;
}

static void starvation(void)
{
	struct talk talk[2] = { { .line = line_open("tcp") },
				{ .line = line_open("tcp"), .bytes = QUESTION_BYTES,
				  .pause_ms = 5 } };
	int reads = variant == VARIANT_FAULT ? 1 << 30 : 16, ep;
	struct epoll_event got[2];

	with_client(flood_and_talk, talk);
	close(talk[0].line.far_in);
	close(talk[1].line.far_in);
	flooded_fd = talk[0].line.in;
	truth_begin("et-starvation", flooded_fd);
	evidence("drain_ms", FLOOD_MS - 50, FLOOD_MS + 200);
	evidence("waited_ms", FLOOD_MS - 50, FLOOD_MS + 200);
	truth_tell();
	ep = set_of(flooded_fd, EPOLLIN | EPOLLET);
	nonblocking(talk[1].line.in);
	add(ep, talk[1].line.in, EPOLLIN | EPOLLET);
	for (;;) {
		int n = epoll_wait(ep, got, 2, flooded_more ? 0 : -1);

		for (int i = 0; i < n; i++)
			if (got[i].data.fd == flooded_fd)
				flooded_more = true;
			else
				echo(ep, got[i].data.fd, 0);
		if (flooded_more)
			read_flood(reads);
	}
}

/* et-blocking-fd: the last read of a drain sleeps until the client speaks again */

static void read_all_blocking(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	while (read(fd, heard, sizeof(heard)) > 0)
		answer(fd);
}

/* As one that drains at most so much for each edge does: it comes back to its wait now and then. */
static void read_twice_blocking(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	for (int i = 0; i < 2 && read(fd, heard, sizeof(heard)) > 0; i++)
		answer(fd);
}

/* Blocking, but every call says MSG_DONTWAIT: no fault. */
static void read_dontwait(int ep, int fd, uint32_t events)
{
	(void)ep;
	(void)events;
	while (recv(fd, heard, sizeof(heard), MSG_DONTWAIT) > 0)
		answer(fd);
}

static int blocking_set(struct line *line)
{
	int ep = set_new();

	*line = with_questions(300);
	truth_begin("et-blocking-fd", line->in);
	evidence("blocked_ms", 250, 350);
	truth_tell();
	add(ep, line->in, EPOLLIN | EPOLLET);
	return ep;
}

static void blocking_drain(handler handle)
{
	struct line line;
	int ep = blocking_set(&line);

	if (variant == VARIANT_HEALTHY)
		nonblocking(line.in);
	loop(ep, -1, handle);
}

static void blocking_fd(void)
{
	blocking_drain(read_twice_blocking);
}

/* Its loop never comes back to its wait. */
static void blocking_for_ever(void)
{
	blocking_drain(read_all_blocking);
}

static void dontwait(void)
{
	struct line line;

	loop(blocking_set(&line), -1, read_dontwait);
}

static const struct scene scenes[] = {
	{ "undrained-tcp", undrained_tcp },
	{ "undrained-unix", undrained_unix },
	{ "undrained-pipe", undrained_pipe },
	{ "undrained-udp", undrained_udp },
	{ "undrained-garbage", undrained_garbage },
	{ "undrained-threads", undrained_threads },
	{ "accept-once", accept_once },
	{ "oneshot", oneshot },
	{ "oneshot-worker", oneshot_worker },
	{ "lost-out-tcp", lost_out_tcp },
	{ "lost-out-unix", lost_out_unix },
	{ "starvation", starvation },
	{ "blocking-fd", blocking_fd },
	{ "blocking-for-ever", blocking_for_ever },
	{ "dontwait", dontwait },
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, scenes, ARRAY_SIZE(scenes));
}
