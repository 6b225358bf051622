// SPDX-License-Identifier: GPL-2.0-only
/*
 * fdset: what the limit of 1,024 does. One line of JSON. Descriptor FAR is put into an fd_set that
 * has bits for 1,024, with memory of somebody else behind it.
 *
 * When it is built with _FORTIFY_SOURCE, FD_SET() looks at the number and aborts.
 */
#include "micro.h"

#include <stdbool.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define FAR 1500
#define BEHIND_BYTES 128

/* A set, and what happens to be stored next to it. */
struct frame {
	fd_set set;
	unsigned char behind[BEHIND_BYTES];
};

static int changed(const struct frame *frame, const struct frame *before)
{
	int n = 0;

	for (int i = 0; i < BEHIND_BYTES; i++)
		n += frame->behind[i] != before->behind[i];
	return n;
}

static void fill(struct frame *frame, int behind)
{
	FD_ZERO(&frame->set);
	memset(frame->behind, behind, BEHIND_BYTES);
}

static void put(int fd, fd_set *set)
{
	FD_SET(fd, set);
}

/* As in a file of its own: the compiler knows neither the number nor what is behind the set. */
static void (*volatile put_elsewhere)(int fd, fd_set *set) = put;

/* Bytes of the neighbour that FD_SET() wrote to. */
static int written_by_set(void)
{
	static struct frame frame, before;

	fill(&frame, 0);
	before = frame;
	put_elsewhere(FAR, &frame.set);
	return changed(&frame, &before);
}

/* What select() says when the neighbour's bits are numbers of descriptors that are not open. */
static const char *neighbour_not_open(void)
{
	static struct frame frame;
	struct timeval now = {};
	int silent[2];

	must(pipe(silent));
	must(dup2(silent[0], FAR));	/* else the kernel looks at fewer bits, without a word */
	fill(&frame, 0xff);
	return syscall(SYS_select, FAR + 1, &frame.set, NULL, NULL, &now) < 0 ?
	       strerrorname_np(errno) : "";
}

/* Bytes of the neighbour that select() wrote to, when they are numbers of open descriptors. */
static int written_by_select(void)
{
	static struct frame frame, before;
	struct timeval now = {};
	int silent[2];

	must(pipe(silent));
	for (int fd = FD_SETSIZE; fd <= FAR; fd++)
		must(dup2(silent[0], fd));
	fill(&frame, 0);
	memset(frame.behind, 0xff, (FAR - FD_SETSIZE) / 8);
	before = frame;
	must(syscall(SYS_select, FAR + 1, &frame.set, NULL, NULL, &now));
	return changed(&frame, &before);
}

/* Whether the kernel reports the descriptor when the set is long enough. */
static bool longer_set_works(void)
{
	static unsigned long set[FAR / 64 + 1];
	struct timeval now = {};
	int ready[2];

	must(pipe(ready));
	must(write(ready[1], "x", 1));
	must(dup2(ready[0], FAR));
	set[FAR / 64] = 1ul << FAR % 64;
	return syscall(SYS_select, FAR + 1, set, NULL, NULL, &now) == 1 &&
	       set[FAR / 64] == 1ul << FAR % 64;
}

int main(void)
{
	int status, result[2], written = -1;
	pid_t child;

	descriptors_allowed();
	/* In a process of its own, for this may be its end. */
	must(pipe(result));
	child = must(fork());
	if (!child) {
		close(STDERR_FILENO);
		written = written_by_set();
		_exit(write(result[1], &written, sizeof(written)) < 0);
	}
	must(waitpid(child, &status, 0));
	close(result[1]);
	must(read(result[0], &written, sizeof(written)));

	printf("{\"descriptor\":%d,\"fd_setsize\":%d", FAR, FD_SETSIZE);
	printf(",\"set_ends_by_signal\":%d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if (WIFEXITED(status))
		printf(",\"set_writes_behind_bytes\":%d", written);
	else
		printf(",\"set_writes_behind_bytes\":null");
	printf(",\"select_fails_with\":\"%s\"", neighbour_not_open());
	printf(",\"select_writes_behind_bytes\":%d", written_by_select());
	printf(",\"longer_set_works\":%s}\n", longer_set_works() ? "true" : "false");
	return 0;
}
