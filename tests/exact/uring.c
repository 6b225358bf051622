// SPDX-License-Identifier: GPL-2.0-only
/*
 * uring: an epoll set that grows and shrinks by IORING_OP_EPOLL_CTL, of which no system call of
 * its own is seen, between waits that ask for all of it.
 */
#include "sockets.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/mman.h>

static struct {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
} ring;

static void *map(size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
			offset);

	must(at != MAP_FAILED);
	return at;
}

static void open_ring(void)
{
	struct io_uring_params *p = &ring.params;

	ring.fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (ring.fd < 0)
		skip("io_uring_setup refused");
	ring.sq = map(p->sq_off.array + p->sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	ring.cq = map(p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring.sqes = map(p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

static uint32_t *word(char *base, uint32_t offset)
{
	return (uint32_t *)(base + offset);
}

/* Submits one and takes its completion; its result. */
static int submit(const struct io_uring_sqe *sqe)
{
	struct io_uring_params *p = &ring.params;
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(ring.cq + p->cq_off.cqes);
	uint32_t *tail = word(ring.sq, p->sq_off.tail), *head = word(ring.cq, p->cq_off.head);
	uint32_t at = *tail & *word(ring.sq, p->sq_off.ring_mask);
	int result;

	ring.sqes[at] = *sqe;
	word(ring.sq, p->sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	result = cqes[*head & *word(ring.cq, p->cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

/* Every second one is left to a worker thread of the kernel. */
static int control(int ep, int op, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
	static int turn;

	return submit(&(struct io_uring_sqe){
		.opcode = IORING_OP_EPOLL_CTL, .flags = turn++ & 1 ? IOSQE_ASYNC : 0, .fd = ep,
		.len = (uint32_t)op, .off = (uint64_t)fd, .addr = (uintptr_t)&ev });
}

int main(void)
{
	int i, ret, fd[8][2], ep = epoll_create1(EPOLL_CLOEXEC), calls = 0;
	struct epoll_event events[8];
	uint64_t asked = 0, size = 0;

	open_ring();
	for (i = 0; i < 14; i++) {
		if (i < 8)
			pipe_pair(fd[i]);
		ret = control(ep, i < 8 ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd[i & 7][0]);
		if (ret == -EINVAL && !i)
			skip("no IORING_OP_EPOLL_CTL");
		must(!ret);
		size += i < 8 ? 1 : -1ull;
		must(!syscall(SYS_epoll_wait, ep, events, 8, 0));
		calls++;
		asked += size;
	}
	must(control(ep, EPOLL_CTL_ADD, fd[7][0]) == -EEXIST);
	must(!syscall(SYS_epoll_wait, ep, events, 8, 0));
	truth_row("epoll_wait");
	truth_num("calls", (uint64_t)calls + 1);
	truth_num("asked", asked + size);
	truth_num("scanned", 0);
	truth_end();
	truth_write();
	return 0;
}
