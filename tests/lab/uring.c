// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: reads and writes are asked for and complete by themselves. A read is always asked for,
 * so each connection needs a buffer of its own; one write at a time is on its way.
 */
#include "model.h"

#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define QUEUE 4096
#define COMPLETIONS (QUEUE * 8)
#define BUFFER_BYTES 4096

/* In the low bits of a peer's address, which labels its requests; the listener has none. */
enum {
	DID_RECEIVE = 1,
	DID_SEND = 2,
	DID = DID_RECEIVE | DID_SEND,
};

struct wire {
	struct buffer flying;	/* what is being sent */
	bool receiving, ending;
	char bytes[BUFFER_BYTES];
};

static struct io_uring ring;

static void open_ring(void)
{
	/* 6.1: completions are made when they are asked for, and not in between. */
	struct io_uring_params params = { .cq_entries = COMPLETIONS,
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN };
	int error = io_uring_queue_init_params(QUEUE, &ring, &params);

	if (error == -EINVAL) {
		params = (struct io_uring_params){ .cq_entries = COMPLETIONS,
						   .flags = IORING_SETUP_CQSIZE };
		error = io_uring_queue_init_params(QUEUE, &ring, &params);
	}
	errno = -error;
	if (error)
		lacking("io_uring");
}

static struct io_uring_sqe *request(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	if (!sqe)
		fail("the submission queue");
	return sqe;
}

/* Not an accept, which fails at once and again and again when no descriptor is left. */
static void ask_door(int listener)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_poll_add(sqe, listener, POLLIN);
	sqe->user_data = 0;
}

static void ask_receive(struct peer *peer)
{
	struct wire *wire = peer->own;
	struct io_uring_sqe *sqe = request();

	wire->receiving = true;
	io_uring_prep_recv(sqe, peer->fd, wire->bytes, sizeof(wire->bytes), 0);
	sqe->user_data = (uintptr_t)peer | DID_RECEIVE;
}

static void ask_send(struct peer *peer)
{
	struct wire *wire = peer->own;
	struct io_uring_sqe *sqe = request();

	peer->sending = true;
	io_uring_prep_send(sqe, peer->fd, wire->flying.data + wire->flying.from, wire->flying.len,
			   MSG_NOSIGNAL);
	sqe->user_data = (uintptr_t)peer | DID_SEND;
}

static void changed(struct peer *peer)
{
	struct wire *wire = peer->own;
	int wants = peer_wants(peer);

	if (wants & WANT_IN && !wire->receiving)
		ask_receive(peer);
	if (wants & WANT_OUT && !peer->sending) {
		wire->flying = peer->out;
		peer->out = (struct buffer){};
		ask_send(peer);
	}
	peer->watched = peer_wants(peer);
}

static void enter(int fd)
{
	struct peer *peer = peer_new(fd);

	peer->own = calloc(1, sizeof(struct wire));
	if (!peer->own)
		fail("memory for a client");
	ask_receive(peer);
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = listener_accept(listener, true)) >= 0)
		enter(fd);
	ask_door(listener);
}

static void received(struct peer *peer, int result)
{
	struct wire *wire = peer->own;

	wire->receiving = false;
	if (wire->ending || result == -EINTR || result == -EAGAIN)
		return;
	if (result > 0)
		peer_hear(peer, wire->bytes, (size_t)result);
	else
		peer_close(peer);
}

static void sent(struct peer *peer, int result)
{
	struct wire *wire = peer->own;

	pthread_mutex_lock(&peer->lock);
	peer->sending = false;
	if (result >= 0)
		buffer_consume(&wire->flying, (size_t)result);
	else
		peer_shut(peer);
	if (wire->flying.len && !peer->dead)
		ask_send(peer);
	pthread_mutex_unlock(&peer->lock);
}

static void completed(struct peer *peer, int did, int result)
{
	struct wire *wire = peer->own;

	peer_begin(peer);
	peer->watched = 0;	/* at the least, what completed is to be asked for again */
	if (did == DID_RECEIVE)
		received(peer, result);
	else
		sent(peer, result);
	if (!wire->ending && peer_rest(peer))
		return;
	/* What is still asked for ends with the socket. */
	if (!wire->ending)
		shutdown(peer->fd, SHUT_RDWR);
	wire->ending = true;
	if (wire->receiving || peer->sending)
		return;
	buffer_free(&wire->flying);
	free(wire);
	peer_free(peer);
}

static void run(int listener)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen;

	nonblocking(listener);
	ask_door(listener);
	for (;;) {
		int error = io_uring_submit_and_wait(&ring, 1);

		errno = -error;
		if (error < 0 && error != -EINTR && error != -EBUSY)
			fail("io_uring_enter");
		seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			uintptr_t label = cqe->user_data;

			seen++;
			if (label)
				completed((struct peer *)(label & ~(uintptr_t)DID), label & DID,
					  cqe->res);
			else
				accept_all(listener);
		}
		io_uring_cq_advance(&ring, seen);
	}
}

const struct model model_uring = {
	.about = "io_uring: a read asked for on each connection, one write at a time",
	.open = open_ring,
	.run = run,
	.changed = changed,
	.sends = true,
};
