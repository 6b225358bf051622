// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process for each connection, with blocking calls. What a client says to all goes through the
 * parent, which keeps every socket for that, over one message socket that all children share.
 *
 * Two processes write to one socket, the client's own and the parent. So that they do not write
 * into each other's messages there is a pen for each connection in shared memory: a child holds it
 * while it answers, the parent from the first to the last byte of what it passes on. The parent
 * never waits for a pen: it keeps what it could not write, and tries again.
 */
#include "model.h"

#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define RETRY_MS 5

/* The parent's side of a connection, by its descriptor. */
struct post {
	pid_t child;		/* 0: no connection */
	bool writing;		/* it has the pen */
	struct buffer out;
};

static struct post *posts;
static sem_t *pens;		/* shared */
static int size, bound, waiting;
static int hub[2];		/* 0: the children's end, 1: the parent's */

/* On the hub: the number of the speaker's descriptor in the parent, then the message. */
struct letter {
	int fd;
	char data[LINE_MAX_BYTES];
};

static void tell(const struct peer *speaker, const char *data, size_t len)
{
	struct letter letter = { .fd = speaker->fd };

	memcpy(letter.data, data, len);
	while (send(hub[0], &letter, sizeof(letter.fd) + len, 0) < 0 && errno == EINTR)
		;
}

_Noreturn static void serve(int fd, pid_t parent)
{
	struct peer *self;
	char bytes[READ_BYTES];
	ssize_t got;
	bool goes_on = true;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	/* Of the parent's descriptors it needs two. */
	close_range((unsigned int)hub[0] + 1, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0u, 0);
	self = peer_new(fd);
	while (goes_on) {
		got = recv(fd, bytes, sizeof(bytes), 0);
		if (got < 0 && errno == EINTR)
			continue;
		sem_wait(&pens[fd]);
		goes_on = peer_answer(self, bytes, got);
		sem_post(&pens[fd]);
	}
	/* The parent has the socket too. */
	shutdown(fd, SHUT_RDWR);
	_exit(0);
}

static void enter(int fd)
{
	pid_t parent = getpid(), child;

	if (fd >= size) {
		fprintf(stderr, "a client is refused: descriptor %d\n", fd);
		close(fd);
		return;
	}
	sem_init(&pens[fd], 1, 1);
	child = fork();
	if (!child)
		serve(fd, parent);
	if (child < 0) {
		fprintf(stderr, "a client is refused, no process: %m\n");
		close(fd);
		return;
	}
	posts[fd] = (struct post){ .child = child };
	if (fd >= bound)
		bound = fd + 1;
}

static void leave(struct post *post, int fd)
{
	if (post->out.len)
		waiting--;
	buffer_free(&post->out);
	post->child = 0;
	close(fd);
}

/* As much of what is kept as goes; a socket that is broken is left to its child to find. */
static void flush(struct post *post, int fd)
{
	ssize_t sent;

	if (!post->writing && sem_trywait(&pens[fd]))
		return;
	sent = send(fd, post->out.data + post->out.from, post->out.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		sent = (ssize_t)post->out.len;
	buffer_consume(&post->out, sent < 0 ? 0 : (size_t)sent);
	post->writing = post->out.len;
	if (post->writing)
		return;
	waiting--;
	sem_post(&pens[fd]);
}

static void pass_on(const struct letter *letter, size_t len)
{
	for (int fd = 0; fd < bound; fd++) {
		struct post *post = &posts[fd];

		if (!post->child || fd == letter->fd)
			continue;
		if (!post->out.len)
			waiting++;
		buffer_append(&post->out, letter->data, len);
		if (post->out.len > OUT_MAX_BYTES)
			shutdown(fd, SHUT_RDWR);
		flush(post, fd);
	}
}

static void read_letter(void)
{
	static struct letter letter;
	ssize_t got = recv(hub[1], &letter, sizeof(letter), 0);

	if (got > (ssize_t)sizeof(letter.fd))
		pass_on(&letter, (size_t)got - sizeof(letter.fd));
}

static void bury(int children)
{
	struct signalfd_siginfo info;
	pid_t child;

	if (read(children, &info, sizeof(info)) < 0)
		return;
	while ((child = waitpid(-1, NULL, WNOHANG)) > 0)
		for (int fd = 0; fd < bound; fd++)
			if (posts[fd].child == child) {
				leave(&posts[fd], fd);
				break;
			}
}

static void set_up(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	size = (int)limit.rlim_cur;
	posts = calloc((size_t)size, sizeof(*posts));
	pens = mmap(NULL, (size_t)size * sizeof(*pens), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!posts || pens == MAP_FAILED)
		fail("memory for clients");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hub))
		fail("socketpair");
}

static void run(int listener)
{
	struct pollfd ready[] = {
		{ .fd = listener, .events = POLLIN },
		{ .events = POLLIN },
		{ .events = POLLIN },
	};
	sigset_t ends;
	int fd;

	set_up();
	nonblocking(listener);
	sigemptyset(&ends);
	sigaddset(&ends, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	ready[1].fd = hub[1];
	ready[2].fd = signalfd(-1, &ends, SFD_CLOEXEC);
	for (;;) {
		poll(ready, 3, waiting ? RETRY_MS : -1);
		for (fd = 0; waiting && fd < bound; fd++)
			if (posts[fd].out.len)
				flush(&posts[fd], fd);
		if (ready[1].revents)
			read_letter();
		if (ready[2].revents)
			bury(ready[2].fd);
		if (ready[0].revents && (fd = listener_accept(listener, true)) >= 0)
			enter(fd);
	}
}

const struct model model_process = {
	.about = "a process for each connection, with blocking calls",
	.run = run,
	.tell = tell,
};
