// SPDX-License-Identifier: GPL-2.0-only
/* requests SCENE ...: requests of Linux AIO and io_uring of which it is known what became of each. */
#include "fds.h"

#include <fcntl.h>
#include <libgen.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#define BLOCK 4096
#define MANY 8

static void row_of(const char *model, int calls, int in_bytes)
{
	row_begin();
	truth_put(",\"model\":\"%s\"},\"is\":{\"calls\":%d,\"in_bytes\":%d", model, calls, in_bytes);
}

static void say_requests(int submitted, int ended, int in_flight)
{
	truth_num("requests.submitted", (uint64_t)submitted);
	truth_num("requests.ended", (uint64_t)ended);
	if (in_flight < 0)
		is_null("requests.in_flight");
	else
		truth_num("requests.in_flight", (uint64_t)in_flight);
}

/* Linux AIO */

static aio_context_t aio_open(void)
{
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 128, &context))
		skip("no Linux AIO here");
	return context;
}

static void aio_submit(aio_context_t context, struct iocb **iocbs, int n, int taken)
{
	must(syscall(SYS_io_submit, context, (long)n, iocbs) == taken);
}

static void aio_collect(aio_context_t context, int n)
{
	struct io_event events[MANY];

	must(syscall(SYS_io_getevents, context, (long)n, (long)MANY, events, NULL) == n);
}

/* A file of @blocks beside the programs, on whatever they are; not in the page cache. */
static int open_file(const char *program, int blocks, int flags)
{
	char path[512], copy[512], *block;
	struct statfs on;
	int fd;

	snprintf(copy, sizeof(copy), "%s", program);
	snprintf(path, sizeof(path), "%s/requests-XXXXXX", dirname(copy));
	block = aligned_alloc(BLOCK, BLOCK);
	must(block);
	memset(block, 'x', BLOCK);
	fd = mkstemp(path);
	must(fd >= 0 && !fstatfs(fd, &on));
	if (on.f_type == TMPFS_MAGIC || on.f_type == RAMFS_MAGIC) {
		unlink(path);
		skip("no disk here");
	}
	for (int i = 0; i < blocks; i++)
		must(write(fd, block, BLOCK) == BLOCK);
	must(!fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
	fd = open(path, O_RDONLY | flags);
	unlink(path);
	free(block);
	if (fd < 0)
		skip("no disk here");
	return fd;
}

/* Some at a time, each with a call to hand them in and one to collect them. */
static void scene_aio(const char *program, int times, int flags)
{
	int fd = open_file(program, times * MANY, flags);
	struct iocb iocbs[MANY], *list[MANY];
	aio_context_t context = aio_open();
	char *room = aligned_alloc(BLOCK, MANY * BLOCK);

	must(room);
	for (int i = 0; i < times; i++) {
		for (int j = 0; j < MANY; j++) {
			iocbs[j] = (struct iocb){
				.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd,
				.aio_buf = (uintptr_t)(room + j * BLOCK), .aio_nbytes = BLOCK,
				.aio_offset = (i * MANY + j) * BLOCK,
			};
			list[j] = &iocbs[j];
		}
		aio_submit(context, list, MANY, MANY);
		aio_collect(context, MANY);
	}
	row_of("aio", times * MANY, times * MANY * BLOCK);
	say_requests(times * MANY, times * MANY, 0);
	truth_num("requests.submit_to_complete.count", (uint64_t)(times * MANY));
	truth_num("submits.count", (uint64_t)times);
	truth_num("waits.count", (uint64_t)times);
	truth_num("waits.ready", (uint64_t)(times * MANY));
	is_null("requests.polls");
	/* Without O_DIRECT it is io_submit that waits for the disk. */
	if (flags & O_DIRECT) {
		/* But for the first, which may have to read where the file is. */
		truth_range("submits.blocked", 0, 1);
	} else {
		truth_range("submits.blocked", 1, (uint64_t)times);
		truth_range("submits.blocked_ns", 1, 60000 * MSEC);
	}
	row_end();
}

static struct iocb iocb_poll(int fd)
{
	return (struct iocb){
		.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)fd, .aio_buf = POLLIN,
	};
}

/* One of three is never over; the others are after a while. One more is refused. */
static void scene_aio_late(int ms)
{
	aio_context_t context = aio_open();
	struct chan c[3];
	struct iocb iocbs[3], bad = iocb_poll(-1), *list[4];
	uint64_t submit0, submit1, collect0, collect1;

	for (int i = 0; i < 3; i++) {
		c[i] = open_chan("pipe");
		iocbs[i] = iocb_poll(c[i].in);
		list[i] = &iocbs[i];
	}
	list[3] = &bad;
	submit0 = now_ns();
	aio_submit(context, list, 4, 3);
	submit1 = now_ns();
	sleep_ms((unsigned int)ms);
	put(c[0], 1);
	put(c[1], 1);
	collect0 = now_ns();
	aio_collect(context, 2);
	collect1 = now_ns();
	row_of("aio", 2, 0);
	say_requests(3, 2, 1);
	truth_range("requests.submit_to_complete.ns", 2 * (collect0 - submit1),
		    2 * (collect1 - submit0));
	row_end();
}

/* The same request again and again: results that no call collects are not seen. */
static void scene_aio_unseen(int times)
{
	aio_context_t context = aio_open();
	struct chan c = open_chan("pipe");
	struct iocb iocb = iocb_poll(c.in), *list = &iocb;

	put(c, 1);
	for (int i = 0; i < times; i++)
		aio_submit(context, &list, 1, 1);
	aio_collect(context, times);
	row_of("aio", times, 0);
	say_requests(times, 1, -1);
	truth_num("requests.unseen", (uint64_t)times - 1);
	row_end();
}

/* io_uring */

static struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *sq_flags, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static void *ring_map(size_t size, uint64_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
			(off_t)offset);

	must(at != MAP_FAILED);
	return at;
}

static void ring_open(unsigned int flags)
{
	struct io_uring_params p = { .flags = flags, .sq_thread_idle = 1000 };
	char *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, 64, &p);
	if (ring.fd < 0)
		skip("no io_uring here");
	sq = ring_map(p.sq_off.array + p.sq_entries * 4, IORING_OFF_SQ_RING);
	cq = ring_map(p.cq_off.cqes + p.cq_entries * sizeof(*ring.cqes), IORING_OFF_CQ_RING);
	ring.sqes = ring_map(p.sq_entries * sizeof(*ring.sqes), IORING_OFF_SQES);
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.sq_flags = (void *)(sq + p.sq_off.flags);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqes = (void *)(cq + p.cq_off.cqes);
}

static struct io_uring_sqe *ring_next(int op, int fd)
{
	unsigned int tail = *ring.sq_tail, i = tail & *ring.sq_mask;
	struct io_uring_sqe *sqe = &ring.sqes[i];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)op;
	sqe->fd = fd;
	sqe->user_data = tail + 1;
	ring.sq_array[i] = i;
	return sqe;
}

static void ring_put(void)
{
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + 1, __ATOMIC_RELEASE);
}

static void ring_enter(unsigned int submit, unsigned int least)
{
	must(syscall(SYS_io_uring_enter, ring.fd, submit, least, least ? IORING_ENTER_GETEVENTS : 0,
		     NULL, 0) == (int)submit);
}

/* Takes @n results, each of which is @res. */
static void ring_take(int n, int res)
{
	for (int i = 0; i < n; i++) {
		unsigned int head = *ring.cq_head;

		must(head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE));
		must(ring.cqes[head & *ring.cq_mask].res == res);
		__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	}
}

static bool ring_has(unsigned int n)
{
	return __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) - *ring.cq_head >= n;
}

static char room[MANY][BLOCK];

static void ring_read(int fd, int flags)
{
	struct io_uring_sqe *sqe = ring_next(IORING_OP_READ, fd);

	sqe->addr = (uintptr_t)room[0];
	sqe->len = BLOCK;
	sqe->flags = (uint8_t)flags;
	ring_put();
}

/* Handed in and waited for by one call; and handed in by one that does not wait. */
static void scene_uring(int times)
{
	/* A pipe is read by a worker on some kernels. */
	struct chan c = open_chan("unix");

	ring_open(0);
	for (int i = 0; i < times; i++) {
		put(c, 100);
		ring_read(c.in, 0);
		ring_enter(1, i % 2);
		ring_take(1, 100);
	}
	row_of("io_uring", times, times * 100);
	say_requests(times, times, 0);
	truth_num("requests.submit_to_complete.count", (uint64_t)times);
	truth_num("submits.count", (uint64_t)(times + 1) / 2);
	truth_num("waits.count", (uint64_t)times / 2);
	truth_num("requests.more_results", 0);
	truth_num("requests.to_workers", 0);
	truth_num("requests.sq_polled", 0);
	is_null("waits.ready");
	row_end();
}

/* What is under way when a program ends is cancelled: it is looked at before. */
static void scene_uring_late(int ms)
{
	struct chan c = open_chan("unix"), never = open_chan("unix");
	uint64_t submit0, submit1, put0, put1;

	go_on();
	ring_open(0);
	for (int i = 0; i < 2; i++) {
		ring_next(IORING_OP_POLL_ADD, i ? never.in : c.in)->poll32_events = POLLIN;
		ring_put();
	}
	submit0 = now_ns();
	ring_enter(2, 0);
	submit1 = now_ns();
	sleep_ms((unsigned int)ms);
	put0 = now_ns();
	put(c, 1);
	ring_enter(0, 1);
	put1 = now_ns();
	ring_take(1, POLLIN);
	row_of("io_uring", 1, 0);
	say_requests(2, 1, 1);
	truth_num("requests.polls", 2);
	truth_range("requests.submit_to_complete.ns", put0 - submit1, put1 - submit0);
	row_end();
	stay();
}

/* One request, many results: of a descriptor that becomes ready again and again. */
static void scene_uring_multishot(int times)
{
	struct chan c = open_chan("unix");
	struct io_uring_sqe *sqe;

	go_on();
	ring_open(0);
	sqe = ring_next(IORING_OP_POLL_ADD, c.in);
	sqe->poll32_events = POLLIN;
	sqe->len = IORING_POLL_ADD_MULTI;
	ring_put();
	ring_enter(1, 0);
	for (int i = 0; i < times; i++) {
		put(c, 10);
		ring_enter(0, 1);
		ring_take(1, POLLIN);
		take(c.in, 10);
	}
	row_of("io_uring", times, 0);
	say_requests(1, 0, 1);
	truth_num("requests.more_results", (uint64_t)times - 1);
	truth_num("requests.submit_to_complete.count", 1);
	truth_num("waits.count", (uint64_t)times);
	row_end();
	row_of("blocking", times, times * 10);
	row_end();
	stay();
}

/* Reads that are to go to a worker at once. */
static void scene_uring_worker(int times)
{
	struct chan c = open_chan("pipe");

	ring_open(0);
	for (int i = 0; i < times; i++) {
		put(c, 100);
		ring_read(c.in, IOSQE_ASYNC);
		ring_enter(1, 1);
		ring_take(1, 100);
	}
	row_of("io_uring", times, times * 100);
	say_requests(times, times, 0);
	truth_num("requests.to_workers", (uint64_t)times);
	row_end();
}

/* Without a call at all, but to wake the thread of the kernel's when it has gone to sleep. */
static void scene_uring_sqpoll(int times)
{
	struct chan c = open_chan("pipe");

	ring_open(IORING_SETUP_SQPOLL);
	for (int i = 0; i < times; i++) {
		put(c, 100);
		ring_read(c.in, 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		while (!ring_has(1)) {
			if (__atomic_load_n(ring.sq_flags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
				syscall(SYS_io_uring_enter, ring.fd, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
			sched_yield();
		}
		ring_take(1, 100);
	}
	row_of("io_uring", times, times * 100);
	say_requests(times, times, 0);
	truth_num("requests.sq_polled", (uint64_t)times);
	is_null("waits");
	row_end();
}

/* By descriptor: each request goes to the one that it is of. */
static void scene_uring_fds(int times)
{
	struct chan a = open_chan("unix"), b = open_chan("pipe");

	ring_open(0);
	for (int i = 0; i < times; i++) {
		put(a, 100);
		ring_read(a.in, 0);
		if (i % 2) {
			put(b, 100);
			ring_read(b.in, 0);
		}
		ring_enter(1 + i % 2, 1 + i % 2);
		ring_take(1 + i % 2, 100);
	}
	for (int i = 0; i < 2; i++) {
		row_begin();
		truth_put(",\"fd\":%d,\"model\":\"io_uring\"},\"is\":{\"calls\":%d,\"in_bytes\":%d",
			  i ? b.in : a.in, i ? times / 2 : times, 100 * (i ? times / 2 : times));
		row_end();
	}
}

int main(int argc, char **argv)
{
	const char *scene = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? number(argv, 2) : 0;

	if (!strcmp(scene, "aio-direct"))
		scene_aio(argv[0], n, O_DIRECT);
	else if (!strcmp(scene, "aio-buffered"))
		scene_aio(argv[0], n, 0);
	else if (!strcmp(scene, "aio-late"))
		scene_aio_late(n);
	else if (!strcmp(scene, "aio-unseen"))
		scene_aio_unseen(n);
	else if (!strcmp(scene, "uring"))
		scene_uring(n);
	else if (!strcmp(scene, "uring-late"))
		scene_uring_late(n);
	else if (!strcmp(scene, "uring-multishot"))
		scene_uring_multishot(n);
	else if (!strcmp(scene, "uring-worker"))
		scene_uring_worker(n);
	else if (!strcmp(scene, "uring-sqpoll"))
		scene_uring_sqpoll(n);
	else if (!strcmp(scene, "uring-fds"))
		scene_uring_fds(n);
	else
		die("no such scene: %s", scene);
	truth_write();
	return 0;
}
