// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy KIND BYTES: a transfer whose copying took some time, and not more than the processor time
 * that the reader's own clocks show for the calls. What comes is waited for outside of them
 * (poll), so that their time is copying and the protocol.
 */
#include "sockets.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define CHUNK (1 << 20)

static char buf[CHUNK], out[CHUNK];

struct flow {
	int fd[2];
	size_t bytes;
};

static void *give(void *arg)
{
	struct flow *f = arg;
	size_t done = 0;
	ssize_t n;

	while (done < f->bytes) {
		n = write(f->fd[1], out, f->bytes - done < CHUNK ? f->bytes - done : CHUNK);
		must(n > 0);
		done += (size_t)n;
	}
	return NULL;
}

/* What nobody need write: all of it is there from the beginning, 8 bytes a read in an eventfd. */
static void open_full(struct flow *f, const char *kind)
{
	bool events = !strcmp(kind, "eventfd");
	size_t done = 0;

	if (events)
		f->fd[0] = eventfd((unsigned int)(f->bytes / 8), EFD_SEMAPHORE | EFD_CLOEXEC);
	else if (!strcmp(kind, "tmpfs"))
		f->fd[0] = memfd_create("copy", MFD_CLOEXEC);
	else
		f->fd[0] = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	must(f->fd[0] >= 0);
	for (; !events && done < f->bytes; done += CHUNK < f->bytes ? CHUNK : f->bytes)
		must(pwrite(f->fd[0], out, CHUNK < f->bytes ? CHUNK : f->bytes, (off_t)done) > 0);
}

struct sum {
	uint64_t copy_ns, wall_ns;
	int calls;
};

/*
 * No more than the wall clock in any case. The processor clock is the outside one, but where the
 * thread was pre-empted beside the call it told less than perf saw the call itself run, without
 * a switch in it, on a guest with PARAVIRT_TIME_ACCOUNTING: then it bounds nothing.
 */
static uint64_t on_cpu_ns(const struct span *s)
{
	uint64_t wall_ns = s->end_ns - s->begin_ns;

	return s->preempted ? wall_ns : min_ns(s->cpu_ns, wall_ns);
}

static void take(struct flow *f, struct sum *sum)
{
	struct pollfd p = { .fd = f->fd[0], .events = POLLIN };
	struct span span;
	size_t done = 0;
	ssize_t n;

	while (done < f->bytes) {
		must(poll(&p, 1, -1) == 1);
		span_begin(&span);
		n = syscall(SYS_readv, f->fd[0], &(struct iovec){ buf, CHUNK }, 1);
		span_end(&span);
		must(n > 0);
		done += (size_t)n;
		sum->copy_ns += on_cpu_ns(&span);
		sum->wall_ns += span.end_ns - span.begin_ns;
		sum->calls++;
	}
}

/*
 * copy peek BYTES: the same bytes looked at again and again, in buffers of which none is freed
 * between two copies. There is little to do but copy, and a bound below half of it would be none.
 */
static void peek(size_t bytes)
{
	int fd[2], room = 1 << 22, times = 20;
	uint64_t cpu_ns = 0;
	struct span span;

	unix_pair(fd);
	must(!setsockopt(fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)));
	for (size_t done = 0; done < bytes; done += 1 << 15)
		must(send(fd[1], out, 1 << 15, MSG_DONTWAIT) == 1 << 15);
	for (int i = 0; i < times; i++) {
		span_begin(&span);
		must(recv(fd[0], buf, bytes, MSG_PEEK) == (ssize_t)bytes);
		span_end(&span);
		cpu_ns += on_cpu_ns(&span);
	}
	truth_row("recvfrom");
	truth_num("calls", (uint64_t)times);
	truth_num("bytes", 0);
	truth_num("peek_bytes", bytes * times);
	truth_range("copy_ns", cpu_ns / 2, cpu_ns);
	truth_results("ok", times, NULL);
	truth_end();
	truth_write();
}

int main(int argc, char **argv)
{
	struct sum sum = { 0 };
	struct flow f = { 0 };

	must(argc == 3);
	f.bytes = (size_t)atol(argv[2]);
	memset(buf, 1, sizeof(buf));	/* no page fault inside the calls */
	memset(out, 1, sizeof(out));
	if (!strcmp(argv[1], "peek")) {
		peek(f.bytes);
		return 0;
	}
	if (!strcmp(argv[1], "tcp"))
		tcp_pair(f.fd);
	else if (!strcmp(argv[1], "unix"))
		unix_pair(f.fd);
	else if (!strcmp(argv[1], "pipe"))
		pipe_pair(f.fd);
	else
		open_full(&f, argv[1]);
	pin_self(usable_cpu(1));
	if (f.fd[1])
		start(give, &f);
	pin_self(usable_cpu(0));
	take(&f, &sum);
	truth_row("readv");
	truth_num("calls", (uint64_t)sum.calls);
	truth_num("bytes", f.bytes);
	truth_range("copy_ns", 1, sum.copy_ns);
	truth_range("wall_ns", 1, sum.wall_ns);
	truth_results("ok", sum.calls, NULL);
	truth_end();
	truth_write();
	return 0;
}
